"""The folder `providers` beside pointsman.toml: a file dropped there is a provider, in every client, at once."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, Refused, text_of
from tests.daemon.saving import AT_ONCE, WAYS, Save, heard_within, in_place, now, slowly
from tests.daemon.test_live_edits import diagnostics, ids, problem
from tests.living import Home, provider

CHANGED = "pointsman/providersChanged"
NOWHERE = "http://127.0.0.1:9/v1"


def definition(base_url: str = NOWHERE, *lines: str) -> str:
    """A provider as a file of its own."""
    return "\n".join([f'base_url = "{base_url}"', 'auth = { scheme = "none" }', "max_retries = 0", *lines, ""])


def folder(home: Home) -> Path:
    return home.file.parent / "providers"


def drop(home: Home, name: str, text: str) -> Path:
    """Puts a file into the folder."""
    home.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder(home).mkdir(exist_ok=True)
    file = folder(home) / name
    file.write_text(text)
    return file


async def about(editor: Editor, id: str) -> dict[str, Any]:
    found: dict[str, Any] = await editor.call("pointsman/getProvider", {"provider": id})
    return found


async def test_a_file_that_is_there_is_a_provider(home: Home, upstream: Upstream) -> None:
    file = drop(home, "corp.toml", definition(upstream.base_url, 'default_model = "count:3"'))
    editor = await home.connect()
    found = await about(editor, "corp")
    assert found["origins"]["base_url"] == str(file)
    assert found["values"]["configured_by_user"], "who drops a file has configured what it says"
    assert text_of(await editor.chat("corp").answer()) == "0 1 2 "
    assert (await editor.call("pointsman/testProvider", {"provider": "corp"}))["ok"]


async def test_it_may_name_itself_and_may_be_written_as_in_pointsman_toml(home: Home) -> None:
    drop(home, "a.toml", 'id = "named"\n' + definition())
    drop(home, "b.toml", provider("one", NOWHERE) + provider("two", NOWHERE))
    drop(home, "c.toml.bak", definition())
    drop(home, ".d.toml", definition())
    editor = await home.connect()
    known = await ids(editor)
    assert {"named", "one", "two"} <= known
    assert not {"a", "b", "c", "d", ".d"} & known
    assert not editor.notifications("pointsman/configProblem")


async def test_it_lies_between_what_is_shipped_and_the_user_s_own_file(home: Home) -> None:
    file = drop(home, "openai.toml", 'name = "Theirs"\nmax_retries = 5\n')
    home.configure("[providers.openai]\nmax_retries = 1\n")
    editor = await home.connect()
    found = await about(editor, "openai")
    assert (found["values"]["name"], found["values"]["max_retries"]) == ("Theirs", 1)
    origins = {name: found["origins"][name] for name in ("name", "max_retries", "wire")}
    assert origins == {"name": str(file), "max_retries": str(home.file), "wire": "shipped:openai.toml"}


@pytest.mark.parametrize("there", [True, False], ids=["the folder is there", "it comes with the file"])
async def test_a_file_appears_changes_and_goes(home: Home, there: bool) -> None:
    home.configure("")
    if there:
        folder(home).mkdir()
    editors = [await home.connect() for _ in range(2)]
    delays = []
    for round in range(3):
        began = now()
        file = drop(home, "corp.toml", definition())
        delays.append(await heard_within(editors, CHANGED, lambda told: told["added"] == ["corp"], began))
        began = now()
        file.write_text(definition() + f'name = "{round}"\n')
        delays.append(await heard_within(editors, CHANGED, lambda told: told["changed"] == ["corp"], began))
        began = now()
        if there:
            file.unlink()
        else:
            shutil.rmtree(folder(home))
        delays.append(await heard_within(editors, CHANGED, lambda told: told["removed"] == ["corp"], began))
        for editor in editors:
            assert "corp" not in await ids(editor)
            editor.forget()
    assert median(delays) < AT_ONCE, delays


@pytest.mark.parametrize("save", WAYS)
async def test_however_it_is_saved(home: Home, save: Save) -> None:
    file = drop(home, "corp.toml", definition())
    editor = await home.connect()
    delays = []
    for number in range(3):
        began = now()
        await save(file, definition() + f'name = "Corp {number}"\n')
        delays.append(await heard_within([editor], CHANGED, lambda told: told["changed"] == ["corp"], began))
        assert (await about(editor, "corp"))["values"]["name"] == f"Corp {number}"
        editor.forget()
    assert median(delays) < AT_ONCE + (0.12 if save is slowly else 0), delays


async def test_a_whole_folder_of_them_and_one_behind_a_link(home: Home) -> None:
    home.configure("")
    editor = await home.connect()
    elsewhere = home.folder / "dotfiles"
    elsewhere.mkdir()
    (elsewhere / "linked.toml").write_text(definition())
    folder(home).mkdir()
    (folder(home) / "linked.toml").symlink_to(elsewhere / "linked.toml")
    for number in range(20):
        drop(home, f"p{number}.toml", definition())
    await editor.told(CHANGED, lambda told: "p19" in told["added"])
    assert {"linked", *(f"p{number}" for number in range(20))} <= await ids(editor)
    began = now()
    await in_place(elsewhere / "linked.toml", definition() + 'name = "L"\n')
    assert await heard_within([editor], CHANGED, lambda told: told["changed"] == ["linked"], began) < 2 * AT_ONCE


MISTAKES: dict[str, tuple[str, int, str]] = {
    "no TOML": ("base_url = \n", 1, "Not valid TOML"),
    "unknown": (definition() + "basurl = 1\n", 4, "unknown field `basurl`"),
    "in a table": (definition() + "[links]\ndocz = 'x'\n", 5, "unknown field `docz`"),
    "a quirk": (definition() + "[quirks]\n\nvolume = 1\n", 6, "unknown field `volume`"),
    "nothing in it": ("", 1, "missing required field `base_url`"),
    "no place": ("# mine\nname = 'X'\n", 1, "missing required field `base_url`"),
    "an id that is none": ('id = "a:b"\n' + definition(), 1, "no colon"),
    "a default": ('default = "corp"\n' + provider("corp", NOWHERE), 1, "`default` can't stand beside"),
    "a health check elsewhere": (
        definition() + 'health_check = "//evil.example/key"\n', 4, "a path of the provider's own host"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
async def test_a_mistake_is_told_on_its_line_and_costs_nothing_else(home: Home, case: str) -> None:
    text, line, words = MISTAKES[case]
    drop(home, "good.toml", definition())
    editor = await home.connect()
    file = drop(home, "bad.toml", text)
    told = await problem(editor, words)
    assert (told["file"], told["line"]) == (str(file), line)
    assert told["hint"]
    (shown,) = await diagnostics(editor, file, 1)
    assert shown["range"]["start"]["line"] == line - 1
    assert "good" in await ids(editor)
    late = await home.connect()
    await problem(late, words)
    file.unlink()
    for each in (editor, late):
        assert await diagnostics(each, file, 0) == [], "what is gone is no mistake any more"


async def test_what_was_right_stays_in_force(home: Home) -> None:
    file = drop(home, "corp.toml", definition() + 'name = "Right"\n')
    editor = await home.connect()
    await in_place(file, definition() + "name = 3\n")
    await problem(editor, "Expected text")
    assert (await about(editor, "corp"))["values"]["name"] == "Right"
    await in_place(file, definition() + 'name = "Mended"\n')
    await editor.told(CHANGED, lambda told: told["changed"] == ["corp"])
    assert await diagnostics(editor, file, 0) == []


async def test_what_pointsman_toml_adds_to_it_stands_and_falls_with_it(home: Home) -> None:
    file = drop(home, "corp.toml", definition())
    home.configure('[providers.corp]\nname = "Mine"\n')
    editor = await home.connect()
    assert (await about(editor, "corp"))["values"]["name"] == "Mine"
    values = {"max_retries": 3}
    await editor.call("pointsman/setProvider", {"provider": "corp", "values": values, "test": False})
    assert "max_retries = 3" in home.file.read_text()
    file.unlink()
    told = await problem(editor, "missing required field `base_url`")
    assert (told["file"], told["line"]) == (str(home.file), 1)
    drop(home, "corp.toml", definition())
    assert await diagnostics(editor, home.file, 0) == []
    assert "corp" in await ids(editor)


async def test_only_its_file_takes_it_away(home: Home) -> None:
    file = drop(home, "corp.toml", definition())
    home.configure('[providers.corp]\nname = "Mine"\n')
    editor = await home.connect()
    await editor.call("pointsman/removeProvider", {"provider": "corp"})
    assert (await about(editor, "corp"))["values"]["name"] == ""
    with pytest.raises(Refused) as caught:
        await editor.call("pointsman/removeProvider", {"provider": "corp"})
    assert str(file) in caught.value.message
    assert "emove that file" in caught.value.data["advice"]
