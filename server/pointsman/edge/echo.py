"""The transport of `echo:` URLs: sends the request's own body back, line by line. Must never need a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pointsman.core.http import Head, Request
from pointsman.core.network import ORDINARY, Egress
from pointsman.edge.response import Response


class EchoTransport:
    """Answers from the request itself; its header `pace` gives the seconds between two lines."""

    @asynccontextmanager
    async def stream(self, request: Request, connect: float, egress: Egress = ORDINARY) -> AsyncIterator[Response]:
        """The lines of the body as a response."""
        yield Response(Head(200), _lines(request.body, float(request.headers.get("pace", "0"))))

    async def close(self) -> None:
        """Nothing is open."""


async def _lines(body: bytes, pace: float) -> AsyncIterator[bytes]:
    for line in body.splitlines(keepends=True):
        await asyncio.sleep(pace)
        yield line
