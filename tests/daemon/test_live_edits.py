"""The configuration is what the file says, in every client: however it is saved, whatever is wrong with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, text_of
from tests.daemon.saving import AT_ONCE, WAYS, Save, by_renaming, heard_within, in_place, now, slowly
from tests.living import Home, provider, resident

CHANGED = "pointsman/providersChanged"
NOWHERE = "http://127.0.0.1:9/v1"
MEBIBYTE = 2**20


@pytest.fixture
async def linked(tmp_path: Path) -> AsyncIterator[Home]:
    """A home in the XDG folders, whose configuration is a link into a folder of dotfiles."""
    folders = {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    home = Home(tmp_path / "home", **folders)
    target = tmp_path / "dotfiles" / "my-pointsman.toml"
    target.parent.mkdir()
    target.write_text(provider("zero", NOWHERE))
    home.file.parent.mkdir(parents=True)
    home.file.symlink_to(target)
    try:
        yield home
        await home.leave()
    finally:
        home.close()


async def ids(editor: Editor) -> set[str]:
    """The providers that it could use."""
    return {each["id"] for each in (await editor.call("pointsman/listProviders"))["providers"]}


def some(*names: str, filling: int = 3) -> str:
    """A file of a few providers, with something between them."""
    return "".join(f"# {name} {'.' * 70}\n" * filling + provider(name, NOWHERE) for name in names)


# Noticed at once, in every way


async def in_force(home: Home, editors: list[Editor], save: Save, file: Path, number: int) -> float:
    """Saves a file with one more provider; the seconds until the last client knew of it and could use it."""
    text = some("zero", f"new-{number}")
    began = now()
    await save(file, text)
    delay = await heard_within(editors, CHANGED, lambda told: f"new-{number}" in told["added"], began)
    for editor in editors:
        assert f"new-{number}" in await ids(editor)
    return delay


@pytest.mark.parametrize("save", WAYS)
async def test_a_save_is_in_force_everywhere_at_once(home: Home, save: Save) -> None:
    home.configure(some("zero"))
    editors = [await home.connect() for _ in range(3)]
    delays = [await in_force(home, editors, save, home.file, number) for number in range(5)]
    slow = 4 * 0.03 if save is slowly else 0
    assert median(delays) < AT_ONCE + slow, delays
    for editor in editors:
        told = editor.notifications(CHANGED)
        assert [each["added"] for each in told] == [[f"new-{number}"] for number in range(5)], "each is told once"
        assert [each["removed"] for each in told] == [[], *([f"new-{number}"] for number in range(4))]
        assert not editor.notifications("pointsman/configProblem"), "half a file is nobody's mistake"


@pytest.mark.parametrize("save", WAYS)
async def test_a_link_is_followed_to_where_it_leads(linked: Home, save: Save) -> None:
    editors = [await linked.connect() for _ in range(2)]
    target = linked.file.readlink()
    assert "zero" in await ids(editors[0])
    delays = [await in_force(linked, editors, save, target, 1)]
    other = target.with_name("other.toml")
    other.write_text(some("zero", "other"))
    new = linked.file.with_name("new-link")
    new.symlink_to(other)
    began = now()
    new.rename(linked.file)
    delays.append(await heard_within(editors, CHANGED, lambda told: "other" in told["added"], began))
    delays.append(await in_force(linked, editors, save, other, 2))
    assert median(delays) < AT_ONCE + (0.12 if save is slowly else 0), delays
    assert linked.file.is_symlink()


async def test_a_file_appears_goes_and_comes_back(home: Home) -> None:
    editors = [await home.connect() for _ in range(2)]
    delays = []
    for _ in range(2):
        began = now()
        home.configure(some("zero"))
        delays.append(await heard_within(editors, CHANGED, lambda told: told["added"] == ["zero"], began))
        began = now()
        home.file.unlink()
        delays.append(await heard_within(editors, CHANGED, lambda told: told["removed"] == ["zero"], began))
        for editor in editors:
            editor.forget()
    assert median(delays) < AT_ONCE, delays


async def test_the_folder_is_removed_and_made_again(linked: Home) -> None:
    linked.file.unlink()
    linked.file.write_text(some("zero"))
    editor = await linked.connect()
    for name in ("one", "two"):
        linked.file.unlink()
        linked.file.parent.rmdir()
        await editor.told(CHANGED, lambda told: told["removed"])
        editor.forget()
        linked.configure(some(name))
        await editor.told(CHANGED, lambda told, name=name: told["added"] == [name])  # type: ignore[misc]
        began = now()
        await in_place(linked.file, some(name, "more"))
        assert await heard_within([editor], CHANGED, lambda told: told["added"] == ["more"], began) < AT_ONCE
        linked.configure(some("zero"))
        await editor.told(CHANGED, lambda told: "more" in told["removed"])
        editor.forget()


async def test_a_folder_swapped_at_once_is_noticed(linked: Home) -> None:
    linked.file.unlink()
    linked.file.write_text(some("zero"))
    editor = await linked.connect()
    for name in ("one", "two"):
        linked.file.unlink()
        linked.file.parent.rmdir()
        linked.configure(some(name))  # the new folder often has the number of the old one
        await editor.told(CHANGED, lambda told, name=name: name in told["added"])  # type: ignore[misc]
    began = now()
    await in_place(linked.file, some("three"))
    assert await heard_within([editor], CHANGED, lambda told: "three" in told["added"], began) < AT_ONCE


async def test_five_hundred_saves_leave_nothing_behind(home: Home) -> None:
    home.configure(some("zero"))
    editors = [await home.connect(), await home.connect(variables={"OPENAI_API_KEY": "k", "OPENAI_TIMEOUT": "5"})]
    for number in range(50):  # whatever grows once
        await by_renaming(home.file, some("zero", f"warm-{number}"))
    await editors[0].told(CHANGED, lambda told: "warm-49" in told["added"])
    before = resident(home.pid)
    for number in range(500):
        await (in_place if number % 2 else by_renaming)(home.file, some("zero", f"one-{number}", f"two-{number}"))
        if number % 50 == 0:  # a save that comes alone
            await editors[0].told(CHANGED, lambda told, n=number: f"one-{n}" in told["added"])  # type: ignore[misc]
    for editor in editors:
        await editor.told(CHANGED, lambda told: "two-499" in told["added"])
        assert {each for each in await ids(editor) if "-" in each} & {f"one-{n}" for n in range(500)} == {"one-499"}
        assert (await editor.call("pointsman/getProvider", {"provider": "two-499"}))["provider"] == "two-499"
    grown = resident(home.pid) - before
    assert grown < 8 * MEBIBYTE


async def test_a_save_while_clients_come_and_go_is_not_missed(home: Home) -> None:
    """Each that comes may bring a project, and with it another folder to watch."""
    home.configure(some("zero"))
    staying = await home.connect()
    for number in range(6):
        workspace = home.folder / f"workspace-{number}"
        workspace.mkdir()
        coming = await home.connect(workspace=workspace)
        began = now()
        await by_renaming(home.file, some("zero", f"new-{number}"))
        delay = await heard_within([staying], CHANGED, lambda told, n=number: f"new-{n}" in told["added"], began)  # type: ignore[misc]
        assert delay < 2 * AT_ONCE
        assert f"new-{number}" in await ids(coming)
        await coming.kill()


# What is wrong is told, and what was right stays


async def problem(editor: Editor, words: str) -> dict[str, Any]:
    return await editor.told("pointsman/configProblem", lambda told: words in told["message"])


async def diagnostics(editor: Editor, file: Path, count: int) -> list[dict[str, Any]]:
    """What the editor shows in the file itself, as soon as there are so many."""
    uri, method = file.as_uri(), "textDocument/publishDiagnostics"

    def last() -> list[list[dict[str, Any]]]:
        shown = [told["diagnostics"] for told in editor.notifications(method) if told["uri"] == uri]
        return shown[-1:] if shown and len(shown[-1]) == count else []

    return (await editor.until(last))[0]


async def test_a_broken_file_is_told_and_the_last_good_one_holds(home: Home, upstream: Upstream) -> None:
    good = 'default = "up:count:3"\n' + provider("up", upstream.base_url)
    home.configure(good)
    editors = [await home.connect(), await home.connect()]
    await in_place(home.file, good + "\n[providers.up\nname = 3\n")
    for editor in editors:
        told = await problem(editor, "Not valid TOML")
        assert (told["file"], told["line"]) == (str(home.file), good.count("\n") + 2)
        assert told["hint"]
        (shown,) = await diagnostics(editor, home.file, 1)
        assert shown["range"]["start"]["line"] == told["line"] - 1
        assert text_of(await editor.chat(None).answer()) == "0 1 2 "
        assert not editor.notifications(CHANGED)
    assert (await editors[0].call("pointsman/status"))["problems"] == 1
    late = await home.connect()
    await problem(late, "Not valid TOML")
    assert "up" in await ids(late), "also for whoever comes now"
    await in_place(home.file, good + "\n" + provider("more", NOWHERE))
    for editor in [*editors, late]:
        await editor.told(CHANGED, lambda told: told["added"] == ["more"])
        assert await diagnostics(editor, home.file, 0) == []
    assert (await editors[0].call("pointsman/status"))["problems"] == 0


async def test_one_wrong_value_is_told_on_its_line_and_nothing_is_lost(home: Home) -> None:
    home.configure(some("zero", "one"))
    editor = await home.connect()
    await in_place(home.file, some("zero", "one") + 'kind = "best"\n')
    told = await problem(editor, "[providers.one] `kind`: Invalid enum value 'best'")
    assert told["line"] == some("zero", "one").count("\n") + 1
    assert {"zero", "one"} <= await ids(editor)
    await in_place(home.file, some("zero", "one") + 'kind = "worst"\n')
    await problem(editor, "'worst'")
    await in_place(home.file, some("zero", "one"))
    assert await diagnostics(editor, home.file, 0) == []


async def test_what_is_right_in_a_file_that_was_never_right(home: Home) -> None:
    """The daemon begins with a broken file; it is mended step by step."""
    home.configure("[providers.zero\n")
    editor = await home.connect()
    await problem(editor, "Not valid TOML")
    assert "zero" not in await ids(editor)
    await in_place(home.file, some("zero") + "[providers.one]\n")
    await problem(editor, "missing required field `base_url`")
    await editor.told(CHANGED, lambda told: told["added"] == ["zero"])
    await in_place(home.file, some("zero", "one"))
    await editor.told(CHANGED, lambda told: told["added"] == ["one"])


async def test_a_file_that_can_not_be_read_changes_nothing(home: Home) -> None:
    home.configure(some("zero"))
    editor = await home.connect()
    home.file.write_bytes(some("zero", "one").encode() + b"# caf\xe9\n")
    await problem(editor, "not in UTF-8")
    assert "zero" in await ids(editor)
    home.file.unlink()
    home.file.mkdir()
    await problem(editor, "Is a directory")
    assert "zero" in await ids(editor)
    assert not editor.notifications(CHANGED)
    home.file.rmdir()
    home.configure(some("one"))
    await editor.told(CHANGED, lambda told: (told["added"], told["removed"]) == (["one"], ["zero"]))
