"""Connections of the load client: one to a relay that speaks HTTP, one to the daemon. Must never know what is measured.

Both ask for an answer and notice its first token and its end; or they look only for stamps, in whatever passes.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from time import monotonic_ns
from typing import Any

import msgspec

from pointsman.rpc.framing import Framer, frame
from tests.bench.tokens import LAST_CHUNK, MARK, Stamps

WITHIN = 30.0
"""Seconds for one answer."""
_SAID = {"messages": [{"role": "user", "content": "Go on."}]}
_EVENTS = b'{"jsonrpc":"2.0","method":"pointsman/chatEvents"'


@dataclass(frozen=True)
class Answer:
    """One answer: nanoseconds until its first token and until its end, and how many tokens came."""

    first: int
    total: int
    tokens: int


class Window:
    """The delays, in nanoseconds, of the tokens that were sent while the window was open."""

    def __init__(self) -> None:
        self.delays: list[int] = []
        self._opened = self._closed = 0

    def open(self, now: int) -> None:
        """Forgets what was, and begins."""
        self.delays, self._opened, self._closed = [], now, sys.maxsize

    def close(self, now: int) -> None:
        """What is sent from now on is not looked at; what was sent before may still come."""
        self._closed = now

    def take(self, sent: list[int], now: int) -> None:
        """Tokens have come."""
        opened, closed = self._opened, self._closed
        self.delays += [now - at for at in sent if opened <= at < closed]


class Link(asyncio.Protocol):
    """A connection to a relay."""

    def __init__(self) -> None:
        self._window: Window | None = None
        self._stamps = Stamps()
        self._over: asyncio.Future[None] | None = None
        self._asked = self._first = self._ended = self._tokens = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._fail("The relay hung up.")

    def data_received(self, data: bytes) -> None:
        now = monotonic_ns()
        if self._window is not None:
            self._window.take(self._stamps.feed(data), now)
        else:
            self._read(data, now)

    def close(self) -> None:
        """Leaves, whatever is still to come."""
        self._transport.abort()

    async def answer(self, model: str) -> Answer:
        """Asks that model, and reads its answer to the end."""
        await self._exchange(self._chat(model))
        if not self._tokens:
            raise RuntimeError("The answer had no token.")
        return Answer(self._first - self._asked, self._ended - self._asked, self._tokens)

    async def listing(self) -> int:
        """Asks for the list; nanoseconds until it is there."""
        await self._exchange(self._list())
        return self._ended - self._asked

    def watch(self, model: str, window: Window) -> None:
        """Asks that model; from now on stamps are all that is looked for on this connection."""
        self._window = window
        self._transport.write(self._chat(model))

    async def _exchange(self, request: bytes) -> None:
        self._over = asyncio.get_running_loop().create_future()
        self._first = self._tokens = 0
        self._asked = monotonic_ns()
        self._transport.write(request)
        await asyncio.wait_for(self._over, WITHIN)

    def _count(self, data: bytes, now: int) -> None:
        if tokens := data.count(MARK):
            self._first = self._first or now
            self._tokens += tokens

    def _end(self, now: int) -> None:
        if self._over and not self._over.done():
            self._ended = now
            self._over.set_result(None)

    def _fail(self, text: str) -> None:
        if self._over and not self._over.done():
            self._over.set_exception(RuntimeError(text))

    def _read(self, data: bytes, now: int) -> None:
        raise NotImplementedError

    def _chat(self, model: str) -> bytes:
        raise NotImplementedError

    def _list(self) -> bytes:
        raise NotImplementedError


class HttpLink(Link):
    """A connection to one of the references. Requests go over it one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._last = b""
        self._listing = False

    def _read(self, data: bytes, now: int) -> None:
        self._count(data, now)
        self._last = (self._last + data[-8:])[-8:]
        if self._last.endswith(b"]}" if self._listing else LAST_CHUNK):
            self._end(now)

    def _chat(self, model: str) -> bytes:
        self._listing = False
        body = msgspec.json.encode({"model": model, **_SAID, "stream": True})
        head = (
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: %d"
        )
        return b"%b\r\n\r\n%b" % (head % len(body), body)

    def _list(self) -> bytes:
        self._listing = True
        return b"GET /v1/models HTTP/1.1\r\nhost: bench\r\n\r\n"


class RpcLink(Link):
    """A greeted connection to the daemon, or to a forwarder."""

    def __init__(self) -> None:
        super().__init__()
        self._framer = Framer()
        self._number = 0
        self._result = msgspec.Raw()

    async def initialize(self) -> None:
        """Says who this is, as every editor does first."""
        options = {"pointsman": {"client": "bench"}}
        params = {"processId": None, "capabilities": {}, "rootUri": None, "initializationOptions": options}
        await self._exchange(self._request("initialize", params))
        self._transport.write(_message({"method": "initialized", "params": {}}))

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        """Any other request, and its result."""
        await self._exchange(self._request(method, params))
        return msgspec.json.decode(self._result)

    def _read(self, data: bytes, now: int) -> None:
        for body in self._framer.feed(data):
            assert isinstance(body, bytes)
            if body.startswith(_EVENTS):
                self._count(body, now)
                continue
            message = msgspec.json.decode(body, type=_Message)
            if message.id == self._number and message.method is None:
                if message.error is None:
                    self._result = message.result
                    self._end(now)
                else:
                    self._fail(f"The daemon refused: {message.error}")

    def _chat(self, model: str) -> bytes:
        return self._request("pointsman/chat", {"model": f"bench:{model}", **_SAID})

    def _list(self) -> bytes:
        return self._request("pointsman/listProviders", {})

    def _request(self, method: str, params: dict[str, Any]) -> bytes:
        self._number += 1
        return _message({"id": self._number, "method": method, "params": params})


class _Message(msgspec.Struct):
    id: int | str | None = None
    method: str | None = None
    error: Any = None
    result: msgspec.Raw = msgspec.Raw(b"null")


def _message(fields: dict[str, Any]) -> bytes:
    return frame(msgspec.json.encode({"jsonrpc": "2.0", **fields}))
