"""Keys in files and from programs: looked up when needed, again when they change, and with the connection's own home
and environment.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from pointsman.core.catalogue import Auth, Provider
from pointsman.core.environment import Environment
from pointsman.core.errors import KeyUnreadable
from pointsman.core.http import Head, Request
from pointsman.core.secret import Secret
from pointsman.core.sources import FromCommand, FromFile
from pointsman.edge import sources
from pointsman.edge.files import read_regular
from pointsman.edge.sources import JUST_NOW, KEPT_FOR, LONGEST_KEY, KeyFile, KeyProgram, looked_up

ONE, TWO = "not-a-real-key-one", "not-a-real-key-two"


async def refusal(source: KeyFile | KeyProgram) -> str:
    with pytest.raises(KeyUnreadable) as caught:
        await source.key()
    assert caught.value.remedies == ("key", "target")
    return str(caught.value)


# Files


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{ONE}\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("text", [ONE, f"{ONE}\n", f"{ONE}\r\n", f" {ONE}\n\n"])
async def test_a_file_holds_a_key(file: Path, text: str) -> None:
    file.write_text(text)
    source = KeyFile(str(file), "")
    assert (source.account, source.secrets) == (None, ())
    assert await source.key() == Secret(ONE)
    assert (source.account, source.secrets, source.trouble) == ("not-a-re…", (Secret(ONE),), None)


async def test_it_is_read_again_when_it_changes_and_only_then(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Path] = []

    def read(path: Path, most: int) -> bytes:
        reads.append(path)
        return read_regular(path, most)

    monkeypatch.setattr(sources, "read_regular", read)
    source = KeyFile(str(file), "")
    for _ in range(3):
        assert await source.key() == Secret(ONE)
    assert len(reads) == 1
    other = file.with_name("new")
    other.write_text(TWO)
    other.replace(file)
    assert await source.key() == Secret(TWO)
    file.write_text(ONE)
    os.utime(file, (1, 1))
    assert await source.key() == Secret(ONE)
    assert len(reads) == 3


async def test_what_was_refused_is_read_again(file: Path) -> None:
    source = KeyFile(str(file), "")
    await source.key()
    before = file.stat()
    file.write_text(ONE.replace("one", "six") + "\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert await source.key() == Secret(ONE), "nobody could see the change"
    assert not source.turned_down()
    assert await source.key() == Secret(ONE.replace("one", "six"))


async def test_a_file_that_has_gone_gives_no_old_key(file: Path) -> None:
    source = KeyFile(str(file), "")
    await source.key()
    file.unlink()
    assert "No such file" in await refusal(source)
    assert source.secrets == ()


async def test_the_home_is_the_connection_s(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somebody/else")
    found = looked_up(FromFile("~/key"), Environment({"HOME": f"{file.parent}/"}))
    assert await found.key() == Secret(ONE)
    nobody = looked_up(FromFile("~/key"), Environment({}))
    assert isinstance(nobody, KeyFile)
    assert "/nonexistent/key" in await refusal(nobody)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"not-a-real\nkey", "one line of plain characters"),
        (b"\xff\xfe", "one line of plain characters"),
        ("schlüssel".encode(), "one line of plain characters"),
        (b"x" * (LONGEST_KEY + 1), "more than 16 KiB"),
    ],
)
async def test_what_can_be_no_key(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    told = await refusal(KeyFile(str(file), ""))
    assert words in told
    assert str(file) in told
    assert "not-a-real" not in told


@pytest.mark.parametrize("path", ["/dev/zero", "/", "/nonexistent/key", "/a\0b"])
async def test_what_can_not_be_read(path: str) -> None:
    assert "can't be read" in await refusal(KeyFile(path, ""))


async def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "plain file" in await refusal(KeyFile(str(tmp_path / "pipe"), ""))


async def test_a_file_that_takes_too_long(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    def read(_path: Path, _most: int) -> bytes:
        gate.wait(10)
        return b"x"

    monkeypatch.setattr(sources, "WITHIN", 0.05)
    monkeypatch.setattr(sources, "read_regular", read)
    assert "takes too long" in await refusal(KeyFile(str(file), ""))
    gate.set()


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o640, True), (0o604, True), (0o400, False)])
def test_a_file_that_others_may_read_is_told(file: Path, mode: int, told: bool) -> None:
    file.chmod(mode)
    trouble = KeyFile(str(file), "").trouble
    assert bool(trouble) == told
    assert trouble is None or f"chmod 600 {file}" in trouble
    assert KeyFile("/nonexistent/key", "").trouble is None


async def test_it_is_put_where_the_provider_wants_it(file: Path) -> None:
    async def fetch(request: Request, connect: float) -> tuple[Head, bytes]:
        raise AssertionError

    source, request = KeyFile(str(file), ""), Request("GET", "http://h", {"accept": "x"})
    provider = Provider(id="p", base_url="http://h", auth=Auth("header", header="x-key"))
    assert (await source.authorise(request, provider, fetch)).headers == {"accept": "x", "x-key": ONE}
    provider = Provider(id="p", base_url="http://h", auth=Auth("bearer"))
    assert (await source.authorise(request, provider, fetch)).headers["authorization"] == f"Bearer {ONE}"
    assert not source.signs


# Programs


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def python(code: str, clock: Clock | None = None, variables: Mapping[str, str] = MappingProxyType({})) -> KeyProgram:
    """A program of a few lines; `PATH` leads to Python."""
    path = {"PATH": str(Path(sys.executable).parent), "LANG": "C.UTF-8"}
    return KeyProgram([Path(sys.executable).name, "-c", code], {**path, **variables}, clock or Clock())


async def test_the_first_line_is_the_key() -> None:
    source = python(f"print('{ONE}'); print('user: me')")
    assert source.account is None
    assert await source.key() == Secret(ONE)
    assert list(source.secrets) == [Secret(ONE)]
    assert source.trouble is None


async def test_it_is_run_with_the_connection_s_environment_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_DAEMON", "x")
    code = "import os, sys; print(os.getcwd(), sorted(os.environ), repr(sys.stdin.read()))"
    variables = {"HOME": str(tmp_path), "MINE": "1", "POINTSMAN_VAULT_KEY": "secret"}
    path = str(Path(sys.executable).parent)
    source = looked_up(FromCommand(("python", "-c", code)), Environment(variables | {"PATH": path}))
    found = (await source.key()).reveal()
    assert found.startswith(str(tmp_path))
    assert "'MINE'" in found
    assert found.endswith("''")
    assert "OF_THE_DAEMON" not in found
    assert "POINTSMAN_VAULT_KEY" not in found


async def test_no_shell_reads_it(tmp_path: Path) -> None:
    source = KeyProgram(["echo", "$HOME; touch x `id`"], {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    assert (await source.key()).reveal() == "$HOME; touch x `id`"
    assert list(tmp_path.iterdir()) == []


async def test_a_program_of_the_home(tmp_path: Path) -> None:
    program = tmp_path / "give"
    program.write_text(f"#!/bin/sh\necho {ONE}\n")
    program.chmod(0o700)
    assert await KeyProgram(["~/give"], {"HOME": str(tmp_path)}).key() == Secret(ONE)


def counting(file: Path) -> str:
    return f"n = open({str(file)!r}, 'a+'); n.write('x'); n.seek(0); print('not-a-real-key', len(n.read()))"


async def test_what_it_printed_is_used_for_a_moment(tmp_path: Path) -> None:
    clock = Clock()
    source = python(counting(tmp_path / "runs"), clock=clock)
    for _ in range(3):
        assert (await source.key()).reveal() == "not-a-real-key 1"
    clock.now += KEPT_FOR - 0.1
    assert (await source.key()).reveal() == "not-a-real-key 1"
    clock.now += 0.1
    assert (await source.key()).reveal() == "not-a-real-key 2"


async def test_it_is_run_anew_when_its_key_was_refused(tmp_path: Path) -> None:
    clock = Clock()
    source = python(counting(tmp_path / "runs"), clock=clock)
    assert not source.turned_down(), "nothing was found yet"
    await source.key()
    clock.now += JUST_NOW - 0.1
    assert not source.turned_down(), "another one would not be any newer"
    assert (await source.key()).reveal() == "not-a-real-key 2"
    clock.now += JUST_NOW
    assert source.turned_down()
    assert (await source.key()).reveal() == "not-a-real-key 3"


async def test_many_chats_run_it_once(tmp_path: Path) -> None:
    source = python(counting(tmp_path / "runs"))
    found = await asyncio.gather(*(source.key() for _ in range(20)))
    assert {key.reveal() for key in found} == {"not-a-real-key 1"}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "printed nothing"),
        ("print(); print('x')", "printed nothing"),
        ("print('a\\tb')", "can be no key"),
        ("print('x' * 100_000)", "can be no key"),
        ("raise SystemExit(3)", "ended with status 3."),
        ("import sys; print('no\\n\\nvault is locked.\\n', file=sys.stderr); exit(1)", "and said: vault is locked."),
        ("import sys; print('a\\x1b[31mb', file=sys.stderr); exit(1)", "and said: a[31mb."),
        ("import os; os.kill(os.getpid(), 15)", "was ended by signal 15."),
        ("import sys; print('x' * 9999, file=sys.stderr); exit(1)", f"said: {'x' * sources.LONGEST_LINE}."),
        ("import sys; sys.stderr.write('y' * 200_000 + '\\nlast'); exit(1)", "said: last."),
    ],
)
async def test_a_program_that_fails(code: str, words: str) -> None:
    source = python(code)
    told = await refusal(source)
    assert words in told
    assert "Run it in a terminal" in told
    assert code not in told or not code
    assert source.account is None


async def test_its_complaint_shows_no_secret() -> None:
    code = f"import os, sys; print('{ONE}'); sys.stderr.write('{ONE} ' + os.environ['MY_TOKEN'] + ' said'); exit(1)"
    source = python(code, variables={"MY_TOKEN": "not-a-real-token"})
    told = await refusal(source)
    assert "said: not-a-re… not-a-re… said" in told
    assert ONE not in told


async def test_its_complaint_shows_nothing_that_looks_like_a_key() -> None:
    told = await refusal(python("raise SystemExit('no such entry: sk-fake-made-of-words')"))
    assert "said: no such entry: sk-f…" in told


async def test_an_old_key_is_not_shown_either(tmp_path: Path) -> None:
    clock, flag = Clock(), tmp_path / "flag"
    code = f"import os, sys; print('{ONE}') if not os.path.exists({str(flag)!r}) else sys.exit('bad: {ONE}')"
    source = python(code, clock=clock)
    await source.key()
    flag.touch()
    clock.now += KEPT_FOR
    assert "said: bad: not-a-re…" in await refusal(source)


@pytest.mark.parametrize("program", ["no-such-program", "/nonexistent/x", "/etc/passwd"])
async def test_a_program_that_is_not_there(program: str) -> None:
    told = await refusal(KeyProgram([program, "argument"], {"PATH": "/nonexistent"}))
    assert f"The program `{program}`, which should print the key, can't be run: " in told
    assert "argument" not in told


@pytest.mark.parametrize(("command", "variables"), [(["a\0b"], {}), (["sh"], {"A": "\0"})], ids=["command", "variable"])
async def test_one_that_the_system_can_not_be_told_of(command: list[str], variables: dict[str, str]) -> None:
    assert "can't be run: the system does not say why" in await refusal(KeyProgram(command, variables))


async def test_a_daemon_with_a_thousand_connections_still_runs_programs() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("this system allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    taken = [os.open("/dev/null", os.O_RDONLY)]
    try:
        while taken[-1] < 1030:
            taken.append(os.dup(taken[0]))
        assert await KeyProgram(["echo", ONE], {"PATH": "/usr/bin:/bin"}).key() == Secret(ONE)
    finally:
        for file in taken:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def runs(pid: int) -> bool:
    """Whether a process is there, and not only waits for somebody to ask how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


async def test_one_that_hangs_is_ended_with_all_that_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "WITHIN", 0.3)
    pids = tmp_path / "pids"
    code = (
        "import os, subprocess, time; child = subprocess.Popen(['sleep', '60']); "
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}'); time.sleep(60)"
    )
    told = await refusal(python(code, variables={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}))
    assert "gave none within 0.3 seconds, and was ended" in told
    until = time.monotonic() + 10
    while time.monotonic() < until and any(runs(int(pid)) for pid in pids.read_text().split()):
        pass
    assert not any(runs(int(pid)) for pid in pids.read_text().split())


async def test_one_that_leaves_somebody_behind_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "WITHIN", 5.0)
    begun = time.monotonic()
    source = KeyProgram(["sh", "-c", f"sleep 8 & echo {ONE}"], {"PATH": "/usr/bin:/bin"})
    assert await source.key() == Secret(ONE)
    assert time.monotonic() - begun < 4
