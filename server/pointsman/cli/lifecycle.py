"""Commands about the daemon itself: is it there, begin it, end it, look at it. Must never start it just to look."""

from __future__ import annotations

import os

import click

from pointsman.cli.client import Client
from pointsman.cli.examples import WithExamples
from pointsman.cli.failures import Failure
from pointsman.cli.parameters import as_json
from pointsman.cli.terminal import print_json
from pointsman.endpoint import is_held, places, stop

STOP_WITHIN = 30.0
"""Seconds that a daemon has to let its chats finish."""


@click.command(cls=WithExamples)
def connect() -> int:
    """Speak LSP on standard input and output, for editors.

    This is the command that an editor is given as its language server; the first one starts the daemon.
    """
    from pointsman.forwarder import main as relay  # noqa: PLC0415 - only this command needs it

    return relay()


@click.command(cls=WithExamples)
@click.option("--detach", "detached", is_flag=True, hidden=True)
@click.option("--ready-fd", type=int, hidden=True)
def daemon(detached: bool, ready_fd: int | None) -> int:
    """Run the daemon in the foreground.

    Editors start it by themselves; this is for service managers and for looking.
    """
    from pointsman.daemon import main as run  # noqa: PLC0415 - slow, and only this command needs it

    return run(detached=detached, ready_fd=ready_fd)


@click.command("stop", cls=WithExamples)
def stop_() -> int:
    """Stop the daemon.

    Running chats get a few seconds to finish.
    """
    _must_be_ours("stop")
    stopped = stop(places(os.environ), STOP_WITHIN)
    click.echo("Stopped." if stopped else "No daemon was running.")
    return 0


@click.command(cls=WithExamples)
def restart() -> int:
    """Stop the daemon if it runs, and start it.

    Editors reconnect by themselves.
    """
    _must_be_ours("restart")
    stop(places(os.environ), STOP_WITHIN)
    with Client() as client:
        click.echo(f"Pointsman {client.hello['version']} runs as process {client.hello['pid']}.")
    return 0


@click.command(cls=WithExamples)
@as_json
def doctor(as_json: bool) -> int:
    """Look for what is wrong, and say how to mend it.

    It checks lock, socket, permissions, log, versions and configuration. Never starts the daemon.
    """
    from pointsman.cli.doctor import examine  # noqa: PLC0415 - it reads configuration, and only here

    findings = examine(os.environ)
    if as_json:
        print_json([finding.as_dict() for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{'ok  ' if finding.ok else 'BAD '} {finding.subject}: {finding.text}")
            if finding.remedy:
                click.echo(f"     → {finding.remedy}")
    return 0 if all(finding.ok for finding in findings) else 1


@click.command(cls=WithExamples)
def demo() -> int:
    """See it work in a throw-away folder.

    No key, no network, and nothing of yours is touched.
    """
    from pointsman.cli.demo import run  # noqa: PLC0415 - it draws, and only here

    return run()


@click.command(cls=WithExamples)
def service() -> int:
    """Print a systemd user service.

    It is for those who want the daemon to start at login; without it, the first editor does.
    """
    from pointsman.cli.service import unit  # noqa: PLC0415 - only this command needs it

    click.echo(unit(), nl=False)
    return 0


def _must_be_ours(verb: str) -> None:
    if os.environ.get("POINTSMAN_ENDPOINT"):
        raise Failure(
            f"The daemon that POINTSMAN_ENDPOINT names can only be {verb}{'ped' if verb == 'stop' else 'ed'} where it "
            f"lives. Unset POINTSMAN_ENDPOINT to {verb} the one of this computer."
        )


def is_running() -> bool:
    """Whether a daemon is there, or was named and may be."""
    return bool(os.environ.get("POINTSMAN_ENDPOINT")) or is_held(places(os.environ))
