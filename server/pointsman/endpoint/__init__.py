"""The way to the daemon: finds it, starts it, greets it and stops it, for the forwarder and the command line.

Must never know what is said after the greeting, nor import anything that a plain `dial` can do without: every
editor that starts pays for it.
"""

from __future__ import annotations

import os
import sys
from time import monotonic, sleep

from pointsman.endpoint.greeting import greet, hello_frame, skew
from pointsman.endpoint.layout import NOT_WRITABLE, Places, open_ours, places, private_directory
from pointsman.endpoint.lock import STEP, Lock, LockInfo, is_held, read_lock, this_host, wait_for_turn
from pointsman.endpoint.peer import check_peer, listen, peer_uid, reach
from pointsman.endpoint.values import PROTOCOL, TYPE_CHECKING, VERSION, EndpointError, Value

if TYPE_CHECKING:
    import _socket
    import socket
    from collections.abc import Mapping

# What the rest of Pointsman takes from here; which file of this package holds it is not its business.
__all__ = [
    "NOT_WRITABLE",
    "PROTOCOL",
    "VERSION",
    "Connection",
    "EndpointError",
    "Lock",
    "LockInfo",
    "Places",
    "check_peer",
    "connect",
    "daemon_command",
    "dial",
    "is_held",
    "listen",
    "peer_uid",
    "places",
    "private_directory",
    "read_lock",
    "scrub",
    "skew",
    "start",
    "stop",
]

PATIENCE = 5.0
"""Seconds within which a daemon that holds the lock must answer."""


class Connection(Value):
    """A greeted connection: its blocking socket, and the daemon's answer, beyond which nothing was read."""

    sock: socket.socket
    hello: dict[str, object]


def connect(environment: Mapping[str, str], cwd: str, *, may_start: bool = True, deadline: float = 20.0) -> Connection:
    """Reaches the daemon, started if need be, and greets it; else EndpointError. `deadline` is in seconds."""
    import socket  # 6 ms, which the forwarder saves by calling `dial`

    bare, hello = dial(environment, cwd, may_start=may_start, deadline=deadline)
    return Connection(socket.socket(fileno=bare.detach()), hello)


def dial(
    environment: Mapping[str, str], cwd: str, *, may_start: bool = True, deadline: float = 20.0
) -> tuple[_socket.socket, dict[str, object]]:
    """Does what `connect` does, but returns the bare socket, which is all that the forwarder needs."""
    where = places(environment)
    named = environment.get("POINTSMAN_ENDPOINT")
    until = monotonic() + (min(deadline, PATIENCE) if named else deadline)
    if not named:
        private_directory(where.data)
    frame = hello_frame(environment, cwd)
    while True:
        sock = _reach_named(named) if named else _find(where, environment, may_start, until)
        hello = None
        try:
            check_peer(sock)
            sock.settimeout(max(STEP, min(PATIENCE, until - monotonic())))
            hello = greet(sock, frame)
        except TimeoutError as problem:
            raise _unreachable("takes connections, but does not answer", named) from problem
        except ValueError as problem:
            raise _unreachable("does not answer as Pointsman does", named) from problem
        finally:
            if hello is None:
                sock.close()
        if hello is not None:
            sock.settimeout(None)
            return sock, hello
        if monotonic() > until:
            raise _unreachable("hangs up on every connection", named)
        sleep(STEP)


def start(places: Places, environment: Mapping[str, str], deadline: float = 20.0) -> None:
    """Starts the daemon and returns when it is ready, or at once if one runs. `deadline` is in seconds."""
    until = monotonic() + deadline
    private_directory(places.data)
    # One starter at a time, or twenty editors opened together start twenty interpreters to keep one.
    turn = open_ours(os.path.join(places.data, "daemon.starting"), os.O_RDWR | os.O_CREAT)
    try:
        if not wait_for_turn(turn, until):
            raise _wont_start("Somebody else has been trying to start the daemon all this time.", places)
        if not is_held(places):
            _start_now(places, environment, until)
    finally:
        os.close(turn)


def daemon_command(ready_fd: int) -> list[str]:
    """The command that becomes the daemon and tells pipe `ready_fd` how it went. Tests put another here."""
    return [sys.executable, "-I", "-m", "pointsman", "daemon", "--detach", "--ready-fd", str(ready_fd)]


def stop(places: Places, timeout: float) -> bool:
    """Ends the daemon and waits, at most `timeout` seconds, till its lock is free; False if none ran."""
    until = monotonic() + timeout
    told: LockInfo | None = None
    while is_held(places):
        info = read_lock(places)
        if told is None and info is not None:
            _tell_to_end(places, info)
            told = info
        elif info is not None and info != told:
            break  # ours is gone, and somebody has started another meanwhile
        if monotonic() > until:
            raise _wont_stop(told, timeout)
        sleep(STEP)
    return told is not None


def scrub(environment: Mapping[str, str]) -> dict[str, str]:
    """What a daemon may inherit from whoever happens to start it: nobody's keys, nobody's shell."""
    return {
        name: value
        for name, value in environment.items()
        if name in _KEPT or name.lower() in _KEPT_PROXIES or name.startswith(_KEPT_PREFIXES)
    }


_KEPT = {
    "CURL_CA_BUNDLE",
    "DBUS_SESSION_BUS_ADDRESS",
    "HOME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "NOTIFY_SOCKET",
    "PATH",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "TZ",
    "USER",
}
_KEPT_PREFIXES = ("LC_", "POINTSMAN_", "XDG_")
_KEPT_PROXIES = {"all_proxy", "http_proxy", "https_proxy", "no_proxy"}


def _find(where: Places, environment: Mapping[str, str], may_start: bool, until: float) -> _socket.socket:
    """Follows the lock to the daemon's socket, and starts a daemon when nobody holds the lock."""
    silent_since: float | None = None
    while True:
        info = read_lock(where)
        if info:
            try:
                return reach(info.endpoint, PATIENCE)
            except (OSError, ValueError) as problem:
                if info.host != this_host():
                    raise _other_host(where, info) from problem
                if isinstance(problem, PermissionError):  # waiting opens no door
                    raise _forbidden(info) from problem
        if not is_held(where):
            if not may_start:
                raise EndpointError(
                    "DaemonUnreachable",
                    "The Pointsman daemon is not running.",
                    "Open an editor that uses it, or run `pointsman restart`.",
                )
            start(where, environment, until - monotonic())
            silent_since = None
        elif info:  # without it the daemon is still starting, which may take its time
            silent_since = silent_since or monotonic()
            if monotonic() - silent_since > PATIENCE:
                raise _unreachable(f"runs (process {info.pid}), but its socket does not answer")
        if monotonic() > until:
            raise _unreachable("did not get ready in time")
        sleep(STEP)


def _reach_named(path: str) -> _socket.socket:
    try:
        return reach(path, PATIENCE)
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else None
        raise _unreachable(f"can't be reached: {reason or problem}", path) from problem


def _start_now(places: Places, environment: Mapping[str, str], until: float) -> None:
    from pointsman.endpoint.plain_json import decode
    from pointsman.endpoint.spawn import last_line, spawn

    complaints = os.path.join(places.data, "daemon.stderr")
    inherited = scrub(environment)
    if environment.get("POINTSMAN_HOME"):
        inherited["POINTSMAN_HOME"] = places.data  # absolute, since the daemon runs in another directory
    try:
        word = spawn(daemon_command, inherited, complaints, until)
    except OSError as problem:
        raise _wont_start(f"It can't be run: {problem.strerror}.", places) from problem
    if word == "ready":
        return
    if word is None:
        raise _wont_start("It did not get ready in time.", places)
    try:
        said = decode(word.removeprefix("error "))
    except ValueError:
        said = None
    match said:
        case {"code": "AlreadyRunning"}:
            return  # started by somebody who did not queue up, a service manager for instance
        case {"code": str(code), "message": str(message), "advice": str(advice)}:
            raise EndpointError(code, message, advice)
    raise _wont_start(f"It ended with: {last_line(complaints) or word or 'not a word'}", places)


def _tell_to_end(places: Places, info: LockInfo) -> None:
    from signal import SIGTERM

    if info.host != this_host():
        try:
            reach(info.endpoint, PATIENCE).close()  # this computer's name may have changed, then it answers
        except (OSError, ValueError):
            raise _other_host(places, info) from None
    try:
        os.kill(info.pid, SIGTERM)
    except (ProcessLookupError, PermissionError):
        return  # it ended just now, or is not ours to end: the lock will tell


def _unreachable(what: str, named: str | None = None) -> EndpointError:
    if named:
        return EndpointError(
            "DaemonUnreachable",
            f"The daemon at {named}, which POINTSMAN_ENDPOINT names, {what}.",
            "See to the other end of that socket, or unset POINTSMAN_ENDPOINT to use this machine's daemon.",
        )
    return EndpointError("DaemonUnreachable", f"The Pointsman daemon {what}.", "Run `pointsman restart`.")


def _forbidden(info: LockInfo) -> EndpointError:
    return EndpointError(
        "DaemonUnreachable",
        f"The Pointsman daemon runs (process {info.pid}), but you may not use its socket {info.endpoint}.",
        f"If the socket is yours, run `chmod 600 {info.endpoint}`; else end that process as the user who started it.",
    )


def _wont_start(what: str, places: Places) -> EndpointError:
    return EndpointError(
        "DaemonWontStart",
        f"The Pointsman daemon could not be started. {what}",
        f"More may stand in {places.data}/daemon.stderr, and `pointsman doctor` looks for the cause.",
    )


def _wont_stop(told: LockInfo | None, timeout: float) -> EndpointError:
    if told is None:
        return EndpointError("DaemonWontStop", "The Pointsman daemon is still starting.", "Try again soon.")
    return EndpointError(
        "DaemonWontStop",
        f"The Pointsman daemon (process {told.pid}) still runs after {timeout:.0f} seconds.",
        f"Wait for the answers it is writing, or end them as well: `kill -9 {told.pid}`.",
    )


def _other_host(places: Places, info: LockInfo) -> EndpointError:
    return EndpointError(
        "OtherHost",
        f"The daemon of {places.data} runs on another computer, {info.host}; this one is {this_host()}.",
        "Set POINTSMAN_HOME to a folder on a local disk here. If that is an old name of this computer, "
        "run `pointsman daemon` once.",
    )
