"""The commands `try` and `sessions`: a key that is used for a while, and is written down nowhere.

Must never take the key from the command line, nor start the daemon to list what only a running one can have.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from pointsman.cli.client import CallFailed, Client
from pointsman.cli.entering import STDIN, entered_key, refuse_keys
from pointsman.cli.examples import GroupWithExamples, WithExamples
from pointsman.cli.failures import NO_DAEMON, Failure, NotRunning
from pointsman.cli.lifecycle import is_running
from pointsman.cli.parameters import as_json, complete_provider, complete_session
from pointsman.cli.tables import show_sessions
from pointsman.cli.terminal import note, print_json, say

WHERE = {"global": "in every editor", "workspace": "in this folder"}


@click.command("try", cls=WithExamples)
@click.argument("provider", shell_complete=complete_provider)
@click.argument(
    "words", nargs=-1, metavar="[MODEL] [-]", help="A model to switch to; `-`: the key is on standard input."
)
@click.option("--minutes", type=click.FloatRange(0.02, 1440), default=60, show_default=True, help="How long.")
@click.option("--base-url", metavar="URL", help="Ask it there; no other key is ever sent to that address.")
@click.option("--scope", type=click.Choice(["workspace", "global"]), default="global", show_default=True)
@click.option("--no-test", is_flag=True, help="Begin without trying the key first.")
@as_json
def try_(
    provider: str,
    words: tuple[str, ...],
    minutes: float,
    base_url: str | None,
    scope: str,
    no_test: bool,
    as_json: bool,
) -> int:
    """Use a key for a while, without storing it.

    The key is asked for, and goes before whatever key there is. It is kept in the daemon's memory alone, and
    forgotten when the time is over, or the daemon ends.
    """
    models = [word for word in words if word != STDIN]
    refuse_keys(provider, base_url, *models)
    if len(models) > 1:
        raise click.UsageError(f"One model at most; {models[1]!r} is one too many.")
    address = {"baseUrl": base_url} if base_url else {}
    with Client() as client:
        title = client.call("pointsman/getProvider", {"provider": provider})["values"]["name"] or provider
        key = entered_key(title, from_stdin=len(models) < len(words))
        if not no_test:
            _test(client, {"provider": provider, "key": key, **address})
        params = {"provider": provider, "credentials": key, "minutes": minutes, **address}
        created = client.call("pointsman/createSession", params)
        try:
            active = client.call("pointsman/activateSession", {"token": created["token"], "scope": scope})
            if models:
                _switch(client, provider, models[0], scope)
        except CallFailed:
            client.call("pointsman/clearSession", {"id": created["id"]})
            raise
    if as_json:
        print_json(created)
        return 0
    say(f"{title} is asked with the key {created['account']} {WHERE[scope]} until {_clock(created['expiresAt'])}.")
    if not active["inEffect"]:
        note("Something narrower is in front of it here. See `pointsman sessions`.", fg="yellow")
    note(f"It then ends by itself, and sooner with `pointsman sessions end {created['id']}`.")
    if models:
        note(f"The choice of {models[0]} stays until the daemon ends: `pointsman use --clear --scope {scope}`.")
    return 0


@click.group(cls=GroupWithExamples, invoke_without_command=True)
@as_json
@click.pass_context
def sessions(ctx: click.Context, as_json: bool) -> int:
    """List the temporary keys and the time they have left.

    `pointsman try` begins one.
    """
    if ctx.invoked_subcommand:
        if as_json:
            raise click.UsageError(f"Put `--json` behind `{ctx.invoked_subcommand}`.")
        return 0
    if not is_running():
        if as_json:
            print_json({"sessions": []})
            return NO_DAEMON
        raise NotRunning("No daemon is running, so there are no temporary keys: none outlives it.")
    with Client(may_start=False) as client:
        result = client.call("pointsman/listSessions")
    if as_json:
        print_json(result)
    else:
        show_sessions(result["sessions"])
        if not result["sessions"]:
            note("No temporary keys.")
    return 0


@sessions.command()
@click.argument("id", required=False, shell_complete=complete_session, help="Its id; left out where there is only one.")
@as_json
def end(id: str | None, as_json: bool) -> int:
    """End a temporary key at once, in every editor.

    Chats that run finish with it. What was configured or stored is used again.
    """
    if not is_running():
        raise NotRunning("No daemon is running, so there are no temporary keys: none outlives it.")
    with Client(may_start=False) as client:
        result = client.call("pointsman/clearSession", {"id": id or _only(client)})
    if as_json:
        print_json(result)
    else:
        say(f"The temporary key {result['account']} for {result['provider']} has ended.")
    return 0


def _test(client: Client, params: dict[str, Any]) -> None:
    """Tries the key. Raises Failure if the provider does not take it."""
    result = client.call("pointsman/testProvider", params)
    if not result["ok"]:
        error = result["error"]
        raise Failure(
            f"Nothing has begun: {error['message']} {error['advice']} To begin all the same, add `--no-test`."
        )
    for step in result["steps"]:
        if step["step"] == "authenticate" and step["outcome"] == "skipped":
            note(step["detail"], fg="yellow")


def _switch(client: Client, provider: str, model: str, scope: str) -> None:
    """Chooses a model of the provider, however it is written, for as long as the daemon lives."""
    spec = model if model.startswith(f"{provider}:") else f"{provider}:{model}"
    client.call("pointsman/switchModel", {"model": spec, "scope": scope, "temporary": True})


def _only(client: Client) -> str:
    """The id of the one session that there is. Raises Failure where there is none, UsageError where there are more."""
    ids = [str(session["id"]) for session in client.call("pointsman/listSessions")["sessions"]]
    if not ids:
        raise Failure("There are no temporary keys. Nothing has changed.")
    if len(ids) > 1:
        raise click.UsageError(f"Say which one: {', '.join(ids)}. `pointsman sessions` tells what they are.")
    return ids[0]


def _clock(time: str) -> str:
    """When it ends, as the clock on the wall shows it; with the day if that is not today."""
    at = datetime.fromisoformat(time).astimezone()
    today = at.date() == datetime.now(at.tzinfo).date()
    return at.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
