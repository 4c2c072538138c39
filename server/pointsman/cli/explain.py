"""The command `explain`: who would be asked, and what would be lost on the way. Must never ask any of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from pointsman.cli.client import Client
from pointsman.cli.examples import WithExamples
from pointsman.cli.failures import FAILED, translated
from pointsman.cli.parameters import as_json, complete_model
from pointsman.cli.tables import show_route
from pointsman.cli.terminal import note, print_json

NO_REQUEST = "{} is no JSON object. Write what `pointsman/chat` takes: `messages`, and perhaps `tools` and `options`."


@click.command(cls=WithExamples)
@click.argument("spec", required=False, shell_complete=complete_model, help="An alias, `provider:model`, or a chain.")
@click.option(
    "--request",
    "file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="What would be asked, in JSON; `-` is standard input.",
)
@as_json
def explain(spec: str | None, file: str | None, as_json: bool) -> int:
    """Show who would be asked, in order, and who would not.

    Nothing is sent to any provider. With a request, it also tells what each of them could not be given. The exit
    status is 1 when nobody could be asked.
    """
    params = _request(file) if file else {}
    if spec is not None:
        params["model"] = spec
    with Client() as client:
        result = client.call("pointsman/explainRoute", params)
    if as_json:
        print_json(result)
    else:
        show_route(result)
        for target in result["targets"]:
            if "error" in target:
                note(translated(target["error"]["advice"]), fg="yellow")
    return 0 if any("error" not in target for target in result["targets"]) else FAILED


def _request(file: str) -> dict[str, Any]:
    """What a file says that would be asked. Raises UsageError."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
        found = json.loads(text)
    except (ValueError, RecursionError, OSError) as error:
        raise click.UsageError(NO_REQUEST.format(file)) from error
    if not isinstance(found, dict):
        raise click.UsageError(NO_REQUEST.format(file))
    return found
