"""The provider, as a process: HTTP from scratch, everything rendered beforehand, so that the relay is what is measured.

The name of the model says what is answered:

first            one stamped token at once, the end of the answer a moment later
burst:N:C        N tokens of C characters, as fast as they are taken
paced            a stamped token every 20 ms until the client leaves
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import threading
from contextlib import suppress
from time import monotonic_ns, sleep

import msgspec

from tests.bench.tokens import BEGINNING, ENDING, burst, stamped

PERIOD = 20_000_000
"""Nanoseconds between two tokens of a paced stream."""
REST = 0.002
"""Seconds between the first token and the end of an answer to `first`."""
PIECE = 1 << 17
"""Bytes of a burst that are handed over at once."""
LISTING = b'{"data":[' + b",".join(b'{"id":"model-%04d","object":"model"}' % n for n in range(120)) + b"]}"
"""About as long as the answer to `listProviders`."""


class Asked(msgspec.Struct):
    """All that matters of a request."""

    model: str


class Pacer(threading.Thread):
    """Writes the tokens of all paced streams, each at its own moment within the period.

    A thread that sleeps is on time within a tenth of a millisecond, where an event loop counts in whole ones. The
    moments are random, and the same in every run.
    """

    def __init__(self) -> None:
        super().__init__(name="pacer", daemon=True)
        self._dice = random.Random(20)
        self._streams: list[tuple[int, int]] = []
        self._new: list[int] = []
        self._wanted = threading.Event()

    def add(self, fd: int) -> None:
        """Takes a duplicate of a socket, and closes it when its client has gone."""
        self._new.append(os.dup(fd))
        self._wanted.set()

    def run(self) -> None:
        while True:
            self._wanted.wait()
            begun = monotonic_ns()
            while self._streams or self._new:
                self._take_new()
                gone = {fd for moment, fd in self._streams if not self._write(begun + moment, fd)}
                if gone:
                    self._streams = [stream for stream in self._streams if stream[1] not in gone]
                    for fd in gone:
                        os.close(fd)
                begun += PERIOD
                if (left := begun - monotonic_ns()) > 0:
                    sleep(left / 1e9)
            self._wanted.clear()

    def _take_new(self) -> None:
        while self._new:
            self._streams.append((self._dice.randrange(PERIOD), self._new.pop()))
        self._streams.sort()

    def _write(self, due: int, fd: int) -> bool:
        if (left := due - monotonic_ns()) > 0:
            sleep(left / 1e9)
        try:
            os.write(fd, stamped(monotonic_ns()))
        except OSError:  # it has left, or has not read for seconds
            return False
        return True


class Connection(asyncio.Protocol):
    """One client; its requests come one after the other."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._incoming = b""
        self._waiting = memoryview(b"")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)  # so that `resume_writing` means: all is gone

    def data_received(self, data: bytes) -> None:
        self._incoming += data
        while (parsed := _parsed(self._incoming)) is not None:
            body, length = parsed
            self._incoming = self._incoming[length:]
            self._answer(body)

    def resume_writing(self) -> None:
        while self._waiting and not self._transport.get_write_buffer_size():
            piece, self._waiting = self._waiting[:PIECE], self._waiting[PIECE:]
            self._transport.write(piece)

    def _answer(self, body: bytes) -> None:
        if not body:
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(LISTING), LISTING))
            return
        kind, *numbers = msgspec.json.decode(body, type=Asked).model.split(":")
        match kind:
            case "first":
                self._transport.write(BEGINNING + stamped(monotonic_ns()))
                asyncio.get_running_loop().call_later(REST, self._transport.write, ENDING)
            case "paced":
                self._transport.write(BEGINNING)
                self._pacer.add(self._transport.get_extra_info("socket").fileno())
            case _:
                self._waiting = memoryview(BEGINNING + burst(*map(int, numbers)) + ENDING)
                self.resume_writing()


def _parsed(data: bytes) -> tuple[bytes, int] | None:
    """The body of the request at the start of `data`, and the length of all; None if it is not complete."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    length = 0
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            length = int(value)
    return (rest[:length], len(head) + 4 + length) if len(rest) >= length else None


async def main() -> None:
    """Serves on a free port, which it prints, until standard input ends."""
    pacer = Pacer()
    pacer.start()
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(lambda: Connection(pacer), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    loop.add_reader(sys.stdin.fileno(), over.set)
    await over.wait()
    server.close()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
