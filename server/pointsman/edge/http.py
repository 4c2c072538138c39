"""HTTP for the whole daemon: the only file that imports the HTTP client, and only when the first request is sent.

Must never know what a body means. The client and its errors are translated here, once (docs/decisions/0002-httpx2.md).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pointsman.core.errors import BadCertificate, BadReply, ConnectFailed, Interrupted, PointsmanError, TimedOut
from pointsman.core.http import Head, Request
from pointsman.edge.response import Response

if TYPE_CHECKING:
    import httpx2

KEEP_ALIVE = 90.0
"""Seconds that an idle upstream connection is kept for the next chat."""


class HttpTransport:
    """One pool of connections for all providers, without a limit of its own; made at the first request."""

    def __init__(self) -> None:
        self._client: httpx2.AsyncClient | None = None
        self._making = asyncio.Lock()

    @asynccontextmanager
    async def stream(self, request: Request, connect: float) -> AsyncIterator[Response]:
        """Sends a request. A redirect is an answer like any other: a key never follows one."""
        client = await self._open()
        import httpx2

        try:
            outgoing = client.build_request(
                request.method,
                request.url,
                headers=dict(request.headers),
                content=request.body or None,
                timeout=httpx2.Timeout(None, connect=connect),
            )
            response = await client.send(outgoing, stream=True)
        except Exception as error:  # the client lets aiohttp's, the parser's and the codecs' through
            raise _translate(error, request.url, connect) from error
        try:
            headers = {name.lower(): value for name, value in response.headers.items()}
            yield Response(Head(response.status_code, headers), _chunks(response, request.url))
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Closes the pool."""
        if self._client is not None:
            await self._client.aclose()

    async def _open(self) -> httpx2.AsyncClient:
        async with self._making:
            if self._client is None:
                self._client = _client(await asyncio.to_thread(_load))
            return self._client


def _load() -> SimpleNamespace:
    """Imports the client and reads the trust store: slow both, and so done in a thread."""
    import aiohttp
    import httpx2
    import truststore
    from httpx_aiohttp.httpx2 import Httpx2AiohttpClient
    from httpx_aiohttp.httpx2.transport import AiohttpTransport

    trust = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return SimpleNamespace(
        aiohttp=aiohttp, httpx2=httpx2, Client=Httpx2AiohttpClient, Transport=AiohttpTransport, trust=trust
    )


def _client(lib: SimpleNamespace) -> httpx2.AsyncClient:
    """A client whose every transport, proxied or direct, has an unbounded pool, no cookies, and our trust store."""

    def session() -> object:
        connector = lib.aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE, ssl=lib.trust)
        return lib.aiohttp.ClientSession(connector=connector, cookie_jar=lib.aiohttp.DummyCookieJar())

    class Client(lib.Client):  # type: ignore[misc,name-defined]  # the base class is only known once it is loaded
        """Gives each transport a session of ours: the library's own would keep cookies and stop at 100 connections."""

        def _init_transport(self, **kwargs: object) -> object:
            return lib.Transport(verify=lib.trust, client=session)

        def _init_proxy_transport(self, proxy: object, **kwargs: object) -> object:
            return lib.Transport(verify=lib.trust, client=session, proxy=proxy)

    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return Client(follow_redirects=False, trust_env=True, cookies=no_cookies)


async def _chunks(response: httpx2.Response, url: str) -> AsyncIterator[bytes]:
    import httpx2

    try:
        async for chunk in response.aiter_bytes():
            yield chunk
    except httpx2.HTTPError as error:
        where = urlsplit(url).netloc
        raise Interrupted(f"The connection to {where} broke in the middle of the answer.") from error


def _translate(error: Exception, url: str, connect: float) -> PointsmanError:
    """Our error for one of the client's. The cause tells apart what the client's own classes mix up."""
    import aiohttp
    from aiohttp.http import HttpProcessingError

    where = urlsplit(url).netloc
    reason = _root(error)
    ours: PointsmanError
    match reason:
        case ssl.SSLCertVerificationError():
            ours = BadCertificate(f"{where} could not prove who it is: {reason.verify_message or reason}.")
        case ssl.SSLError():
            ours = ConnectFailed(f"{where} does not speak TLS: {reason.reason or reason}.", _plain_advice(where))
        case ConnectionRefusedError():
            ours = ConnectFailed(f"Nothing listens at {where}: the connection was refused.", _start_advice(where))
        case ConnectionResetError() | BrokenPipeError() | aiohttp.ServerDisconnectedError():
            ours = Interrupted(f"{where} closed the connection without an answer.")
        case TimeoutError():
            ours = TimedOut(f"No connection to {where} within {connect:g} seconds.")
        case HttpProcessingError():
            ours = BadReply(f"What {where} answered is not HTTP.")
        case ValueError():  # never quoted: what does not fit may be a key
            text = f"No request to {where} can be made: a character in its URL, headers or key does not belong there."
            ours = ConnectFailed(text, "Check the provider's `base_url` and `headers`, and its key for a line's end.")
        case _:
            ours = ConnectFailed(f"No connection to {where}: {str(reason) or type(reason).__name__}.")
    return ours


def _root(error: BaseException) -> BaseException:
    """The innermost cause: aiohttp wraps the system's error twice. A timeout's own cause says nothing."""
    inner = getattr(error, "os_error", None) or error.__cause__
    return error if inner is None or isinstance(error, TimeoutError) else _root(inner)


def _plain_advice(where: str) -> str:
    return f"If the server at {where} speaks plain HTTP, begin the provider's `base_url` with http://."


def _start_advice(where: str) -> str:
    return f"Start the server at {where}, or correct the provider's `base_url`."
