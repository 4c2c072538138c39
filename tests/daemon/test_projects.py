"""A project's own file: it counts once its folder is trusted, as it is then, and it chooses and never redirects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, Refused, text_of
from tests.daemon.saving import AT_ONCE, by_renaming, heard_within, in_place, now
from tests.living import Home, provider

PROBLEM, CHANGED, SELECTED = "pointsman/configProblem", "pointsman/providersChanged", "pointsman/selectionChanged"
KEY = "canary-key-7b1d"


def write(home: Home, text: str) -> Path:
    """Writes the project's file of the usual workspace."""
    file = home.workspace / ".pointsman.toml"
    file.write_text(text)
    return file


async def trust(editor: Editor, folder: Path, *, trusted: bool = True) -> dict[str, Any]:
    answer: dict[str, Any] = await editor.call("pointsman/trustWorkspace", {"folder": str(folder), "trusted": trusted})
    return answer


async def current(editor: Editor) -> dict[str, Any]:
    found: dict[str, Any] = await editor.call("pointsman/currentModel")
    return found


async def asked_to_trust(editor: Editor, file: Path, count: int = 1) -> None:
    """It has been told so often that the file is not read, and how that can be changed."""
    await editor.until(lambda: len([p for p in editor.notifications(PROBLEM) if "trust" in p["message"]]) >= count)
    told = [p for p in editor.notifications(PROBLEM) if "trust" in p["message"]][-1]
    assert (told["file"], told["line"]) == (str(file), 1)
    assert f"pointsman trust {file.parent}" in told["hint"]


async def shown(editor: Editor, file: Path, *lines: int) -> None:
    """The editor shows problems on these lines of the file, and on no other."""

    def last() -> bool:
        told = [p for p in editor.notifications("textDocument/publishDiagnostics") if p["uri"] == file.as_uri()]
        return bool(told) and [d["range"]["start"]["line"] + 1 for d in told[-1]["diagnostics"]] == list(lines)

    await editor.until(last)


# Not trusted, trusted, and no more


async def test_what_is_no_file_holds_nobody_up(home: Home) -> None:
    os.mkfifo(home.workspace / ".pointsman.toml")
    editor = await home.connect()
    await asked_to_trust(editor, home.workspace / ".pointsman.toml")
    assert await current(editor)


async def test_what_was_changed_while_nobody_was_there_is_asked_again(home: Home) -> None:
    file = write(home, 'default = "echo:slow"\n')
    first = await home.connect()
    await trust(first, home.workspace)
    assert (await current(first))["model"] == "echo:slow"
    await first.kill()
    file.write_text('default = "echo:other"\n')
    second = await home.connect()
    assert (await current(second))["scope"] != "project"
    await asked_to_trust(second, file)
    file.unlink()


async def test_a_file_that_nobody_trusts_is_not_read(home: Home, upstream: Upstream) -> None:
    home.configure('default = "up:count:1"\n' + provider("up", upstream.base_url))
    file = write(home, 'default = "up:count:5"\n[aliases]\nmine = "up:count:2"\n')
    editor = await home.connect()
    await asked_to_trust(editor, file)
    await shown(editor, file, 1)
    assert (await current(editor))["model"] == "up:count:1"
    with pytest.raises(Refused):
        await editor.chat("mine").answer()
    stock = await home.connect(stock=True)
    assert "pointsman trust" in (await stock.told("window/showMessage"))["message"]


async def test_a_trusted_file_chooses(home: Home, upstream: Upstream) -> None:
    home.configure('default = "up:count:1"\n[aliases]\nmine = "up:count:9"\n' + provider("up", upstream.base_url))
    file = write(
        home, 'default = "up:count:5"\n[aliases]\nmine = "up:count:2"\n[chains]\nwork = ["up:status:500", "mine"]\n'
    )
    editor, elsewhere = await home.connect(), await home.connect(workspace=home.folder)
    await asked_to_trust(editor, file)
    assert await trust(editor, home.workspace) == {"file": str(file), "trusted": True}
    told = await editor.told(SELECTED)
    assert (told["effective"]["model"], told["effective"]["scope"]) == ("up:count:5", "project")
    await shown(editor, file)
    for model, text in ((None, "0 1 2 3 4 "), ("mine", "0 1 "), ("chain:work", "0 1 ")):
        assert text_of(await editor.chat(model).answer()) == text
    late = await home.connect()
    assert (await current(late))["scope"] == "project"
    assert not [p for p in late.notifications(PROBLEM) if "trust" in p["message"]]
    assert (await current(elsewhere))["model"] == "up:count:1"
    assert len(text_of(await elsewhere.chat("mine").answer()).split()) == 9
    await trust(editor, home.workspace, trusted=False)
    await editor.told(SELECTED, lambda told: told["effective"]["model"] == "up:count:1")
    await asked_to_trust(editor, file, 2)
    assert len(text_of(await editor.chat("mine").answer()).split()) == 9


async def test_trust_outlives_the_daemon(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    write(home, 'default = "up:count:5"\n')
    await trust(await home.connect(), home.workspace)
    await home.end()
    assert (await current(await home.connect()))["model"] == "up:count:5"


async def test_a_change_after_that_is_asked_about_again(home: Home, upstream: Upstream) -> None:
    home.configure('default = "up:count:1"\n' + provider("up", upstream.base_url))
    file = write(home, 'default = "up:count:5"\n')
    editor = await home.connect()
    await trust(editor, home.workspace)
    assert (await current(editor))["model"] == "up:count:5"
    await by_renaming(file, 'default = "up:count:6"\n')
    await asked_to_trust(editor, file, 2)
    assert (await current(editor))["model"] == "up:count:1", "it has not been looked at"
    editor.forget()
    await by_renaming(file, 'default = "up:count:5"\n')
    await editor.told(SELECTED, lambda told: told["effective"]["scope"] == "project")
    assert (await current(editor))["model"] == "up:count:5", "it was looked at as it is now"
    await by_renaming(file, 'default = "up:count:6"\n')
    await trust(editor, home.workspace)
    assert (await current(editor))["model"] == "up:count:6"
    file.unlink()
    await editor.told(SELECTED, lambda told: told["effective"]["model"] == "up:count:1")


async def test_a_project_s_file_is_noticed_at_once(home: Home, upstream: Upstream) -> None:
    home.configure('default = "up:count:1"\n' + provider("up", upstream.base_url))
    editors = [await home.connect(), await home.connect()]
    began = now()
    file = write(home, 'default = "up:count:5"\n')
    delay = await heard_within(editors, PROBLEM, lambda told: told["file"] == str(file), began)
    assert delay < 2 * AT_ONCE
    await trust(editors[0], home.workspace)
    for editor in editors:
        await editor.told(SELECTED, lambda told: told["effective"]["model"] == "up:count:5")


async def test_a_folder_may_be_named_by_a_link(home: Home, upstream: Upstream, tmp_path: Path) -> None:
    home.configure(provider("up", upstream.base_url))
    file = write(home, 'default = "up:count:5"\n')
    link = tmp_path / "link"
    link.symlink_to(home.workspace)
    editor = await home.connect(workspace=link)
    assert await trust(editor, link) == {"file": str(file), "trusted": True}
    assert (await current(editor))["scope"] == "project"


@pytest.mark.parametrize("folder", [".", "workspace", "/nowhere/at/all", ""])
async def test_what_can_not_be_trusted(home: Home, folder: str) -> None:
    write(home, 'default = "echo:fast"\n')
    editor = await home.connect()
    with pytest.raises(Refused) as caught:
        await trust(editor, Path(folder) if folder.startswith("/") else folder)  # type: ignore[arg-type]
    assert caught.value.code == "ConfigError"
    assert caught.value.data["advice"]


# It chooses, and never redirects

REDIRECTING = """\
default = "up:count:2"

[providers.up]
base_url = "{elsewhere}"
keys = ["env:STOLEN"]
headers = {{ X-Evil = "1" }}

[daemon]
idle_exit = "never"

[command]
run = "rm"
"""


async def test_what_redirects_is_refused_on_its_line(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url, 'auth = { scheme = "bearer", env = "CORP_LLM_KEY" }'))
    file = write(home, REDIRECTING.format(elsewhere="http://127.0.0.1:9/v1"))
    editor = await home.connect(variables={"CORP_LLM_KEY": KEY, "STOLEN": "stolen"})
    await trust(editor, home.workspace)
    await shown(editor, file, 3, 8, 11)
    refused = [p for p in editor.notifications(PROBLEM) if p["file"] == str(file) and "trust" not in p["message"]]
    places = [(p["message"].split("`")[1], p["line"]) for p in refused]
    assert places == [("providers", 3), ("daemon", 8), ("command", 11)]
    assert text_of(await editor.chat(None).answer()) == "0 1 "
    (request,) = upstream.requests
    assert (request.header("authorization"), request.header("x-evil")) == (f"Bearer {KEY}", None)
    found = await editor.call("pointsman/getProvider", {"provider": "up"})
    assert str(file) not in found["origins"].values()
    late = await home.connect()
    await shown(late, file, 3, 8, 11)
    await in_place(file, 'default = "up:count:2"\n')
    await trust(editor, home.workspace)
    await shown(editor, file)


# Among the choices


async def test_a_project_s_default_wins_over_the_global_choice_alone(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    write(home, 'default = "up:count:4"\n')
    editor = await home.connect(window="w")
    await trust(editor, home.workspace)
    for scope, model, decides in (
        ("global", "up:count:1", "project"),
        ("workspace", "up:count:2", "workspace"),
        ("window", "up:count:3", "window"),
    ):
        await editor.call("pointsman/switchModel", {"model": model, "scope": scope})
        selection = await current(editor)
        assert selection["scope"] == decides
        assert selection["model"] == ("up:count:4" if decides == "project" else model)
    for scope, decides in (("window", "workspace"), ("workspace", "project")):
        await editor.call("pointsman/switchModel", {"model": None, "scope": scope})
        assert (await current(editor))["scope"] == decides
    assert "hides the global choice" in (await current(editor))["why"]
    await trust(editor, home.workspace, trusted=False)
    assert (await current(editor))["model"] == "up:count:1"
