"""Streams of the Messages API: what was recorded, as the official SDK reads it, however it is cut."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pointsman.core.answer import Answer
from pointsman.core.catalogue import Links, Provider
from pointsman.core.chat import (
    ErrorSeen,
    Notice,
    Part,
    Reading,
    ReasoningDelta,
    ReasoningPart,
    Seal,
    StopSeen,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolCallPart,
    Usage,
    UsageReport,
    WindowsSeen,
)
from pointsman.core.errors import (
    BadReply,
    BadRequest,
    ContextTooLong,
    InvalidKey,
    ModelNotFound,
    Overloaded,
    PointsmanError,
    QuotaExhausted,
    RateLimited,
)
from pointsman.wire import anthropic_messages, event_reader
from tests.each import each
from tests.wire.expected import RECORDED, expected

LINKS = Links(keys="https://acme.example/keys", status="https://status.acme.example")
ACME = Provider(id="acme", name="Acme", wire="anthropic-messages", base_url="https://acme.example/v1", links=LINKS)


def read(*chunks: bytes) -> list[Reading]:
    reader = anthropic_messages.reader(ACME)
    return [reading for chunk in chunks for reading in reader.feed(chunk)] + reader.close()


def pieces(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def parts_of(readings: Sequence[Reading]) -> list[Part]:
    """The answer that comes of it, as it goes into the next request."""
    answer = Answer()
    for reading in readings:
        if not isinstance(reading, StopSeen | ErrorSeen | WindowsSeen):
            answer.add(reading)
    return list(answer.message().parts)


# What was recorded

STREAMS = RECORDED["anthropic-messages"]
KINDS = {TextPart: "text", ReasoningPart: "thinking", ToolCallPart: "tool_use"}


@pytest.mark.parametrize("name", STREAMS)
def test_a_recorded_stream_has_the_blocks_that_the_official_sdk_reads(name: str, transcripts: Path) -> None:
    theirs = expected(transcripts, name).more
    parts = parts_of(read((transcripts / name).read_bytes()))
    assert [KINDS[type(part)] for part in parts if isinstance(part, tuple(KINDS))] == theirs["block_types"]
    thoughts = [part for part in parts if isinstance(part, ReasoningPart)]
    signatures = [hashlib.sha256((part.signature or "").encode()).hexdigest()[:16] for part in thoughts]
    assert signatures == theirs.get("signatures", [])


@pytest.mark.parametrize("name", STREAMS)
def test_a_recorded_stream_may_be_cut_anywhere(name: str, transcripts: Path) -> None:
    stream = (transcripts / name).read_bytes()
    readings = read(stream)
    for at in range(len(stream) if len(stream) < 5000 else 0):
        assert read(stream[:at], stream[at:]) == readings, f"cut at {at}"


@pytest.mark.parametrize("name", STREAMS)
def test_a_recorded_stream_that_ends_early_is_told_as_broken(name: str, transcripts: Path) -> None:
    stream = (transcripts / name).read_bytes()
    for at in range(0, stream.rindex(b"event: message_stop"), 53):
        *said, reading = read(stream[:at])
        assert isinstance(reading, ErrorSeen)
        assert reading.error.code in {"Interrupted", "BadReply"}  # the latter where an event itself is cut
        assert not any(isinstance(earlier, StopSeen) for earlier in said)


# What an event may hold


def event(type: str, **fields: Any) -> bytes:
    return f"event: {type}\ndata: {json.dumps({'type': type, **fields})}\n\n".encode()


def begun(block: dict[str, Any], index: int = 0) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def delta(type: str, index: int = 0, **fields: Any) -> bytes:
    return event("content_block_delta", index=index, delta={"type": type, **fields})


def stopped(index: int = 0) -> bytes:
    return event("content_block_stop", index=index)


def why(reason: str | None, usage: dict[str, Any] | None = None, **fields: Any) -> bytes:
    return event("message_delta", delta={"stop_reason": reason, **fields}, usage=usage)


def text(*words: str) -> bytes:
    return begun({"type": "text", "text": ""}) + b"".join(delta("text_delta", text=w) for w in words) + stopped()


START = event("message_start", message={"id": "msg_1", "role": "assistant", "content": []})
PING = event("ping")
OVER = event("message_stop")
T, R, C = TextDelta, ReasoningDelta, ToolCallDelta
END = StopSeen("end")


def spent(**usage: Any) -> bytes:
    return event("message_start", message={"usage": usage})


def left_out(what: str) -> Notice:
    return Notice("answer", f"Acme also sent what has no place here and was left out: {what}.")


CASES: dict[str, tuple[list[bytes], list[Reading]]] = {
    "text": ([START, text("a", "é"), why("end_turn"), OVER], [T("a"), T("é"), END]),
    "text at once": ([begun({"type": "text", "text": "a"}), OVER], [T("a"), END]),
    "nothing at all": ([START, OVER], [END]),
    "pings anywhere": ([PING, START, PING, text("a"), PING, OVER, PING], [T("a"), END]),
    "no end of the last event": ([text("a"), OVER.rstrip()], [T("a"), END]),
    "lines that end in CR LF": ([text("a").replace(b"\n", b"\r\n"), OVER], [T("a"), END]),
    "what comes after the end": ([text("a"), OVER, text("b"), OVER, b"data: [DONE]\n\n"], [T("a"), END]),
    "events of tomorrow": ([event("odd"), event("odder", delta="x", index=[]), text("a"), OVER], [T("a"), END]),
    "no kind of event": ([b"data: {}\n\n", OVER], [END]),
    "fields of tomorrow": ([START, delta("text_delta", text="a", odd=[1]), OVER], [T("a"), END]),
    "events without what they are about": (
        [event(k) for k in ("message_start", "content_block_start", "content_block_delta", "content_block_stop")]
        + [event("message_delta"), OVER],
        [END],
    ),
    "a thought and its signature": (
        [
            begun({"type": "thinking", "thinking": "", "signature": ""}),
            delta("thinking_delta", thinking="hm"),
            delta("signature_delta", signature="c2"),
            delta("signature_delta", signature="ln"),
            stopped(),
            text("a"),
            OVER,
        ],
        [R("hm"), Seal("c2ln"), T("a"), END],
    ),
    "a thought at once": (
        [begun({"type": "thinking", "thinking": "hm", "signature": "s"}), stopped(), OVER],
        [R("hm"), Seal("s"), END],
    ),
    "a thought that is kept back": (
        [begun({"type": "thinking", "thinking": ""}), delta("signature_delta", signature="s"), stopped(), OVER],
        [Seal("s"), END],
    ),
    "a thought that nobody signed": (
        [begun({"type": "thinking"}), delta("thinking_delta", thinking="h"), delta("signature_delta"), stopped(), OVER],
        [R("h"), END],
    ),
    "a thought that is encrypted": (
        [begun({"type": "redacted_thinking", "data": "EncR"}), stopped(), text("a"), OVER],
        [Seal(opaque={"type": "redacted_thinking", "data": "EncR"}), T("a"), END],
    ),
    "a call in pieces": (
        [
            begun({"type": "tool_use", "id": "t1", "name": "f", "input": {}}, 1),
            delta("input_json_delta", 1, partial_json=""),
            delta("input_json_delta", 1, partial_json='{"a"'),
            delta("input_json_delta", 1, partial_json=":1}"),
            stopped(1),
            begun({"type": "tool_use", "id": "t2", "name": "g", "input": {}}, 2),
            stopped(2),
            why("tool_use"),
            OVER,
        ],
        [C(0, "", "t1", "f"), C(0, '{"a"'), C(0, ":1}"), C(1, "", "t2", "g"), StopSeen("toolCalls")],
    ),
    "a call at once": (
        [begun({"type": "tool_use", "id": "t1", "name": "f", "input": {"a": "é"}}), stopped(), stopped(), OVER],
        [C(0, "", "t1", "f"), C(0, '{"a":"é"}'), END],
    ),
    "pieces of what is no call": ([delta("input_json_delta", 5, partial_json="{}"), OVER], [END]),
    "sources": (
        [text("a"), delta("citations_delta", citation={}), delta("citations_delta", citation={}), OVER],
        [T("a"), left_out("citations_delta"), END],
    ),
    "a tool of theirs": (
        [begun({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}), stopped(), OVER],
        [left_out("server_tool_use"), END],
    ),
    "a block without a name": ([begun({}), OVER], [left_out("something without a name"), END]),
    "usage": (
        [
            spent(input_tokens=7, cache_read_input_tokens=20, cache_creation_input_tokens=300, output_tokens=1),
            why("end_turn", {"output_tokens": 50, "output_tokens_details": {"thinking_tokens": 9}}),
            OVER,
        ],
        [UsageReport(Usage(327, 50, True, 20, 300, 9)), END],
    ),
    "usage at the end weighs more": (
        [spent(input_tokens=7, output_tokens=1), why("end_turn", {"input_tokens": 0, "output_tokens": 5}), OVER],
        [UsageReport(Usage(0, 5, True)), END],
    ),
    "usage that says less at its second time": (
        [
            event("message_start", message={"usage": {"input_tokens": 7, "output_tokens": 1}}),
            why("end_turn", {"output_tokens": 50, "output_tokens_details": {"thinking_tokens": 9}}),
            why(None, {}),
            why(None, {"cache_read_input_tokens": 3}),
            OVER,
        ],
        [
            UsageReport(Usage(7, 50, True, reasoning_tokens=9)),
            UsageReport(Usage(7, 50, True, reasoning_tokens=9)),
            UsageReport(Usage(10, 50, True, 3, reasoning_tokens=9)),
            END,
        ],
    ),
    "usage that is none takes nothing back": (
        [
            spent(input_tokens=7, output_tokens=50),
            why("end_turn", {"output_tokens": 60, "output_tokens_details": {"thinking_tokens": 9}}),
            why(None, {"input_tokens": "x", "output_tokens": 1.5, "output_tokens_details": {}}),
            why(None, {"output_tokens": 70, "output_tokens_details": {"thinking_tokens": 12}}),
            OVER,
        ],
        [
            UsageReport(Usage(7, 60, True, reasoning_tokens=9)),
            UsageReport(Usage(7, 60, True, reasoning_tokens=9)),
            UsageReport(Usage(7, 70, True, reasoning_tokens=12)),
            END,
        ],
    ),
    "usage without input": ([why("end_turn", {"output_tokens": 5}), OVER], [UsageReport(Usage(0, 5, False)), END]),
    "a filter of another API": ([START, why("content_filter"), OVER], [StopSeen("contentFilter")]),
    "usage without output": ([why("end_turn", {"input_tokens": 5}), OVER], [END]),
    "a turn that is paused": (
        [why("pause_turn"), OVER],
        [Notice("answer", "Acme paused in the middle of its turn; say something like `go on` for the rest."), END],
    ),
    "a refusal that is explained": (
        [why("refusal", stop_details={"explanation": "No."}), OVER],
        [Notice("answer", "No."), StopSeen("contentFilter")],
    ),
    "a refusal that is not": ([why("refusal", stop_details={"explanation": None}), OVER], [StopSeen("contentFilter")]),
}  # fmt: skip


@each("case", CASES)
def test_what_a_stream_says(case: str) -> None:
    chunks, expected = CASES[case]
    whole = b"".join(chunks)
    for cutting in (chunks, [whole], pieces(whole, 1)):
        assert read(*cutting) == expected


def test_every_reason_to_stop_has_a_word_of_ours() -> None:
    for theirs, ours in {
        "end_turn": "end",
        "stop_sequence": "end",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "tool_use": "toolCalls",
        "refusal": "contentFilter",
        "of_tomorrow": "end",
    }.items():
        assert read(why(theirs), why(None), OVER) == [StopSeen(ours)]  # type: ignore[arg-type]


def test_an_answer_is_worth_waiting_for_until_it_is_over() -> None:
    reader = anthropic_messages.reader(ACME)
    reader.feed(START + text("a") + why("end_turn"))
    assert reader.linger is None
    reader.feed(OVER)
    assert reader.linger == anthropic_messages.AFTER_STOP


def fails(type: str | None, message: str = "m", **more: Any) -> bytes:
    return event("error", error={"type": type, "message": message, **more})


@each(
    ("chunks", "kind", "words"),
    [
        ([fails("overloaded_error", "Overloaded")], Overloaded, "Acme says: Overloaded"),
        ([START, text("a"), fails("api_error")], Overloaded, "Acme says: m"),
        ([fails("timeout_error")], Overloaded, "Acme says: m"),
        ([fails("rate_limit_error")], RateLimited, "Acme says: m"),
        ([fails("rate_limit_error", details={"error_code": "enforced_spend_limit_reached"})], QuotaExhausted, "m"),
        ([fails("billing_error")], QuotaExhausted, "Acme says: m"),
        ([fails("authentication_error")], InvalidKey, "Acme says: m"),
        ([fails("permission_error")], InvalidKey, "Acme says: m"),
        ([fails("not_found_error")], ModelNotFound, "Acme says: m"),
        ([fails("invalid_request_error")], BadRequest, "Acme says: m"),
        ([fails("request_too_large")], ContextTooLong, "Acme says: m"),
        ([fails("of_tomorrow")], Overloaded, "Acme says: m"),
        ([b'data: {"error": {"code": 429, "message": "m"}}\n\n'], RateLimited, "Acme says: m"),
        ([b'data: {"error": "full"}\n\n'], Overloaded, "Acme says: full"),
        ([START, text("a"), why("end_turn")], PointsmanError, "closed the stream before the answer was complete"),
        ([b"data: {\n\n", OVER], BadReply, "can't be read"),
        ([event("content_block_delta", index="a"), OVER], BadReply, "can't be read"),
        ([b"data: 3\n\n", OVER], BadReply, "can't be read"),
        ([b'data: {"type": 3}\n\n', OVER], BadReply, "can't be read"),
        ([b"<html>Bad gateway</html>"], BadReply, "did not answer with an event stream"),
    ],
)
def test_what_breaks_a_stream(chunks: list[bytes], kind: type[PointsmanError], words: str) -> None:
    for cutting in (chunks, pieces(b"".join(chunks), 1)):
        error = next(r.error for r in read(*cutting) if isinstance(r, ErrorSeen))
        assert type(error) is kind or (kind is PointsmanError and error.code == "Interrupted")
        assert words in error.message
        assert error.provider == "acme"


@each("end", [b"", fails("overloaded_error")])
def test_an_answer_that_breaks_off_has_cost_something(end: bytes) -> None:
    def told(*chunks: bytes) -> list[Reading]:
        return [reading for reading in read(*chunks, end) if isinstance(reading, UsageReport)]

    begun = spent(input_tokens=7, cache_read_input_tokens=20, output_tokens=1)
    assert told(begun, text("a")) == [UsageReport(Usage(27, 1, False, 20))]
    assert told(begun, why("end_turn", {"output_tokens": 5})) == [UsageReport(Usage(27, 5, True, 20))]
    assert told(START) == []


def test_an_overload_names_the_status_page() -> None:
    error = next(r.error for r in read(fails("overloaded_error")) if isinstance(r, ErrorSeen))
    assert "https://status.acme.example" in error.advice


def test_an_event_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_reader, "LONGEST_EVENT", 1000)
    reader = anthropic_messages.reader(ACME)
    assert reader.feed(b"data: " + b"x" * 900) == []
    (reading,) = reader.feed(b"x" * 200)
    assert isinstance(reading, ErrorSeen)
    assert isinstance(reading.error, BadReply)
