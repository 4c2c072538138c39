"""Streams of Bedrock: what was recorded, as the official SDK reads it, however it is cut; and its refusals."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.answer import Answer
from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    ErrorSeen,
    Event,
    Reading,
    ReasoningDelta,
    ReasoningPart,
    Seal,
    StopReason,
    StopSeen,
    TextDelta,
    TextPart,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from pointsman.core.errors import (
    BadReply,
    BadRequest,
    ContextTooLong,
    Interrupted,
    InvalidKey,
    ModelNotFound,
    Overloaded,
    PointsmanError,
    RateLimited,
)
from pointsman.core.http import Head
from pointsman.wire import bedrock_converse
from tests.each import each
from tests.wire.expected import RECORDED, expected

ACME = Provider(id="acme", name="Acme", wire="bedrock-converse", base_url="https://acme.example")


def frame(payload: bytes, **headers: str) -> bytes:
    head = b"".join(
        bytes([len(name) + 1]) + f":{name.replace('_', '-')}".encode() + b"\x07" + struct.pack(">H", len(value)) + value
        for name, text in headers.items()
        for value in [text.encode()]
    )
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack(">I", zlib.crc32(message))


def event(kind: str, **fields: Any) -> bytes:
    return frame(json.dumps(fields | {"p": "abc"}).encode(), message_type="event", event_type=kind)


def delta(index: int, **fields: Any) -> bytes:
    return event("contentBlockDelta", contentBlockIndex=index, delta=fields)


def begins(index: int, **fields: Any) -> bytes:
    return event("contentBlockStart", contentBlockIndex=index, start=fields)


def ends(index: int) -> bytes:
    return event("contentBlockStop", contentBlockIndex=index)


STOP = event("messageStop", stopReason="end_turn")


def read(*chunks: bytes) -> list[Reading]:
    reader = bedrock_converse.reader(ACME)
    return [reading for chunk in chunks for reading in reader.feed(chunk)] + reader.close()


def comparable(readings: Sequence[Reading]) -> list[object]:
    """Readings with errors by their words: errors themselves are equal to nothing."""
    return [r.error.data() if isinstance(r, ErrorSeen) else r for r in readings]


def error_of(readings: Sequence[Reading]) -> PointsmanError:
    (error,) = [reading.error for reading in readings if isinstance(reading, ErrorSeen)]
    return error


# What was recorded


@pytest.mark.parametrize("name", RECORDED["bedrock-converse"])
def test_a_recorded_stream_is_signed_as_the_official_sdk_reads(name: str, transcripts: Path) -> None:
    seals = [reading for reading in read((transcripts / name).read_bytes()) if isinstance(reading, Seal)]
    assert any(seal.signature for seal in seals) is expected(transcripts, name).more.get("signature_present", False)


def test_a_recorded_signature_seals_the_thoughts(transcripts: Path) -> None:
    answer = Answer()
    for reading in read((transcripts / RECORDED["bedrock-converse"][0]).read_bytes()):
        if isinstance(reading, Event | Seal):
            answer.add(reading)
    thought, text = answer.message().parts
    assert isinstance(thought, ReasoningPart)
    assert thought.signature
    assert isinstance(text, TextPart)


# What was not recorded

STREAMS: dict[str, tuple[list[bytes], list[Reading]]] = {
    "events that say nothing": (
        [
            event("messageStart", role="assistant"),
            begins(0),
            event("contentBlockStart"),
            delta(0),
            event("contentBlockDelta"),
            ends(0),
            event("metadata"),
            event("somethingNew", delta={"text": "x"}),
            frame(b"", message_type="event", event_type="initial-response"),
            frame(b"{}"),
            STOP,
        ],
        [StopSeen("end")],
    ),
    "several calls": (
        [
            begins(1, toolUse={"toolUseId": "a", "name": "f"}),
            delta(1, toolUse={"input": '{"x":'}),
            delta(1, toolUse={"input": "1}"}),
            ends(1),
            begins(2, toolUse={"toolUseId": "b", "name": "g"}),
            ends(2),
            event("messageStop", stopReason="tool_use"),
        ],
        [
            ToolCallDelta(0, "", "a", "f"),
            ToolCallDelta(0, '{"x":'),
            ToolCallDelta(0, "1}"),
            ToolCallDelta(1, "", "b", "g"),
            StopSeen("toolCalls"),
        ],
    ),
    "a signature in pieces": (
        [
            delta(0, reasoningContent={"text": "hm"}),
            delta(0, reasoningContent={"signature": "ab"}),
            delta(0, reasoningContent={"signature": "cd"}),
            ends(0),
            delta(1, text="so"),
            ends(1),
            STOP,
        ],
        [ReasoningDelta("hm"), Seal("abcd"), TextDelta("so"), StopSeen("end")],
    ),
    "hidden thoughts in pieces": (
        [
            delta(0, reasoningContent={"redactedContent": base64.b64encode(b"abcd").decode()}),
            delta(0, reasoningContent={"redactedContent": base64.b64encode(b"e").decode()}),
            STOP,
        ],
        [Seal(opaque={"redactedContent": base64.b64encode(b"abcde").decode()}), StopSeen("end")],
    ),
    "what was cached": (
        [
            STOP,
            event(
                "metadata",
                usage={
                    "inputTokens": 3,
                    "outputTokens": 2,
                    "totalTokens": 105,
                    "cacheReadInputTokens": 90,
                    "cacheWriteInputTokens": 10,
                },
            ),
        ],
        [
            StopSeen("end"),
            UsageReport(
                Usage(input_tokens=103, output_tokens=2, exact=True, cached_input_tokens=90, cache_write_tokens=10)
            ),
        ],
    ),
    "a second end": ([STOP, event("messageStop", stopReason="max_tokens")], [StopSeen("end")]),
}


@each("case", STREAMS)
def test_what_a_stream_says(case: str) -> None:
    frames, expected = STREAMS[case]
    assert read(*frames) == expected


STOPS: dict[str, StopReason] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "something_new": "end",
    "tool_use": "toolCalls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "contentFilter",
    "content_filtered": "contentFilter",
}


@each("reason", STOPS)
def test_reasons_to_stop(reason: str) -> None:
    assert read(event("messageStop", stopReason=reason)) == [StopSeen(STOPS[reason])]


def test_a_model_that_fails_at_the_answer() -> None:
    error = error_of(read(event("messageStop", stopReason="malformed_tool_use"), STOP))
    assert isinstance(error, BadReply)
    assert error.message == "Acme says that the model failed at the answer: malformed_tool_use."


EXCEPTIONS: dict[str, tuple[bytes, type[PointsmanError], str]] = {
    "too often": (
        frame(b'{"message":"Slow down"}', message_type="exception", exception_type="throttlingException"),
        RateLimited,
        "Acme says: Slow down",
    ),
    "a wrong request": (
        frame(b'{"message":"Bad"}', message_type="exception", exception_type="validationException"),
        BadRequest,
        "Acme says: Bad",
    ),
    "too long": (
        frame(
            b'{"message":"Input is too long for requested model."}',
            message_type="exception",
            exception_type="validationException",
        ),
        ContextTooLong,
        "Acme says: Input is too long for requested model.",
    ),
    "no words": (
        frame(b"{}", message_type="exception", exception_type="modelStreamErrorException"),
        Overloaded,
        "Acme says: modelStreamErrorException",
    ),
    "an error in headers": (
        frame(b"", message_type="error", error_code="InternalFailure", error_message="Oh dear"),
        Overloaded,
        "Acme says: Oh dear",
    ),
    "an error without a name": (frame(b"", message_type="error"), Overloaded, "Acme says: InternalFailure"),
}


@each("case", EXCEPTIONS)
def test_an_exception_in_the_stream(case: str) -> None:
    stream, kind, words = EXCEPTIONS[case]
    readings = read(delta(0, text="a"), stream, STOP)
    assert readings[0] == TextDelta("a")
    error = error_of(readings)
    assert (type(error), error.message) == (kind, words)
    assert not any(isinstance(reading, StopSeen) for reading in readings)


BROKEN: dict[str, tuple[bytes, type[PointsmanError], str]] = {
    "no end": (delta(0, text="a"), Interrupted, "closed the stream before the answer was complete"),
    "half a frame": (delta(0, text="a") + STOP[:-1], Interrupted, "closed the stream before"),
    "JSON": (b'{"message":"no"}', BadReply, "did not answer with an event stream (the checksum of a prelude is wrong)"),
    "less than a frame": (b"no", BadReply, "did not answer with an event stream"),
    "an odd frame": (delta(0, text="a") + b"x" * 20, BadReply, "sent a frame that can't be read (the checksum"),
    "an odd payload": (frame(b"{", event_type="contentBlockStop"), BadReply, "sent an event that can't be read"),
    "odd hidden thoughts": (
        delta(0, reasoningContent={"redactedContent": "?"}),
        BadReply,
        "sent an event that can't be read",
    ),
}


@each("case", BROKEN)
def test_what_is_no_answer(case: str) -> None:
    stream, kind, words = BROKEN[case]
    error = error_of(read(stream))
    assert type(error) is kind
    assert f"Acme {words}" in error.message


def test_how_long_the_end_is_waited_for() -> None:
    reader = bedrock_converse.reader(ACME)
    lingers = [reader.linger]
    for chunk in (STOP, event("metadata", usage={"inputTokens": 1, "outputTokens": 1})):
        reader.feed(chunk)
        lingers.append(reader.linger)
    assert lingers == [None, bedrock_converse.AFTER_STOP, bedrock_converse.AFTER_USAGE]


odd = st.none() | st.booleans() | st.integers(-1, 3) | st.text(max_size=2) | st.lists(st.integers(), max_size=1)
fields = st.dictionaries(
    st.sampled_from(["contentBlockIndex", "start", "delta", "stopReason", "usage"]),
    odd
    | st.dictionaries(
        st.sampled_from(["text", "toolUse", "reasoningContent", "inputTokens", "outputTokens"]),
        odd | st.dictionaries(st.sampled_from(["text", "input", "name", "signature", "redactedContent"]), odd),
    ),
)
kinds = st.sampled_from(["contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "?"])
types = st.sampled_from(["event", "exception", "error"])


@given(
    st.lists(
        st.builds(
            lambda payload, kind, type: frame(json.dumps(payload).encode(), event_type=kind, message_type=type),
            fields | odd,
            kinds,
            types,
        )
    )
)
def test_no_frames_whatever_are_too_odd(frames: list[bytes]) -> None:
    readings = read(*frames)
    assert any(isinstance(reading, StopSeen | ErrorSeen) for reading in readings)
    assert comparable(read(b"".join(frames))) == comparable(readings)


# Errors, and lists of models

ERRORS: dict[str, tuple[int, str, str, type[PointsmanError]]] = {
    "too often": (429, "ThrottlingException:http://internal.amazon.com/coral/", "Slow down", RateLimited),
    "not ready": (429, "ModelNotReadyException", "Loading", Overloaded),
    "a wrong key": (403, "UnrecognizedClientException", "The security token is invalid.", InvalidKey),
    "no right": (403, "AccessDeniedException", "You don't have access.", InvalidKey),
    "no model": (404, "ResourceNotFoundException", "Could not find it.", ModelNotFound),
    "no such id": (400, "ValidationException", "The provided model identifier is invalid.", ModelNotFound),
    "not this way": (
        400,
        "ValidationException",
        "Invocation of model ID x with on-demand throughput isn’t supported.",
        ModelNotFound,
    ),
    "a wrong request": (400, "ValidationException", "The text field is blank.", BadRequest),
    "trouble": (500, "InternalServerException", "Oh dear", Overloaded),
    "a model's trouble": (424, "ModelErrorException", "Oh dear", Overloaded),
    "no kind": (503, "", "Oh dear", Overloaded),
}


@each("case", ERRORS)
def test_errors(case: str) -> None:
    status, name, message, kind = ERRORS[case]
    head = Head(status, {"x-amzn-errortype": name} if name else {})
    error = bedrock_converse.error(ACME, head, json.dumps({"message": message}).encode())
    assert (type(error), error.message, error.status_code) == (kind, f"Acme says: {message}", status)


def test_there_is_no_list_of_models() -> None:
    assert bedrock_converse.models_request(ACME) is None
    assert bedrock_converse.models_request(ACME, "2") is None
    with pytest.raises(BadReply, match="Acme has no list of models here"):
        bedrock_converse.models(ACME, b"{}")
