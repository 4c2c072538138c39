"""The three that are compared, seen alike: they start, take connections, and end. Must never know what is measured."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic, sleep

from pointsman import endpoint
from tests.bench.links import HttpLink, Link, RpcLink
from tests.bench.processes import END_WITHIN, Process

READY_WITHIN = 20.0
WINDOWS = 20
"""Connections that a large number of streams shares at the daemon: as many editor windows."""
CONFIGURATION = """\
default = "bench:first"

[daemon]
idle_exit = 60

[providers.bench]
wire = "openai-chat"
base_url = "http://127.0.0.1:{port}/v1"
auth = {{ scheme = "none" }}
max_retries = 0
"""


def environment(home: Path) -> dict[str, str]:
    """What a process of the benchmark gets: nothing that could lead it out of its folder or off this machine."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "POINTSMAN_HOME": str(home), "NO_PROXY": "*"}


class Relay(ABC):
    """One of the three. `folder` is all that it may write to, `port` where upstream listens."""

    name: str
    pid: int

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        folder.mkdir(mode=0o700)
        self.environment = environment(folder)

    @abstractmethod
    def start(self) -> float:
        """Starts it; gives the seconds until it takes connections."""

    @abstractmethod
    def end(self) -> None:
        """Ends it."""

    @abstractmethod
    async def link(self) -> Link:
        """A new connection, ready for requests."""

    async def links(self, streams: int) -> list[Link]:
        """A connection for each of so many streams; the same one may be there more than once."""
        return [await self.link() for _ in range(streams)]


class Reference(Relay):
    """A relay that speaks HTTP on a unix socket and runs from a module of this package."""

    module: str
    arguments: tuple[str, ...] = ()

    def start(self) -> float:
        self._path = str(self.folder / "relay.sock")
        Path(self._path).unlink(missing_ok=True)
        begun = monotonic()
        arguments = (self._path, str(self.port), *self.arguments)
        complaints = self.folder / "complaints.txt"
        self._process = Process(self.module, *arguments, environment=self.environment, complaints=complaints)
        self.pid = self._process.pid
        try:
            while not _takes_connections(self._path):
                self._process.alive()
                if monotonic() - begun > READY_WITHIN:
                    raise RuntimeError(f"{self.module} does not get ready")
                sleep(0.001)
        except RuntimeError:
            self._process.end()
            raise
        return monotonic() - begun

    def end(self) -> None:
        self._process.end()

    async def link(self) -> Link:
        _, link = await asyncio.get_running_loop().create_unix_connection(HttpLink, self._path)
        return link


class Bare(Reference):
    """(a): bytes as they are. `delay` makes it late by so many seconds, to see whether that is noticed."""

    name, module = "bare", "bare_relay"

    def __init__(self, folder: Path, port: int, delay: float = 0.0) -> None:
        super().__init__(folder, port)
        self.arguments = (str(delay),)


class Httpx(Reference):
    """(b): httpx and Starlette."""

    name, module = "httpx", "httpx_relay"


class Daemon(Relay):
    """Pointsman, with a home of its own."""

    name = "pointsman"

    def __init__(self, folder: Path, port: int, *, debug: bool = False) -> None:
        super().__init__(folder, port)
        if debug:
            self.environment["POINTSMAN_DEBUG"] = "1"
        self.places = endpoint.places(self.environment)
        self.configure("")

    def configure(self, more: str) -> None:
        """Writes the configuration, with something more at its end."""
        Path(self.places.config_file).write_text(CONFIGURATION.format(port=self.port) + more, "utf-8")

    def start(self) -> float:
        begun = monotonic()
        endpoint.start(self.places, self.environment, READY_WITHIN)
        taken = monotonic() - begun
        info = endpoint.read_lock(self.places)
        assert info
        self.pid = info.pid
        return taken

    def end(self) -> None:
        endpoint.stop(self.places, 15.0)

    async def link(self) -> RpcLink:
        sock = endpoint.connect(self.environment, str(self.folder), may_start=False).sock
        sock.setblocking(False)
        _, link = await asyncio.get_running_loop().create_unix_connection(RpcLink, sock=sock)
        await link.initialize()
        return link

    async def links(self, streams: int) -> list[Link]:
        windows = [await self.link() for _ in range(min(streams, WINDOWS))]
        return [windows[number % len(windows)] for number in range(streams)]

    @asynccontextmanager
    async def forwarded(self) -> AsyncIterator[RpcLink]:
        """A connection that goes through `pointsman connect`, as an editor's does."""
        ours, theirs = socket.socketpair()
        forwarder = await asyncio.to_thread(self._forwarder, theirs)
        _, link = await asyncio.get_running_loop().create_unix_connection(RpcLink, sock=ours)
        try:
            await link.initialize()
            yield link
        finally:
            link.close()
            await asyncio.to_thread(forwarder.wait, END_WITHIN)

    def log(self) -> str:
        """All that it has logged."""
        return Path(self.places.log).read_text("utf-8")

    def _forwarder(self, editor: socket.socket) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pointsman", "connect"]
        with editor:
            return subprocess.Popen(command, stdin=editor.fileno(), stdout=editor.fileno(), env=self.environment)


def _takes_connections(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
