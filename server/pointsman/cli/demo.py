"""A tour in a throw-away home: what `make demo` runs.

Must never touch the user's own state, nor need a key or a network.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pointsman.cli.client import Client
from pointsman.cli.tables import in_local_time
from pointsman.endpoint import places, stop

QUESTION = "What is a pointsman?"


def run() -> int:
    """Starts a daemon of its own, shows what it does, and stops it."""
    console = Console(highlight=False)
    home = tempfile.mkdtemp(prefix="pointsman-demo-")
    os.environ.pop("POINTSMAN_ENDPOINT", None)
    os.environ["POINTSMAN_HOME"] = home
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        with Client(window="demo-window") as editor, Client() as second:
            console.print(f"[bold]1. The daemon[/] runs as process {editor.hello['pid']}, with its state in {home}.")
            _show_providers(console, editor)
            _switch(console, editor, second)
            _chat(console, editor)
        _tell_how_to_connect(console)
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        stop(places(os.environ), 10)
        shutil.rmtree(home, ignore_errors=True)
    return 0


def _leave(number: int, _frame: object) -> None:
    """Ends the tour as Ctrl-C would, so that it cleans up behind itself."""
    sys.exit(128 + number)


def _show_providers(console: Console, client: Client) -> None:
    console.print("\n[bold]2. Providers[/] it knows, and whether you could use them now:")
    table = Table("id", "name", "state", "models", box=None, pad_edge=False)
    for provider in client.call("pointsman/listProviders")["providers"]:
        table.add_row(provider["id"], provider["name"], provider["state"], ", ".join(provider["models"][:3]))
    console.print(table, markup=False)


def _switch(console: Console, editor: Client, second: Client) -> None:
    console.print("\n[bold]3. One editor switches the model[/], and every other one hears of it:")
    editor.call("pointsman/switchModel", {"model": "echo:echo", "scope": "global"})
    heard = second.call("pointsman/currentModel")
    console.print(f"   the second editor now has {heard['displayName']}. {in_local_time(heard['why'])}", markup=False)


def _chat(console: Console, client: Client) -> None:
    console.print(f"\n[bold]4. A chat[/] with the offline model, streamed. You ask: {QUESTION}")

    def show(method: str, params: Any) -> None:
        if method == "pointsman/chatEvents":
            text = "".join(event["text"] for event in params["events"] if event["type"] == "text")
            console.print(text, end="", style="cyan", markup=False)

    params = {"messages": [{"role": "user", "content": QUESTION}]}
    result = client.call("pointsman/chat", params, show)
    usage, timing = result["usage"], result["timing"]
    console.print(
        f"\n   answered by {result['provider']}:{result['model']}, "
        f"{usage['inputTokens']} + {usage['outputTokens']} tokens, "
        f"first after {timing['firstTokenMs']} ms, all after {timing['totalMs']} ms",
        markup=False,
    )


def _tell_how_to_connect(console: Console) -> None:
    script = shutil.which("pointsman", path=str(Path(sys.executable).parent)) or "pointsman"
    console.print("\n[bold]5. Connect an editor[/]: any LSP client whose server command is", end=" ")
    console.print(f"{script} connect", style="green", markup=False, soft_wrap=True)
    console.print(
        "   docs/editors.md has the lines for Helix, Emacs and Kate, and for a provider of your own.", markup=False
    )
