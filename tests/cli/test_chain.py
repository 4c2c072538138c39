"""`pointsman chain`: several ways to an answer, in the user's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.cli.test_completion import bash


def test_a_chain_is_written_shown_used_and_taken_back(shell: Shell) -> None:
    done = shell.run("chain", "set", "mine", "echo:echo", "echo:slow")
    assert done.stdout == "chain:mine now tries echo:echo → echo:slow.\n"
    file = shell.home.places.config_file
    assert shell.run("chain").stdout == f"mine\techo:echo → echo:slow\tordered\t{file}\n"
    values = {"targets": ["echo:echo", "echo:slow"], "strategy": "ordered", "on_break": "stop"}
    assert shell.json("chain") == {"chains": {"mine": values}, "origins": {"mine": file}}
    assert "chains.mine.targets" in shell.run("config", "show", "chains").stdout
    assert shell.run("chat", "-m", "chain:mine", "hi").returncode == 0
    shown = shell.run("chain", "show", "mine").stdout.splitlines()
    assert shown[:2] == ["chain:mine: chain mine", "In the order of the chain."]
    assert [line.split("\t")[:2] for line in shown[2:]] == [["1", "echo:echo"], ["2", "echo:slow"]]
    assert shell.json("chain", "show", "chain:mine")["spec"] == "chain:mine", "named as a chat names it"
    assert shell.run("chain", "remove", "chain:mine").stdout == "chain:mine is removed.\n"
    assert shell.run("chain").stdout == ""
    assert "mine" not in Path(file).read_text()


def test_how_it_goes_about_it_is_kept_until_told_otherwise(shell: Shell) -> None:
    shell.run("chain", "set", "c", "echo:echo", "--strategy", "sticky", "--on-break", "continue")
    shell.run("chain", "set", "c", "echo:slow")
    told = "sticky, goes on when an answer breaks off"
    assert shell.run("chain").stdout.startswith(f"c\techo:slow\t{told}\t")
    assert shell.json("chain", "set", "c", "echo:slow", "--strategy", "ordered")["revision"]
    assert shell.json("chain")["chains"]["c"]["strategy"] == "ordered"


def test_chains_are_completed_and_offered(shell: Shell) -> None:
    shell.run("chain", "set", "coding", "echo:echo")
    assert bash(shell, "pointsman", "chain", "s") == ["set", "show"]
    assert bash(shell, "pointsman", "chain", "remove", "cod") == ["coding"]
    assert bash(shell, "pointsman", "chain", "set", "new", "echo:sl") == ["echo:slow"]
    assert "chain:coding" in bash(shell, "pointsman", "use", "chain:co")


def test_what_a_project_names_stays(shell: Shell) -> None:
    file = shell.home.workspace / ".pointsman.toml"
    file.write_text('[chains]\nteam = ["echo:slow"]\n')
    assert shell.run("trust", "--yes").returncode == 0
    assert shell.run("chain", "remove", "team").returncode == 1, "it is not ours to remove"
    shell.run("chain", "set", "team", "echo:echo")
    assert shell.run("chain", "remove", "team").stdout == f"chain:team still comes from {file}.\n"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("show", "nobody"), 1, "no chain 'nobody'"),
        (("remove", "nobody"), 1, "There is no chain 'nobody'; there are: none."),
        (("remove",), 2, "Missing argument 'NAME'"),
        (("set", "c"), 2, "Missing argument 'TARGET...'"),
        (("set", "c", "ecko"), 1, "Did you mean echo"),
        (("set", "c", "chain:c"), 1, "go in a circle"),
        (("set", "", "echo"), 2, "The name of a chain has at least one letter or digit"),
        (("set", "chain:", "echo"), 2, "The name of a chain has at least one letter or digit"),
        (("set", "a\x07b", "echo"), 2, "only `-`, `_` and `.`. Choose another."),
        (("set", "chain:chain:q", "echo"), 2, "only `-`, `_` and `.`. Choose another."),
        (("set", "a" * 201, "echo"), 2, "200 characters at most"),
        (("set", "c", "echo", "--strategy", "luckiest"), 2, "'luckiest' is not one of"),
        (("--json", "remove", "c"), 2, "Put `--json` behind `remove`."),
    ],
)
def test_bad_input_gets_one_line(lasting_shell: Shell, words: tuple[str, ...], status: int, said: str) -> None:
    done = lasting_shell.run("chain", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1), done
    assert said in done.stderr
