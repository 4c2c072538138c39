"""What several commands take, and what the shell may complete there. Must never start the daemon for a completion.

A shell waits for a completion: what the daemon does not say within a moment is left out, and so is every error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from pointsman.cli.client import CallFailed, Client
from pointsman.endpoint import EndpointError

WITHIN = 1.0
"""Seconds that the daemon has for an answer to a shell."""

Item = CompletionItem[str]
Complete = Callable[[click.Context, click.Parameter, str], list[Item]]

as_json = click.option("--json", "as_json", is_flag=True, help="Print the daemon's own answer as JSON.")


def _completion(ask: Callable[[Client], Iterable[tuple[str, str]]]) -> Complete:
    """A completion with the names, and what they mean, that `ask` finds."""

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Item]:
        found: dict[str, str] = {}
        try:
            with Client(may_start=False, within=WITHIN) as client:
                for name, about in ask(client):
                    found.setdefault(name, about)
        except (EndpointError, CallFailed, OSError):
            pass  # what was found before that is good
        return [Item(name, help=about or None) for name, about in found.items() if name.startswith(incomplete)]

    return complete


@_completion
def complete_provider(client: Client) -> Iterable[tuple[str, str]]:
    """The ids of the providers."""
    for provider in _providers(client):
        yield provider["id"], provider["name"]


@_completion
def complete_model(client: Client) -> Iterable[tuple[str, str]]:
    """Aliases, chains, and the models of the providers that could be used now."""
    config = client.call("pointsman/getConfig")["values"]
    for name, target in config["aliases"].items():
        yield name, target
    for name, chain in config["chains"].items():
        yield f"chain:{name}", ", ".join(chain["targets"])
    usable = {provider["id"]: provider for provider in _providers(client) if provider["state"] != "unconfigured"}
    for id, provider in usable.items():
        yield id, provider["name"]
        for model in provider["models"]:
            yield f"{id}:{model}", ""
    for model in client.call("pointsman/listModels")["models"]:  # may ask the providers, and take too long
        if model["provider"] in usable:
            yield model["model"], ""


@_completion
def complete_alias(client: Client) -> Iterable[tuple[str, str]]:
    """The aliases there are."""
    aliases: dict[str, str] = client.call("pointsman/getConfig")["values"]["aliases"]
    return aliases.items()


@_completion
def complete_chain(client: Client) -> Iterable[tuple[str, str]]:
    """The chains there are."""
    for name, chain in client.call("pointsman/getConfig")["values"]["chains"].items():
        yield name, ", ".join(chain["targets"])


@_completion
def complete_chat(client: Client) -> Iterable[tuple[str, str]]:
    """The ids of the chats that are kept."""
    for chat in client.call("pointsman/listChats")["chats"]:
        yield chat["chatId"], chat["title"]


@_completion
def complete_account(client: Client) -> Iterable[tuple[str, str]]:
    """The accounts that have signed in."""
    for account in client.call("pointsman/listAccounts")["accounts"]:
        yield account["account"], account["provider"]


@_completion
def complete_session(client: Client) -> Iterable[tuple[str, str]]:
    """The ids of the temporary keys."""
    for session in client.call("pointsman/listSessions")["sessions"]:
        yield session["id"], f"{session['provider']} {session['account']}"


def _providers(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.call("pointsman/listProviders")["providers"]
    return found
