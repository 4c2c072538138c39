"""The process as the system sees it: what it takes, what it may open, and how it tells its service manager."""

from __future__ import annotations

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
