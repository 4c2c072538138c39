"""How a person, or a pipe, gives a key to a command. Must never take one from the command line, nor show one."""

from __future__ import annotations

import sys

import click

from pointsman.cli.terminal import is_terminal
from pointsman.core.secret import KEY_LIKE

STDIN = "-"
LONGEST = 64 * 1024
"""Bytes of standard input that may be a key: more is something else."""
ON_THE_COMMAND_LINE = (
    "That looks like a key, and a command line can be read by every program of yours. Leave it out: you are asked for "
    "it, or give `-`, and the key on standard input. Take this one out of your shell's history."
)


def refuse_keys(*words: str | None) -> None:
    """Raises UsageError, which does not repeat it, for a word that looks like a key."""
    if any(word and KEY_LIKE.search(word) for word in words):
        raise click.UsageError(ON_THE_COMMAND_LINE)


def entered_key(title: str, *, from_stdin: bool) -> str:
    """The key: typed without being shown, or what stands on standard input. Raises UsageError where there is none."""
    if from_stdin:
        data = sys.stdin.buffer.read(LONGEST + 1) if sys.stdin else b""
        key = data.decode("utf-8", "replace").strip() if len(data) <= LONGEST else ""
        if not key or len(key.split()) != 1:
            raise click.UsageError("Standard input must hold the key, and nothing else.")
        return key
    if not is_terminal(sys.stdin):
        raise click.UsageError("Nobody can be asked for the key here. Give `-`, and the key on standard input.")
    key = str(click.prompt(f"Key for {title} (not shown)", hide_input=True, err=True)).strip()
    if not key:
        raise click.UsageError("Without a key there is nothing to do.")
    return key
