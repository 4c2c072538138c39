"""The command `audit`: what has happened to stored credentials. Must never change anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pointsman.cli.client import Client
from pointsman.cli.examples import WithExamples
from pointsman.cli.parameters import as_json, complete_provider
from pointsman.cli.tables import local
from pointsman.cli.terminal import note, print_json, print_table

HEAD = ("time", "event", "provider", "account", "client", "")
WORDS = {"usedFirst": "used first", "signedIn": "signed in", "signedOut": "signed out"}
"""Events as people say them, where that is not their name in the protocol."""


@click.command(cls=WithExamples)
@click.argument("provider", required=False, shell_complete=complete_provider)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many events.")
@as_json
def audit(provider: str | None, limit: int, as_json: bool) -> int:
    """List what has happened to stored keys and accounts.

    The newest comes first; the last 10,000 events are kept.
    """
    with Client() as client:
        result = client.call("pointsman/audit", {"limit": limit, "provider": provider})
    if as_json:
        print_json(result)
        return 0
    rows = [_row(each) for each in result["events"]]
    print_table(HEAD, rows)
    if not rows:
        note(f"Nothing has happened to a stored key or account{f' of {provider!r}' if provider else ''} yet.")
    return 0


def _row(each: Mapping[str, Any]) -> tuple[str, ...]:
    who = (each["provider"], each["account"], each.get("client", ""), each.get("detail", ""))
    return (local(each["at"]), WORDS.get(each["event"], each["event"]), *who)
