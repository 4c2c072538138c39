"""This process as the operating system sees it. Must never know what the process is for."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import sys
from pathlib import Path

SET_DUMPABLE = 4
"""PR_SET_DUMPABLE of prctl(2)."""


def resident_memory() -> int:
    """The resident set in bytes; where the system does not tell it, the largest that it has been."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return largest if sys.platform == "darwin" else largest * 1024


def give_memory_back() -> None:
    """Returns what has been freed to the system; else the C library keeps it for itself. Takes a few milliseconds."""
    import ctypes  # noqa: PLC0415 - most daemons never need it

    with contextlib.suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def raise_file_limit() -> None:
    """Lets the process open as many files as the system allows it: each client and each upstream connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def detach() -> None:
    """Goes on as a process of its own, in a session of its own; the one that was started ends here."""
    if os.fork():
        os._exit(0)
    os.setsid()


def notify_service_manager(state: str) -> None:
    """Tells systemd how it is (`READY=1`, `STOPPING=1`), where it asked to be told; sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.connect("\0" + address[1:] if address.startswith("@") else address)
        out.send(state.encode("ascii"))


def harden() -> str | None:
    """Lets no other process of the user look into this one, and lets it leave no core file: there are keys in it.

    Gives what could not be done. What it runs later can be looked into again: the system undoes it for a new program.
    """
    import ctypes  # noqa: PLC0415 - only the daemon needs it

    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(SET_DUMPABLE, 0, 0, 0, 0):
            return f"the process can be looked into: {os.strerror(ctypes.get_errno())}"
    except (OSError, ValueError, AttributeError) as error:
        return f"the process may leave a core file, or be looked into: {error}"
    return None
