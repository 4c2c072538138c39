"""What a conversation needs of a model, and whether a model has it. Must never know who would be asked, or how.

What nobody says of a model is no reason against it: it is asked, and may refuse for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from pointsman.core.chat import Conversation, FilePart, ImagePart, Message, Part, TextPart, ToolResultPart

BYTES_PER_TOKEN = 4
"""The usual rule of thumb for an estimate (https://help.openai.com, "What are tokens and how to count them")."""
TOKENS_OF_AN_IMAGE = 1000
"""About what the providers' pages say of a picture of a screen; they differ by its size."""
SURELY = 1.5
"""An estimate may be wrong by so much: only what is as many times too long is left out before it is tried."""


@dataclass(frozen=True)
class Needs:
    """What a conversation takes: features by their names in a provider's `features`, and about how many tokens."""

    features: frozenset[str]
    tokens: int


def needs(conversation: Conversation) -> Needs:
    """What this conversation takes."""
    parts = [part for message in conversation.messages for part in _parts(message)]
    images = sum(isinstance(part, ImagePart) for part in parts)
    wanted = {
        "images": images > 0,
        "files": any(isinstance(part, FilePart) for part in parts),
        "tools": bool(conversation.tools),
    }
    words = [part for part in parts if not isinstance(part, ImagePart | FilePart)]
    size = len(msgspec.json.encode((conversation.system, conversation.tools, words)))
    tokens = size // BYTES_PER_TOKEN + images * TOKENS_OF_AN_IMAGE
    return Needs(frozenset(name for name, wanted_so in wanted.items() if wanted_so), tokens)


def unfit(
    need: Needs, capabilities: Sequence[str], lacks: Sequence[str], features: Sequence[str], window: int | None
) -> str | None:
    """Why a model can't take it on; None when nothing is known against it.

    `capabilities` are the model's own, `features` those of its provider: each is silent where it is empty. `lacks` is
    what the model is known not to have.
    """
    said = capabilities or features
    known_of = need.features if said else frozenset()
    if lacking := sorted((known_of - set(said)) | (need.features & set(lacks))):
        return f"it cannot carry {' and '.join(lacking)}"
    if window is not None and need.tokens > window * SURELY:
        return f"about {need.tokens:,} tokens do not fit into its context window of {window:,}"
    return None


def _parts(message: Message) -> list[Part]:
    """The parts of a message; of the results of tools, what is in them."""
    found: list[Part] = []
    for part in message.parts:
        if not isinstance(part, ToolResultPart):
            found.append(part)
        elif isinstance(part.content, str):
            found.append(TextPart(part.content))
        else:
            found += part.content
    return found
