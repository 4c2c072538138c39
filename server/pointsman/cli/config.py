"""The commands `config`: where the configuration is, what is wrong with it, and where each value comes from.

Must never read the files itself: what counts is what the daemon makes of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from pointsman.cli.client import CallFailed, Client, current_folder
from pointsman.cli.examples import GroupWithExamples
from pointsman.cli.failures import FAILED, Failure
from pointsman.cli.keys import in_plain_text
from pointsman.cli.parameters import as_json
from pointsman.cli.tables import leaves, show_values
from pointsman.cli.terminal import note, print_json, say
from pointsman.endpoint import places

PROJECT_FILE = ".pointsman.toml"


@click.group(cls=GroupWithExamples)
def config() -> None:
    """Find, check and see the configuration."""


@config.command()
@as_json
def path(as_json: bool) -> int:
    """Print where your pointsman.toml is.

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

    The exit status is 1 when something is.
    """
    with Client() as client:
        client.call("pointsman/reloadConfig")
        plain = in_plain_text(client.call("pointsman/listKeys")["keys"])
    file, problems = problems_now()
    if as_json:
        print_json({"problems": problems})
    else:
        for problem in problems:
            say(where_and_what(problem))
            note(f"     → {problem['hint']}")
        if not problems:
            say(f"{file} reads well." if os.path.exists(file) else f"{file} is not there; nothing is wrong.")  # noqa: PTH110
        for id in plain:
            note(f"A key of {id} stands in plain text. Move it: `pointsman keys adopt {id}`.", fg="yellow")
    return FAILED if problems else 0


@config.command()
@click.argument("prefix", required=False, metavar="[PATH]", help="Only values whose path begins like this.")
@as_json
def show(prefix: str | None, as_json: bool) -> int:
    """Show each value that is configured, and the layer that it comes from.

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
    of_project = {"project_default": str(Path(current_folder() or "/") / PROJECT_FILE)}
    rows = list(leaves(result["values"], of_project | result["origins"]))
    for id, about in result["providers"].items():
        rows += [(f"providers.{id}.{row[0]}", *row[1:]) for row in leaves(about["values"], about["origins"])]
    shown = [row for row in rows if prefix is None or row[0] == prefix or row[0].startswith(f"{prefix}.")]
    if prefix is not None and not shown:
        from pointsman.core.catalogue import nearest  # noqa: PLC0415 - slow, and only for who mistypes

        near = nearest(prefix, {name for row in rows for name in _beginnings(row[0])})
        advice = f"Did you mean {', '.join(near)}?" if near else "`pointsman config show` lists all that is."
        raise Failure(f"Nothing that is configured is called {prefix!r}. {advice}")
    show_values(shown)
    return 0


def problems_now(folder: str | None = None) -> tuple[str, list[dict[str, Any]]]:
    """The user's file, and all that is wrong for a folder, else for this one: it is told to whoever connects."""
    problems: list[dict[str, Any]] = []

    def hear(method: str, params: Any) -> None:
        if method == "pointsman/configProblem" and params not in problems:  # one may be told again
            problems.append(params)

    with Client(on_notification=hear, folder=folder) as client:
        return client.call("pointsman/status")["configFile"], problems


def where_and_what(problem: Mapping[str, Any]) -> str:
    """One line for one mistake: file, line and what is wrong."""
    line = f":{problem['line']}" if problem.get("line") else ""
    return f"{problem['file']}{line}: {problem['message']}"


def _beginnings(path: str) -> Iterator[str]:
    """A path, and those of all that it lies in."""
    while path:
        yield path
        path = path.rpartition(".")[0]
