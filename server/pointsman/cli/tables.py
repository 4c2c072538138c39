"""How answers look in a terminal; plain lines when piped. Must never ask the daemon."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

WIDE = 1000
"""Columns of a terminal that is none: whoever reads a pipe gets every path in full."""


def show_status(status: dict[str, Any], selection: dict[str, Any]) -> None:
    """The daemon, the choice, and the clients."""
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)
    minutes = status["uptimeSeconds"] / 60
    leaving = ", shutting down" if status["draining"] else ""
    console.print(f"Pointsman {status['version']}, process {status['pid']}, up {minutes:.0f} min{leaving}")
    console.print(f"Model      {selection['displayName']} ({selection['state']}). {selection['why']}", markup=False)
    console.print(f"Chats      {status['runningChats']} running, {status['keptChats']} kept")
    console.print(f"Memory     {status['memory'] / 2**20:.0f} MiB")
    console.print(f"Config     {status['configFile']}, {status['providers']} providers, {status['problems']} problems")
    console.print(f"Log        {status['logFile']}")
    table = Table("client", "version", "window", "workspace", "since", box=None, pad_edge=False)
    for client in status["clients"]:
        name = f"{client['client']} {client.get('clientVersion', '')}"
        row = (name, client["version"], client["windowId"], client.get("workspace", ""), client["connectedAt"])
        table.add_row(*row)
    console.print(table, markup=False)
