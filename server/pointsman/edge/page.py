"""One page for programs of this machine, on a port of its loopback address. The daemon's only TCP listener, and opt-in.

Must never know what stands on the page, nor answer anything but a plain `GET` of it. A web page that a browser shows
can send requests here, too: it would have to name another host than this one (DNS rebinding), and is refused for that.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Sequence
from contextlib import suppress

from pointsman.core.errors import StorageError

LOOPBACK = "127.0.0.1"
HOSTS = ("127.0.0.1", "localhost", "[::1]")
LONGEST_HEAD = 8 * 1024
ALWAYS = "cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n"
"""Headers of every answer."""
HEAD_WITHIN = 5.0
"""Seconds that a reader has to say what it wants."""
MOST_READERS = 16
Answer = tuple[str, str, bytes]
"""Status line, content type, body."""


class Page:
    """A page while it is open."""

    def __init__(self, path: str, content_type: str, text: Callable[[], bytes]) -> None:
        self._path, self._type, self._text = path, content_type, text
        self._server: asyncio.Server | None = None
        self._hosts: Sequence[str] = ()
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str | None:
        """Where it is read; None while it is closed."""
        if self._server is None:
            return None
        return f"http://{LOOPBACK}:{self._server.sockets[0].getsockname()[1]}{self._path}"

    async def open(self, port: int) -> None:
        """Raises StorageError when the port can't be had."""
        try:
            self._server = await asyncio.start_server(self._serve, LOOPBACK, port, limit=LONGEST_HEAD)
        except OSError as error:
            taken = (
                "another program listens there"
                if error.errno == errno.EADDRINUSE
                else error.strerror or "the system refuses it"
            )
            text = f"Port {port} of {LOOPBACK} can't be had for metrics: {taken}."
            raise StorageError(text, "Set another `port` in `[metrics]` of pointsman.toml.") from error
        bound = self._server.sockets[0].getsockname()[1]
        self._hosts = [f"{host}:{bound}" for host in HOSTS]

    async def close(self) -> None:
        """Nobody reads it any more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            if len(self._serving) > MOST_READERS:
                return
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(HEAD_WITHIN):
                    asked = await reader.readuntil(b"\r\n\r\n")
                    status, kind, body = self._answer(asked.decode("latin-1"))
                    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{ALWAYS}\r\n"
                    writer.write(head.encode() + body)
                    await writer.drain()
        finally:
            self._serving.discard(task)
            writer.close()

    def _answer(self, head: str) -> Answer:
        first, *lines = head.split("\r\n")
        method, _, rest = first.partition(" ")
        target, _, version = rest.partition(" ")
        named = [value.strip() for name, _, value in (line.partition(":") for line in lines) if name.lower() == "host"]
        if not version.startswith("HTTP/1."):
            return _refusal("400 Bad Request", "This is no HTTP/1.1 request.")
        if len(named) != 1 or named[0].lower() not in self._hosts:
            return _refusal("421 Misdirected Request", f"Ask for {self.url}, under that name.")
        if target.partition("?")[0] != self._path:
            return _refusal("404 Not Found", f"There is {self._path}, and nothing else.")
        if method != "GET":
            return _refusal("405 Method Not Allowed", "It can be read with GET, and that alone.")
        return "200 OK", self._type, self._text()


def _refusal(status: str, text: str) -> Answer:
    return status, "text/plain; charset=utf-8", f"{text}\n".encode()
