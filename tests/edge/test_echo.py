"""The offline transport, and the choice of a transport by its scheme."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pointsman.core.errors import ConnectFailed
from pointsman.core.http import Head, Request
from pointsman.edge.echo import EchoTransport
from pointsman.edge.transport import Transports, read, transports


async def echoed(body: bytes, **headers: str) -> list[bytes]:
    async with EchoTransport().stream(Request("POST", "echo://localhost/echo", headers, body), 1.0) as response:
        assert response.head == Head(200)
        return [chunk async for chunk in response.chunks]


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b"", []),
        (b"a\n", [b"a\n"]),
        (b"a\nb", [b"a\n", b"b"]),
        ("é\u2028\u0085\x0b\n".encode(), ["é\u2028\u0085\x0b\n".encode()]),
    ],
)
async def test_the_body_comes_back_line_by_line(body: bytes, lines: list[bytes]) -> None:
    assert await echoed(body) == lines


async def test_lines_come_at_their_pace() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert len(await echoed(b"a\nb\nc\n", pace="0.02")) == 3
    assert 0.06 <= loop.time() - began < 10


async def test_it_can_be_left_in_the_middle() -> None:
    transport = EchoTransport()
    async with transport.stream(Request("POST", "echo://x", {"pace": "0"}, b"a\nb\n"), 1.0) as response:
        assert await anext(response.chunks) == b"a\n"
    await transport.close()


# By scheme


async def test_a_scheme_leads_to_its_transport() -> None:
    out = transports()
    head, body = await out.fetch(Request("POST", "echo://x", body=b"a\nb\n"), 1.0)
    assert (head.status, body) == (200, b"a\nb\n")
    assert {"http", "https", "echo", "program"} == set(out.by_scheme)
    await out.close()


@pytest.mark.parametrize("url", ["ftp://h/", "h/v1", ""])
async def test_a_scheme_that_nobody_speaks(url: str) -> None:
    with pytest.raises(ConnectFailed, match="Nothing here can speak"):
        await Transports({"echo": EchoTransport()}).fetch(Request("GET", url), 1.0)


@pytest.mark.parametrize(("limit", "expected"), [(2, b"ab"), (3, b"abc"), (4, b"abcd"), (99, b"abcdef")])
async def test_a_body_is_read_up_to_its_limit(limit: int, expected: bytes) -> None:
    taken: list[bytes] = []

    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b"abc", b"", b"de", b"f"):
            taken.append(chunk)
            yield chunk

    assert await read(chunks(), limit) == expected
    assert limit > 6 or len(b"".join(taken)) <= limit + 3
