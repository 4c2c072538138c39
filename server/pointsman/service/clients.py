"""Who is connected, and what is told to whom. Must never know how a message travels.

A client is one connection: an editor's window, or the command line.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from pointsman.core.environment import Environment
from pointsman.core.selection import Author, Place
from pointsman.service.clock import now


class Line(Protocol):
    """The way to one client."""

    def tell(self, notification: Any) -> None:
        """Sends one notification; never blocks and never raises."""
        ...

    def show(self, text: str, *, warning: bool = False) -> None:
        """Shows a message to the person; never blocks and never raises."""
        ...

    async def ask(self, text: str, choices: Sequence[str]) -> str | None:
        """Asks the person to pick one; None when they pick nothing. Raises LookupError where that can't be asked."""
        ...

    async def open_page(self, url: str) -> bool:
        """Opens a page in the person's browser; says whether that could be done."""
        ...

    def hang_up(self) -> None:
        """Ends the connection once all that was said has been sent."""
        ...


@dataclass(eq=False)
class Client:
    """One connection. Name, window and workspace are known after its `initialize`.

    `ready` is true once `initialize` has been answered: it is told nothing before. `remote`: the person's browser is on
    another machine. `ours` is true for a client that
    speaks Pointsman's own protocol, false for a stock LSP client.
    """

    number: int
    version: str
    directory: str
    environment: Environment
    line: Line = field(repr=False)
    name: str = "unknown client"
    client_version: str | None = None
    window: str | None = None
    gave_window: bool = False
    workspace: str | None = None
    trusted: bool = False
    remote: bool = False
    ours: bool = False
    ready: bool = False
    connected_at: str = field(default_factory=now)

    @property
    def place(self) -> Place:
        """Where its choices of a model are looked up."""
        return Place(self.window, self.workspace)

    @property
    def asker(self) -> str:
        """Whose turn it is, where limits keep chats waiting: a window's, else the connection's own."""
        return self.window or f"connection {self.number}"

    @property
    def author(self) -> Author:
        """How its changes are signed."""
        return Author(self.name, self.window if self.gave_window else None)


class Clients:
    """All live connections."""

    def __init__(self) -> None:
        self._live: dict[int, Client] = {}
        self._numbers = itertools.count(1)
        self._gone = asyncio.Event()

    def __iter__(self) -> Iterator[Client]:
        return iter(list(self._live.values()))

    def __len__(self) -> int:
        return len(self._live)

    def join(self, version: str, directory: str, environment: Environment, line: Line) -> Client:
        """A new connection, after its `hello`."""
        client = Client(next(self._numbers), version, directory, environment, line)
        self._live[client.number] = client
        return client

    def leave(self, client: Client) -> None:
        """The connection has ended; its environment goes with it."""
        self._live.pop(client.number, None)
        if not self._live:
            self._gone.set()

    def assign_window(self, client: Client, wanted: str | None) -> bool:
        """Gives the client the window it asks for; another, if that one is live elsewhere.

        Says whether it got its wish.
        """
        others = (other for other in self._live.values() if other is not client)
        taken = wanted is not None and any(other.window == wanted for other in others)
        client.gave_window = wanted is not None
        client.window = secrets.token_hex(8) if wanted is None or taken else wanted
        return not taken

    def tell_all(self, make: Callable[[Client], Any]) -> None:
        """Tells every client what `make` says for it; None means that this one isn't told."""
        for client in self:
            if client.ready and (notification := make(client)) is not None:
                client.line.tell(notification)

    async def close(self, within: float) -> None:
        """Hangs up on everybody, and waits `within` seconds at most until they have read what was said."""
        self._gone.clear()
        for client in self:
            client.line.hang_up()
        if self._live:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), within)
