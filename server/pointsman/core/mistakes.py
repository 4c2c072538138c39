"""Turns what is wrong with a file of TOML into words for people, and finds the line.

Must never decide what is wrong.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Container, Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from pointsman.core.catalogue import COMPUTED, Catalogue, Problem, nearest

HINT = " → "
"""What stands between what is wrong and what to do, where the two are told as one."""

KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "`true` or `false`",
    "array": "a list",
    "object": "a table",
}
"""What msgspec calls the kinds of values, and what docs/configuration.md calls them."""

_KIND = rf"(?:{'|'.join(KINDS)}|null)"
_EXPECTED = re.compile(
    rf"Expected `({_KIND}(?: \| {_KIND})*)`(?:( of length >= 1)| ([<>]=?) ([\d.e+-]+))?(?:, got `(\w+)`)?"
)
_BOUNDS = {"<=": "at most", ">=": "at least", "<": "below", ">": "above"}

ANYTHING = "See docs/configuration.md for what belongs here."
"""What to do where nothing better is known."""


def syntax(origin: str, text: str, error: Exception) -> Problem:
    """A file that is no TOML."""
    found = re.search(r"\(at line (\d+)", str(error))
    line = int(found[1]) if found else None if isinstance(error, RecursionError) else text.count("\n") + 1
    return Problem(
        origin, f"Not valid TOML: {error}.", "Mend that line; nothing else in the file is read until then.", line
    )


def unknown(what: str, name: str, known: Collection[str]) -> str:
    """A value that is none of those that there are, as one message that `misfit` takes apart."""
    return f"Unknown {what} {name!r}{HINT}{_nearest(name, known)}"


def _nearest(name: str, known: Collection[str]) -> str:
    near = nearest(name, known)
    return f"Did you mean `{near[0]}`?" if near else f"Known here: {', '.join(known)}."


def misfit(
    error: msgspec.ValidationError, structs: Mapping[str, type[Struct]], entry: str = ""
) -> tuple[str, str, str]:
    """msgspec's words for people: the path to the value (`.auth.scheme`), what is wrong with it, and what to do.

    msgspec says `[...]` for the name of an entry; where it is known, `entry` is the path to it.
    """
    message, _, path = str(error).partition(" - at `$")
    path = entry if entry and "[...]" in path else path.rstrip("`").split("[")[0]
    field = re.search(r"unknown field `([^`]+)`", message)
    if field is None:
        name = f"`{path.strip('.')}`: " if path else ""
        message, _, hint = message.partition(HINT)
        return path, f"{name}{_EXPECTED.sub(_plainly, message)}.", hint or ANYTHING
    struct = structs.get(path.strip("."), structs[path.strip(".").partition(".")[0]])
    names = [name for name in struct.__struct_encode_fields__ if name not in COMPUTED]
    return f"{path}.{field[1]}", f"{message}.", _nearest(field[1], names)


def _plainly(expected: re.Match[str]) -> str:
    """What msgspec expected, without the names of Python's and JSON's types and without signs."""
    kinds, filled, sign, bound, got = expected.groups()
    words = "Expected " + " or ".join(KINDS[kind] for kind in kinds.split(" | ") if kind != "null")
    words += " that is not empty" if filled else ""
    words += f", {_BOUNDS[sign]} {float(bound):,.15g}" if sign else ""
    return f"{words}, got {KINDS.get(got, got)}" if got else words


def budgets_of_nobody(catalogue: Catalogue, defined: Container[str], texts: Mapping[str, str]) -> Iterator[Problem]:
    """Budgets for providers that nobody has defined: whoever wrote one believes that it holds."""
    for id in catalogue.budgets.providers:
        if id in defined:
            continue
        path = f"budgets.providers.{id}"
        origin, near = catalogue.origins[path], nearest(id, catalogue.providers)
        hint = f"Did you mean `{near[0]}`?" if near else "`pointsman providers` lists those that there are."
        text = f"`{path}` is a budget for a provider that is not there."
        yield Problem(origin, text, hint, line_of(texts[origin], path))


def line_of(text: str, path: str) -> int | None:
    """The line of a value, else that of what holds it: found by text alone, and good enough to jump to."""
    wanted = path.split(".")
    header: list[str] = []
    best, depth = None, 0
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.match(r"\s*\[+([^\]]+)\]", line):
            here = header = _keys(found[1])
        elif found := re.match(r"\s*([^=#]+)=", line):
            here = header + _keys(found[1])
        else:
            continue
        shorter = min(len(here), len(wanted))
        if here[:shorter] == wanted[:shorter] and shorter > depth:
            best, depth = number, shorter
    return best


def _keys(text: str) -> list[str]:
    """The names of a key as somebody has written it, with quotes and escapes."""
    if "\\" in text:
        with suppress(ValueError):
            return list(_path(tomllib.loads(f"{text.strip()} = 0")))
    return [name.strip().strip("\"'") for name in text.split(".")]


def _path(table: Any) -> Iterator[str]:
    """The names that lead to the only value of a table."""
    while isinstance(table, dict):
        ((name, table),) = table.items()
        yield from name.split(".")
