"""The command `trust`: a folder's own file counts once its owner has looked at it.

Must never trust what was not shown.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from pointsman.cli.client import Client, current_folder
from pointsman.cli.config import PROJECT_FILE, problems_now, where_and_what
from pointsman.cli.examples import WithExamples
from pointsman.cli.failures import FAILED, Failure
from pointsman.cli.parameters import as_json
from pointsman.cli.terminal import is_terminal, note, print_json, say


@click.command(cls=WithExamples)
@click.argument("folder", required=False, type=click.Path(file_okay=False), metavar="[DIR]", help="Here, if left out.")
@click.option("--remove", is_flag=True, help="Trust the folder no more.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@as_json
def trust(folder: str | None, remove: bool, yes: bool, as_json: bool) -> int:
    """Trust a folder's .pointsman.toml as it is now.

    It may choose models there, and set aliases and chains; it can never redirect a provider. You see it before you
    are asked; a change of the file ends the trust.
    """
    here = current_folder()
    if here is None and not Path(folder or "").is_absolute():
        raise Failure("The folder that you are in has been removed. Go to one that is there, or name one.")
    where = os.path.realpath(folder or ".")
    seen = None if remove else _read(Path(where) / PROJECT_FILE)
    if seen is not None and not _agreed(Path(where) / PROJECT_FILE, seen, yes):
        note("Nothing is changed.")
        return FAILED
    with Client() as client:
        result = client.call("pointsman/trustWorkspace", {"folder": where, "trusted": not remove})
        if seen is not None and _read(Path(where) / PROJECT_FILE) != seen:
            client.call("pointsman/trustWorkspace", {"folder": where, "trusted": False})
            raise Failure(f"{result['file']} changed while you looked at it, so it is not trusted. Look again.")
    if as_json:
        print_json(result)
    else:
        say(f"{result['file']} is {'trusted as it is now' if result['trusted'] else 'not trusted'}.")
        if result["trusted"]:
            _tell_problems(where, result["file"])
    return 0


def _tell_problems(folder: str, file: str) -> None:
    """Says what is wrong with the file, now that it counts."""
    for problem in problems_now(folder)[1]:
        if problem["file"] == file:
            note(where_and_what(problem), fg="yellow")
            note(f"     → {problem['hint']}")


def _read(path: Path) -> bytes:
    """What there is to trust. Raises Failure."""
    from pointsman.edge.files import LARGEST, read_regular  # noqa: PLC0415 - it reads configuration, and only here

    try:
        return read_regular(path, LARGEST + 1)
    except OSError as error:
        raise Failure(f"{path} can't be read: {error.strerror}. Write it first; then trust it.") from None


def _agreed(path: Path, seen: bytes, yes: bool) -> bool:
    """Shows the file, and asks. Raises UsageError where nobody can be asked."""
    note(f"{path}:", bold=True)
    for line in seen.decode("utf-8", "replace").splitlines():
        note(f"  {line}")
    if yes:
        return True
    if not is_terminal(sys.stdin):
        raise click.UsageError("Nobody can be asked here. If you know the file, add `--yes`.")
    return click.confirm("Trust it?", err=True)
