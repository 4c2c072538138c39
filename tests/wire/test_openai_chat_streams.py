"""Streams of chat completions: what recorded providers said, as their official SDK reads it, however it is cut."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Cost,
    ErrorSeen,
    Reading,
    ReasoningDelta,
    StopReason,
    StopSeen,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from pointsman.core.errors import BadReply, BadRequest, Interrupted, Overloaded, PointsmanError, RateLimited
from pointsman.wire import openai_chat

ACME = Provider(id="acme", name="Acme", base_url="https://acme.example/v1")


def read(*chunks: bytes) -> list[Reading]:
    reader = openai_chat.reader(ACME)
    return [reading for chunk in chunks for reading in reader.feed(chunk)] + reader.close()


def cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


# What providers have said

RECORDED = [
    "openai-chat.text.gpt4o.sse",
    "openai-chat.tool.gpt4omini.sse",
    "openai-chat.paralleltools.gpt4o.sse",
    "azure-chat.contentfilter.2024-02-01.sse",
    "openrouter.midstream-error.sse",
    "openrouter.reasoning.sonnet45.sse",
    "openrouter.text.comments.sse",
    "groq.tool.sse",
    "deepseek.reasoner.sse",
    "mistral.magistral-thinking.sse",
    "xai-chat.tool.grok3mini.sse",
    "qwen.tool.qwen3max.sse",
]
REASONS = {"stop": "end", "tool_calls": "toolCalls", "length": "length"}


def test_every_recorded_stream_of_this_dialect_is_read_here(transcripts: Path) -> None:
    expected = json.loads((transcripts / "expect.json").read_bytes())
    assert {name for name, entry in expected.items() if entry["wire"] == "chat"} == set(RECORDED)


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_stream_says_what_the_official_sdk_reads(name: str, transcripts: Path) -> None:
    expected = json.loads((transcripts / "expect.json").read_bytes())[name]["expect"]
    stream = (transcripts / name).read_bytes()
    readings = read(stream)
    assert "".join(r.text for r in readings if isinstance(r, TextDelta)) == expected["text"]
    assert "".join(r.text for r in readings if isinstance(r, ReasoningDelta)) == expected["thinking"]
    assert calls(readings) == expected["tool_calls"]
    assert [r.reason for r in readings if isinstance(r, StopSeen)] == [REASONS[expected["finish"]]]
    check_errors([r.error for r in readings if isinstance(r, ErrorSeen)], expected["error"])
    if expected["error"] is None:
        check_usage([r for r in readings if isinstance(r, UsageReport)], expected["usage"])
    for size in (1, 7, 4096):
        assert comparable(read(*cut(stream, size))) == comparable(readings), f"cut at every {size}"


def comparable(readings: Sequence[Reading]) -> list[object]:
    """Readings with errors by their words: errors themselves are equal to nothing."""
    return [r.error.data() if isinstance(r, ErrorSeen) else r for r in readings]


def calls(readings: Sequence[Reading]) -> list[dict[str, str]]:
    """The tool calls as their fragments make them."""
    made: dict[int, dict[str, str]] = {}
    for reading in readings:
        if isinstance(reading, ToolCallDelta):
            call = made.setdefault(reading.index, {"id": reading.id or "", "name": reading.name or "", "arguments": ""})
            call["arguments"] += reading.arguments
    return list(made.values())


def check_errors(errors: list[PointsmanError], expected: str | None) -> None:
    if expected is None:
        assert errors == []
        return
    assert [f"APIError: {error.message.removeprefix('Acme says: ')}" for error in errors] == [expected]
    assert isinstance(errors[0], BadRequest)
    assert errors[0].status_code == 400


def check_usage(reports: list[UsageReport], theirs: dict[str, Any] | None) -> None:
    """Output includes reasoning for everybody: whatever is not input. (One host counts reasoning beside its output.)"""
    if theirs is None:
        assert reports == []
        return
    (report,) = reports
    assert report.usage == Usage(
        input_tokens=theirs["prompt_tokens"],
        output_tokens=theirs["total_tokens"] - theirs["prompt_tokens"],
        exact=True,
        cached_input_tokens=theirs.get("prompt_tokens_details", {}).get("cached_tokens"),
        cache_write_tokens=theirs.get("prompt_tokens_details", {}).get("cache_write_tokens"),
        reasoning_tokens=theirs.get("completion_tokens_details", {}).get("reasoning_tokens"),
    )
    cost = theirs.get("cost")
    assert report.cost == (None if cost is None else Cost(cost, exact=True, source="acme"))


def test_reasoning_that_is_counted_beside_the_output_is_added_to_it(transcripts: Path) -> None:
    (report,) = [
        r for r in read((transcripts / "xai-chat.tool.grok3mini.sse").read_bytes()) if isinstance(r, UsageReport)
    ]
    assert report.usage == Usage(307, 26 + 227, exact=True, cached_input_tokens=306, reasoning_tokens=227)


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


STOP, DONE = delta("stop"), b"data: [DONE]\n\n"
T, R, C = TextDelta, ReasoningDelta, ToolCallDelta
END = StopSeen("end")


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
        [C(0, "", "i", "n"), C(1, "", "j", "m"), END],
    ),
    "arguments as an object": (
        [delta(tool_calls=[{"id": "i", "function": {"name": "n", "arguments": {"a": [1]}}}]), STOP],
        [C(0, '{"a":[1]}', "i", "n"), END],
    ),
    "a call without a function": ([delta(tool_calls=[{"index": 2, "id": "i"}]), STOP], [C(2, "", "i"), END]),
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
    "names that nobody knows": (
        [b": busy\n\n", b"event: odd\nid: 7\n", delta(content="a", audio={"id": 1}), chunk(object="odd"), STOP],
        [T("a"), END],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_stream_says(case: str) -> None:
    chunks, expected = CASES[case]
    assert read(*chunks) == expected
    assert read(*cut(b"".join(chunks), 1)) == expected


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("stop", "end"),
        ("length", "length"),
        ("tool_calls", "toolCalls"),
        ("function_call", "toolCalls"),
        ("content_filter", "contentFilter"),
        ("of tomorrow", "end"),
    ],
)
def test_why_an_answer_ends(theirs: str, ours: StopReason) -> None:
    assert read(delta(theirs)) == [StopSeen(ours)]


@pytest.mark.parametrize(
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
        ([chunk(error={"message": "bad", "status_code": 400})], BadRequest, "Acme says: bad"),
    ],
)
def test_what_breaks_a_stream(chunks: list[bytes], kind: type[PointsmanError], words: str) -> None:
    for cutting in (chunks, cut(b"".join(chunks), 1)):
        error = next(r.error for r in read(*cutting) if isinstance(r, ErrorSeen))
        assert type(error) is kind
        assert words in error.message
        assert error.provider == "acme"


@pytest.mark.parametrize(
    ("chunks", "seconds"),
    [
        ([], None),
        ([delta(content="a")], None),
        ([STOP], openai_chat.AFTER_STOP),
        ([STOP, chunk(usage={})], openai_chat.AFTER_STOP),
        ([STOP, DONE], openai_chat.AFTER_DONE),
        ([DONE], openai_chat.AFTER_DONE),
    ],
)
def test_how_long_more_is_worth_waiting_for(chunks: list[bytes], seconds: float | None) -> None:
    reader = openai_chat.reader(ACME)
    for one in chunks:
        reader.feed(one)
    assert reader.linger == seconds


def test_an_event_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_chat, "LONGEST_EVENT", 1000)
    reader = openai_chat.reader(ACME)
    assert reader.feed(b"data: " + b"x" * 900) == []
    (reading,) = reader.feed(b"x" * 200)
    assert isinstance(reading, ErrorSeen)
    assert isinstance(reading.error, BadReply)
