"""What else a chunk may hold: the one call of the old form, and what has no place in an answer here."""

from __future__ import annotations

from typing import Any

from pointsman.core.chat import Notice, Reading
from tests.each import each
from tests.wire.test_openai_chat_streams import CALLED, END, STOP, C, T, delta, read


def left_out(what: str) -> Notice:
    return Notice("answer", f"Acme also sent what has no place here and was left out: {what}.")


CASES: dict[str, tuple[list[bytes], list[Reading]]] = {
    "a call in the old form": (
        [
            delta(function_call={"name": "n", "arguments": ""}),
            delta(function_call={"arguments": "{"}),
            delta(function_call={"arguments": "}"}),
            delta("function_call"),
        ],
        [C(0, "", "call_0", "n"), C(0, "{"), C(0, "}"), CALLED],
    ),
    "a call in both forms": (
        [delta(function_call={"name": "n"}, tool_calls=[{"id": "i", "function": {"name": "n"}}]), STOP],
        [C(0, "", "i", "n"), CALLED],
    ),
    "what can't be shown": (
        [delta(images=[{"image_url": {"url": "data:,"}}]), delta(images=[{}]), delta(audio={"id": "i"}), STOP],
        [left_out("images"), left_out("audio"), END],
    ),
    "pictures and sounds that are none": ([delta(content="a", images=[], audio=None), STOP], [T("a"), END]),
}


@each("case", CASES)
def test_what_a_stream_says(case: str) -> None:
    chunks, expected = CASES[case]
    assert read(*chunks) == expected


@each("odd", [None, {}, {"name": "", "arguments": ""}, [], "x", {"name": 1}])
def test_a_call_in_the_old_form_that_is_none(odd: Any) -> None:
    assert read(delta(content="a", function_call=odd), STOP) == [T("a"), END]
