"""The choice of a model as something to keep: durable, numbered, and never half done."""

from __future__ import annotations

import resource
import sqlite3

import pytest

from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, Refused
from tests.living import Home, provider


async def switched(editor: Editor, model: str | None, **more: object) -> dict[str, object]:
    """What the daemon answers to a switch."""
    answer: dict[str, object] = await editor.call("pointsman/switchModel", {"model": model, **more})
    return answer


async def test_a_change_by_somebody_else_is_not_overwritten(home: Home) -> None:
    first, second = await home.connect(client="first"), await home.connect(client="second")
    seen = await switched(first, "echo:one", scope="global")
    await switched(second, "echo:two", scope="global", ifRevision=seen["revision"])
    with pytest.raises(Refused) as caught:
        await switched(first, "echo:three", scope="global", ifRevision=seen["revision"])
    assert caught.value.code == "SelectionConflict"
    assert "second" in caught.value.message
    now = await first.call("pointsman/currentModel")
    assert now["model"] == "echo:two"
    assert (await switched(first, "echo:three", ifRevision=now["revision"]))["model"] == "echo:three"


async def test_clearing_a_scope_uncovers_the_next(home: Home) -> None:
    editor = await home.connect(window="w")
    for scope in ("global", "workspace", "window"):
        answer = await switched(editor, f"echo:for-the-{scope}", scope=scope)
        assert (answer["model"], answer["scope"]) == (f"echo:for-the-{scope}", scope)
    for scope, uncovered in (("window", "workspace"), ("workspace", "global")):
        answer = await switched(editor, None, scope=scope)
        assert (answer["model"], answer["scope"]) == (f"echo:for-the-{uncovered}", uncovered)
    await home.end()
    again = await home.connect(window="w")
    assert (await again.call("pointsman/currentModel"))["scope"] == "global"


async def test_a_temporary_choice_lies_over_the_stored_one(home: Home) -> None:
    editor = await home.connect()
    await switched(editor, "echo:kept", scope="global")
    assert (await switched(editor, "echo:fleeting", scope="global", temporary=True))["temporary"]
    assert (await switched(editor, None, scope="global", temporary=True))["model"] == "echo:kept"


async def test_without_a_scope_the_one_that_decides_is_changed(home: Home) -> None:
    editor, other = await home.connect(window="w"), await home.connect()
    assert (await switched(other, "echo:for-all"))["scope"] == "global"
    await switched(editor, "echo:for-me", scope="window")
    assert (await switched(editor, "echo:for-me-again"))["scope"] == "window"
    assert (await other.call("pointsman/currentModel"))["model"] == "echo:for-all"


async def test_a_name_that_leads_nowhere_changes_nothing(home: Home) -> None:
    editor, other = await home.connect(), await home.connect()
    await switched(editor, "echo:kept", scope="global")
    for model, code in (
        ("ecko:slow", "UnknownProvider"),
        ("nothing-like-it", "UnknownModel"),
        ("chain:no", "UnknownChain"),
    ):
        with pytest.raises(Refused) as caught:
            await switched(editor, model)
        assert caught.value.code == code
        assert caught.value.data["advice"]
    await switched(editor, "echo:last")
    await other.told("pointsman/selectionChanged", lambda told: told["changed"]["model"] == "echo:last")
    assert len(other.notifications("pointsman/selectionChanged")) == 2


async def test_a_choice_whose_provider_has_gone_stays(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    await switched(await home.connect(), "up:count:3", scope="global")
    await home.end()
    home.configure("")
    editor = await home.connect()
    selection = await editor.call("pointsman/currentModel")
    assert (selection["model"], selection["state"]) == ("up:count:3", "unavailable")
    with pytest.raises(Refused):
        await editor.chat(None).answer()
    await home.end()
    home.configure(provider("up", upstream.base_url))
    assert (await (await home.connect()).chat(None).answer())["model"] == "count:3"


async def test_a_full_disk_changes_nothing(home: Home) -> None:
    editor, other = await home.connect(), await home.connect()
    await switched(editor, "echo:kept", scope="global")
    _, most = resource.prlimit(home.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(home.pid, resource.RLIMIT_FSIZE, (0, most))  # not a byte can be added to any file
    for _ in range(3):
        with pytest.raises(Refused) as caught:
            await switched(editor, "echo:lost", scope="global")
        assert caught.value.code == "StorageError"
        assert "disk" in caught.value.data["advice"]
    assert (await editor.call("pointsman/currentModel"))["model"] == "echo:kept"
    assert (await editor.chat("echo:fast").answer())["stopReason"] == "end", "chats need no disk"
    resource.prlimit(home.pid, resource.RLIMIT_FSIZE, (most, most))
    assert (await switched(editor, "echo:after", scope="global"))["revision"] == 2
    await other.told("pointsman/selectionChanged", lambda told: told["changed"]["model"] == "echo:after")
    assert len(other.notifications("pointsman/selectionChanged")) == 2
    await home.end()
    assert (await (await home.connect()).call("pointsman/currentModel"))["model"] == "echo:after"


async def test_a_damaged_state_is_set_aside(home: Home) -> None:
    home.may_complain = True
    await switched(await home.connect(), "echo:lost", scope="global")
    await home.end()
    (home.data / "state.db").write_bytes(b"no database at all " * 1000)
    editor = await home.connect()
    assert (await editor.call("pointsman/currentModel"))["scope"] != "global"
    await switched(editor, "echo:new", scope="global")
    aside = home.data / "state.damaged"
    assert aside.exists()
    assert str(aside) in (await editor.told("window/showMessage"))["message"]
    assert f"Delete {aside}" in home.run("doctor").stdout
    aside.unlink()
    assert str(aside) not in home.run("doctor").stdout
    assert any("set aside" in line["message"] for line in await home.whole_log())


async def test_a_choice_is_on_disk_before_it_is_answered(home: Home) -> None:
    editor = await home.connect()
    for number in range(20):
        await switched(editor, f"echo:{number}", scope="global")
        with sqlite3.connect(home.places.store) as database:
            rows = database.execute("SELECT model FROM choices WHERE scope = 'global'").fetchall()
        database.close()
        assert rows == [(f"echo:{number}",)]
