"""A conversation as one prompt, for a program that takes one: earlier turns are told in it.

Must never know the program's command line, nor read an answer.
"""

from __future__ import annotations

import msgspec

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Conversation,
    Message,
    Notice,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from pointsman.core.errors import BadRequest

COMMANDS = ("/", "!", "#")
"""How a prompt begins that the program would take for an order to itself."""
BEFORE = "What has been said so far stands below in turns, the oldest first. Answer the last turn, as the assistant."


def folded(provider: Provider, conversation: Conversation) -> tuple[str, str, list[Notice]]:
    """The words for the system, the prompt, and a notice for each thing that is told otherwise, or not at all.

    Raises BadRequest where nothing is left to answer.
    """
    notices: list[Notice] = []
    system = [conversation.system] if conversation.system else []
    turns: list[tuple[str, str]] = []
    for message in conversation.messages:
        text = "\n\n".join(filter(None, (_told(part, provider, notices) for part in message.parts)))
        if message.cache:
            about = f"{provider.title} decides itself what it keeps in its cache; the marks were left out."
            notices.append(Notice("cache", about))
        if not text.strip():
            continue
        if message.role == "system":
            system.append(text)
        elif turns and turns[-1][0] == _speaker(message):
            turns[-1] = turns[-1][0], f"{turns[-1][1]}\n\n{text}"
        else:
            turns.append((_speaker(message), text))
    if not turns or turns[-1][0] == "assistant":
        text = f"There is nothing in the conversation that {provider.title} could answer."
        advice = "Let it end with a message of the role `user` that says something, then ask again."
        raise BadRequest(text, advice, provider=provider.id)
    if len(turns) > 1:
        text = f"{provider.title} takes one prompt; the earlier turns of the conversation were told in it."
        notices.append(Notice("messages", text))
    return "\n\n".join(system), _prompt(turns), notices


def _prompt(turns: list[tuple[str, str]]) -> str:
    """One turn as it is, if the program would not take it for an order; several between marks of their own."""
    (_, last), several = turns[-1], len(turns) > 1
    if not several and not last.lstrip().startswith(COMMANDS):
        return last
    mark, number = "turn", 1
    while any(f"</{mark}>" in text for _, text in turns):
        mark, number = f"turn-{number}", number + 1
    told = "\n".join(f'<{mark} by="{who}">\n{text}\n</{mark}>' for who, text in turns)
    return f"{BEFORE}\n\n{told}"


def _speaker(message: Message) -> str:
    return "assistant" if message.role == "assistant" else "user"


def _told(part: Part, provider: Provider, notices: list[Notice]) -> str:
    """A part as text; nothing where it can't be one."""
    title = provider.title
    match part:
        case TextPart(text):
            return text
        case ToolCallPart():
            notices.append(Notice("toolCall", f"{title} can call no tools; earlier calls were told as text."))
            given = part.arguments if part.invalid_arguments is None else part.invalid_arguments
            return f"[called the tool {part.name} with {msgspec.json.encode(given).decode()}]"
        case ToolResultPart():
            notices.append(Notice("toolResult", f"{title} can call no tools; earlier results were told as text."))
            content = (TextPart(part.content),) if isinstance(part.content, str) else part.content
            inner = "\n".join(filter(None, (_told(each, provider, notices) for each in content)))
            return f"[{'the tool failed' if part.is_error else 'the tool answered'}]\n{inner}"
        case _:  # an image, a file, or thoughts
            kind = str(part.__struct_config__.tag)
            what = "its thoughts were" if kind == "reasoning" else f"an {kind} was" if kind == "image" else "a file was"
            notices.append(Notice(kind, f"{title} takes text alone; {what} left out."))
            return ""
