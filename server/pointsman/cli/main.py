"""The list of commands, and the one way out of them. Must never print a traceback.

Exit status: 0 done, 1 it failed and was told why, 2 the command line is wrong, 3 no daemon runs, 130 cancelled.
"""

from __future__ import annotations

import io
import os
import sys

import click

from pointsman.cli import failures, lifecycle
from pointsman.cli.alias import alias
from pointsman.cli.chat import chat
from pointsman.cli.chats import chats
from pointsman.cli.client import CallFailed
from pointsman.cli.completion import completion
from pointsman.cli.config import config
from pointsman.cli.log import log
from pointsman.cli.models import models
from pointsman.cli.providers import providers
from pointsman.cli.trust import trust
from pointsman.cli.use import use
from pointsman.endpoint import VERSION, EndpointError

NAME = "pointsman"


def main() -> int:
    """Runs the command line and returns its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        result = cli(prog_name=NAME, standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return failures.CANCELLED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return failures.WRONG
    except UnicodeEncodeError:
        _complain("Error: A word on the command line is not UTF-8. Write it in UTF-8.")
        return failures.WRONG
    except (click.ClickException, EndpointError, CallFailed) as error:
        _complain(failures.line(error))
        return failures.status(error)
    return result if isinstance(result, int) else 0


def _complain(line: str) -> None:
    """Says what went wrong, if anybody is still there to hear it."""
    try:
        click.echo(line, err=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


class InOrder(click.Group):
    """Lists its commands in the order in which they are given here, the ones for every day first."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return list(self.commands)


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, message="pointsman %(version)s")
def cli() -> None:
    """One daemon that keeps providers, models and running chats for all your editors.

    \b
      pointsman use echo:echo
      pointsman chat "Is anybody there?"

    Exit status: 0 done, 1 it failed, 2 the command line is wrong, 3 no daemon runs, 130 cancelled.
    """


for command in (
    *(chat, use, models, alias, providers, chats, config, trust),
    *(lifecycle.status, lifecycle.stop_, lifecycle.restart, lifecycle.doctor, log),
    *(lifecycle.connect, lifecycle.daemon, lifecycle.service, completion, lifecycle.demo),
):
    cli.add_command(command)
