"""The fixtures `home` and `lasting_home`: a data folder of a test's own, and the real daemon that lives in it.

Everything is begun as an editor or a person begins it, as a process, and ended by its process id. After each test the
daemon's log must hold no mistake of its own; a failed test shows that log.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pointsman import endpoint
from pointsman.endpoint import Places
from tests.daemon.client import Editor

POINTSMAN = Path(sys.executable).with_name("pointsman")
ENDS_WITHIN = 15.0
UNPRIVILEGED = ("setpriv", "--bounding-set", "-all") if os.geteuid() == 0 else ()
"""Put before a command, it makes root obey the permissions of files like everybody else."""
_SHOWN = 6_000  # characters of the log


class Home:
    """One set of data with its configuration, and those who use it.

    `environment` is what a process of this home gets, and nothing else; change it before something is started.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.workspace = folder / "workspace"
        self.workspace.mkdir(parents=True)
        self.environment = {
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PATH": f"{POINTSMAN.parent}:/usr/bin:/bin",
            **(variables or {"POINTSMAN_HOME": str(folder / "data")}),
        }
        self.may_complain = False
        self._editors: list[Editor] = []
        self._programs: list[subprocess.Popen[bytes]] = []

    @property
    def data(self) -> Path:
        """The folder of the daemon's files."""
        return Path(self.places.data)

    @property
    def socket(self) -> Path:
        """The daemon's socket."""
        return Path(self.places.socket)

    @property
    def places(self) -> Places:
        """Where everything of this home lies."""
        return endpoint.places(self.environment)

    @property
    def file(self) -> Path:
        """The user's pointsman.toml."""
        return Path(self.places.config_file)

    def configure(self, toml: str) -> None:
        """Writes pointsman.toml."""
        file = self.file
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(toml)

    # Those who use it.

    async def connect(self, *, hello: bool = True, **options: Any) -> Editor:
        """An editor behind a `pointsman connect` of its own; `options` are those of `Editor.initialize`."""
        variables = options.pop("variables", {})
        process = await asyncio.create_subprocess_exec(
            POINTSMAN,
            "connect",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment | variables,
            cwd=self.workspace,
        )
        assert process.stdout
        assert process.stdin
        editor = Editor(process.stdout, process.stdin, process)
        self._editors.append(editor)
        if hello:
            await editor.initialize(**{"workspace": self.workspace} | options)
        return editor

    async def knock(self, *, greet: bool = True) -> Editor:
        """A client on the bare socket; the daemon must run already."""
        reader, writer = await asyncio.open_unix_connection(self.places.socket)
        editor = Editor(reader, writer)
        self._editors.append(editor)
        if greet:
            hello = {"version": endpoint.VERSION, "protocol": endpoint.PROTOCOL, "cwd": "/", "environment": {}}
            await editor.call("pointsman/hello", hello)
        return editor

    async def leave(self) -> None:
        """Ends every client."""
        await asyncio.gather(*(editor.kill() for editor in self._editors))
        self._editors.clear()

    def run(self, *arguments: str, within: float = 20.0, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of the command line to its end."""
        return subprocess.run(
            [POINTSMAN, *arguments],
            env=self.environment | variables,
            cwd=self.workspace,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )

    def program(self, *command: str, **variables: str) -> subprocess.Popen[bytes]:
        """Begins a program that is ended with the test at the latest; without a command, a daemon in the foreground."""
        program = subprocess.Popen(
            command or [POINTSMAN, "daemon"],
            env=self.environment | variables,
            cwd=self.workspace,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._programs.append(program)
        return program

    async def serve(self, *constants: str) -> None:
        """Begins a daemon in the foreground and waits until it is ready.

        `constants` are changes to it, like `pointsman.service.chats.KEPT_FOR = 1.0`.
        """
        await asyncio.to_thread(self._serve, constants)

    @contextmanager
    def serving(self, *constants: str) -> Iterator[None]:
        """The same for a test without a loop."""
        self._serve(constants)
        yield

    def _serve(self, constants: Sequence[str]) -> None:
        modules = {constant.partition(" = ")[0].rpartition(".")[0] for constant in constants}
        lines = [*(f"import {module}" for module in sorted(modules)), *constants, "from pointsman.daemon import main"]
        code = "\n".join([*lines, "raise SystemExit(main())"])
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(b"\0" + os.urandom(8).hex().encode())
            ready.settimeout(20)
            self.program(sys.executable, "-c", code, NOTIFY_SOCKET=f"@{ready.getsockname()[1:].decode()}")
            assert ready.recv(100) == b"READY=1"

    # The daemon.

    @property
    def pid(self) -> int:
        """The daemon's process id. It must run."""
        info = endpoint.read_lock(self.places)
        assert info, "the lock names no daemon"
        return info.pid

    def start(self) -> int:
        """Starts the daemon, if it does not run, without a client; gives its process id."""
        endpoint.start(self.places, self.environment)
        return self.pid

    async def end(self, number: signal.Signals = signal.SIGTERM, within: float = ENDS_WITHIN) -> float:
        """Sends the daemon a signal and waits until it has ended; gives the seconds that it took."""
        pid, began = self.pid, time.monotonic()
        os.kill(pid, number)
        await ended(pid, within)
        return time.monotonic() - began

    def daemons(self) -> set[int]:
        """The processes that are daemons of this home's data, whoever counts them in the lock."""
        return {pid for pid in _processes() if self._is_ours(pid)}

    def check_that_none_runs(self, within: float = 5.0) -> None:
        """No daemon runs any more. One that has given its lock up may take a moment to end."""
        for pid in self.daemons():
            with suppress(ProcessLookupError):
                process = os.pidfd_open(pid)
                over, _, _ = select.select([process], [], [], within)
                os.close(process)
                assert over, f"daemon {pid} still runs"

    async def whole_log(self) -> list[dict[str, Any]]:
        """Ends the daemon, which then writes what is still waiting, and gives its log."""
        await self.end()
        return self.log()

    def log(self) -> list[dict[str, Any]]:
        """The lines of the log so far. Each has to be JSON."""
        file = Path(self.places.log)
        lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
        return [json.loads(line) for line in lines]

    def complaints(self) -> list[object]:
        """What the daemon has said of its own mistakes, in the log and on stderr."""
        said = self.data / "daemon.stderr"
        bad = [line for line in self.log() if line["level"] in {"ERROR", "CRITICAL"} or "traceback" in line]
        return [*(said.read_text().splitlines() if said.exists() else []), *bad]

    def close(self) -> None:
        """Ends whatever still runs, and then looks for complaints."""
        for program in self._programs:
            program.terminate()
        for pid in self.daemons():
            _end(pid)
        for program in self._programs:
            if program.wait(5) is not None and program.stdout:
                program.stdout.close()
        assert self.may_complain or not self.complaints()

    def _is_ours(self, pid: int) -> bool:
        try:
            if "daemon" not in command_of(pid):
                return False
            return endpoint.places(environment_of(pid)).data == self.places.data
        except PermissionError:  # a daemon lets nobody but root look into it: then the lock has to say which is ours
            info = endpoint.read_lock(self.places)
            return info is not None and info.pid == pid
        except OSError:
            return False  # it has ended


def provider(id: str, base_url: str, *lines: str) -> str:
    """A provider of the chat-completions kind for pointsman.toml; without more, one that needs no key."""
    more = lines or ('auth = { scheme = "none" }', "max_retries = 0")
    return "\n".join([f"[providers.{id}]", f'base_url = "{base_url}"', *more, ""])


def environment_of(pid: int) -> dict[str, str]:
    """The environment that a process was started with."""
    text = Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace")
    return dict(variable.split("=", 1) for variable in text.split("\0") if "=" in variable)


def command_of(pid: int) -> list[str]:
    """The program and the arguments of a process."""
    return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")


def resident(pid: int) -> int:
    """The resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def ended(pid: int, within: float = ENDS_WITHIN) -> None:
    """Waits until a process has ended; TimeoutError if it has not."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(process, over.set)
    try:
        await asyncio.wait_for(over.wait(), within)
    except TimeoutError:
        raise TimeoutError(f"process {pid} still runs after {within:g} s") from None
    finally:
        loop.remove_reader(process)
        os.close(process)


def _end(pid: int) -> None:
    """Ends a daemon, who may be in the middle of something."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    for number, seconds in ((signal.SIGTERM, 2), (signal.SIGKILL, 10)):
        signal.pidfd_send_signal(process, number)
        if select.select([process], [], [], seconds)[0]:
            break
    os.close(process)


def _processes() -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            yield int(entry.name)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    """An empty home. Whoever comes first starts its daemon."""
    made = Home(tmp_path / "home")
    try:
        yield made
        await made.leave()
    finally:
        made.close()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home for all tests of a file; they use it by `lasting_home`."""
    made = Home(tmp_path_factory.mktemp("lasting") / "home")
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
async def lasting_home(lasting: Home) -> AsyncIterator[Home]:
    """A home with a daemon that has seen other tests, and knows none but the built-in provider."""
    yield lasting
    await lasting.leave()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show, with a test that failed, the logs of the daemons that it used."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Home):
                for file in (Path(value.places.log), value.data / "daemon.stderr"):
                    text = file.read_text(errors="replace")[-_SHOWN:] if file.exists() else ""
                    report.sections.append((f"{file.name} of {name}", text))
    return report
