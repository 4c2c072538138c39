"""`pointsman doctor`: it finds each thing that can be wrong, says how to mend it, and changes nothing."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pointsman.cli import doctor
from pointsman.endpoint import VERSION
from tests.living import POINTSMAN, UNPRIVILEGED, Home

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


def wrong(home: Home) -> dict[str, dict[str, str]]:
    """What is found to be wrong, by its subject."""
    done = home.run("doctor", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    return {finding["subject"]: finding for finding in json.loads(done.stdout) if not finding["ok"]}


def check(home: Home, subject: str, text: str, remedy: str, also: frozenset[str] = frozenset()) -> None:
    """Exactly this is found to be wrong, and perhaps what follows from it."""
    found = wrong(home)
    assert found.keys() == {subject} | also
    assert text in found[subject]["text"]
    assert remedy in found[subject]["remedy"]


def check_all_is_well(home: Home) -> None:
    """Nothing is found to be wrong."""
    done = home.run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "BAD" not in done.stdout


def test_it_starts_nothing(home: Home) -> None:
    check_all_is_well(home)
    assert not home.daemons()
    assert not Path(home.places.data).exists()


async def test_a_healthy_daemon_is_found_healthy(home: Home) -> None:
    await home.connect()
    check_all_is_well(home)
    found = home.run("doctor").stdout
    for word in (
        f"Held by process {home.pid}",
        "It answers; one other client",
        VERSION,
        home.places.log,
        home.places.socket,
    ):
        assert word in found


def test_a_killed_daemon_is_nothing_bad(home: Home) -> None:
    os.kill(home.start(), signal.SIGKILL)
    check_all_is_well(home)


async def test_a_damaged_state_is_told_before_a_daemon_finds_it(home: Home) -> None:
    home.start()
    await home.end()
    check_all_is_well(home)
    state = Path(home.places.store)
    broken = state.read_bytes().replace(b"CREATE TABLE", b"CREATE T\xbeBLE", 1)
    state.write_bytes(broken)
    check(home, "state", f"{state} is damaged: ", "The next daemon sets it aside")
    assert state.read_bytes() == broken
    assert [path.name for path in state.parent.glob("state.*")] == ["state.db"]


def test_an_older_daemon_is_to_be_restarted(home: Home) -> None:
    constants = [f"pointsman.endpoint.{module}VERSION = '0.0.1'" for module in ("", "lock.", "greeting.")]
    with home.serving(*constants):
        check(home, "version", "The daemon (0.0.1) is older", "run `pointsman restart`")
        assert home.run("restart").returncode == 0
    check_all_is_well(home)


async def test_an_older_daemon_is_told_to_the_editor(home: Home) -> None:
    await home.serve(*[f"pointsman.endpoint.{module}VERSION = '0.0.1'" for module in ("", "lock.", "greeting.")])
    editor = await home.connect()
    warned = await editor.told("window/showMessage")
    assert "The daemon (0.0.1) is older" in warned["message"]
    assert "pointsman restart" in warned["message"]


def test_a_daemon_that_is_newer_wants_an_upgrade(home: Home) -> None:
    with home.serving(*[f"pointsman.endpoint.{module}VERSION = '99.1'" for module in ("", "lock.", "greeting.")]):
        check(home, "version", "is older than the daemon (99.1)", "upgrade this pointsman")


def test_a_daemon_of_another_protocol_is_told(home: Home) -> None:
    constants = ["pointsman.endpoint.PROTOCOL = 0", "pointsman.endpoint.VERSION = '0.0.1'"]
    with home.serving(*constants):
        check(home, "daemon", "does not understand", "Run `pointsman restart`")
        assert home.run("restart").returncode == 0
    check_all_is_well(home)


def test_an_open_folder_is_to_be_closed(home: Home) -> None:
    home.start()
    Path(home.places.data).chmod(0o755)
    check(home, "data folder", "is open to other users", f"chmod 700 {home.places.data}", also=frozenset({"daemon"}))


def test_a_folder_that_can_only_be_read_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.data.mkdir(mode=0o700, parents=True)
    values = list(os.statvfs(home.data))
    values[8] |= os.ST_RDONLY
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(values))
    (found,) = [finding for finding in doctor._folder(home.places) if not finding.ok]
    assert found.text == f"{home.data} can only be read, and the daemon has to write there."


@as_root
def test_a_foreign_folder_is_to_be_given_back(home: Home) -> None:
    Path(home.places.data).mkdir(mode=0o700)
    os.chown(home.places.data, 65534, 65534)
    check(home, "data folder", "belongs to user 65534", "chown")
    finding = wrong(home)["data folder"]
    plain = home.run("doctor")
    assert plain.returncode == 1
    assert f"BAD  data folder: {finding['text']}\n     → {finding['remedy']}\n" in plain.stdout


def test_a_missing_socket_is_to_be_made_anew(home: Home) -> None:
    home.start()
    Path(home.places.socket).unlink()
    found = wrong(home)
    assert found.keys() == {"socket", "daemon"}
    assert "can't be found" in found["socket"]["text"]
    for finding in found.values():
        assert finding["remedy"] == "Run `pointsman restart`."
    assert home.run("restart").returncode == 0
    check_all_is_well(home)


def test_an_open_socket_is_to_be_closed(home: Home) -> None:
    home.start()
    Path(home.places.socket).chmod(0o777)
    check(home, "socket", "is not a socket that only you can use", f"chmod 600 {home.places.socket}")


def test_a_socket_that_can_not_be_used_is_told_at_once(home: Home) -> None:
    pid = home.start()
    home.socket.chmod(0)
    command = [*UNPRIVILEGED, POINTSMAN, "doctor", "--json"]
    done = subprocess.run(command, env=home.environment, capture_output=True, text=True, timeout=20, check=False)
    found = {finding["subject"]: finding for finding in json.loads(done.stdout) if not finding["ok"]}
    assert found.keys() == {"socket", "daemon"}
    assert found["socket"]["text"] == f"{home.socket} can't be used by you."
    assert found["socket"]["remedy"] == f"Run `chmod 600 {home.socket}`."
    assert f"(process {pid}), but you may not use its socket" in found["daemon"]["text"]


@contextmanager
def held(home: Home, content: str) -> Iterator[None]:
    """Somebody who is no daemon holds the lock."""
    Path(home.places.data).mkdir(mode=0o700)
    file = Path(home.places.lock)
    file.touch(mode=0o600)
    file.write_text(content)
    with file.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_a_lock_that_names_nobody_is_told(home: Home) -> None:
    with held(home, ""):
        found = wrong(home)["lock"]
    assert "does not say by whom" in found["text"]
    assert "fuser" in found["remedy"]


def test_a_daemon_on_another_computer_is_told(home: Home) -> None:
    info = {"endpoint": home.places.socket, "pid": 1, "version": VERSION, "protocol": 1, "host": "elsewhere"}
    with held(home, json.dumps(info)):
        found = wrong(home)["lock"]
    assert "runs on elsewhere" in found["text"]
    assert "POINTSMAN_HOME" in found["remedy"]


@pytest.mark.parametrize(
    ("toml", "line", "text", "remedy"),
    [
        ('default = "echo"\n[providers\n', 2, "Not valid TOML", "Mend that line"),
        ('default = "echo"\nalias = 3\n', 2, "alias", "Did you mean `aliases`?"),
        ('[providers.corp]\nbase_url = "https://x"\nwire = "openai-chta"\n', 3, "openai-chta", ""),
        ('[providers.corp]\nbase_url = "llm.corp"\n', 2, "Expected an absolute", ""),
        ("[daemon]\nidle_exit = -1\n", 2, "idle_exit", ""),
    ],
)
def test_a_mistake_in_the_configuration_is_shown_with_its_line(
    home: Home, toml: str, line: int, text: str, remedy: str
) -> None:
    home.configure(toml)
    check(home, "configuration", f"{home.places.config_file}:{line}: ", remedy)
    assert text in home.run("doctor").stdout


async def test_a_mistake_in_the_configuration_is_told_to_editors(home: Home) -> None:
    home.configure('default = "echo"\nalias = 3\n')
    editor, stock = await home.connect(), await home.connect(stock=True)
    problem = await editor.told("pointsman/configProblem")
    assert (problem["file"], problem["line"]) == (home.places.config_file, 2)
    assert "aliases" in problem["hint"]
    assert f"{home.places.config_file} line 2" in (await stock.told("window/showMessage"))["message"]
    assert (await editor.call("pointsman/currentModel"))["model"] == "echo", "what is right in it holds"


@pytest.mark.parametrize("line", ['keys = ["sk-1234567890"]', 'headers = { "X-Api-Key" = "sk-1234567890" }'])
def test_a_key_that_others_may_read_is_to_be_hidden(home: Home, line: str) -> None:
    home.configure(f"[providers.openai]\n{line}\n")
    home.file.chmod(0o640)
    check(home, "configuration", "holds a key, and others may read it", f"chmod 600 {home.file}")
    home.file.chmod(0o600)
    check_all_is_well(home)


def test_a_file_without_a_key_may_be_read_by_anybody(home: Home) -> None:
    home.configure('[providers.openai]\nkeys = ["env:A"]\n')
    home.file.chmod(0o644)
    check_all_is_well(home)
