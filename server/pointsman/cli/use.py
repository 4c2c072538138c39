"""The command `use`: which model answers, and the choice of another. Must never choose what nobody named or picked."""

from __future__ import annotations

import sys
from typing import Any

import click

from pointsman.cli.client import Client
from pointsman.cli.examples import WithExamples
from pointsman.cli.parameters import as_json, complete_model
from pointsman.cli.picker import pick
from pointsman.cli.tables import chosen
from pointsman.cli.terminal import is_terminal, note, print_json, say

NO_WINDOW = (
    "The command line has no window that would come back. "
    "Choose for the folder with `--scope workspace` or for all with `--scope global`; an editor chooses for its window."
)

NEXT_STEPS = {
    "unset": "Choose one with `pointsman use SPEC`; `pointsman providers` says what is there, and what is missing.",
    "unconfigured": "It has no key yet: set {}, here and where your editors start. `pointsman providers` lists others.",
    "unavailable": "That name leads nowhere now. `pointsman models` lists what there is.",
}
"""What to do about a choice that nobody can be asked with, by its state."""


@click.command(cls=WithExamples)
@click.argument("spec", required=False, shell_complete=complete_model, help="An alias, `provider:model`, or a chain.")
@click.option("--scope", type=click.Choice(["window", "workspace", "global"]), default="global", show_default=True)
@click.option("--clear", is_flag=True, help="Take the choice of that scope back.")
@as_json
def use(spec: str | None, scope: str, clear: bool, as_json: bool) -> int:
    """Choose the model that answers in every editor.

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
        missing = _variables(client, selection) if selection["state"] == "unconfigured" else ""
    if as_json:
        print_json(selection)
    else:
        say(chosen(selection))
        if step := NEXT_STEPS.get(selection["state"]):
            note(step.format(missing or "the variable that holds its key"), fg="yellow")
    return 0


def _choices(client: Client) -> list[tuple[str, str]]:
    """What can be used now, and what it means: aliases, chains, then models."""
    values = client.call("pointsman/getConfig")["values"]
    states = {each["id"]: each["state"] for each in client.call("pointsman/listProviders")["providers"]}
    found = [(name, f"alias of {target}") for name, target in values["aliases"].items()]
    found += [(f"chain:{name}", " → ".join(chain["targets"])) for name, chain in values["chains"].items()]
    for model in client.call("pointsman/listModels")["models"]:
        if (state := states.get(model["provider"])) != "unconfigured":
            found.append((model["model"], "offline" if state == "offline" else ""))
    return found


def _variables(client: Client, selection: dict[str, Any]) -> str:
    """The variables that would hold the key of the provider that is chosen; empty where they can't be named."""
    if (provider := selection.get("provider")) is None:
        return ""
    values = client.call("pointsman/getProvider", {"provider": provider})["values"]
    if values["keys"]:  # they are somewhere else, and hidden
        return ""
    env = values["auth"]["env"]
    names = [env] if isinstance(env, str) else env
    return " or ".join(names) or f"{provider.upper().replace('-', '_')}_API_KEY"


def _warn_if_hidden(selection: dict[str, Any], spec: str | None, scope: str) -> None:
    if spec is not None and selection["scope"] != scope:
        note(f"Chosen, but something narrower decides here: {selection['scope']}.", fg="yellow")
