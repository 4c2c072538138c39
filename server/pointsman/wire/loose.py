"""Reads what stands beside an answer, above all what it took: as far as it can be read, and never with an error.

An answer is whole whatever is wrong with its numbers. What is no count, or no sum of money, is unknown, which is not 0:
then the daemon estimates as it does where nobody has said anything. What is more than the ledger takes is neither, as
sums of it would fit into nothing. Must never know a dialect.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from pointsman.core.accounting import MOST_DOLLARS
from pointsman.core.errors import UNREADABLE
from pointsman.core.ledger import MOST_TOKENS

NOTHING = len("null")
"""Bytes of what many send with every chunk; what is no longer says nothing of usage, and need not be read."""

_ANYTHING = msgspec.json.Decoder()


def value(raw: Raw) -> Any:
    """What stands there, of whatever kind; None where nothing does, or nothing that can be read."""
    try:
        return _ANYTHING.decode(raw) if raw else None
    except UNREADABLE:
        return None


def count(said: Any, *path: str) -> int | None:
    """The tokens that are counted at this path; None where nobody says it, or it is no count."""
    number = _number(_at(said, path))
    return int(number) if number is not None and 0 <= number <= MOST_TOKENS and number % 1 == 0 else None


def total(said: Any, *names: str) -> int | None:
    """The sum of counts, where one that is absent is nothing; unknown where one of them can't be read."""
    counts = [0 if _at(said, (name,)) is None else count(said, name) for name in names]
    return None if None in counts else sum(filter(None, counts))


def dollars(said: Any, *path: str) -> float | None:
    """What stands at this path as a sum of money; None where nobody says it, or it is none."""
    number = _number(_at(said, path))
    return float(number) if number is not None and 0 <= number <= MOST_DOLLARS else None


def _at(said: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        said = said.get(name) if isinstance(said, dict) else None
    return said


def _number(said: Any) -> int | float | None:
    """A number, or its digits in a string."""
    if isinstance(said, str):
        try:
            return float(said)
        except ValueError:
            return None
    return said if isinstance(said, int | float) and not isinstance(said, bool) else None
