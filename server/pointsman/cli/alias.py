"""The command `alias`: short names for models. Must never change what another layer than the user's file says."""

from __future__ import annotations

from typing import Any

import click

from pointsman.cli.client import Client
from pointsman.cli.examples import WithExamples
from pointsman.cli.failures import Failure
from pointsman.cli.names import must_be_alias
from pointsman.cli.parameters import as_json, complete_alias, complete_model
from pointsman.cli.tables import show_aliases
from pointsman.cli.terminal import print_json, say


@click.command(cls=WithExamples)
@click.argument("name", required=False, shell_complete=complete_alias, help="The short name.")
@click.argument("spec", required=False, shell_complete=complete_model, help="The model that it stands for.")
@click.option("--remove", is_flag=True, help="Take the name back.")
@as_json
def alias(name: str | None, spec: str | None, remove: bool, as_json: bool) -> int:
    """Give a model a short name, or see the short names.

    Without SPEC it shows what the name stands for, without NAME all of them. They stand in your pointsman.toml.
    """
    if remove and (name is None or spec is not None):
        raise click.UsageError("Say which name to remove, and nothing else: `pointsman alias --remove NAME`.")
    if name is not None and spec is not None:
        must_be_alias(name)
    with Client() as client:
        if name is None:
            _show(client.call("pointsman/getConfig"), None, as_json)
            return 0
        if spec is None:
            known = _known(client, name)
            if not remove:
                _show(known, name, as_json)
                return 0
        else:
            _must_hide_nothing(client, name)
        result = client.call("pointsman/setAlias", {"alias": name, "model": spec})
        left = client.call("pointsman/getConfig")["origins"].get(f"aliases.{name}") if remove else None
    if as_json:
        print_json(result)
    elif spec is not None:
        say(f"{name} now stands for {spec}.")
    else:
        say(f"{name} still comes from {left}." if left else f"{name} is removed.")
    return 0


def _must_hide_nothing(client: Client, name: str) -> None:
    """Raises Failure for a name that leads to a provider already."""
    ids = {provider["id"] for provider in client.call("pointsman/listProviders")["providers"]}
    if (head := name.partition(":")[0]) in ids:
        raise Failure(f"{name!r} leads to the provider {head!r}, and an alias would hide that. Choose another name.")


def _known(client: Client, name: str) -> dict[str, Any]:
    """What is configured, with this alias among it. Raises Failure."""
    config: dict[str, Any] = client.call("pointsman/getConfig")
    if name not in config["values"]["aliases"]:
        there = ", ".join(sorted(config["values"]["aliases"])) or "none"
        raise Failure(f"There is no alias {name!r}; there are: {there}. To make it: `pointsman alias {name} SPEC`.")
    return config


def _show(config: dict[str, Any], name: str | None, as_json: bool) -> None:
    aliases = config["values"]["aliases"]
    if name is not None:
        aliases = {name: aliases[name]}
    if as_json:
        origins = {alias: config["origins"].get(f"aliases.{alias}") for alias in aliases}
        print_json({"aliases": aliases, "origins": origins})
    elif name is not None:
        say(aliases[name])
    else:
        show_aliases(aliases, config["origins"])
