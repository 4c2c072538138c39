"""The commands `chain`: several ways to an answer under one name.

Must never change what another layer than the user's file says.
"""

from __future__ import annotations

from typing import Any

import click

from pointsman.cli.client import Client
from pointsman.cli.examples import GroupWithExamples
from pointsman.cli.explain import explain
from pointsman.cli.failures import Failure
from pointsman.cli.names import must_be_chain
from pointsman.cli.parameters import as_json, complete_chain, complete_model
from pointsman.cli.tables import show_chains
from pointsman.cli.terminal import print_json, say

PREFIX = "chain:"
STRATEGIES = ("ordered", "cheapest", "fastest", "round-robin", "sticky")


@click.group(cls=GroupWithExamples, invoke_without_command=True)
@as_json
@click.pass_context
def chain(ctx: click.Context, as_json: bool) -> int:
    """List the chains, each of them several ways to an answer.

    A chat with a chain asks its first target, and the next one when that can't answer. Chains stand in your
    pointsman.toml, or in a project's file that you trust.
    """
    if ctx.invoked_subcommand:
        if as_json:
            raise click.UsageError(f"Put `--json` behind `{ctx.invoked_subcommand}`.")
        return 0
    with Client() as client:
        config = client.call("pointsman/getConfig")
    chains = config["values"]["chains"]
    if as_json:
        print_json({"chains": chains, "origins": {name: config["origins"].get(f"chains.{name}") for name in chains}})
    else:
        show_chains(chains, config["origins"])
    return 0


@chain.command("set")
@click.argument("name", shell_complete=complete_chain)
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_model, metavar="TARGET...")
@click.option("--strategy", type=click.Choice(STRATEGIES), help="Which goes first; a chain keeps the one it has.")
@click.option("--on-break", type=click.Choice(["stop", "continue"]), help="What follows when an answer breaks off.")
@as_json
def set_(name: str, targets: tuple[str, ...], strategy: str | None, on_break: str | None, as_json: bool) -> int:
    """Write a chain into your pointsman.toml, or other targets for it.

    Targets are names of models as everywhere, and other chains. `ordered` tries them as written, `cheapest` by what the
    conversation would cost, `fastest` by the time to the first word so far, `round-robin` by turns, and `sticky` stays
    where the conversation's prompt cache is.
    """
    name = _name(name)
    must_be_chain(name)
    params: dict[str, Any] = {"chain": name, "targets": targets}
    params |= {key: value for key, value in (("strategy", strategy), ("onBreak", on_break)) if value is not None}
    with Client() as client:
        result = client.call("pointsman/setChain", params)
    if as_json:
        print_json(result)
    else:
        say(f"{PREFIX}{name} now tries {' → '.join(targets)}.")
    return 0


@chain.command()
@click.argument("name", shell_complete=complete_chain)
@as_json
def remove(name: str, as_json: bool) -> int:
    """Take a chain out of your pointsman.toml.

    What leads to it then leads nowhere.
    """
    name = _name(name)
    with Client() as client:
        _must_be_there(client, name)
        result = client.call("pointsman/setChain", {"chain": name, "targets": None})
        left = client.call("pointsman/getConfig")["origins"].get(f"chains.{name}")
    if as_json:
        print_json(result)
    else:
        say(f"{PREFIX}{name} still comes from {left}." if left else f"{PREFIX}{name} is removed.")
    return 0


@chain.command()
@click.argument("name", shell_complete=complete_chain)
@as_json
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> Any:
    """Show who a chain would ask, in order, and who not.

    Nothing is sent to any provider. The exit status is 1 when nobody could be asked.
    """
    return ctx.invoke(explain, spec=PREFIX + _name(name), file=None, as_json=as_json)


def _name(given: str) -> str:
    """The name of a chain, also where somebody writes it as a chat does."""
    return given.removeprefix(PREFIX)


def _must_be_there(client: Client, name: str) -> None:
    """Raises Failure."""
    chains = client.call("pointsman/getConfig")["values"]["chains"]
    if name not in chains:
        there = ", ".join(sorted(chains)) or "none"
        raise Failure(
            f"There is no chain {name!r}; there are: {there}. To make it: `pointsman chain set {name} TARGET...`."
        )
