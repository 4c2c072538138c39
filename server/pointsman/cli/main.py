"""The list of commands, and the one way out of them. Must never print a traceback.

Exit status: 0 done, 1 it failed and was told why, 2 the command line is wrong, 3 no daemon runs, 130 cancelled.
"""

from __future__ import annotations

import io
import os
import sys

import click

from pointsman.cli import completion as completion_module
from pointsman.cli import failures, lifecycle
from pointsman.cli.accounts import accounts, login, logout
from pointsman.cli.alias import alias
from pointsman.cli.audit import audit
from pointsman.cli.chain import chain
from pointsman.cli.chat import chat
from pointsman.cli.chats import chats
from pointsman.cli.client import CallFailed
from pointsman.cli.completion import completion
from pointsman.cli.config import config
from pointsman.cli.examples import GroupWithExamples
from pointsman.cli.explain import explain
from pointsman.cli.keys import keys
from pointsman.cli.log import log
from pointsman.cli.models import models
from pointsman.cli.providers import providers
from pointsman.cli.trust import trust
from pointsman.cli.try_ import sessions, try_
from pointsman.cli.usage import usage
from pointsman.cli.use import use
from pointsman.cli.vault import vault
from pointsman.cli.watching import status
from pointsman.endpoint import VERSION, EndpointError

NAME = "pointsman"


def main() -> int:
    """Runs the command line and returns its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        status = _run()
        if sys.stdout:
            sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            _complain(failures.of_the_system(error))
        _let_go()
        return failures.FAILED
    except SystemExit as leaving:  # click's way out when a reader has left, and of a completion
        if leaving.code == failures.FAILED:
            _let_go()
        raise
    return status


def _run() -> int:
    """Runs the command, and tells what went wrong with it. Raises OSError for what can't be written."""
    try:
        completion_module.check(os.environ)
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
    except OSError:
        _let_go()


def _let_go() -> None:
    """Leaves standard output and error for good: what they still hold would fail once more as Python ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


class InOrder(GroupWithExamples):
    """Lists its commands in the order in which they are given here, the ones for every day first."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return list(self.commands)


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, message="pointsman %(version)s")
def cli() -> None:
    """One daemon that keeps providers, models and running chats for all your editors.

    Exit status: 0 done, 1 it failed, 2 the command line is wrong, 3 no daemon runs, 130 cancelled.
    """


for command in (
    *(chat, use, explain, models, alias, chain, providers, chats, config, trust),
    *(login, logout, accounts),
    *(keys, try_, sessions),
    *(vault, audit),
    usage,
    *(status, lifecycle.stop_, lifecycle.restart, lifecycle.doctor, log),
    *(lifecycle.connect, lifecycle.daemon, lifecycle.service, completion, lifecycle.demo),
):
    cli.add_command(command)
