"""What is left of the money at a provider: where its definition says to ask, and how the answer reads.

Must never know a provider, nor that anything is asked over a network. Sums are in the provider's own currency, and
what an answer does not say is unknown, never nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated as Says
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from pointsman.core.errors import UNREADABLE

MOST = 8
"""Sums that are read from one answer: an account has one in each currency."""
Place = tuple[str | int, ...]
"""Where a value stands in an answer: the names and numbers that lead to it."""


class Credit(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a provider says what is left of the money on an account."""

    path: Says[str, Meta(description="a path to GET; one that begins with a slash counts from the host")]
    remaining: Says[Place, Meta(min_length=1, description="where in the answer the rest stands, or all that was paid")]
    used: Says[Place, Meta(description="where that stands which is used, if it has to be subtracted")] = ()
    also: Says[Place, Meta(description="where that stands which has to be added to it, if the answer has it")] = ()
    each: Says[Place, Meta(description="where a list stands whose entries are sums of their own")] = ()
    currency: Says[
        str | Place | dict[str, str],
        Meta(
            description="a code of ISO 4217 or `points`, the place in the answer where it stands, or a table by host",
        ),
    ] = "USD"


class Amount(Struct, frozen=True, rename="camel"):
    """A sum of money. `currency` is a code of ISO 4217 or `POINTS`, empty where nobody says it."""

    amount: float
    currency: str


def amounts(credit: Credit, url: str, body: bytes) -> tuple[Amount, ...]:
    """What an answer from `url` says is left; nothing where it says none, as for an account without a limit."""
    try:
        answer = msgspec.json.decode(body)
    except UNREADABLE:
        return ()
    entries = _at(answer, credit.each)
    found = entries if credit.each and isinstance(entries, list) else [entries]
    return tuple(_read(credit, url, found[:MOST]))


def _read(credit: Credit, url: str, entries: list[Any]) -> Iterator[Amount]:
    for entry in entries:
        left = _number(_at(entry, credit.remaining))
        used = _number(_at(entry, credit.used)) if credit.used else 0.0
        also = _number(_at(entry, credit.also)) if credit.also else 0.0
        if left is not None and used is not None:
            yield Amount(round(left + (also or 0.0) - used, 6), _currency(credit, url, entry))


def _currency(credit: Credit, url: str, entry: Any) -> str:
    said: Any = credit.currency
    if isinstance(said, dict):
        said = said.get(urlsplit(url).hostname or "", "")
    elif isinstance(said, tuple):
        said = _at(entry, said)
    return said.upper() if isinstance(said, str) and said.isascii() and len(said) <= 8 else ""


def _at(value: Any, place: Place) -> Any:
    for step in place:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def _number(value: Any) -> float | None:
    """A number, also one that is written as text: money often is."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
