"""Looks for what keeps the daemon from working. Must never change anything, nor start the daemon."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pointsman.cli.client import CallFailed, Client
from pointsman.core.catalogue import SCHEMES, Provider
from pointsman.core.configuration import loose, parse
from pointsman.core.errors import PluginFailed, StorageError
from pointsman.core.sources import Plain, carries_a_secret
from pointsman.edge.files import FOLDER, definitions, layer, shipped
from pointsman.edge.store import harm, set_aside, what_was_lost
from pointsman.endpoint import VERSION, EndpointError, Places, is_held, places, private_directory, read_lock, skew
from pointsman.wire import quirks_of

if TYPE_CHECKING:
    from pointsman.service.plugins import Plugins


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was found, and how to mend it where it is wrong."""

    subject: str
    ok: bool
    text: str
    remedy: str = ""

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        return asdict(self)


Check = Callable[[Places], Iterator[Finding]]


def examine(environment: Mapping[str, str]) -> list[Finding]:
    """Every finding, in the order in which one thing depends on the next."""
    where = places(environment)
    checks: tuple[Check, ...] = (_folder, _lock, _socket, _answer, _state, _log, _plugins_and_configuration)
    return [finding for check in checks for finding in _findings(check, where)]


def _findings(check: Check, where: Places) -> list[Finding]:
    """What one check finds; one that can't even look has found that out."""
    found: list[Finding] = []
    try:
        found.extend(check(where))
    except EndpointError as error:
        found.append(Finding(check.__name__.strip("_"), False, error.message, error.advice))
    return found


def _folder(where: Places) -> Iterator[Finding]:
    if not os.path.lexists(where.data):
        yield Finding("data folder", True, f"{where.data} is not there yet; the daemon makes it.")
        return
    try:
        private_directory(where.data)
    except EndpointError as error:
        yield Finding("data folder", False, error.message, error.advice)
        return
    yield Finding("data folder", True, f"{where.data} is private to you.")
    free = os.statvfs(where.data)
    if free.f_flag & os.ST_RDONLY:
        remedy = "Mount it so that it can be written, or name another folder in POINTSMAN_HOME."
        yield Finding("disk", False, f"{where.data} can only be read, and the daemon has to write there.", remedy)
    elif free.f_bavail * free.f_frsize < 2**20:
        yield Finding(
            "disk", False, f"Less than 1 MiB is free for {where.data}.", "Make room: choices can't be kept without it."
        )


def _lock(where: Places) -> Iterator[Finding]:
    try:
        info, held = read_lock(where), is_held(where)
    except EndpointError as error:
        yield Finding("lock", False, error.message, error.advice)
        return
    if not held:
        yield Finding("lock", True, "No daemon runs; it starts with the first editor that connects.")
    elif info is None:
        remedy = "Wait a second and look again; if it stays so, end the process that `fuser` names for that file."
        yield Finding("lock", False, f"{where.lock} is held, but does not say by whom.", remedy)
    elif info.host != os.uname().nodename:
        remedy = "Stop it there, or set POINTSMAN_HOME to a folder on this computer."
        yield Finding("lock", False, f"The daemon of this data runs on {info.host}.", remedy)
    else:
        yield Finding("lock", True, f"Held by process {info.pid}, Pointsman {info.version}.")


def _socket(where: Places) -> Iterator[Finding]:
    info = read_lock(where) if is_held(where) else None
    if info is None:
        return
    try:
        facts = os.lstat(info.endpoint)
    except OSError as error:
        yield Finding("socket", False, f"{info.endpoint} can't be found: {error.strerror}.", "Run `pointsman restart`.")
        return
    if facts.st_uid != os.geteuid() and os.geteuid() != 0:
        text = f"{info.endpoint} belongs to another user, who has started the daemon of this data."
        yield Finding("socket", False, text, f"End process {info.pid} as that user, and start it as yourself.")
    elif not os.access(info.endpoint, os.R_OK | os.W_OK):
        yield Finding("socket", False, f"{info.endpoint} can't be used by you.", f"Run `chmod 600 {info.endpoint}`.")
    elif not stat.S_ISSOCK(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
        text = f"{info.endpoint} is not a socket that only you can use."
        yield Finding("socket", False, text, f"Run `chmod 600 {info.endpoint}`, or `pointsman restart`.")
    else:
        yield Finding("socket", True, f"{info.endpoint} is private to you.")


def _answer(where: Places) -> Iterator[Finding]:
    if "POINTSMAN_ENDPOINT" not in os.environ and not (is_held(where) and read_lock(where)):
        return
    try:
        with Client(may_start=False) as client:
            version = str(client.hello["version"])
            status = client.call("pointsman/status")
            vault = list(_vault(client))
    except (EndpointError, CallFailed) as error:
        yield Finding("daemon", False, error.message, error.advice)
        return
    if words := skew(client=VERSION, daemon=version):
        yield Finding("version", False, *words.split(": ", 1))
    else:
        yield Finding("version", True, f"Daemon and command line are both {VERSION}.")
    others = len(status["clients"]) - 1
    who = "no other client is" if not others else "one other client is" if others == 1 else f"{others} others are"
    yield Finding("daemon", True, f"It answers; {who} connected.")
    yield from vault


def _state(where: Places) -> Iterator[Finding]:
    file = Path(where.store)
    if file.exists() and not is_held(where):
        try:
            wrong = harm(file)
        except StorageError as error:
            yield Finding("state", False, error.message, error.advice)
        else:
            remedy = "The next daemon sets it aside, and takes over what can be read of it. A backup may hold more."
            text = f"{file} is damaged: {wrong}." if wrong else f"{file} is whole."
            yield Finding("state", wrong is None, text, remedy if wrong else "")
    for aside in set_aside(Path(where.data)):
        yield Finding("state", False, what_was_lost(aside), f"Delete {aside} when you miss nothing any more.")


def _vault(client: Client) -> Iterator[Finding]:
    try:
        status = client.call("pointsman/vaultStatus")
    except CallFailed:
        return  # an older daemon does not know the method
    if error := status.get("error"):
        yield Finding("vault", False, error["message"], error["advice"])
        return
    for each in status["damaged"]:
        what = " ".join(filter(None, (each["provider"], each["label"])))
        text = f"The stored credential {what!r} is left out. {each['reason']}"
        yield Finding("vault", False, text, "Enter it anew; `pointsman vault discard` removes what is left of it.")
    for note in status["notes"]:
        yield Finding("vault", True, note)
    if status["state"] == "open":
        text = f"{status['records']} stored credentials are sealed with the key in {status['where']}."
        yield Finding("vault", True, text)


def _log(where: Places) -> Iterator[Finding]:
    path = Path(where.log)
    if not path.exists():
        yield Finding("log", True, f"{path} is not there yet.")
    elif not path.is_file():
        remedy = "Move it away; then `pointsman restart` makes a new one."
        yield Finding("log", False, f"{path} is not a file.", remedy)
    elif os.statvfs(path).f_flag & os.ST_RDONLY:
        yield Finding("log", False, f"{path} lies where nothing can be written.", "Mend what is said of the disk.")
    elif not os.access(path, os.R_OK | os.W_OK):
        yield Finding("log", False, f"{path} can't be read and written.", f"Run `chmod u+rw {path}`.")
    else:
        yield Finding("log", True, f"{path}, {path.stat().st_size // 1024} KiB.")


def _plugins_and_configuration(where: Places) -> Iterator[Finding]:
    """Loads the plugins as the daemon does, and reads the configuration with what they add."""
    from pointsman.service.plugins import load  # noqa: PLC0415 - slow, and only this needs it

    plugins = load()
    for plugin in plugins.found:
        text = plugin.problem or f"{plugin.title} loads."
        yield Finding("plugin", not plugin.off, text, PluginFailed.default_advice if plugin.off else "")
    yield from _configuration(where, plugins)


def _configuration(where: Places, plugins: Plugins) -> Iterator[Finding]:
    file = Path(where.config_file)
    own = layer(file)
    dropped = [found for path in definitions(file.parent / FOLDER) if (found := layer(path, "dropped"))]
    if own is None and not dropped:
        yield Finding(
            "configuration", True, f"{where.config_file} is not there; the providers that come with Pointsman are."
        )
        return
    layers = [*shipped(), *dropped, *([own] if own else [])]
    catalogue = parse(layers, quirks_of(plugins.wires), SCHEMES | plugins.schemes.keys())
    problems = [*catalogue.problems, *(loose(catalogue, own.origin, own.text) if own else ())]
    open_to_others = own is not None and file.stat().st_mode & 0o077
    if open_to_others and any(_holds_a_key(provider) for provider in catalogue.providers.values()):
        text = f"{where.config_file} holds a key, and others may read it."
        yield Finding("configuration", False, text, f"Run `chmod 600 {where.config_file}`, or name variables instead.")
    for id in (provider.id for provider in catalogue.providers.values() if _in_plain_text(provider)):
        text = f"A key of {id} stands in plain text. Move it: `pointsman keys adopt {id}`."
        yield Finding("configuration", True, text)
    for problem in problems:
        line = f":{problem.line}" if problem.line else ""
        yield Finding("configuration", False, f"{problem.file}{line}: {problem.message}", problem.hint)
    if not problems:
        yield Finding("configuration", True, f"{where.config_file} reads well.")


def _holds_a_key(provider: Provider) -> bool:
    """Whether a secret itself stands there, not the name of its variable."""
    return _in_plain_text(provider) or any(map(carries_a_secret, provider.headers))


def _in_plain_text(provider: Provider) -> bool:
    return any(isinstance(source, Plain) for source in provider.sources)
