"""How lists and reports look; plain lines in a pipe. Must never ask the daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pointsman.cli.terminal import is_terminal, print_table, say  # noqa: F401

Row = tuple[str, ...]


def show_status(status: dict[str, Any], selection: dict[str, Any]) -> None:
    """The daemon, the choice, and the clients."""
    minutes = status["uptimeSeconds"] / 60
    leaving = ", shutting down" if status["draining"] else ""
    say(f"Pointsman {status['version']}, process {status['pid']}, up {minutes:.0f} min{leaving}")
    say(f"Model      {selection['displayName']} ({selection['state']}). {selection['why']}")
    say(f"Chats      {status['runningChats']} running, {status['keptChats']} kept")
    say(f"Memory     {status['memory'] / 2**20:.0f} MiB")
    say(f"Config     {status['configFile']}, {status['providers']} providers, {status['problems']} problems")
    say(f"Log        {status['logFile']}")
    rows = [
        (
            f"{client['client']} {client.get('clientVersion', '')}",
            client["version"],
            client["windowId"],
            client.get("workspace", ""),
            client["connectedAt"],
        )
        for client in status["clients"]
    ]
    print_table(("client", "version", "window", "workspace", "since"), rows, headed=True)
