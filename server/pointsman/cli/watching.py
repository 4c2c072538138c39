"""The command `status`, once or as long as somebody watches. Must never start a daemon just to look."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from pointsman.cli.client import Client
from pointsman.cli.dashboard import status_lines
from pointsman.cli.examples import WithExamples
from pointsman.cli.failures import NO_DAEMON
from pointsman.cli.lifecycle import is_running
from pointsman.cli.parameters import as_json
from pointsman.cli.terminal import drawing, is_terminal, print_json, say

AT_MOST_EVERY = 1.0
"""Seconds between two looks, however much happens."""
AT_LEAST_EVERY = 5.0
"""Seconds after which it is looked again, although nothing was told: ages and memory change by themselves."""
NEWS = {
    "pointsman/providersChanged",
    "pointsman/chatsChanged",
    "pointsman/selectionChanged",
    "pointsman/sessionsChanged",
}


@click.command(cls=WithExamples)
@click.option("--watch", "-w", is_flag=True, help="Keep it on the screen, and up to date, until Ctrl-C.")
@as_json
def status(watch: bool, as_json: bool) -> int:
    """Show how the daemon and its providers are.

    Never starts it; the exit status is 3 when none runs. Credit is asked of those providers that tell it, each ten
    minutes at most.
    """
    if not is_running():
        click.echo(
            "{}" if as_json else "No daemon is running. It starts by itself with the first editor that connects."
        )
        return NO_DAEMON
    told: set[str] = set()
    with Client(may_start=False, on_notification=lambda method, _: told.add(method)) as client:
        result, selection = _look(client)
        if as_json:
            print_json({**result, "selection": selection})
        elif watch and is_terminal(sys.stdout):
            _watch(client, status_lines(result, selection), told)
        else:
            for line in status_lines(result, selection):
                say(line)
    return 0


def _look(client: Client) -> tuple[dict[str, Any], dict[str, Any]]:
    return client.call("pointsman/status", {"credit": True}), client.call("pointsman/currentModel")


def _watch(client: Client, lines: list[str], told: set[str]) -> None:
    """Draws until Ctrl-C; what is on the screen then stays there. Raises EndpointError when the daemon goes away."""
    try:
        with drawing() as draw:
            while True:
                draw(lines)
                told.clear()
                drawn = time.monotonic()
                while not (told & NEWS) and (left := drawn + AT_LEAST_EVERY - time.monotonic()) > 0:
                    client.listen(left)
                while (left := drawn + AT_MOST_EVERY - time.monotonic()) > 0:
                    client.listen(left)
                lines = status_lines(*_look(client))
    except KeyboardInterrupt:
        return
