"""What holds for every command: its help, a reader that leaves, nobody's traceback, and a quick start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from pointsman.cli.main import cli
from tests.cli.shell import WITHIN, Shell, ended
from tests.living import POINTSMAN

MOST_SECONDS = 0.2
"""Of the processor's time for `--help`; it takes a quarter of that."""


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


EVERY = list(commands())
SHOWING = [("use",), ("models",), ("providers",), ("config", "show"), ("status",), ("doctor",), ("log",)]


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_help_is_a_sentence_and_an_example(lasting_shell: Shell, path: tuple[str, ...]) -> None:
    done = lasting_shell.run(*path, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    usage, sentence, example, *_ = [part.strip() for part in done.stdout.split("\n\n")]
    assert usage.startswith(f"Usage: pointsman {' '.join(path)}")
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert ". " not in sentence
    assert f"pointsman {' '.join(path)}" in example


def test_every_command_fits_into_the_list() -> None:
    text = subprocess.run([POINTSMAN, "--help"], capture_output=True, text=True, check=True).stdout
    assert "..." not in text.partition("Commands:")[2], "a first sentence is too long for its line"
    assert all(f"\n  {path[0]} " in text for path in EVERY)


@pytest.mark.parametrize("path", SHOWING, ids=" ".join)
def test_a_reader_that_leaves_at_once_is_no_failure_to_speak_of(lasting_shell: Shell, path: tuple[str, ...]) -> None:
    lasting_shell.run("use")
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "wb") as nobody:
        done = ended(lasting_shell.begin(*path, stdout=nobody))
    assert (done.returncode, done.stderr) == (1, "")


def test_nobody_hears_what_is_wrong_either(lasting_shell: Shell) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run([POINTSMAN, "use", "--nope"], stdout=theirs, stderr=theirs, timeout=WITHIN, check=False)
    os.close(theirs)
    assert done.returncode == 2


def test_no_output_at_all_is_fine(lasting_shell: Shell) -> None:
    command = "pointsman providers >&- && pointsman chat -m echo:echo hi >&- 2>&-"
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        env=lasting_shell.home.environment,
        capture_output=True,
        timeout=WITHIN,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_ctrl_c_before_anything_is_quiet(lasting_shell: Shell) -> None:
    terminal = lasting_shell.terminal("chat")
    terminal.shows("Type your question")
    assert terminal.ends_by("\x03") == 130
    assert "Traceback" not in terminal.seen


def test_an_output_that_can_not_show_a_sign_shows_another(lasting_shell: Shell) -> None:
    done = lasting_shell.run("chat", "-m", "echo:echo", "5 €", PYTHONIOENCODING="iso8859-5")
    assert (done.returncode, done.stdout.split()[-1]) == (0, "?")
    assert done.stderr.startswith("? echo:echo\n")


def test_a_daemon_that_goes_away_is_told(shell: Shell) -> None:
    begun = shell.begin("chat", "-m", "echo:slow", "--json", "hello")
    shell.eventually(lambda: bool(shell.json("chats", status=None)["chats"]))
    os.kill(shell.home.pid, signal.SIGKILL)
    done = ended(begun)
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr
        == "pointsman: The daemon went away in the middle of it. Run the command again; a new daemon starts.\n"
    )


def test_what_is_slow_is_imported_by_who_needs_it() -> None:
    code = (
        "import sys; from pointsman.cli.main import cli; "
        "slow = {'rich', 'asyncio', 'tomlkit', 'pygls', 'httpx2'} & sys.modules.keys(); "
        "sys.exit(str(slow) if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_comes_at_once() -> None:
    spent = []
    for _ in range(3):
        begun = subprocess.Popen([POINTSMAN, "--help"], stdout=subprocess.DEVNULL)
        _, begun.returncode, usage = os.wait4(begun.pid, 0)
        spent.append(usage.ru_utime + usage.ru_stime)
    assert min(spent) < MOST_SECONDS
