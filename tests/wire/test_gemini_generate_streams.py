"""Streams of Gemini: what was recorded, as the official SDK reads it, however it is cut; and its lists of models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pointsman.core.answer import Answer
from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    ErrorSeen,
    Event,
    Notice,
    Reading,
    ReasoningDelta,
    ReasoningPart,
    Seal,
    StopReason,
    StopSeen,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolCallPart,
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
    QuotaExhausted,
    RateLimited,
)
from pointsman.core.http import Head
from pointsman.core.models import Model
from pointsman.wire import gemini_generate
from tests.each import each
from tests.wire.expected import RECORDED, expected

ACME = Provider(id="acme", name="Acme", wire="gemini-generate", base_url="https://acme.example/v1beta")


def read(*chunks: bytes) -> list[Reading]:
    reader = gemini_generate.reader(ACME)
    return [reading for chunk in chunks for reading in reader.feed(chunk)] + reader.close()


def sse(*chunks: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks)


def said(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, **more}]}


def comparable(readings: Sequence[Reading]) -> list[object]:
    """Readings with errors by their words: errors themselves are equal to nothing."""
    return [r.error.data() if isinstance(r, ErrorSeen) else r for r in readings]


def error_of(readings: Sequence[Reading]) -> PointsmanError:
    (error,) = [reading.error for reading in readings if isinstance(reading, ErrorSeen)]
    return error


def answer(readings: Sequence[Reading]) -> Answer:
    made = Answer()
    for reading in readings:
        if isinstance(reading, Event | Seal):
            made.add(reading)
    return made


# What was recorded


@pytest.mark.parametrize("name", RECORDED["gemini-generate"])
def test_a_recorded_stream_has_its_signatures_and_may_be_a_list(name: str, transcripts: Path) -> None:
    stream = (transcripts / name).read_bytes()
    readings = read(stream)
    seals = [reading for reading in readings if isinstance(reading, Seal)]
    # The SDK counts the bytes of a signature, which is base64 on the wire.
    lengths = [len((seal.signature or "").rstrip("=")) * 3 // 4 for seal in seals]
    assert lengths == expected(transcripts, name).more.get("thought_signature_lengths", [])
    as_list = b"[" + b",\r\n".join(line[6:] for line in stream.splitlines() if line.startswith(b"data: ")) + b"]"
    assert read(as_list[:50], as_list[50:]) == readings


def test_signatures_stand_where_they_go_back_from(transcripts: Path) -> None:
    thinking = answer(read((transcripts / "gemini.thinking.25pro.sse").read_bytes())).message()
    thought, text = thinking.parts
    assert isinstance(thought, ReasoningPart)
    assert isinstance(text, TextPart)
    assert thought.signature
    assert thought.opaque is None
    (call,) = answer(read((transcripts / "gemini.tool-thoughtsignature.3pro.sse").read_bytes())).message().parts
    assert isinstance(call, ToolCallPart)
    assert call.signature


# What was not recorded


def left_out(what: str) -> Notice:
    return Notice("answer", f"Acme also sent what has no place here and was left out: {what}.")


USED = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}
REPORT = UsageReport(Usage(input_tokens=5, output_tokens=2, exact=True))
STOP = said(finishReason="STOP")
CALL = {"functionCall": {"name": "f", "args": {"a": "é"}}}

STREAMS: dict[str, tuple[list[Any], list[Reading]]] = {
    "a chunk with nothing in it": (
        [{}, {"candidates": []}, {"candidates": [{}]}, said(), STOP],
        [StopSeen("end")],
    ),
    "one that is no reason": ([said(finishReason=""), STOP], [StopSeen("end")]),
    "another candidate": ([said({"text": "no"}, index=1, finishReason="STOP"), STOP], [StopSeen("end")]),
    "a signature on text": (
        [said({"text": "a", "thoughtSignature": "s"}), STOP],
        [Seal("s"), TextDelta("a"), StopSeen("end")],
    ),
    "a signature on nothing": (
        [said({"text": "a"}), said({"text": "", "thoughtSignature": "s"}, finishReason="STOP")],
        [TextDelta("a"), Seal("s"), StopSeen("end")],
    ),
    "a signature on a thought": (
        [said({"text": "hm", "thought": True, "thoughtSignature": "s"}), STOP],
        [ReasoningDelta("hm"), Seal("s", {"thought": True}), StopSeen("end")],
    ),
    "a thought without words": ([said({"text": "", "thought": True}), STOP], [StopSeen("end")]),
    "calls with ids and without": (
        [said(CALL | {"thoughtSignature": "s"}, {"functionCall": {"id": "x", "name": "g"}}), STOP],
        [
            ToolCallDelta(0, '{"a":"é"}', "call_0", "f"),
            Seal("s", index=0),
            ToolCallDelta(1, "{}", "x", "g"),
            StopSeen("toolCalls"),
        ],
    ),
    "calls of an answer with an id": (
        [said(CALL, CALL, finishReason="STOP") | {"responseId": "r-1"}],
        [
            ToolCallDelta(0, '{"a":"é"}', "call_r-1_0", "f"),
            ToolCallDelta(1, '{"a":"é"}', "call_r-1_1", "f"),
            StopSeen("toolCalls"),
        ],
    ),
    "calls of an answer with an id that is too long": (
        [said(CALL, finishReason="STOP") | {"responseId": "r" * 31}],
        [ToolCallDelta(0, '{"a":"é"}', "call_0", "f"), StopSeen("toolCalls")],
    ),
    "a call that does not fit": (
        [said(CALL, finishReason="MAX_TOKENS")],
        [ToolCallDelta(0, '{"a":"é"}', "call_0", "f"), StopSeen("length")],
    ),
    "an image": (
        [said({"inlineData": {"mimeType": "image/png", "data": "AA=="}}), STOP],
        [
            Notice("answer", "The model answered with image/png, which can't be shown; it was left out."),
            StopSeen("end"),
        ],
    ),
    "what has no place": (
        [
            said({"executableCode": {"language": "PYTHON", "code": "1"}}, {"text": "a"}),
            said({"executableCode": {}}, {"codeExecutionResult": {"output": "1"}}, {"fileData": {"fileUri": "u"}}),
            STOP,
        ],
        [
            left_out("executable code"),
            TextDelta("a"),
            left_out("code execution result"),
            left_out("file data"),
            StopSeen("end"),
        ],
    ),
    "all kinds of tokens": (
        [
            STOP
            | {
                "usageMetadata": USED
                | {"cachedContentTokenCount": 3, "thoughtsTokenCount": 10, "toolUsePromptTokenCount": 100}
            }
        ],
        [
            UsageReport(
                Usage(input_tokens=105, output_tokens=12, exact=True, cached_input_tokens=3, reasoning_tokens=10)
            ),
            StopSeen("end"),
        ],
    ),
    "a prompt that is refused": (
        [{"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5}}],
        [
            Notice("contentFilter", "Acme refused the prompt: SAFETY."),
            UsageReport(Usage(input_tokens=5, output_tokens=0, exact=True)),
            StopSeen("contentFilter"),
        ],
    ),
    "a prompt that is not refused": ([{"promptFeedback": {}}, STOP], [StopSeen("end")]),
    "an answer that is stopped": (
        [said({"text": "a"}, finishReason="RECITATION")],
        [TextDelta("a"), Notice("contentFilter", "Acme stopped the answer: RECITATION."), StopSeen("contentFilter")],
    ),
    "tokens that are counted after the end": (
        [STOP | {"usageMetadata": {"promptTokenCount": 5}}, {"usageMetadata": USED}, {"usageMetadata": USED}],
        [UsageReport(Usage(input_tokens=5, output_tokens=0, exact=True)), StopSeen("end"), REPORT],
    ),
    "what comes after the end": ([STOP, STOP, said(finishReason="SAFETY"), {"error": {}}], [StopSeen("end")]),
}


@each("case", STREAMS)
def test_what_a_stream_says(case: str) -> None:
    chunks, expected = STREAMS[case]
    assert read(sse(*chunks)) == expected
    assert read(json.dumps(chunks).encode()) == expected


REASONS: dict[str, StopReason] = {
    "STOP": "end",
    "MAX_TOKENS": "length",
    "OTHER": "end",
    "SOMETHING_NEW": "end",
    **dict.fromkeys(["SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"], "contentFilter"),
}


@each("reason", REASONS)
def test_reasons_to_stop(reason: str) -> None:
    assert read(sse(said(finishReason=reason)))[-1] == StopSeen(REASONS[reason])


@each(("more", "words"), [({}, ""), ({"finishMessage": "no such tool"}, r" \(no such tool\)")])
def test_a_model_that_fails_at_a_call(more: dict[str, str], words: str) -> None:
    usage, failed = read(sse(said(finishReason="MALFORMED_FUNCTION_CALL", **more) | {"usageMetadata": USED}))
    assert usage == REPORT
    error = error_of([failed])
    assert isinstance(error, BadReply)
    with pytest.raises(BadReply, match=f"Acme failed at the answer: MALFORMED_FUNCTION_CALL{words}. Ask again"):
        raise error


def test_an_error_in_the_stream() -> None:
    limit = {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}
    wait = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "13.5s"}
    readings = read(sse(said({"text": "a"}), {"error": limit | {"details": [wait]}}, {"error": {"message": "again"}}))
    assert readings[0] == TextDelta("a")
    error = error_of(readings)
    assert isinstance(error, RateLimited)
    assert (error.message, error.retry_after, error.status_code) == ("Acme says: slow down", 13.5, 429)


def test_an_answer_that_breaks_off_has_cost_something() -> None:
    readings = read(sse(said({"text": "a"}) | {"usageMetadata": USED}))
    assert readings[:2] == [TextDelta("a"), REPORT]
    assert isinstance(error_of(readings), Interrupted)
    assert isinstance(error_of(read(sse(said({"text": "a"})))), Interrupted)


@each("body", [b'{"a": 1}', b"<html>", b"event: x\r\n\r\n"])
def test_what_is_no_event_stream(body: bytes) -> None:
    (error,) = [r.error for r in read(body) if isinstance(r, ErrorSeen)]
    assert isinstance(error, BadReply)
    assert error.message == "Acme did not answer with an event stream."


def test_a_chunk_that_can_not_be_read() -> None:
    errors = [r.error.code for r in read(sse({"candidates": 1})) if isinstance(r, ErrorSeen)]
    assert errors == ["BadReply", "Interrupted"]


def test_a_list_that_can_not_be_read() -> None:
    stream = json.dumps([STOP]).encode()
    assert read(b"\r\n", stream) == [StopSeen("end")]
    errors = [r.error.code for r in read(stream[:-1]) if isinstance(r, ErrorSeen)]
    assert errors == ["BadReply", "Interrupted"]


def test_a_list_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gemini_generate, "LONGEST_EVENT", 1000)
    reader = gemini_generate.reader(ACME)
    assert reader.feed(b"[" + b" " * 999) == []
    assert "a list of more than 16 MiB" in error_of(reader.feed(b" ")).message
    assert reader.feed(b"]") == []


def test_how_long_the_end_is_waited_for() -> None:
    reader = gemini_generate.reader(ACME)
    reader.feed(sse(said({"text": "a"})))
    assert reader.linger is None
    reader.feed(sse(STOP))
    assert reader.linger == gemini_generate.AFTER_STOP


# Errors, and lists of models

ERRORS: dict[str, tuple[int, dict[str, Any], type[PointsmanError], float | None]] = {
    "a wrong key": (
        400,
        {"message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"},
        InvalidKey,
        None,
    ),
    "no right": (403, {"message": "no", "status": "PERMISSION_DENIED"}, InvalidKey, None),
    "no model": (404, {"message": "models/x is not found", "status": "NOT_FOUND"}, ModelNotFound, None),
    "a wrong field": (400, {"message": "Unknown name", "status": "INVALID_ARGUMENT"}, BadRequest, None),
    "too much": (
        400,
        {
            "message": "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            "status": "INVALID_ARGUMENT",
        },
        ContextTooLong,
        None,
    ),
    "too often": (
        429,
        {
            "message": "You exceeded your current quota.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {"violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]},
                {"retryDelay": "47s"},
            ],
        },
        RateLimited,
        47.0,
    ),
    "too often today": (
        429,
        {
            "message": "You exceeded your current quota.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}],
        },
        QuotaExhausted,
        None,
    ),
    "trouble": (503, {"message": "The model is overloaded.", "status": "UNAVAILABLE"}, Overloaded, None),
}


@each("case", ERRORS)
def test_errors(case: str) -> None:
    status, inside, kind, wait = ERRORS[case]
    body = {"error": {"code": status, **inside}}
    for reply in (body, [body]):  # a stream's error is in a list
        error = gemini_generate.error(ACME, Head(status), json.dumps(reply).encode())
        assert type(error) is kind
        assert (error.status_code, error.retry_after) == (status, wait)
        assert inside["message"] in error.message


def test_a_list_of_models() -> None:
    body = {
        "models": [
            {
                "name": "models/big",
                "displayName": "Big",
                "inputTokenLimit": 1000,
                "outputTokenLimit": 10,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
                "thinking": True,
            },
            {"name": "models/embed", "supportedGenerationMethods": ["embedContent"]},
            {"name": "tunedModels/mine", "supportedGenerationMethods": ["generateContent"]},
        ],
        "nextPageToken": "p2",
    }
    page = gemini_generate.models(ACME, json.dumps(body).encode())
    assert list(page.models) == [
        Model("acme:big", "acme", "big", "Big", ("reasoning",), "live", 1000, 10),
        Model("acme:tunedModels/mine", "acme", "tunedModels/mine", "tunedModels/mine", (), "live"),
    ]
    assert page.next == "p2"
    assert gemini_generate.models(ACME, b'{"nextPageToken": ""}').next is None
    with pytest.raises(BadReply, match="list of models that can't be read"):
        gemini_generate.models(ACME, b"[]")


def test_where_the_list_of_models_is() -> None:
    first = gemini_generate.models_request(ACME)
    second = gemini_generate.models_request(ACME, "a/b")
    assert first
    assert second
    assert first.url == "https://acme.example/v1beta/models?pageSize=1000"
    assert second.url == "https://acme.example/v1beta/models?pageSize=1000&pageToken=a%2Fb"
    versioned = Provider(id="a", base_url="https://h", api_version="1")
    last = gemini_generate.models_request(versioned)
    assert last
    assert last.url == "https://h/models?api-version=1&pageSize=1000"
    assert gemini_generate.models_request(Provider(id="v", base_url="https://h", model_list="none")) is None
