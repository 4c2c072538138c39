"""Opens both ends of the socket and tells whose process is at the other one.

Must never fail open: where the system can't say who that is, it is a stranger.
"""

from __future__ import annotations

import _socket  # under `socket`, whose enums take 6 ms
import os
import sys

from pointsman.endpoint.layout import private_directory
from pointsman.endpoint.values import TYPE_CHECKING, EndpointError

if TYPE_CHECKING:
    import socket

    from pointsman.endpoint.layout import Places

BACKLOG = 128
"""Clients that may knock before the daemon opens: more editors than anybody starts at once."""

# Level, option and size. In `struct ucred` (unix(7)) and `struct xucred` (sys/ucred.h) word two is the uid.
_CREDENTIALS = {"darwin": (0, 1, 76)}
if sys.platform == "linux":
    _CREDENTIALS["linux"] = (_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)


def listen(places: Places) -> socket.socket:
    """Opens the daemon's socket, non-blocking, for us alone. The caller holds the lock: old ones may go."""
    import socket

    private_directory(os.path.dirname(places.socket))
    if os.path.lexists(places.socket):
        os.unlink(places.socket)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(places.socket)
    finally:
        os.umask(before)
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def reach(path: str, timeout: float) -> _socket.socket:
    """Connects to the socket at that path; raises OSError. `timeout`, in seconds, stays with the socket."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def check_peer(sock: _socket.socket) -> None:
    """Raises EndpointError (EndpointNotOurs) unless the process at the other end runs as our own user."""
    uid = peer_uid(sock)
    if uid != os.geteuid():
        raise EndpointError(
            "EndpointNotOurs",
            f"At the other end of Pointsman's socket is a process of user {uid}, but you are {os.geteuid()}.",
            "It was told nothing. Find out who put it there; POINTSMAN_HOME moves Pointsman elsewhere.",
        )


def peer_uid(sock: _socket.socket) -> int:
    """The user id of the process at the other end; raises EndpointError where the system can't tell."""
    try:
        level, option, size = _CREDENTIALS[sys.platform]
        credentials = sock.getsockopt(level, option, size)
        if len(credentials) != size:
            raise OSError("the answer has another shape than documented")
    except (KeyError, OSError) as problem:
        raise EndpointError(
            "EndpointNotOurs",
            "This system does not tell who is at the other end of Pointsman's socket.",
            "Pointsman needs that to keep your keys from strangers, so it runs on Linux, WSL and macOS only.",
        ) from problem
    return int.from_bytes(credentials[4:8], sys.byteorder)
