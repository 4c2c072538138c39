"""`pointsman vault` at a terminal: a passphrase is typed hidden, twice where it is new; nothing is removed unasked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pointsman.edge.master_key import FILE
from tests.cli.shell import Shell
from tests.service.vault_kit import change, filled

PASSPHRASE = "correct-horse-of-a-test"  # noqa: S105 - it opens nothing


@pytest.fixture(autouse=True)
def _stored(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    shell.home.data.mkdir(mode=0o700, exist_ok=True)
    asyncio.run(filled(shell.home.data))


def export(shell: Shell, file: Path, *typed: str) -> tuple[int, str]:
    terminal = shell.terminal("vault", "export", str(file))
    for number, words in enumerate(typed):
        terminal.shows("Repeat" if number else "Passphrase")
        terminal.types(f"{words}\r")
    status = terminal.ends()
    assert PASSPHRASE not in terminal.seen
    return status, terminal.seen


def test_a_passphrase_is_typed_hidden_and_twice(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    status, seen = export(shell, file, PASSPHRASE, PASSPHRASE)
    assert (status, "3 credentials written" in seen) == (0, True)
    terminal = shell.terminal("vault", "import", str(file))
    terminal.shows("Passphrase")
    terminal.types(f"{PASSPHRASE}\r")
    assert terminal.ends() == 0
    assert "there already" in terminal.seen
    assert PASSPHRASE not in terminal.seen


def test_a_short_passphrase_is_refused(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    status, seen = export(shell, file, "short", "short")
    assert (status, "shorter than 8" in seen, file.exists()) == (1, True, False)


def test_what_can_not_be_written_is_told(shell: Shell, tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text(PASSPHRASE)
    file = tmp_path / "absent" / "keys.json"
    done = shell.run("vault", "export", str(file), "--passphrase-file", str(words))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"there is no folder {file.parent}. Make it" in done.stderr
    assert "exported" not in shell.run("audit").stdout


def test_what_can_not_be_opened_is_told_where_it_is_missing(shell: Shell) -> None:
    change(shell.home.data, "UPDATE sealed SET origin = 'x' WHERE id IN ('r1', 'r3')")
    damaged = "What is stored for {} as {!r} is left out. It was damaged"
    assert damaged.format("corp", "work") in shell.run("keys").stderr
    assert damaged.format("corp", "work") not in shell.run("keys", "list", "openai").stderr
    missed = shell.run("accounts")
    assert damaged.format("chat", "me@corp.example") in missed.stderr
    assert "No accounts" not in missed.stderr


def test_while_the_key_is_lost_nothing_is_said_to_be_missing(shell: Shell) -> None:
    (shell.home.data / FILE).unlink()
    for words, status in ((("keys",), 0), (("keys", "test"), 1), (("accounts",), 0)):
        done = shell.run(*words)
        assert (done.returncode, done.stdout) == (status, ""), words
        assert done.stderr.startswith("The key of the vault was in "), words


def test_nothing_is_discarded_where_all_can_be_opened(shell: Shell) -> None:
    assert shell.run("vault", "discard").stdout == "All can be opened. Nothing is removed.\n"


@pytest.mark.parametrize(("answer", "left"), [("n", 3), ("y", 2)])
def test_discarding_asks(shell: Shell, answer: str, left: int) -> None:
    change(shell.home.data, "UPDATE sealed SET origin = 'x' WHERE id = 'r1'")
    terminal = shell.terminal("vault", "discard")
    terminal.shows("Remove 1 credential for good?")
    terminal.types(f"{answer}\r")
    assert terminal.ends() == (0 if answer == "y" else 1)
    assert len(change(shell.home.data, "SELECT 1 FROM sealed")) == left


def test_a_sealed_label_can_not_drive_the_terminal(shell: Shell) -> None:
    change(shell.home.data, "UPDATE sealed SET label = char(27) || '[31mred' WHERE id = 'r1'")
    terminal = shell.terminal("vault", "status")
    assert terminal.ends() == 1
    assert "\x1b[31mred" not in terminal.seen
    assert "\\x1b[31mred" in terminal.seen


def test_programs_get_json_from_each(shell: Shell, tmp_path: Path) -> None:
    words, file = tmp_path / "words", tmp_path / "keys.json"
    words.write_text(PASSPHRASE)
    assert shell.json("vault", "rotate")["state"] == "open"
    assert shell.json("vault", "export", str(file), "--passphrase-file", str(words)) == {
        "records": 3,
        "accounts": 1,
        "leftOut": 0,
    }
    found = shell.json("vault", "import", str(file), "--passphrase-file", str(words))
    assert {each["outcome"] for each in found["records"]} == {"thereAlready"}
    assert shell.json("vault", "discard") == {"removed": 0}
    assert [each["event"] for each in shell.json("audit")["events"]] == ["exported"] * 3 + ["rotated"]
    (shell.home.data / FILE).unlink()
    assert shell.json("vault", "status")["state"] == "open"  # the daemon has opened it already
