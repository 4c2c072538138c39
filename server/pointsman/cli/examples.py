"""The examples in the help of a command; they stand in examples.toml, by command.

Must never read that file for anything but help: a command waits for nothing that it does not need.
"""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path

import click

FILE = Path(__file__).with_name("examples.toml")  # importlib.resources would cost the start more than all of this


class WithExamples(click.Command):
    """A command whose help shows examples below its first sentence."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes what the command is for, and how it is used."""
        sentence, *rest = inspect.cleandoc(self.help or "").split("\n\n", 1)
        shown = "\n".join(("\b", *(f"  {line}" for line in examples().get(ctx.command_path, ()))))
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text("\n\n".join((sentence, shown, *rest)))


class GroupWithExamples(WithExamples, click.Group):
    """A group of such commands."""

    command_class = WithExamples


def examples() -> dict[str, list[str]]:
    """What can be typed in a shell, by the command that it is an example of."""
    return tomllib.loads(FILE.read_text("utf-8"))
