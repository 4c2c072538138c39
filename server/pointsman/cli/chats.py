"""The commands `chats`: those that run or have just ended, whoever began them.

Must never start the daemon: where none runs, there are no chats.
"""

from __future__ import annotations

from typing import Any

import click

from pointsman.cli.answer import AnswerPrinter
from pointsman.cli.chat import follow
from pointsman.cli.client import CallFailed, Client
from pointsman.cli.examples import GroupWithExamples
from pointsman.cli.failures import CANCELLED, NO_DAEMON, Failure, NotRunning
from pointsman.cli.lifecycle import is_running
from pointsman.cli.parameters import as_json, complete_chat
from pointsman.cli.tables import show_chats
from pointsman.cli.terminal import note, print_json


@click.group(cls=GroupWithExamples, invoke_without_command=True)
@as_json
@click.pass_context
def chats(ctx: click.Context, as_json: bool) -> int:
    """List the chats of all editors, attach to one, or cancel it.

    The beginning of an id is enough where no other chat's begins alike. Finished chats are kept for ten minutes.
    """
    if ctx.invoked_subcommand:
        if as_json:
            raise click.UsageError(f"Put `--json` behind `{ctx.invoked_subcommand}`.")
        return 0
    if as_json and not is_running():
        print_json({"chats": []})
        return NO_DAEMON
    _must_run()
    with Client(may_start=False) as client:
        result = client.call("pointsman/listChats")
    if as_json:
        print_json(result)
    else:
        show_chats(result["chats"])
        if not result["chats"]:
            note("No chats.")
    return 0


@chats.command()
@click.argument("id", shell_complete=complete_chat, help="The chat's id, or the beginning of it.")
@as_json
def attach(id: str, as_json: bool) -> int:
    """Follow a chat from its first word, whoever began it.

    Ctrl-C only leaves: the chat runs on for the others.
    """
    _must_run()
    with Client(may_start=False) as client:
        params = {"chatId": _whole(client, id), "after": -1, "stream": not as_json}
        try:
            return follow(client, "pointsman/attachChat", params, as_json=as_json)
        except CallFailed as error:
            if error.code != "RequestCancelled":
                raise
            note("Left; the chat runs on for the others.")
            return CANCELLED


@chats.command()
@click.argument("id", shell_complete=complete_chat, help="The chat's id, or the beginning of it.")
@as_json
def cancel(id: str, as_json: bool) -> int:
    """End a chat for all who watch it, and see what had come of it.

    One that had finished stays as it was.
    """
    _must_run()
    with Client(may_start=False) as client:
        result = client.call("pointsman/cancelChat", {"chatId": _whole(client, id)})
    if as_json:
        print_json(result)
    else:
        AnswerPrinter().finish(result, streamed=False)
    return 0


def _must_run() -> None:
    if not is_running():
        raise NotRunning("No daemon is running, so there are no chats. It starts with the first that you begin.")


def _whole(client: Client, start: str) -> str:
    """The id that begins like this. Raises Failure where none does, UsageError where several do."""
    found: list[dict[str, Any]] = client.call("pointsman/listChats")["chats"]
    ids = [chat["chatId"] for chat in found]
    same = [id for id in ids if start and id.startswith(start)]
    if start in ids or len(same) == 1:
        return start if start in ids else same[0]
    if not same:
        raise Failure(f"No chat that is kept begins with {start!r}. See `pointsman chats`.")
    raise click.UsageError(f"{start!r} could be any of {', '.join(same)}. Give more of it.")
