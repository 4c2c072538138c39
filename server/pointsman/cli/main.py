"""The commands. Each is thin: it asks the daemon, and shows the answer.

Must never print a traceback. Exit status: 0 done, 1 it failed and was told why, 2 the command line is wrong, 3 no
daemon runs.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from pointsman.cli.client import CallFailed, Client
from pointsman.endpoint import VERSION, EndpointError, is_held, places, stop

NOT_RUNNING = 3
STOP_WITHIN = 30.0
"""Seconds that a daemon has to let its chats finish."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print the daemon's own answer as JSON.")


def main() -> int:
    """Runs the command line and returns its exit status."""
    try:
        result = cli(standalone_mode=False)
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (EndpointError, CallFailed) as error:
        print(f"pointsman: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return result if isinstance(result, int) else 0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, message="pointsman %(version)s")
def cli() -> None:
    """One daemon that keeps providers, models and running chats for all your editors."""


@cli.command()
def connect() -> int:
    """Speak LSP on standard input and output: the way in for every editor."""
    from pointsman.forwarder import main as relay

    return relay()


@cli.command()
@click.option("--detach", "detached", is_flag=True, hidden=True)
@click.option("--ready-fd", type=int, hidden=True)
def daemon(detached: bool, ready_fd: int | None) -> int:
    """Run the daemon in the foreground.

    Editors start it by themselves; this is for service managers and for looking.
    """
    from pointsman.daemon import main as run

    return run(detached=detached, ready_fd=ready_fd)


@cli.command()
@as_json
def status(as_json: bool) -> int:
    """Show the daemon, who is connected, and what it is doing. Never starts it."""
    where = places(os.environ)
    if "POINTSMAN_ENDPOINT" not in os.environ and not is_held(where):
        click.echo(
            "{}" if as_json else "No daemon is running. It starts by itself with the first editor that connects."
        )
        return NOT_RUNNING
    with Client(may_start=False) as client:
        result = client.call("pointsman/status")
        selection = client.call("pointsman/currentModel")
    if as_json:
        _print_json({**result, "selection": selection})
    else:
        from pointsman.cli.tables import show_status

        show_status(result, selection)
    return 0


@cli.command(name="stop")
def stop_() -> int:
    """Stop the daemon. Running chats get a few seconds to finish."""
    stopped = stop(places(os.environ), STOP_WITHIN)
    click.echo("Stopped." if stopped else "No daemon was running.")
    return 0


@cli.command()
def restart() -> int:
    """Stop the daemon if it runs, and start it. Editors reconnect by themselves."""
    stop(places(os.environ), STOP_WITHIN)
    with Client() as client:
        click.echo(f"Pointsman {client.hello['version']} runs as process {client.hello['pid']}.")
    return 0


@cli.command()
@as_json
def doctor(as_json: bool) -> int:
    """Check lock, socket, permissions, log and versions, and say how to mend what is wrong. Never starts the daemon."""
    from pointsman.cli.doctor import examine

    findings = examine(os.environ)
    if as_json:
        _print_json([finding.as_dict() for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{'ok  ' if finding.ok else 'BAD '} {finding.subject}: {finding.text}")
            if finding.remedy:
                click.echo(f"     → {finding.remedy}")
    return 0 if all(finding.ok for finding in findings) else 1


@cli.command()
@click.argument("model", required=False)
@click.option("--scope", type=click.Choice(["workspace", "global"]), default="global", show_default=True)
@as_json
def use(model: str | None, scope: str, as_json: bool) -> int:
    """Choose the MODEL that answers in every editor; without one, show which does, and why."""
    with Client() as client:
        if model is None:
            selection = client.call("pointsman/currentModel")
        else:
            selection = client.call("pointsman/switchModel", {"model": model, "scope": scope})
    if as_json:
        _print_json(selection)
    else:
        click.echo(f"{selection['displayName']} ({selection['state']}). {selection['why']}")
    return 0


@cli.command()
def demo() -> int:
    """See it work in a throw-away folder: no key, no network, nothing of yours is touched."""
    from pointsman.cli.demo import run

    return run()


@cli.command()
def service() -> int:
    """Print a systemd user service, for those who want the daemon to start at login."""
    from pointsman.cli.service import unit

    click.echo(unit(), nl=False)
    return 0


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
