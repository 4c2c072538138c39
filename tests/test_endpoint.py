"""The way to the daemon, with real processes, sockets and locks. Must never need the real daemon."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pointsman import endpoint
from pointsman.endpoint import EndpointError, Lock, Places
from tests import toy_daemon
from tests.toy_daemon import first_line, run

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as two users")
NOBODY = 65534


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "POINTSMAN_HOME": str(tmp_path / "home")}


@pytest.fixture
def where(environment: dict[str, str]) -> Places:
    where = endpoint.places(environment)
    endpoint.private_directory(where.data)
    return where


@pytest.fixture
def starts(tmp_path: Path, where: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The toy daemon can be started; it notes each start in this file."""
    file = tmp_path / "starts"
    monkeypatch.setattr(endpoint, "daemon_command", lambda ready_fd: toy_daemon.command(ready_fd, file))
    yield file
    endpoint.stop(where, timeout=10)


@contextmanager
def serving(where: Places, *answers: bytes) -> Iterator[list[dict[str, Any]]]:
    """Holds the lock, gives one answer to each connection in turn, then hangs up, except on the last."""
    lock = Lock.take(where)
    listener = endpoint.listen(where)
    listener.setblocking(True)
    lock.publish(where.socket)
    greetings: list[dict[str, Any]] = []
    peers: list[socket.socket] = []

    def serve() -> None:
        for answer in answers:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peers.append(peer)
            greetings.append(toy_daemon.read_greeting(peer))
            peer.sendall(answer)
            if len(greetings) < len(answers):
                peer.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield greetings
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for open_socket in (listener, *peers):
            open_socket.close()
        lock.release()


def refused(code: str, act: Callable[[], object]) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        act()
    assert caught.value.code == code
    assert str(caught.value) == f"{caught.value.message} {caught.value.advice}"
    return caught.value


WHOLE = {"endpoint": "/s", "pid": 7, "version": "1", "protocol": 1, "host": "h"}


# Greeting


def test_the_greeting_carries_who_asks_and_leaves_the_rest_unread(where: Places, environment: dict[str, str]) -> None:
    odd = {"QUOTED": 'a"\\\n\x01é𝄞', "ODD": "\udcff", "\udcffNAME": "x", "EMPTY": ""}
    with serving(where, toy_daemon.welcome() + b"and on") as greetings:
        connection = endpoint.connect(environment | odd, "/code/\udcff")
        with connection.sock as sock:
            assert connection.hello == {
                "version": endpoint.VERSION,
                "protocol": endpoint.PROTOCOL,
                "pid": os.getpid(),
            }
            assert sock.gettimeout() is None
            assert sock.recv(100) == b"and on"
    assert greetings == [
        {
            "jsonrpc": "2.0",
            "id": 0,
            "method": "pointsman/hello",
            "params": {
                "version": endpoint.VERSION,
                "protocol": endpoint.PROTOCOL,
                "cwd": "/code/?",
                "environment": environment | {"QUOTED": odd["QUOTED"], "EMPTY": ""},
            },
        }
    ]


def test_a_daemon_that_was_just_leaving_is_asked_again(where: Places, environment: dict[str, str]) -> None:
    leaving = (b"", b"Content-Length: 9\r\n\r\n{", toy_daemon.refusal(code="ShuttingDown"))
    with serving(where, *leaving, toy_daemon.welcome()) as greetings:
        endpoint.connect(environment, "/").sock.close()
        assert len(greetings) == 4
    with serving(where, *leaving * 1000):
        problem = refused("DaemonUnreachable", lambda: endpoint.connect(environment, "/", deadline=0.1))
    assert "hangs up" in problem.message


def test_a_refusal_is_passed_on_as_it_is(where: Places, environment: dict[str, str]) -> None:
    data = {"code": "TooManyRequests", "message": "There are too many of you.", "advice": "Close some."}
    with serving(where, toy_daemon.refusal(**data)):
        problem = refused("TooManyRequests", lambda: endpoint.connect(environment, "/"))
    assert str(problem) == "There are too many of you. Close some."
    with serving(where, toy_daemon.refusal()):
        refused("DaemonUnreachable", lambda: endpoint.connect(environment, "/"))


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"x" * 5000,
        b"Content-Length: 99999999999\r\n\r\n",
        b"Content-Length: 2\r\n\r\n{]",
        b"Content-Length: 2\r\n\r\n\xff\xff",
        toy_daemon.frame([]),
        toy_daemon.frame({"id": 0, "result": {"version": "1"}}),
        toy_daemon.frame({"id": 1, "result": {"version": "1", "protocol": endpoint.PROTOCOL}}),
    ],
)
def test_something_that_is_not_pointsman_is_told_apart(
    where: Places, environment: dict[str, str], answer: bytes
) -> None:
    with serving(where, answer):
        problem = refused("DaemonUnreachable", lambda: endpoint.connect(environment, "/"))
    assert "not answer as Pointsman does" in problem.message


@pytest.mark.parametrize(
    ("protocol", "older", "remedy"),
    [
        (endpoint.PROTOCOL - 1, "The daemon", "Run `pointsman restart`."),
        (endpoint.PROTOCOL + 1, "This pointsman", "Upgrade this pointsman"),
    ],
)
def test_another_protocol_is_refused(
    where: Places, environment: dict[str, str], protocol: int, older: str, remedy: str
) -> None:
    with serving(where, toy_daemon.welcome(protocol=protocol, version="9.9")):
        problem = refused("VersionSkew", lambda: endpoint.connect(environment, "/"))
    assert problem.message.startswith(older)
    assert problem.advice.startswith(remedy)
    assert "9.9" in problem.message


@pytest.mark.parametrize(
    ("client", "daemon", "sentence"),
    [
        ("1.0", "1.0", None),
        ("1.10.0", "1.9.3", "The daemon (1.9.3) is older"),
        ("1.9", "1.10", "This pointsman (1.9) is older"),
        ("2", "1.99", "The daemon (1.99) is older"),
        ("1.0", "1.0.1", "This pointsman (1.0) is older"),
        ("1.0", "1.0.0", "The daemon (1.0.0) is another build"),
        ("1.0.dev3", "1.0.dev4", "The daemon (1.0.dev4) is another build"),
    ],
)
def test_skew_says_which_side_is_older(client: str, daemon: str, sentence: str | None) -> None:
    told = endpoint.skew(client=client, daemon=daemon)
    assert told is None if sentence is None else told and told.startswith(sentence)


def test_a_daemon_that_does_not_answer_is_given_up(
    where: Places, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "PATIENCE", 0.2)
    with serving(where):  # it listens, but nobody accepts
        problem = refused("DaemonUnreachable", lambda: endpoint.connect(environment, "/"))
    assert "does not answer" in problem.message
    assert problem.advice == "Run `pointsman restart`."
    lock = Lock.take(where)  # and here nobody even listens
    refused("DaemonUnreachable", lambda: endpoint.connect(environment, "/", deadline=0.1))
    lock.publish(where.socket)
    problem = refused("DaemonUnreachable", lambda: endpoint.connect(environment, "/"))
    assert str(os.getpid()) in problem.message
    lock.release()


def test_a_daemon_on_another_host_is_not_started_again(where: Places, environment: dict[str, str]) -> None:
    Path(where.lock).write_text(json.dumps(WHOLE | {"host": "elsewhere"}))
    problem = refused("OtherHost", lambda: endpoint.connect(environment, "/"))
    assert "elsewhere" in problem.message
    assert "POINTSMAN_HOME" in problem.advice


def test_this_computer_may_change_its_name_under_the_daemon(where: Places, environment: dict[str, str]) -> None:
    with serving(where, toy_daemon.welcome()):
        Path(where.lock).write_text(json.dumps(WHOLE | {"host": "elsewhere", "endpoint": where.socket}))
        endpoint.connect(environment, "/").sock.close()


def test_a_named_endpoint_is_the_only_one_tried(
    where: Places, environment: dict[str, str], starts: Path, tmp_path: Path
) -> None:
    environment["POINTSMAN_ENDPOINT"] = str(tmp_path / "none")
    problem = refused("DaemonUnreachable", lambda: endpoint.connect(environment, "/"))
    assert "POINTSMAN_ENDPOINT" in problem.message
    assert not starts.exists()
    environment["POINTSMAN_ENDPOINT"] = where.socket
    with serving(where, toy_daemon.welcome()):
        endpoint.connect(environment | {"POINTSMAN_HOME": str(tmp_path / "unused")}, "/").sock.close()
    assert not (tmp_path / "unused").exists()


def test_a_named_endpoint_that_leads_nowhere_is_soon_given_up(
    where: Places, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "PATIENCE", 0.1)
    began = time.monotonic()
    with serving(where, *[b""] * 1000):  # so does a socket that ssh forwards, when nobody listens over there
        problem = refused(
            "DaemonUnreachable",
            lambda: endpoint.connect(environment | {"POINTSMAN_ENDPOINT": where.socket}, "/", deadline=20),
        )
    assert "POINTSMAN_ENDPOINT" in problem.message
    assert time.monotonic() - began < 10


# Whose process it is


def test_a_long_path_works_from_end_to_end(tmp_path: Path, environment: dict[str, str]) -> None:
    environment |= {"POINTSMAN_HOME": str(tmp_path / ("x" * 120)), "XDG_RUNTIME_DIR": str(tmp_path)}
    with serving(endpoint.places(environment), toy_daemon.welcome()):
        endpoint.connect(environment, "/").sock.close()


@as_root
def test_a_stranger_on_our_socket_is_told_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    code = """if True:
        import os, socket, sys
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(sys.argv[1])
        os.setuid(65534)
        listener.listen()
        print("up", flush=True)
        print(listener.accept()[0].recv(100))"""
    path = str(tmp_path / "socket")
    with run(code, path) as stranger:
        assert first_line(stranger) == "up"
        environment["POINTSMAN_ENDPOINT"] = path
        problem = refused("EndpointNotOurs", lambda: endpoint.connect(environment, "/"))
        assert str(NOBODY) in problem.message
        assert first_line(stranger) == "b''"


# Starting and stopping


def test_it_starts_stops_and_starts_again(where: Places, environment: dict[str, str], starts: Path) -> None:
    first = endpoint.connect(environment, "/")
    with first.sock as sock:
        sock.sendall(b"hello")
        assert sock.recv(5) == b"hello"
    assert endpoint.stop(where, timeout=10)
    assert not endpoint.stop(where, timeout=10)
    refused("DaemonUnreachable", lambda: endpoint.connect(environment, "/", may_start=False))
    second = endpoint.connect(environment, "/")
    second.sock.close()
    assert starts.read_text().split() == [str(first.hello["pid"]), str(second.hello["pid"])]


def test_a_killed_daemon_is_replaced(where: Places, environment: dict[str, str], starts: Path) -> None:
    first = endpoint.connect(environment, "/")
    os.kill(int(str(first.hello["pid"])), signal.SIGKILL)
    assert first.sock.recv(1) == b""
    first.sock.close()
    endpoint.connect(environment, "/").sock.close()
    assert len(starts.read_text().split()) == 2


def test_twenty_clients_at_once_start_one_daemon(environment: dict[str, str], starts: Path, where: Places) -> None:
    code = """if True:
        import os, sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from pointsman import endpoint
        from tests import toy_daemon
        endpoint.daemon_command = lambda ready_fd: toy_daemon.command(ready_fd, Path(sys.argv[1]))
        print(endpoint.connect(os.environ, "/").hello["pid"])"""
    root = str(Path(__file__).parents[1])
    clients = [run(code, str(starts), root, **environment) for _ in range(20)]
    answered = {client.communicate(timeout=50)[0].strip() for client in clients}
    assert answered == set(starts.read_text().split())
    assert len(answered) == 1


def starting(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(endpoint, "daemon_command", lambda fd: [sys.executable, "-c", code, str(fd)])


def test_the_daemon_inherits_nobodys_keys(
    where: Places, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starting(
        monkeypatch,
        """if True:
        import json, os, sys
        told = {"environment": dict(os.environ), "cwd": os.getcwd(), "leads": os.getpgid(0) == os.getpid()}
        open(os.environ["POINTSMAN_TEST"], "w").write(json.dumps(told))
        os.write(int(sys.argv[1]), b"ready\\n")""",
    )
    monkeypatch.chdir(tmp_path)
    note = tmp_path / "note"
    variables = {"POINTSMAN_TEST": str(note), "OPENAI_API_KEY": "k", "SHELL": "/bin/sh", "LC_ALL": "C.UTF-8"}
    endpoint.start(where, environment | variables | {"POINTSMAN_HOME": "home"})
    told = json.loads(note.read_text())
    assert told["environment"].items() >= {"LC_ALL": "C.UTF-8", **environment}.items()
    assert told["environment"].keys().isdisjoint({"OPENAI_API_KEY", "SHELL"})
    assert told["cwd"] == "/"
    assert told["leads"], "a Ctrl-C in the client's terminal must not reach it"


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (
            "print('x', flush=True); raise SystemExit('no such thing: wings\\n\\n')",
            "DaemonWontStart",
            "no such thing: wings",
        ),
        ("pass", "DaemonWontStart", "not a word"),
        ("import os, sys; os.write(int(sys.argv[1]), b'error')", "DaemonWontStart", "error"),
        ("import signal; signal.pause()", "DaemonWontStart", "in time"),
        (
            'import os, sys; os.write(int(sys.argv[1]), b\'error {"code": "ConfigError", "message": \''
            'b\'"Line 3 is odd.", "advice": "Mend it."}\\n\')',
            "ConfigError",
            "Line 3 is odd.",
        ),
    ],
)
def test_a_daemon_that_does_not_come_up_says_why(
    where: Places, monkeypatch: pytest.MonkeyPatch, code: str, kind: str, words: str
) -> None:
    starting(monkeypatch, code)
    problem = refused(kind, lambda: endpoint.start(where, {}, deadline=2 if "pause" in code else 20))
    assert words in problem.message
    if kind == "DaemonWontStart":
        assert f"{where.data}/daemon.stderr" in problem.advice
        assert "pointsman doctor" in problem.advice


def test_a_daemon_that_cannot_be_run_says_why(where: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "daemon_command", lambda fd: ["/no/such/program"])
    refused("DaemonWontStart", lambda: endpoint.start(where, {}))


def test_a_daemon_started_by_somebody_else_is_no_error(where: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    starting(monkeypatch, 'import os, sys; os.write(int(sys.argv[1]), b\'error {"code": "AlreadyRunning"}\\n\')')
    endpoint.start(where, {})


def test_only_one_starts_at_a_time(where: Places, starts: Path) -> None:
    turn = os.open(Path(where.data) / "daemon.starting", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(turn, fcntl.LOCK_EX)
    refused("DaemonWontStart", lambda: endpoint.start(where, {}, deadline=0.1))
    os.close(turn)
    with serving(where):
        endpoint.start(where, {})
    assert not starts.exists()


def test_a_daemon_that_does_not_end_is_named(where: Places, environment: dict[str, str]) -> None:
    code = """if True:
        import os, signal
        from pointsman import endpoint
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        lock = endpoint.Lock.take(endpoint.places(os.environ))
        lock.publish("/deaf")
        print("taken", flush=True)
        signal.sigwait({signal.SIGTERM})
        print("told", flush=True)
        signal.pause()"""
    with run(code, **environment) as child:
        assert first_line(child) == "taken"
        problem = refused("DaemonWontStop", lambda: endpoint.stop(where, timeout=0.3))
        assert f"kill -9 {child.pid}" in problem.advice
        assert first_line(child) == "told"
        child.kill()


def test_a_daemon_that_came_after_the_stopped_one_is_left_alone(where: Places, environment: dict[str, str]) -> None:
    code = """if True:
        import os, signal
        from pointsman import endpoint
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        lock = endpoint.Lock.take(endpoint.places(os.environ))
        lock.publish("/first")
        print("taken", flush=True)
        signal.sigwait({signal.SIGTERM})
        lock.publish("/second")
        signal.sigwait({signal.SIGTERM})"""
    with run(code, **environment) as child:
        assert first_line(child) == "taken"
        assert endpoint.stop(where, timeout=20)
        assert endpoint.is_held(where)
        child.kill()


def test_no_process_is_ended_for_a_daemon_on_another_host(where: Places) -> None:
    with run("import signal; print('up', flush=True); signal.pause()") as innocent:
        assert first_line(innocent) == "up"
        lock = Lock.take(where)
        Path(where.lock).write_text(json.dumps(WHOLE | {"host": "elsewhere", "pid": innocent.pid}))
        refused("OtherHost", lambda: endpoint.stop(where, timeout=1))
        lock.release()
        Path(where.lock).write_text(json.dumps(WHOLE | {"host": os.uname().nodename, "pid": innocent.pid}))
        assert not endpoint.stop(where, timeout=1), "nobody holds the lock, so the pid is nobody's"
        assert innocent.poll() is None
        innocent.kill()
