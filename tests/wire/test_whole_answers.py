"""An answer that is whole stays whole: neither odd numbers beside it nor what comes after its end undo it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Cost, ErrorSeen, Reading, StopSeen, TextDelta, Usage, UsageReport
from pointsman.wire import WIRES, event_reader, ollama_chat
from tests.each import each
from tests.wire.test_bedrock_converse_streams import event as frame

ODD: Any = "ODD"
"""Where the odd value goes."""


def sse(*events: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def lines(*each: Any) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in each)


def said(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": None} | fields]}


def candidate(text: str = "ok", **fields: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": [{"text": text}]}, **fields}]}


STOPPED = said(delta={}, finish_reason="stop")
PIECE = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ok"}}
WHY = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
OVER = {"type": "message_stop"}
SPOKEN = {"type": "response.output_text.delta", "delta": "ok"}


def completed(usage: Any) -> dict[str, Any]:
    return {"type": "response.completed", "response": {"status": "completed", "usage": usage}}


ANSWERS: dict[str, tuple[str, Any]] = {
    "chat": ("openai-chat", [said(), STOPPED, {"choices": [], "usage": ODD}]),
    "chat, with the finish": ("openai-chat", [said(), STOPPED | {"usage": ODD}]),
    "chat, with the words": ("openai-chat", [said() | {"usage": ODD}, STOPPED]),
    "chat, in the choice": ("openai-chat", [said(), said(delta={}, finish_reason="stop", usage=ODD)]),
    "responses": ("openai-responses", [SPOKEN, completed(ODD)]),
    "messages, at the start": (
        "anthropic-messages",
        [{"type": "message_start", "message": {"usage": ODD}}, PIECE, WHY, OVER],
    ),
    "messages, at the end": ("anthropic-messages", [PIECE, WHY | {"usage": ODD}, OVER]),
    "gemini": ("gemini-generate", [candidate() | {"usageMetadata": ODD}, candidate("", finishReason="STOP")]),
    "gemini, with the finish": ("gemini-generate", [candidate(finishReason="STOP") | {"usageMetadata": ODD}]),
    "gemini, after it": ("gemini-generate", [candidate(finishReason="STOP"), {"usageMetadata": ODD}]),
}
COUNTS = {
    "openai-chat": ("prompt_tokens", "completion_tokens", "prompt_tokens_details", "cached_tokens"),
    "openai-responses": ("input_tokens", "output_tokens", "input_tokens_details", "cached_tokens"),
    "anthropic-messages": ("input_tokens", "output_tokens", "output_tokens_details", "thinking_tokens"),
    "gemini-generate": ("promptTokenCount", "candidatesTokenCount", "cachedContentTokenCount", "x"),
}
NO_COUNTS = ["-1", "9223372036854775808", "1e308", "1e999", "12.5", '"many"', "true", "[]", "{}"]


def read(wire: str, *chunks: bytes) -> list[Reading]:
    reader = WIRES[wire].reader(Provider(id="acme", name="Acme", wire=wire, base_url="https://acme.example"))
    return [reading for chunk in chunks for reading in reader.feed(chunk)] + reader.close()


def reports(readings: list[Reading]) -> list[UsageReport]:
    return [reading for reading in readings if isinstance(reading, UsageReport)]


def check(readings: list[Reading]) -> None:
    """The words and the stop stand, and nothing else is said of how it ended."""
    assert [r for r in readings if isinstance(r, TextDelta | StopSeen | ErrorSeen)] == [
        TextDelta("ok"),
        StopSeen("end"),
    ]


def answer(case: str, odd: str) -> list[Reading]:
    wire, events = ANSWERS[case]
    return read(wire, sse(*events).replace(b'"ODD"', odd.encode()))


@each("odd", ["[]", "3", '"x"', "{}", "null", "[1e999]", "true"])
@each("case", ANSWERS)
def test_usage_of_another_form_is_unknown(case: str, odd: str) -> None:
    readings = answer(case, odd)
    check(readings)
    assert reports(readings) == []


@each("odd", NO_COUNTS)
@each("case", ANSWERS)
@each("which", [0, 1])
def test_what_is_no_count_is_unknown(case: str, which: int, odd: str) -> None:
    names = COUNTS[ANSWERS[case][0]]
    readings = answer(case, f'{{"{names[which]}": {odd}, "{names[1 - which]}": 3}}')
    check(readings)
    assert not any(report.usage.exact for report in reports(readings)), "the rest alone is not all"


@each("odd", ["12", "12.0", '"12"'])
@each("case", sorted(ANSWERS.keys() - {"messages, at the start"}))
def test_a_count_may_be_written_in_several_ways(case: str, odd: str) -> None:
    first, second, *_ = COUNTS[ANSWERS[case][0]]
    readings = answer(case, f'{{"{first}": {odd}, "{second}": {odd}}}')
    check(readings)
    (report,) = reports(readings)
    assert (report.usage.input_tokens, report.usage.output_tokens, report.usage.exact) == (12, 12, True)


@each("odd", ["[]", '{"x": "y"}', '"x"', "-1"])
@each("case", sorted(ANSWERS.keys() - {"messages, at the start"}))
def test_a_detail_that_can_not_be_read_costs_no_other(case: str, odd: str) -> None:
    first, second, third, _ = COUNTS[ANSWERS[case][0]]
    readings = answer(case, f'{{"{first}": 1, "{second}": 2, "{third}": {odd}}}')
    check(readings)
    (report,) = reports(readings)
    assert (report.usage.input_tokens, report.usage.output_tokens, report.usage.exact) == (1, 2, True)
    assert (report.usage.cached_input_tokens, report.usage.reasoning_tokens) == (None, None)


@each(("odd", "usd"), [('"0.01"', 0.01), ("-0.4", None), ("1e308", None), ("[]", None)])
@each("case", ["chat", "responses"])
def test_a_cost_that_is_none_is_unknown(case: str, odd: str, usd: float | None) -> None:
    first, second, *_ = COUNTS[ANSWERS[case][0]]
    (report,) = reports(answer(case, f'{{"{first}": 1, "{second}": 2, "cost": {odd}}}'))
    assert report.cost == (None if usd is None else Cost(usd, exact=True, source="acme"))


FULL = {"prompt_tokens": 7, "completion_tokens": 9, "cost": 0.5}
GEMINI = {"promptTokenCount": 7, "candidatesTokenCount": 6, "thoughtsTokenCount": 3, "cachedContentTokenCount": 2}
START = {"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}}
WORDS = frame("contentBlockDelta", delta={"text": "ok"}) + frame("messageStop", stopReason="end_turn")
COUNTED = {"message": {"content": "ok"}, "done": True, "prompt_eval_count": 7, "eval_count": 9}
TWICE: dict[str, tuple[str, bytes]] = {
    "chat": ("openai-chat", sse(said() | {"usage": FULL}, STOPPED, {"choices": [], "usage": ODD})),
    "chat, with the finish": ("openai-chat", sse(said() | {"usage": FULL}, STOPPED | {"usage": ODD})),
    "chat, in the choice": ("openai-chat", sse(said(usage=FULL), said(delta={}, finish_reason="stop", usage=ODD))),
    "chat, after the end": ("openai-chat", sse(said(), STOPPED | {"usage": FULL}, {"usage": ODD})),
    "responses": (
        "openai-responses",
        sse(SPOKEN, completed({"input_tokens": 7, "output_tokens": 9, "cost": 0.5}), completed(ODD)),
    ),
    "messages": (
        "anthropic-messages",
        sse(START, PIECE, WHY | {"usage": {"output_tokens": 9}}, WHY | {"usage": ODD}, OVER),
    ),
    "gemini": (
        "gemini-generate",
        sse(candidate() | {"usageMetadata": GEMINI}, candidate("", finishReason="STOP") | {"usageMetadata": ODD}),
    ),
    "gemini, after it": (
        "gemini-generate",
        sse(candidate(finishReason="STOP") | {"usageMetadata": GEMINI}, {"usageMetadata": ODD}),
    ),
    "converse": (
        "bedrock-converse",
        WORDS + frame("metadata", usage={"inputTokens": 7, "outputTokens": 9}) + frame("metadata", usage=ODD),
    ),
    "ollama": ("ollama-chat", lines(COUNTED, {"done": True, "prompt_eval_count": ODD, "eval_count": 3})),
}


NOTHING_COUNTED: list[Any] = [None, [], 3, "x"]
NO_USAGE: list[Any] = [*NOTHING_COUNTED, {}, {"input_tokens": "many"}, {"promptTokenCount": -1}]


@each(
    ("case", "odd"),
    [(case, odd) for case in TWICE for odd in (NOTHING_COUNTED if case == "messages" else NO_USAGE)],
)
def test_usage_that_could_be_read_is_not_undone_by_what_can_not_be(case: str, odd: Any) -> None:
    wire, stream = TWICE[case]
    if wire == "bedrock-converse":
        stream = stream.removesuffix(frame("metadata", usage=ODD)) + frame("metadata", usage=odd)
    readings = read(wire, stream.replace(b'"ODD"', json.dumps(odd).encode()))
    check(readings)
    usage = reports(readings)[-1].usage
    assert (usage.input_tokens, usage.output_tokens, usage.exact) == (7, 9, True)


@each("last", [{"promptTokenCount": 7, "totalTokenCount": 16}, {"candidatesTokenCount": 6}])
def test_counts_that_the_last_usage_leaves_out_are_those_of_the_one_before(last: Any) -> None:
    chunks = [candidate(finishReason="STOP") | {"usageMetadata": GEMINI}, {"usageMetadata": last}]
    for stream in (sse(*chunks), json.dumps(chunks).encode()):
        readings = read("gemini-generate", stream)
        check(readings)
        (report,) = reports(readings)
        assert report.usage == Usage(7, 9, exact=True, cached_input_tokens=2, reasoning_tokens=3)


# Those that do not stream events


@each("odd", ["x", [], -1, 2**63, 1.5])
def test_odd_counts_in_lines_and_frames(odd: Any) -> None:
    done = {"message": {"content": "ok"}, "done": True, "done_reason": "stop"}
    words = frame("contentBlockDelta", delta={"text": "ok"}) + frame("messageStop", stopReason="end_turn")
    result = {"type": "result", "subtype": "success", "result": "ok", "total_cost_usd": odd}
    found = [
        read("ollama-chat", lines(done | {"prompt_eval_count": odd, "eval_count": 3})),
        read("bedrock-converse", words, frame("metadata", usage={"inputTokens": odd, "outputTokens": 3})),
        read("bedrock-converse", words, frame("metadata", usage={"inputTokens": 3, "outputTokens": odd})),
        read("bedrock-converse", words, frame("metadata", usage={"outputTokens": 3})),
        read("bedrock-converse", words, frame("metadata", usage=[odd])),
        read("claude-program", lines({"type": "rate_limit_event", "rate_limit_info": odd}, result | {"usage": odd})),
    ]
    for readings in found:
        check(readings)
        assert reports(readings) == []


@each("count", [12, 12.0, "12"])
def test_counts_in_lines_and_frames_may_be_written_in_several_ways(count: Any) -> None:
    done = {"message": {"content": "ok"}, "done": True, "prompt_eval_count": count, "eval_count": count}
    usage = {"type": "result", "result": "ok", "usage": {"input_tokens": count, "output_tokens": count}}
    words = frame("contentBlockDelta", delta={"text": "ok"}) + frame("messageStop", stopReason="end_turn")
    for readings in (
        read("ollama-chat", lines(done)),
        read("bedrock-converse", words, frame("metadata", usage={"inputTokens": count, "outputTokens": count})),
        read("claude-program", lines(usage)),
    ):
        check(readings)
        (report,) = reports(readings)
        assert (report.usage.input_tokens, report.usage.output_tokens, report.usage.exact) == (12, 12, True)


# What comes after the end

ENDED: dict[str, bytes] = {
    "openai-chat": sse(said(), STOPPED),
    "openai-responses": sse(SPOKEN, completed(None)),
    "anthropic-messages": sse(PIECE, WHY, OVER),
    "gemini-generate": sse(candidate(finishReason="STOP")),
    "ollama-chat": lines({"message": {"content": "ok"}, "done": True}),
    "bedrock-converse": frame("contentBlockDelta", delta={"text": "ok"}) + frame("messageStop", stopReason="end_turn"),
    "claude-program": lines({"type": "result", "result": "ok"}),
}
LATE: dict[str, list[bytes]] = {
    **{
        wire: [
            b"data: {oops\n\n",
            b"data: {oops",
            sse({"error": {}}),
            b"event: error\n" + sse({"type": "error", "error": {"message": "Overloaded", "type": "overloaded_error"}}),
            sse(said() | {"choices": 3, "candidates": 3}),
            b"data: " + b"x" * 2000,
        ]
        for wire in ("openai-chat", "openai-responses", "anthropic-messages", "gemini-generate")
    },
    "ollama-chat": [b"{oops\n", b"{oops", lines({"error": "full"}), lines({"message": 3}), b"x" * 2000],
    "bedrock-converse": [
        b"x" * 20,
        frame("metadata", usage=3),
        frame("contentBlockDelta", delta=3),
        frame("x").replace(b"\x05event", b"\x05error"),
    ],
    "claude-program": [b"{oops\n", lines({"type": "result", "is_error": True}), b"x" * 2000],
}


@each(("wire", "late"), [(wire, late) for wire, each in LATE.items() for late in each])
def test_what_comes_after_the_end_does_not_undo_it(wire: str, late: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_reader, "LONGEST_EVENT", 1000)
    monkeypatch.setattr(ollama_chat, "LONGEST_LINE", 1000)
    for chunks in ([ENDED[wire] + late], [ENDED[wire], late], [ENDED[wire], late[:3], late[3:], late]):
        check(read(wire, *chunks))


@each("wire", ["openai-chat", "ollama-chat"])
def test_an_error_that_comes_with_the_end_counts(wire: str) -> None:
    last: dict[str, Any] = {"error": {"message": "full"}}
    stream = {
        "openai-chat": sse(said(), STOPPED | last),
        "ollama-chat": lines({"message": {"content": "ok"}, "done": True} | last),
    }
    (error,) = [reading.error for reading in read(wire, stream[wire]) if isinstance(reading, ErrorSeen)]
    assert error.message == "Acme says: full"


def test_an_error_after_an_answer_that_says_nothing_counts() -> None:
    readings = read("openai-chat", sse(STOPPED, {"error": {"message": "full"}}))
    assert [type(reading) for reading in readings] == [StopSeen, ErrorSeen]


def test_an_error_that_is_told_after_an_answer_was_cut_counts_and_rubbish_there_does_not() -> None:
    cut = said() | {"choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": "length"}]}
    told = read("openai-chat", sse(cut, {"error": {"message": "full"}}))
    assert [type(reading) for reading in told] == [TextDelta, StopSeen, ErrorSeen]
    rubbish = read("openai-chat", sse(cut) + b"data: {oops\n\n")
    assert [type(reading) for reading in rubbish] == [TextDelta, StopSeen]


def test_usage_is_read_after_what_can_not_be() -> None:
    usage = {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    readings = read("openai-chat", ENDED["openai-chat"], b"data: {oops\n\n", sse(usage))
    check(readings)
    (report,) = reports(readings)
    assert report.usage.output_tokens == 2


@each("wire", ["openai-chat", "openai-responses", "anthropic-messages", "gemini-generate"])
@each("comments", [b": busy\n\n", b":\n:\n", b": PROCESSING\r\n\r\n: PROCESSING\r\n\r\n", b": hal"])
def test_comments_alone_are_a_stream_without_an_answer(wire: str, comments: bytes) -> None:
    for chunks in ([comments], [comments[at : at + 1] for at in range(len(comments))]):
        (seen,) = read(wire, *chunks)
        assert isinstance(seen, ErrorSeen)
        assert seen.error.code == "Interrupted"
        assert seen.error.message == "Acme closed the stream before the answer was complete."
