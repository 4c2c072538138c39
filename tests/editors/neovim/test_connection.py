"""The connection itself: who one is, what the health check finds, and answers for all that were asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.editors.neovim.conftest import Figures, Open
from tests.editors.neovim.kit import Neovim
from tests.living import UNPRIVILEGED, Home

LUALINE = Path(__file__).parents[2] / ".programs" / "neovim" / "usr" / "share" / "nvim-lualine"
WINDOW = "return require('pointsman.connection').server.windowId"


def health(vim: Neovim) -> str:
    """What `:checkhealth pointsman` says."""
    vim.command("checkhealth pointsman")
    return vim.shown()


def test_a_window_is_the_same_after_a_restart_and_another_beside_it(neovim: Open) -> None:
    first, beside = neovim("a"), neovim("b")
    first.connect()
    beside.connect()
    one, other = first.lua(WINDOW), beside.lua(WINDOW)
    assert one != other
    first.command("Pointsman model echo:fast window")
    first.until_told("(window)")
    first.quit()
    again = neovim("c")
    again.connect()
    assert again.lua(WINDOW) == one
    assert again.lua("return require('pointsman').selection().model") == "echo:fast"
    assert beside.lua("return require('pointsman').selection().model") == "echo:echo"


def test_a_server_name_names_the_window(neovim: Open, home: Home) -> None:
    windows = []
    for name in ("a", "b"):
        vim = neovim(name, "--listen", str(home.folder / "work.sock"))
        vim.connect()
        windows.append(vim.lua(WINDOW))
        vim.quit()
    assert windows[0] == windows[1]


def test_the_statusline_connects_by_itself_and_costs_nothing(neovim: Open, figures: Figures) -> None:
    vim = neovim()
    vim.lua("vim.o.statusline = \"%{v:lua.require'pointsman'.statusline()}\"")
    vim.attach_screen()
    vim.until("require('pointsman').statusline() ~= ''")
    spent = vim.lua("""local at = vim.uv.hrtime()
      for _ = 1, 1000 do require('pointsman').statusline() end
      return (vim.uv.hrtime() - at) / 1e9""")
    figures(f"statusline: {spent * 1000:.0f} µs")
    assert spent < 0.2


@pytest.mark.skipif(not LUALINE.exists() and "CI" not in os.environ, reason="`make .neovim` brings lualine")
def test_lualine_shows_a_choice_at_once(neovim: Open) -> None:
    vim, other = neovim("a", "--cmd", f"set rtp^={LUALINE}"), neovim("b")
    vim.attach_screen()
    vim.lua("""require('lualine').setup({ options = { icons_enabled = false, refresh = { statusline = 1e6 } },
      sections = { lualine_x = { 'pointsman' } } })""")
    vim.until_drawn("◆ Echo (offline) · echo ")
    other.connect()
    other.command("Pointsman model echo:100%fast global")
    vim.until_drawn("◆ Echo (offline) · 100%fast ")


def test_no_program(neovim: Open) -> None:
    vim = neovim(PATH="/usr/bin:/bin")
    vim.command("Pointsman status")
    assert "vim.g.pointsman" in vim.until_told("can’t be run")
    vim.command("Pointsman chat hello")
    vim.until_said("can’t be run")
    assert vim.lua("return #vim.lsp.get_clients()") == 0
    assert "`pointsman` can’t be run" in health(vim)


def test_health_of_what_is_well(neovim: Open) -> None:
    vim = neovim()
    vim.connect()
    text = health(vim)
    assert "ERROR" not in text, text
    for words in ("program: ", "socket: ", "connected to 0.1.0, protocol 1", "providers: echo"):
        assert words in text, text


def test_health_finds_a_broken_configuration(neovim: Open, home: Home) -> None:
    home.configure("default = \n")
    vim = neovim()
    text = health(vim)
    assert "ERROR" in text
    assert "pointsman.toml" in text


def test_health_finds_a_socket_that_others_can_use(neovim: Open, home: Home) -> None:
    home.start()
    Path(home.places.socket).chmod(0o666)
    text = health(neovim())
    assert "is not a socket that only you can use" in text
    assert "chmod 600" in text


def test_health_finds_a_socket_that_you_can_not_use(neovim: Open, home: Home) -> None:
    home.start()
    home.socket.chmod(0)
    text = health(neovim(before=UNPRIVILEGED))
    assert f"ERROR socket: {home.socket} can't be used by you." in text, text
    assert f"Run `chmod 600 {home.socket}`." in text, text


def test_health_finds_an_old_daemon(neovim: Open, home: Home) -> None:
    home.may_complain = True
    with home.serving('pointsman.endpoint.VERSION = "0.0.1"', 'pointsman.rpc.methods.daemon.VERSION = "0.0.1"'):
        text = health(neovim())
    assert "ERROR" in text or "WARNING" in text, text
    assert "0.0.1" in text


def test_other_plugins_are_told(neovim: Open, home: Home) -> None:
    vim, other = neovim("a"), neovim("b")
    vim.connect()
    assert vim.until_heard("ModelChanged")["selection"]["model"] == "echo:echo"
    other.command("Pointsman chat hello from b")
    other.until_answered()
    assert vim.until_heard("ChatStarted")["title"] == "hello from b"
    assert vim.until_heard("ChatFinished")["reason"] == "end"
    home.configure('default = "echo:slow"\n[providers.new]\nbase_url = "http://127.0.0.1:9/v1"\n')
    assert vim.until_heard("ProvidersChanged")["added"] == ["new"]
    changed = vim.until_heard("ModelChanged", 2)
    assert (changed["before"]["model"], changed["selection"]["model"]) == ("echo:echo", "echo:slow")
