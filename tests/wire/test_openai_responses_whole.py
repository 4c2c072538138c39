"""Answers of the Responses API that come as a whole: what no piece has brought is told then, and nothing twice."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.core.chat import Reading, Seal, StopSeen, Usage, UsageReport
from tests.wire.test_openai_responses_streams import (
    CALL,
    CALLED,
    COMPLETED,
    END,
    USED,
    C,
    R,
    T,
    added,
    block,
    cut,
    delta,
    done,
    ended,
    event,
    read,
)


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "content": [block(text)]}


def said(kind: str, text: Any, index: int = 0, part: int = 0) -> bytes:
    fields = {"refusal" if kind == "refusal" else "text": text, "output_index": index, "content_index": part}
    return event(f"response.{kind}.done", **fields)


CASES: dict[str, tuple[list[bytes], list[Reading]]] = {
    "only the words as a whole": (
        [said("output_text", "a"), said("refusal", "b", 0, 1), COMPLETED],
        [T("a"), T("b"), END],
    ),
    "only a thought as a whole": (
        [said("reasoning_summary_text", "h"), said("reasoning_text", "m", 0, 1), COMPLETED],
        [R("h"), R("m"), END],
    ),
    "a whole without its words": (
        [delta("output_text", "a"), event("response.output_text.done"), said("output_text", 3), COMPLETED],
        [T("a"), END],
    ),
    "pieces, and the whole in every way": (
        [
            delta("output_text", "a"),
            delta("output_text", "b"),
            said("output_text", "ab"),
            done(type="message", content=[block("ab")]),
            ended(output=[message("ab")]),
        ],
        [T("a"), T("b"), END],
    ),
    "no pieces, and the whole in every way": (
        [said("output_text", "ab"), done(type="message", content=[block("ab")]), ended(output=[message("ab")])],
        [T("ab"), END],
    ),
    "pieces of a part, and the rest with the whole": (
        [delta("output_text", "a"), said("output_text", "ab"), ended(output=[message("abc")])],
        [T("a"), T("b"), T("c"), END],
    ),
    "a whole that is not what was told": (
        [
            delta("output_text", "ab"),
            said("output_text", "x"),
            done(type="message", content=[block("a")]),
            ended(output=[message("xyz")]),
        ],
        [T("ab"), END],
    ),
    "parts of which one came in pieces": (
        [
            delta("output_text", "a"),
            said("output_text", "a"),
            said("output_text", "b", 0, 1),
            done(type="message", content=[block("a"), block("b")]),
            ended(output=[{"type": "message", "content": [block("a"), block("b")]}]),
        ],
        [T("a"), T("b"), END],
    ),
    "messages of which one came in pieces": (
        [delta("output_text", "a"), ended(output=[message("a"), message("b")])],
        [T("a"), T("b"), END],
    ),
    "items that nobody has counted": (
        [
            delta("reasoning_text", "h"),
            done(type="reasoning", id="r", content=[block("h")]),
            delta("output_text", "a"),
            ended(output=[{"type": "reasoning", "id": "r", "content": [block("h")]}, message("a")]),
        ],
        [R("h"), Seal(opaque={"type": "reasoning", "id": "r", "content": [block("h")]}), T("a"), END],
    ),
    "all at the end": (
        [
            ended(
                output=[
                    {"type": "reasoning", "id": "r", "summary": [block("h")]},
                    message("a"),
                    {"type": "reasoning", "id": "s", "summary": [block("m")]},
                    CALL | {"arguments": "{}"},
                    CALL | {"call_id": "j"},
                ],
                usage=USED,
            )
        ],
        [
            R("h"),
            Seal(opaque={"type": "reasoning", "id": "r", "summary": [block("h")]}),
            T("a"),
            R("m"),
            Seal(opaque={"type": "reasoning", "id": "s", "summary": [block("m")]}),
            C(0, "", "i", "n"),
            C(0, "{}"),
            C(1, "", "j", "n"),
            UsageReport(Usage(3, 4, exact=True)),
            CALLED,
        ],
    ),
    "all at the end, which the length has cut": (
        [ended("incomplete", output=[message("a")])],
        [T("a"), StopSeen("length")],
    ),
    "a thought that is sealed at the end, after its pieces": (
        [delta("reasoning_text", "h"), ended(output=[{"type": "reasoning", "content": [block("h")]}, message("a")])],
        [R("h"), Seal(opaque={"type": "reasoning", "content": [block("h")]}), T("a"), END],
    ),
    "a thought that is too late for its seal": (
        [delta("output_text", "a"), ended(output=[{"type": "reasoning", "content": [block("h")]}, message("a")])],
        [T("a"), END],
    ),
    "calls of which one came before the end": (
        [
            added(1, **CALL),
            delta("function_call_arguments", "{}", 1),
            ended(output=[CALL | {"arguments": "{}"}, CALL | {"call_id": "j", "arguments": "[]"}]),
        ],
        [C(0, "", "i", "n"), C(0, "{}"), C(1, "", "j", "n"), C(1, "[]"), CALLED],
    ),
    "a call that is named at the end": (
        [delta("function_call_arguments", "{}", 1), ended(output=[CALL | {"arguments": "{}"}])],
        [C(0, "{}"), C(0, "", "i", "n"), CALLED],
    ),
    "at the end what is no answer": (
        [
            delta("output_text", "a"),
            ended(
                output=["odd", {"type": 3}, {"type": "function_call"}, CALL | {"name": ""}, {"type": "web_search_call"}]
            ),
        ],
        [T("a"), END],
    ),
    "an end of another form": ([delta("output_text", "a"), ended(output={}, incomplete_details=[])], [T("a"), END]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_stream_says(case: str) -> None:
    chunks, expected = CASES[case]
    assert read(*chunks) == expected
    assert read(*cut(b"".join(chunks), 1)) == expected
