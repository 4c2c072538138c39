"""What a terminal gets and what a pipe gets: beside the tour, the only file that knows rich.

Must never know what is shown.

A terminal gets tables and colour (none with NO_COLOR, nor if it is dumb), and every control character made visible. A
pipe gets lines of values with a tab between them, and nothing else.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from rich.console import Console

HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
"""Unicode's categories of what a terminal acts on, or does not show."""
HARMLESS = "\n\t\u200c\u200d\u200e\u200f"
"""Of those, what plain text, scripts and emoji can't be written without."""
PLAIN_TERMINALS = {"dumb", "unknown"}
"""What TERM says of a terminal that knows no escape codes."""
WIDEST = 10_000
"""Columns of a report that goes into a pipe: nothing is cut or wrapped there."""


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody looks at this stream."""
    return stream is not None and stream.isatty()


def wants_colour() -> bool:
    """Whether a terminal may get more than plain text."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in PLAIN_TERMINALS


def console(*, err: bool = False) -> Console:
    """Where rich draws: plain in a pipe, without colour under NO_COLOR."""
    from rich.console import Console  # noqa: PLC0415 - 40 ms, and only for who shows a table

    watched = is_terminal(sys.stderr if err else sys.stdout)
    return Console(
        stderr=err,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=not watched,
        force_terminal=watched,
        width=None if watched else WIDEST,
        color_system="auto" if watched and wants_colour() else None,
    )


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, headed: bool = False) -> None:
    """A table on a terminal, without columns that say nothing; in a pipe a line a row, its values parted by tabs.

    With `headed` a pipe gets the table, too.
    """
    rows = list(rows)
    if not is_terminal(sys.stdout) and not headed:
        for row in rows:
            click.echo("\t".join(_one_line(value) for value in row))
        return
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    screen = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    used = [number for number in range(len(columns)) if headed or any(row[number] for row in rows)]
    for number in used:
        # Half of an address, in a line of its own, leads nowhere.
        if all("/" in row[number] and " " not in row[number] for row in rows):
            table.add_column(columns[number], no_wrap=True, overflow="ellipsis", max_width=screen.width // 3)
        else:
            table.add_column(columns[number], no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(row[number])) for number in used))
    if rows:
        screen.print(table)


@contextmanager
def drawing() -> Iterator[Callable[[Iterable[str]], None]]:
    """Lines on a terminal that the next ones take the place of; the last stay. None is wrapped, and none flickers."""
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    with Live(console=console(), auto_refresh=False) as live:

        def draw(lines: Iterable[str]) -> None:
            text = Text("\n".join(map(visible, lines)), no_wrap=True, overflow="ellipsis")
            live.update(text, refresh=True)

        yield draw


def print_json(value: Any) -> None:
    """The daemon's own answer, for programs."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """A line of an answer on standard output."""
    click.echo(visible(text) if is_terminal(sys.stdout) else text, color=True)


def note(text: str, **style: Any) -> None:
    """A line for people, on standard error, so that pipes don't get it."""
    click.echo(styled(visible(text), **style), err=True)


def styled(text: str, **style: Any) -> str:
    """The text as click styles it, if standard error is a terminal that wants it."""
    wanted = style and is_terminal(sys.stderr) and wants_colour()
    return click.style(text, **style) if wanted else text


def visible(text: str) -> str:
    """The text with all that a terminal would obey, or hide, spelled out: what others wrote must not drive it."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_spelled, text.replace("\r\n", "\n")))


def _spelled(character: str) -> str:
    if character in HARMLESS or unicodedata.category(character) not in HIDDEN:
        return character
    return character.encode("unicode_escape").decode()


def _one_line(value: str) -> str:
    return " ".join(value.split()) if any(c in value for c in "\t\n\r") else value
