"""The commands `vault`: how stored credentials are sealed, and their way to another machine.

Must never take a passphrase from the command line, nor write one down.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from pointsman.cli.client import Client
from pointsman.cli.examples import GroupWithExamples
from pointsman.cli.failures import FAILED, Failure, translated
from pointsman.cli.parameters import as_json
from pointsman.cli.terminal import is_terminal, note, print_json, print_table, say

MEND = "Enter it anew; `pointsman vault discard` removes what is left of it."
LARGEST = 2**24
SHORTEST = 8
"""Characters that a new passphrase has at least: what it seals may lie about for years."""
STATES = {
    "empty": "Nothing is stored yet.",
    "locked": "The vault can't be opened now.",
    "wrongKey": "The vault can't be opened.",
}
OUTCOMES = {"added": "added", "replaced": "replaced", "thereAlready": "there already"}

passphrase_file = click.option(
    "--passphrase-file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Take the passphrase from the first line of a file, and don't ask.",
)


@click.group(cls=GroupWithExamples)
def vault() -> None:
    """See how stored keys are sealed, and take them elsewhere."""


@vault.command()
@as_json
def status(as_json: bool) -> int:
    """Tell which key seals the vault, and whether all is well.

    The key itself is never shown. The exit status is 1 if something can't be opened.
    """
    with Client() as client:
        result = client.call("pointsman/vaultStatus")
    if as_json:
        print_json(result)
    else:
        _show(result)
    return FAILED if result.get("error") or result["damaged"] else 0


@vault.command()
@as_json
def rotate(as_json: bool) -> int:
    """Seal all with a new key.

    The new key goes into the first place that takes one: POINTSMAN_VAULT_KEY, your keyring, a file beside the data.
    """
    with Client() as client:
        result = client.call("pointsman/rotateVault")
    if as_json:
        print_json(result)
    else:
        _show(result)
    return 0


@vault.command()
@click.argument("file", type=click.Path(dir_okay=False))
@passphrase_file
@as_json
def export(file: str, passphrase_file: str | None, as_json: bool) -> int:
    """Write all stored credentials to a file, sealed by a passphrase.

    Only you can read the file; one that is there already is left alone.
    """
    path = Path(file)
    if path.exists():
        raise Failure(f"{file} is there already. Name another file, or remove that one.")
    if not path.parent.is_dir():  # before anybody types a passphrase, and before the audit says that it was exported
        raise Failure(f"{file} can't be written: there is no folder {path.parent}. Make it, or name another file.")
    passphrase = _passphrase(passphrase_file, new=True)
    with Client() as client:
        result = client.call("pointsman/exportVault", {"passphrase": passphrase})
    _write(path, result.pop("content"))
    if as_json:
        print_json(result)
        return 0
    say(f"{_credentials(result['records'])} written to {file}.")
    if result["leftOut"]:
        note(f"{_credentials(result['leftOut'])} left out: see `pointsman vault status`.", fg="yellow")
    if result["accounts"]:
        note("Accounts are among them. Use each on one machine only: many providers end both when two use it.")
    return 0


@vault.command("import")
@click.argument("file", type=click.Path(dir_okay=False))
@passphrase_file
@as_json
def import_(file: str, passphrase_file: str | None, as_json: bool) -> int:
    """Take in the credentials of an exported file.

    What is stored here already stays, or is replaced where the file has another state of it.
    """
    content = _read(file, LARGEST, "the file that `pointsman vault export` wrote")
    passphrase = _passphrase(passphrase_file, new=False)
    with Client() as client:
        result = client.call("pointsman/importVault", {"content": content, "passphrase": passphrase})
    if as_json:
        print_json(result)
        return 0
    rows = [(OUTCOMES[each["outcome"]], each["provider"], each["label"], each["origin"]) for each in result["records"]]
    print_table(("", "provider", "label", "for"), rows)
    note(f"{_credentials(sum(row[0] != OUTCOMES['thereAlready'] for row in rows))} taken in.")
    return 0


@vault.command()
@click.option("--yes", is_flag=True, help="Don't ask.")
@as_json
def discard(yes: bool, as_json: bool) -> int:
    """Remove for good what nobody can open any more.

    Those are damaged credentials; or all of them, where the key of the vault is lost.
    """
    with Client() as client:
        found = client.call("pointsman/vaultStatus")
        lost = found["state"] == "wrongKey"
        count = found["records"] if lost else len(found["damaged"])
        if count and not yes:
            _show(found)
            if not is_terminal(sys.stdin):
                raise click.UsageError("Nobody can be asked here. If you are sure, add `--yes`.")
            if not click.confirm(f"Remove {_credentials(count)} for good?", err=True):
                note("Nothing is removed.")
                return FAILED
        result = client.call("pointsman/discardVault", {"all": lost})
    if as_json:
        print_json(result)
    else:
        said = f"{_credentials(result['removed'])} removed." if result["removed"] else "All can be opened."
        say(said if result["removed"] else f"{said} Nothing is removed.")
    return 0


def what_is_shut(client: Client, provider: str | None = None) -> list[str]:
    """What is stored and can't be opened, for a list in which it is missing: a line each, with what to do."""
    result = client.call("pointsman/vaultStatus")
    if error := result.get("error"):
        return [f"{error['message']} {translated(error['advice'])}"]
    return [
        f"What is stored for {each['provider']} as {each['label']!r} is left out. {each['reason']} {MEND}"
        for each in result["damaged"]
        if provider in {None, each["provider"]}
    ]


def _show(result: Mapping[str, Any]) -> None:
    if result["state"] == "open":
        say(f"{_credentials(result['records'])} sealed with the key {result['key']}.")
        say(f"That key is in {result['where']}.")
    else:
        say(STATES[result["state"]])
    say(f"What is sealed lies in {result['file']}.")
    if error := result.get("error"):
        note(f"BAD  {error['message']}", fg="red")
        note(f"     → {translated(error['advice'])}")
    for each in result["damaged"]:
        note(f"BAD  {' '.join(filter(None, (each['provider'], each['label'])))}: {each['reason']}", fg="red")
    if result["damaged"]:
        note("     → Enter them anew; `pointsman vault discard` removes what is left of them.")
    for each in result["notes"]:
        note(each, fg="yellow")


def _credentials(count: int) -> str:
    return f"{count} credential{'' if count == 1 else 's'}"


def _passphrase(file: str | None, *, new: bool) -> str:
    """What the person types, hidden, twice if it is new; or the first line of a file. Raises Failure."""
    if file is not None:
        passphrase = _read(file, 4096, "a file whose first line is the passphrase").partition("\n")[0].rstrip("\r")
    elif is_terminal(sys.stdin):
        passphrase = str(click.prompt("Passphrase", hide_input=True, confirmation_prompt=new, err=True))
    else:
        raise click.UsageError("Nobody can be asked for a passphrase here. Name a file by `--passphrase-file`.")
    if not passphrase:
        raise Failure("The passphrase is empty. Give one.")
    if new and len(passphrase) < SHORTEST:
        raise Failure(f"The passphrase is shorter than {SHORTEST} characters. Several words make a good one.")
    return passphrase


def _read(file: str, most: int, what: str) -> str:
    try:
        with Path(file).open("rb") as opened:
            return opened.read(most).decode()
    except OSError as error:
        raise Failure(f"{file} can't be read: {error.strerror}. Give {what}.") from None
    except UnicodeDecodeError:
        raise Failure(f"{file} is not text. Give {what}.") from None


def _write(path: Path, content: str) -> None:
    """Writes a new file that its owner alone can read, whole or not at all. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
