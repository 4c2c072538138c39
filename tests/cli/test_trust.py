"""`pointsman trust`: a folder's own file counts once somebody has looked at it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.shell import Shell

FILE = 'default = "echo:slow"\n'


def write(shell: Shell, text: str = FILE) -> Path:
    path = shell.home.workspace / ".pointsman.toml"
    path.write_text(text)
    return path


def holds(shell: Shell) -> bool:
    return bool(shell.json("use")["model"] == "echo:slow")


def test_a_person_sees_it_and_is_asked(shell: Shell) -> None:
    path = write(shell)
    assert not holds(shell)
    terminal = shell.terminal("trust")
    terminal.shows("Trust it?")
    assert FILE.strip() in terminal.seen
    terminal.types("y\n")
    assert terminal.ends() == 0
    assert f"{path} is trusted as it is now." in terminal.seen
    assert holds(shell)


@pytest.mark.parametrize(("keys", "status"), [("n\n", 1), ("\n", 1), ("\x03", 130)])
def test_who_does_not_agree_changes_nothing(shell: Shell, keys: str, status: int) -> None:
    write(shell)
    terminal = shell.terminal("trust")
    terminal.shows("Trust it?")
    assert terminal.ends_by(keys) == status
    assert not holds(shell)


def test_where_nobody_can_be_asked_it_is_not_trusted(shell: Shell) -> None:
    write(shell)
    done = shell.run("trust", given="y\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "add `--yes`" in done.stderr
    assert not holds(shell)


def test_yes_answers_and_remove_takes_it_back(shell: Shell) -> None:
    path = write(shell)
    done = shell.run("trust", "--yes")
    assert (done.returncode, done.stdout) == (0, f"{path} is trusted as it is now.\n")
    assert FILE.strip() in done.stderr, "it is shown all the same"
    assert holds(shell)
    assert shell.json("trust", "--remove") == {"file": str(path), "trusted": False}
    assert not holds(shell)


def test_a_folder_is_meant_wherever_its_name_leads(shell: Shell) -> None:
    write(shell)
    (shell.home.folder / "link").symlink_to(shell.home.workspace)
    assert shell.json("trust", "--yes", str(shell.home.folder / "link"))["trusted"] is True
    assert holds(shell)


def test_a_file_that_changes_while_one_looks_is_not_trusted(shell: Shell) -> None:
    path = write(shell)
    terminal = shell.terminal("trust")
    terminal.shows("Trust it?")
    path.write_text('default = "echo:slow"\naliases.a = "echo:echo"\n')
    terminal.types("y\n")
    assert terminal.ends() == 1
    assert "changed while you looked at it" in terminal.seen
    assert not holds(shell)


def test_what_would_hide_in_a_terminal_is_spelled_out(shell: Shell) -> None:
    write(shell, 'default = "echo:slow" # \x1b[8m\n')
    terminal = shell.terminal("trust", NO_COLOR="1")
    terminal.shows("Trust it?")
    assert r"# \x1b[8m" in terminal.seen
    terminal.types("\n")
    terminal.ends()


@pytest.mark.parametrize(("words", "status", "said"), [((), 1, "Write it first"), (("a", "b"), 2, "extra argument")])
def test_bad_input_gets_one_line(shell: Shell, words: tuple[str, ...], status: int, said: str) -> None:
    done = shell.run("trust", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1), done
    assert said in done.stderr


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir])
def test_what_is_no_file_is_not_waited_for(shell: Shell, make: Callable[[Path], None]) -> None:
    path = shell.home.workspace / ".pointsman.toml"
    make(path)
    done = shell.run("trust", "--yes")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"{path} can't be read" in done.stderr
    path.rmdir() if path.is_dir() else path.unlink()


def test_what_is_wrong_with_the_file_is_told_once_it_counts(shell: Shell) -> None:
    path = write(shell, FILE + '[providers.openai]\nbase_url = "http://127.0.0.1:9/v1"\n')
    done = shell.run("trust", "--yes")
    assert (done.returncode, done.stdout) == (0, f"{path} is trusted as it is now.\n")
    problem, remedy = done.stderr.splitlines()[-2:]
    assert problem.startswith(f"{path}:2: ")
    assert remedy.startswith("     → ")
