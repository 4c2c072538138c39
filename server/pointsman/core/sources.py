"""Where a key may come from, as it is written in a provider's `keys` or `api_key`. Must never know what comes of it.

`env:NAME` is a variable of the connection, `file:PATH` a file, `{ command = […] }` a program, `!OAUTH` a signed-in
account; any other text is a key itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated as Says

from msgspec import Meta, Struct

from pointsman.core.secret import Secret

VARIABLE, FILE, ACCOUNT = "env:", "file:", "!OAUTH"
SECRET_HEADER = re.compile(
    r"authori[sz]|auth(?!or)|cookie|key|token|secret|pass(word|phrase|code)|credential|signature|session", re.IGNORECASE
)
"""Headers that carry what nobody else may know."""


class Command(Struct, frozen=True, forbid_unknown_fields=True):
    """A program that prints a key."""

    command: Says[
        tuple[Says[str, Meta(min_length=1)], ...],
        Meta(min_length=1, description="the program and its arguments; the first line that it prints is the key"),
    ]


Written = str | Command


@dataclass(frozen=True)
class FromVariable:
    """A variable of the connection's environment."""

    name: str


@dataclass(frozen=True)
class FromFile:
    """A file; `path` begins with `/`, or with `~/` for the connection's home."""

    path: str


@dataclass(frozen=True)
class FromCommand:
    """What a program prints when it is run with the connection's environment."""

    command: tuple[str, ...]


@dataclass(frozen=True)
class FromAccount:
    """An account that has signed in."""


@dataclass(frozen=True)
class Plain:
    """The key itself, as it stands in the file."""

    key: Secret


Source = FromVariable | FromFile | FromCommand | FromAccount | Plain
Looked = FromFile | FromCommand
"""Those where the key has to be looked up."""


def sources(written: Iterable[Written | None]) -> tuple[Source, ...]:
    """What is written, read; without repeats and what is empty, in order."""
    found = (_source(each) for each in written if each)
    return tuple(dict.fromkeys(each for each in found if each is not None))


def mistake(written: Iterable[Written | None]) -> str | None:
    """What is wrong with a source, in words for people."""
    for each in sources(written):
        if isinstance(each, FromFile) and not each.path.startswith(("/", "~/")):
            return "Expected a path from the root, or from `~/`, behind `file:`"
    return None


def told(source: Looked) -> str:
    """A source in words for people."""
    if isinstance(source, FromFile):
        return f"the file {source.path}"
    return f"the program `{source.command[0]}`"


def carries_a_secret(header: str) -> bool:
    """Whether a header of that name is there to prove who asks."""
    return SECRET_HEADER.search(header) is not None


def _source(written: Written) -> Source | None:
    if isinstance(written, Command):
        return FromCommand(written.command)
    if written == ACCOUNT:
        return FromAccount()
    if written.startswith(VARIABLE):
        name = written.removeprefix(VARIABLE)
        return FromVariable(name) if name else None
    if written.startswith(FILE):
        return FromFile(written.removeprefix(FILE))
    return Plain(Secret(written))
