"""HTTP for the whole daemon: the only file that imports the HTTP client, and only when the first request is sent.

Must never know what a body means. The client and its errors are translated here, once (docs/decisions/0002-httpx2.md).
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from pointsman.core.errors import (
    BadCertificate,
    BadReply,
    ConnectFailed,
    Interrupted,
    PointsmanError,
    TimedOut,
    TransportError,
)
from pointsman.core.http import Head, Request
from pointsman.core.network import DIRECT, ORDINARY, Egress
from pointsman.edge.response import Response, connections
from pointsman.edge.tls import Files, equip, files

if TYPE_CHECKING:
    import httpx2

    Way = httpx2.AsyncBaseTransport

    Make = Callable[["_Proxy | None", Egress, bool], Awaitable[Way]]

PROXY_WANTS_TO_KNOW = 407
ALERT = re.compile(r"ALERT_((?:NO|BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|ACCESS_DENIED)")
"""What a server says that refuses a client's certificate, or misses one (RFC 8446 §6.2)."""
KEEP_ALIVE = 90.0
"""Seconds that an idle upstream connection is kept for the next chat."""
HEADERS = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "pointsman"}
"""What every request says that does not say otherwise."""


@dataclass(frozen=True)
class _Proxy:
    """A proxy, and whether pointsman.toml names it; else the environment does."""

    url: str
    configured: bool

    @property
    def host(self) -> str:
        """Host and port, without the name and password that may stand before them."""
        return _host(self.url)

    @property
    def bare(self) -> str:
        """The URL without them."""
        return urlsplit(self.url)._replace(netloc=self.host).geturl()

    @property
    def headers(self) -> dict[str, str]:
        """What tells it who asks (RFC 7617); the client makes `Proxy-Authorization` of it."""
        named, at, _ = urlsplit(self.url).netloc.rpartition("@")
        user, _, password = named.partition(":")
        known = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode("ascii")
        return {"authorization": f"Basic {known}"} if at else {}

    @property
    def named(self) -> str:
        """Who says so, for people."""
        return "`proxy` in pointsman.toml" if self.configured else "the proxy that the environment names"

    @property
    def exception(self) -> str:
        """How to do without."""
        where = "in pointsman.toml" if self.configured else "of the environment, and restart the daemon"
        return f"by `no_proxy` {where}"


@dataclass(eq=False)
class _Pool:
    """The connections that go one way."""

    way: Way
    files: Files
    busy: int = 0
    used: float = 0.0


class HttpTransport:
    """Pools of connections for all providers, without a limit: one for each way to them that differs from others, by
    the proxy or by the certificates. A way that nobody takes any more is given up once its last stream has ended.

    The pools are used without the client's own `AsyncClient`: what that adds to each request (cookies, redirects, a
    URL merged and parsed again) must not happen here or is done better once.
    """

    def __init__(self) -> None:
        self._make: Make | None = None
        self._making = asyncio.Lock()
        self._pools: dict[tuple[str | None, Files, bool], _Pool] = {}
        self._named = lru_cache(256)(_proxy)

    @asynccontextmanager
    async def stream(self, request: Request, connect: float, egress: Egress = ORDINARY) -> AsyncIterator[Response]:
        """Sends a request. A redirect is an answer like any other: a key never follows one."""
        proxy = self._through(request.url, egress)
        pool = await self._pool(proxy, egress, request.alone)
        pool.busy += 1
        try:
            async with _sent(pool.way, request, connect, proxy) as response:
                yield response
        finally:
            pool.busy -= 1
            pool.used = asyncio.get_running_loop().time()
            await self._give_up()

    async def close(self) -> None:
        """Closes the pools."""
        for pool in self._pools.values():
            await pool.way.aclose()

    def _through(self, url: str, egress: Egress) -> _Proxy | None:
        """The proxy for a URL: as configured, else as the environment has it."""
        try:
            configured = egress.proxy_for(url)
        except ValueError:  # no URL at all: who sends the request will say so
            return None
        if configured is None:
            named = self._named(url)
            return _Proxy(named, configured=False) if named else None
        return None if configured == DIRECT else _Proxy(configured, configured=True)

    async def _pool(self, proxy: _Proxy | None, egress: Egress, alone: bool) -> _Pool:
        needed = files(egress)
        key = (proxy.url if proxy else None, needed, alone)
        async with self._making:
            if self._make is None:
                self._make = await asyncio.to_thread(_load)
            if (pool := self._pools.get(key)) is None:
                pool = self._pools[key] = _Pool(await self._make(proxy, egress, alone), needed)
        pool.used = asyncio.get_running_loop().time()
        return pool

    async def _give_up(self) -> None:
        """Closes what nobody has used for longer than a connection is kept, or whose files have become others."""
        if len(self._pools) == 1:
            return
        now = asyncio.get_running_loop().time()
        newest = {tuple(path for path, _ in pool.files): pool.files for pool in self._pools.values()}
        for key, pool in list(self._pools.items()):
            outdated = newest[tuple(path for path, _ in pool.files)] != pool.files
            if not pool.busy and (outdated or now - pool.used >= KEEP_ALIVE):
                del self._pools[key]
                await pool.way.aclose()


@asynccontextmanager
async def _sent(way: Way, request: Request, connect: float, proxy: _Proxy | None) -> AsyncIterator[Response]:
    """Sends a request along a way."""
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
        if response.status_code == PROXY_WANTS_TO_KNOW and proxy:
            raise _refused_by(proxy, response.status_code, _host(request.url))
        headers = {name.lower(): value for name, value in response.headers.items()}
        yield Response(Head(response.status_code, headers), _chunks(response, request.url))
    finally:
        await response.aclose()


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


def _load() -> Make:
    """Imports the client and reads the trust store: slow both, and so done in a thread. Gives what makes a way."""
    import aiohttp
    import httpx2
    import truststore
    import yarl
    from httpx_aiohttp.httpx2.transport import AiohttpTransport

    class Connector(aiohttp.TCPConnector):
        """One that says when a request has its connection; aiohttp's own tracing would cost every request more."""

        async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
            connection = await super().connect(req, traces, timeout)
            if tell := connections.get():
                tell()
            return connection

    def session(tls: ssl.SSLContext, alone: bool) -> aiohttp.ClientSession:
        """A session of ours: the library's own would keep cookies and stop at 100 connections."""
        kept: dict[str, Any] = {"force_close": True} if alone else {"keepalive_timeout": KEEP_ALIVE}
        connector = Connector(limit=0, ssl=tls, **kept)
        made = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        send = made.request

        def exactly(method: str, url: str, **more: Any) -> Any:
            """Sends to a URL as it is spelled: yarl would undo `%3A` and `%2F`, and an AWS signature with them."""
            return send(method, yarl.URL(url, encoded=True), **more)

        object.__setattr__(made, "request", exactly)  # the one way in; a subclass of a session is deprecated
        return made

    def context(egress: Egress) -> ssl.SSLContext:
        """What to trust, and how to prove who we are."""
        made = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        equip(made, egress)
        return made

    plain = context(ORDINARY)  # for all ways without files of their own

    async def make(proxy: _Proxy | None, egress: Egress, alone: bool) -> Way:
        scheme = urlsplit(proxy.url).scheme if proxy else "http"
        if proxy and scheme not in ("http", "https"):
            raise _unsent(
                ConnectFailed(
                    f"{proxy.named[0].upper()}{proxy.named[1:]} ({scheme}://…) can't be used here.",
                    f"Name one that begins with http://, or except the provider's host {proxy.exception}.",
                )
            )
        tls = await asyncio.to_thread(context, egress) if files(egress) else plain
        through = None if proxy is None else httpx2.Proxy(proxy.bare, headers=proxy.headers)
        return AiohttpTransport(verify=tls, client=lambda: session(tls, alone), proxy=through)

    AiohttpTransport(verify=plain)  # what the first one imports is imported here, and not on the loop
    return make


async def _chunks(response: httpx2.Response, url: str) -> AsyncIterator[bytes]:
    import httpx2

    assert isinstance(response.stream, httpx2.AsyncByteStream)
    packed = "content-encoding" in response.headers
    try:
        async for chunk in response.aiter_bytes() if packed else response.stream:
            yield chunk
    except httpx2.HTTPError as error:
        where = _host(url)
        raise Interrupted(f"The connection to {where} broke in the middle of the answer.") from error


def _translate(error: Exception, url: str, proxy: _Proxy | None, connect: float) -> PointsmanError:
    """Our error for one of the client's. The cause tells apart what the client's own classes mix up."""
    import aiohttp
    from aiohttp.http import HttpProcessingError

    where = _host(url)
    via = f" through the proxy {proxy.host}" if proxy else ""
    reason = _root(error)
    ours: PointsmanError
    match reason:
        case ssl.SSLError():
            ours = _tls_failed(where, reason)
        case socket.gaierror():
            name = urlsplit(proxy.url if proxy else url).hostname
            which = proxy.named if proxy else "`base_url`"
            text = f"No connection to {where}{via}: there is no address for the name {name} ({reason.strerror})."
            ours = ConnectFailed(text, f"Check the spelling of {which}, and the network: its DNS, or a VPN.")
        case ConnectionRefusedError() if proxy:
            text = f"Nothing listens at the proxy {proxy.host}, on the way to {where}: the connection was refused."
            ours = ConnectFailed(text, f"Start it, or except {where} {proxy.exception}.")
        case ConnectionRefusedError():
            ours = ConnectFailed(f"Nothing listens at {where}: the connection was refused.", _start_advice(where))
        case ConnectionResetError() | BrokenPipeError() | aiohttp.ServerDisconnectedError():
            ours = Interrupted(f"{where} closed the connection{via} without an answer.", _tls_advice(url))
        case TimeoutError():
            ours = TimedOut(f"No connection to {where}{via} within {connect:g} s.")
        case aiohttp.ClientHttpProxyError() if proxy:
            ours = _refused_by(proxy, reason.status, where)
        case HttpProcessingError():
            ours = BadReply(f"What {where} answered is not HTTP.", _tls_advice(url))
        case ValueError():  # never quoted: what does not fit may be a key
            text = f"No request to {where} can be made: a character in its URL, headers or key does not belong there."
            ours = ConnectFailed(text, "Check the provider's `base_url` and `headers`, and its key for a line's end.")
        case _:
            ours = ConnectFailed(f"No connection to {where}{via}: {str(reason) or type(reason).__name__}.")
    if isinstance(ours, TransportError) and not ours.unsent:
        ours.unsent = _in_connecting(error)
    return ours


def _tls_failed(where: str, reason: ssl.SSLError) -> TransportError:
    """No TLS: because of who they are, of who we are, or because they speak something else."""
    if isinstance(reason, ssl.SSLCertVerificationError):
        return BadCertificate(f"{where} could not prove who it is: {reason.verify_message or reason}.")
    if alert := ALERT.search(reason.reason or ""):
        text = f"{where} did not take who we are for TLS: it says `{alert[1].lower().replace('_', ' ')}`."
        return BadCertificate(text, "Name the certificate that it wants, and its key, in the provider's table `tls`.")
    return ConnectFailed(f"{where} does not speak TLS: {reason.reason or reason}.", _plain_advice(where))


def _refused_by(proxy: _Proxy, status: int, where: str) -> ConnectFailed:
    """A proxy that does not let us through; it has passed nothing on."""
    if status == PROXY_WANTS_TO_KNOW:
        known = "@" in urlsplit(proxy.url).netloc
        wants = "does not take the name and the password that it was told" if known else "wants a name and a password"
        text = f"The proxy {proxy.host}, on the way to {where}, {wants} (HTTP 407)."
        advice = f"Say them in its URL, http://NAME:PASSWORD@{proxy.host}, as {proxy.named}."
    else:
        text = f"The proxy {proxy.host} made no way to {where}: it answered HTTP {status}."
        advice = f"Ask who runs it whether it lets {where} through, or except {where} {proxy.exception}."
    return _unsent(ConnectFailed(text, advice))


def _unsent(error: ConnectFailed) -> ConnectFailed:
    error.unsent = True
    return error


def _in_connecting(error: BaseException | None) -> bool:
    """Whether it failed before there was a connection at all."""
    import aiohttp

    while error is not None and not isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        error = error.__cause__
    return error is not None


def _host(url: str) -> str:
    """Host and port of a URL, without the name and password that may stand before them."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _root(error: BaseException) -> BaseException:
    """The innermost cause: aiohttp wraps the system's error twice. A timeout's own cause says nothing."""
    inner = getattr(error, "os_error", None) or error.__cause__
    return error if inner is None or isinstance(error, TimeoutError) else _root(inner)


def _plain_advice(where: str) -> str:
    return f"If the server at {where} speaks plain HTTP, begin the provider's `base_url` with http://."


def _tls_advice(url: str) -> str | None:
    """What to do about somebody who does not understand plain HTTP, or says nothing to it."""
    if urlsplit(url).scheme != "http":
        return None
    return f"Try again. If it stays so, {_host(url)} may speak TLS: begin the provider's `base_url` with https://."


def _start_advice(where: str) -> str:
    return f"Start the server at {where}, or correct the provider's `base_url`."
