"""Programs that run for a request: real ones, small, and each with a bad habit of its own."""

from __future__ import annotations

import asyncio
import os
import select
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.environment import Environment
from pointsman.core.errors import ConnectFailed, Interrupted, PointsmanError, ProgramMissing
from pointsman.core.http import Head, Request
from pointsman.core.network import Egress
from pointsman.core.program import Run
from pointsman.edge import program
from pointsman.edge.program import MOST_AHEAD, STDERR_KEPT, ProgramTransport, find
from pointsman.edge.program_way import ProgramWay
from pointsman.edge.response import Response
from pointsman.edge.transport import transports

BARE = {"PATH": os.defpath}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def request(run: Run) -> Request:
    return Request("POST", "program://x/run", body=msgspec.json.encode(run))


def shell(script: str, *arguments: str, **more: Any) -> Request:
    """A request that runs a shell script."""
    return request(Run("sh", ("-c", script, "sh", *arguments), **{"environment": BARE, **more}))


def python(code: str, **more: Any) -> Request:
    """A request that runs Python code."""
    return request(Run(sys.executable, ("-c", code), **{"environment": BARE, **more}))


@asynccontextmanager
async def running(asked: Request) -> AsyncIterator[Response]:
    async with asyncio.timeout(20), ProgramTransport().stream(asked, 1.0) as response:
        yield response


async def printed(asked: Request) -> tuple[int, bytes]:
    async with running(asked) as response:
        return response.head.status, b"".join([chunk async for chunk in response.chunks])


def left(tmp_path: Path) -> list[str]:
    """The folders of programs that are still there."""
    return [path.name for path in tmp_path.iterdir() if path.name.startswith("pointsman-")]


def is_over(pid: int, within: float = 5.0) -> bool:
    """Whether a process ends in so many seconds."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], within)[0])
    finally:
        os.close(process)


def alive_in(group: int) -> list[str]:
    """The processes of a group that have not ended; who should have buried the others is no matter."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its_group = stat.read_text().rpartition(") ")[2].split()[:3]
            found += [stat.parent.name] if int(its_group) == group and state != "Z" else []
    return found


# What it gets


async def test_its_input_its_arguments_and_its_output() -> None:
    assert await printed(shell('cat; printf " %s" "$@"', "one two", input="asked")) == (200, b"asked one two")


async def test_a_prompt_of_megabytes_goes_in_while_the_answer_comes_out() -> None:
    prompt = "0123456789abcdef" * 2**18
    assert await printed(shell("cat", input=prompt)) == (200, prompt.encode())


async def test_one_that_does_not_want_its_input() -> None:
    assert await printed(shell("echo no", input="x" * 2**22)) == (200, b"no\n")


async def test_files_lie_where_nobody_else_can_read_them(tmp_path: Path) -> None:
    told = 'cat "$1"; stat -c " %a" "$1" "${1%/*}"; ls -A .; pwd'
    async with running(shell(told, "{system}", files={"system": "Be brief."})) as response:
        lines = b"".join([chunk async for chunk in response.chunks]).decode().split("\n")
        (folder,) = left(tmp_path)
    assert lines == ["Be brief. 600", " 700", f"{tmp_path}/{folder}/work", ""], "and the folder to work in is empty"
    assert left(tmp_path) == []


async def test_its_environment_is_what_was_said_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_DAEMON", "1")
    _, lines = await printed(request(Run("env", environment={**BARE, "SAID": "yes"})))
    names = {line.partition("=")[0] for line in lines.decode().split("\n") if line}
    assert names == {"PATH", "SAID", "TMPDIR"}


async def test_it_has_no_terminal_and_a_group_of_its_own() -> None:
    _, said = await printed(python("import os; print(os.getpid() == os.getsid(0) == os.getpgid(0))"))
    assert said == b"True\n"


@pytest.mark.parametrize(
    ("egress", "expected"),
    [
        (Egress(), {"https_proxy": "http://own:1"}),
        (Egress(proxy="direct"), {}),
        (
            Egress(proxy="http://corp:2", no_proxy=("here",)),
            {"HTTP_PROXY": "http://corp:2", "HTTPS_PROXY": "http://corp:2", "NO_PROXY": "localhost,here"},
        ),
        (Egress(ca=("/a.pem", "~/b.pem")), {"https_proxy": "http://own:1", "NODE_EXTRA_CA_CERTS": "/home/x/b.pem"}),
        (Egress(ca=("/a.pem",)), {"https_proxy": "http://own:1", "NODE_EXTRA_CA_CERTS": "/a.pem"}),
    ],
)
async def test_the_configured_way_through_the_network_is_its_way(egress: Egress, expected: dict[str, str]) -> None:
    own = {**BARE, "HOME": "/home/x", "https_proxy": "http://own:1"}
    async with ProgramTransport().stream(request(Run("env", environment=own)), 1.0, egress) as response:
        lines = b"".join([chunk async for chunk in response.chunks]).decode().splitlines()
    found = dict(line.split("=", 1) for line in lines)
    assert {name: value for name, value in found.items() if name not in {"PATH", "HOME", "TMPDIR"}} == expected


# How it ends


@pytest.mark.parametrize(
    ("script", "status", "body"),
    [
        ("exit 0", 200, b""),
        ("echo wrong >&2; exit 3", 500, b"wrong\n"),
        ("exit 3", 500, b"ended with status 3"),
        ("kill -9 $$", 500, b"was ended by SIGKILL"),
    ],
)
async def test_one_that_ends_without_a_word(script: str, status: int, body: bytes) -> None:
    assert await printed(shell(script)) == (status, body)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo a; echo it broke >&2; exit 3", "sh ended with status 3: it broke"),
        ("echo a; kill -9 $$", "sh was ended by SIGKILL."),
        ("echo a; exec >&-; sleep 60", "sh closed its output, and went on without a word."),
    ],
)
async def test_one_that_breaks_off(script: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "TERM_FOR", 0.2)
    with pytest.raises(Interrupted) as caught:
        await printed(shell(script))
    assert caught.value.message == said


async def test_only_the_end_of_its_complaints_is_kept() -> None:
    status, body = await printed(shell("yes wrong | head -c 100000 >&2; printf last >&2; exit 1"))
    assert (status, len(body), body[-4:]) == (500, STDERR_KEPT, b"last")


async def test_its_last_words_come_before_the_news_that_it_broke() -> None:
    said = b""
    with pytest.raises(Interrupted):
        async with running(shell("printf first; exit 1")) as response:
            async for chunk in response.chunks:
                said += chunk
    assert said == b"first"


async def test_one_that_leaves_a_child_behind_that_holds_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "TERM_FOR", 0.2)
    _, said = await printed(shell("sleep 600 & echo $!"))
    assert is_over(int(said))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 1.2.3", (200, b"1.2.3\n")),
        ("echo '{}'; exit 1", (500, b"{}\n")),
        ("echo no >&2; exit 1", (500, b"no\n")),
        ("yes | head -c 3000000", (200, b"y\n" * 2**19)),
        ("true", (200, b"")),
    ],
)
async def test_a_short_output_is_told_with_how_it_ended(script: str, expected: tuple[int, bytes]) -> None:
    assert await printed(shell(script, whole=True)) == expected


# Nobody waits for it any more


@pytest.mark.parametrize("script", ["echo $$; sleep 600", "echo $$; sleep 600 & sleep 600"])
async def test_it_is_ended_at_once(script: str, tmp_path: Path) -> None:
    async with running(shell(script)) as response:
        pid = int(await anext(response.chunks))
        began = time.monotonic()
    assert time.monotonic() - began < 0.5
    assert [child for child in alive_in(pid) if not is_over(int(child))] == []
    assert left(tmp_path) == []


async def test_one_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "TERM_FOR", 0.2)
    code = "import os, signal, time; signal.signal(15, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(600)"
    async with running(python(code)) as response:
        pid = int(await anext(response.chunks))
    assert is_over(pid, 0)


@pytest.mark.parametrize("again", [False, True])
async def test_cancelling_ends_it_even_before_its_first_line(
    again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "TERM_FOR", 600 if again else 0.2)
    note = tmp_path / "pid"
    os.mkfifo(note)
    asked = shell(f"trap '' TERM; echo $$ > {note}; sleep 600 & wait; wait; sleep 600")
    task = asyncio.get_running_loop().create_task(printed(asked))
    pid = int(await asyncio.to_thread(note.read_text))
    task.cancel()
    if again:  # whoever waits for the end has no patience for it either
        while task.cancelling() and not task.done():
            task.cancel()
            await asyncio.sleep(0)
    with suppress(asyncio.CancelledError):
        await task
    assert is_over(pid, 5)
    assert left(tmp_path) == []


async def test_one_that_floods_has_to_wait() -> None:
    asked = python("import os\nwhile True: os.write(1, b'x' * 65536)")
    async with running(asked) as response:
        await anext(response.chunks)
        got = response.chunks.ag_frame.f_locals["self"]  # type: ignore[attr-defined]
        for _ in range(50):
            await asyncio.sleep(0)
        assert got._ahead <= MOST_AHEAD + 2**18
        taken = 0
        async for chunk in response.chunks:
            taken += len(chunk)
            if taken > 4 * MOST_AHEAD:
                break


# It is not there


@pytest.mark.parametrize("name", ["no-such-program", "/no/such/program", "", "a\0b"])
async def test_a_program_that_is_not_there(name: str) -> None:
    with pytest.raises(ProgramMissing) as caught:
        await printed(request(Run(name, environment=BARE, install="Install it with `make`.")))
    assert (caught.value.advice, caught.value.remedies) == ("Install it with `make`.", ("target",))


def test_it_is_looked_for_where_the_connection_would_look(tmp_path: Path) -> None:
    own = tmp_path / "tool"
    own.write_text("#!/bin/sh\n")
    assert find("tool", {"PATH": f"/nowhere:{tmp_path}"}) is None
    own.chmod(0o755)
    assert find("tool", {"PATH": f"/nowhere:{tmp_path}"}) == str(own)
    assert find(str(own), {}) == str(own)
    assert find("sh", {})


@pytest.mark.parametrize("arguments", [("a\0b",), ("x" * 2**20,)])
async def test_what_the_system_refuses(arguments: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(ConnectFailed, match="could not be started"):
        await printed(request(Run("true", arguments, environment=BARE)))
    assert left(tmp_path) == []


async def test_a_folder_that_can_t_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")
    with pytest.raises(ConnectFailed, match="no folder could be made"):
        await printed(shell("true"))


@pytest.mark.parametrize("body", [b"", b"{}", b'{"model": "x"}', b"\xff"])
async def test_what_is_no_run_runs_nothing(body: bytes) -> None:
    out = transports()
    with pytest.raises(PointsmanError, match="Nothing was said"):
        await out.fetch(Request("POST", "program://rm/v1/chat", body=body), 1.0)
    await out.close()


async def test_its_scheme_leads_here() -> None:
    out = transports()
    assert await out.fetch(shell("echo here"), 1.0) == (Head(200), b"here\n")
    await out.close()


# Whose environment

OWN = {
    "HOME": "/home/x",
    "PATH": "/bin",
    "LC_ALL": "C.UTF-8",
    "HTTPS_PROXY": "http://me:canary-6471@proxy:1",
    "ANTHROPIC_API_KEY": "canary-key-1184",
    "ANTHROPIC_BASE_URL": "https://elsewhere.example",
    "MY_DIR": "/there",
}


async def test_a_way_passes_on_what_a_program_needs_and_what_the_definition_says() -> None:
    way = ProgramWay(Environment(OWN))
    asked = request(Run("x", environment={"SAID": "1", "DIR": "env:MY_DIR", "NONE": "env:NOT_SET"}))

    async def fetch(request: Request, connect: float) -> tuple[Head, bytes]:
        raise AssertionError

    provider = Provider(id="acme", base_url="program://x")
    run = msgspec.json.decode((await way.authorise(asked, provider, fetch)).body, type=Run)
    passed_on = {name: OWN[name] for name in ("HOME", "PATH", "LC_ALL", "HTTPS_PROXY")}
    assert run.environment == {**passed_on, "TERM": "dumb", "SAID": "1", "DIR": "/there"}
    assert [secret.reveal() for secret in way.secrets] == [OWN["HTTPS_PROXY"]]
    assert (way.account, way.signs) == (None, True)
    assert "canary" not in repr(way)
