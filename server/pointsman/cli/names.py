"""Which names may be given to providers, aliases and chains, in plain words. Must never know which names are taken."""

from __future__ import annotations

import re

import click

from pointsman.core.mistakes import HINT
from pointsman.core.well_formed import wrong_alias, wrong_chain

ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
CHAIN = "chain"


def must_be_id(name: str) -> None:
    """Raises UsageError for what can't be a provider's name."""
    if name == CHAIN:
        raise click.UsageError(
            "`chain:` begins the name of a chain, so no provider can be called that. Choose another."
        )
    if not ID.fullmatch(name):
        raise click.UsageError(
            f"{name!r} can't be a provider's name. Take small letters, digits, `.`, `_` and `-`, up to 64 of them, and "
            "begin with a letter or a digit."
        )


def must_be_alias(name: str) -> None:
    """Raises UsageError for what can't be a short name."""
    _must_be_right(wrong_alias(name))


def must_be_chain(name: str) -> None:
    """Raises UsageError for what can't be the name of a chain."""
    _must_be_right(wrong_chain(name))


def _must_be_right(wrong: str | None) -> None:
    if wrong:
        text, _, hint = wrong.partition(HINT)
        raise click.UsageError(f"{text}. {hint}")
