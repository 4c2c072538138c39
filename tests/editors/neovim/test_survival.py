"""What outlives whom: an answer its editor, a choice its daemon, and a Neovim all others."""

from __future__ import annotations

import os
import signal

import pytest

from tests.counterparts.upstream import Upstream
from tests.editors.neovim.conftest import Open
from tests.editors.neovim.held import Held
from tests.editors.neovim.kit import Screen, scripted, version
from tests.living import Home


def test_a_reopened_neovim_gets_the_rest(neovim: Open, home: Home, upstream: Upstream) -> None:
    held = Held(upstream, 6, 60)
    scripted(home, upstream, "held")
    first = neovim("a")
    first.command("Pointsman chat count")
    first.until_said("3 4 5 ")
    first.quit()
    again = neovim("a")
    again.command("Pointsman chat")
    again.until_told("1 answer that went on without you is here again")
    held.go_on()
    again.until_answered()
    assert again.chat_text().count(held.whole.strip()) == 1
    assert len(upstream.requests) == 1


@pytest.mark.skipif(version() < (0, 12), reason=":restart came with Neovim 0.12")
def test_a_restart_in_mid_answer(home: Home, upstream: Upstream) -> None:
    held = Held(upstream, 6, 60)
    scripted(home, upstream, "held")
    vim = Screen(home)
    try:
        vim.command("Pointsman model scripted:held window")
        vim.until_told("(window)")
        vim.command("Pointsman chat count")
        vim.until_said("3 4 5 ")
        window = vim.lua("return require('pointsman.connection').server.windowId")
        vim.restart()
        vim.command("Pointsman chat")
        vim.until_told("is here again")
        held.go_on()
        vim.until_answered()
        assert vim.chat_text().count(held.whole.strip()) == 1
        assert len(upstream.requests) == 1
        assert vim.lua("return require('pointsman.connection').server.windowId") == window
        assert vim.lua("return require('pointsman').selection().scope") == "window"
    finally:
        vim.quit()


def test_a_killed_daemon_is_said_and_comes_back(neovim: Open, home: Home, upstream: Upstream) -> None:
    home.may_complain = True
    Held(upstream, 6, 60)
    scripted(home, upstream, "nothing")
    vim = neovim()
    vim.connect()
    vim.command("Pointsman model scripted:held window")
    vim.until_told("held (window)")
    vim.command("Pointsman chat count")
    vim.until_said("3 4 5 ")
    vim.lua("""require('pointsman.connection').request('testProvider', { provider = 'scripted', say = true },
      function(err) _G.failed = err and err.data.message end)""")
    upstream.request(1)
    os.kill(home.pid, signal.SIGKILL)
    assert vim.until("_G.failed") == "The connection to the daemon has ended."
    vim.until_answered()
    assert "3 4 5 \n\n**The answer broke off.** The daemon ended, and this answer with it." in vim.chat_text()
    selection = vim.until("require('pointsman').selection()")
    assert (selection["model"], selection["scope"]) == ("scripted:held", "window")
    vim.command("Pointsman model echo:echo window")
    vim.until_told("echo (window)")
    vim.command("Pointsman chat and now?")
    vim.until_said("You said: and now?")


def test_requests_of_a_daemon_that_dies_are_answered(neovim: Open, home: Home) -> None:
    home.may_complain = True
    vim = neovim()
    vim.connect()
    pid = home.pid
    os.kill(pid, signal.SIGSTOP)
    vim.lua("""_G.failures = {}
      for _ = 1, 5 do
        require('pointsman.connection').request('status', nil, function(err)
          table.insert(_G.failures, err.data.message)
        end)
      end""")
    os.kill(pid, signal.SIGKILL)
    vim.until("#_G.failures == 5")
    vim.until("require('pointsman.connection').client ~= nil")
    assert home.pid != pid
    vim.command("Pointsman status")
    vim.until("vim.fn.search('daemon', 'nw') > 0")


def test_the_end_of_neovim_ends_nothing_else(neovim: Open, home: Home) -> None:
    first, second = neovim("a"), neovim("b")
    first.connect()
    second.connect()
    pid = home.pid
    first.quit()
    second.command("Pointsman chat still there?")
    second.until_answered()
    assert home.pid == pid
