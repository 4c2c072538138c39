"""A list to pick from in a terminal: a number picks, words narrow the list down. Must never know what is picked."""

from __future__ import annotations

from collections.abc import Sequence

import click

from pointsman.cli.terminal import note, visible

SHOWN = 20
"""Entries that are listed at once; words find the others."""

Choice = tuple[str, str]
"""A name, and what it means."""


def pick(choices: Sequence[Choice], current: str | None) -> str | None:
    """The name that the person picks; None when they leave it as it is. Raises Abort at Ctrl-C."""
    left = list(choices)
    if not left:
        note("There is nothing to choose from yet: `pointsman providers` says what is missing.")
        return None
    _show(left, current)
    while True:
        enter = f"Enter takes {visible(left[0][0])}" if len(left) == 1 else "Enter leaves it as it is"
        typed = click.prompt(f"Number, or part of a name; {enter}", default="", show_default=False, err=True).strip()
        if not typed:
            return left[0][0] if len(left) == 1 else None
        if typed.isdecimal() and 1 <= int(typed) <= len(left):
            return left[int(typed) - 1][0]
        left = narrowed(choices, typed)
        if not left:
            note(f"Nothing there has {typed!r} in its name; here are all again.")
            left = list(choices)
        _show(left, current)


def narrowed(choices: Sequence[Choice], typed: str) -> list[Choice]:
    """The choices whose name, or meaning, has all of the words."""
    words = typed.lower().split()
    return [choice for choice in choices if all(word in " ".join(choice).lower() for word in words)]


def _show(choices: Sequence[Choice], current: str | None) -> None:
    for number, (name, about) in enumerate(choices[:SHOWN], 1):
        mark = "*" if name == current else " "
        note(f"{mark}{number:>3}  {name}{f'  ({about})' if about else ''}")
    if len(choices) > SHOWN:
        note(f"     … and {len(choices) - SHOWN} more; type part of a name.")
