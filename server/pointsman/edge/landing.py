"""Where a browser lands at the end of a sign-in: a listener on loopback that lives no longer than that sign-in.

On asyncio's streams: one path with one short answer needs nothing of a web framework. Must never answer another path,
keep a connection, or repeat anything that a browser says. Source: RFC 8252 §7.3.
"""

from __future__ import annotations

import asyncio
import errno
import html
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from string import Template
from urllib.parse import parse_qsl, urlsplit

from pointsman.core.errors import PointsmanError, SignInFailed
from pointsman.core.oauth import OAuth

log = logging.getLogger(__name__)

LARGEST = 16 * 1024
"""Bytes of a request that are read; codes may be long."""
PATIENCE = 5.0
"""Seconds that a browser has to say what it wants, and afterwards to read the page."""
MOST_AT_ONCE = 16
"""Connections that are served at once: browsers open a few to be quick."""
HOSTS = {"127.0.0.1": ("127.0.0.1",), "[::1]": ("::1",), "localhost": ("127.0.0.1", "::1")}
"""Where to listen for the host of a redirect; a browser may take `localhost` for either."""

Take = Callable[[Mapping[str, str]], Awaitable[str]]
"""What is done with the query that a browser brings: gives the account that has signed in, or raises PointsmanError."""


@asynccontextmanager
async def landing(oauth: OAuth, take: Take) -> AsyncIterator[str]:
    """Listens while the context lasts; gives the redirect to name to the provider.

    Each visit is given to `take`, whose account or error the page then tells. On the way out, pages on their way are
    finished first. Raises SignInFailed if no port can be had.
    """
    visits = _Visits(oauth.redirect_path, take)
    servers = await _listen(oauth, visits.serve)
    port = servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://{oauth.redirect_host}:{port}{oauth.redirect_path}"
    finally:
        for server in servers:
            server.close()
        await visits.end()


async def _listen(oauth: OAuth, serve: Callable[..., Awaitable[None]]) -> list[asyncio.Server]:
    """Servers on the first of the ports that is free on every address that has to be listened at."""
    first, *others = HOSTS[oauth.redirect_host]
    for port in oauth.redirect_ports or (0,):
        try:
            servers = [await asyncio.start_server(serve, first, port, limit=LARGEST)]
        except OSError as error:
            log.info("port %d can't be had for a sign-in: %s", port, error.strerror)
            continue
        for other in others:
            try:
                own = servers[0].sockets[0].getsockname()[1]
                servers.append(await asyncio.start_server(serve, other, own, limit=LARGEST))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:  # another program would be handed the code
                    servers.pop().close()
                    break
        if servers:
            return servers
    ports = " and ".join(map(str, oauth.redirect_ports)) or "none"
    raise SignInFailed(
        f"The sign-in has nowhere to come back to: the ports that the provider takes are in use here: {ports}.",
        "End the other sign-in that uses them, perhaps one of another program; or sign in with a code for another "
        "device, where the provider has that (`pointsman login … --device`).",
    )


@dataclass(frozen=True)
class _Page:
    status: HTTPStatus
    title: str
    text: str
    mark: str = "#b3261e"


class _Visits:
    """The visits of browsers to one sign-in."""

    def __init__(self, path: str, take: Take) -> None:
        self._path, self._take = path, take
        self._one_at_a_time = asyncio.Lock()
        self._welcome: _Page | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._silent: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request, and closes the connection."""
        task = asyncio.current_task()
        assert task is not None, "asyncio serves each connection in a task"
        try:
            if len(self._open) < MOST_AT_ONCE:
                self._open.add(task)
                await self._serve(reader, writer)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # nothing that a sign-in could come to harm by
        finally:
            self._open.discard(task)
            self._silent.discard(writer)
            writer.close()

    async def end(self) -> None:
        """Waits for the pages that are on their way, and no longer than a browser needs to read one.

        Connections that have said nothing are not waited for: browsers open some that they may never need.
        """
        for writer in self._silent:
            writer.close()
        if self._open:
            _, late = await asyncio.wait(self._open, timeout=PATIENCE)
            for task in late:
                task.cancel()
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*late, return_exceptions=True), PATIENCE)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._silent.add(writer)
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
        self._silent.discard(writer)
        method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
        parts = urlsplit(target)
        if parts.path != self._path or parts.netloc:
            page = _Page(HTTPStatus.NOT_FOUND, "There is nothing here", "This address only ends a sign-in.")
        elif method != "GET":
            page = _Page(HTTPStatus.METHOD_NOT_ALLOWED, "There is nothing here", "This address only ends a sign-in.")
        else:
            page = await self._visit(dict(parse_qsl(parts.query, max_num_fields=50)))
        async with asyncio.timeout(PATIENCE):
            writer.write(_written(page))
            await writer.drain()

    async def _visit(self, query: Mapping[str, str]) -> _Page:
        """What comes of one visit. A page that is loaded again, after all went well, says so again."""
        async with self._one_at_a_time:
            if self._welcome is not None:
                return self._welcome
            try:
                account = await self._take(query)
            except PointsmanError as error:
                text = f"{error.message} {error.advice} You may close this tab."
                return _Page(HTTPStatus.BAD_REQUEST, "The sign-in did not work", text)
            text = f"Signed in as {account}. You may close this tab and go back to your editor."
            self._welcome = _Page(HTTPStatus.OK, "You are signed in", text, "#1e7a34")
            return self._welcome


def _written(page: _Page) -> bytes:
    values = {"title": html.escape(page.title), "text": html.escape(page.text), "mark": page.mark}
    body = Template(Path(__file__).with_suffix(".html").read_text("utf-8")).substitute(values).encode()
    lines = [
        f"HTTP/1.1 {page.status.value} {page.status.phrase}",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        "Referrer-Policy: no-referrer",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body
