"""`pointsman chats`: those of everybody, followed, and ended."""

from __future__ import annotations

import signal
import uuid
from typing import Any

import pytest

from pointsman.cli.client import Client
from pointsman.cli.tables import _short
from tests.cli.shell import Shell, ended, first

SAYS = "This is Pointsman's offline model. You said: "
LONG = " ".join(f"word{number}" for number in range(100))
"""It takes half a minute to be said slowly: whoever waits for its end has failed."""


def only(shell: Shell) -> Any:
    """The one chat that there is."""
    (chat,) = shell.json("chats")["chats"]
    return chat


def test_without_a_daemon_there_are_none(shell: Shell) -> None:
    done = shell.run("chats")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert shell.json("chats", status=3) == {"chats": []}
    assert shell.run("chats", "attach", "x").returncode == 3
    assert not shell.home.daemons(), "none was started just to look"


def test_a_chat_is_in_the_list(shell: Shell) -> None:
    shell.run("chat", "-m", "echo:echo", "hello\tthere")
    (chat,) = shell.json("chats")["chats"]
    row = shell.run("chats").stdout.rstrip("\n").split("\t")
    assert row[:4] == [chat["chatId"], "end", "echo:echo", "pointsman"]
    assert row[5] == "hello there"
    terminal = shell.terminal("chats", NO_COLOR="1")
    assert terminal.ends() == 0
    assert terminal.seen.splitlines()[1].split()[:2] == [chat["chatId"][:8], "end"]


def test_an_empty_list_says_so_to_people(lasting_shell: Shell) -> None:
    done = lasting_shell.run("chats")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No chats.\n")


def test_a_chat_is_followed_from_its_first_word(shell: Shell) -> None:
    begun = shell.begin("chat", "-m", "echo:slow", "one two three")
    first(begun.stdout, b"offline")
    done = shell.run("chats", "attach", only(shell)["chatId"][:6])
    assert (done.returncode, done.stdout) == (0, f"{SAYS}one two three\n")
    assert done.stderr.splitlines()[0] == "→ echo:slow"
    assert done.stderr.splitlines()[1].startswith("— echo:slow · ")
    assert ended(begun).returncode == 0
    again = shell.json("chats", "attach", only(shell)["chatId"])
    assert again["message"]["content"][0]["text"] == f"{SAYS}one two three", "one that has ended is still there"


def test_ctrl_c_leaves_a_followed_chat_alone(shell: Shell) -> None:
    begun = shell.begin("chat", "-m", "echo:slow", LONG)
    first(begun.stdout, b"This ")
    watcher = shell.begin("chats", "attach", only(shell)["chatId"][:8])
    first(watcher.stdout, b"This ")
    assert only(shell)["watchers"] == 2
    watcher.send_signal(signal.SIGINT)
    done = ended(watcher)
    assert done.returncode == 130
    assert "Left; the chat runs on for the others." in done.stderr
    assert (only(shell)["state"], only(shell)["watchers"]) == ("running", 1)
    shell.run("chats", "cancel", only(shell)["chatId"])
    assert ended(begun).returncode == 130


def test_a_chat_is_ended_for_everybody(shell: Shell) -> None:
    begun = shell.begin("chat", "-m", "echo:slow", LONG)
    first(begun.stdout, b"This ")
    done = shell.run("chats", "cancel", only(shell)["chatId"][:8])
    assert done.returncode == 0
    assert done.stdout.startswith("This ")
    assert done.stderr.endswith("cancelled\n")
    end = ended(begun)
    assert (end.returncode, end.stderr.splitlines()[-1][-9:]) == (130, "cancelled")
    assert shell.json("chats", "cancel", only(shell)["chatId"])["stopReason"] == "cancelled"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("attach",), 2, "Missing argument 'ID'"),
        (("attach", "zzz"), 1, "No chat that is kept begins with 'zzz'"),
        (("cancel", ""), 1, "No chat that is kept begins with ''"),
        (("--json", "cancel", "x"), 2, "Put `--json` behind `cancel`"),
    ],
)
def test_bad_input_gets_one_line(lasting_shell: Shell, words: tuple[str, ...], status: int, said: str) -> None:
    done = lasting_shell.run("chats", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1), done
    assert said in done.stderr


def test_the_beginning_of_an_id_must_tell_it_from_the_others(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POINTSMAN_HOME", shell.home.environment["POINTSMAN_HOME"])
    chat = {"model": "echo:fast", "messages": [{"role": "user", "content": "hi"}]}
    with Client() as client:
        client.call_all([("pointsman/chat", chat)] * 17)  # seventeen ids can't begin with sixteen digits
    ids = [chat["chatId"] for chat in shell.json("chats")["chats"]]
    digit = next(digit for digit in "0123456789abcdef" if sum(id.startswith(digit) for id in ids) > 1)
    done = shell.run("chats", "attach", digit)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"'{digit}' could be any of {next(id for id in ids if id.startswith(digit))}" in done.stderr


def test_a_terminal_shows_enough_of_an_id() -> None:
    ids = [str(uuid.UUID(int=number << 64)) for number in (1, 2, 2**40)]
    assert [_short(id, ids) for id in ids] == ["00000000-0000-0001", "00000000-0000-0002", "00000100"]
