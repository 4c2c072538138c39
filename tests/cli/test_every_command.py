"""What holds for every command: its help, a reader that leaves, nobody's traceback, and a quick start."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import pytest

from pointsman.cli.examples import examples
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
EXAMPLES = examples()
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
    assert [line.strip() for line in example.splitlines()] == EXAMPLES[" ".join(("pointsman", *path))]


def test_the_file_of_examples_is_of_the_commands_that_there_are() -> None:
    assert EXAMPLES.keys() == {" ".join(("pointsman", *path)) for path in ((), *EVERY)}
    overview = subprocess.run([POINTSMAN, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(f"\n    {example}\n" in overview for example in EXAMPLES["pointsman"])


@pytest.mark.parametrize("example", sorted({each for shown in EXAMPLES.values() for each in shown}))
def test_an_example_is_a_command_line_that_is_right(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("chat.json").touch()  # one of them reads it
    typed = re.findall(r"(?:^|[ (])pointsman\b((?: (?:\"[^\"]*\"|[^ |&>()\"]+))*)", example)
    assert typed, "it shows nothing of ours"
    for words in map(shlex.split, typed):
        command: click.Command = cli
        while isinstance(command, click.Group) and words:
            command = command.commands[words.pop(0)]
        with command.make_context(command.name, words):
            pass  # it raises what a person would be told


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
        == "pointsman: The daemon went away in the middle of it. Run the command again; a new daemon starts. "
        "[DaemonUnreachable]\n"
    )


def test_what_is_slow_is_imported_by_who_needs_it() -> None:
    code = (
        "import sys; from pointsman.cli.main import cli; "
        "slow = {'rich', 'asyncio', 'tomlkit', 'pygls', 'httpx2'} & sys.modules.keys(); "
        "sys.exit(str(slow) if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_examples_are_read_for_help_alone() -> None:
    code = (
        "import sys; from pointsman.cli.main import cli; opened = []; "
        "sys.addaudithook(lambda event, about: opened.append(str(about[0])) if event == 'open' else None); "
        "cli([*sys.argv[1:]], standalone_mode=False); "
        "sys.exit(sum(name.endswith('examples.toml') for name in opened))"
    )
    for words, read in (["completion", "fish"], 0), (["completion", "--help"], 1):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (read, "")


def test_help_comes_at_once() -> None:
    spent = []
    for _ in range(3):
        begun = subprocess.Popen([POINTSMAN, "--help"], stdout=subprocess.DEVNULL)
        _, begun.returncode, usage = os.wait4(begun.pid, 0)
        spent.append(usage.ru_utime + usage.ru_stime)
    assert min(spent) < MOST_SECONDS


@pytest.mark.parametrize(
    "command",
    ["use", "use --json", "--help", "--version", "use --help", "providers", "models", "config show", "doctor", "log",
     "chat -m echo:echo hi", "chat -m echo:echo --json hi", "completion bash", "alias"],
)  # fmt: skip
def test_an_output_that_takes_nothing_is_told(lasting_shell: Shell, command: str) -> None:
    lasting_shell.run("alias", "quick", "echo:echo")
    done = in_bash(lasting_shell, f"pointsman {command} >/dev/full")
    *_, last = done.stderr.splitlines()
    assert (done.returncode, last) == (
        1,
        "pointsman: The output can't be written: No space left on device. Write it elsewhere, or make room for it.",
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("chat -m echo:echo hi 2>/dev/full", 1),
        ("use --nope 2>/dev/full", 2),
        ("alias nobody 2>/dev/full", 1),
        ("use --json >/dev/full 2>&1", 1),
        ("--help >/dev/full 2>&-", 1),
    ],
)
def test_nor_does_it_matter_that_the_complaint_can_not_be_written(
    lasting_shell: Shell, command: str, status: int
) -> None:
    assert in_bash(lasting_shell, f"pointsman {command}").returncode == status


def test_a_reader_that_leaves_is_no_failure_without_standard_error_either(lasting_shell: Shell) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "wb") as nobody:
        done = subprocess.run(
            ["/bin/bash", "-c", "pointsman models 2>&-"],
            env=lasting_shell.home.environment,
            stdout=nobody,
            timeout=WITHIN,
            check=False,
        )
    assert done.returncode == 1


def test_a_completion_without_a_shell_is_told(lasting_shell: Shell) -> None:
    for words in ({}, {"COMP_WORDS": "pointsman use"}, {"COMP_WORDS": "pointsman use", "COMP_CWORD": "x"}):
        done = lasting_shell.run(_POINTSMAN_COMPLETE="bash_complete", **words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
        assert "COMP_WORDS" in done.stderr


@pytest.mark.parametrize("command", ["trust", "trust here", "config show", "use", "doctor", "config path"])
def test_a_folder_that_has_been_removed_is_no_mystery(lasting_shell: Shell, command: str) -> None:
    lasting_shell.run("use", "echo:echo")
    done = in_bash(lasting_shell, f"mkdir gone && cd gone && rmdir ../gone && pointsman {command}")
    assert "Traceback" not in done.stderr
    if command.startswith("trust"):
        assert (done.returncode, done.stdout) == (1, "")
        assert "has been removed" in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["stop", "restart"])
def test_a_daemon_of_elsewhere_is_not_ended(lasting_shell: Shell, command: str) -> None:
    lasting_shell.run("use", "echo:echo")
    pid = lasting_shell.home.pid
    done = lasting_shell.run(command, POINTSMAN_ENDPOINT="/x")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "Unset POINTSMAN_ENDPOINT" in done.stderr
    assert lasting_shell.home.pid == pid


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_dumb_terminal_gets_plain_text(lasting_shell: Shell, term: str) -> None:
    lasting_shell.run("use", "echo:echo")
    for words in (("providers",), ("chat", "hi"), ("models",), ("status",)):
        terminal = lasting_shell.terminal(*words, TERM=term)
        assert terminal.ends() == 0
        assert "\x1b" not in terminal.seen


def test_times_are_local_for_people_and_exact_for_programs(lasting_shell: Shell) -> None:
    at = datetime.fromisoformat(lasting_shell.json("use", "echo:echo")["changedAt"])
    local = at.astimezone(ZoneInfo("Asia/Tokyo")).strftime("%Y-%m-%d %H:%M:%S")
    for words in (("use",), ("status",)):
        shown = lasting_shell.run(*words, TZ="Asia/Tokyo").stdout
        assert f" at {local}." in shown
        assert not re.search(r"\dT\d", shown)
    assert re.search(r"\dT\d", lasting_shell.json("use", TZ="Asia/Tokyo")["why"])


def test_a_failure_of_the_daemons_names_its_code(lasting_shell: Shell) -> None:
    assert lasting_shell.run("use", "ecko:slow").stderr.endswith(" [UnknownProvider]\n")
    assert lasting_shell.run("use", POINTSMAN_ENDPOINT="/x").stderr.endswith(" [DaemonUnreachable]\n")


def in_bash(shell: Shell, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", "-c", command],
        env=shell.home.environment,
        cwd=shell.home.workspace,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
