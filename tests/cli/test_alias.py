"""`pointsman alias`: short names in the user's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import Shell


def test_a_name_is_given_shown_and_taken_back(shell: Shell) -> None:
    assert shell.run("alias", "quick", "echo:echo").stdout == "quick now stands for echo:echo.\n"
    assert shell.run("alias", "quick").stdout == "echo:echo\n"
    file = shell.home.places.config_file
    assert shell.run("alias").stdout == f"quick\techo:echo\t{file}\n"
    assert shell.json("alias") == {"aliases": {"quick": "echo:echo"}, "origins": {"quick": file}}
    assert shell.run("chat", "-m", "quick", "hi").returncode == 0
    assert shell.run("alias", "--remove", "quick").stdout == "quick is removed.\n"
    assert shell.run("alias").stdout == ""
    assert "quick" not in Path(file).read_text()


def test_a_name_with_dots_and_spaces_is_a_name(shell: Shell) -> None:
    assert shell.json("alias", "my gpt-4.1", "echo:slow")["revision"]
    assert shell.run("alias", "my gpt-4.1").stdout == "echo:slow\n"
    assert shell.run("alias").stdout.startswith("my gpt-4.1\techo:slow\t/")


def test_what_a_project_names_stays(shell: Shell) -> None:
    (shell.home.workspace / ".pointsman.toml").write_text('aliases.quick = "echo:slow"\n')
    assert shell.run("trust", "--yes").returncode == 0
    assert shell.run("alias", "quick").stdout == "echo:slow\n"
    assert shell.run("alias", "--remove", "quick").returncode == 1, "it is not ours to remove"
    shell.configure('aliases.quick = "echo:echo"\n')
    shell.run("config", "check")
    done = shell.run("alias", "--remove", "quick")
    assert done.stdout == f"quick still comes from {shell.home.workspace / '.pointsman.toml'}.\n"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("nobody",), 1, "There is no alias 'nobody'; there are: none."),
        (("--remove", "nobody"), 1, "There is no alias 'nobody'"),
        (("--remove",), 2, "Say which name to remove"),
        (("--remove", "a", "b"), 2, "Say which name to remove"),
        (("quick", "ecko"), 1, "Did you mean echo"),
        (("", "echo:echo"), 2, "A short name must have letters"),
        (("  ", "echo:echo"), 2, "A short name must have letters"),
        ((" a", "echo:echo"), 2, "no blanks around"),
        (("a\x07b", "echo:echo"), 2, "nobody can see or type"),
        (("a\u2028b", "echo:echo"), 2, "nobody can see or type"),
        (("a" * 201, "echo:echo"), 2, "200 characters at most"),
        (("chain:x", "echo:echo"), 2, "`chain:` begins the name of a chain"),
        (("openai", "echo:echo"), 1, "'openai' leads to the provider 'openai'"),
        (("echo:slow", "echo:echo"), 1, "leads to the provider 'echo'"),
        (("a", "b", "c"), 2, "unexpected extra argument"),
    ],
)
def test_bad_input_gets_one_line(lasting_shell: Shell, words: tuple[str, ...], status: int, said: str) -> None:
    done = lasting_shell.run("alias", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1), done
    assert said in done.stderr
