"""What the tests of HTTP ask with, and a server that answers whatever it is told to."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import pytest_asyncio

from pointsman.core.errors import PointsmanError
from pointsman.core.http import Request
from pointsman.edge.http import HttpTransport
from pointsman.edge.response import Response
from tests.counterparts.upstream import Upstream


@pytest_asyncio.fixture
async def transport(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HttpTransport]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    transport = HttpTransport()
    yield transport
    await transport.close()


def chat(upstream: Upstream, model: str) -> Request:
    body = json.dumps({"model": model, "stream": True}).encode()
    return Request("POST", f"{upstream.base_url}/chat/completions", {"content-type": "application/json"}, body)


async def whole(context: AbstractAsyncContextManager[Response]) -> tuple[int, bytes]:
    async with context as response:
        return response.head.status, b"".join([chunk async for chunk in response.chunks])


async def refuse(
    transport: HttpTransport, request: Request, kind: type[PointsmanError], *words: str, connect: float = 2.0
) -> PointsmanError:
    with pytest.raises(PointsmanError) as refused:
        await whole(transport.stream(request, connect))
    assert type(refused.value) is kind, refused.value
    for word in words:
        assert word in str(refused.value)
    return refused.value


@asynccontextmanager
async def answering(answer: bytes | None, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that gives everybody the same bytes and hangs up; without any, it only waits."""
    served: list[tuple[asyncio.StreamWriter, asyncio.Task[None] | None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append((writer, asyncio.current_task()))
        await reader.read(1)
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
    for writer, task in served:
        writer.transport.abort()
        await asyncio.gather(*filter(None, [task]), writer.wait_closed(), return_exceptions=True)


OK = b"HTTP/1.1 200 OK\r\n"
