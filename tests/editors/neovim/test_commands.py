"""`:Pointsman` in all its forms but chats."""

from __future__ import annotations

import re
import threading

from tests.counterparts.oidc import Browser, Oidc
from tests.counterparts.upstream import Upstream
from tests.editors.neovim.conftest import Open
from tests.editors.neovim.kit import Neovim
from tests.living import Home, provider

KEYED = ('auth = { scheme = "bearer" }', "max_retries = 0")


def completed(vim: Neovim, line: str) -> list[str]:
    """What the command line offers."""
    found: list[str] = vim.lua("return vim.fn.getcompletion(..., 'cmdline')", line)
    return found


def shown(vim: Neovim, title: str) -> str:
    """The text of a sheet, as soon as it is there."""
    vim.lua("_G.title = ...", f" {title}")
    vim.until(
        "(function() local title = vim.api.nvim_win_get_config(0).title;"
        " return title and title[1][1]:find(_G.title, 1, true) end)()"
    )
    return vim.shown()


def types(vim: Neovim, secret: str) -> None:
    """Answers the next hidden question."""
    vim.lua("local s = ...; vim.fn.inputsecret = function() return s end", secret)


def test_completion(neovim: Open) -> None:
    vim = neovim()
    assert completed(vim, "Pointsman mo") == ["model"]
    assert len(completed(vim, "Pointsman ")) == 16
    assert "echo:slow" in completed(vim, "Pointsman model ec")
    assert completed(vim, "Pointsman model echo:slow w") == ["window", "workspace"]
    assert completed(vim, "Pointsman explain echo:slow ") == []
    assert "echo" in completed(vim, "Pointsman! key ec")
    vim.command("Pointsman nonsense")
    assert "There is no “:Pointsman nonsense”." in vim.told[-1]


def test_the_picker_shows_what_matters(neovim: Open) -> None:
    vim = neovim()
    vim.connect()
    vim.lua("""vim.ui.select = function(items, options, done)
      _G.kind, _G.rows = options.kind, vim.tbl_map(options.format_item, items)
      done(vim.iter(items):find(function(item) return item.model and item.model.model == 'echo:slow' end))
    end""")
    vim.command("Pointsman model")
    vim.until_told("slow (")
    assert vim.lua("return _G.kind") == "pointsman_model"
    assert vim.lua("return _G.rows")[0].startswith("●  echo:echo")
    assert "of providers without a key" in vim.lua("return _G.rows")[-1]
    assert vim.lua("return require('pointsman').statusline()") == "◆ Echo (offline) · slow"
    vim.command("Pointsman! model echo:slow")
    vim.until_told("There is no chat here.")
    vim.command("Pointsman model echo:fast everywhere")
    vim.until_told("“everywhere” is no scope. There is window, workspace and global.")


def test_sheets(neovim: Open) -> None:
    vim = neovim()
    vim.command("Pointsman status")
    assert "Echo (offline) · echo" in shown(vim, "Pointsman")
    vim.lua("vim.api.nvim_feedkeys('q', 'tx', false)")
    vim.command("Pointsman providers")
    text = shown(vim, "Providers")
    assert "●  echo " in text
    assert "more without a key: :Pointsman! providers" in text
    vim.command("Pointsman! providers")
    vim.until("vim.fn.search(':Pointsman key openrouter', 'nw') > 0")
    vim.command("Pointsman explain echo:slow")
    assert "1. echo:slow" in shown(vim, "Who would be asked")
    vim.command("close")
    vim.command("Pointsman usage")
    assert "in all" in shown(vim, "Usage since")
    vim.command("Pointsman usage today banana")
    assert vim.until_told("banana").endswith("There is day, model, provider, account, client and workspace.")


def test_config_is_opened_and_its_mistakes_stand_on_their_lines(neovim: Open, home: Home) -> None:
    vim = neovim()
    vim.lua("vim.lsp.enable('pointsman')")
    vim.command("Pointsman config")
    vim.until(f"vim.api.nvim_buf_get_name(0) == '{home.file}'")
    vim.until("#vim.lsp.get_clients({ bufnr = 0, name = 'pointsman' }) == 1")
    home.configure('default = "echo:echo"\nnonsense = 3\n')
    (found,) = vim.until(
        "#vim.diagnostic.get(0) > 0 and"
        " vim.tbl_map(function(found) return { found.lnum, found.message } end, vim.diagnostic.get(0))"
    )
    assert found[0] == 1
    assert "nonsense" in found[1]
    vim.until_told("pointsman.toml:2")
    home.configure('default = "echo:echo"\n')
    vim.until("#vim.diagnostic.get(0) == 0")
    assert vim.lua("return #vim.lsp.get_clients()") == 1


def test_the_log_and_a_new_connection(neovim: Open, home: Home) -> None:
    vim = neovim()
    vim.command("Pointsman log")
    vim.until("vim.fn.search('listens at', 'nw') > 0")
    pid, window = home.pid, vim.lua("return require('pointsman.connection').server.windowId")
    vim.command("Pointsman restart")
    vim.until_told("Connected to Pointsman")
    assert home.pid == pid
    assert vim.lua("return require('pointsman.connection').server.windowId") == window
    vim.command("Pointsman! restart")
    vim.until("#vim.iter(_G.told):filter(function(t) return t:find('Connected to') end):totable() == 2")
    assert home.pid != pid


def test_no_secret_is_asked_for_in_vain(neovim: Open) -> None:
    vim = neovim()
    vim.lua("vim.fn.inputsecret = function() error('asked') end")
    for number, command in enumerate(("key", "try", "login"), start=1):
        vim.command(f"Pointsman {command} nosuch")
        assert "There is no provider “nosuch”. :Pointsman! providers lists" in vim.until(f"_G.told[{number}]")
    vim.command("Pointsman try corp soon")
    vim.until_told("“soon” is no number of minutes.")


def test_a_key_goes_in_and_never_comes_out(neovim: Open, home: Home, upstream: Upstream) -> None:
    home.configure(provider("corp", upstream.base_url, *KEYED))
    home.environment["POINTSMAN_VAULT_KEY"] = "a" * 43 + "="
    vim = neovim()
    types(vim, "sk-canary-0123456789")
    vim.command("Pointsman key corp")
    assert "is stored, sealed, and works" in vim.until_told("The key ")
    assert "0123456789" not in "".join(vim.told)
    vim.lua("vim.ui.select = function(items, _, done) done(items[1]) end")
    vim.command("Pointsman! key corp")
    vim.until_told("is gone.")
    assert "sk-canary" not in vim.lua("return vim.fn.execute('messages') .. vim.fn.execute('history all')")


def test_a_key_for_a_while(neovim: Open, home: Home, upstream: Upstream) -> None:
    home.configure('default = "corp:count:3"\n' + provider("corp", upstream.base_url, *KEYED))
    vim = neovim()
    types(vim, "sk-trial-0123456789")
    vim.command("Pointsman try corp")
    vim.until_told("for 1 h 0 min.")
    first = vim.until("require('pointsman').statusline():match('⏱ (.+)')")
    vim.lua("_G.first = ...", first)
    assert re.fullmatch(r"(1 h 0 min|59 min \d\d s)", first)
    vim.until("require('pointsman').statusline():match('⏱ (.+)') ~= _G.first")
    vim.command("Pointsman chat hello")
    vim.until_answered()
    assert "temporary" in vim.footers()
    assert upstream.request(-1).header("authorization") == "Bearer sk-trial-0123456789"
    vim.command("Pointsman! try")
    vim.until_told("The temporary session of corp")
    vim.command("Pointsman try corp 0.02")
    ended = vim.until_heard("SessionExpired", 2)
    assert (ended["reason"], ended["provider"]) == ("expired", "corp")
    vim.until("not require('pointsman').statusline():find('⏱')")
    vim.command("Pointsman! try")
    vim.until_told("No temporary session is in front.")


def test_signing_in_by_a_browser_and_by_a_code(neovim: Open, home: Home, oidc: Oidc) -> None:
    home.configure('default = "corp"\n' + oidc.definition())
    home.environment["POINTSMAN_VAULT_KEY"] = "a" * 43 + "="
    vim = neovim()
    vim.lua("vim.ui.open = function(url) _G.url = url; return nil end")
    vim.command("Pointsman chat hello")
    vim.until_answered()
    assert ":Pointsman login" in vim.chat_text()
    vim.command("Pointsman login corp")
    url = vim.until("_G.url")
    person = threading.Thread(target=Browser().sign_in, args=(url,))
    person.start()
    vim.until_told("Signed in to corp as alice@example.test.")
    person.join(10)
    vim.command("Pointsman logout corp")
    vim.until_told("Signed out of corp (alice@example.test).")
    vim.command("Pointsman! login corp")
    vim.until("(require('pointsman.state').code or {}).userCode")
    assert vim.lua("return require('pointsman.state').code.userCode") in shown(vim, "Sign in to corp")
    person = threading.Thread(
        target=Browser("bob").enter_code, args=(vim.lua("return require('pointsman.state').code.complete"),)
    )
    person.start()
    vim.until_told("Signed in to corp as bob@example.test.", within=20)
    person.join(10)
    assert vim.lua("return vim.api.nvim_win_get_config(0).title") is None
    vim.command("Pointsman! chat hello")
    vim.until("(function() local c = require('pointsman.chat').current(); return #c.said == 2 end)()")
    assert "hello bob" in vim.chat_text()
