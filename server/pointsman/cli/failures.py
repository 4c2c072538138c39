"""How a failure reads on one line, and the exit status that stands for it. Must never know which command failed.

Exit status: 0 done, 1 it failed, 2 the command line is wrong, 3 no daemon runs, 130 cancelled.
"""

from __future__ import annotations

import os

import click

from pointsman.cli.client import CallFailed
from pointsman.cli.terminal import visible
from pointsman.endpoint import EndpointError
from pointsman.rpc.terminal import COMMANDS

FAILED, WRONG, NO_DAEMON, CANCELLED = 1, 2, 3, 130
_STATUS = {"InvalidParams": WRONG, "RequestCancelled": CANCELLED}
_WORDS = {
    **COMMANDS,
    "pass `test: false`": "add `--no-test`",
    " (in a client: `test: false`)": "",
    "in the environment that your editor starts from, and start the editor again": "in this shell, and try again",
}
"""What the daemon advises a client to do, and how the command line does it."""


class Failure(click.ClickException):
    """What was asked for has not happened; the message says why, and what to do."""

    exit_code = FAILED


class NotRunning(Failure):
    """No daemon runs, and the command is not one that starts it."""

    exit_code = NO_DAEMON


def status(error: Exception) -> int:
    """The exit status that stands for an error."""
    if isinstance(error, click.ClickException):
        return error.exit_code
    return _STATUS.get(error.code, FAILED) if isinstance(error, CallFailed) else FAILED


def line(error: Exception) -> str:
    """The error on one line, with what to do next."""
    text = error.format_message() if isinstance(error, click.ClickException) else str(error)
    text = " ".join(translated(text).split())
    if not isinstance(error, click.UsageError):
        return visible(f"pointsman: {text}{_code(error)}")
    command = error.ctx.command_path if error.ctx else "pointsman"
    return visible(f"Error: {text}{'' if text.endswith(('.', '?')) else '.'} Try `{command} --help`.")


def _code(error: Exception) -> str:
    """The error's name in docs/troubleshooting.md, where it has one."""
    return f" [{error.code}]" if isinstance(error, CallFailed | EndpointError) else ""


def of_the_system(error: OSError) -> str:
    """A refusal of the system's on one line: it names a file, or it is about our own output."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        return visible(f"pointsman: {os.fsdecode(error.filename)} can't be used: {reason}. Mend that, then try again.")
    return visible(f"pointsman: The output can't be written: {reason}. Write it elsewhere, or make room for it.")


def translated(text: str) -> str:
    """The daemon's words with the command line's own ways to do what they advise."""
    for theirs, ours in _WORDS.items():
        text = text.replace(theirs, ours)
    return text
