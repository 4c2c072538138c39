"""What a method is: a thin function with typed parameters and result, declared once.

Dispatch, validation, the JSON Schema, docs/protocol.md and the clients' types all come from these declarations.
Must never know how a message is framed or sent.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from pointsman.core.receipt import ChatResult
from pointsman.service.app import App
from pointsman.service.chats import Chat
from pointsman.service.clients import Client

PREFIX = "pointsman/"
Call = Callable[..., Awaitable[Any]]


class Context(Protocol):
    """What a method may use: the app, the client that asks, and its open request."""

    app: App
    client: Client

    def cancels(self, cancel: Callable[[], None]) -> None:
        """Names what `$/cancelRequest` does to this request; without it, the request ends with an error."""
        ...

    async def follow(self, chat: Chat, after: int, *, stream: bool = True) -> ChatResult:
        """Sends a chat's events to the client as they come, and gives its result once the last is sent."""
        ...


@dataclass(frozen=True)
class Method:
    """One method. `doc` is its function's docstring."""

    name: str
    params: type[msgspec.Struct]
    result: Any
    doc: str
    call: Call
    decode: Callable[[bytes], Any]


def method(call: Call) -> Method:
    """Declares `async def list_chats(ctx, params: P) -> R` as the method `pointsman/listChats`."""
    hints = typing.get_type_hints(call)
    head, *tail = call.__name__.split("_")
    return Method(
        name=PREFIX + head + "".join(word.capitalize() for word in tail),
        params=hints["params"],
        result=hints["return"],
        doc=inspect.getdoc(call) or "",
        call=call,
        decode=msgspec.json.Decoder(hints["params"]).decode,
    )


def methods_of(*modules: Any) -> dict[str, Method]:
    """All methods that the modules declare, by name."""
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Method)]
    return {declared.name: declared for declared in found}
