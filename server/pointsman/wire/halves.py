"""Joins what a server has cut in two inside a character: half a surrogate pair in one event, the other in the next.

Some servers cut text by units of UTF-16 (JavaScript's strings) and escape each half: `"\\ud83d"`, then `"\\ude00"`.
Must never know a dialect.
"""

from __future__ import annotations

import re

_LONE = re.compile(
    rb"(?<!\\)((?:\\\\)*)"
    rb"(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(\\u[dD][89abAB][0-9a-fA-F]{2})"
    rb"|(\\u[dD][c-fC-F][0-9a-fA-F]{2}))"
)
"""Escaped backslashes, then a whole pair, the first half of one, or the second."""
REPLACEMENT = rb"\ufffd"


class Halves:
    """Mends JSON that holds half a pair. A half that is never followed by the other is lost."""

    def __init__(self) -> None:
        self._first = b""

    def mend(self, event: bytes) -> bytes:
        """The event without the first half of a pair, and with a second one made whole; the same if there is none."""
        return _LONE.sub(self._mended, event)

    def _mended(self, found: re.Match[bytes]) -> bytes:
        before, whole, first, second = found.groups()
        if whole:
            return before + whole
        if first:
            self._first = first
            return before
        first, self._first = self._first, b""
        return before + (first + second if first else REPLACEMENT)
