"""A person at a shell, for tests: commands in pipes and in a terminal of their own, in a home of the test's own.

Must never know what a command does; all that is awaited has a limit.
"""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

from tests.living import POINTSMAN, Home

WITHIN = 20.0
"""Seconds for anything; nothing takes more than two on an idle machine."""
TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)

Done = subprocess.CompletedProcess[str]


class Shell:
    """Runs commands in one home."""

    def __init__(self, home: Home) -> None:
        self.home = home
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a child of a background job could not be interrupted
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def run(self, *words: str, given: str | bytes | None = None, **variables: str) -> Done:
        """A command from its beginning to its end, with `given` on its standard input."""
        done = subprocess.run(
            [POINTSMAN, *words],
            env=self.home.environment | variables,
            cwd=self.home.workspace,
            input=given.encode() if isinstance(given, str) else given or b"",
            capture_output=True,
            timeout=WITHIN,
            check=False,
        )
        return Done(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def json(self, *words: str, status: int | None = 0, **variables: str) -> Any:
        """What a command says to a program: `--json` is put behind it, and nothing but JSON may be on its output.

        Without a `status`, any will do.
        """
        done = self.run(*words, "--json", **variables)
        assert status in {None, done.returncode}, done
        return json.loads(done.stdout)

    def begin(self, *words: str, stdout: int | IO[bytes] = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """A command in pipes; it is ended after the test at the latest."""
        begun = subprocess.Popen(
            [POINTSMAN, *words],
            env=self.home.environment,
            cwd=self.home.workspace,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
        self.home._programs.append(begun)
        return begun

    def terminal(self, *words: str, columns: int = 100, **variables: str) -> Terminal:
        """A command in a terminal."""
        return Terminal(self.home, [str(POINTSMAN), *words], variables, columns)

    def configure(self, toml: str) -> None:
        """Writes pointsman.toml, before the daemon starts."""
        self.home.configure(toml)

    def eventually(self, holds: Callable[[], bool]) -> None:
        """Looks until something holds."""
        until = time.monotonic() + WITHIN
        while not holds():
            assert time.monotonic() < until, "it never came to hold"


class Terminal:
    """A command whose three streams are a terminal; `seen` is all that it has shown."""

    def __init__(self, home: Home, command: list[str], variables: dict[str, str], columns: int) -> None:
        self._screen, keyboard = pty.openpty()
        termios.tcsetwinsize(keyboard, (40, columns))
        self._process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, *command],
            env=home.environment | {"TERM": "xterm-256color"} | variables,
            cwd=home.workspace,
            stdin=keyboard,
            stdout=keyboard,
            stderr=keyboard,
            start_new_session=True,
        )
        os.close(keyboard)
        self.seen = ""

    def shows(self, text: str) -> None:
        """Reads until the command has shown this text."""
        until = time.monotonic() + WITHIN
        while text not in self.seen:
            assert self._read(until - time.monotonic()), f"it ended without showing {text!r}, but {self.seen!r}"

    def types(self, keys: str) -> None:
        """Presses keys; `\\x03` is Ctrl-C, `\\x04` Ctrl-D."""
        os.write(self._screen, keys.encode())

    def ends_by(self, key: str) -> int:
        """Presses a key, if need be again, as a person would: Python may miss the first, just before it waits."""
        until = time.monotonic() + WITHIN
        while self._process.poll() is None and time.monotonic() < until:
            self.types(key)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.3)
        return self.ends()

    def ends(self) -> int:
        """Reads to the end, and gives the exit status."""
        until = time.monotonic() + WITHIN
        while self._read(until - time.monotonic()):
            pass
        os.close(self._screen)
        return self._process.wait(WITHIN)

    def _read(self, within: float) -> bool:
        if not select.select([self._screen], [], [], max(within, 0))[0]:
            self._process.kill()
            raise TimeoutError(f"it says no more than {self.seen!r}")
        try:
            data = os.read(self._screen, 65536)
        except OSError:  # Linux says so when nobody has the other side open any more
            data = b""
        self.seen += data.decode()
        return bool(data)


def ended(begun: subprocess.Popen[bytes]) -> Done:
    """A command that was begun, at its end, with what it has said since."""
    out, err = begun.communicate(timeout=WITHIN)
    return Done(begun.args, begun.returncode, (out or b"").decode(), err.decode())


def first(stream: IO[bytes] | None, text: bytes) -> bytes:
    """Reads from a pipe until a text has come."""
    assert stream is not None
    heard = b""
    while text not in heard:
        assert select.select([stream], [], [], WITHIN)[0], f"no {text!r} came, but {heard!r}"
        data = os.read(stream.fileno(), 65536)
        assert data, f"it ended without {text!r}, but with {heard!r}"
        heard += data
    return heard
