"""Streams of Ollama's own dialect: what recorded servers said, as their official SDK reads it, however it is cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    ErrorSeen,
    Reading,
    ReasoningDelta,
    StopSeen,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from pointsman.core.errors import (
    BadReply,
    BadRequest,
    InvalidKey,
    ModelNotFound,
    Overloaded,
    PointsmanError,
    RateLimited,
)
from pointsman.core.http import Head
from pointsman.wire import ollama_chat
from tests.each import each
from tests.wire.expected import RECORDED

ACME = Provider(id="acme", name="Acme", wire="ollama-chat", base_url="http://localhost:11434")


def read(*chunks: bytes) -> list[Reading]:
    reader = ollama_chat.reader(ACME)
    return [reading for chunk in chunks for reading in reader.feed(chunk)] + reader.close()


def bytes_of(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


# What servers have said


@pytest.mark.parametrize("name", RECORDED["ollama-chat"])
def test_a_recorded_stream_may_be_cut_anywhere(name: str, transcripts: Path) -> None:
    stream = (transcripts / name).read_bytes()
    readings = read(stream)
    for at in range(len(stream)):
        assert read(stream[:at], stream[at:]) == readings, f"cut at {at}"


@pytest.mark.parametrize("name", RECORDED["ollama-chat"])
def test_a_recorded_stream_that_ends_early_is_told_as_broken(name: str, transcripts: Path) -> None:
    stream = (transcripts / name).read_bytes()
    last = stream.rstrip().rindex(b"\n")
    for at in range(0, last, 53):
        reading = read(stream[:at])[-1]
        assert isinstance(reading, ErrorSeen)
        assert reading.error.code == "Interrupted"


# What a line may hold


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def said(**fields: Any) -> bytes:
    return line(message={"role": "assistant", "content": "", **fields}, done=False)


def called(name: str, arguments: Any, **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **more}


DONE = line(message={"role": "assistant", "content": ""}, done=True, done_reason="stop")
T, R, C = TextDelta, ReasoningDelta, ToolCallDelta
END = StopSeen("end")

CASES: dict[str, tuple[list[bytes], list[Reading]]] = {
    "text": ([said(content="a"), said(content="é"), DONE], [T("a"), T("é"), END]),
    "no end of the last line": ([said(content="a"), DONE.rstrip()], [T("a"), END]),
    "lines that end in CR LF": ([said(content="a")[:-1] + b"\r\n", DONE], [T("a"), END]),
    "empty lines": ([b"\n", said(content="a"), b"\r\n \n", DONE, b"\n\n"], [T("a"), END]),
    "text in the last line": ([line(message={"content": "a"}, done=True)], [T("a"), END]),
    "what Python calls a line end": ([said(content="a\x85\u2028b"), DONE], [T("a\x85\u2028b"), END]),
    "no message at all": ([line(), line(message=None, done=False), line(message={}), DONE], [END]),
    "thought before words": ([said(thinking="hm", content="a"), DONE], [R("hm"), T("a"), END]),
    "a call": (
        [said(tool_calls=[called("f", {"a": [1]})]), DONE],
        [C(0, '{"a":[1]}', "call_0", "f"), StopSeen("toolCalls")],
    ),
    "calls over several lines": (
        [said(tool_calls=[called("f", {}), called("g", {})]), said(tool_calls=[called("f", {})]), DONE],
        [C(0, "{}", "call_0", "f"), C(1, "{}", "call_1", "g"), C(2, "{}", "call_2", "f"), StopSeen("toolCalls")],
    ),
    "a call with an id": ([said(tool_calls=[called("f", {}, id="x")])], [C(0, "{}", "x", "f")]),
    "a call in text": ([said(tool_calls=[called("f", '{"a":1}')])], [C(0, '{"a":1}', "call_0", "f")]),
    "a call of nothing": ([said(tool_calls=[called("f", None)])], [C(0, "{}", "call_0", "f")]),
    "the length": ([line(done=True, done_reason="length")], [StopSeen("length")]),
    "no reason": ([line(done=True)], [END]),
    "a reason of tomorrow": ([line(done=True, done_reason="odd")], [END]),
    "a call and the length": (
        [said(tool_calls=[called("f", {})]), line(done=True, done_reason="length")],
        [C(0, "{}", "call_0", "f"), StopSeen("length")],
    ),
    "two ends": ([line(done=True, done_reason="length", prompt_eval_count=2, eval_count=1), DONE], [
        UsageReport(Usage(2, 1, exact=True)),
        StopSeen("length"),
    ]),
    "usage": (
        [line(done=True, prompt_eval_count=7, eval_count=9)],
        [UsageReport(Usage(7, 9, exact=True)), END],
    ),
    "usage that is not known": ([line(done=True, prompt_eval_count=7)], [END]),
    "a prompt that is not counted": ([line(done=True, eval_count=9)], [END]),
    "names that nobody knows": ([line(message={"content": "a", "odd": 1}, odd=[2], done=False), DONE], [T("a"), END]),
}  # fmt: skip


@each("case", CASES)
def test_what_a_stream_says(case: str) -> None:
    chunks, expected = CASES[case]
    stops = isinstance(expected[-1], StopSeen)
    for cutting in (chunks, [b"".join(chunks)], bytes_of(b"".join(chunks))):
        readings = read(*cutting)
        assert (readings if stops else readings[:-1]) == expected


@each(
    ("chunks", "kind", "words"),
    [
        ([line(error="model runner has stopped")], Overloaded, "Acme says: model runner has stopped"),
        ([said(content="a"), line(error="full"), DONE], Overloaded, "Acme says: full"),
        ([line(error={"message": "bad", "code": 429})], RateLimited, "Acme says: bad"),
        ([line(error="")], Overloaded, "answered HTTP 500 without a word"),
        ([b"{\n", DONE], BadReply, "Acme sent a line that can't be read"),
        ([b"3\n", DONE], BadReply, "can't be read"),
        ([b"<html>Bad gateway</html>"], BadReply, "can't be read"),
        ([b"\xff\n", DONE], BadReply, "can't be read"),
        ([line(message="a"), DONE], BadReply, "can't be read"),
        ([b'{"error":' * 9999 + b"\n"], BadReply, "can't be read"),
    ],
)
def test_what_breaks_a_stream(chunks: list[bytes], kind: type[PointsmanError], words: str) -> None:
    whole = b"".join(chunks)
    for cutting in (chunks, [whole] if len(whole) > 1000 else bytes_of(whole)):
        error = next(r.error for r in read(*cutting) if isinstance(r, ErrorSeen))
        assert type(error) is kind
        assert words in error.message
        assert error.provider == "acme"


def test_an_error_in_the_middle_comes_after_what_was_said() -> None:
    first, second, *_ = read(said(content="a"), line(error="full"))
    assert first == T("a")
    assert isinstance(second, ErrorSeen)


def test_a_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama_chat, "LONGEST_LINE", 1000)
    reader = ollama_chat.reader(ACME)
    assert reader.feed(b'{"a":"' + b"x" * 900) == []
    (reading,) = reader.feed(b"x" * 200)
    assert isinstance(reading, ErrorSeen)
    assert isinstance(reading.error, BadReply)


# Refusals: here an error is a string


@each(
    ("status", "body", "kind"),
    [
        (400, {"error": "invalid options: temperature"}, BadRequest),
        (401, {"error": "unauthorized"}, InvalidKey),
        (403, {"error": "this model needs a subscription"}, InvalidKey),
        (404, {"error": 'model "nope" not found, try pulling it first'}, ModelNotFound),
        (429, {"error": "you have reached your hourly limit"}, RateLimited),
        (500, {"error": "llama runner process has terminated"}, Overloaded),
        (502, {"error": "upstream"}, Overloaded),
    ],
)
def test_a_refusal_in_a_string(status: int, body: dict[str, str], kind: type[PointsmanError]) -> None:
    error = ollama_chat.error(ACME, Head(status), json.dumps(body).encode())
    assert type(error) is kind
    assert error.message == f"Acme says: {body['error']}"
    assert (error.provider, error.status_code) == ("acme", status)
