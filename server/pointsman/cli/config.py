"""The commands `config`: where the configuration is, what is wrong with it, and where each value comes from.

Must never read the files itself: what counts is what the daemon makes of them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from pointsman.cli.client import CallFailed, Client
from pointsman.cli.failures import FAILED
from pointsman.cli.parameters import as_json
from pointsman.cli.tables import leaves, show_values
from pointsman.cli.terminal import note, print_json, say
from pointsman.endpoint import places

PROJECT_FILE = ".pointsman.toml"


@click.group()
def config() -> None:
    """Find, check and see the configuration.

    \b
      pointsman config check
    """


@config.command()
@as_json
def path(as_json: bool) -> int:
    """Print where your pointsman.toml is.

    \b
      $EDITOR "$(pointsman config path)"

    It need not be there yet.
    """
    found = places(os.environ).config_file
    if os.environ.get("POINTSMAN_ENDPOINT"):  # that daemon may live elsewhere
        with Client(may_start=False) as client:
            found = client.call("pointsman/status")["configFile"]
    if as_json:
        print_json({"configFile": found})
    else:
        click.echo(found)
    return 0


@config.command()
@as_json
def check(as_json: bool) -> int:
    """Say what is wrong with your pointsman.toml, and with this folder's own file.

    \b
      pointsman config check && echo "all is well"

    The exit status is 1 when something is.
    """
    problems: list[dict[str, Any]] = []

    def hear(method: str, params: Any) -> None:
        if method == "pointsman/configProblem":
            problems.append(params)

    with Client() as client:
        client.call("pointsman/reloadConfig")
    with Client(on_notification=hear) as client:  # to whom all that is wrong is told at the beginning
        file = client.call("pointsman/status")["configFile"]
    if as_json:
        print_json({"problems": problems})
    else:
        for problem in problems:
            line = f":{problem['line']}" if problem.get("line") else ""
            say(f"{problem['file']}{line}: {problem['message']}")
            note(f"     → {problem['hint']}")
        if not problems:
            say(f"{file} reads well." if os.path.exists(file) else f"{file} is not there; nothing is wrong.")  # noqa: PTH110
    return FAILED if problems else 0


@config.command()
@click.argument("prefix", required=False, metavar="[PATH]", help="Only values whose path begins like this.")
@as_json
def show(prefix: str | None, as_json: bool) -> int:
    """Show each value that is configured, and the layer that it comes from.

    \b
      pointsman config show
      pointsman config show providers.openrouter

    Layers are: the environment, a trusted project's file, your pointsman.toml, and what comes with Pointsman. Keys stay
    hidden.
    """
    with Client() as client:
        result = client.call("pointsman/getConfig")
        ids = [provider["id"] for provider in client.call("pointsman/listProviders")["providers"]]
        found = client.call_all([("pointsman/getProvider", {"provider": id}) for id in ids])
    result["providers"] = {id: about for id, about in zip(ids, found, strict=True) if not isinstance(about, CallFailed)}
    if as_json:
        print_json(result)
        return 0
    of_project = {"project_default": str(Path(os.path.realpath(".")) / PROJECT_FILE)}
    rows = list(leaves(result["values"], of_project | result["origins"]))
    for id, about in result["providers"].items():
        rows += [(f"providers.{id}.{row[0]}", *row[1:]) for row in leaves(about["values"], about["origins"])]
    show_values([row for row in rows if prefix is None or row[0] == prefix or row[0].startswith(f"{prefix}.")])
    return 0
