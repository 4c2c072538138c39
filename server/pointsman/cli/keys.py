"""The commands `keys`: what there is of keys, from every source, and those that Pointsman stores.

Must never take a key from the command line, nor show one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import click

from pointsman.cli.client import Client
from pointsman.cli.entering import STDIN, entered_key, refuse_keys
from pointsman.cli.examples import GroupWithExamples
from pointsman.cli.failures import FAILED, translated
from pointsman.cli.parameters import as_json, complete_provider
from pointsman.cli.tables import KEY_SOURCES, show_keys
from pointsman.cli.terminal import note, print_json, print_table, say
from pointsman.cli.vault import what_is_shut
from pointsman.core.http import spoken

label_option = click.option("--label", metavar="TEXT", help="A name of your own for it.")


@click.group(cls=GroupWithExamples, invoke_without_command=True)
@as_json
@click.pass_context
def keys(ctx: click.Context, as_json: bool) -> int:
    """List your keys, and store them.

    A stored key is sealed, and shown to the address that it was entered for, never to another.
    """
    if ctx.invoked_subcommand:
        if as_json:
            raise click.UsageError(f"Put `--json` behind `{ctx.invoked_subcommand}`.")
        return 0
    return _list(None, as_json)


@keys.command("list")
@click.argument("provider", required=False, shell_complete=complete_provider)
@as_json
def list_(provider: str | None, as_json: bool) -> int:
    """List keys and where each comes from, also those that are not used now.

    🔐 marks an account that has signed in.
    """
    return _list(provider, as_json)


@keys.command()
@click.argument("provider", shell_complete=complete_provider)
@click.argument("words", nargs=-1, metavar="[-]", help="`-`: the key is on standard input.")
@label_option
@click.option("--no-test", is_flag=True, help="Store it without trying it first.")
@as_json
def add(provider: str, words: tuple[str, ...], label: str | None, no_test: bool, as_json: bool) -> int:
    """Store a key, after trying it.

    You are asked for the key, and it is not shown. A label that there is already gets the new key in place of its own.
    """
    refuse_keys(provider, label, *words)
    if any(word != STDIN for word in words) or len(words) > 1:
        raise click.UsageError("Behind the provider only `-` can stand. Leave the key out: you are asked for it.")
    with Client() as client:
        title = client.call("pointsman/getProvider", {"provider": provider})["values"]["name"] or provider
        key = entered_key(title, from_stdin=bool(words))
        params = {"provider": provider, "key": key, "test": not no_test} | ({"label": label} if label else {})
        result = client.call("pointsman/setKey", params)
    if as_json:
        print_json(result)
        return 0
    stored = result["key"]
    say(f"{title}: the key {stored['account']} is stored as {stored['name']!r}, for {spoken(stored['origin'])} alone.")
    for step in result.get("trial", {}).get("steps", []):
        if step["step"] == "authenticate" and step["outcome"] == "skipped":
            note(step["detail"])
    if variables := result.get("variables"):
        names = " and ".join(variables)
        note(f"There is one in {names}, too, so they take turns here. To use this one alone, leave {names} out.")
    return 0


@keys.command()
@click.argument("provider", shell_complete=complete_provider)
@label_option
@as_json
def remove(provider: str, label: str | None, as_json: bool) -> int:
    """Remove a stored key for good.

    Without a label, the only one that there is.
    """
    refuse_keys(provider, label)
    params = {"provider": provider} | ({"label": label} if label else {})
    with Client() as client:
        result = client.call("pointsman/removeKey", params)
    if as_json:
        print_json(result)
    else:
        removed = result["key"]
        say(f"{provider}: the key {removed['account']}, {removed['name']!r}, is removed.")
        note("The provider knows nothing of that. If nobody is to use it any more, end it there as well.")
    return 0


@keys.command()
@click.argument("provider", required=False, shell_complete=complete_provider)
@as_json
def test(provider: str | None, as_json: bool) -> int:
    """Try each key that can be used now, of every source.

    Providers are asked for their lists of models, which costs nothing. The exit status is 1 if any key failed.
    """
    refuse_keys(provider)
    with Client() as client:
        result = client.call("pointsman/listKeys", {"test": True} | ({"provider": provider} if provider else {}))
        trouble = what_is_shut(client, provider)
    tried = [key for key in result["keys"] if "trial" in key]
    if as_json:
        print_json(result)
    else:
        print_table(("", "provider", "from", "key", "what is wrong"), [_tried(key) for key in tried])
        for key in tried:
            if not key["trial"]["ok"]:
                note(f"{key['provider']} → {translated(key['trial']['error']['advice'])}")
        if not tried:
            _tell_none("There is no key that could be tried.", provider, result["keys"], trouble)
        for line in trouble:
            note(line, fg="yellow")
    return 0 if all(key["trial"]["ok"] for key in tried) and not trouble else FAILED


@keys.command()
@click.argument("provider", shell_complete=complete_provider)
@as_json
def adopt(provider: str, as_json: bool) -> int:
    """Move keys that stand in your pointsman.toml into the vault.

    They are stored first, sealed, and then taken out of the file; your comments stay.
    """
    refuse_keys(provider)
    with Client() as client:
        result = client.call("pointsman/adoptKey", {"provider": provider})
    if as_json:
        print_json(result)
        return 0
    for key in result["keys"]:
        say(f"{provider}: the key {key['account']} is stored as {key['name']!r}, for {spoken(key['origin'])} alone.")
    note(f"Nothing of it is in {result['file']} any more. Copies of that file may still have it.")
    return 0


def in_plain_text(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The providers of which a key stands in plain text in a file."""
    return list(dict.fromkeys(key["provider"] for key in found if key["source"] == "configuration"))


def _list(provider: str | None, as_json: bool) -> int:
    refuse_keys(provider)
    with Client() as client:
        result = client.call("pointsman/listKeys", {"provider": provider} if provider else {})
        if as_json:
            print_json(result)
            return 0
        trouble = what_is_shut(client, provider)
        waiting = _waiting(client, {key["provider"] for key in result["keys"]})
    show_keys(result["keys"])
    if not result["keys"]:
        none = f"{provider} has no keys." if provider else "There are no keys."
        _tell_none(none, provider, result["keys"], trouble)
    for line in waiting:
        note(line)
    for id in in_plain_text(result["keys"]):
        note(f"A key of {id} stands in plain text. Move it: `pointsman keys adopt {id}`.", fg="yellow")
    for line in trouble:
        note(line, fg="yellow")
    return 0


def _tell_none(text: str, provider: str | None, keys: Sequence[Mapping[str, Any]], trouble: Sequence[str]) -> None:
    """That there is nothing to show, and what to do; while something stored can't be opened, nobody knows that."""
    if keys:
        note(f"{text} `pointsman keys{f' list {provider}' if provider else ''}` says why.")
    elif not trouble:
        note(f"{text} `pointsman keys add {provider or 'PROVIDER'}` stores one.")


def _waiting(client: Client, ids: Collection[str]) -> list[str]:
    """The providers of which no key is used for now, since a temporary one is in front."""
    sessions = client.call("pointsman/listSessions")["sessions"]
    fronts = {each["provider"]: each["account"] for each in sessions if each["inEffect"] and each["provider"] in ids}
    said = "is asked with the temporary key"
    return [f"{id} {said} {key} for now, and with none of these." for id, key in fronts.items()]


def _tried(key: Mapping[str, Any]) -> tuple[str, ...]:
    trial = key["trial"]
    wrong = "" if trial["ok"] else trial["error"]["message"]
    source = " ".join(filter(None, (KEY_SOURCES[key["source"]], key.get("name"))))
    return "ok" if trial["ok"] else "BAD", key["provider"], source, key.get("account", ""), wrong
