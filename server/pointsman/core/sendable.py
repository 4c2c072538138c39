"""What no provider would take of a conversation: said before it is sent. Must never know who would be asked."""

from __future__ import annotations

from pointsman.core.chat import Conversation, NamedTool
from pointsman.core.errors import BadRequest


def unsendable(conversation: Conversation) -> BadRequest | None:
    """Why nobody could answer this; None where somebody might."""
    names = set[str]()
    for tool in conversation.tools:
        if tool.name in names:
            return BadRequest(f"Two of the tools are called {tool.name!r}.", "Give each tool a name of its own.")
        names.add(tool.name)
    chosen = conversation.tool_choice
    if names and isinstance(chosen, NamedTool) and chosen.name not in names:
        text = f"`toolChoice` names the tool {chosen.name!r}, which is not among the tools of this chat."
        return BadRequest(text, "Offer that tool as well, or choose one of those that are offered.")
    return None
