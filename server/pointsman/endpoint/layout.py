"""Decides where everything lies, and makes sure that what is private is ours alone.

Must never repair what somebody else made too open: it says which command does, and stops.
"""

from __future__ import annotations

import os
import sys
from errno import EDQUOT, ENOSPC, EROFS
from stat import S_IMODE, S_ISDIR, S_ISREG

from pointsman.endpoint.values import TYPE_CHECKING, EndpointError, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103
"""Bytes in the path of a socket: the size of `sun_path` in unix(7), less its final NUL."""
NOT_WRITABLE = (EROFS, ENOSPC, EDQUOT)
"""What the system says where the disk is full, or can only be read."""


class Places(Value):
    """Where everything lies, as absolute paths; `config` and `data` are directories."""

    config: str
    data: str
    lock: str
    socket: str
    log: str
    store: str
    config_file: str


def places(environment: Mapping[str, str]) -> Places:
    """Everything in POINTSMAN_HOME, else in the XDG folders, whose relative and empty values don't count."""
    if home := environment.get("POINTSMAN_HOME"):
        config = data = os.path.abspath(home)
    else:
        user = environment.get("HOME") or os.path.expanduser("~")
        config = os.path.join(_xdg(environment, "CONFIG_HOME") or f"{user}/.config", "pointsman")
        data = os.path.join(_xdg(environment, "DATA_HOME") or f"{user}/.local/share", "pointsman")
    return Places(
        config=config,
        data=data,
        lock=os.path.join(data, "daemon.lock"),
        socket=_socket_path(environment, data),
        log=os.path.join(data, "daemon.log"),
        store=os.path.join(data, "state.db"),
        config_file=os.path.join(config, "pointsman.toml"),
    )


def private_directory(path: str) -> None:
    """Makes the directory for us alone, or raises EndpointError unless it is that already."""
    try:
        _make(os.path.abspath(path))
        link, target = os.lstat(path), os.stat(path)
    except OSError as problem:
        raise _unsafe(
            f"Pointsman can't use the directory {path}: {problem.strerror}.",
            "Mend that, or name another folder in POINTSMAN_HOME.",
        ) from problem
    if not S_ISDIR(target.st_mode):
        raise _unsafe(
            f"{path} is not a directory, but Pointsman keeps its state there.",
            "Move that file away, or name another folder in POINTSMAN_HOME.",
        )
    for facts in (link, target):
        _check_owner(path, facts)
    if S_IMODE(target.st_mode) & 0o077:
        raise _unsafe(
            f"{path} is open to other users (mode {S_IMODE(target.st_mode):04o}), but it holds your keys.",
            f"Run `chmod 700 {_quote(path)}` and try again.",
        )


def open_ours(path: str, flags: int) -> int:
    """Opens a plain file of ours (made with 0600), never through a link. May raise FileNotFoundError."""
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise
    except OSError as problem:
        advice = "Move it away if it is not yours, and try again."
        if problem.errno in NOT_WRITABLE:
            advice = "Pointsman has to write there: mend that, or name another folder in POINTSMAN_HOME."
        raise _unsafe(f"Pointsman can't open {path}: {problem.strerror}.", advice) from problem
    try:
        facts = os.fstat(fd)
        _check_owner(path, facts)
        if not S_ISREG(facts.st_mode):
            raise _unsafe(f"{path} is not a plain file.", "Move it away and try again.")
    except EndpointError:
        os.close(fd)
        raise
    return fd


_SHORTEST = "/tmp"  # noqa: S108 (whoever makes our directory there first is found out by `private_directory`)


def _xdg(environment: Mapping[str, str], name: str) -> str | None:
    # Relative paths are invalid: https://specifications.freedesktop.org/basedir-spec/latest/
    value = environment.get(f"XDG_{name}", "")
    return value if os.path.isabs(value) else None


def _socket_path(environment: Mapping[str, str], data: str) -> str:
    # Not in the runtime directory: a logout deletes that under a living daemon, and two logins may have two.
    path = os.path.join(data, "daemon.sock")
    if _fits(path):
        return path
    from hashlib import sha256

    digest = sha256(os.fsencode(path)).hexdigest()[:16]
    name = os.path.join(f"pointsman-{os.geteuid()}", f"{digest}.sock")
    short = os.path.join(_xdg(environment, "RUNTIME_DIR") or _SHORTEST, name)
    return short if _fits(short) else os.path.join(_SHORTEST, name)


def _fits(path: str) -> bool:
    return len(os.fsencode(path)) <= SOCKET_PATH_LIMIT


def _make(path: str) -> None:
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        _make(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return  # perhaps by somebody else, a moment ago


def _check_owner(path: str, facts: os.stat_result) -> None:
    if facts.st_uid != os.geteuid():
        raise _unsafe(
            f"{path} belongs to user {facts.st_uid}, but you are user {os.geteuid()}.",
            f"If it should be yours, run `sudo chown -hR {os.geteuid()} {_quote(path)}`; "
            "otherwise name another folder in POINTSMAN_HOME.",
        )


def _unsafe(message: str, advice: str) -> EndpointError:
    return EndpointError("UnsafeDirectory", message, advice)


def _quote(path: str) -> str:
    from shlex import quote

    return quote(path)
