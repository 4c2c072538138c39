"""The command line as a person uses it: what it prints, what it returns, and how it says that something is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from shutil import which

import pytest

from pointsman.cli.main import cli
from pointsman.endpoint import VERSION
from tests.counterparts.upstream import Upstream
from tests.daemon.client import text_of
from tests.living import POINTSMAN, Home, provider

Done = subprocess.CompletedProcess[str]


def check_plain_error(done: Done, *words: str, status: int = 1) -> None:
    """An error is one line on stderr, with advice, and nothing of Python's."""
    assert done.returncode == status
    assert done.stdout == ""
    assert done.stderr.startswith("pointsman: ")
    assert done.stderr.count("\n") == 1
    assert re.search(r"[.?]( \[\w+\])?\n$", done.stderr)
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr


# Help


def test_every_command_has_help(home: Home) -> None:
    overview = home.run("--help")
    assert (overview.returncode, overview.stderr) == (0, "")
    for name, command in cli.commands.items():
        done = home.run(name, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        first = (command.help or "").split(".")[0]
        assert first
        assert " ".join(first.split()) in " ".join(done.stdout.split())
        assert name in overview.stdout or command.hidden
    assert home.run("-h").stdout == overview.stdout == home.run().stdout + home.run().stderr
    assert home.run("--version").stdout == f"pointsman {VERSION}\n"
    assert not home.daemons(), "help starts nothing"


@pytest.mark.parametrize("arguments", [["stat"], ["use", "a", "b"], ["--nonsense"], ["use", "--scope", "galaxy", "x"]])
def test_a_wrong_command_line_is_told_as_such(home: Home, arguments: list[str]) -> None:
    done = home.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: " in done.stderr
    assert "--help" in done.stderr
    assert "Traceback" not in done.stderr


# The daemon's life


def test_status_does_not_start_a_daemon(home: Home) -> None:
    done = home.run("status")
    assert (done.returncode, done.stderr) == (3, "")
    assert "No daemon is running" in done.stdout
    done = home.run("status", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (3, {})
    assert not home.daemons()


async def test_status_tells_of_the_daemon_and_who_is_there(home: Home) -> None:
    editor = await home.connect(client="my-editor", window="w-9")
    await editor.call("pointsman/switchModel", {"model": "echo:slow", "scope": "global"})
    done = home.run("status")
    assert (done.returncode, done.stderr) == (0, "")
    for word in (str(home.pid), VERSION, "my-editor", "w-9", "slow", str(home.workspace), home.places.log):
        assert word in done.stdout
    status = json.loads(home.run("status", "--json").stdout)
    assert status["pid"] == home.pid
    assert status["selection"]["model"] == "echo:slow"
    assert [client["client"] for client in status["clients"]] == ["my-editor", "pointsman"]


def test_stop_ends_the_daemon_once(home: Home) -> None:
    home.start()
    done = home.run("stop")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Stopped.\n", "")
    home.check_that_none_runs()
    assert home.run("stop").stdout == "No daemon was running.\n"
    assert home.run("stop").returncode == 0


async def test_stop_lets_an_answer_finish(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    editor = await home.connect()
    chat = editor.chat("up:drip:40:0.02")
    await chat.seen("text")
    done = await asyncio.to_thread(home.run, "stop")
    assert (done.returncode, done.stdout) == (0, "Stopped.\n")
    result = await chat.answer()
    assert (result["stopReason"], text_of(result)) == ("end", "".join(f"{n} " for n in range(40)))
    await editor.hung_up()
    home.check_that_none_runs()


def test_restart_replaces_the_daemon_or_starts_it(home: Home) -> None:
    seen = set()
    for _ in range(2):
        done = home.run("restart")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"Pointsman {VERSION} runs as process {home.pid}.\n"
        seen.add(home.pid)
        assert home.daemons() == {home.pid}
    assert len(seen) == 2


# The choice


async def test_use_chooses_for_every_editor(home: Home) -> None:
    editor = await home.connect()
    done = home.run("use", "echo:slow")
    assert (done.returncode, done.stderr) == (0, "")
    assert "slow" in done.stdout
    told = await editor.told("pointsman/selectionChanged")
    assert (told["changed"]["model"], told["changed"]["scope"]) == ("echo:slow", "global")
    assert told["changed"]["changedBy"] == {"client": "pointsman"}
    assert home.run("use").stdout == done.stdout
    local = home.run("use", "--scope", "workspace", "--json", "echo:near")
    assert json.loads(local.stdout)["scope"] == "workspace"
    assert (await editor.call("pointsman/currentModel"))["model"] == "echo:near"


def test_use_of_what_is_not_there_says_what_is(home: Home) -> None:
    check_plain_error(home.run("use", "ecko:slow"), "ecko", "Did you mean echo?")
    check_plain_error(home.run("use", "chain:none"), "none", "No chain is configured yet")
    check_plain_error(home.run("use", "echo:"), "echo")
    assert "no model chosen" in home.run("use").stdout


# What can be in the way


COMMANDS = [["status"], ["use"], ["stop"], ["restart"], ["connect"], ["daemon"]]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_folder_that_is_open_to_others_is_refused(home: Home, arguments: list[str]) -> None:
    folder = Path(home.places.data)
    folder.mkdir()
    folder.chmod(0o755)
    done = home.run(*arguments)
    if arguments[0] in {"status", "stop"}:
        assert done.returncode in {0, 3}, "it needs nothing of that folder but to see that there is no daemon"
    else:
        check_plain_error(done, "is open to other users", f"chmod 700 {folder}")
    assert not home.daemons()


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_folder_that_is_none_is_told(home: Home, arguments: list[str]) -> None:
    Path(home.places.data).write_text("a file")
    check_plain_error(home.run(*arguments), home.places.data)


@pytest.mark.parametrize("arguments", [["status"], ["use"], ["connect"]], ids=" ".join)
def test_an_endpoint_that_leads_nowhere_is_told(home: Home, arguments: list[str]) -> None:
    home.environment["POINTSMAN_ENDPOINT"] = str(home.folder / "nowhere")
    check_plain_error(home.run(*arguments), str(home.folder / "nowhere"), "unset POINTSMAN_ENDPOINT")
    assert not home.daemons()


def test_a_daemon_that_cannot_write_its_state_says_so(home: Home) -> None:
    Path(home.places.data).mkdir(mode=0o700)
    Path(home.places.store).mkdir()
    for arguments in (["use"], ["daemon"], ["connect"]):
        check_plain_error(home.run(*arguments), "state.db")
    home.check_that_none_runs()


def test_a_daemon_that_does_not_answer_is_told(home: Home) -> None:
    pid = home.start()
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        check_plain_error(home.run("status"), "does not answer", "pointsman restart")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert time.monotonic() - began < 10


def test_a_reader_that_leaves_gets_no_traceback(home: Home) -> None:
    home.start()
    command = [str(POINTSMAN), "status", "--json"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command, env=home.environment, stdout=writing, stderr=subprocess.PIPE, timeout=20, check=False
    )
    os.close(writing)
    assert done.stderr == b""


# The rest


def test_the_demo_needs_nothing_and_leaves_nothing(home: Home, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = home.run("demo", TMPDIR=str(scratch))
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("1. The daemon", "echo", "This is Pointsman's offline model.", "pointsman connect"):
        assert word in done.stdout
    assert list(scratch.iterdir()) == []
    assert not Path(home.places.data).exists(), "nothing of the user's own is touched"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_ended_leaves_nothing_either(home: Home, tmp_path: Path, number: signal.Signals) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    begun = subprocess.Popen(
        [POINTSMAN, "demo"], env=home.environment | {"TMPDIR": str(scratch)}, stdout=subprocess.PIPE
    )
    assert begun.stdout
    assert b"The daemon" in begun.stdout.readline()
    (folder,) = scratch.iterdir()
    begun.send_signal(number)
    begun.communicate(timeout=30)
    assert begun.returncode == 128 + number
    assert list(scratch.iterdir()) == []
    until = time.monotonic() + 10  # the last steps of a daemon that has let go of its folder
    while any(f"POINTSMAN_HOME={folder}" in variables_of(each) for each in Path("/proc").glob("[0-9]*")):
        assert time.monotonic() < until, "its daemon still runs"


def variables_of(process: Path) -> list[str]:
    """What a process began with; nothing if it has gone."""
    try:
        return (process / "environ").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return []


def test_the_service_is_a_good_unit(home: Home, tmp_path: Path) -> None:
    done = home.run("service")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"ExecStart={POINTSMAN} daemon\n" in done.stdout
    assert "Type=notify" in done.stdout
    unit = tmp_path / "pointsman.service"
    unit.write_text(done.stdout)
    if analyse := which("systemd-analyze"):
        command = [analyse, "verify", "--man=no", "--user", str(unit)]
        environment = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(home.folder)}
        checked = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=30, check=False)
        assert "pointsman.service" not in checked.stderr
        assert checked.returncode == 0, checked.stderr
