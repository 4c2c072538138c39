"""The commands `login`, `logout` and `accounts`: signing in to providers and out of them.

Must never see a token, nor take anything secret from the command line.
"""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Mapping
from typing import Any

import click

from pointsman.cli.client import Client
from pointsman.cli.examples import WithExamples
from pointsman.cli.parameters import as_json, complete_account, complete_provider
from pointsman.cli.tables import local, show_accounts
from pointsman.cli.terminal import note, print_json, say
from pointsman.cli.vault import what_is_shut


@click.command(cls=WithExamples)
@click.argument("provider", shell_complete=complete_provider)
@click.option(
    "--device", is_flag=True, help="Type a code in on any device, instead of using a browser on this machine."
)
@click.option("--label", metavar="TEXT", help="A name of your own for the account.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@as_json
def login(provider: str, device: bool, label: str | None, no_browser: bool, as_json: bool) -> int:
    """Sign in to a provider, in your browser.

    The account is then there for all your editors. Signing in again to the same one renews it; Ctrl-C gives up.
    """

    def told(method: str, params: Mapping[str, Any]) -> None:
        if method == "pointsman/signInCode":
            _show(params, open_it=not no_browser)

    params = {"provider": provider} | ({"flow": "device"} if device else {}) | ({"label": label} if label else {})
    with Client(remote=_is_far_away()) as client:
        account = client.call("pointsman/signIn", params, told, cancellable=True)
    if as_json:
        print_json(account)
    else:
        say(f"{account['account']} is signed in at {provider}.")
    return 0


@click.command(cls=WithExamples)
@click.argument("provider", shell_complete=complete_provider)
@click.argument("account", required=False, shell_complete=complete_account, help="Left out where there is only one.")
@as_json
def logout(provider: str, account: str | None, as_json: bool) -> int:
    """Sign out of a provider, there and here.

    The tokens end at the provider, where it has a way for that, and are forgotten here in any case.
    """
    params = {"provider": provider} | ({"account": account} if account else {})
    with Client() as client:
        result = client.call("pointsman/signOut", params)
    if as_json:
        print_json(result)
        return 0
    say(f"{result['account']} is signed out at {provider}.")
    if "error" in result:
        text = f"{result['error']['message']} Its tokens are forgotten here; end them on the provider's own page, too."
        note(text, fg="yellow")
    return 0


@click.command(cls=WithExamples)
@click.argument("provider", required=False, shell_complete=complete_provider)
@as_json
def accounts(provider: str | None, as_json: bool) -> int:
    """List the accounts that have signed in.

    `pointsman login` adds one. Tokens are renewed by themselves before they expire.
    """
    with Client() as client:
        result = client.call("pointsman/listAccounts", {"provider": provider} if provider else {})
        if as_json:
            print_json(result)
            return 0
        trouble = what_is_shut(client, provider)
    show_accounts(result["accounts"])
    if not result["accounts"] and not trouble:
        none = f"Nobody is signed in at {provider}." if provider else "No accounts."
        note(f"{none} `pointsman login` signs in to a provider.")
    for line in trouble:
        note(line, fg="yellow")
    for account in result["accounts"]:
        if "reason" in account:
            note(f"{account['provider']} {account['account']}: {account['reason']}")
            note(f"     → pointsman login {account['provider']}", fg="yellow")
    return 0


def _show(code: Mapping[str, Any], *, open_it: bool) -> None:
    """Where the sign-in goes on: said in any case, and opened where there is a browser to see it in."""
    if "userCode" in code:
        note(f"Open {code['url']} on any device, and type in this code until {local(code['expiresAt'])}:")
        note(f"\n    {code['userCode']}\n", bold=True)
        return
    opened = open_it and _has_a_screen()
    note("Your browser opens. If it does not, open this address yourself:" if opened else "Open this address:")
    note(f"\n{code['url']}\n")
    if opened:
        threading.Thread(target=webbrowser.open, args=(code["url"],), daemon=True).start()  # some take seconds


def _has_a_screen() -> bool:
    """Whether a browser that is opened here is seen by somebody; one for a terminal would be in the way."""
    wanted = {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"}
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in wanted)


def _is_far_away() -> bool:
    """Whether the person's browser is on another machine: then a code for another device is what works."""
    return bool(os.environ.get("SSH_CONNECTION")) and not _has_a_screen()
