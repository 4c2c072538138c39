"""Streams of chat completions: what recorded providers said, as their official SDK reads it, however it is cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Cost,
    ErrorSeen,
    Reading,
    ReasoningDelta,
    Seal,
    StopReason,
    StopSeen,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from pointsman.core.errors import BadReply, BadRequest, Interrupted, Overloaded, PointsmanError, RateLimited
from pointsman.wire import event_reader, openai_chat, openai_chat_reader
from tests.each import each
from tests.wire.expected import expected

ACME = Provider(id="acme", name="Acme", base_url="https://acme.example/v1")


def read(*chunks: bytes) -> list[Reading]:
    reader = openai_chat.reader(ACME)
    return [reading for chunk in chunks for reading in reader.feed(chunk)] + reader.close()


def cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


# What providers have said


def test_what_has_to_go_back_is_made_of_its_fragments(transcripts: Path) -> None:
    name = "openrouter.reasoning.sonnet45.sse"
    said, readings = expected(transcripts, name), read((transcripts / name).read_bytes())
    (seal,) = [r for r in readings if isinstance(r, Seal)]
    assert [detail["type"] for detail in seal.opaque] == said.more["reasoning_details_types"]
    assert seal.opaque[0]["text"] == said.thought
    assert seal.opaque[0]["signature"].startswith("Et0BCkg")
    kinds = [type(r) for r in readings]
    assert kinds.index(Seal) == kinds.index(TextDelta) - 1


def test_reasoning_that_is_counted_beside_the_output_is_added_to_it(transcripts: Path) -> None:
    (report,) = [
        r for r in read((transcripts / "xai-chat.tool.grok3mini.sse").read_bytes()) if isinstance(r, UsageReport)
    ]
    assert report.usage == Usage(307, 26 + 227, exact=True, cached_input_tokens=306, reasoning_tokens=227)


def test_an_error_in_the_middle_says_its_status(transcripts: Path) -> None:
    last = read((transcripts / "openrouter.midstream-error.sse").read_bytes())
    assert [r.error.status_code for r in last if isinstance(r, ErrorSeen)] == [400]


@pytest.mark.parametrize("name", ["openrouter.text.comments.sse", "qwen.tool.qwen3max.sse"])
def test_a_recorded_stream_may_be_cut_anywhere(name: str, transcripts: Path) -> None:
    stream = (transcripts / name).read_bytes()
    readings = read(stream)
    for at in range(len(stream)):
        assert read(stream[:at], stream[at:]) == readings, f"cut at {at}"


@pytest.mark.parametrize("name", ["openai-chat.text.gpt4o.sse", "groq.tool.sse"])
def test_a_recorded_stream_that_ends_early_is_told_as_broken(name: str, transcripts: Path) -> None:
    stream = (transcripts / name).read_bytes()
    finish = stream.index(b'"finish_reason":"')
    for at in range(0, finish, 97):
        last = read(stream[:at])[-1]
        assert isinstance(last, ErrorSeen)
        assert isinstance(last.error, Interrupted | BadReply)


# What a chunk may hold


def chunk(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def delta(finish_reason: str | None = None, **fields: Any) -> bytes:
    return chunk(choices=[{"index": 0, "delta": fields, "finish_reason": finish_reason}])


def detail(reasoning: str, type: str = "reasoning.text", **fields: Any) -> bytes:
    return delta(reasoning=reasoning, reasoning_details=[{"type": type, **fields}])


STOP, DONE = delta("stop"), b"data: [DONE]\n\n"
T, R, C = TextDelta, ReasoningDelta, ToolCallDelta
END, CALLED = StopSeen("end"), StopSeen("toolCalls")


def called(id: str | None, name: str | None, arguments: str = "", **more: int) -> bytes:
    return delta(tool_calls=[{"id": id, "function": {"name": name, "arguments": arguments}, **more}])


def used(input: int, output: int, **more: int) -> UsageReport:
    return UsageReport(Usage(input, output, exact=True, **more))


CASES: dict[str, tuple[list[bytes], list[Reading]]] = {
    "text": ([delta(content="a"), delta(content="b"), STOP, DONE], [T("a"), T("b"), END]),
    "without [DONE]": ([delta(content="a"), STOP], [T("a"), END]),
    "without a finish reason": ([delta(content="a"), DONE], [T("a"), END]),
    "no blank line at the end": ([delta(content="a"), STOP[:-2]], [T("a"), END]),
    "nothing after [DONE]": ([STOP, DONE, delta(content="a"), b"data: {\n\n"], [END]),
    "two finish reasons": ([delta("length"), STOP], [StopSeen("length")]),
    "text and finish in one": ([delta("length", content="a")], [T("a"), StopSeen("length")]),
    "text after the finish": ([STOP, delta(content="a")], [END, T("a")]),
    "an empty finish reason": ([delta("", content="a"), STOP], [T("a"), END]),
    "nothing in it": ([chunk(), chunk(choices=None), chunk(choices=[]), chunk(choices=[{}]), STOP], [END]),
    "empty and absent text": ([delta(content=""), delta(content=None), delta(role="assistant"), STOP], [END]),
    "thought, named in one way": ([delta(reasoning_content="a", content="b"), STOP], [R("a"), T("b"), END]),
    "thought, named in the other": ([delta(reasoning="a"), STOP], [R("a"), END]),
    "thought, named in both": ([delta(reasoning="a", reasoning_content="a"), STOP], [R("a"), END]),
    "a refusal": ([delta(refusal="no"), STOP], [T("no"), END]),
    "blocks": (
        [
            delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "a"}, {"text": "b"}]}]),
            delta(content=[{"type": "thinking", "thinking": "c"}, {"type": "text", "text": "d"}, {"type": "odd"}]),
            STOP,
        ],
        [R("ab"), R("c"), T("d"), END],
    ),
    "only the first choice": (
        [chunk(choices=[{"index": 1, "delta": {"content": "x"}, "finish_reason": "stop"}]), delta(content="a"), STOP],
        [T("a"), END],
    ),
    "a call in fragments": (
        [
            delta(tool_calls=[{"index": 0, "id": "i", "type": "function", "function": {"name": "n", "arguments": ""}}]),
            delta(tool_calls=[{"index": 0, "id": "", "function": {"arguments": "{"}}]),
            delta(tool_calls=[{"index": 0, "function": {"name": None, "arguments": "}"}}]),
            delta("tool_calls"),
        ],
        [C(0, "", "i", "n"), C(0, "{"), C(0, "}"), StopSeen("toolCalls")],
    ),
    "calls without an index": (
        [delta(tool_calls=[{"id": "i", "function": {"name": "n"}}, {"id": "j", "function": {"name": "m"}}]), STOP],
        [C(0, "", "i", "n"), C(1, "", "j", "m"), CALLED],
    ),
    "calls without an index, one by one": (
        [called("i", "n"), called("j", "m"), called("", None, "{}"), called("i", None, "{}"), STOP],
        [C(0, "", "i", "n"), C(1, "", "j", "m"), C(1, "{}"), C(0, "{}", "i"), CALLED],
    ),
    "calls that share an index": (
        [
            called("i", "n", "{}", index=0),
            called("j", "m", "{", index=0),
            called("j", None, "}", index=0),
            called("i", None, " ", index=0),
            called("", None, " ", index=0),
            called("k", "o", index=1),
            called("", None, "{}", index=1),
            STOP,
        ],
        [
            C(0, "{}", "i", "n"),
            C(1, "{", "j", "m"),
            C(1, "}", "j"),
            C(0, " ", "i"),
            C(0, " "),
            C(2, "", "k", "o"),
            C(2, "{}"),
            CALLED,
        ],
    ),
    "calls without an id": (
        [called("", "n"), called(None, "m", "{}"), called("", None, " "), STOP],
        [C(0, "", "call_0", "n"), C(1, "{}", "call_1", "m"), C(1, " "), CALLED],
    ),
    "an id that comes late, and one of another call": (
        [called("", "n", index=0), called("i", None, "{}", index=0), called("j", "m", index=0), STOP],
        [C(0, "", "call_0", "n"), C(0, "{}"), C(1, "", "j", "m"), CALLED],
    ),
    "a call, and a limit": ([called("i", "n"), delta("length")], [C(0, "", "i", "n"), StopSeen("length")]),
    "a call, and only [DONE]": ([called("i", "n"), DONE], [C(0, "", "i", "n"), CALLED]),
    "arguments as an object": (
        [delta(tool_calls=[{"id": "i", "function": {"name": "n", "arguments": {"a": [1]}}}]), STOP],
        [C(0, '{"a":[1]}', "i", "n"), CALLED],
    ),
    "a call without a function": ([delta(tool_calls=[{"index": 2, "id": "i"}]), STOP], [C(2, "", "i"), CALLED]),
    "usage with the last choice": (
        [
            chunk(
                choices=[{"delta": {}, "finish_reason": "stop"}],
                usage={"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
            )
        ],
        [END, used(3, 4)],
    ),
    "usage after [DONE] is too late": (
        [STOP, DONE, chunk(usage={"prompt_tokens": 3, "completion_tokens": 4})],
        [END],
    ),
    "usage with reasoning beside the output": (
        [
            chunk(
                usage={
                    "prompt_tokens": 3,
                    "completion_tokens": 4,
                    "total_tokens": 12,
                    "completion_tokens_details": {"reasoning_tokens": 5},
                }
            ),
            STOP,
        ],
        [UsageReport(Usage(3, 9, exact=True, reasoning_tokens=5)), END],
    ),
    "usage in the choice": (
        [chunk(choices=[{"finish_reason": "stop", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}])],
        [END, used(3, 4)],
    ),
    "what was cached, by other names": (
        [
            chunk(usage={"prompt_tokens": 3, "completion_tokens": 4, "cached_tokens": 0}),
            chunk(usage={"prompt_tokens": 3, "completion_tokens": 4, "prompt_cache_hit_tokens": 2}),
            STOP,
        ],
        [used(3, 4, cached_input_tokens=0), used(3, 4, cached_input_tokens=2), END],
    ),
    "usage that is not known": ([chunk(usage=None), chunk(usage={}), chunk(usage={"prompt_tokens": 3}), STOP], [END]),
    "reasoning within the output": (
        [
            STOP,
            chunk(
                usage={
                    "prompt_tokens": 3,
                    "completion_tokens": 9,
                    "total_tokens": 12,
                    "completion_tokens_details": {"reasoning_tokens": 5},
                }
            ),
        ],
        [END, used(3, 9, reasoning_tokens=5)],
    ),
    "no total to tell by": (
        [
            STOP,
            chunk(
                usage={
                    "prompt_tokens": 3,
                    "completion_tokens": 9,
                    "completion_tokens_details": {"reasoning_tokens": 5},
                    "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1},
                }
            ),
        ],
        [END, used(3, 9, reasoning_tokens=5, cached_input_tokens=2, cache_write_tokens=1)],
    ),
    "a cost": (
        [STOP, chunk(usage={"prompt_tokens": 3, "completion_tokens": 9, "cost": 0})],
        [END, UsageReport(Usage(3, 9, exact=True), Cost(0.0, exact=True, source="acme"))],
    ),
    "Azure's first chunk, without a choice": (
        [chunk(choices=[], id="", model="", prompt_filter_results=[{"prompt_index": 0}]), delta(content="a"), STOP],
        [T("a"), END],
    ),
    "details of a thought": (
        [
            detail("", index=0, text="", signature=""),
            detail("h", index=0, text="h"),
            detail("m", index=0, text="m", format=None),
            detail("", index=0, signature="s", format="f"),
            delta(content="a", reasoning_details=[]),
            STOP,
        ],
        [
            R("h"),
            R("m"),
            Seal(opaque=[{"type": "reasoning.text", "index": 0, "text": "hm", "signature": "s", "format": "f"}]),
            T("a"),
            END,
        ],
    ),
    "details of several thoughts": (
        [
            detail("a", index=0, text="a"),
            detail("b", index=1, text="b"),
            detail("c", type="reasoning.summary", index=0, summary="c"),
            detail("d", type="reasoning.summary", index=0, summary="d"),
            detail("", type="reasoning.encrypted", index=0, data="e"),
            detail("", type="reasoning.encrypted", index=0, data="f"),
            delta(tool_calls=[{"id": "i", "function": {"name": "n"}}]),
            STOP,
        ],
        [
            R("a"),
            R("b"),
            R("c"),
            R("d"),
            Seal(
                opaque=[
                    {"type": "reasoning.text", "index": 0, "text": "a"},
                    {"type": "reasoning.text", "index": 1, "text": "b"},
                    {"type": "reasoning.summary", "index": 0, "summary": "cd"},
                    {"type": "reasoning.encrypted", "index": 0, "data": "e"},
                    {"type": "reasoning.encrypted", "index": 0, "data": "f"},
                ]
            ),
            C(0, "", "i", "n"),
            CALLED,
        ],
    ),
    "details after the words": (
        [delta(content="a"), detail("", type="reasoning.encrypted", data="e"), STOP],
        [T("a"), Seal(opaque=[{"type": "reasoning.encrypted", "data": "e"}]), END],
    ),
    "details without a finish reason": (
        [detail("", type="reasoning.encrypted", data="e"), DONE],
        [Seal(opaque=[{"type": "reasoning.encrypted", "data": "e"}]), END],
    ),
    "details after the finish": (
        [STOP, detail("", type="reasoning.encrypted", data="e")],
        [END, Seal(opaque=[{"type": "reasoning.encrypted", "data": "e"}])],
    ),
    "names that nobody knows": (
        [b": busy\n\n", b"event: odd\nid: 7\n", delta(content="a", odd={"id": 1}), chunk(object="odd"), STOP],
        [T("a"), END],
    ),
}


@each("case", CASES)
def test_what_a_stream_says(case: str) -> None:
    chunks, expected = CASES[case]
    assert read(*chunks) == expected
    assert read(*cut(b"".join(chunks), 1)) == expected


@each(
    ("theirs", "ours"),
    [
        ("stop", "end"),
        ("length", "length"),
        ("tool_calls", "toolCalls"),
        ("function_call", "toolCalls"),
        ("content_filter", "contentFilter"),
        ("sensitive", "contentFilter"),
        ("model_length", "length"),
        ("of tomorrow", "end"),
    ],
)
def test_why_an_answer_ends(theirs: str, ours: StopReason) -> None:
    assert read(delta(theirs)) == [StopSeen(ours)]


TOOL_USE_FAILED = {
    "message": "Failed to call a function.",
    "type": "invalid_request_error",
    "code": "tool_use_failed",
    "failed_generation": "<function=f>{",
    "status_code": 400,
}


@each(
    ("chunks", "kind", "words"),
    [
        ([], Interrupted, "Acme closed the stream before the answer was complete."),
        ([delta(content="a")], Interrupted, "before the answer was complete"),
        ([b": busy\n\n", delta()], Interrupted, "before the answer was complete"),
        ([b"<html>Bad gateway</html>"], BadReply, "did not answer with an event stream"),
        ([b'{"choices": []}'], BadReply, "did not answer with an event stream"),
        ([b"data: {\n\n", STOP], BadReply, "Acme sent a chunk that can't be read"),
        ([b"data: 3\n\n", STOP], BadReply, "can't be read"),
        ([b"data: \xff\n\n", STOP], BadReply, "can't be read"),
        ([b"data: " + b'{"error":' * 9999 + b"\n\n"], BadReply, "can't be read"),
        ([delta(content={"text": "a"})], BadReply, "can't be read"),
        ([chunk(error={"message": "full", "code": 502})], Overloaded, "Acme says: full"),
        ([chunk(error={"message": "full", "code": 429})], RateLimited, "Acme says: full"),
        ([chunk(error={"message": "bad", "code": "rate_limit_exceeded"})], RateLimited, "Acme says: bad"),
        ([chunk(error={"message": "bad", "type": "server_error"})], Overloaded, "Acme says: bad"),
        ([chunk(error="full")], Overloaded, "Acme says: full"),
        ([chunk(error={})], Overloaded, "answered HTTP 500 without a word"),
        ([delta(content="a"), delta("error"), DONE], Interrupted, "Acme broke the answer off, and says only `error`."),
        ([delta("abort")], Interrupted, "`abort`"),
        ([delta("network_error")], Interrupted, "`network_error`"),
        ([delta("insufficient_system_resource")], Overloaded, "`insufficient_system_resource`"),
        ([chunk(object="error", message="full", code=500)], Overloaded, "Acme says: full"),
        ([chunk(object="error", message="bad", code=400)], BadRequest, "Acme says: bad"),
        ([chunk(error={"message": "bad", "status_code": 400})], BadRequest, "Acme says: bad"),
        ([b"event: error\n", chunk(error=TOOL_USE_FAILED)], BadRequest, "Acme says: Failed to call a function."),
    ],
)
def test_what_breaks_a_stream(chunks: list[bytes], kind: type[PointsmanError], words: str) -> None:
    whole = b"".join(chunks)
    for cutting in (chunks, cut(whole, 1 + len(whole) // 1000)):  # byte by byte, unless it is long
        error = next(r.error for r in read(*cutting) if isinstance(r, ErrorSeen))
        assert type(error) is kind
        assert words in error.message
        assert error.provider == "acme"


def test_an_error_is_told_once_and_is_no_end() -> None:
    readings = read(chunk(error={"message": "full", "code": 502}, choices=[{"finish_reason": "error"}]), DONE)
    assert [type(reading) for reading in readings] == [ErrorSeen]


@each(
    ("chunks", "seconds"),
    [
        ([], None),
        ([delta(content="a")], None),
        ([STOP], openai_chat_reader.AFTER_STOP),
        ([STOP, chunk(usage={})], openai_chat_reader.AFTER_STOP),
        ([STOP, DONE], openai_chat_reader.AFTER_DONE),
        ([DONE], openai_chat_reader.AFTER_DONE),
    ],
)
def test_how_long_more_is_worth_waiting_for(chunks: list[bytes], seconds: float | None) -> None:
    reader = openai_chat.reader(ACME)
    for one in chunks:
        reader.feed(one)
    assert reader.linger == seconds


def test_an_event_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_reader, "LONGEST_EVENT", 1000)
    reader = openai_chat.reader(ACME)
    assert reader.feed(b"data: " + b"x" * 900) == []
    (reading,) = reader.feed(b"x" * 200)
    assert isinstance(reading, ErrorSeen)
    assert isinstance(reading.error, BadReply)
