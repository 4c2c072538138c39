"""Processes as the benchmark sees them: started, measured by what the kernel says of them, ended by their own id."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
END_WITHIN = 5.0


def cpu(pid: int) -> int:
    """Nanoseconds that all threads of a process have run so far."""
    return sum(int(path.read_text("ascii").split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def busy() -> float:
    """Seconds that all processors have worked since the machine was started, for whomever."""
    user, nice, system, _, _, irq, softirq, stolen = map(int, Path("/proc/stat").read_text("ascii").split()[1:9])
    return (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Bytes of a process that are in memory, counted page by page: what `ps` shows lags behind by up to 256 KiB.

    For all but root it is what `ps` shows: the daemon lets nobody else look closer.
    """
    if not os.access(f"/proc/{pid}/smaps_rollup", os.R_OK):
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    found = re.search(r"^Rss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text("ascii"), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


class Process:
    """A module of this package, run with nothing of the caller's environment; what it complains of goes to a file.

    It has a session of its own, as the daemon has: many kernels share the processors out by session.
    """

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str], complaints: Path) -> None:
        self._module, self._complaints = module, complaints
        with complaints.open("wb") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"tests.bench.{module}", *arguments],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def line(self) -> str:
        """The next line that it prints."""
        assert self._process.stdout
        line = self._process.stdout.readline().decode("ascii").strip()
        if not line:
            self._process.wait()
            self.alive()
        return line

    def alive(self) -> None:
        """Raises RuntimeError if it has ended by itself."""
        if (code := self._process.poll()) is not None:
            said = self._complaints.read_text("utf-8", errors="replace")[-2000:]
            raise RuntimeError(f"{self._module} ended by itself, with {code}: {said}")

    def end(self) -> None:
        """Ends it."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
