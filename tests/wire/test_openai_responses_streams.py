"""Streams of the Responses API: what recorded servers said, as the official SDK reads it, however it is cut."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pointsman.core.answer import Answer
from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Conversation,
    Cost,
    ErrorSeen,
    Message,
    Reading,
    ReasoningDelta,
    ReasoningPart,
    Seal,
    StopSeen,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
    WindowsSeen,
)
from pointsman.core.errors import (
    BadReply,
    BadRequest,
    ContextTooLong,
    Interrupted,
    Overloaded,
    PointsmanError,
    QuotaExhausted,
    RateLimited,
)
from pointsman.wire import openai_responses, openai_responses_reader
from tests.each import each
from tests.wire.expected import RECORDED

ACME = Provider(id="acme", name="Acme", wire="openai-responses", base_url="https://acme.example/v1")


def read(*chunks: bytes) -> list[Reading]:
    reader = openai_responses.reader(ACME)
    return [reading for chunk in chunks for reading in reader.feed(chunk)] + reader.close()


def cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def answer(readings: Sequence[Reading]) -> Message:
    """The message that readings make, as the daemon gathers it."""
    gathered = Answer()
    for reading in readings:
        if not isinstance(reading, StopSeen | ErrorSeen | WindowsSeen):
            gathered.add(reading)
    return gathered.message()


# What servers have said


@pytest.mark.parametrize(
    "name", ["openai-responses.reasoning-summary.gpt5.sse", "lmstudio-responses.tool.glm47flash.sse"]
)
def test_a_recorded_thought_goes_back_as_it_came(name: str, transcripts: Path) -> None:
    stream = (transcripts / name).read_bytes()
    events = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith(b"data: {")]
    (item,) = [
        event["item"]
        for event in events
        if event["type"] == "response.output_item.done" and event["item"]["type"] == "reasoning"
    ]
    message = answer(read(stream))
    thought = message.parts[0]
    assert isinstance(thought, ReasoningPart)
    assert thought.opaque == item
    request, notices = openai_responses.request(ACME, "big", Conversation((message, Message("user", "go on"))))
    assert json.loads(request.body)["input"][0] == item
    assert notices == []


@pytest.mark.parametrize("name", RECORDED["openai-responses"][1:])
def test_a_recorded_stream_that_ends_early_is_told_as_broken(name: str, transcripts: Path) -> None:
    stream = (transcripts / name).read_bytes()
    end = stream.index(b'"type":"error"') if "failed" in name else stream.index(b'"type":"response.completed"')
    for at in range(0, end, 499):
        last = read(stream[:at])[-1]
        assert isinstance(last, ErrorSeen)
        assert isinstance(last.error, Interrupted | BadReply)


# What an event may hold


def event(type: str, **fields: Any) -> bytes:
    return f"event: {type}\ndata: {json.dumps({'type': type, **fields})}\n\n".encode()


def delta(kind: str, text: Any, index: int = 0) -> bytes:
    return event(f"response.{kind}.delta", delta=text, output_index=index)


def done(index: int = 0, **item: Any) -> bytes:
    return event("response.output_item.done", output_index=index, item=item)


def added(index: int = 0, **item: Any) -> bytes:
    return event("response.output_item.added", output_index=index, item=item)


def ended(how: str = "completed", **response: Any) -> bytes:
    return event(f"response.{how}", response={"status": how} | response)


def whole_arguments(text: str, index: int = 0) -> bytes:
    return event("response.function_call_arguments.done", arguments=text, output_index=index)


CALL: dict[str, Any] = {"type": "function_call", "call_id": "i", "name": "n"}
COMPLETED, DONE = ended(), b"data: [DONE]\n\n"
T, R, C = TextDelta, ReasoningDelta, ToolCallDelta
END, CALLED = StopSeen("end"), StopSeen("toolCalls")
USED = {"input_tokens": 3, "output_tokens": 4}


def block(text: str, kind: str = "output_text") -> dict[str, str]:
    return {"type": kind, "text": text}


CASES: dict[str, tuple[list[bytes], list[Reading]]] = {
    "text": ([delta("output_text", "a"), delta("output_text", "b"), COMPLETED], [T("a"), T("b"), END]),
    "an end that is not needed": ([delta("output_text", "a"), COMPLETED, DONE], [T("a"), END]),
    "an end that means nothing": ([DONE, delta("output_text", "a"), COMPLETED], [T("a"), END]),
    "no blank line at the end": ([delta("output_text", "a"), COMPLETED[:-2]], [T("a"), END]),
    "nothing after the end": ([COMPLETED, delta("output_text", "a"), b"data: {\n\n", ended("failed")], [END]),
    "empty text": ([delta("output_text", ""), COMPLETED], [END]),
    "a refusal": ([delta("refusal", "no"), COMPLETED], [T("no"), END]),
    "a message that comes in pieces and whole": (
        [delta("output_text", "a", 1), done(1, type="message", content=[block("a")]), COMPLETED],
        [T("a"), END],
    ),
    "a message that comes whole alone": (
        [done(type="message", content=[block("a"), {"type": "refusal", "refusal": "b"}]), COMPLETED],
        [T("ab"), END],
    ),
    "a thought and its seal": (
        [delta("reasoning_text", "h"), delta("reasoning_text", "m"), done(type="reasoning", id="r"), COMPLETED],
        [R("h"), R("m"), Seal(opaque={"type": "reasoning", "id": "r"}), END],
    ),
    "a summary that comes in pieces and whole": (
        [delta("reasoning_summary_text", "h"), done(type="reasoning", summary=[block("h")]), COMPLETED],
        [R("h"), Seal(opaque={"type": "reasoning", "summary": [block("h")]}), END],
    ),
    "a thought that comes whole alone": (
        [done(type="reasoning", summary=[block("s")], content=[block("c")]), COMPLETED],
        [R("sc"), Seal(opaque={"type": "reasoning", "summary": [block("s")], "content": [block("c")]}), END],
    ),
    "a thought behind closed doors": (
        [added(type="reasoning"), done(type="reasoning", encrypted_content="e", summary=[]), COMPLETED],
        [Seal(opaque={"type": "reasoning", "encrypted_content": "e", "summary": []}), END],
    ),
    "a call in pieces and whole": (
        [
            added(**CALL, arguments=""),
            delta("function_call_arguments", "{"),
            delta("function_call_arguments", "}"),
            whole_arguments("{}"),
            done(**CALL, arguments="{}"),
            COMPLETED,
        ],
        [C(0, "", "i", "n"), C(0, "{"), C(0, "}"), CALLED],
    ),
    "arguments only as a whole": (
        [added(**CALL), whole_arguments("{}"), done(**CALL, arguments="{}"), COMPLETED],
        [C(0, "", "i", "n"), C(0, "{}"), CALLED],
    ),
    "arguments only with the item": (
        [added(**CALL), delta("function_call_arguments", ""), done(**CALL, arguments="{}"), COMPLETED],
        [C(0, "", "i", "n"), C(0, "{}"), CALLED],
    ),
    "a call that comes whole alone": (
        [done(**CALL, arguments="{}"), COMPLETED],
        [C(0, "", "i", "n"), C(0, "{}"), CALLED],
    ),
    "a call without arguments": ([done(**CALL), COMPLETED], [C(0, "", "i", "n"), CALLED]),
    "a call that is named late": (
        [
            added(type="function_call"),
            delta("function_call_arguments", "{}"),
            done(**CALL, arguments="{}"),
            COMPLETED,
        ],
        [C(0, "{}"), C(0, "", "i", "n"), CALLED],
    ),
    "calls at once": (
        [
            added(2, **CALL),
            added(5, type="function_call", call_id="j", name="m"),
            delta("function_call_arguments", "1", 5),
            delta("function_call_arguments", "2", 2),
            COMPLETED,
        ],
        [C(0, "", "i", "n"), C(1, "", "j", "m"), C(1, "1"), C(0, "2"), CALLED],
    ),
    "the length": ([ended("incomplete", incomplete_details={"reason": "max_output_tokens"})], [StopSeen("length")]),
    "the filter": ([ended("incomplete", incomplete_details={"reason": "content_filter"})], [StopSeen("contentFilter")]),
    "a reason in another form": ([ended("incomplete", incomplete_details=["odd"])], [StopSeen("length")]),
    "a reason of tomorrow": ([ended("incomplete", incomplete_details={"reason": "odd"})], [StopSeen("interrupted")]),
    "no reason": ([ended("incomplete", incomplete_details=None)], [StopSeen("length")]),
    "completed, yet incomplete": ([ended(status="incomplete")], [StopSeen("length")]),
    "completed, yet filtered": (
        [ended(status="incomplete", incomplete_details={"reason": "content_filter"}, usage=USED)],
        [UsageReport(Usage(3, 4, exact=True)), StopSeen("contentFilter")],
    ),
    "completed in a way of tomorrow": ([ended(status=["odd"]), COMPLETED], [END]),
    "the length in a call": (
        [added(**CALL), ended("incomplete", incomplete_details={"reason": "max_output_tokens"})],
        [C(0, "", "i", "n"), StopSeen("length")],
    ),
    "usage": (
        [
            ended(
                usage=USED
                | {
                    "total_tokens": 7,
                    "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1},
                    "output_tokens_details": {"reasoning_tokens": 3},
                }
            )
        ],
        [
            UsageReport(
                Usage(3, 4, exact=True, cached_input_tokens=2, cache_write_tokens=1, reasoning_tokens=3),
            ),
            END,
        ],
    ),
    "usage with reasoning beside the output": (
        [ended(usage=USED | {"total_tokens": 12, "output_tokens_details": {"reasoning_tokens": 5}})],
        [UsageReport(Usage(3, 9, exact=True, reasoning_tokens=5)), END],
    ),
    "usage and a cost": (
        [ended(usage=USED | {"cost": 0.5})],
        [UsageReport(Usage(3, 4, exact=True), Cost(0.5, exact=True, source="acme")), END],
    ),
    "usage that is not known": ([ended(usage={"input_tokens": 3})], [END]),
    "events and items that nobody knows": (
        [
            b": busy\n\n",
            event("response.created", response={"error": None}),
            event("response.audio.delta", delta={"odd": 1}),
            event("codex.rate_limits", rate_limits={}),
            added(type="web_search_call"),
            done(1, type="web_search_call"),
            b'data: {"odd": 1}\n\n',
            delta("output_text", "a", 2),
            done(3, type="message"),
            COMPLETED,
        ],
        [T("a"), END],
    ),
}


@each("case", CASES)
def test_what_a_stream_says(case: str) -> None:
    chunks, expected = CASES[case]
    assert read(*chunks) == expected
    assert read(*cut(b"".join(chunks), 1)) == expected


FAILED: list[tuple[list[bytes], type[PointsmanError], str]] = [
    ([], Interrupted, "Acme closed the stream before the answer was complete."),
    ([delta("output_text", "a"), DONE], Interrupted, "before the answer was complete"),
    ([b"<html>Bad gateway</html>"], BadReply, "did not answer with an event stream"),
    ([b"data: {\n\n"], BadReply, "Acme sent a chunk that can't be read"),
    ([b"data: 3\n\n"], BadReply, "can't be read"),
    ([b"data: \xff\n\n"], BadReply, "can't be read"),
    ([b"data: " + b'{"error":' * 9999 + b"\n\n"], BadReply, "can't be read"),
    ([delta("output_text", None)], BadReply, "can't be read"),
    ([event("response.output_text.delta")], BadReply, "can't be read"),
    ([done(type=3)], BadReply, "can't be read"),
    ([event("response.completed")], BadReply, "can't be read"),
    ([event("error", code="server_error", message="bad")], Overloaded, "Acme says: bad"),
    ([event("error", error={"code": "rate_limit_exceeded", "message": "slow"})], RateLimited, "Acme says: slow"),
    ([b'data: {"error": {"code": 429, "message": "slow"}}\n\n'], RateLimited, "Acme says: slow"),
    ([b'data: {"error": "slow"}\n\n'], Overloaded, "Acme says: slow"),
    ([ended("failed", error={"code": "server_error", "message": "bad"})], Overloaded, "Acme says: bad"),
    ([ended("failed", error={"code": "invalid_prompt", "message": "bad"})], BadRequest, "Acme says: bad"),
    ([ended("failed", error={"code": "image_too_large", "message": "bad"})], BadRequest, "Acme says: bad"),
    (
        [ended("failed", error={"code": "context_length_exceeded", "message": "long"})],
        ContextTooLong,
        "Acme says: long",
    ),
    ([ended("failed", error={"code": "insufficient_quota", "message": "spent"})], QuotaExhausted, "Acme says: spent"),
    ([ended("failed", error=None)], Overloaded, "without a word"),
    ([ended(status="failed")], Overloaded, "without a word"),
    ([ended(status="cancelled")], Overloaded, "without a word"),
    ([ended(status="failed", error={"code": "server_error", "message": "bad"})], Overloaded, "Acme says: bad"),
]


@each(("chunks", "kind", "words"), FAILED)
def test_what_breaks_a_stream(chunks: list[bytes], kind: type[PointsmanError], words: str) -> None:
    whole = b"".join(chunks)
    for cutting in (chunks, cut(whole, 1 + len(whole) // 1000)):  # byte by byte, unless it is long
        error = next(r.error for r in read(*cutting) if isinstance(r, ErrorSeen))
        assert type(error) is kind
        assert words in error.message
        assert error.provider == "acme"


def test_an_error_is_told_once_and_after_what_was_used() -> None:
    error = {"code": "server_error", "message": "bad"}
    readings = read(event("error", error=error), ended("failed", error=error))
    assert [type(reading) for reading in readings] == [ErrorSeen]
    readings = read(delta("output_text", "a"), ended("failed", error=error, usage=USED))
    assert [type(reading) for reading in readings] == [TextDelta, UsageReport, ErrorSeen]


@each(
    ("chunks", "seconds"),
    [
        ([], None),
        ([delta("output_text", "a"), DONE], None),
        ([COMPLETED], openai_responses_reader.AFTER_END),
        ([event("error", message="bad")], openai_responses_reader.AFTER_END),
    ],
)
def test_how_long_more_is_worth_waiting_for(chunks: list[bytes], seconds: float | None) -> None:
    reader = openai_responses.reader(ACME)
    for one in chunks:
        reader.feed(one)
    assert reader.linger == seconds
