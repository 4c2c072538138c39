"""The fixture `neighbour`: a model server on this machine that comes and goes at one port, and counts who knocks.

It speaks as much of Ollama's own dialect and of OpenAI's as is needed to list models and to chat.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

LINE = b'{"message":{"role":"assistant","content":"hello"},"done":true,"done_reason":"stop"}\n'
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


class Neighbour:
    """A server at `origin` that runs from `start` to `stop`; `knocks` counts connections, `paths` is what was asked."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))  # nobody else can take the port, not even while it does not listen
        self.port: int = self._socket.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.models = ["tiny:1b", "small:latest"]
        self.knocks = 0
        self.paths: list[str] = []
        self.headers: list[str] = []
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._news = asyncio.Event()

    async def start(self) -> None:
        """Listens."""
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.close()
        server.bind(("127.0.0.1", self.port))
        self._server = await asyncio.start_server(self._serve, sock=server)

    async def stop(self) -> None:
        """Ends, as if it had been killed; the port stays its own."""
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()
        self._server = None
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", self.port))

    async def knocked(self, count: int, within: float) -> None:
        """Waits until so many connections were made. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while self.knocks < count:
                self._news.clear()
                await self._news.wait()

    def close(self) -> None:
        """Gives the port up."""
        self._socket.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.knocks += 1
        self._news.set()
        self._writers.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                await reader.readexactly(self._length(head))
                path = head.split(" ")[1]
                self.paths.append(path)
                self.headers.append(head)
                writer.write(self._answer(path))
                await writer.drain()
        self._writers.discard(writer)
        writer.close()

    def _length(self, head: str) -> int:
        return next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)

    def _answer(self, path: str) -> bytes:
        answers = {
            "/api/tags": json.dumps({"models": [{"name": name} for name in self.models]}).encode(),
            "/v1/models": json.dumps({"data": [{"id": name} for name in self.models]}).encode(),
            "/api/chat": LINE,
            "/v1/chat/completions": EVENT,
        }
        status, body = ("200 OK", answers[path]) if path in answers else ("404 Not Found", b"")
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.fixture
async def neighbour() -> AsyncIterator[Neighbour]:
    """A server that does not run yet."""
    server = Neighbour()
    yield server
    await server.stop()
    server.close()
