"""How the daemon begins and ends, and what it still knows when it has come back."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from pointsman.endpoint import VERSION
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Refused, text_of
from tests.living import Home, ended, provider

# One daemon


async def test_twenty_editors_at_once_start_one_daemon(home: Home) -> None:
    editors = await asyncio.gather(*(home.connect(client=f"editor {n}") for n in range(20)))
    pids = {(await editor.status())["pid"] for editor in editors}
    status = await editors[0].status(lambda status: len(status["clients"]) == 20)
    assert {client["client"] for client in status["clients"]} == {f"editor {n}" for n in range(20)}
    assert home.daemons() == pids == {home.pid}
    assert sum("listens" in line["message"] for line in await home.whole_log()) == 1


@pytest.fixture
async def two_logins(tmp_path: Path) -> AsyncIterator[Home]:
    """A home in the XDG folders, which two logins share although each has a runtime directory of its own."""
    folders = {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    home = Home(tmp_path / "home", **folders)
    try:
        yield home
        await home.leave()
    finally:
        home.close()


async def test_two_logins_share_one_daemon(two_logins: Home, tmp_path: Path) -> None:
    directories = [tmp_path / name for name in ("run-1", "run-2")]
    for directory in directories:
        directory.mkdir(mode=0o700)
    editors = await asyncio.gather(
        *(two_logins.connect(variables={"XDG_RUNTIME_DIR": str(directory)}) for directory in directories * 5)
    )
    assert {(await editor.status())["pid"] for editor in editors} == two_logins.daemons() == {two_logins.pid}
    assert two_logins.places.data == str(tmp_path / "data" / "pointsman")
    assert "POINTSMAN_HOME" not in two_logins.environment


async def test_a_killed_daemon_is_started_again_and_knows_all_choices(home: Home, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    before = await home.connect(window="w", client="chooser")
    for scope in ("global", "workspace", "window"):
        await before.call("pointsman/switchModel", {"model": f"echo:for-the-{scope}", "scope": scope})
    last = home.pid
    await home.end(signal.SIGKILL)
    await before.hung_up()
    assert home.socket.exists(), "what a killed daemon leaves behind is not in the way"
    assert (home.data / "daemon.lock").read_text()
    began = time.monotonic()
    same, sibling = await asyncio.gather(home.connect(window="w"), home.connect(window="other"))
    assert time.monotonic() - began < 5
    stranger = await home.connect(workspace=elsewhere)
    for editor, scope, revision in ((same, "window", 3), (sibling, "workspace", 2), (stranger, "global", 1)):
        selection = await editor.call("pointsman/currentModel")
        assert (selection["model"], selection["scope"]) == (f"echo:for-the-{scope}", scope)
        assert selection["revision"] == revision
        assert selection["changedBy"] == {"client": "chooser", "windowId": "w"}
    assert home.daemons() == {home.pid} != {last}


async def test_a_second_daemon_gives_way(home: Home) -> None:
    pid = home.start()
    second = await asyncio.to_thread(home.run, "daemon")
    assert second.returncode == 1
    holder = f"process {pid}, version {VERSION}, on {os.uname().nodename}"
    assert second.stderr == (
        f"pointsman: Another Pointsman daemon ({holder}) already serves {home.data}. "
        "Use that one, or run `pointsman restart`.\n"
    )
    assert home.daemons() == {pid}


# Restarts


async def by_command(home: Home) -> None:
    done = await asyncio.to_thread(home.run, "restart")
    assert (done.returncode, done.stderr) == (0, "")


async def by_signal(home: Home) -> None:
    await home.end(signal.SIGTERM)


@pytest.mark.parametrize("restart", [by_command, by_signal])
async def test_a_choice_outlives_settings_and_restarts(
    home: Home, upstream: Upstream, restart: Callable[[Home], Awaitable[None]]
) -> None:
    home.configure('default = "echo"\n' + provider("up", upstream.base_url))
    editor = await home.connect(window="w", client="editor-1")
    assert (await editor.call("pointsman/currentModel"))["scope"] == "default"
    await editor.call("pointsman/switchModel", {"model": "up:count:2"})
    editor.notify("workspace/didChangeConfiguration", {"settings": {"pointsman": {"model": "echo"}}})
    assert (await editor.call("pointsman/currentModel"))["model"] == "up:count:2"
    pid = home.pid
    await restart(home)
    await editor.hung_up()
    again = await home.connect(window="w", client="editor-2")
    assert (await again.status())["pid"] != pid
    again.notify("workspace/didChangeConfiguration", {"settings": None})
    for _ in range(3):
        result = await again.chat(None).answer()
        assert (result["provider"], result["model"], text_of(result)) == ("up", "count:2", "0 1 ")
    assert [request.json["model"] for request in upstream.requests if request.method == "POST"] == ["count:2"] * 3
    selection = await again.call("pointsman/currentModel")
    assert (selection["model"], selection["scope"], selection["state"]) == ("up:count:2", "global", "available")
    assert "the global choice, made by editor-1" in selection["why"]


async def test_a_temporary_choice_ends_with_the_daemon(home: Home) -> None:
    editor = await home.connect(window="w")
    await editor.call("pointsman/switchModel", {"model": "echo:kept", "scope": "global"})
    params = {"model": "echo:fleeting", "scope": "global", "temporary": True}
    assert (await editor.call("pointsman/switchModel", params))["temporary"]
    assert (await editor.call("pointsman/currentModel"))["model"] == "echo:fleeting"
    await home.end()
    again = await home.connect(window="w")
    assert (await again.call("pointsman/currentModel"))["model"] == "echo:kept"


# The end


async def test_sigterm_lets_answers_finish_and_takes_no_new_ones(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    editor, other = await home.connect(), await home.connect()
    pid = home.pid
    chat = editor.chat("up:drip:40:0.02")
    await chat.seen("text")
    os.kill(pid, signal.SIGTERM)
    await other.status(lambda status: status["draining"])
    with pytest.raises(Refused) as caught:
        await other.chat("up:count:1").answer()
    assert caught.value.code == "ShuttingDown"
    late = asyncio.get_running_loop().create_task(home.connect(client="late"))
    assert text_of(await chat.answer()) == "".join(f"{n} " for n in range(40))
    await ended(pid)
    for one in (editor, other):
        await one.hung_up()
    assert (await (await late).status())["pid"] != pid, "whoever came meanwhile is served by the next daemon"
    assert len(upstream.requests) == 1


async def test_sigterm_does_not_wait_for_ever(home: Home, upstream: Upstream) -> None:
    home.configure("[daemon]\ndrain = 0.5\n" + provider("up", upstream.base_url))
    editor = await home.connect()
    chat = editor.chat("up:drip:1000:0.02")
    await chat.seen("text")
    assert 0.45 < await home.end() < 2.0
    result = await chat.answer()
    assert (result["stopReason"], text_of(result)) == ("cancelled", chat.text)
    await asyncio.to_thread(upstream.closed_at, 0)
    await editor.hung_up()
    assert not home.socket.exists()


async def test_it_leaves_when_nobody_needs_it(home: Home, upstream: Upstream) -> None:
    home.configure("[daemon]\nidle_exit = 0.5\n" + provider("up", upstream.base_url))
    editor = await home.connect(window="w")
    chat = editor.chat("up:drip:60:0.02", detach=30)
    await chat.seen("text", 5)
    pid = home.pid
    await editor.kill()
    await ended(pid, within=8)
    told = [line["message"] for line in home.log()]
    assert told[-2:] == ["chat ended: end", "leaving: 0 chats run"], "a chat that nobody watches still needs it"


async def test_it_stays_while_somebody_is_there_or_for_ever(home: Home) -> None:
    home.configure("[daemon]\nidle_exit = 0.2\n")
    editor = await home.connect()
    with pytest.raises(TimeoutError):
        await ended(home.pid, within=0.6)
    await editor.kill()
    await ended(home.pid, within=2)
    home.configure('[daemon]\nidle_exit = "never"\n')
    pid = home.start()
    with pytest.raises(TimeoutError):
        await ended(pid, within=0.6)


def test_a_disk_that_fills_up_while_it_starts_is_told(home: Home) -> None:
    code = [
        "import errno, os",
        "from pointsman import daemon",
        "def listen(where):",
        "    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))",
        "daemon.listen = listen",
        "raise SystemExit(daemon.main())",
    ]
    said, _ = home.program(sys.executable, "-c", "\n".join(code)).communicate(timeout=20)
    assert f"The daemon can't write in {home.places.data}: No space left on device. Make room" in said.decode()


async def test_the_service_manager_is_told(home: Home, tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(10)
        daemon = home.program(NOTIFY_SOCKET=address)
        assert await asyncio.to_thread(manager.recv, 100) == b"READY=1"
        assert home.pid == daemon.pid, "in the foreground it is the process that was started"
        assert (await (await home.connect()).status())["pid"] == daemon.pid
        daemon.terminate()
        assert await asyncio.to_thread(manager.recv, 100) == b"STOPPING=1"
    assert await asyncio.to_thread(daemon.wait, 10) == 0
