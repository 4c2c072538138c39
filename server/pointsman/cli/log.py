"""The command `log`: the daemon's log in plain lines. Must never need the daemon: it is read when that is gone, too."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click

from pointsman.cli.examples import WithExamples
from pointsman.cli.failures import Failure
from pointsman.cli.tables import local
from pointsman.cli.terminal import say
from pointsman.endpoint import places

LOOK_EVERY = 0.2
"""Seconds between two looks for more."""
PLAIN = ("time", "level", "logger", "message", "traceback")
"""What a line says without its name."""


@click.command(cls=WithExamples)
@click.option("-n", "count", type=click.IntRange(min=0), default=20, show_default=True, help="How many lines.")
@click.option("--follow", "-f", is_flag=True, help="Go on with new lines, until Ctrl-C.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the lines as they stand in the file: JSON, one object each."
)
def log(count: int, follow: bool, as_json: bool) -> int:
    """Show the end of the daemon's log.

    Neither questions nor answers nor keys are in it. Times are local; with `--json`, UTC.
    """
    if os.environ.get("POINTSMAN_ENDPOINT"):
        raise Failure("The daemon that POINTSMAN_ENDPOINT names keeps its log where it lives. Look at it there.")
    path = Path(places(os.environ).log)
    for line in _following(path, count) if follow else _last(path, _there(path), count):
        if as_json:
            click.echo(line)
        else:
            say(plain(line))
    return 0


def plain(line: str) -> str:
    """A line of the log for people; one that is not of the daemon's making stays as it is."""
    try:
        record: dict[str, Any] = json.loads(line)
        words = f"{local(record['time'])}  {record['level']:<7}  {record['message']}"
    except (ValueError, KeyError, TypeError):
        return line
    facts = [f"{name} {value}" for name, value in record.items() if name not in PLAIN]
    trace = "".join(f"\n    {each}" for each in str(record.get("traceback", "")).splitlines())
    return words + (f"  ({', '.join(facts)})" if facts else "") + trace


def _opened(path: Path) -> BinaryIO | None:
    """The file to read from, None when it is not there. Raises Failure for what is no file, or can't be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Failure(f"{path} is not a file. Move it away; then `pointsman restart` makes a new one.")
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Failure(f"{path} can't be read: {error.strerror}. Run `chmod u+r {path}`.") from None


def _read(path: Path) -> bytes | None:
    """All that a file holds, None when it is not there. Raises Failure."""
    file = _opened(path)
    if file is None:
        return None
    with file:
        return file.read()


def _there(path: Path) -> bytes:
    if (data := _read(path)) is None:
        raise Failure(f"{path} is not there: no daemon has written one yet. `pointsman use` starts one.")
    return data


def _last(path: Path, data: bytes, count: int) -> list[str]:
    """The last lines of what a file holds, if need be with those of the file that was full before."""
    lines, older = _decoded(data).splitlines(), path.with_name(f"{path.name}.1")
    if len(lines) < count and (before := _read(older)):
        lines = _decoded(before).splitlines() + lines
    return lines[-count:] if count else []


def _following(path: Path, count: int) -> Iterator[str]:
    """The last lines, and then those that come, also when a new file takes the place of the full one."""
    file = _opened(path)
    if file:
        complete = b"".join(_complete_lines(file))
        yield from _last(path, complete, count)
    while True:
        for line in _complete_lines(file) if file else ():
            yield _decoded(line).rstrip("\n")
        newer = _opened(path)
        if newer and (file is None or not os.path.samestat(os.fstat(file.fileno()), os.fstat(newer.fileno()))):
            for line in _complete_lines(file) if file else ():
                yield _decoded(line).rstrip("\n")
            file = newer
            continue
        if newer:
            newer.close()
        time.sleep(LOOK_EVERY)


def _complete_lines(file: BinaryIO) -> Iterator[bytes]:
    """What has come since; a line that is still being written is left for later."""
    while True:
        start = file.tell()
        line = file.readline()
        if not line.endswith(b"\n"):
            file.seek(start)
            return
        yield line


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")
