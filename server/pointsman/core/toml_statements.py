"""Where the statements of a TOML text lie: each header, and each key with its value. Must never change a text.

The text has to be TOML. Source: https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

_NAME = r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+'
_NAMES = rf"(?:{_NAME})(?:[ \t]*\.[ \t]*(?:{_NAME}))*"
_START = re.compile(rf"[ \t]*(?:(?P<open>\[\[?)[ \t]*(?P<header>{_NAMES})[ \t]*\]|(?P<key>{_NAMES})[ \t]*=[ \t]*)")
_PIECE = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|(?P<comment>#[^\n]*)|(?P<end>\n)|(?P<open>[\[{])|(?P<close>[\]}])|(?P<blank>[ \t\r]+)"
    r"|[^\"'#\n\[\]{} \t\r]+",
    re.DOTALL,
)


@dataclass(frozen=True)
class Statement:
    """A header (`value` is null), or a key with its value, from the root: `path`, whichever way it is written.

    `table` is the path of the header that it stands under. `start` and `end` are those of its lines, in characters;
    `value` are those of its value alone.
    """

    path: tuple[str, ...]
    table: tuple[str, ...]
    start: int
    end: int
    value: tuple[int, int] | None = None
    array: bool = False


def statements(text: str) -> list[Statement]:
    """All of them, in order."""
    found: list[Statement] = []
    table: tuple[str, ...] = ()
    at = 0
    while at < len(text):
        begins = _START.match(text, at)
        value, end = _value(text, begins.end() if begins else at)
        if begins and begins["header"]:
            table = _path(begins["header"])
            found.append(Statement(table, table, at, end, array=begins["open"] == "[["))
        elif begins:
            found.append(Statement((*table, *_path(begins["key"])), table, at, end, (begins.end(), value)))
        at = end
    return found


def _value(text: str, at: int) -> tuple[int, int]:
    """Where a value ends, and where its last line does."""
    depth, last = 0, at
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:  # the text is no TOML
            return last, len(text)
        at = piece.end()
        if piece["open"] or piece["close"]:
            depth += 1 if piece["open"] else -1
        elif piece["end"] and depth <= 0:
            return last, at
        if not (piece["blank"] or piece["comment"] or piece["end"]):
            last = at
    return last, at


def _path(names: str) -> tuple[str, ...]:
    """The names of a dotted key, without their quotes."""
    return tuple(tomllib.loads(f"k = {name}")["k"] if name[0] in "\"'" else name for name in re.findall(_NAME, names))
