"""Holds the lock that makes one daemon out of many starters, and what its holder says of itself.

Must never unlink the lock file, nor conclude anything about a daemon from its socket.
"""

from __future__ import annotations

import os
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from time import monotonic, sleep

from pointsman.endpoint.layout import open_ours, private_directory
from pointsman.endpoint.plain_json import decode, encode
from pointsman.endpoint.values import PROTOCOL, TYPE_CHECKING, VERSION, EndpointError, Value

if TYPE_CHECKING:
    from pointsman.endpoint.layout import Places

STEP = 0.02
"""Seconds between two looks, where the system offers nothing to wait for."""


class LockInfo(Value):
    """What the holder of the lock says of itself; `endpoint` is the path of its socket."""

    endpoint: str
    pid: int
    version: str
    protocol: int
    host: str


class Lock:
    """The right to be the daemon of one data folder, from `take` to `release` or the end of the process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def take(cls, places: Places) -> Lock:
        """Takes the lock, or raises EndpointError (AlreadyRunning) saying who has it."""
        private_directory(places.data)
        fd = open_ours(places.lock, os.O_RDWR | os.O_CREAT)
        # Whoever only looks (`is_held`) has it for microseconds, so one refusal proves nothing.
        if not wait_for_turn(fd, monotonic() + 0.2):
            os.close(fd)
            raise _already_running(places)
        os.ftruncate(fd, 0)  # a daemon that crashed left its pid here, which may be somebody else's by now
        return cls(fd)

    def publish(self, endpoint: str) -> None:
        """Tells every client that the daemon listens at this path."""
        said = {
            "endpoint": endpoint,
            "pid": os.getpid(),
            "version": VERSION,
            "protocol": PROTOCOL,
            "host": this_host(),
        }
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, os.fsencode(encode(said)) + b"\n", 0)

    def release(self) -> None:
        """Gives the lock up. The file stays: without it, two daemons could hold two locks of one name."""
        os.ftruncate(self._fd, 0)
        os.close(self._fd)


def read_lock(places: Places) -> LockInfo | None:
    """What the lock file says; None if it is absent, empty or damaged. `is_held` tells if it still holds."""
    try:
        fd = open_ours(places.lock, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        said = decode(os.fsdecode(os.read(fd, 65536)))
    except ValueError:
        return None
    finally:
        os.close(fd)
    match said:
        case {
            "endpoint": str(endpoint),
            "pid": int(pid),
            "version": str(version),
            "protocol": int(protocol),
            "host": str(host),
        } if pid > 0:  # kill(2) takes zero and less for whole groups of processes
            return LockInfo(endpoint, pid, version, protocol, host)
    return None


def is_held(places: Places) -> bool:
    """Whether a living process holds the lock: the kernel's word, which no crash makes stale."""
    try:
        fd = open_ours(places.lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(fd, LOCK_SH)
    finally:
        os.close(fd)


def wait_for_turn(fd: int, until: float) -> bool:
    """Locks an open file, waiting till the monotonic time `until`; False if it stayed somebody else's."""
    while not _try_lock(fd, LOCK_EX):
        if monotonic() >= until:
            return False
        sleep(STEP)  # a blocking flock knows no deadline
    return True


def this_host() -> str:
    """The name of this computer."""
    return os.uname().nodename


def _try_lock(fd: int, kind: int) -> bool:
    try:
        flock(fd, kind | LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as problem:
        raise EndpointError(
            "UnsafeDirectory",
            f"The folder of Pointsman's data can't be locked: {problem.strerror}.",
            "Set POINTSMAN_HOME to a folder on a local disk.",
        ) from problem
    return True


def _already_running(places: Places) -> EndpointError:
    info = read_lock(places)
    holder = f"process {info.pid}, version {info.version}, on {info.host}" if info else "still starting"
    return EndpointError(
        "AlreadyRunning",
        f"Another Pointsman daemon ({holder}) already serves {places.data}.",
        "Use that one, or run `pointsman restart`.",
    )
