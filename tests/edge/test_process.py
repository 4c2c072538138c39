"""The process as the system sees it: what it takes, what it may open, and how it tells its service manager."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pointsman.edge.process import give_memory_back, notify_service_manager, resident_memory


def test_the_resident_memory_grows_with_what_is_kept() -> None:
    before = resident_memory()
    kept = bytes(1) * (64 * 2**20)
    assert 2**20 < before < resident_memory() - 32 * 2**20
    del kept
    give_memory_back()


def run(code: str) -> list[str]:
    """What a process of its own prints."""
    command = [sys.executable, "-c", f"import os, resource, sys\nfrom pointsman.edge.process import *\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.split()


def test_as_many_files_as_the_system_allows() -> None:
    lower = "resource.setrlimit(resource.RLIMIT_NOFILE, (50, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))"
    soft, hard = run(f"{lower}\nraise_file_limit()\nprint(*resource.getrlimit(resource.RLIMIT_NOFILE))")
    assert soft == hard


def test_detached_it_goes_on_in_a_session_of_its_own() -> None:
    first, later, session = run("print(os.getpid(), flush=True)\ndetach()\nprint(os.getpid(), os.getsid(0))")
    assert later == session != first


@pytest.mark.parametrize("abstract", [False, True])
def test_a_service_manager_that_asked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    name = f"{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}" if abstract else name)
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else name)
        notify_service_manager("READY=1")
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", [None, "", "relative", "/nobody/listens"])
def test_where_nobody_asked_nobody_is_told(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify_service_manager("READY=1")


# Nobody looks into it

SEEN = "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="what it asks for is Linux's own")


@on_linux
def test_it_can_not_be_looked_into_and_leaves_no_core() -> None:
    assert run(f"import ctypes\n{SEEN}")[-1] == "1"
    assert run(f"import ctypes\nprint(harden())\n{SEEN}") == ["None", "(0,", "0)", "0"]


@on_linux
def test_what_could_not_be_done_is_said() -> None:
    fails = "import ctypes\nctypes.CDLL = lambda *_, **__: type('C', (), {'prctl': lambda *_: -1})()"
    assert run(f"{fails}\nprint(harden())")[:5] == ["the", "process", "can", "be", "looked"]
    lacks = "import ctypes\nctypes.CDLL = lambda *_, **__: object()"
    assert run(f"{lacks}\nprint(harden())")[:5] == ["the", "process", "may", "leave", "a"]


def test_elsewhere_it_does_no_harm() -> None:
    assert run("sys.platform = 'darwin'\nprint(harden())\nprint(resource.getrlimit(resource.RLIMIT_CORE))") == [
        "None",
        "(0,",
        "0)",
    ]


@on_linux
@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into everything")
def test_another_process_of_the_user_sees_nothing() -> None:
    """Its environment and its memory; a process that is not hardened shows both."""
    for hardened, seen in (("", True), ("harden()", False)):
        code = f"from pointsman.edge.process import harden\n{hardened}\nprint(1, flush=True)\ninput()"
        with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            assert os.access(f"/proc/{process.pid}/environ", os.R_OK) is seen
            process.kill()


@on_linux
@pytest.mark.parametrize("hardened", [False, True])
def test_a_crash(tmp_path: Path, hardened: bool) -> None:
    """One that is not hardened leaves its memory in a file, where the system puts such files beside the process."""
    name = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if "/" in name or name.startswith("|") or resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("the system puts no core files here")
    code = "import os, resource\nfrom pointsman.edge.process import harden\n"
    code += "resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)\n"
    code += f"os.chdir({str(tmp_path)!r})\n" + ("harden()\n" if hardened else "") + "os.kill(os.getpid(), 11)"
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=30)
    assert done.returncode == -11
    assert bool(list(tmp_path.iterdir())) is not hardened
