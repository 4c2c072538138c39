"""Runs somebody else's program for the tests: starts it, learns where it listens, stops it by its process id.

It must never know what the program serves. What that prints goes to a file, and a failed test shows its end.
"""

import re
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_START_WITHIN = 20.0  # seconds; each of them takes less than one on an idle machine
_STOP_WITHIN = 5.0  # seconds between asking a program to end and ending it
_SHOWN = 4_000  # characters of the log

_ADDRESS = re.compile(r"listening on (http://127\.0\.0\.1:\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Program:
    """A program that runs now and answers at `origin`, e.g. `http://127.0.0.1:40123`."""

    origin: str
    pid: int
    log: Path


@contextmanager
def running(command: Sequence[str], log: Path) -> Generator[Program]:
    """Run `command` in the checkout until the block ends.

    Once it serves, it has to print a line that ends with `listening on http://127.0.0.1:PORT`.
    """
    with log.open("wb") as sink:
        process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT)
    try:
        yield Program(_address(process, log), process.pid, log)
    finally:
        _stop(process)


def tail(log: Path) -> str:
    """The end of what a program printed."""
    return log.read_text(errors="replace")[-_SHOWN:]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show, with a test that failed, what the programs that it used have printed."""
    report = yield
    if report.failed:
        logs = {getattr(value, "log", None): name for name, value in getattr(item, "funcargs", {}).items()}
        for log, name in logs.items():
            if isinstance(log, Path):
                report.sections.append((f"Log of {name}", tail(log)))
    return report


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START_WITHIN
    while time.monotonic() < deadline:
        if found := _ADDRESS.search(log.read_text(errors="replace")):
            return found[1]
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(0.01)
            raise RuntimeError(f"{process.args!r} ended with {code} before it listened:\n{tail(log)}")
    raise RuntimeError(f"{process.args!r} did not listen within {_START_WITHIN:.0f} s:\n{tail(log)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
