"""The commands `providers`: who there is to ask, and the user's own entries for them.

Must never take a key: a command line is read by every program of the same user.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from pointsman.cli.client import CallFailed, Client
from pointsman.cli.examples import GroupWithExamples
from pointsman.cli.failures import FAILED, Failure
from pointsman.cli.names import must_be_id
from pointsman.cli.parameters import as_json, complete_provider
from pointsman.cli.plans import show_plans
from pointsman.cli.settings import refuse_secrets, table_of
from pointsman.cli.tables import show_providers
from pointsman.cli.terminal import is_terminal, print_json, say
from pointsman.cli.trials import show_trial, show_trials

no_test = click.option("--no-test", is_flag=True, help="Save it without trying it first.")


@click.group(cls=GroupWithExamples, invoke_without_command=True)
@as_json
@click.pass_context
def providers(ctx: click.Context, as_json: bool) -> int:
    """List the providers, and whether you could use them now.

    Those that come with Pointsman are listed too; your own, and what you change of the others, stand in your
    pointsman.toml.
    """
    if ctx.invoked_subcommand:
        if as_json:
            raise click.UsageError(f"Put `--json` behind `{ctx.invoked_subcommand}`.")
        return 0
    with Client() as client:
        result = client.call("pointsman/listProviders")
    if as_json:
        print_json(result)
    else:
        show_providers(result["providers"])
        if is_terminal(sys.stdout):
            show_plans(result["providers"])
    return 0


@providers.command()
@click.argument("id", help="A name of your own, in small letters.")
@click.option("--base-url", required=True, metavar="URL", help="Where it is, like https://llm.corp.example/v1.")
@click.option("--name", metavar="TEXT", help="Its name for people.")
@click.option("--wire", metavar="DIALECT", help="What it speaks; openai-chat if you don't say.")
@click.option("--auth", type=click.Choice(["none", "optional-key", "bearer", "header"]), help="How it is shown a key.")
@click.option("--env", multiple=True, metavar="VARIABLE", help="The variable that holds the key; may be repeated.")
@click.option("--model", metavar="NAME", help="The model it answers with when none is named.")
@no_test
@as_json
def add(id: str, no_test: bool, as_json: bool, **given: Any) -> int:
    """Write a provider into your pointsman.toml, after trying it.

    The key stays in the variable; it is never written down.
    """
    values = {"base_url": given["base_url"], "name": given["name"], "wire": given["wire"], "auth": _auth(given)}
    values |= {"default_model": given["model"]}
    refuse_secrets(values)
    must_be_id(id)
    with Client() as client:
        if id in _ids(client):
            raise Failure(
                f"There is a provider {id!r} already. To change it: `pointsman providers edit {id} key=value`."
            )
        return _save(client, id, {name: value for name, value in values.items() if value is not None}, no_test, as_json)


@providers.command()
@click.argument("id", shell_complete=complete_provider)
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...", help="An empty value takes it back.")
@no_test
@as_json
def edit(id: str, settings: tuple[str, ...], no_test: bool, as_json: bool) -> int:
    """Change values of a provider in your pointsman.toml, after trying them.

    Names are those of the file; `pointsman config show` lists them.
    """
    values = table_of(settings)
    with Client() as client:
        auth = client.call("pointsman/getProvider", {"provider": id})["values"]["auth"]
        refuse_secrets(values, auth["header"] if auth["scheme"] == "header" else None)
        return _save(client, id, values, no_test, as_json)


@providers.command()
@click.argument("id", shell_complete=complete_provider)
@as_json
def remove(id: str, as_json: bool) -> int:
    """Take a provider out of your pointsman.toml.

    One that comes with Pointsman is then as it came.
    """
    with Client() as client:
        result = client.call("pointsman/removeProvider", {"provider": id})
        stays = id in _ids(client)
    if as_json:
        print_json(result)
    else:
        say(f"{id} is as it came with Pointsman." if stays else f"{id} is removed.")
    return 0


@providers.command()
@click.argument("id", required=False, shell_complete=complete_provider)
@click.option("--all", "every", is_flag=True, help="Try every provider that has what it needs, at once.")
@click.option("--say", "aloud", is_flag=True, help="Have a model answer with a word, too; that costs a few tokens.")
@click.option("--model", metavar="NAME", help="The model that is to answer; the provider's default if you don't say.")
@as_json
def test(id: str | None, every: bool, aloud: bool, model: str | None, as_json: bool) -> int:
    """Try whether a provider is there, lets you in, and answers.

    It is asked for its list of models, which costs nothing. With `--all`, a local server that does not run is told, and
    is no failure. The exit status is 1 if any failed.
    """
    if (id is None) == (not every):
        raise click.UsageError("Say which one, or `--all`.")
    if every and model is not None:
        raise click.UsageError("`--model` belongs to one provider; leave it out with `--all`.")
    wanted = {"say": aloud} | ({"model": model} if model else {})
    with Client() as client:
        if id is not None:
            client.call("pointsman/getProvider", {"provider": id})  # says which there are, if there is none
            ids, idle = [id], set()
        else:
            states = {each["id"]: each["state"] for each in _listed(client) if each["state"] != "unconfigured"}
            ids, idle = list(states), {each for each, state in states.items() if state == "offline"}
        results = client.call_all([("pointsman/testProvider", {"provider": each, **wanted}) for each in ids])
    if id is not None and isinstance(results[0], CallFailed):
        raise results[0]
    found = {each: _outcome(result) for each, result in zip(ids, results, strict=True)}
    if as_json:
        print_json(found[id] if id is not None else found)
    elif id is not None:
        show_trial(id, found[id])
    else:
        show_trials(found, idle)
    return 0 if all(result["ok"] or each in idle for each, result in found.items()) else FAILED


def _auth(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """How the provider is shown a key; with a variable, and nothing else said, as a bearer."""
    scheme, env = given["auth"], given["env"]
    if not scheme and not env:
        return None
    return {"scheme": scheme or "bearer"} | ({"env": env[0] if len(env) == 1 else list(env)} if env else {})


def _save(client: Client, id: str, values: dict[str, Any], no_test: bool, as_json: bool) -> int:
    result = client.call("pointsman/setProvider", {"provider": id, "values": values, "test": not no_test})
    if as_json:
        print_json(result)
    else:
        say(f"{id} is saved. See its models with `pointsman models --provider {id}`.")
        if "base_url" in values:
            _say_what_stays_behind(client, id)
    return 0


def _say_what_stays_behind(client: Client, id: str) -> None:
    """A key or an account that was entered for the address that the provider had is not shown to another."""
    for key in client.call("pointsman/listKeys", {"provider": id})["keys"]:
        if key["stored"] and not key["usable"]:
            again = "pointsman login" if key["source"] == "account" else "pointsman keys add"
            say(f"Its stored {key['name']!r} stays behind. {key.get('note', '')} `{again} {id}` makes one for it.")


def _ids(client: Client) -> list[str]:
    return [provider["id"] for provider in _listed(client)]


def _listed(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.call("pointsman/listProviders")["providers"]
    return found


def _outcome(result: Any) -> Mapping[str, Any]:
    """The result of a test, also of one that could not be made."""
    if isinstance(result, CallFailed):
        error = {"code": result.code, "message": result.message, "advice": result.advice}
        return {"ok": False, "milliseconds": 0, "models": 0, "steps": [], "error": error}
    found: Mapping[str, Any] = result
    return found
