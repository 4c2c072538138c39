"""One chat from its plan to its last event: what is tried, in which order, and the one way in which it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pointsman.core import attempts
from pointsman.core.chat import (
    AttemptFailed,
    Conversation,
    Finished,
    Message,
    Notice,
    ReasoningDelta,
    ReasoningPart,
    Started,
    TextDelta,
    TextPart,
    ToolCallDelta,
    Usage,
    UsageReport,
    Waiting,
)
from pointsman.core.environment import Environment
from pointsman.core.errors import ConnectFailed, Interrupted
from pointsman.core.routing import Target
from pointsman.service import attempting, silence
from pointsman.service.chats import TELL_AFTER, ChatsChanged
from pointsman.wire import openai_chat_reader
from tests.service.bench import (
    HANG,
    STOP,
    Bench,
    Play,
    Scripted,
    Step,
    delta,
    events,
    heard,
    join,
    ours,
    outcomes,
    provider,
    refuses,
    says,
    sse,
    told,
    until,
)

T = TextDelta


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(attempts, "LONGEST_WAIT", 0.002)


ONE = (provider("one"),)
TWO = (provider("one"), provider("two"))
TRIES = (provider("one", max_retries=2), provider("two"))
KEYS = (provider("one", "k1", "k2"), provider("two"))

BROKEN = Interrupted("broken")
NO_LINE = ConnectFailed("no line")

CASES: dict[str, tuple[tuple[str, ...], list[Play | Exception], list[Any]]] = {
    "an answer": (ONE, [says("a", "b")], ["one:m", "a", "b", ("end", None)]),
    "an answer without words": (ONE, [says()], ["one:m", ("end", None)]),
    "an answer that is too long": (ONE, [says("a", finish="length")], ["one:m", "a", ("length", None)]),
    "what arrives together is told together": (
        ONE,
        [Play((delta(content="a") + delta(content="b") + STOP,))],
        ["one:m", "ab", ("end", None)],
    ),
    "all kinds of events": (
        ONE,
        [
            Play(
                (
                    delta(reasoning="r") + delta(content="t"),
                    delta(tool_calls=[{"index": 0, "id": "i", "function": {"name": "n", "arguments": "{}"}}]),
                    delta("tool_calls"),
                    sse({"usage": {"prompt_tokens": 3, "completion_tokens": 4}}),
                )
            )
        ],
        [
            "one:m",
            ReasoningDelta("r"),
            "t",
            ToolCallDelta(0, "{}", "i", "n"),
            UsageReport(Usage(3, 4, exact=True)),
            ("toolCalls", None),
        ],
    ),
    "a second try": (
        TRIES,
        [refuses(503), refuses(503), says("a")],
        [("one:m", "Overloaded", "one:m"), ("one:m", "Overloaded", "one:m"), "one:m", "a", ("end", None)],
    ),
    "no more tries": (
        TRIES,
        [refuses(503), refuses(503), refuses(503), says("a")],
        [*[("one:m", "Overloaded", "one:m")] * 2, ("one:m", "Overloaded", "two:m"), "two:m", "a", ("end", None)],
    ),
    "a wait that is too long": (
        TRIES,
        [refuses(503, retry_after="107"), says("a")],
        [("one:m", "Overloaded", "two:m"), "two:m", "a", ("end", None)],
    ),
    "the next provider": (
        TWO,
        [refuses(500), says("a")],
        [("one:m", "Overloaded", "two:m"), "two:m", "a", ("end", None)],
    ),
    "no connection": (TWO, [NO_LINE, says("a")], [("one:m", "ConnectFailed", "two:m"), "two:m", "a", ("end", None)]),
    "another key": (KEYS, [refuses(401), says("a")], [("one:m", "InvalidKey", "one:m"), "one:m", "a", ("end", None)]),
    "another key for a limit": (
        KEYS,
        [refuses(429), refuses(429), says("a")],
        [("one:m", "RateLimited", "one:m"), ("one:m", "RateLimited", "two:m"), "two:m", "a", ("end", None)],
    ),
    "a limit is waited for when nothing else is left": (
        (provider("one", "k1", max_retries=1),),
        [refuses(429), says("a")],
        [("one:m", "RateLimited", "one:m"), "one:m", "a", ("end", None)],
    ),
    "a request that is wrong everywhere": (
        TWO,
        [refuses(400), says("a")],
        [("one:m", "BadRequest", None), ("error", "NoTargetLeft")],
    ),
    "the only one is wrong": (ONE, [refuses(400)], [("one:m", "BadRequest", None), ("error", "BadRequest")]),
    "none is left": (
        TWO,
        [refuses(500), refuses(401)],
        [("one:m", "Overloaded", "two:m"), ("two:m", "InvalidKey", None), ("error", "NoTargetLeft")],
    ),
    "broken before the first word": (
        TWO,
        [Play((b": busy\n\n", BROKEN)), says("a")],
        [("one:m", "Interrupted", "two:m"), "two:m", "a", ("end", None)],
    ),
    "ended before the first word": (
        TWO,
        [Play(()), says("a")],
        [("one:m", "Interrupted", "two:m"), "two:m", "a", ("end", None)],
    ),
    "an error instead of the first word": (
        TWO,
        [Play((sse({"error": {"message": "m", "code": 502}}),)), says("a")],
        [("one:m", "Overloaded", "two:m"), "two:m", "a", ("end", None)],
    ),
    "broken after the first word": (
        TWO,
        [Play((delta(content="a"), BROKEN)), says("b")],
        ["one:m", "a", ("interrupted", "Interrupted", "one:m", "two:m")],
    ),
    "broken after the first thought": (
        TWO,
        [Play((delta(reasoning="a"), BROKEN)), says("b")],
        ["one:m", ReasoningDelta("a"), ("interrupted", "Interrupted", "one:m", "two:m")],
    ),
    "ended after the first word": (
        TRIES,
        [says("a", finish=None), says("b")],
        ["one:m", "a", ("interrupted", "Interrupted", "one:m", "two:m")],
    ),
    "an error after the first word": (
        KEYS,
        [Play((delta(content="a") + sse({"error": {"message": "m", "code": 429}}),)), says("b")],
        ["one:m", "a", ("interrupted", "RateLimited", "one:m", "two:m")],
    ),
    "broken after the reason to stop": (
        TWO,
        [Play((delta(content="a"), STOP, BROKEN)), says("b")],
        ["one:m", "a", ("end", None)],
    ),
    "an error after the reason to stop": (
        TWO,
        [Play((delta(content="a"), delta("length"), sse({"error": {"message": "m", "code": 502}}))), says("b")],
        ["one:m", "a", ("interrupted", "Overloaded", "one:m", "two:m")],
    ),
    "what can't be read": (
        TWO,
        [Play((b"data: {\n\n",)), says("a")],
        [("one:m", "BadReply", "two:m"), "two:m", "a", ("end", None)],
    ),
    "a redirect": (TWO, [refuses(307), says("a")], [("one:m", "BadReply", "two:m"), "two:m", "a", ("end", None)]),
    "a stream that ends without a word": (
        TWO,
        [Play((b"data: [DONE]\n\n",)), says("a")],
        [("one:m", "Interrupted", "two:m"), "two:m", "a", ("end", None)],
    ),
    "no event stream": (
        TWO,
        [Play((b"<html>",)), says("a")],
        [("one:m", "BadReply", "two:m"), "two:m", "a", ("end", None)],
    ),
    "a mistake of our own": (TWO, [ValueError("secret"), says("a")], [("error", "InternalError")]),
}


@pytest.mark.parametrize("case", CASES)
async def test_the_course_of_a_chat(case: str) -> None:
    providers, plays, expected = CASES[case]
    bench = Bench(Scripted(*plays), *providers)
    chat = bench.begin(*(f"{id}:m" for id in bench.catalogue.providers))
    assert told(await events(chat)) == expected
    reason, code, *_ = expected[-1]
    assert (chat.error is not None) == (reason == "error") == (ours(chat.error) is not None)
    assert ours(chat.error) == (code if reason == "error" else None)
    assert chat.result is not None
    assert chat.result.stop_reason == (reason if chat.error is None else "interrupted")
    assert chat.result.error == (chat.finished and chat.finished.error)
    streamed = len(bench.transport.requests) - sum(isinstance(play, Exception) for play in plays[:1])
    assert len(bench.transport.left) == streamed, "every connection was left"


# Keys and credentials


async def test_keys_are_tried_in_turn_and_the_next_chat_begins_with_the_next() -> None:
    transport = Scripted(refuses(401), refuses(401), refuses(401), says("a"))
    bench = Bench(transport, provider("one", "k1", "k2", "k3"), provider("two", "other"))
    await events(bench.begin("one:m", "two:m"))
    assert transport.keys == ["k1", "k2", "k3", "other"]
    assert [request.url for request in transport.requests][-1] == "http://two.example/v1/chat/completions"


async def test_the_key_is_that_of_the_connection() -> None:
    bench = Bench(Scripted(says("a")), provider("one", "env:MINE"))
    bench.environment = Environment({"MINE": "sk-of-this-window"})
    chat = bench.begin("one:m")
    started, *_ = await events(chat)
    assert started == Started("m", "one", "sk-of-th…")
    assert bench.transport.keys == ["sk-of-this-window"]
    assert chat.result is not None
    assert chat.result.account == "sk-of-th…"


async def test_a_key_that_a_provider_quotes_is_taken_out() -> None:
    bench = Bench(Scripted(refuses(401, "Wrong: sk-0123456789")), provider("one", "sk-0123456789"))
    chat = bench.begin("one:m")
    assert "0123" not in str([encoded async for _, batch in chat.read(-1) for encoded in batch])
    assert chat.error is not None
    assert "sk-012…" in chat.error.message


# The receipt


async def test_the_receipt_of_a_chat() -> None:
    usage = sse({"usage": {"prompt_tokens": 3, "completion_tokens": 4, "cost": 0.5}})
    bench = Bench(Scripted(refuses(503), Play((delta(content="a"), STOP, usage))), *TWO)
    skipped = [(Target("three", "m"), "no key")]
    chat = bench.begin("one:m", "two:m", skipped=skipped)
    await events(chat)
    result = chat.result
    assert result is not None
    assert (result.chat_id, result.provider, result.model, result.stop_reason) == ("c1", "two", "m", "end")
    assert result.message == Message("assistant", (TextPart("a"),), provider="two")
    assert result.usage == Usage(3, 4, exact=True)
    assert result.cost is not None
    assert (result.cost.usd, result.cost.source) == (0.5, "two")
    assert outcomes(chat) == [("three", "skipped", None), ("one", "failed", "Overloaded"), ("two", "answered", None)]
    assert result.attempts[0].reason == "no key"
    assert result.timing.first_token_ms is not None
    assert 0 <= result.timing.first_token_ms <= result.timing.total_ms


async def test_an_answer_without_words_has_no_first_one() -> None:
    bench = Bench(Scripted(says()), *ONE)
    chat = bench.begin("one:m")
    await events(chat)
    assert chat.result is not None
    assert chat.result.timing.first_token_ms is None


async def test_what_failed_is_in_the_error() -> None:
    bench = Bench(Scripted(NO_LINE, refuses(429, retry_after="60")), *TWO)
    chat = bench.begin("one:m", "two:m")
    await events(chat)
    assert chat.error is not None
    assert [(cause.code, cause.provider) for cause in chat.error.causes] == [
        ("ConnectFailed", "one"),
        ("RateLimited", "two"),
    ]
    assert chat.error.retry_after == 60.0
    assert "None of 2 attempts" in chat.error.message


async def test_a_notice_is_given_once_and_before_all_else() -> None:
    bench = Bench(Scripted(refuses(503), says("a")), provider("one", max_retries=1))
    thought = Message("assistant", (ReasoningPart("hm"), TextPart("x")))
    seen = await events(bench.begin("one:m", conversation=Conversation((thought,))))
    assert [type(event) for event in seen] == [Notice, AttemptFailed, Started, TextDelta, Finished]


@pytest.mark.parametrize(("play", "found"), [((HANG,), None), ((delta(content="a"), HANG), "one")])
async def test_everybody_is_told_when_a_chat_begins_finds_its_provider_and_ends(
    play: tuple[Step, ...], found: str | None
) -> None:
    bench = Bench(Scripted(Play(play)), *ONE)
    client = join(bench.clients)
    chat = bench.begin("one:m")
    await until(TELL_AFTER)
    chat.cancel()
    await events(chat)
    await until(TELL_AFTER)
    before, after = (note.chat for note in heard(client) if isinstance(note, ChatsChanged))
    assert (before.state, before.provider, before.title) == ("running", found, "Hello!")
    assert (after.state, after.reason) == ("finished", "cancelled")


# Bounds


async def test_an_answer_that_is_too_large_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempting, "LONGEST_CHAT", 2**20)
    bench = Bench(Scripted(Play(tuple(delta(content="x" * 10_000) for _ in range(1000)))), *ONE)
    chat = bench.begin("one:m")
    *_, last = await events(chat)
    assert isinstance(last, Finished)
    assert (last.reason, last.error and last.error.code) == ("interrupted", "Interrupted")
    assert "1 MiB" in (last.error.message if last.error else "")
    assert chat.size < 2 * (2**20 + 20_000)
    assert bench.transport.left == [0]


async def test_a_model_that_is_silent_is_told_of_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "HEARTBEAT", 0.01)
    slow = provider("one", timeout={"connect": 0.03, "first_event": 0.03})
    bench = Bench(Scripted(Play((HANG,)), says("a")), slow, provider("two"))
    seen = await events(bench.begin("one:m", "two:m"))
    assert any(isinstance(event, Waiting) for event in seen)
    assert told([event for event in seen if not isinstance(event, Waiting)]) == [
        ("one:m", "TimedOut", "two:m"),
        "two:m",
        "a",
        ("end", None),
    ]


@pytest.mark.parametrize("last", [STOP, STOP + b"data: [DONE]\n\n"])
async def test_a_connection_that_stays_open_after_the_answer_is_left(
    last: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_chat_reader, "AFTER_STOP", 0.05)
    bench = Bench(Scripted(Play((delta(content="a"), last, HANG))), *ONE)
    seen = await asyncio.wait_for(events(bench.begin("one:m")), 5)
    assert told(seen) == ["one:m", "a", ("end", None)]
    assert bench.transport.left == [0]


async def test_usage_is_waited_for_after_the_reason_to_stop() -> None:
    usage, sent = sse({"usage": {"prompt_tokens": 3, "completion_tokens": 4}}), asyncio.Event()
    bench = Bench(Scripted(Play((delta(content="a") + STOP, sent, usage))), *ONE)
    chat = bench.begin("one:m")
    reader = chat.read(-1)
    await anext(reader)
    await reader.aclose()
    sent.set()
    assert UsageReport(Usage(3, 4, exact=True)) in await events(chat)


async def test_waiting_to_try_again_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "HEARTBEAT", 0.01)
    bench = Bench(Scripted(refuses(503, retry_after="0.05"), says("a")), *TRIES)
    seen = await events(bench.begin("one:m"))
    waits = [event for event in seen if isinstance(event, Waiting)]
    assert waits
    assert all(event.left == 0.1 for event in waits), "of 0.05 seconds, told in tenths and never as nothing"
