"""Events to lines, apart from any buffer: however the events come, the lines are the same, and they only grow."""

from __future__ import annotations

from typing import Any

import pytest

from tests.editors.neovim.conftest import Open

FEED = """
  local events, size = ...
  local lines = require('pointsman.chat.lines')
  local answer, drawn, row, column = lines.new(), { '' }, 1, 0
  for from = 1, #events, size do
    lines.feed(answer, from - 1, vim.list_slice(events, from, from + size - 1))
    lines.feed(answer, 0, { events[1] }) -- an event that was seen already
    local fresh = lines.since(answer, row, column)
    drawn[row] = drawn[row] .. table.remove(fresh, 1)
    vim.list_extend(drawn, fresh)
    row, column = #answer.lines, #answer.lines[#answer.lines]
  end
  assert(#answer.lines == #answer.kinds)
  return { answer.lines, drawn, answer.kinds }
"""


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def call(index: int, arguments: str, **more: str) -> dict[str, Any]:
    return {"type": "toolCall", "index": index, "arguments": arguments, **more}


STEP = "Wait. `:Pointsman model` lists the others."
ERROR = {"code": "RateLimited", "message": "Too many requests", "advice": "Wait.", "retryable": True}
ASKS = {"type": "finished", "reason": "toolCalls"}
FAILED = {"type": "finished", "reason": "error", "error": ERROR}
CASES = {
    "words": ([text("a "), text("b\n\nc"), text("\n"), text("d")], ["a b", "", "c", "d"]),
    "thought first": (
        [{"type": "reasoning", "text": "I\nthi"}, {"type": "reasoning", "text": "nk"}, text("so")],
        ["> I", "> think", "", "so"],
    ),
    "two calls": (
        [text("x"), call(0, '{"a":', name="f"), call(0, "[1]}"), call(1, "", name="g"), ASKS],
        ["x", "", "**Tool call** `f`", "```json", "{", '  "a": [', "    1", "  ]", "}", "```", "",
         "**Tool call** `g`", "```json", "", "```"],
    ),
    "another answers": (
        [{"type": "attemptFailed", "model": "m", "error": ERROR, "next": "n"}, text("ok")],
        ["*m: Too many requests.* *Asking n.*", "", "ok"],
    ),
    "none answers": (
        [{"type": "attemptFailed", "model": "m", "error": ERROR}, FAILED],
        [f"**No answer.** Too many requests. {STEP}"],
    ),
    "broken off": (
        [text("ha"), {"type": "finished", "reason": "interrupted", "error": ERROR, "resume": ["n", "o"]}],
        ["ha", "", f"**The answer broke off.** Too many requests. {STEP}", "", "*Could go on:* `n`, `o`"],
    ),
    "what is new": ([text("a"), {"type": "tomorrow"}, text("b")], ["ab"]),
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("case", CASES)
def test_lines(neovim: Open, case: str, size: int) -> None:
    events, expected = CASES[case]
    lines, drawn, _ = neovim().lua(FEED, events, size)
    assert lines == expected
    assert drawn == expected
