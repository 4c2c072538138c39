"""Puts the turns of a conversation into the order that every provider wants: each tool call followed by its result;
and makes the turns that have somebody else go on with a broken answer.

A chat may have been cancelled before a tool had answered, or its result comes after something else was said. Some
providers refuse that, others don't, and a conversation may change between them. Must never know who is asked.
"""

from __future__ import annotations

import msgspec

from pointsman.core.chat import Conversation, Message, Notice, Part, TextPart, ToolCallPart, ToolResultPart

NO_RESULT = "There is no result: the tool was not called."
MOVED = Notice("toolResult", "A result was moved up to the tool call that it answers.")
MISSING = Notice("toolCall", "A tool call without a result was given one that says so.")
LOOSE = Notice("toolResult", "A result whose tool call is not in the conversation was carried as words of the user.")
GO_ON = (
    "Your answer was cut off at this point. Go on with it exactly where it ends, from the very next character: repeat "
    "nothing of it, and say nothing about the break."
)


def going_on(conversation: Conversation, text: str) -> Conversation:
    """The conversation for whoever is to go on with an answer of which `text` has been said.

    In plain turns, since many models do not take an answer that ends with the words of the assistant.
    """
    if not text.strip():
        return conversation
    more = (Message("assistant", (TextPart(text),)), Message("user", (TextPart(GO_ON),)))
    return msgspec.structs.replace(conversation, messages=(*conversation.messages, *more))


def settled(conversation: Conversation) -> tuple[Conversation, list[Notice]]:
    """The conversation with a result behind each call, moved up or made up, and what to tell of that.

    A result that answers no call, as where somebody has cut the beginning off, becomes words of the user: no provider
    takes it as what it is.
    """
    turns, told = list(conversation.messages), dict[Notice, None]()
    for number in reversed(range(len(turns))):
        calls = [part.id for part in turns[number].parts if isinstance(part, ToolCallPart)]
        unanswered = [id for id in calls if id not in _answered(turns, number + 1)]
        if not unanswered:
            continue
        results = [_taken(turns, number + 1, id) for id in unanswered]
        told |= {MISSING if result is None else MOVED: None for result in results}
        made = [result or ToolResultPart(id, NO_RESULT, True) for id, result in zip(unanswered, results, strict=True)]
        turns.insert(number + 1, Message("tool", tuple(made)))
    if (worded := _worded(turns)) is not turns:
        turns, told = worded, told | {LOOSE: None}
    return (msgspec.structs.replace(conversation, messages=tuple(turns)), list(told)) if told else (conversation, [])


def _answered(turns: list[Message], start: int) -> set[str]:
    """The calls that are answered right here, before anything else is said."""
    found = set[str]()
    for turn in turns[start:]:
        for part in turn.parts:
            if not isinstance(part, ToolResultPart):
                return found
            found.add(part.tool_call_id)
    return found


def _taken(turns: list[Message], start: int, id: str) -> ToolResultPart | None:
    """The result of a call that comes later, taken out of there; an id that is called again belongs to that call."""
    for number in range(start, len(turns)):
        parts = turns[number].parts
        for part in parts:
            if isinstance(part, ToolCallPart) and part.id == id:
                return None
            if isinstance(part, ToolResultPart) and part.tool_call_id == id:
                rest = tuple(other for other in parts if other is not part)
                turns[number : number + 1] = [msgspec.structs.replace(turns[number], content=rest)] if rest else []
                return part
    return None


def _worded(turns: list[Message]) -> list[Message]:
    """The turns with results that answer no call in words: in their place, or behind those that are still to come.

    The very same list where there are none.
    """
    found, waiting, due = list[Message](), list[Part](), set[str]()
    for turn in turns:
        sorted_out = [(part, _is_loose(part, due)) for part in turn.parts]
        words = [word for part, loose in sorted_out if loose for word in _words(part)]
        kept = tuple(part for part, loose in sorted_out if not loose)
        if any(isinstance(part, ToolResultPart) for part in kept) or (words and not kept and due):
            found += [msgspec.structs.replace(turn, content=kept)] if kept else []
            waiting += words
            continue
        if waiting:
            found.append(Message("user", tuple(waiting)))
            waiting = []
        inline = tuple(each for part, loose in sorted_out for each in (_words(part) if loose else (part,)))
        found.append(msgspec.structs.replace(turn, role="user", content=inline) if words else turn)
    if waiting:
        found.append(Message("user", tuple(waiting)))
    return found if found != turns else turns


def _is_loose(part: Part, due: set[str]) -> bool:
    """Whether it is a result of no call that is `due`; who is, is noted there."""
    if isinstance(part, ToolCallPart):
        due.add(part.id)
    if not isinstance(part, ToolResultPart):
        return False
    loose = part.tool_call_id not in due
    due.discard(part.tool_call_id)
    return loose


def _words(part: Part) -> tuple[Part, ...]:
    """A result as a user would tell it."""
    assert isinstance(part, ToolResultPart)
    head = f"The result of a tool call ({part.tool_call_id}) that is not part of this conversation"
    head += ", an error:" if part.is_error else ":"
    if isinstance(part.content, str):
        return (TextPart(f"{head}\n{part.content}"),)
    return (TextPart(head), *part.content)
