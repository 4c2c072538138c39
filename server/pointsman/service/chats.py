"""Chats as append-only logs of events, and the cursors that read them (docs/decisions/0005-chats-as-logs.md).

Must never know who answers a chat, nor what becomes of the bytes that a cursor is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from pointsman.core.chat import Event, Finished, Started
from pointsman.core.errors import ChatGone, ChatInUse, PointsmanError
from pointsman.core.receipt import ChatResult, ChatSummary
from pointsman.edge.process import give_memory_back
from pointsman.service.clients import Clients
from pointsman.service.clock import now

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_NOTIFICATION = 64 * 1024
LONGEST_CHAT = 16 * 2**20
MOST_KEPT = 64 * 2**20
KEPT_FOR = 600.0
"""Seconds that a finished chat can still be attached to."""
PER_EVENT = 64
"""Bytes that an event costs in memory beyond its text."""
TELL_AFTER = 0.02
"""Seconds after which all are told of a chat, and of whatever else changed meanwhile: its first token comes first."""
LARGE = 2**20
"""A chat of so many bytes leaves room behind, once it is over and once it is forgotten, that is worth giving back."""

_encode = msgspec.json.Encoder().encode


class ChatsChanged(Struct, frozen=True, rename="camel"):
    """A chat has begun, found its provider, or ended."""

    chat: ChatSummary


@dataclass(frozen=True)
class Starter:
    """Who began a chat; the connection itself, and its environment, may be long gone."""

    client: str
    window_id: str | None
    workspace: str | None


@dataclass(eq=False)
class Chat:
    """One chat: its log, and who watches. `spec` names the model it was begun with, `title` what it is about.

    Cancelling stops the work, and the log then ends with `Finished` like any other. `result` is what it has come to by
    then, also where `error` says why nobody answered.
    """

    id: str
    spec: str
    title: str
    starter: Starter
    detach: float
    conversation_id: str | None = None
    started_at: str = field(default_factory=now)
    started: Started | None = None
    finished: Finished | None = None
    result: ChatResult | None = None
    error: PointsmanError | None = None

    def __post_init__(self) -> None:
        self._log: list[bytes] = []
        self._wakers: set[asyncio.Event] = set()
        self._watchers = 0
        self._leaving: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None
        self.expiry: asyncio.TimerHandle | None = None
        self.size = 0

    def __len__(self) -> int:
        return len(self._log)

    def driven_by(self, work: asyncio.Task[None]) -> None:
        """Names the task that appends to this log, and that ends when the chat is cancelled."""
        self._work = work

    def cancel(self) -> None:
        """Ends the chat for all who watch it; nothing happens to one that has finished."""
        if self._work is not None and not self.finished:
            self._work.cancel()

    def append(self, event: Event) -> None:
        """Adds one event, encoded once for all who will ever read it."""
        if isinstance(event, Started):
            self.started = event
        encoded = bytes(memoryview(_encode(event)))  # a copy, since what the encoder gives keeps half as much again
        self._log.append(encoded)
        self.size += len(encoded) + PER_EVENT
        for waker in self._wakers:
            waker.set()

    def finish(self, last: Finished, result: ChatResult | None, error: PointsmanError | None) -> None:
        """Adds the last event, and what the requests that wait for it are answered with."""
        self.finished, self.result, self.error = last, result, error
        self.append(last)
        self.size *= 2  # the result says it all once more
        if self._leaving is not None:
            self._leaving.cancel()  # it would keep the chat alive

    async def read(self, after: int) -> AsyncGenerator[tuple[int, Sequence[bytes]]]:
        """The events behind a cursor, as they come: the number of the first, and a batch of encoded events.

        All that has piled up is one batch, up to the size of a notification. Ends when the reader closes it, too.
        """
        cursor = after + 1
        waker = asyncio.Event()
        self._wakers.add(waker)
        try:
            while True:
                waker.clear()
                while cursor < len(self._log):
                    end = self._batch_end(cursor)
                    yield cursor, self._log[cursor:end]
                    cursor = end
                if self.finished:
                    return
                await waker.wait()
        finally:
            self._wakers.discard(waker)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """While at least one watches, the chat runs on; when the last has left, it has `detach` seconds."""
        self._watchers += 1
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        try:
            yield
        finally:
            self._watchers -= 1
            if not self._watchers and not self.finished:
                self._leaving = asyncio.get_running_loop().call_later(self.detach, self.cancel)

    def summary(self) -> ChatSummary:
        """This chat in a list."""
        return ChatSummary(
            chat_id=self.id,
            state="finished" if self.finished else "running",
            model=f"{self.started.provider}:{self.started.model}" if self.started else self.spec,
            client=self.starter.client,
            started_at=self.started_at,
            events=len(self._log),
            watchers=self._watchers,
            title=self.title,
            window_id=self.starter.window_id,
            workspace=self.starter.workspace,
            conversation_id=self.conversation_id,
            provider=self.started.provider if self.started else None,
            reason=self.finished.reason if self.finished else None,
        )

    def _batch_end(self, start: int) -> int:
        size, end = 0, start
        while end < len(self._log) and (end == start or size + len(self._log[end]) < LONGEST_NOTIFICATION - 512):
            size += len(self._log[end]) + 1
            end += 1
        return end


class Chats:
    """Every chat that runs, and the finished ones for a while."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._chats: dict[str, Chat] = {}
        self._finished: dict[str, Chat] = {}
        self._news: dict[str, Chat] = {}
        self._kept = 0

    def __len__(self) -> int:
        return len(self._chats)

    @property
    def running(self) -> list[Chat]:
        """The chats that are not finished."""
        return [chat for chat in self._chats.values() if not chat.finished]

    def begin(self, chat: Chat) -> None:
        """Takes a new chat in. Raises ChatInUse."""
        if chat.id in self._chats:
            raise ChatInUse(f"There is a chat {chat.id} already.")
        self._chats[chat.id] = chat
        self.changed(chat)

    def get(self, id: str) -> Chat:
        """The chat of that id. Raises ChatGone."""
        if (chat := self._chats.get(id)) is None:
            raise ChatGone(f"There is no chat {id} here.")
        return chat

    def list(self) -> list[ChatSummary]:
        """All that are kept, the latest first."""
        return [chat.summary() for chat in reversed(self._chats.values())]

    def changed(self, chat: Chat) -> None:
        """Tells everybody soon where a chat stands; one that has ended is kept for a while, within bounds."""
        if not self._news:
            asyncio.get_running_loop().call_later(TELL_AFTER, self._tell)
        self._news[chat.id] = chat
        if chat.finished:
            self._keep(chat)

    def _tell(self) -> None:
        told, self._news = self._news, {}
        for chat in told.values():
            self._tell_of(ChatsChanged(chat.summary()))

    def _tell_of(self, change: ChatsChanged) -> None:
        self._clients.tell_all(lambda _: change)

    def _keep(self, chat: Chat) -> None:
        """Keeps a finished chat for a while, and forgets the oldest of them until the rest is within bounds."""
        chat.expiry = asyncio.get_running_loop().call_later(KEPT_FOR, self._forget, chat)
        self._finished[chat.id] = chat
        self._kept += chat.size
        while self._kept > MOST_KEPT:
            self._forget(next(iter(self._finished.values())))
        self._tidy_up(chat)

    def _forget(self, chat: Chat) -> None:
        del self._chats[chat.id], self._finished[chat.id]
        self._kept -= chat.size
        if chat.expiry is not None:
            chat.expiry.cancel()  # it would keep the chat alive
        self._tidy_up(chat)

    def _tidy_up(self, chat: Chat) -> None:
        if chat.size > LARGE:
            asyncio.get_running_loop().call_later(1.0, give_memory_back)  # soon, when nothing refers to it any more
