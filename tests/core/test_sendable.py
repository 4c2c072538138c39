"""What is refused before it is sent to anybody."""

from __future__ import annotations

from pointsman.core.chat import Conversation, Message, NamedTool, Tool, ToolChoice
from pointsman.core.sendable import unsendable
from tests.each import each

ASK = (Message("user", "go"),)
TOOLS = (Tool("look", {"type": "object"}), Tool("write", {"type": "object"}))


@each("choice", [None, "auto", "none", "required", NamedTool("write")])
def test_what_somebody_may_answer_is_sent(choice: ToolChoice | None) -> None:
    assert unsendable(Conversation(ASK, tools=TOOLS, tool_choice=choice)) is None


def test_a_choice_without_any_tool_is_for_the_dialect_to_leave_out_and_tell() -> None:
    assert unsendable(Conversation(ASK, tool_choice=NamedTool("look"))) is None


def test_a_choice_of_a_tool_that_is_not_there_is_refused() -> None:
    error = unsendable(Conversation(ASK, tools=TOOLS, tool_choice=NamedTool("delete")))
    assert error is not None
    assert "'delete'" in error.message


def test_two_tools_of_one_name_are_refused() -> None:
    error = unsendable(Conversation(ASK, tools=(*TOOLS, TOOLS[0])))
    assert error is not None
    assert "'look'" in error.message
