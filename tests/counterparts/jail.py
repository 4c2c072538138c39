"""Runs a program that can reach nothing but one server of a test: `jail.py SOCKET PORT PROGRAM ARGUMENTS…`.

It is started by `unshare -n`, in a network of its own. The program finds the server at 127.0.0.1:PORT; what is said
there goes through the Unix socket SOCKET to the test. Must be run, never imported; the standard library alone.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
from contextlib import suppress

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1  # netdevice(7)
PR_SET_PDEATHSIG = 1  # prctl(2)


def raise_loopback() -> None:
    """Sets the interface `lo` up: in a new network it is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack("16sH14x", asked)[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


async def relay(listener: socket.socket, path: str) -> None:
    """Carries bytes both ways, for ever."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            other_reader, other_writer = await asyncio.open_unix_connection(path)
            await pump_both((reader, writer), (other_reader, other_writer))

    await (await asyncio.start_server(serve, sock=listener)).serve_forever()


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def pump_both(one: Ends, other: Ends) -> None:
    """Carries bytes between two connections; as soon as one side ends, both do."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        one[1].close()
        other[1].close()

    await asyncio.gather(pump(one[0], other[1]), pump(other[0], one[1]))


def main() -> None:
    """Becomes the program, with a child that relays for as long as it lives."""
    path, port, *command = sys.argv[1:]
    raise_loopback()
    listener = socket.create_server(("127.0.0.1", int(port)))
    parent = os.getpid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
        asyncio.run(relay(listener, path))
    os.execv(command[0], command)  # noqa: S606 - it has to stay this process


if __name__ == "__main__":
    main()
