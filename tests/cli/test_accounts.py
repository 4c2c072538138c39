"""`login`, `logout` and `accounts`, as a person and a script use them."""

from __future__ import annotations

import os
import re
import select
from pathlib import Path
from typing import IO

import pytest

from tests.cli.shell import WITHIN, Shell, ended
from tests.counterparts.oidc import Browser, Oidc


def found(stream: IO[bytes] | None, pattern: str) -> str:
    """Reads from a pipe until a pattern has come; gives its group."""
    assert stream is not None
    heard = ""
    while not (match := re.search(pattern, heard)):
        assert select.select([stream], [], [], WITHIN)[0], f"it says no more than {heard!r}"
        data = os.read(stream.fileno(), 65536).decode()
        assert data, f"it ended with {heard!r}"
        heard += data
    return str(match[1])


def sign_in(shell: Shell, *words: str, login: str = "alice") -> str:
    """A whole sign-in; what the command has said at its end."""
    begun = shell.begin("login", "corp", "--no-browser", *words)
    Browser(login).sign_in(found(begun.stderr, r"(?m)^(http\S+)\n"))
    done = ended(begun)
    assert done.returncode == 0, done
    return str(done.stdout)


def test_signing_in_and_out(shell: Shell, oidc: Oidc) -> None:
    shell.configure(oidc.definition())
    assert sign_in(shell) == "alice@example.test is signed in at corp.\n"
    assert "work is signed in" in sign_in(shell, "--label", "work", login="bob")
    rows = [line.split("\t") for line in shell.run("accounts").stdout.splitlines()]
    assert [row[:3] for row in rows] == [["corp", "🔐 alice@example.test", "ready"], ["corp", "🔐 work", "ready"]]
    assert [each["account"] for each in shell.json("accounts", "corp")["accounts"]] == ["alice@example.test", "work"]
    assert "hello" in shell.run("chat", "--model", "corp", "hi").stdout
    done = shell.run("logout", "corp")
    assert (done.returncode, "alice@example.test, work" in done.stderr) == (1, True)
    assert shell.run("logout", "corp", "work").stdout == "work is signed out at corp.\n"
    assert shell.json("logout", "corp")["revoked"] is True
    assert shell.json("accounts") == {"accounts": []}
    assert len(oidc.asked("/oauth/revoke")) == 2


def test_a_terminal_has_a_legend(shell: Shell, oidc: Oidc) -> None:
    shell.configure(oidc.definition())
    sign_in(shell)
    seen = []
    for command in ("accounts", "providers"):
        terminal = shell.terminal(command, columns=160)
        assert terminal.ends() == 0
        assert "account that has signed in" in terminal.seen
        seen.append(terminal.seen)
    assert "🔐 alice@example.test" in seen[0]
    assert "🔐 Corp" in seen[1]


def test_a_code_for_another_device(shell: Shell, oidc: Oidc) -> None:
    shell.configure(oidc.definition())
    begun = shell.begin("login", "corp", "--device")
    code = found(begun.stderr, r"\s([A-Z]{4}-[A-Z]{4})\s")
    Browser().enter_code(f"{oidc.origin}/device?user_code={code}")
    assert ended(begun).stdout == "alice@example.test is signed in at corp.\n"


def test_giving_up(shell: Shell, oidc: Oidc) -> None:
    shell.configure(oidc.definition())
    terminal = shell.terminal("login", "corp", "--no-browser")
    terminal.shows("state=")
    assert terminal.ends_by("\x03") == 130
    assert "Traceback" not in terminal.seen


def test_the_browser_opens_where_there_is_a_screen(shell: Shell, oidc: Oidc, tmp_path: Path) -> None:
    shell.configure(oidc.definition())
    seen, program = tmp_path / "seen", tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {seen}.part && mv {seen}.part {seen}\n')
    program.chmod(0o700)
    shell.home.environment["BROWSER"] = f"{program} %s"
    begun = shell.begin("login", "corp")
    shell.eventually(seen.exists)
    Browser().sign_in(seen.read_text().strip())
    assert ended(begun).returncode == 0


def test_from_far_away_a_code_is_asked_for(shell: Shell, oidc: Oidc) -> None:
    shell.configure(oidc.definition())
    shell.home.environment["SSH_CONNECTION"] = "192.0.2.1 5 192.0.2.2 22"
    begun = shell.begin("login", "corp")
    assert found(begun.stderr, "(on any device)")
    begun.terminate()
    ended(begun)


@pytest.mark.parametrize("words", [("login", "echo"), ("logout", "echo")])
def test_what_can_not_be_done(lasting_shell: Shell, words: tuple[str, ...]) -> None:
    done = lasting_shell.run(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("pointsman: ")
    assert lasting_shell.run("accounts").stderr == "No accounts. `pointsman login` signs in to a provider.\n"
