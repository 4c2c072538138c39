"""What several editors see of one daemon: each other's choices and each other's chats."""

from __future__ import annotations

import time
from statistics import median

import pytest

from tests.counterparts.upstream import Upstream
from tests.daemon.client import Refused, text_of
from tests.living import Home, provider

HEARD_WITHIN = 0.05  # seconds


async def test_a_switch_is_heard_by_the_others_at_once(home: Home) -> None:
    switching, listening = await home.connect(client="one", window="w-1"), await home.connect(client="two")
    delays = []
    for count in range(1, 6):
        asked = time.monotonic()
        model = f"echo:model-{count}"
        await switching.call("pointsman/switchModel", {"model": model, "scope": "global"})
        await listening.until(lambda: len(listening.notifications("pointsman/selectionChanged")) == count)  # noqa: B023
        delays.append(listening.times[-1] - asked)
    assert median(delays) < HEARD_WITHIN, delays
    told = listening.notifications("pointsman/selectionChanged")
    assert len(told) == 5, "each change is told once"
    assert told[-1]["changed"]["changedBy"] == {"client": "one", "windowId": "w-1"}
    assert told[-1]["effective"]["model"] == "echo:model-5"
    assert [change["changed"]["revision"] for change in told] == list(range(1, 6))


async def test_what_holds_is_told_to_each_in_its_own_place(home: Home) -> None:
    switching, bound = await home.connect(), await home.connect(window="w-2")
    await bound.call("pointsman/switchModel", {"model": "echo:mine", "scope": "window"})
    await switching.call("pointsman/switchModel", {"model": "echo:ours", "scope": "global"})
    told = await bound.told("pointsman/selectionChanged", lambda told: told["changed"]["scope"] == "global")
    assert told["changed"]["model"] == "echo:ours"
    assert (told["effective"]["model"], told["effective"]["scope"]) == ("echo:mine", "window")


async def test_exit_ends_one_connection_alone(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    leaving, staying = await home.connect(), await home.connect()
    chat = staying.chat("up:drip:20:0.02")
    await chat.seen("text")
    await leaving.call("shutdown")
    leaving.notify("exit")
    await leaving.hung_up()
    assert leaving.process is not None
    assert await leaving.process.wait() == 0
    assert text_of(await chat.answer()) == "".join(f"{n} " for n in range(20))
    assert (await staying.call("pointsman/status"))["runningChats"] == 0
    assert text_of(await staying.chat("up:count:2").answer()) == "0 1 "


@pytest.mark.parametrize("way", ["killed", "exit"])
async def test_an_editor_that_comes_back_misses_nothing(home: Home, upstream: Upstream, way: str) -> None:
    """A crash and a reload: the editor goes in the middle of an answer, and comes back with the same window."""
    home.configure(provider("up", upstream.base_url))
    before = await home.connect(window="the-window")
    chat = before.chat("up:drip:60:0.02", detach=30)
    await chat.seen("text", 10)
    if way == "exit":
        await before.call("shutdown")
        before.notify("exit")
        await before.hung_up()
    else:
        await before.kill()
    after = await home.connect(window="the-window")
    assert after.window == "the-window"
    (listed,) = (await after.call("pointsman/listChats"))["chats"]
    assert (listed["chatId"], listed["windowId"], listed["state"]) == (chat.chat_id, "the-window", "running")
    rest = after.attach(chat.chat_id, chat.numbers[-1])
    result = await rest.answer()
    assert chat.numbers + rest.numbers == list(range(rest.numbers[-1] + 1))
    assert chat.text + rest.text == text_of(result) == "".join(f"{n} " for n in range(60))
    assert (result["stopReason"], len(upstream.requests)) == ("end", 1)


async def test_two_editors_watch_one_answer(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    first, second = await home.connect(), await home.connect()
    begun = first.chat("up:drip:40:0.02")
    await begun.seen("text", 5)
    joined = second.attach(begun.chat_id)
    results = [await begun.answer(), await joined.answer()]
    late = second.attach(begun.chat_id)
    results.append(await late.answer())
    assert results[0] == results[1] == results[2]
    assert begun.numbers == list(range(len(begun.numbers)))
    assert joined.numbers == begun.numbers * 2, "once while it ran, and once more when it was over"
    assert begun.text == text_of(results[0]) == "".join(f"{n} " for n in range(40))
    last_but_one, last = first.heard[-2:]
    assert last_but_one["method"] in {"pointsman/chatEvents", "pointsman/chatsChanged"}
    assert last["id"] == begun.id, "the reply follows the last event"


async def test_whoever_only_watches_can_leave(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    first, second = await home.connect(), await home.connect()
    begun = first.chat("up:drip:30:0.02")
    await begun.seen("text")
    joined = second.attach(begun.chat_id)
    await joined.seen("text")
    joined.cancel()
    with pytest.raises(Refused) as caught:
        await joined.answer()
    assert caught.value.number == -32800
    assert (await begun.answer())["stopReason"] == "end"


async def test_a_chat_that_is_not_there(home: Home) -> None:
    editor = await home.connect()
    for method in ("attachChat", "cancelChat"):
        with pytest.raises(Refused, match="listChats") as caught:
            await editor.call(f"pointsman/{method}", {"chatId": "none"})
        assert caught.value.code == "ChatGone"


async def test_a_window_belongs_to_one_connection(home: Home) -> None:
    first = await home.connect(window="taken")
    second = await home.connect(window="taken")
    said = second.server["capabilities"]["experimental"]["pointsman"]
    assert said["windowTaken"]
    assert second.window not in {"taken", ""}
    assert "windowTaken" not in first.server["capabilities"]["experimental"]["pointsman"]
    await first.kill()
    await second.status(lambda status: all(client["windowId"] != "taken" for client in status["clients"]))
    assert (await home.connect(window="taken")).window == "taken"


async def test_a_killed_editor_leaves_no_trace(home: Home) -> None:
    staying, leaving = await home.connect(), await home.connect(client="leaving")
    status = await staying.status(lambda status: len(status["clients"]) == 2)
    assert {client["client"] for client in status["clients"]} == {"tests", "leaving"}
    await leaving.kill()
    await staying.status(lambda status: [client["client"] for client in status["clients"]] == ["tests"])
