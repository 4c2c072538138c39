"""How results read to a person whose editor shows nothing but messages. Must never say what the result does not."""

from __future__ import annotations

from pointsman.core.chat import Message, TextPart
from pointsman.core.receipt import ChatResult
from pointsman.core.selection import Selection
from pointsman.rpc.types import ListChatsResult, ListModelsResult, ListProvidersResult, StatusResult
from pointsman.service.explaining import Explanation

LONGEST = 4000
"""Characters of an answer that a message shows; the result has all of it."""
MOST_LINES = 20


def selection(result: Selection) -> str:
    """The model that holds, and why."""
    trouble = "" if result.state == "available" else f" ({result.state})"
    return f"{result.display_name}{trouble}. {result.why}"


def route(result: Explanation) -> str:
    """One line a target, and one for each that would be left out."""
    lines = [f"{result.spec}: {result.rule}"]
    for target in result.targets:
        about = target.error.message if target.error else " ".join(notice.text for notice in target.notices)
        lines.append(f"{target.provider}:{target.model}" + (f" ({about})" if about else ""))
    return _lines(lines + [f"not {way.provider}:{way.model}: {way.reason}" for way in result.skipped])


def providers(result: ListProvidersResult) -> str:
    """One line a provider."""
    return _lines([f"{provider.id}: {provider.state}" for provider in result.providers])


def models(result: ListModelsResult) -> str:
    """One line a model, and one for each list that did not come."""
    return _lines([model.model for model in result.models] + [failure.message for failure in result.failures])


def chats(result: ListChatsResult) -> str:
    """One line a chat."""
    return _lines(
        [f"{chat.chat_id}: {chat.state}, {chat.model}, {chat.title}" for chat in result.chats] or ["No chats."]
    )


def answer(result: ChatResult) -> str:
    """What the model said, and who it was."""
    ending = "" if result.stop_reason == "end" else f" ({result.stop_reason})"
    return f"{text_of(result.message)[:LONGEST]}\n— {result.provider}:{result.model}{ending}"


def status(result: StatusResult) -> str:
    """The daemon in one line."""
    return (
        f"Pointsman {result.version}, process {result.pid}: {len(result.clients)} connected, "
        f"{result.running_chats} chats running, log in {result.log_file}"
    )


def text_of(message: Message) -> str:
    """The text of a message without reasoning and tool calls."""
    return "".join(part.text for part in message.parts if isinstance(part, TextPart))


def _lines(lines: list[str]) -> str:
    more = [f"… and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return "\n".join(lines[:MOST_LINES] + more)
