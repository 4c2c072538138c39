"""`pointsman use`: which model answers, the choice of another, and a list to pick from."""

from __future__ import annotations

import pytest

from tests.cli.shell import Shell

ALIASES = """\
[aliases]
quick = "echo:echo"
[chains]
both = ["echo:echo", "echo:slow"]
"""
ASKS = "Enter leaves it as it is: "


def chosen(shell: Shell) -> object:
    return shell.json("use")["model"]


def test_a_choice_holds_for_the_next_one_who_asks(shell: Shell) -> None:
    done = shell.run("use", "echo:slow")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Echo (offline) · slow (available). Decided by the global choice")
    assert shell.run("use").stdout == done.stdout, "bare, in a pipe, it tells what holds"
    assert shell.json("use")["target"] == "echo:slow"


def test_a_choice_can_be_taken_back(shell: Shell) -> None:
    assert shell.json("use", "echo:slow")["scope"] == "global"
    assert shell.json("use", "--clear")["state"] == "unset"
    assert shell.run("use").stdout.startswith("no model chosen; `pointsman use")


def test_a_folder_has_a_choice_of_its_own(shell: Shell) -> None:
    assert shell.json("use", "echo:slow", "--scope", "workspace")["scope"] == "workspace"
    done = shell.run("use", "echo:echo")
    assert done.stderr == "Chosen, but something narrower decides here: workspace.\n"
    assert shell.json("use", "--clear", "--scope", "workspace")["model"] == "echo:echo"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("echo:echo", "--scope", "window"), "no window that would come back"),
        (("echo:echo", "--clear"), "leave the model out"),
        (("echo:echo", "--scope", "galaxy"), "'galaxy' is not one of"),
        (("echo:echo", "echo:slow"), "unexpected extra argument"),
    ],
)
def test_bad_input_gets_one_line(lasting_shell: Shell, words: tuple[str, ...], said: str) -> None:
    done = lasting_shell.run("use", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_name_that_leads_nowhere_changes_nothing(shell: Shell) -> None:
    shell.run("use", "echo:slow")
    done = shell.run("use", "ecko")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Did you mean echo" in done.stderr
    assert "pointsman/" not in done.stderr, "the advice is for a person at a shell"
    assert chosen(shell) == "echo:slow"


def test_a_number_picks(shell: Shell) -> None:
    shell.configure(ALIASES + '[providers.lmstudio]\nbase_url = "http://127.0.0.1:9/v1"\n')
    terminal = shell.terminal("use")
    terminal.shows(ASKS)
    lines = [line.strip("\r") for line in terminal.seen.split("\n")]
    assert lines[:4] == ["   1  quick  (alias of echo:echo)", "   2  chain:both  (echo:echo → echo:slow)",
                         "   3  echo:echo", "   4  echo:slow"]  # fmt: skip
    assert "openai" not in terminal.seen, "what could not be used is not offered"
    assert "lmstudio:local-model  (offline)" in terminal.seen
    terminal.types("2\n")
    assert terminal.ends() == 0
    assert chosen(shell) == "chain:both"


def test_words_narrow_the_list_and_enter_takes_the_last_that_is_left(shell: Shell) -> None:
    shell.run("use", "echo:slow")
    terminal = shell.terminal("use")
    terminal.shows(ASKS)
    assert "*  2  echo:slow" in terminal.seen
    terminal.types("nothing like it\n")
    terminal.shows("Nothing there has 'nothing like it' in its name")
    terminal.types("ECHO:e\n")
    terminal.shows("Enter takes echo:echo: ")
    terminal.types("\n")
    assert terminal.ends() == 0
    assert chosen(shell) == "echo:echo"


@pytest.mark.parametrize(("keys", "status"), [("\n", 0), ("\x03", 130), ("\x04", 130)])
def test_who_picks_nothing_changes_nothing(lasting_shell: Shell, keys: str, status: int) -> None:
    lasting_shell.run("use", "echo:slow")
    before = lasting_shell.json("use")
    terminal = lasting_shell.terminal("use")
    terminal.shows(ASKS)
    assert terminal.ends_by(keys) == status
    assert "Traceback" not in terminal.seen
    assert lasting_shell.json("use") == before


def test_a_program_is_never_asked(lasting_shell: Shell) -> None:
    terminal = lasting_shell.terminal("use", "--json")
    assert terminal.ends() == 0
    assert '"revision"' in terminal.seen


def test_who_has_chosen_nothing_is_told_the_next_step(shell: Shell) -> None:
    done = shell.run("use")
    assert done.returncode == 0
    assert "pointsman use SPEC" in done.stderr
    assert "pointsman providers" in done.stderr


def test_a_choice_without_a_key_names_its_variable(shell: Shell) -> None:
    done = shell.run("use", "openai:gpt-4")
    assert done.returncode == 0
    assert "set OPENAI_API_KEY, here and where your editors start" in done.stderr
    assert "OPENAI_API_KEY" in shell.run("use").stderr
    assert shell.run("use", OPENAI_API_KEY="not-a-key").stderr == ""
