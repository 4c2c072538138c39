"""Answers of the Responses API that come as a whole: what no piece has brought is told then, and nothing twice."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.chat import Reading, Seal, StopSeen, TextDelta, ToolCallDelta, Usage, UsageReport
from tests.each import each
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
    whole_arguments,
)


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "content": [block(text)]}


def said(kind: str, text: Any, index: int = 0, part: Any = 0) -> bytes:
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
    "a call that is drawn another id at the end": (
        [
            added(**CALL),
            delta("function_call_arguments", "{}"),
            done(**CALL | {"arguments": "{}"}),
            ended(output=[CALL | {"call_id": "j", "arguments": "{}"}]),
        ],
        [C(0, "", "i", "n"), C(0, "{}"), CALLED],
    ),
    "a call that is drawn another id, and has its arguments, at the end": (
        [added(**CALL), ended(output=[CALL | {"call_id": "j", "arguments": "{}"}])],
        [C(0, "", "i", "n"), C(0, "{}"), CALLED],
    ),
    "equal calls that are drawn other ids at the end": (
        [
            done(0, **CALL | {"arguments": "{}"}),
            done(1, **CALL | {"call_id": "j", "arguments": "{}"}),
            ended(output=[CALL | {"call_id": id, "arguments": "{}"} for id in ("k", "l")]),
        ],
        [C(0, "", "i", "n"), C(0, "{}"), C(1, "", "j", "n"), C(1, "{}"), CALLED],
    ),
    "equal calls of which one came before the end, all of other ids": (
        [
            done(0, **CALL | {"arguments": "{}"}),
            ended(output=[CALL | {"call_id": id, "arguments": "{}"} for id in ("k", "l")]),
        ],
        [C(0, "", "i", "n"), C(0, "{}"), C(1, "", "l", "n"), C(1, "{}"), CALLED],
    ),
    "calls of which the last came before the end, all of other ids": (
        [
            added(**CALL | {"name": "b"}),
            delta("function_call_arguments", "{"),
            delta("function_call_arguments", "}"),
            ended(
                output=[
                    CALL | {"call_id": "k", "name": "b", "arguments": "[]"},
                    CALL | {"call_id": "l", "name": "b", "arguments": "{}"},
                ]
            ),
        ],
        [C(0, "", "i", "b"), C(0, "{"), C(0, "}"), C(1, "", "k", "b"), C(1, "[]"), CALLED],
    ),
    "calls of which one is known by its id, one by its name, and one by nothing": (
        [
            done(0, **CALL | {"arguments": "[0]"}),
            added(1, **CALL | {"call_id": "j", "name": "m"}),
            done(2, **CALL | {"call_id": "k", "name": "o", "arguments": "[2]"}),
            ended(
                output=[
                    CALL | {"call_id": "x", "name": "p", "arguments": "[3]"},
                    CALL | {"call_id": "y", "name": "m", "arguments": "[1]"},
                    CALL | {"arguments": "[4]"},
                ]
            ),
        ],
        [
            C(0, "", "i", "n"),
            C(0, "[0]"),
            C(1, "", "j", "m"),
            C(2, "", "k", "o"),
            C(2, "[2]"),
            C(1, "[1]"),
            CALLED,
        ],
    ),
    "a call that stands twice at the end": (
        [ended(output=[CALL | {"arguments": "{}"}] * 2)],
        [C(0, "", "i", "n"), C(0, "{}"), CALLED],
    ),
    "a call that is counted differently once it is whole": (
        [added(0, **CALL), whole_arguments("{}", 0), done(1, **CALL | {"arguments": "{}"}), COMPLETED],
        [C(0, "", "i", "n"), C(0, "{}"), CALLED],
    ),
    "words that are counted differently once they are whole": (
        [delta("output_text", "a"), delta("output_text", "b"), said("output_text", "ab", 1), COMPLETED],
        [T("a"), T("b"), END],
    ),
    "words that are counted differently once their item is whole": (
        [
            delta("output_text", "a"),
            said("output_text", "ab", 1),
            done(2, type="message", content=[block("ab")]),
            ended(output=[message("ab")]),
        ],
        [T("a"), T("b"), END],
    ),
    "words without pieces that are counted differently each time": (
        [
            said("output_text", "a", 0),
            said("output_text", "b", 1),
            done(4, type="message", content=[block("a")]),
            done(5, type="message", content=[block("b")]),
            ended(output=[message("a"), message("b")]),
        ],
        [T("a"), T("b"), END],
    ),
    "words of two messages, each counted as the other": (
        [
            delta("output_text", "a", 1),
            said("output_text", "a", 0),
            delta("output_text", "b", 2),
            said("output_text", "b", 1),
            ended(output=[message("a"), message("b")]),
        ],
        [T("a"), T("b"), END],
    ),
    "words beside pieces, which the end has in their place": (
        [delta("output_text", "a"), said("output_text", "b", 1), ended(output=[message("a"), message("b")])],
        [T("a"), T("b"), END],
    ),
    "a part that is whole twice": (
        [said("output_text", "ab"), said("output_text", "ab"), said("output_text", "ab", 0, 1), COMPLETED],
        [T("ab"), END],
    ),
    "a part that is whole twice, and only then all of it": (
        [said("output_text", "a"), said("output_text", "ab"), COMPLETED],
        [T("a"), T("b"), END],
    ),
    "a part after pieces that is whole twice, under other numbers": (
        [delta("output_text", "ab"), said("output_text", "ab", 0, 1), said("output_text", "ab", 0, 0), COMPLETED],
        [T("ab"), END],
    ),
    "words that are counted as others once they are whole": (
        [delta("output_text", "a", 0), delta("output_text", "ab", 1), said("output_text", "ab", 0), COMPLETED],
        [T("a"), T("ab"), END],
    ),
    "words that are counted as another part of others once they are whole": (
        [
            delta("output_text", "a", 0),
            said("output_text", "a", 0),
            delta("output_text", "b", 1),
            said("output_text", "b", 0, 1),
            COMPLETED,
        ],
        [T("a"), T("b"), END],
    ),
    "a piece without words, and then the whole": (
        [said("output_text", "a", 0), delta("output_text", "", 1), said("output_text", "b", 1), COMPLETED],
        [T("a"), T("b"), END],
    ),
    "a thought that is counted differently once it is whole": (
        [delta("reasoning_text", "h"), said("reasoning_text", "h", 1), said("reasoning_text", "h", 1), COMPLETED],
        [R("h"), END],
    ),
    "parts that nobody can have numbered": (
        [said("output_text", "a", 0, []), said("refusal", "b", 0, None), COMPLETED],
        [T("a"), T("b"), END],
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


@each("case", CASES)
def test_what_a_stream_says(case: str) -> None:
    chunks, expected = CASES[case]
    assert read(*chunks) == expected
    assert read(*cut(b"".join(chunks), 1)) == expected


TEXTS = st.lists(st.text("ab", min_size=1, max_size=3), max_size=4)
ANYWHERE = st.integers(0, 4)


@given(TEXTS, TEXTS, st.booleans(), st.data())
def test_what_came_in_pieces_never_comes_twice_however_it_is_counted_later(
    messages: list[str], calls: list[str], counted: bool, data: st.DataObject
) -> None:
    """Messages without a number of their own are all counted as 0; a call is drawn another id each time."""
    stream, output = [], []
    for number, text in enumerate(messages):
        stream += [delta("output_text", piece, number if counted else 0) for piece in text]
        for _ in range(data.draw(st.integers(0, 2))):
            stream.append(said("output_text", text, data.draw(ANYWHERE), data.draw(ANYWHERE)))
            stream.append(done(data.draw(ANYWHERE), **message(text)))
        output.append(message(text))
    for number, text in enumerate(calls, len(messages)):
        item = CALL | {"call_id": f"told_{number}", "arguments": text}
        stream += [added(number, **item | {"arguments": ""}), delta("function_call_arguments", text, number)]
        stream += [done(number, **item), done(data.draw(st.integers(number, 9)), **item)]
        output.append(item | {"call_id": data.draw(st.sampled_from(["told_0", f"told_{number}", f"end_{number}"]))})
    readings = read(*stream, ended(output=data.draw(st.permutations(output))))
    pieces = [reading for reading in readings if isinstance(reading, ToolCallDelta)]
    assert [text for number in range(len(calls)) for text in [_arguments(pieces, number)]] == calls
    assert len(pieces) == 2 * len(calls)
    assert "".join(reading.text for reading in readings if isinstance(reading, TextDelta)) == "".join(messages)


def _arguments(pieces: list[ToolCallDelta], index: int) -> str:
    return "".join(piece.arguments for piece in pieces if piece.index == index)
