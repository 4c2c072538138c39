"""Reference (a), as a process: bytes from a client's socket to upstream's and back, as they are.

The least that a relay written with asyncio can do; it knows no HTTP.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress


class Side(asyncio.Protocol):
    """One end of a pair; the other end reads no faster than this one writes."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: Side | None = None
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.other is None or self.other.transport is None:
            self._early.append(data)
        else:
            self.other.transport.write(data)

    def join(self, other: Side) -> None:
        """Goes on with what came before the other end was there."""
        self.other, other.other = other, self
        for data in self._early:
            self.data_received(data)

    def pause_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other and self.other.transport and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        if self.other and self.other.transport:
            self.other.transport.close()


class Late(Side):
    """An end at upstream that holds everything back for a moment: it shows that the benchmark sees that."""

    delay = 0.0

    def data_received(self, data: bytes) -> None:
        asyncio.get_running_loop().call_later(self.delay, super().data_received, data)


class Client(Side):
    """The end at a client: one connection to upstream for each of them."""

    def __init__(self, far: type[Side], port: int, tasks: asyncio.TaskGroup) -> None:
        super().__init__()
        self._far, self._port, self._tasks = far, port, tasks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._tasks.create_task(self._reach())

    async def _reach(self) -> None:
        _, upstream = await asyncio.get_running_loop().create_connection(self._far, "127.0.0.1", self._port)
        self.join(upstream)
        if self.transport is None or self.transport.is_closing():
            self.connection_lost(None)


async def main(path: str, port: int, delay: float) -> None:
    """Serves on the unix socket at `path` until standard input ends; `delay` is in seconds."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), over.set)
    Late.delay = delay
    async with asyncio.TaskGroup() as tasks:
        far = Late if delay else Side
        server = await loop.create_unix_server(lambda: Client(far, port, tasks), path, backlog=2048)
        await over.wait()
        server.close()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
