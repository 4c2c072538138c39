"""What the daemon keeps to itself: its socket, its environment, and each key and prompt that passes through it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Refused, text_of
from tests.living import Home, command_of, environment_of, provider

KEY, PROMPT = "canary-key-5f1c", "canary-prompt-77aa"
NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as two users, and look into the daemon")

STRANGER = """if True:
    import os, socket, sys
    os.chdir(sys.argv[1])  # so that the folders above need not be opened to him
    if len(sys.argv) > 2:
        os.setgroups([])
        os.setgid(int(sys.argv[2]))
        os.setuid(int(sys.argv[2]))
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    sock.connect("daemon.sock")
    try:
        sock.sendall(b'Content-Length: 2\\r\\n\\r\\n{}')
        print(os.getuid(), sock.recv(1000))
    except ConnectionError:
        print(os.getuid(), b"")
"""


@as_root
async def test_another_users_process_is_told_nothing(home: Home) -> None:
    editor = await home.connect()
    home.data.chmod(0o711)
    home.socket.chmod(0o777)
    assert "InvalidRequest" in said_to(home), "the way there is open"
    assert said_to(home, NOBODY) == f"{NOBODY} b''\n"
    assert len((await editor.status())["clients"]) == 1
    told = [line["message"] for line in await home.whole_log()]
    assert any("refused" in message and str(NOBODY) in message for message in told)


def said_to(home: Home, *user: int) -> str:
    """What a process hears at the socket: one of another user, or one of our own."""
    command = [sys.executable, "-c", STRANGER, str(home.data), *map(str, user)]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout


async def test_all_that_it_makes_is_for_its_owner_alone(home: Home) -> None:
    await (await home.connect()).call("pointsman/switchModel", {"model": "echo:any", "scope": "global"})
    assert stat.S_IMODE(home.data.stat().st_mode) == 0o700
    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in home.data.iterdir()}
    assert {"daemon.sock", "daemon.lock", "daemon.log", "state.db"} <= files.keys()
    assert set(files.values()) == {0o600}, files


@as_root
async def test_nothing_listens_on_the_network(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    editor = await home.connect()
    chat = editor.chat("up:drip:1000:0.02")
    await chat.seen("text")
    held = set(_sockets(home.pid))
    assert set(_listening()) & set(_sockets(os.getpid())), "the provider, which runs in this process"
    assert not set(_listening()) & held
    assert len(held) >= 3, "its own, the editor's and the provider's"


def _sockets(pid: int) -> Iterator[str]:
    """The inodes of a process's sockets."""
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was the one that lists them
            if (name := str(fd.readlink())).startswith("socket:["):
                yield name[8:-1]


def _listening() -> Iterator[str]:
    """The inodes of all sockets that listen on TCP or wait on UDP."""
    for kind, states in (("tcp", {"0A"}), ("tcp6", {"0A"}), ("udp", {"07"}), ("udp6", {"07"})):
        for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] in states:
                yield fields[9]


@as_root
async def test_the_daemon_inherits_nobodys_keys(home: Home) -> None:
    keys = {"OPENAI_API_KEY": KEY, "CORP_LLM_KEY": KEY, "SECRET": KEY, "SSH_AUTH_SOCK": "/run/keys"}
    await home.connect(variables=keys)
    inherited = environment_of(home.pid)
    assert inherited["POINTSMAN_HOME"] == home.places.data
    assert not keys.keys() & inherited.keys()
    assert KEY not in str(inherited)
    assert KEY not in str(command_of(home.pid))
    await home.end()
    home.program(**keys)  # a daemon that somebody starts by hand
    editor = await home.connect()
    assert KEY not in str(environment_of((await editor.status())["pid"]))


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
async def test_the_log_says_who_and_where_but_never_what(home: Home, upstream: Upstream, level: str) -> None:
    home.environment["POINTSMAN_LOG_LEVEL"] = level
    auth = 'auth = { scheme = "bearer", env = "CORP_LLM_KEY" }'
    home.configure(provider("corp", upstream.base_url, auth, "max_retries = 0"))
    editor = await home.connect(client="the-editor", variables={"CORP_LLM_KEY": KEY})
    stock = await home.connect(client="a-stock-editor", stock=True, variables={"CORP_LLM_KEY": KEY})
    chat = editor.chat("corp:count:3", f"tell me of {PROMPT}", system=PROMPT)
    await chat.answer()
    cancelled = editor.chat("corp:stall", PROMPT)
    upstream.request(1)
    cancelled.cancel()
    await cancelled.answer()
    with pytest.raises(Refused):
        await editor.chat("corp:status:401", PROMPT).answer()
    with pytest.raises(Refused):
        await editor.call("pointsman/chat", {"messages": [PROMPT], "model": KEY})
    arguments = {"command": "pointsman.chat", "arguments": [PROMPT, "echo:fast"]}
    assert PROMPT in text_of(await stock.call("workspace/executeCommand", arguments))
    log = await home.whole_log()
    (ended,) = [line for line in log if line.get("chatId") == chat.chat_id]
    assert (ended["client"], ended["provider"], ended["model"]) == ("the-editor", "corp", "count:3")
    assert {line["level"] for line in log} <= {"DEBUG", "INFO", "WARNING"}
    for file in home.data.iterdir():
        kept = file.read_bytes()
        assert KEY.encode() not in kept, file
        assert PROMPT.encode() not in kept, file


async def test_a_provider_that_quotes_a_key_is_not_repeated(home: Home, upstream: Upstream) -> None:
    body = b'{"error": {"message": "Incorrect API key provided: %b"}}' % KEY.encode()
    upstream.script("/v1/chat/completions", Reply(body, status=401))
    home.configure(provider("corp", upstream.base_url, 'auth = { scheme = "bearer", env = "CORP_LLM_KEY" }'))
    editor = await home.connect(variables={"CORP_LLM_KEY": KEY})
    with pytest.raises(Refused) as caught:
        await editor.chat("corp:any").answer()
    assert "Incorrect API key provided" in caught.value.message
    await home.end()
    assert KEY not in str(editor.heard)
    assert KEY not in (home.data / "daemon.log").read_text()
