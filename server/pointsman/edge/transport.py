"""How a request leaves the process, by the scheme of its URL. Must never know a dialect or a provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlsplit

from pointsman.core.errors import ConnectFailed
from pointsman.core.http import Head, Request
from pointsman.core.network import ORDINARY, Egress
from pointsman.edge.echo import EchoTransport
from pointsman.edge.http import HttpTransport
from pointsman.edge.program import ProgramTransport
from pointsman.edge.response import Response


class Transport(Protocol):
    """Sends requests of its schemes."""

    def stream(
        self, request: Request, connect: float, egress: Egress = ORDINARY
    ) -> AbstractAsyncContextManager[Response]:
        """Sends a request, waits `connect` seconds at most for a connection, and gives the response as it arrives.

        `egress` is the way to take through the network. Leaving the context closes the upstream connection at once if
        the body was not read to its end. Raises TransportError.
        """
        ...

    async def close(self) -> None:
        """Lets go of idle connections."""
        ...


@dataclass(frozen=True)
class Transports:
    """Every transport there is, by scheme, and the way that what they send takes."""

    by_scheme: Mapping[str, Transport]
    egress: Egress = ORDINARY

    def along(self, egress: Egress) -> Transports:
        """The same, for requests that take another way; for those of a provider, that is its `egress`."""
        return replace(self, egress=egress)

    def stream(self, request: Request, connect: float) -> AbstractAsyncContextManager[Response]:
        """Sends a request by the transport of its scheme."""
        scheme = urlsplit(request.url).scheme
        if (transport := self.by_scheme.get(scheme)) is None:
            raise ConnectFailed(
                f"Nothing here can speak {scheme!r}.", "Use a base URL that starts with https:// or http://."
            )
        return transport.stream(request, connect, self.egress)

    async def fetch(self, request: Request, connect: float, limit: int = 16 * 2**20) -> tuple[Head, bytes]:
        """Sends a request and reads the whole body, up to `limit` bytes; the rest of a longer one is not read."""
        async with self.stream(request, connect) as response:
            return response.head, await read(response.chunks, limit)

    async def close(self) -> None:
        """Closes every transport."""
        for transport in set(self.by_scheme.values()):
            await transport.close()


def transports() -> Transports:
    """The transports of a running daemon."""
    http = HttpTransport()
    return Transports({"http": http, "https": http, "echo": EchoTransport(), "program": ProgramTransport()})


async def read(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    """A body up to `limit` bytes."""
    body = b""
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            break
    return body[:limit]
