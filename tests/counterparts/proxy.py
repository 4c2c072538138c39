"""A proxy on loopback: passes plain requests on, makes tunnels by CONNECT, and may want to know who asks.

It remembers the first line and the headers of all that it was asked, and sends every host to one port of this machine.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """A proxy that runs. `credentials` is what it wants to be told, as NAME:PASSWORD."""

    leads_to: int
    credentials: str | None = None
    port: int = 0
    asked: list[str] = field(default_factory=list)
    refuses: int = 0

    @property
    def url(self) -> str:
        """Its URL, without a name and a password."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        with suppress(asyncio.IncompleteReadError, ConnectionError), closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.asked.append(head)
            wanted = self.credentials and f"Basic {b64encode(self.credentials.encode()).decode()}"
            if self.refuses:
                writer.write(b"HTTP/1.1 %d No\r\ncontent-length: 0\r\n\r\n" % self.refuses)
            elif wanted and f"proxy-authorization: {wanted}".lower() not in head.lower():
                writer.write(b'HTTP/1.1 407 Who\r\nproxy-authenticate: Basic realm="x"\r\ncontent-length: 0\r\n\r\n')
            else:
                await self._pass_on(head, reader, writer)

    async def _pass_on(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.leads_to)
        with closing(back):
            if head.startswith("CONNECT "):
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                back.write(head.encode("latin-1"))
            await asyncio.gather(_carry(reader, back), _carry(there, writer))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def proxying(leads_to: int, credentials: str | None = None) -> AsyncIterator[Proxy]:
    """A proxy that runs until the block ends."""
    proxy, tasks = Proxy(leads_to, credentials), set[asyncio.Task[None] | None]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with suppress(asyncio.CancelledError):  # streams would complain
            await proxy.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in filter(None, tasks):
            task.cancel()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)
