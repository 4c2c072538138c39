"""One request that waits for its answer: what a method is given as its context. Must never be answered twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, Protocol

from pointsman.core.errors import ChatInUse
from pointsman.core.receipt import ChatResult
from pointsman.rpc.replies import Id, Problem, Refused, problem_of_chat
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

    @property
    def followed(self) -> set[str]:
        """The chats whose events this client is being sent."""
        ...


class OpenRequest:
    """The context of a method (`rpc.table.Context`), with the request's one answer."""

    task: asyncio.Task[None]

    def __init__(self, connection: Connection, app: App, client: Client, id: Id) -> None:
        self._connection = connection
        self.app, self.client, self.id = app, client, id
        self.begun = self.follows = self._unwanted = False
        self._answered = False
        self._cancel: Callable[[], None] | None = None

    def cancels(self, cancel: Callable[[], None]) -> None:
        """Names what cancelling this request does; without it, its task is cancelled."""
        self._cancel = cancel
        if self._unwanted:
            cancel()

    def cancel(self) -> None:
        """The client has cancelled the request, perhaps before its method has begun."""
        self._unwanted = True
        if self._cancel is not None:
            self._cancel()
        elif self.begun:
            self.task.cancel()

    async def follow(self, chat: Chat, after: int, *, stream: bool = True) -> ChatResult:
        """Sends a chat's events as they come, no faster than the client reads, and gives its result.

        Raises Refused with its error.
        """
        self.follows = True
        with chat.watched(), self._alone(chat, stream):
            async with aclosing(chat.read(after)) as batches:
                async for first, events in batches:
                    if stream:
                        self._connection.write_events(chat, first, events)
                        await self._connection.drained()
        assert chat.result is not None, "a chat that has ended has come to something"
        if chat.error is not None:
            raise Refused(problem_of_chat(chat.error, chat.result))
        return chat.result

    @contextmanager
    def _alone(self, chat: Chat, stream: bool) -> Iterator[None]:
        """Keeps a client from being sent the events of one chat twice: it could not tell them apart."""
        if not stream:
            yield
            return
        if chat.id in self._connection.followed:
            raise ChatInUse(
                f"This connection follows chat {chat.id} already.", "Wait for the answer of the first request."
            )
        self._connection.followed.add(chat.id)
        try:
            yield
        finally:
            self._connection.followed.discard(chat.id)

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
