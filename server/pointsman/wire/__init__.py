"""The wire dialects: values in, bytes out; bytes in, readings out. No dialect ever sees a socket, a clock or a key.

A dialect is one module that fits `Wire`; a provider names it in its TOML. To add one: docs/adding-a-dialect.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation, Notice, Reading
from pointsman.core.errors import PointsmanError
from pointsman.core.http import Head, Request
from pointsman.core.models import ModelPage
from pointsman.core.trial import Check
from pointsman.wire import (
    anthropic_messages,
    bedrock_converse,
    claude_program,
    echo,
    gemini_generate,
    ollama_chat,
    openai_chat,
    openai_responses,
)


class Reader(Protocol):
    """Reads one response body, cut anywhere."""

    def feed(self, chunk: bytes) -> list[Reading]:
        """What this chunk completes.

        An error that the stream carries is the reading `ErrorSeen`, never an exception.
        """
        ...

    @property
    def linger(self) -> float | None:
        """Seconds that more is worth waiting for, once the answer is complete; None while it goes on."""
        ...

    def close(self) -> list[Reading]:
        """What the end of the body completes; `ErrorSeen` with `Interrupted` where the answer was not finished."""
        ...


class Wire(Protocol):
    """One dialect, as a module."""

    @property
    def Quirks(self) -> type[Struct]:
        """What a provider of this dialect may do differently; unknown names are refused."""
        ...

    def request(self, provider: Provider, model: str, conversation: Conversation) -> tuple[Request, Sequence[Notice]]:
        """The request for a streamed answer, and a notice for each thing that it can't carry.

        Raises BadRequest for what the provider would refuse.
        """
        ...

    def reader(self, provider: Provider) -> Reader:
        """A reader for one answer."""
        ...

    def error(self, provider: Provider, head: Head, body: bytes) -> PointsmanError:
        """What a response whose status is not 2xx means."""
        ...

    def models_request(self, provider: Provider, page: str | None = None) -> Request | None:
        """The request for the provider's list of models, or for another page of it; None where the dialect has none."""
        ...

    def models(self, provider: Provider, body: bytes) -> ModelPage:
        """The models in the answer to that request. Raises BadReply."""
        ...


@runtime_checkable
class Checking(Protocol):
    """What a dialect may have besides: free requests of its own that tell more than a list of models would."""

    def checks(self, provider: Provider) -> Sequence[Check]:
        """Those requests, in the order in which they are worth making."""
        ...


Wires = Mapping[str, Wire]
"""Dialects by name: ours, or ours and those of plugins (`service.plugins`)."""

WIRES: Wires = {
    "openai-chat": openai_chat,
    "openai-responses": openai_responses,
    "anthropic-messages": anthropic_messages,
    "gemini-generate": gemini_generate,
    "bedrock-converse": bedrock_converse,
    "ollama-chat": ollama_chat,
    "claude-program": claude_program,
    "echo": echo,
}


def quirks_of(wires: Wires) -> dict[str, type[Struct]]:
    """By dialect, the struct that a provider's quirks must fit."""
    return {name: wire.Quirks for name, wire in wires.items()}


QUIRKS = quirks_of(WIRES)
