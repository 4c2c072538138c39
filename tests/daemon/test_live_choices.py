"""A choice of a model, and a chat that runs, through edits of the configuration: neither is ever lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, Refused, text_of
from tests.daemon.saving import by_renaming, in_place
from tests.living import Home, provider

CHANGED, SELECTED = "pointsman/providersChanged", "pointsman/selectionChanged"
NOWHERE = "http://127.0.0.1:9/v1"


async def choose(editor: Editor, model: str, scope: str) -> dict[str, Any]:
    chosen: dict[str, Any] = await editor.call("pointsman/switchModel", {"model": model, "scope": scope})
    return chosen


async def current(editor: Editor) -> dict[str, Any]:
    found: dict[str, Any] = await editor.call("pointsman/currentModel")
    return found


async def effective(editor: Editor, **expected: object) -> dict[str, Any]:
    """The last that it was told of what holds for it, as soon as that is so."""
    return await editor.told(SELECTED, lambda told: expected.items() <= told["effective"].items())


@pytest.mark.parametrize("scope", ["global", "workspace", "window"])
async def test_a_choice_holds_through_every_edit(home: Home, upstream: Upstream, scope: str) -> None:
    up = provider("up", upstream.base_url)
    home.configure('default = "up:count:1"\n' + up)
    editor = await home.connect(window="w")
    chosen = await choose(editor, "up:count:3", scope)
    edits = [
        'default = "up:count:2"\n' + up,  # another default
        'default = "up:count:2"\n' + up + 'name = "Another name"\ndefault_model = "count:9"\n',  # its provider
        'default = "nobody:nothing"\n' + up,
        up + provider("more", NOWHERE),
    ]
    for number, text in enumerate(edits):
        await in_place(home.file, text + provider(f"mark-{number}", NOWHERE))
        await editor.told(CHANGED, lambda told, n=number: f"mark-{n}" in told["added"])  # type: ignore[misc]
        now = await current(editor)
        same = ("model", "scope", "revision", "state", "changedBy", "changedAt")
        assert [now.get(key) for key in same] == [chosen.get(key) for key in same]
        assert text_of(await editor.chat(None).answer()) == "0 1 2 "


async def test_a_choice_survives_that_its_provider_goes_and_comes_back(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url) + provider("more", NOWHERE))
    chooser, other = await home.connect(window="w"), await home.connect()
    chosen = await choose(chooser, "up:count:3", "global")
    for _ in range(2):
        for editor in (chooser, other):
            editor.forget()
        await by_renaming(home.file, provider("more", NOWHERE))
        for editor in (chooser, other):
            told = await effective(editor, model="up:count:3", state="unavailable")
            assert told["effective"]["revision"] == chosen["revision"], "nobody has chosen anything"
            assert (await editor.told(CHANGED))["removed"] == ["up"]
            with pytest.raises(Refused) as caught:
                await editor.chat(None).answer()
            assert caught.value.data["advice"]
        await by_renaming(home.file, provider("up", upstream.base_url) + provider("more", NOWHERE))
        for editor in (chooser, other):
            await effective(editor, model="up:count:3", state="available", provider="up")
            assert text_of(await editor.chat(None).answer()) == "0 1 2 "
    assert (await current(chooser))["revision"] == chosen["revision"]


async def test_a_choice_survives_an_edit_and_a_restart(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    editor = await home.connect()
    await choose(editor, "up:count:3", "global")
    await in_place(home.file, 'default = "more:any"\n' + provider("more", NOWHERE))
    await effective(editor, model="up:count:3", state="unavailable")
    await home.end()
    again = await home.connect()
    assert (await current(again))["model"] == "up:count:3"
    await in_place(home.file, provider("up", upstream.base_url))
    await effective(again, model="up:count:3", state="available")


async def test_who_has_chosen_nothing_follows_the_default(home: Home, upstream: Upstream) -> None:
    home.configure('default = "up:count:1"\n' + provider("up", upstream.base_url))
    editor, chooser = await home.connect(window="one"), await home.connect(window="two")
    await choose(chooser, "up:count:3", "window")
    await in_place(home.file, 'default = "up:count:2"\n' + provider("up", upstream.base_url))
    await effective(editor, model="up:count:2", scope="default")
    assert text_of(await editor.chat(None).answer()) == "0 1 "
    assert (await current(chooser))["model"] == "up:count:3"
    assert not chooser.notifications(SELECTED)[1:], "for it nothing has changed"


async def test_an_alias_that_was_chosen_leads_where_it_leads_now(home: Home, upstream: Upstream) -> None:
    up = provider("up", upstream.base_url)
    home.configure('[aliases]\nquick = "up:count:1"\n' + up)
    editor = await home.connect()
    await choose(editor, "quick", "global")
    await in_place(home.file, '[aliases]\nquick = "up:count:2"\n' + up)
    await effective(editor, model="quick", target="up:count:2")
    assert text_of(await editor.chat(None).answer()) == "0 1 "


EDITS = {
    "removed": lambda _: provider("more", NOWHERE),
    "moved": lambda _: provider("up", NOWHERE),
    "broken": lambda up: up + "[providers.up\n",
    "less patient": lambda up: up + "timeout = { first_event = 0.01, between_events = 0.01 }\n",
}


@pytest.mark.parametrize("edit", EDITS)
async def test_a_running_chat_sees_nothing_of_an_edit(home: Home, upstream: Upstream, edit: str) -> None:
    up = provider("up", upstream.base_url)
    home.configure(up)
    editor = await home.connect()
    chat = editor.chat("up:drip:40:0.02")
    await chat.seen("text", 3)
    await by_renaming(home.file, EDITS[edit](up))  # type: ignore[no-untyped-call]
    kind = "pointsman/configProblem" if edit == "broken" else CHANGED
    await editor.told(kind)
    assert len(chat.all("text")) < 40, "it was in force before the answer was complete"
    result = await chat.answer()
    assert text_of(result) == chat.text == "".join(f"{n} " for n in range(40))
    assert (result["provider"], result["stopReason"]) == ("up", "end")
    assert len(upstream.requests) == 1


async def test_a_chain_goes_on_as_it_was_when_the_chat_began(home: Home, upstream: Upstream) -> None:
    """The chat waits for its first provider in vain, while the file takes its second one away."""
    impatient = provider("up", upstream.base_url) + "timeout = { connect = 0.3, first_event = 0.4 }\n"
    second = provider("second", upstream.base_url)
    home.configure('[chains]\nc = ["up:stall", "second:count:3"]\n' + impatient + second)
    editor = await home.connect()
    chat = editor.chat("chain:c")
    await by_renaming(home.file, provider("more", NOWHERE))
    await editor.told(CHANGED, lambda told: told["removed"] == ["second", "up"])
    assert not chat.all("attemptFailed"), "it was in force before the first one was given up"
    assert text_of(await chat.answer()) == "0 1 2 "
    assert chat.all("attemptFailed")[0]["next"] == "second:count:3"


async def test_a_choice_during_an_edit_is_neither_lost_nor_overwritten(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    editor, other = await home.connect(), await home.connect()
    for number in range(20):
        await by_renaming(home.file, provider("up", upstream.base_url) + provider(f"mark-{number}", NOWHERE))
        await choose(editor, f"up:count:{number}", "global")
    await other.told(SELECTED, lambda told: told["changed"]["model"] == "up:count:19")
    await other.told(CHANGED, lambda told: "mark-19" in told["added"])
    assert (await current(other))["model"] == "up:count:19"
    chosen = [told["changed"]["revision"] for told in other.notifications(SELECTED)]
    assert chosen == sorted(chosen)


async def test_every_editor_hears_of_a_new_name(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    one, other = await home.connect(), await home.connect()
    await one.call("pointsman/setAlias", {"alias": "quick", "model": "up:count:1"})
    await other.told(CHANGED, {"added": [], "changed": [], "removed": [], "names": ["quick"]}.__eq__)
    for targets in (["up:count:1", "up:count:2"], ["up:count:2"]):
        other.forget()
        await one.call("pointsman/setChain", {"chain": "safe", "targets": targets})
        await other.told(CHANGED, lambda told: told["names"] == ["chain:safe"])
    other.forget()
    await one.call("pointsman/setAlias", {"alias": "quick", "model": None})
    await other.told(CHANGED, lambda told: told["names"] == ["quick"])
