"""What the endpoint has on disk and at hand: places, private folders, the lock, the socket, its little JSON.

Must never start a daemon.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pointsman import endpoint
from pointsman.endpoint import EndpointError, Lock, LockInfo, Places
from pointsman.endpoint.plain_json import decode, encode
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


def refused(code: str, act: Callable[[], object]) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        act()
    assert caught.value.code == code
    assert str(caught.value) == f"{caught.value.message} {caught.value.advice}"
    return caught.value


# Where everything lies


@pytest.mark.parametrize(
    ("variables", "config", "data"),
    [
        ({}, "/u/.config/pointsman", "/u/.local/share/pointsman"),
        ({"XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d"}, "/c/pointsman", "/d/pointsman"),
        (
            {"XDG_CONFIG_HOME": "c", "XDG_DATA_HOME": "./d"},
            "/u/.config/pointsman",
            "/u/.local/share/pointsman",
        ),
        ({"XDG_CONFIG_HOME": "", "XDG_DATA_HOME": ""}, "/u/.config/pointsman", "/u/.local/share/pointsman"),
        ({"POINTSMAN_HOME": "/p", "XDG_CONFIG_HOME": "/c"}, "/p", "/p"),
        ({"POINTSMAN_HOME": ""}, "/u/.config/pointsman", "/u/.local/share/pointsman"),
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, "/u/.config/pointsman", "/u/.local/share/pointsman"),
    ],
)
def test_places(variables: dict[str, str], config: str, data: str) -> None:
    assert endpoint.places({"HOME": "/u"} | variables) == Places(
        config=config,
        data=data,
        lock=f"{data}/daemon.lock",
        socket=f"{data}/daemon.sock",
        log=f"{data}/daemon.log",
        store=f"{data}/state.db",
        config_file=f"{config}/pointsman.toml",
    )


def test_a_relative_home_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert endpoint.places({"POINTSMAN_HOME": "here"}).data == str(tmp_path / "here")


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({}, "/tmp"),  # noqa: S108
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, "/run/user/7"),
        ({"XDG_RUNTIME_DIR": "run"}, "/tmp"),  # noqa: S108
        ({"XDG_RUNTIME_DIR": "/r" * 50}, "/tmp"),  # noqa: S108
    ],
)
def test_only_a_path_over_the_limit_of_the_platform_is_shortened(variables: dict[str, str], folder: str) -> None:
    limit = {"linux": 107, "darwin": 103}[sys.platform]
    fits = "/" + "é" * ((limit - len("//daemon.sock")) // 2)
    fits += "x" * (limit - len(f"{fits}/daemon.sock".encode()))
    assert endpoint.places({"POINTSMAN_HOME": fits} | variables).socket == f"{fits}/daemon.sock"
    short = Path(endpoint.places({"POINTSMAN_HOME": fits + "x"} | variables).socket)
    assert str(short.parent) == f"{folder}/pointsman-{os.geteuid()}"
    assert len(short.stem) == 16
    assert short != Path(endpoint.places({"POINTSMAN_HOME": fits + "y"} | variables).socket)


def test_values_are_frozen_and_complete(where: Places) -> None:
    with pytest.raises(AttributeError):
        where.data = "/elsewhere"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Places("/too", "/few")  # type: ignore[call-arg]


# What is ours alone


def test_a_directory_is_made_with_its_parents_for_us_alone(tmp_path: Path) -> None:
    endpoint.private_directory(str(tmp_path / "a" / "b"))
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b")] == [0o700, 0o700]
    (tmp_path / "link").symlink_to(tmp_path / "a")
    endpoint.private_directory(str(tmp_path / "link"))


@pytest.mark.parametrize("mode", [0o755, 0o701, 0o702, 0o704, 0o710, 0o720, 0o740])
def test_an_open_directory_is_refused_and_not_mended(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "it's open"
    path.mkdir()
    path.chmod(mode)
    problem = refused("UnsafeDirectory", lambda: endpoint.private_directory(str(path)))
    subprocess.run(problem.advice.split("`")[1], shell=True, check=True)  # noqa: S602
    endpoint.private_directory(str(path))


@pytest.mark.parametrize("number", endpoint.NOT_WRITABLE)
def test_a_disk_that_can_not_be_written_is_not_called_somebody_elses_file(
    where: Places, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", full)
    problem = refused("UnsafeDirectory", lambda: Lock.take(where))
    assert os.strerror(number) in problem.message
    assert problem.advice.startswith("Pointsman has to write there: mend that")


def test_what_is_no_directory_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "to a file").symlink_to(tmp_path / "file")
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "to an open one").symlink_to(tmp_path / "open")
    for name in ("file", "file/below", "dangling", "dangling/below", "to a file", "to an open one"):
        refused("UnsafeDirectory", lambda name=name: endpoint.private_directory(str(tmp_path / name)))  # type: ignore[misc]


@as_root
def test_what_belongs_to_somebody_else_is_refused(tmp_path: Path, where: Places) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, NOBODY, -1)
    problem = refused("UnsafeDirectory", lambda: endpoint.private_directory(str(theirs)))
    assert f"sudo chown -hR 0 {theirs}" in problem.advice
    link = tmp_path / "link"
    link.symlink_to(where.data)
    os.chown(link, NOBODY, -1, follow_symlinks=False)
    refused("UnsafeDirectory", lambda: endpoint.private_directory(str(link)))
    Path(where.lock).touch(0o600)
    os.chown(where.lock, NOBODY, -1)
    refused("UnsafeDirectory", lambda: Lock.take(where))
    refused("UnsafeDirectory", lambda: endpoint.read_lock(where))


# The lock


def test_one_holds_the_lock_and_says_who_it_is(where: Places) -> None:
    assert not endpoint.is_held(where)
    lock = Lock.take(where)
    assert endpoint.is_held(where)
    assert endpoint.read_lock(where) is None
    lock.publish("/some/socket")
    host = os.uname().nodename
    assert endpoint.read_lock(where) == LockInfo("/some/socket", os.getpid(), endpoint.VERSION, endpoint.PROTOCOL, host)
    assert Path(where.lock).read_text().count("\n") == 1
    assert Path(where.lock).stat().st_mode & 0o777 == 0o600
    assert str(os.getpid()) in refused("AlreadyRunning", lambda: Lock.take(where)).message
    lock.release()
    assert Path(where.lock).read_text() == ""
    assert not endpoint.is_held(where)
    Lock.take(where).release()


def test_a_look_at_the_lock_does_not_keep_a_starter_from_it(where: Places) -> None:
    Path(where.lock).touch(0o600)
    looking = os.open(where.lock, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.1, os.close, (looking,)).start()
    Lock.take(where).release()


def test_a_lock_does_not_survive_its_killed_holder(where: Places, environment: dict[str, str]) -> None:
    code = """if True:
        import os, signal
        from pointsman import endpoint
        lock = endpoint.Lock.take(endpoint.places(os.environ))
        lock.publish("/dead")
        print("taken", flush=True)
        signal.pause()"""
    with run(code, **environment) as child:
        assert first_line(child) == "taken"
        assert str(child.pid) in refused("AlreadyRunning", lambda: Lock.take(where)).message
        child.kill()
    info = endpoint.read_lock(where)
    assert info is not None
    assert info.endpoint == "/dead"
    lock = Lock.take(where)
    assert endpoint.read_lock(where) is None, "the dead one's pid must not pass for ours"
    lock.release()


WHOLE = {"endpoint": "/s", "pid": 7, "version": "1", "protocol": 1, "host": "h"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"\xff\xfe\x00",
        b"[" * 60000,
        json.dumps(WHOLE).encode()[:-1],
        json.dumps(WHOLE).encode() * 2,
        *(json.dumps({name: WHOLE[name] for name in WHOLE if name != gone}).encode() for gone in WHOLE),
        *(json.dumps(WHOLE | {"pid": pid}).encode() for pid in (0, -1, "7", 7.5, None)),
    ],
)
def test_a_damaged_lock_says_nothing(where: Places, content: bytes) -> None:
    Path(where.lock).write_bytes(json.dumps(WHOLE | {"new in a later version": []}).encode())
    assert endpoint.read_lock(where) == LockInfo(**WHOLE)  # type: ignore[arg-type]
    Path(where.lock).write_bytes(content)
    assert endpoint.read_lock(where) is None


def test_a_lock_that_is_a_link_is_refused(where: Places, tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    Path(where.lock).symlink_to(tmp_path / "target")
    refused("UnsafeDirectory", lambda: Lock.take(where))
    refused("UnsafeDirectory", lambda: endpoint.is_held(where))


# The socket


def test_the_socket_is_for_us_alone(where: Places) -> None:
    Path(where.socket).write_text("what a crashed daemon left")
    with endpoint.listen(where) as listener:
        assert Path(where.socket).stat().st_mode & 0o777 == 0o600
        assert not listener.getblocking()
        assert not listener.get_inheritable()


def test_our_own_processes_are_known_and_strangers_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs, socket.socket(socket.AF_INET) as no_peer:
        assert endpoint.peer_uid(ours) == os.geteuid()
        endpoint.check_peer(ours)
        refused("EndpointNotOurs", lambda: endpoint.check_peer(no_peer))
        monkeypatch.setattr(sys, "platform", "plan9")
        refused("EndpointNotOurs", lambda: endpoint.check_peer(ours))


@as_root
def test_a_strange_client_is_refused() -> None:
    code = """if True:
        import os, socket, sys
        os.setuid(65534)
        client = socket.socket(socket.AF_UNIX)
        client.connect(chr(0) + sys.argv[1])
        client.recv(1)"""
    name = f"pointsman-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{name}")
        listener.listen()
        with run(code, name):
            peer, _ = listener.accept()
            with peer:
                refused("EndpointNotOurs", lambda: endpoint.check_peer(peer))


def test_the_environment_is_scrubbed() -> None:
    kept = ["HOME", "PATH", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_TIME", "TZ", "TMPDIR", "XDG_DATA_HOME"]
    kept += ["DBUS_SESSION_BUS_ADDRESS", "NOTIFY_SOCKET", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"]
    kept += [
        "REQUESTS_CA_BUNDLE",
        "HTTPS_PROXY",
        "https_proxy",
        "no_proxy",
        "ALL_PROXY",
        "POINTSMAN_VAULT_KEY",
    ]
    lost = [
        "OPENAI_API_KEY",
        "SHELL",
        "PWD",
        "SSH_AUTH_SOCK",
        "LD_PRELOAD",
        "PYTHONPATH",
        "MY_HTTP_PROXY",
        "HOMES",
    ]
    assert endpoint.scrub(dict.fromkeys(kept + lost, "x")) == dict.fromkeys(kept, "x")


# The little JSON


@given(st.recursive(st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_what_is_written_is_json(value: object) -> None:
    assert json.loads(encode(value)) == value
    assert decode(encode(value)) == value


@example("0\xa0")
@example(" 0\r\n")
@given(st.text() | st.from_regex(r'[\[\]{}",:0-9eE.\-ntrufalse\\ ]{1,12}'))
def test_what_is_read_is_what_json_reads(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):
            decode(text)
    else:
        assert repr(decode(text)) == repr(expected)
