"""HTTP for the whole daemon: the only file that imports the HTTP client, and only when the first request is sent.

Must never know what a body means. The client and its errors are translated here, once (docs/decisions/0002-httpx2.md).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pointsman.core.errors import BadCertificate, BadReply, ConnectFailed, Interrupted, PointsmanError, TimedOut
from pointsman.core.http import Head, Request
from pointsman.edge.response import Response

if TYPE_CHECKING:
    import httpx2

    Way = httpx2.AsyncBaseTransport

KEEP_ALIVE = 90.0
"""Seconds that an idle upstream connection is kept for the next chat."""
HEADERS = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "pointsman"}
"""What every request says that does not say otherwise."""


class HttpTransport:
    """Pools of connections for all providers, without a limit: one straight to them, and one for each proxy.

    The pools are used without the client's own `AsyncClient`: what that adds to each request (cookies, redirects, a
    URL merged and parsed again) must not happen here or is done better once.
    """

    def __init__(self) -> None:
        self._make: Callable[[str | None], Way] | None = None
        self._making = asyncio.Lock()
        self._ways: dict[str | None, Way] = {}
        self._proxy = lru_cache(256)(_proxy)

    @asynccontextmanager
    async def stream(self, request: Request, connect: float) -> AsyncIterator[Response]:
        """Sends a request. A redirect is an answer like any other: a key never follows one."""
        proxy = self._proxy(request.url)
        way = await self._way(proxy)
        import httpx2

        try:
            response = await way.handle_async_request(
                httpx2.Request(
                    request.method,
                    _url(request.url),
                    headers=HEADERS | {name.lower(): value for name, value in request.headers.items()},
                    content=request.body or None,
                    extensions={"timeout": {"connect": connect, "pool": None, "read": None, "write": None}},
                )
            )
        except Exception as error:  # the client lets aiohttp's, the parser's and the codecs' through
            raise _translate(error, request.url, proxy, connect) from error
        try:
            headers = {name.lower(): value for name, value in response.headers.items()}
            yield Response(Head(response.status_code, headers), _chunks(response, request.url))
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Closes the pools."""
        for way in self._ways.values():
            await way.aclose()

    async def _way(self, proxy: str | None) -> Way:
        async with self._making:
            if self._make is None:
                self._make = await asyncio.to_thread(_load)
        if proxy not in self._ways:
            self._ways[proxy] = self._make(proxy)
        return self._ways[proxy]


@lru_cache(256)
def _url(text: str) -> httpx2.URL:
    import httpx2

    return httpx2.URL(text)


def _proxy(url: str) -> str | None:
    """The proxy that the environment of the daemon, or the system's settings, name for a URL."""
    try:
        parts = urlsplit(url)
        named = getproxies()
        proxy = named.get(parts.scheme) or named.get("all")
        bypassed = proxy is None or proxy_bypass(_host(url))
    except ValueError:  # no URL at all: who sends the request will say so
        return None
    if proxy is None or bypassed:
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _load() -> Callable[[str | None], Way]:
    """Imports the client and reads the trust store: slow both, and so done in a thread. Gives what makes a pool."""
    import aiohttp
    import httpx2
    import truststore
    import yarl
    from httpx_aiohttp.httpx2.transport import AiohttpTransport

    trust = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def session() -> aiohttp.ClientSession:
        """A session of ours: the library's own would keep cookies and stop at 100 connections."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE, ssl=trust)
        made = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        send = made.request

        def exactly(method: str, url: str, **more: Any) -> Any:
            """Sends to a URL as it is spelled: yarl would undo `%3A` and `%2F`, and an AWS signature with them."""
            return send(method, yarl.URL(url, encoded=True), **more)

        object.__setattr__(made, "request", exactly)  # the one way in; a subclass of a session is deprecated
        return made

    def make(proxy: str | None) -> Way:
        if proxy is not None and urlsplit(proxy).scheme not in ("http", "https"):
            raise ConnectFailed(
                f"The proxy that the environment names ({urlsplit(proxy).scheme}://…) can't be used here.",
                "Name one that begins with http:// in `https_proxy`, or except the provider's host by `no_proxy`.",
            )
        return AiohttpTransport(verify=trust, client=session, proxy=httpx2.Proxy(proxy) if proxy else None)

    make(None)  # what the first one imports is imported here, and not on the loop
    return make


async def _chunks(response: httpx2.Response, url: str) -> AsyncIterator[bytes]:
    import httpx2

    assert isinstance(response.stream, httpx2.AsyncByteStream)
    packed = "content-encoding" in response.headers
    try:
        async for chunk in response.aiter_bytes() if packed else response.stream:
            yield chunk
    except httpx2.HTTPError as error:
        where = urlsplit(url).netloc
        raise Interrupted(f"The connection to {where} broke in the middle of the answer.") from error


def _translate(error: Exception, url: str, proxy: str | None, connect: float) -> PointsmanError:
    """Our error for one of the client's. The cause tells apart what the client's own classes mix up."""
    import aiohttp
    from aiohttp.http import HttpProcessingError

    where = urlsplit(url).netloc
    via = f" through the proxy {_host(proxy)}" if proxy else ""
    reason = _root(error)
    ours: PointsmanError
    match reason:
        case ssl.SSLCertVerificationError():
            ours = BadCertificate(f"{where} could not prove who it is: {reason.verify_message or reason}.")
        case ssl.SSLError():
            ours = ConnectFailed(f"{where} does not speak TLS: {reason.reason or reason}.", _plain_advice(where))
        case socket.gaierror():
            name = urlsplit(proxy or url).hostname
            which = "the proxy that the environment names" if proxy else "`base_url`"
            text = f"No connection to {where}{via}: there is no address for the name {name} ({reason.strerror})."
            ours = ConnectFailed(text, f"Check the spelling of {which}, and the network: its DNS, or a VPN.")
        case ConnectionRefusedError() if proxy:
            text = f"Nothing listens at the proxy {_host(proxy)}, on the way to {where}: the connection was refused."
            ours = ConnectFailed(text, f"Start it, or except {where} by `no_proxy`, and restart the daemon.")
        case ConnectionRefusedError():
            ours = ConnectFailed(f"Nothing listens at {where}: the connection was refused.", _start_advice(where))
        case ConnectionResetError() | BrokenPipeError() | aiohttp.ServerDisconnectedError():
            ours = Interrupted(f"{where} closed the connection{via} without an answer.")
        case TimeoutError():
            ours = TimedOut(f"No connection to {where}{via} within {connect:g} seconds.")
        case HttpProcessingError():
            ours = BadReply(f"What {where} answered is not HTTP.")
        case ValueError():  # never quoted: what does not fit may be a key
            text = f"No request to {where} can be made: a character in its URL, headers or key does not belong there."
            ours = ConnectFailed(text, "Check the provider's `base_url` and `headers`, and its key for a line's end.")
        case _:
            ours = ConnectFailed(f"No connection to {where}{via}: {str(reason) or type(reason).__name__}.")
    return ours


def _host(url: str) -> str:
    """Host and port of a URL, without the name and password that may stand before them."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _root(error: BaseException) -> BaseException:
    """The innermost cause: aiohttp wraps the system's error twice. A timeout's own cause says nothing."""
    inner = getattr(error, "os_error", None) or error.__cause__
    return error if inner is None or isinstance(error, TimeoutError) else _root(inner)


def _plain_advice(where: str) -> str:
    return f"If the server at {where} speaks plain HTTP, begin the provider's `base_url` with http://."


def _start_advice(where: str) -> str:
    return f"Start the server at {where}, or correct the provider's `base_url`."
