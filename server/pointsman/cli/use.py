"""The command `use`: which model answers, and the choice of another. Must never choose what nobody named or picked."""

from __future__ import annotations

import sys
from typing import Any

import click

from pointsman.cli.client import Client
from pointsman.cli.parameters import as_json, complete_model
from pointsman.cli.picker import pick
from pointsman.cli.terminal import is_terminal, note, print_json, say

NO_WINDOW = (
    "The command line has no window that would come back. "
    "Choose for the folder with `--scope workspace` or for all with `--scope global`; an editor chooses for its window."
)


@click.command()
@click.argument("spec", required=False, shell_complete=complete_model, help="An alias, `provider:model`, or a chain.")
@click.option("--scope", type=click.Choice(["window", "workspace", "global"]), default="global", show_default=True)
@click.option("--clear", is_flag=True, help="Take the choice of that scope back.")
@as_json
def use(spec: str | None, scope: str, clear: bool, as_json: bool) -> int:
    """Choose the model that answers in every editor.

    \b
      pointsman use openrouter:claude-sonnet-4
      pointsman use --clear --scope workspace

    Without SPEC it shows a list to pick from, or, where nobody can pick, tells which model answers now, and why.
    """
    if scope == "window":
        raise click.UsageError(NO_WINDOW)
    if clear and spec is not None:
        raise click.UsageError("`--clear` takes the choice back; leave the model out.")
    with Client() as client:
        if spec is None and not clear and not as_json and is_terminal(sys.stdin) and is_terminal(sys.stdout):
            spec = pick(_choices(client), client.call("pointsman/currentModel")["model"])
        if spec is None and not clear:
            selection = client.call("pointsman/currentModel")
        else:
            selection = client.call("pointsman/switchModel", {"model": spec, "scope": scope})
            _warn_if_hidden(selection, spec, scope)
    if as_json:
        print_json(selection)
    else:
        say(f"{selection['displayName']} ({selection['state']}). {selection['why']}")
    return 0


def _choices(client: Client) -> list[tuple[str, str]]:
    """What can be used now, and what it means: aliases, chains, then models."""
    values = client.call("pointsman/getConfig")["values"]
    states = {each["id"]: each["state"] for each in client.call("pointsman/listProviders")["providers"]}
    found = [(name, f"alias of {target}") for name, target in values["aliases"].items()]
    found += [(f"chain:{name}", " → ".join(targets)) for name, targets in values["chains"].items()]
    for model in client.call("pointsman/listModels")["models"]:
        if (state := states.get(model["provider"])) != "unconfigured":
            found.append((model["model"], "offline" if state == "offline" else ""))
    return found


def _warn_if_hidden(selection: dict[str, Any], spec: str | None, scope: str) -> None:
    if spec is not None and selection["scope"] != scope:
        note(f"Chosen, but something narrower decides here: {selection['scope']}.", fg="yellow")
