"""The relay between an editor's pipes and the daemon's socket, as the process that an editor runs.

Must never look into the bytes: what matters is that all arrive, and that nobody waits for somebody else.
"""

from __future__ import annotations

import hashlib
import os
import pty
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pointsman import endpoint
from pointsman.forwarder import Direction
from tests import toy_daemon

CONSOLE_SCRIPT = "import sys; from pointsman.entry import main; sys.exit(main())"
MEGABYTE = 1 << 20
PATIENCE = 20.0


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """A daemon's socket, which the forwarder is told of by name."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        listener.settimeout(PATIENCE)
        yield listener


def forward(
    environment: dict[str, str],
    *,
    code: str = CONSOLE_SCRIPT,
    prefix: tuple[str, ...] = (),
    stdin: int = subprocess.PIPE,
    stdout: int = subprocess.PIPE,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """A forwarder, as an editor runs it; `prefix` is a command that runs it in turn."""
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", code, "connect"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(toy_daemon.SERVER), **environment},
        bufsize=0,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=cwd,
    )


@contextmanager
def relaying(listener: socket.socket, **how: Any) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A forwarder, and the daemon's end of its connection, just greeted."""
    with forward({"POINTSMAN_ENDPOINT": listener.getsockname()}, **how) as editor:
        try:
            daemon, _ = listener.accept()
            with daemon:
                daemon.settimeout(PATIENCE)
                toy_daemon.read_greeting(daemon)
                daemon.sendall(toy_daemon.welcome())
                yield editor, daemon
        finally:
            editor.kill()


def written(editor: subprocess.Popen[bytes], data: bytes) -> None:
    assert editor.stdin is not None
    view = memoryview(data)
    while view:
        view = view[editor.stdin.write(view) :]


def read(editor: subprocess.Popen[bytes], count: int) -> bytes:
    assert editor.stdout is not None
    heard = b""
    while len(heard) < count and select.select([editor.stdout], [], [], PATIENCE)[0]:
        chunk = editor.stdout.read(count - len(heard))
        if not chunk:
            break
        heard += chunk
    return heard


def complaint(editor: subprocess.Popen[bytes]) -> str:
    assert editor.stderr is not None
    return editor.stderr.read().decode()


def peak_memory(editor: subprocess.Popen[bytes]) -> int:
    """Megabytes that the process has ever had in memory at once."""
    status = Path(f"/proc/{editor.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def in_background(act: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=act, args=arguments, daemon=True)
    thread.start()
    return thread


def test_fifty_megabytes_arrive_both_ways_at_once(listener: socket.socket) -> None:
    chance = random.Random(7)
    sent, heard, total = hashlib.sha256(), hashlib.sha256(), 0
    block = chance.randbytes(MEGABYTE)

    def write(editor: subprocess.Popen[bytes]) -> None:
        left = 50 * MEGABYTE
        while left:
            piece = block[: min(left, int(chance.paretovariate(0.3)))]
            sent.update(piece)
            written(editor, piece)
            left -= len(piece)
        assert editor.stdin is not None
        editor.stdin.close()

    with relaying(listener) as (editor, daemon):
        echo = in_background(toy_daemon.echo, daemon)
        writer = in_background(write, editor)
        while chunk := read(editor, chance.choice((1, 100, 4096, 65536, MEGABYTE))):
            heard.update(chunk)
            total += len(chunk)
        writer.join(PATIENCE)
        echo.join(PATIENCE)
        assert total == 50 * MEGABYTE
        assert heard.digest() == sent.digest()
        assert editor.wait(PATIENCE) == 0
        assert complaint(editor) == ""


def test_an_editor_that_never_reads_costs_no_memory_and_is_still_heard(listener: socket.socket) -> None:
    block = random.Random(8).randbytes(MEGABYTE)
    stuck, sent = threading.Event(), 0

    def talk(daemon: socket.socket) -> None:
        nonlocal sent
        ready = select.poll()
        ready.register(daemon, select.POLLOUT)
        while (room := ready.poll(300)) or sent <= MEGABYTE:
            if room:
                sent += daemon.send(block[sent % MEGABYTE :], socket.MSG_DONTWAIT)
        stuck.set()

    with relaying(listener) as (editor, daemon):
        before = peak_memory(editor)
        in_background(talk, daemon)
        assert stuck.wait(PATIENCE)
        assert MEGABYTE < sent < 3 * MEGABYTE, "one buffer, one pipe and one socket are full, no more and no less"
        writer = in_background(written, editor, block * 20)
        heard = hashlib.sha256()
        left = 20 * MEGABYTE
        while left:
            chunk = daemon.recv(MEGABYTE)
            heard.update(chunk)
            left -= len(chunk)
        writer.join(PATIENCE)
        assert heard.digest() == hashlib.sha256(block * 20).digest()
        assert peak_memory(editor) - before < 8
        daemon.close()
        assert read(editor, sent + 1) == (block * 4)[:sent], "and what it did not read before is all there"
        assert editor.wait(PATIENCE) == 0


def test_a_daemon_that_never_reads_costs_no_memory_and_is_still_heard(listener: socket.socket) -> None:
    with relaying(listener) as (editor, daemon):
        before = peak_memory(editor)
        assert editor.stdin is not None
        os.set_blocking(editor.stdin.fileno(), False)
        ready = select.poll()
        ready.register(editor.stdin, select.POLLOUT)
        taken = 0
        while (room := ready.poll(300)) or taken <= MEGABYTE:
            taken += (room and editor.stdin.write(bytes(MEGABYTE))) or 0
        assert MEGABYTE < taken < 3 * MEGABYTE
        assert peak_memory(editor) - before < 8
        daemon.sendall(b"still talking")
        assert read(editor, 13) == b"still talking"
        while taken:
            taken -= len(daemon.recv(MEGABYTE))


def test_a_broken_sink_ends_its_direction() -> None:
    source, sink = os.pipe()
    os.close(source)
    direction = Direction(source=-1, sink=sink)
    direction.waiting += b"for nobody"
    direction.give()
    os.close(sink)
    assert direction.is_done
    assert isinstance(direction.sink_fault, BrokenPipeError)


def test_an_editor_that_has_said_all_still_hears_the_rest(listener: socket.socket) -> None:
    with relaying(listener) as (editor, daemon):
        assert editor.stdin is not None
        written(editor, b"my last word")
        editor.stdin.close()
        heard = b""
        while chunk := daemon.recv(100):
            heard += chunk
        assert heard == b"my last word"
        daemon.sendall(b"the rest")
        assert read(editor, 8) == b"the rest"
        assert editor.poll() is None
        daemon.close()
        assert editor.wait(PATIENCE) == 0


def test_what_the_daemon_said_before_it_closed_is_delivered(listener: socket.socket) -> None:
    with relaying(listener) as (editor, daemon):
        daemon.sendall(b"x" * 150_000)
        daemon.close()
        assert read(editor, 200_000) == b"x" * 150_000
        assert editor.wait(PATIENCE) == 0
        assert complaint(editor) == ""


def test_what_comes_with_the_answer_is_delivered(listener: socket.socket) -> None:
    with forward({"POINTSMAN_ENDPOINT": listener.getsockname()}) as editor:
        daemon, _ = listener.accept()
        with daemon:
            toy_daemon.read_greeting(daemon)
            daemon.sendall(toy_daemon.welcome() + b"at once")
            assert read(editor, 7) == b"at once"


def test_a_reset_is_told_in_one_line(listener: socket.socket) -> None:
    with relaying(listener) as (editor, daemon):
        written(editor, b"never read")
        assert select.select([daemon], [], [], PATIENCE)[0]
        daemon.close()  # with something unread, which the kernel answers with a reset
        assert editor.wait(PATIENCE) == 1
        assert complaint(editor).startswith("pointsman: the daemon broke the connection off.")


def test_a_killed_daemon_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"POINTSMAN_HOME": str(tmp_path / "home")}
    where = endpoint.places(environment)
    monkeypatch.setattr(endpoint, "daemon_command", lambda fd: toy_daemon.command(fd, tmp_path / "starts"))
    endpoint.start(where, environment)
    info = endpoint.read_lock(where)
    assert info is not None
    with forward(environment) as editor:
        written(editor, b"ping")
        assert read(editor, 4) == b"ping"
        os.kill(info.pid, signal.SIGKILL)
        assert editor.wait(PATIENCE) == 0
        assert read(editor, 1) == b""


def test_an_editor_that_is_gone_is_left(listener: socket.socket) -> None:
    with relaying(listener) as (editor, daemon):
        assert editor.stdout is not None
        editor.stdout.close()
        assert editor.wait(PATIENCE) == 0
        assert daemon.recv(1) == b""
        assert complaint(editor) == ""


def test_an_editor_that_goes_while_much_is_said_is_left(listener: socket.socket) -> None:
    with relaying(listener) as (editor, daemon):
        daemon.sendall(bytes(150_000))
        assert read(editor, 10) == bytes(10)
        assert editor.stdout is not None
        editor.stdout.close()
        assert editor.wait(PATIENCE) == 0


@pytest.mark.parametrize("kind", ["file", "nothing", "socket"])
def test_stdin_need_not_be_a_pipe(listener: socket.socket, tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_bytes(b"said" * 100_000)
    expected = {"file": b"said" * 100_000, "nothing": b"", "socket": b"said"}[kind]
    ours, theirs = socket.socketpair()
    with ours, theirs, (tmp_path / "file").open("rb") as file, Path(os.devnull).open("rb") as nothing:
        ours.sendall(b"said")
        ours.shutdown(socket.SHUT_WR)
        stdin = {"file": file.fileno(), "nothing": nothing.fileno(), "socket": theirs.fileno()}[kind]
        with relaying(listener, stdin=stdin) as (editor, daemon):
            heard = b""
            while chunk := daemon.recv(MEGABYTE):
                heard += chunk
            assert heard == expected
            daemon.sendall(b"heard")
            daemon.close()
            assert read(editor, 10) == b"heard"
            assert editor.wait(PATIENCE) == 0


def test_a_closed_stdin_is_an_empty_one(listener: socket.socket) -> None:
    with relaying(listener, prefix=("/bin/sh", "-c", 'exec "$@" <&-', "sh")) as (editor, daemon):
        assert daemon.recv(100) == b""
        daemon.sendall(b"heard")
        daemon.close()
        assert read(editor, 10) == b"heard"
        assert editor.wait(PATIENCE) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_terminal_is_welcomed_and_left_as_it_was(listener: socket.socket, number: signal.Signals) -> None:
    person, terminal = pty.openpty()
    tty.setraw(terminal)
    try:
        with relaying(listener, stdin=terminal, stdout=terminal) as (editor, daemon):
            os.write(person, b"Content-Length: 2")
            assert daemon.recv(100) == b"Content-Length: 2"
            daemon.sendall(b"{}")
            assert select.select([person], [], [], PATIENCE)[0]
            assert os.read(person, 100) == b"{}"
            assert not os.get_blocking(terminal)
            editor.send_signal(number)
            assert editor.wait(PATIENCE) == 128 + number
            assert os.get_blocking(terminal)
            assert complaint(editor) == (
                "pointsman: this speaks LSP and is meant to be run by an editor; see `pointsman --help`.\n"
            )
    finally:
        os.close(person)
        os.close(terminal)


def test_an_unreachable_daemon_is_told_in_one_line(tmp_path: Path) -> None:
    with forward({"POINTSMAN_ENDPOINT": str(tmp_path / "none")}, stdin=subprocess.DEVNULL) as editor:
        assert editor.wait(PATIENCE) == 1
        said = complaint(editor)
    assert said.startswith(f"pointsman: The daemon at {tmp_path}/none")
    assert said.count("\n") == 1


def test_a_signal_while_it_still_connects_is_quiet(listener: socket.socket) -> None:
    with forward({"POINTSMAN_ENDPOINT": listener.getsockname()}) as editor:
        daemon, _ = listener.accept()
        with daemon:
            toy_daemon.read_greeting(daemon)
            editor.send_signal(signal.SIGTERM)
            assert editor.wait(PATIENCE) == 128 + signal.SIGTERM
            assert complaint(editor) == ""


def test_a_deleted_working_directory_does_not_matter(listener: socket.socket, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    prefix = ("/bin/sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh")
    with forward({"POINTSMAN_ENDPOINT": listener.getsockname()}, prefix=prefix, cwd=gone) as editor:
        daemon, _ = listener.accept()
        with daemon:
            assert toy_daemon.read_greeting(daemon)["params"]["cwd"] == "/"
        editor.kill()


def test_nothing_slow_is_imported(listener: socket.socket) -> None:
    code = "import sys; from pointsman.entry import main; main(); print(*sys.modules, file=sys.stderr)"
    prefix = ("/bin/sh", "-c", 'python=$1; shift; exec "$python" -S "$@"', "sh")  # site imports what it likes
    with relaying(listener, code=code, prefix=prefix) as (editor, daemon):
        daemon.close()
        modules = set(complaint(editor).split())
    assert "pointsman.forwarder" in modules
    slow = {"asyncio", "collections", "dataclasses", "enum", "json", "pathlib", "re", "signal", "socket", "typing"}
    assert not modules & slow


def test_how_long_it_takes_to_the_first_byte(listener: socket.socket) -> None:
    spent = []
    for _ in range(10):
        began = time.perf_counter()
        with relaying(listener) as (editor, daemon):
            daemon.sendall(b"!")
            assert read(editor, 1) == b"!"
            spent.append(time.perf_counter() - began)
    bare = []
    for _ in range(10):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", ""], check=True)
        bare.append(time.perf_counter() - began)
    sys.stdout.write(f"first byte after {min(spent) * 1e3:.1f} ms; the interpreter alone {min(bare) * 1e3:.1f} ms\n")
