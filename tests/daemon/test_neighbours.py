"""Model servers on this machine: seen when they come, seen when they go, and never looked for against one's will."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.counterparts.neighbour import Neighbour
from tests.daemon.client import Editor, Refused, text_of
from tests.daemon.saving import in_place, now
from tests.living import Home

CHANGED = "pointsman/providersChanged"
COMES, GOES = 5.0, 10.0
KEY = "canary-key-6620"

DIALECTS = {
    "ollama-chat": ("", ["tiny:1b", "small"]),
    "openai-chat": ("/v1", ["tiny:1b", "small:latest"]),
}
"""Where each starts, and how the models are called in it."""


def local(neighbour: Neighbour, wire: str, *lines: str) -> str:
    """A provider on this machine."""
    start, _ = DIALECTS[wire]
    more = "\n".join(lines)
    return f'[providers.near]\nkind = "local"\nwire = "{wire}"\nbase_url = "{neighbour.origin}{start}"\n{more}\n'


async def state(editor: Editor) -> str:
    listed = (await editor.call("pointsman/listProviders"))["providers"]
    found: str = next(each["state"] for each in listed if each["id"] == "near")
    return found


async def becomes(editor: Editor, wanted: str, within: float) -> None:
    """Waits until the editor is told of a change, and that is what it is."""
    began, heard = now(), 0
    while await state(editor) != wanted:
        heard += 1

        def told(count: int = heard) -> list[Any]:
            return [p for p in editor.notifications(CHANGED) if "near" in p["changed"]][count - 1 :]

        await editor.until(told, within + 2)
    assert now() - began < within


@pytest.mark.parametrize(("wire", "every"), [("ollama-chat", None), ("openai-chat", 0.3)])
async def test_one_that_comes_and_goes(home: Home, neighbour: Neighbour, wire: str, every: float | None) -> None:
    home.configure(local(neighbour, wire))
    if every:  # more often than usual; the other way shows how long it really takes
        await home.serve(f"pointsman.service.neighbours.EVERY = {every}")
    one, two = await home.connect(), await home.connect()
    assert await state(one) == "offline"
    with pytest.raises(Refused) as caught:
        await one.chat("near:tiny:1b").answer()
    assert "refused" in caught.value.message
    await neighbour.start()
    for editor in (one, two):
        await becomes(editor, "available", COMES)
    models = (await one.call("pointsman/listModels", {"provider": "near"}))["models"]
    assert [model["name"] for model in models] == DIALECTS[wire][1]
    assert text_of(await two.chat("near:tiny:1b").answer()) == "hello"
    for editor in (one, two):
        editor.forget()
    await neighbour.stop()
    for editor in (one, two):
        await becomes(editor, "offline", GOES)
    assert len(one.notifications(CHANGED)) == 1, "each change is told once"


async def test_who_asks_first_is_told_the_truth(home: Home, neighbour: Neighbour) -> None:
    home.configure(local(neighbour, "ollama-chat"))
    await neighbour.start()
    await home.serve("pointsman.service.neighbours.EVERY = 1000")
    assert await state(await home.connect()) == "available"


async def test_it_is_looked_for_in_a_file_that_appears_later(home: Home, neighbour: Neighbour) -> None:
    await neighbour.start()
    editor = await home.connect()
    await in_place(home.file, local(neighbour, "ollama-chat"))
    await editor.told(CHANGED, lambda told: told["added"] == ["near"])
    await becomes(editor, "available", COMES)
    assert await editor.call("pointsman/switchModel", {"model": "near:small", "scope": "global"})
    assert await state(editor) == "active"


async def test_one_that_nobody_wants_looked_for_is_left_alone(home: Home, neighbour: Neighbour) -> None:
    """The sign is another one, which is looked for, again and again, in the same rounds."""
    await neighbour.start()
    other = Neighbour()
    quiet = local(neighbour, "ollama-chat", "auto_detect = false")
    home.configure(quiet + local(other, "ollama-chat").replace("[providers.near]", "[providers.other]"))
    await home.serve("pointsman.service.neighbours.EVERY = 0.1")
    try:
        editor = await home.connect()
        for _ in range(3):
            for begin, wanted in ((other.start, "available"), (other.stop, "offline")):
                await begin()
                await editor.told(CHANGED, lambda told: told["changed"] == ["other"])
                listed = (await editor.call("pointsman/listProviders"))["providers"]
                assert {p["id"]: p["state"] for p in listed if p["id"] in {"other", "near"}} == {
                    "other": wanted,
                    "near": "available",
                }
                editor.forget()
        assert neighbour.knocks == 0
        assert other.knocks > 3
    finally:
        await other.stop()
        other.close()
    assert text_of(await editor.chat("near:small").answer()) == "hello", "but it can be used"


async def test_what_is_no_local_server_is_not_looked_for(home: Home, neighbour: Neighbour) -> None:
    await neighbour.start()
    other = Neighbour()
    far = local(neighbour, "openai-chat").replace('"local"', '"custom"').replace("near", "far")
    home.configure(far + local(other, "ollama-chat"))
    await home.serve("pointsman.service.neighbours.EVERY = 0.1")
    try:
        editor = await home.connect()
        await other.start()
        await becomes(editor, "available", COMES)
        assert neighbour.knocks == 0
    finally:
        await other.stop()
        other.close()


async def test_nobody_is_looked_for_when_nobody_is_here(home: Home, neighbour: Neighbour) -> None:
    await neighbour.start()
    home.configure(local(neighbour, "ollama-chat"))
    await home.serve("pointsman.service.neighbours.EVERY = 0.05")
    with pytest.raises(TimeoutError):
        await neighbour.knocked(1, within=0.4)
    editor = await home.connect()
    await neighbour.knocked(5, within=COMES)
    await editor.kill()


async def test_no_key_goes_to_one_that_was_only_found(home: Home, neighbour: Neighbour) -> None:
    await neighbour.start()
    home.configure(local(neighbour, "openai-chat", 'auth = { scheme = "optional-key", env = "NEAR_KEY" }'))
    editor = await home.connect(variables={"NEAR_KEY": KEY})
    await editor.told(CHANGED, lambda told: "near" in told["changed"])
    assert neighbour.paths == ["/v1/models"]
    assert KEY not in str(neighbour.headers)
    await editor.chat("near:any").answer()
    assert KEY in neighbour.headers[-1]


async def test_an_odd_name_of_a_host_stops_nothing(home: Home, neighbour: Neighbour) -> None:
    odd = "".join(
        f'[providers.odd-{number}]\nkind = "local"\nbase_url = "{url}"\n'
        for number, url in enumerate([f"http://{'x' * 70}.test/v1", "http://a..b/v1", "http://[fe80::1%25x]:9/v1"])
    )
    home.configure(odd + local(neighbour, "ollama-chat"))
    editor = await home.connect()
    await neighbour.start()
    await becomes(editor, "available", COMES)


async def test_one_that_accepts_and_says_nothing_holds_nobody_up(home: Home, neighbour: Neighbour) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()  # so that connections are made, and nobody takes them
        other = f'[providers.mute]\nkind = "local"\nbase_url = "http://127.0.0.1:{mute.getsockname()[1]}/v1"\n'
        home.configure(other + local(neighbour, "ollama-chat"))
        await home.serve("pointsman.service.neighbours.EVERY = 0.3")
        await neighbour.start()
        editor = await home.connect()
        await becomes(editor, "available", COMES)
        await neighbour.stop()
        await becomes(editor, "offline", GOES)
