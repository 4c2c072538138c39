"""The transport of `program:` URLs: runs a program of this machine, and gives what it prints as it prints it.

Must never know which program it is, nor what its output means. A program gets its input on stdin, files in a folder
that nobody else can read, and the environment that its run says: nothing of the daemon's, and nothing of the editor's
that was not put there. It runs in a process group of its own, which is ended whenever nobody waits for it any more.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from pointsman.core.errors import UNREADABLE, ConnectFailed, Interrupted, PointsmanError, ProgramMissing
from pointsman.core.http import Head, Request
from pointsman.core.network import DIRECT, ORDINARY, Egress
from pointsman.core.program import Run
from pointsman.edge.response import Response

T = TypeVar("T")

TERM_FOR = 2.0
"""Seconds that a program has to end by itself, once it is told to."""
KILL_FOR = 5.0
"""Seconds that the system has to end it."""
MOST_AHEAD = 256 * 1024
"""Bytes of output that are kept for a slow reader; then the program has to wait."""
STDERR_KEPT = 4096
"""Bytes at the end of what it printed on stderr."""
LARGEST_WHOLE = 1024 * 1024
"""Bytes of an output that is told as a whole."""
STATUS_OF_FAILURE = 500
"""What stands for any exit status but 0."""


class ProgramTransport:
    """Runs what `core.program.Run` says, one process for each request."""

    @asynccontextmanager
    async def stream(self, request: Request, connect: float, egress: Egress = ORDINARY) -> AsyncIterator[Response]:
        """The program's output as a response, from its first bytes on.

        One that ends without a word and not well is a response of status 500, with the end of its stderr for a body.
        Raises ProgramMissing, TransportError, Interrupted.
        """
        run = _run_of(request)
        program = find(run.program, run.environment)
        if program is None:
            raise missing(run.program, run.install)
        with _folder(run.files) as (work, files):
            arguments = [files.get(argument, argument) for argument in run.arguments]
            environment = _through(egress, run.environment) | {"TMPDIR": str(Path(work).parent)}
            running = await _start([program, *arguments], environment, work)
            try:
                running.say(run.input.encode("utf-8", "replace"))
                yield await _response(running, run)
            finally:
                await running.end()

    async def close(self) -> None:
        """Nothing is open: each request ends its own program."""


def find(program: str, environment: Mapping[str, str]) -> str | None:
    """The path of a program, by the PATH of that environment; None if it is not there, or can't be run."""
    if not program or "\0" in program:
        return None
    return shutil.which(program, path=environment.get("PATH") or os.defpath)


def missing(program: str, install: str, provider: str | None = None) -> ProgramMissing:
    """The error for a program that is not there."""
    text = f"The program `{program}` is not installed, or not in a folder that this connection's PATH names."
    return ProgramMissing(text, install or None, provider=provider)


def _run_of(request: Request) -> Run:
    try:
        return msgspec.json.decode(request.body, type=Run)
    except UNREADABLE:
        text = "Nothing was said that a program could be run for."
        raise ConnectFailed(text, "Use a `wire` that runs programs, or another `base_url`.") from None


@contextmanager
def _folder(files: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """An empty folder to work in, and beside it the files, by the arguments that stand for them; gone afterwards."""
    try:
        top = Path(tempfile.mkdtemp(prefix="pointsman-"))
    except OSError as error:
        raise _no_start(f"no folder could be made for it, {error.strerror}") from error
    try:
        work, paths = top / "work", {}
        try:
            work.mkdir(0o700)
            for number, (name, text) in enumerate(files.items()):
                path = top / f"file-{number}"
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
                    file.write(text.encode("utf-8", "replace"))
                paths[f"{{{name}}}"] = str(path)
        except OSError as error:
            raise _no_start(f"what it reads could not be written, {error.strerror}") from error
        yield str(work), paths
    finally:
        shutil.rmtree(top, ignore_errors=True)


def _through(egress: Egress, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with the way through the network that is configured, where one is."""
    found, proxy = dict(environment), egress.own_proxy or egress.proxy
    if proxy is not None:
        found = {name: value for name, value in found.items() if not name.lower().endswith("_proxy")}
    if proxy is not None and proxy != DIRECT:
        found |= {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": ",".join(("localhost", *egress.no_proxy))}
    if egress.ca:
        home = environment.get("HOME", "")
        found["NODE_EXTRA_CA_CERTS"] = home + egress.ca[-1][1:] if egress.ca[-1].startswith("~/") else egress.ca[-1]
    return found


async def _start(command: list[str], environment: Mapping[str, str], work: str) -> _Running:
    """A program that runs, with its pipes. Raises ConnectFailed."""
    if any("\0" in text for text in (*command, *environment, *environment.values())):
        raise _no_start("its command line or environment holds a NUL, which the system can't pass on")
    loop = asyncio.get_running_loop()
    starting = loop.create_task(
        loop.subprocess_exec(_Running, *command, cwd=work, env=environment, start_new_session=True)
    )
    try:
        _, running = await _to_the_end(starting)
    except OSError as error:
        raise _no_start(f"the system says {error.strerror or error}") from error
    except asyncio.CancelledError:
        if not starting.exception():
            await starting.result()[1].end()
        raise
    running.name = Path(command[0]).name
    return running


async def _to_the_end(work: asyncio.Task[T]) -> T:
    """What comes of work that must not be left in its middle, even if whoever waits for it is cancelled meanwhile.

    asyncio would lose pipes that are open, and processes that have ended.
    """
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return work.result()


def _no_start(why: str) -> ConnectFailed:
    text = f"The program could not be started: {why}."
    return ConnectFailed(text, "Look whether it works in a terminal, and whether the disk has room.")


async def _response(running: _Running, run: Run) -> Response:
    if run.whole:
        output = b""
        with suppress(Interrupted):
            async for chunk in running.chunks():
                output = (output + chunk)[:LARGEST_WHOLE]
        status = 200 if running.code == 0 else STATUS_OF_FAILURE
        return Response(Head(status), _once(output or (b"" if status == 200 else running.complaint)))
    await running.spoken()
    if running.silent and running.code:
        return Response(Head(STATUS_OF_FAILURE), _once(running.complaint or running.how_it_ended().encode()))
    return Response(Head(200), running.chunks())


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


class _Running(asyncio.SubprocessProtocol):
    """A program that runs. What it prints waits here, and beyond a bound the program waits itself."""

    def __init__(self) -> None:
        self.name = "The program"
        self.complaint = b""
        self._output: deque[bytes] = deque()
        self._ahead = 0
        self._open = {1, 2}
        self._held = False
        self._news = asyncio.Event()
        self._ended = asyncio.Event()
        self._given_up = False
        self._transport: asyncio.SubprocessTransport | None = None

    # What the loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self.complaint = (self.complaint + data)[-STDERR_KEPT:]
            return
        self._output.append(data)
        self._ahead += len(data)
        if self._ahead > MOST_AHEAD and not self._held:
            self._held = True
            self._stdout.pause_reading()
        self._news.set()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open.discard(fd)
        self._news.set()

    def process_exited(self) -> None:
        self._ended.set()
        self._news.set()

    # What the transport asks.

    @property
    def code(self) -> int | None:
        """The exit status; negative is a signal, None while it runs."""
        return None if self._transport is None else self._transport.get_returncode()

    @property
    def silent(self) -> bool:
        """Whether it has ended without a word."""
        return not self._output and self._is_over

    def say(self, text: bytes) -> None:
        """Gives it its input, and the end of that. One that does not want to hear it may end."""
        stdin = self._pipe(0)
        assert isinstance(stdin, asyncio.WriteTransport)
        stdin.write(text)
        stdin.write_eof()

    async def spoken(self) -> None:
        """Waits for the first bytes, or for the end without any."""
        while not self._output and not self._is_over:
            await self._heard()

    async def chunks(self) -> AsyncIterator[bytes]:
        """What it prints on stdout, to the end. Raises Interrupted if that is not a good one."""
        while True:
            while self._output:
                chunk = self._output.popleft()
                self._ahead -= len(chunk)
                if self._held and self._ahead <= MOST_AHEAD // 2:
                    self._held = False
                    self._stdout.resume_reading()
                yield chunk
            if self._is_over:
                break
            await self._heard()
        if self.code != 0:
            raise self._broken()

    async def end(self) -> None:
        """Ends it, and whatever it has started, and waits until it has ended."""
        assert self._transport is not None
        try:
            if self.code is None:
                self._signal(signal.SIGTERM)
                await self._ends_within(TERM_FOR)
        finally:
            self._signal(signal.SIGKILL)  # also what the program has left behind
            try:
                await _to_the_end(asyncio.get_running_loop().create_task(self._ends_within(KILL_FOR)))
            finally:
                self._transport.close()

    async def _ends_within(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), seconds)

    def how_it_ended(self) -> str:
        """For people."""
        code = self.code
        if code is None:
            return "closed its output, and went on without a word"
        if code < 0:
            return f"was ended by {signal.Signals(-code).name if -code in list(signal.Signals) else f'signal {-code}'}"
        return f"ended with status {code}"

    def _broken(self) -> PointsmanError:
        said = " ".join(self.complaint.decode("utf-8", "replace").split())
        return Interrupted(f"{self.name} {self.how_it_ended()}{f': {said}' if said else '.'}")

    async def _heard(self) -> None:
        """Waits for news; a program that has ended or closed its output has a moment to do the other, too."""
        self._news.clear()
        if self._is_over or self._output:
            return
        half_over = self._ended.is_set() or 1 not in self._open
        try:
            async with asyncio.timeout(TERM_FOR if half_over else None):
                await self._news.wait()
        except TimeoutError:
            self._given_up = True

    @property
    def _is_over(self) -> bool:
        return self._given_up or (self._ended.is_set() and not self._open)

    def _signal(self, number: signal.Signals) -> None:
        assert self._transport is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._transport.get_pid(), number)

    def _pipe(self, fd: int) -> asyncio.BaseTransport:
        assert self._transport is not None
        pipe = self._transport.get_pipe_transport(fd)
        assert pipe is not None
        return pipe

    @property
    def _stdout(self) -> asyncio.ReadTransport:
        pipe = self._pipe(1)
        assert isinstance(pipe, asyncio.ReadTransport)
        return pipe
