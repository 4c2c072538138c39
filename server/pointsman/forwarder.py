"""Relays an editor's stdin and stdout to the daemon's socket and back, as bytes.

Must never know a method, a message or even a frame, nor wait for one side while the other could go on.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # the enums of `signal` itself take 4 ms
import os
from _socket import SHUT_WR
from resource import RLIMIT_CORE, setrlimit
from select import POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, poll

from pointsman.endpoint import EndpointError, dial

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

BOUND = 1 << 20
"""Bytes that may wait in each direction, give or take a chunk: a full one reads no more until some are taken."""

CHUNK = 1 << 16
"""Bytes of one read or write: what a pipe holds."""

STDIN, STDOUT, STDERR = 0, 1, 2


def main() -> int:
    """Connects, and relays until one side has left. Returns the exit status; stderr tells what went wrong."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    _leave_no_core()
    try:
        _open_missing_streams()
        if os.isatty(STDIN):
            _say("this speaks LSP and is meant to be run by an editor; see `pointsman --help`.")
        sock, _ = dial(os.environ, _working_directory())
        return relay(sock)
    except EndpointError as problem:
        _say(str(problem))
    except Exception as problem:  # an editor would show a traceback to somebody who has no use for it
        _say(f"something unexpected happened: {problem!r}. `pointsman doctor` looks for the cause.")
    return 1


def relay(sock: _socket.socket) -> int:
    """Carries bytes until the daemon has closed and all it said is delivered (0), or it broke off (1).

    Once the editor takes nothing any more, the rest is for nobody (0).
    """
    sock.setblocking(False)
    up = Direction(STDIN, sock.fileno())
    down = Direction(sock.fileno(), STDOUT)
    # Whoever shares these open files, a terminal's shell above all, would trip over the flag set here.
    before = {fd: os.get_blocking(fd) for fd in (STDIN, STDOUT)}
    try:
        for fd in before:
            os.set_blocking(fd, False)
        _carry(sock, up, down)
    finally:
        for fd, blocking in before.items():
            os.set_blocking(fd, blocking)
    if isinstance(up.sink_fault, ConnectionResetError) or isinstance(down.source_fault, ConnectionResetError):
        _say("the daemon broke the connection off. `pointsman doctor` looks for the cause.")
        return 1
    return 0


class Direction:
    """Bytes on their way from one open file to another, neither of which is ever waited for here."""

    def __init__(self, source: int, sink: int) -> None:
        self.source = source
        self.sink = sink
        self.waiting = bytearray()
        self.ended = False
        self.source_fault: OSError | None = None
        self.sink_fault: OSError | None = None

    @property
    def has_room(self) -> bool:
        """Whether it makes sense to read more."""
        return not self.ended and len(self.waiting) < BOUND

    @property
    def is_done(self) -> bool:
        """Whether nothing will be written any more."""
        return self.ended and not self.waiting

    def take(self) -> None:
        """Reads once. A source that fails has ended, and what it said before counts."""
        try:
            chunk = os.read(self.source, CHUNK)
        except BlockingIOError:
            return
        except OSError as problem:
            self.source_fault = problem
            chunk = b""
        self.waiting += chunk
        self.ended = not chunk

    def give(self) -> None:
        """Writes once, if there is anything. A sink that fails makes all that waits, and comes, pointless."""
        if not self.waiting:
            return
        try:
            del self.waiting[: os.write(self.sink, self.waiting[:CHUNK])]
        except BlockingIOError:
            return
        except OSError as problem:
            self.sink_fault = problem
            self.waiting.clear()
            self.ended = True


def _carry(sock: _socket.socket, up: Direction, down: Direction) -> None:
    half_closed = False
    while not down.is_done:
        ready = _wait(up, down)
        if ready.get(down.sink, 0) & (POLLERR | POLLHUP | POLLNVAL):
            return  # the editor is gone
        if up.source in ready:
            up.take()
        if down.source in ready and down.has_room:
            down.take()
        up.give()  # trying costs less than asking first
        down.give()
        if up.is_done and not half_closed:
            half_closed = True
            _half_close(sock)


def _half_close(sock: _socket.socket) -> None:
    try:
        sock.shutdown(SHUT_WR)
    except OSError:
        return  # the daemon was quicker, and `down` will see it


def _wait(up: Direction, down: Direction) -> dict[int, int]:
    """Waits till something can be done, and returns what; an open file that can't help is not asked.

    That keeps us from turning round and round: poll(2) reports a hang-up whether asked for or not.
    """
    asked = poll()
    asked.register(down.sink, POLLOUT if down.waiting else 0)  # always, to learn that the editor is gone
    if up.has_room:
        asked.register(up.source, POLLIN)
    if events := (POLLIN if down.has_room else 0) | (POLLOUT if up.waiting else 0):
        asked.register(down.source, events)
    return dict(asked.poll())


def _open_missing_streams() -> None:
    """Puts /dev/null where a standard stream was left closed: else the socket would take its number."""
    for fd in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is `fd`


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "/"  # it was deleted under us; the editor names its folders itself


def _leave_no_core() -> None:
    """Keeps the keys of the environment out of a core file. To hide them from the user's own programs would hide
    nothing: the editor, whose environment it is, shows the same."""
    try:
        setrlimit(RLIMIT_CORE, (0, 0))
    except (OSError, ValueError):
        return


def _say(text: str) -> None:
    line = "pointsman: " + " ".join(text.split("\n"))
    try:
        os.write(STDERR, line.encode(errors="backslashreplace") + b"\n")
    except OSError:
        return  # nobody listens


def _leave(signal_number: int, _: object) -> None:
    raise SystemExit(128 + signal_number)
