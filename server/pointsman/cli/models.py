"""The command `models`: what there is to choose from. Must never hide why a provider's own list is missing."""

from __future__ import annotations

import click

from pointsman.cli.client import Client, in_words
from pointsman.cli.examples import WithExamples
from pointsman.cli.failures import FAILED, translated
from pointsman.cli.parameters import as_json, complete_provider
from pointsman.cli.picker import narrowed
from pointsman.cli.tables import show_models
from pointsman.cli.terminal import note, print_json


@click.command(cls=WithExamples)
@click.argument("query", nargs=-1, help="Words that the name has, all of them.")
@click.option("--provider", metavar="ID", shell_complete=complete_provider, help="Only those of one provider.")
@click.option("--refresh", is_flag=True, help="Ask the providers anew.")
@as_json
def models(query: tuple[str, ...], provider: str | None, refresh: bool, as_json: bool) -> int:
    """List the models that there are.

    What a provider lists itself is asked for when you have configured it, or name it here.
    """
    with Client() as client:
        result = client.call("pointsman/listModels", {"provider": provider, "refresh": refresh})
    wanted = {
        name for name, _ in narrowed([(model["model"], model["name"]) for model in result["models"]], " ".join(query))
    }
    result["models"] = [model for model in result["models"] if model["model"] in wanted]
    if as_json:
        print_json(result)
    else:
        show_models(result["models"])
        if not result["models"]:
            note("No model matches." if query else "No model is listed.")
    for failure in result["failures"]:
        note(translated(in_words(failure)), fg="yellow")
    return FAILED if result["failures"] and not result["models"] else 0
