"""The fixture `upstream`: a provider of our own on loopback, for what no other server can be made to do.

It plays what `scripts.py` describes, and remembers each request and when the client closed the connection.
It runs in a thread of its own and serves hundreds of streams at once. Times are `time.monotonic()`, in
seconds: on one machine they compare between processes.
"""

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest

from tests.counterparts import scripts
from tests.counterparts.scripts import Head, Pause, Step


@dataclass(frozen=True)
class Request:
    """What came in. `target` is the path with its query; names of headers are in lower case."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    at: float
    connection: int  # requests of one number came over one connection

    @property
    def path(self) -> str:
        """The path without its query."""
        return urlsplit(self.target).path

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for key, value in self.headers if key == name.lower()), None)


class Script(Protocol):
    """An answer: a `Reply`, or whatever else has steps."""

    def steps(self) -> Iterator[Step]:
        """What to do, one after another; those to come may depend on what has happened meanwhile."""
        ...


class Upstream:
    """The server's scripts and memory.

    Call its methods from any thread. Those that wait block it: in a test with an event loop of its own, write
    `await asyncio.to_thread(upstream.closed_at, 0)`.
    """

    def __init__(self) -> None:
        self.base_url = ""
        self.requests: list[Request] = []
        self._closed: dict[int, float] = {}
        self._scripts: dict[str, list[Script]] = {}
        self._changed = threading.Condition()

    def script(self, path: str, *replies: Script) -> None:
        """Answer the requests to `path`, e.g. `/v1/messages`, with these in turn; the last one stays."""
        with self._changed:
            self._scripts[path] = list(replies)

    def request(self, number: int, within: float = 5.0) -> Request:
        """The request of that number, from 0, as soon as it is there; TimeoutError after `within` seconds."""
        self._wait(lambda: len(self.requests) > number, within, f"request {number}")
        return self.requests[number]

    def closed_at(self, number: int, within: float = 5.0) -> float:
        """When the client of that request closed the connection; waits for it as `request` does."""
        self._wait(lambda: number in self._closed, within, f"the end of the connection of request {number}")
        return self._closed[number]

    def _wait(self, happened: Callable[[], bool], within: float, what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(happened, within):
                raise TimeoutError(f"upstream did not see {what} within {within} s")

    def _asked(self, request: Request) -> tuple[int, Iterator[Step]]:
        """Remember a request: its number, and what to answer."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            replies = self._scripts.get(request.path, [])
            reply = replies.pop(0) if len(replies) > 1 else next(iter(replies), None)
            return len(self.requests) - 1, reply.steps() if reply else _unscripted(request)

    def _left(self, numbers: list[int], at: float) -> None:
        with self._changed:
            self._closed |= dict.fromkeys(numbers, at)
            self._changed.notify_all()


def _unscripted(request: Request) -> Iterator[Step]:
    if request.path.endswith("/chat/completions"):
        return scripts.chat(request.json)
    if request.path.endswith("/models"):
        return scripts.models().steps()
    return scripts.error(404, f"No script for {request.path}").steps()


class _Connection(asyncio.Protocol):
    """One client: reads a request, plays its script, reads the next; sees at once when the client closes."""

    def __init__(self, upstream: Upstream, number: int) -> None:
        self._upstream, self._number = upstream, number
        self._incoming = bytearray()
        self._requests: list[int] = []
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._playing: asyncio.Task[None] | None = None
        self._hung_up = self._over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._incoming += data
        self._next()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, problem: Exception | None) -> None:
        self._end()

    def abort(self) -> None:
        """Close without a word, because the test is over."""
        self._hung_up = True
        if hasattr(self, "_transport"):  # there is none where TLS has come to nothing
            self._transport.abort()

    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        if not self._hung_up:
            self._upstream._left(self._requests, time.monotonic())
        if self._playing:
            self._playing.cancel()

    def _next(self) -> None:
        """Begin to answer the next request, if it is complete and the one before it is answered."""
        if self._playing or not (parsed := _parsed(bytes(self._incoming))):
            return
        method, target, headers, body, length = parsed
        del self._incoming[:length]
        request = Request(method, target, headers, body, time.monotonic(), self._number)
        number, steps = self._upstream._asked(request)
        self._requests.append(number)
        self._playing = asyncio.get_running_loop().create_task(self._play(steps))

    async def _play(self, steps: Iterator[Step]) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()  # pauses add up by the clock, however long writing takes: 500 events a second are 500
        for step in steps:
            if not self._may_write.is_set():
                await self._may_write.wait()
                due = clock()  # a client that stopped reading is not sent all that it has missed at once
            match step:
                case Head():
                    self._transport.write(_head(step))
                case Pause():
                    due += step.seconds
                    await asyncio.sleep(due - clock())
                case bytes():
                    self._transport.write(b"%x\r\n%b\r\n" % (len(step), step))
                    await asyncio.sleep(0)  # the others' turn, and ours to see that the client has gone
                case _:
                    self._hung_up = True
                    self._transport.close()
                    return
        self._transport.write(b"0\r\n\r\n")
        self._playing = None
        self._next()


def _head(head: Head) -> bytes:
    headers = dict(head.headers) | {"transfer-encoding": "chunked"}
    lines = [f"HTTP/1.1 {head.status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _parsed(data: bytes) -> tuple[str, str, tuple[tuple[str, str], ...], bytes, int] | None:
    """Method, target, headers, body and length of the request at the start of `data`; None if incomplete."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    if dict(headers).get("transfer-encoding") == "chunked":
        if not (chunked := _dechunked(rest)):
            return None
        body, taken = chunked
    else:
        taken = int(dict(headers).get("content-length", 0))
        if len(rest) < taken:
            return None
        body = rest[:taken]
    return method, target, headers, body, len(head) + len(end) + taken


def _dechunked(data: bytes) -> tuple[bytes, int] | None:
    """The body that `data` begins with, in chunks, and their length; None if incomplete."""
    body, at = b"", 0
    while (line := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:line].split(b";")[0], 16)
        at = line + 2 + size + 2
        if len(data) < at:
            return None
        if not size:
            return body, at
        body += data[line + 2 : line + 2 + size]
    return None


async def _serve(upstream: Upstream, started: Future[Callable[[], object]], tls: ssl.SSLContext | None) -> None:
    """Serve until the function that `started` receives is called; that is safe from any thread."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    connections: list[_Connection] = []

    def connection() -> _Connection:
        connections.append(_Connection(upstream, len(connections)))
        return connections[-1]

    server = await loop.create_server(connection, "127.0.0.1", 0, backlog=1024, ssl=tls)
    scheme = "https" if tls else "http"
    upstream.base_url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    started.set_result(partial(loop.call_soon_threadsafe, over.set))
    await over.wait()
    server.close()
    for one in connections:
        one.abort()


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Generator[Upstream]:
    """Serve on a free port until the block ends."""
    upstream, started = Upstream(), Future[Callable[[], object]]()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(upstream, started, tls)), name="upstream")
    thread.start()
    stop = started.result(5)
    try:
        yield upstream
    finally:
        stop()
        thread.join(5)


@pytest.fixture
def upstream() -> Generator[Upstream]:
    """A scripted provider with nothing in its memory."""
    with serving() as server:
        yield server
