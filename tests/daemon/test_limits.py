"""Limits of the user's own, in the real daemon: the provider itself counts how many are under way."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.counterparts import scripts
from tests.counterparts.scripts import Step
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Chat, Editor, Refused, text_of
from tests.living import Home, provider

BEATS = "pointsman.service.limits.HEARTBEAT = 0.1"
"""So that many places are told in a short test."""
LIMIT = 5


class Counting:
    """An upstream's own count: which requests are under way, the most at once, and who asked, in order."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.now = self.most = 0
        self._lock = threading.Lock()

    def answer(self, asked: dict[str, object]) -> Iterator[Step]:
        """An answer of one piece each 20 ms, counted from its request to its last byte."""
        messages = asked["messages"]
        assert isinstance(messages, list)
        with self._lock:
            self.asked.append(messages[0]["content"])
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            yield from scripts.chat(asked)
        finally:
            with self._lock:
                self.now -= 1


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    """Counts what the fixture `upstream` is asked."""
    made = Counting()

    class Counted:
        """In place of `scripts` for the upstream alone."""

        chat, models, error = staticmethod(made.answer), staticmethod(scripts.models), staticmethod(scripts.error)

    monkeypatch.setattr("tests.counterparts.upstream.scripts", Counted)
    return made


def limits(upstream: Upstream, concurrency: int | None = LIMIT, overall: str = "") -> str:
    """A configuration with a limit for the provider `up`, and some in all."""
    own = f"limits.concurrency = {concurrency}" if concurrency else ""
    return f"{overall}\n" + provider("up", upstream.base_url, 'auth = { scheme = "none" }', "max_retries = 0", own)


def places(chat: Chat) -> list[int]:
    """The places that it was told while it waited."""
    return [event["place"] for event in chat.all("waiting") if "place" in event]


async def ask(editor: Editor, count: int, model: str, name: str) -> list[Chat]:
    """So many chats, all at once."""
    chats = [editor.chat(model, f"{name} {number}") for number in range(count)]
    await editor.drained()
    return chats


async def test_two_hundred_chats_at_once_from_two_editors(home: Home, upstream: Upstream, counting: Counting) -> None:
    """One sends 150, and then the other 50: never more than five upstream, and nobody waits for the greedy one."""
    home.configure(limits(upstream))
    await home.serve(BEATS)
    greedy, modest = await home.connect(client="greedy"), await home.connect(client="modest")
    many = await ask(greedy, 150, "up:drip:3:0.02", "greedy")
    await many[-1].seen("waiting")
    few = await ask(modest, 50, "up:drip:3:0.02", "modest")
    await modest.until(lambda: few[0].numbers)
    before = len(counting.asked)
    for chat in (*few, *many):
        assert text_of(await chat.answer(within=50)) == "0 1 2 "
    assert counting.most == LIMIT, "the limit is used, and never passed"
    order = [who.split()[0] for who in counting.asked]
    assert Counter(order) == {"greedy": 150, "modest": 50}
    first = order.index("modest")
    assert first <= before + 3 * LIMIT, "its first is among the next few"
    shared = order[first : first + 90]
    assert 40 <= shared.count("modest") <= 50, "and from then on they take turns"
    for name, chats in (("greedy", many), ("modest", few)):
        numbers = [int(who.split()[1]) for who in counting.asked if who.startswith(name)]
        late = [abs(number - place) for place, number in enumerate(numbers)]
        assert max(late) < 2 * LIMIT, f"{name}: in the order in which they were sent"
        told = [places(chat) for chat in chats]
        assert all(each == sorted(each, reverse=True) for each in told if name == "modest"), "a place only falls"
        assert max(map(len, told)) >= 3
        assert all(event["queue"] == "up" for chat in chats for event in chat.all("waiting") if "place" in event)
    assert max(place for chat in few for place in places(chat)) < 120, "half of those before it are the other's"


async def test_a_lone_chat_hears_nothing_of_limits(home: Home, upstream: Upstream) -> None:
    home.configure(limits(upstream, overall="limits = { per_client_per_minute = 60, per_minute = 600 }"))
    editor = await home.connect()
    chat = editor.chat("up:count:3")
    assert text_of(await chat.answer()) == "0 1 2 "
    assert [kind for _, event in editor.events[chat.chat_id] if (kind := event["type"]) == "waiting"] == []


async def test_so_many_a_minute(home: Home, upstream: Upstream) -> None:
    """A minute of half a second here: three go at once, and the next as soon as the first three are a minute old."""
    home.configure(limits(upstream, None, "limits.per_client_per_minute = 3"))
    await home.serve(BEATS, "pointsman.service.limits.MINUTE = 0.5")
    one, other = await home.connect(), await home.connect()
    await other.chat("up:count:1", "other 0").answer()  # whatever is loaded once
    chats = [*await ask(one, 8, "up:count:1", "one"), *await ask(other, 2, "up:count:1", "other")]
    for chat in chats:
        await chat.answer()
    by_window: dict[str, list[float]] = {"one": [], "other": []}
    for request in upstream.requests:
        by_window[request.json["messages"][0]["content"].split()[0]].append(request.at)
    times = by_window["one"]
    gaps = [later - earlier for earlier, later in zip(times, times[3:], strict=False)]
    assert all(0.4 < gap < 0.8 for gap in gaps), gaps
    assert max(by_window["other"]) - times[0] < 0.4, "each window has a minute of its own"


async def test_a_limit_that_is_changed_holds_for_those_that_wait(home: Home, upstream: Upstream) -> None:
    home.configure(limits(upstream, 1))
    await home.serve(BEATS)
    editor = await home.connect()
    chats = await ask(editor, 6, "up:stall", "one")
    await chats[-1].seen("waiting")
    await asyncio.to_thread(upstream.request, 0)
    assert len(upstream.requests) == 1
    home.configure(limits(upstream, 3))
    await asyncio.to_thread(upstream.request, 2)
    await editor.until(lambda: places(chats[-1])[-1] == 3)
    assert len(upstream.requests) == 3
    home.configure(limits(upstream, None))
    await asyncio.to_thread(upstream.request, 5)
    for chat in chats:
        chat.cancel()
    assert [(await chat.answer())["stopReason"] for chat in chats] == ["cancelled"] * 6


async def test_a_chat_that_is_cancelled_or_left_gives_its_place_up(home: Home, upstream: Upstream) -> None:
    home.configure(limits(upstream, 1))
    await home.serve(BEATS)
    editor, leaving = await home.connect(), await home.connect()
    running, cancelled, last = await ask(editor, 3, "up:stall", "staying")
    await asyncio.to_thread(upstream.request, 0)
    left = await ask(leaving, 5, "up:stall", "leaving")
    await last.seen("waiting")
    await left[-1].seen("waiting")
    at = cancelled.cancel()
    receipt = await cancelled.answer()
    assert (receipt["stopReason"], receipt["attempts"]) == ("cancelled", [])
    assert (receipt["usage"]["inputTokens"], receipt["usage"]["exact"]) == (0, True), "nobody was asked"
    assert time.monotonic() - at < 1.0
    await leaving.kill()
    await editor.status(lambda status: status["runningChats"] == 2)
    await editor.until(lambda: places(last)[-1] == 1)
    assert len(upstream.requests) == 1, "nobody was let go by those who went"
    running.cancel()
    await asyncio.to_thread(upstream.request, 1)
    assert upstream.requests[1].json["messages"][0]["content"] == "staying 2"
    last.cancel()
    await last.answer()


async def test_past_the_bound_the_error_says_that_the_limit_is_ours(home: Home, upstream: Upstream) -> None:
    home.configure(limits(upstream, None, "limits.per_minute = 1") + "timeout.first_event = 50\n")
    editor = await home.connect()
    await editor.chat("up:count:1").answer()
    with pytest.raises(Refused) as refused:
        await editor.chat("up:count:1").answer()
    error = refused.value
    assert error.code == "RateLimited"
    assert 50 < error.data["retryAfter"] <= 60
    assert "Your own limit of 1 request a minute in all is reached" in error.data["message"]
    assert "`per_minute` under `[limits]` in pointsman.toml" in error.data["advice"]
    assert "provider" not in error.data
    home.configure(limits(upstream, None))
    await editor.call("pointsman/reloadConfig")
    assert text_of(await editor.chat("up:count:1").answer()) == "0 ", "the provider is none the worse for it"


async def test_what_would_happen_is_told_with_the_limits_that_are_full(home: Home, upstream: Upstream) -> None:
    chain = 'chains.both = ["up:drip:9:0.5", "spare:count:2"]\n'
    spare = provider("spare", upstream.base_url)
    home.configure(chain + limits(upstream, 1) + spare)
    editor = await home.connect()

    async def told() -> list[tuple[list[str], str | None]]:
        plan = await editor.call("pointsman/explainRoute", {"model": "chain:both"})
        texts = [[each["text"] for each in target["notices"]] for target in plan["targets"]]
        return list(zip(texts, [target.get("error", {}).get("message") for target in plan["targets"]], strict=True))

    assert await told() == [([], None), ([], None)]
    running = editor.chat("chain:both")
    await asyncio.to_thread(upstream.request, 0)
    (notices, error), other = await told()
    assert (error, other) == (None, ([], None))
    assert "Your own limit of 1 answer of up at once is reached: it would wait until others have" in notices[0]
    running.cancel()
    await running.answer()
    assert await told() == [([], None), ([], None)], "a look takes no turn"
    for first_event in (120, 50):
        own = f"limits.requests_per_minute = 1\ntimeout.first_event = {first_event}\n"
        home.configure(chain.replace("drip:9:0.5", "count:1") + limits(upstream, None) + own + spare)
        await editor.call("pointsman/reloadConfig")
        await editor.call("pointsman/explainRoute", {"model": "chain:both"})
        if first_event == 120:
            await editor.chat("chain:both").answer()
        (notices, error), other = await told()
        assert other == ([], None)
        said = [*notices, error or ""][0]
        assert said.startswith("Your own limit of 1 request a minute to up is reached")
        assert (error is not None, "Nothing was sent" in said) == (first_event == 50, first_event == 50)
    result = await editor.chat("chain:both").answer()
    assert result["provider"] == "spare", "as it was told"


async def test_the_next_target_is_asked_where_a_limit_would_take_too_long(home: Home, upstream: Upstream) -> None:
    chain = 'chains.both = ["up:count:1", "spare:count:2"]\n'
    spare = provider("spare", upstream.base_url)
    own = limits(upstream, None) + "limits.requests_per_minute = 1\ntimeout.first_event = 50\n"
    home.configure(chain + own + spare)
    editor = await home.connect()
    assert text_of(await editor.chat("chain:both").answer()) == "0 "
    chat = editor.chat("chain:both")
    result = await chat.answer()
    assert text_of(result) == "0 1 "
    assert [(each["provider"], each["outcome"]) for each in result["attempts"]] == [
        ("up", "failed"),
        ("spare", "answered"),
    ]
    assert result["attempts"][0]["error"]["code"] == "RateLimited"
    assert "Nothing was sent" in chat.all("attemptFailed")[0]["error"]["message"]


async def test_each_attempt_counts_as_the_request_that_it_is(home: Home, upstream: Upstream) -> None:
    """Two a minute: the request and its retry. A third is not sent, whatever would be left to try."""
    lines = (
        'auth = { scheme = "none" }',
        "max_retries = 5",
        "limits.requests_per_minute = 2",
        "timeout.first_event = 50",
    )
    home.configure(provider("up", upstream.base_url, *lines))
    editor = await home.connect()
    with pytest.raises(Refused) as refused:
        await editor.chat("up:status:500:{}").answer()
    assert len(upstream.requests) == 2
    assert [cause["code"] for cause in refused.value.data["causes"]] == ["Overloaded", "Overloaded", "RateLimited"]
