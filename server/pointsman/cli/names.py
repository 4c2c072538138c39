"""Which names may be given to providers, aliases and chains, in plain words. Must never know which names are taken."""

from __future__ import annotations

import re
import unicodedata

import click

from pointsman.cli.terminal import HIDDEN

ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
LONGEST = 200
"""Characters of an alias, or of a chain's name."""
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
    _must_be_plain(name, "A short name")
    if name.partition(":")[0] == CHAIN:
        raise click.UsageError("`chain:` begins the name of a chain, so no short name can. Choose another.")


def must_be_chain(name: str) -> None:
    """Raises UsageError for what can't be the name of a chain."""
    _must_be_plain(name, "The name of a chain")


def _must_be_plain(name: str, what: str) -> None:
    if not name.strip() or name != name.strip():
        raise click.UsageError(f"{what} must have letters, and no blanks around them. Choose another.")
    if len(name) > LONGEST:
        raise click.UsageError(f"{what} has {LONGEST} characters at most. Choose a shorter one.")
    if not _is_plain(name):
        raise click.UsageError(f"{name!r} has signs that nobody can see or type. Choose a name without them.")


def _is_plain(name: str) -> bool:
    return not any(unicodedata.category(character) in HIDDEN for character in name)
