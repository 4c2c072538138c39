"""One request that waits for its answer: what a method is given as its context. Must never be answered twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from pointsman.core.receipt import ChatResult
from pointsman.rpc.replies import Id, Problem
from pointsman.service.app import App
from pointsman.service.chats import Chat
from pointsman.service.clients import Client


class Connection(Protocol):
    """The way back to the client."""

    def reply(self, id: Id, result: Any) -> None:
        """Sends the answer."""
        ...

    def reply_error(self, id: Id, problem: Problem) -> None:
        """Sends an error as the answer."""
        ...

    def write_events(self, chat: Chat, first: int, events: Sequence[bytes]) -> None:
        """Sends encoded events."""
        ...

    async def drained(self) -> None:
        """Waits until the client has room for more."""
        ...


class OpenRequest:
    """The context of a method (`rpc.table.Context`), with the request's one answer."""

    task: asyncio.Task[None]

    def __init__(self, connection: Connection, app: App, client: Client, id: Id) -> None:
        self._connection = connection
        self.app, self.client, self.id = app, client, id
        self.follows = False
        self._answered = False
        self._cancel: Callable[[], None] | None = None

    def cancels(self, cancel: Callable[[], None]) -> None:
        """Names what cancelling this request does; without it, its task is cancelled."""
        self._cancel = cancel

    def cancel(self) -> None:
        """The client has cancelled the request."""
        if self._cancel is None:
            self.task.cancel()
        else:
            self._cancel()

    async def follow(self, chat: Chat, after: int, *, stream: bool = True) -> ChatResult:
        """Sends a chat's events as they come, no faster than the client reads, and gives its result.

        Raises its error.
        """
        self.follows = True
        with chat.watched():
            async with aclosing(chat.read(after)) as batches:
                async for first, events in batches:
                    if stream:
                        self._connection.write_events(chat, first, events)
                        await self._connection.drained()
        if chat.error is not None:
            raise chat.error
        assert chat.result is not None, "a chat that ended without an error has a result"
        return chat.result

    def reply(self, result: Any) -> None:
        """Answers the request, if it has not been answered."""
        if not self._answered:
            self._answered = True
            self._connection.reply(self.id, result)

    def refuse(self, problem: Problem) -> None:
        """Answers the request with an error, if it has not been answered."""
        if not self._answered:
            self._answered = True
            self._connection.reply_error(self.id, problem)
