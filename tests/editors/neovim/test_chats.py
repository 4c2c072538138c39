"""Chats as somebody at Neovim sees them."""

from __future__ import annotations

import os
import signal
import time

from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.editors.neovim.conftest import Open
from tests.editors.neovim.kit import timed
from tests.living import Home, provider

NUMBERS = "".join(f"{n} " for n in range(5000))


def scripted(home: Home, upstream: Upstream, model: str) -> None:
    """Chooses a model of the scripted provider."""
    home.configure(f'default = "scripted:{model}"\n' + provider("scripted", upstream.base_url))


def test_the_first_chat_starts_everything(neovim: Open) -> None:
    vim = neovim()
    assert (
        vim.lua("return vim.iter(vim.tbl_keys(package.loaded)):any(function(m) return m:find('^pointsman') end)")
        is False
    )
    vim.command("Pointsman chat hello there")
    vim.until_answered()
    assert (
        "## You\n\nhello there\n\n## Answer\n\nThis is Pointsman's offline model. You said: hello there\n\n## You"
        in vim.chat_text()
    )
    assert "2 in, " in vim.footers()
    assert vim.lua("return vim.bo.filetype") == "pointsman-chat"
    header = vim.lua("return vim.api.nvim_eval_statusline(vim.wo.winbar, { use_winbar = true }).str")
    assert "Echo (offline) · echo" in header
    assert "(default)" in header


def test_a_chat_goes_on_and_remembers(neovim: Open, home: Home, upstream: Upstream) -> None:
    scripted(home, upstream, "count:3")
    vim = neovim()
    vim.command("Pointsman chat one")
    vim.until_answered()
    vim.command("Pointsman chat two")
    vim.until("#require('pointsman.chat').current().said == 4")
    said = [(message["role"], message["content"]) for message in upstream.request(1).json["messages"]]
    assert said == [("user", "one"), ("assistant", "0 1 2 "), ("user", "two")]


def test_what_is_written_is_sent_by_return(neovim: Open) -> None:
    vim = neovim()
    vim.command("Pointsman chat")
    vim.until("vim.bo.filetype == 'pointsman-chat'")
    vim.lua("vim.api.nvim_feedkeys(vim.keycode('Gihi<Esc><CR>'), 'tx', false)")
    vim.until_answered()
    assert "You said: hi" in vim.chat_text()


def test_lines_go_along_and_the_window_stays(neovim: Open, home: Home) -> None:
    (home.workspace / "sum.lua").write_text("local a = 1\nlocal b = 2\nreturn a + b\n")
    vim = neovim()
    vim.command("edit sum.lua")
    window = vim.lua("return vim.api.nvim_get_current_win()")
    vim.command("2,3Pointsman ask what is this?")
    vim.until_answered()
    assert vim.lua("return vim.api.nvim_get_current_win()") == window
    assert "what is this?\n\nLines 2 to 3 of `sum.lua`:\n\n```lua\nlocal b = 2\nreturn a + b\n```" in vim.chat_text()


def test_cancelling_reaches_the_provider(neovim: Open, home: Home, upstream: Upstream) -> None:
    scripted(home, upstream, "drip:1000:0.02")
    vim = neovim()
    vim.command("Pointsman chat count")
    vim.until_said("5 6 7 ")
    began = time.monotonic()
    vim.command("Pointsman cancel")
    vim.until_answered()
    assert upstream.closed_at(0) - began < 0.2
    assert "cancelled · " in vim.footers()
    assert "999" not in vim.chat_text()


def test_another_answer_of_another_model_in_the_same_chat(neovim: Open) -> None:
    vim = neovim()
    vim.command("Pointsman chat hello")
    vim.until_answered()
    vim.command("Pointsman model echo:fast")
    vim.until_told("fast")
    vim.lua("require('pointsman.chat').regenerate(require('pointsman.chat').current())")
    vim.until_answered()
    assert vim.chat_text().count("You said: hello") == 1
    marks = "vim.api.nvim_buf_get_extmarks(0, -1, 0, -1, { details = true })"
    labels = vim.lua(
        f"return vim.iter({marks}):map(function(m) return m[4].virt_text and m[4].virt_text[1][1] end):totable()"
    )
    assert labels == ["echo:fast"]


def test_reasoning_is_folded_and_tool_calls_can_be_read(neovim: Open, home: Home, upstream: Upstream) -> None:
    deltas = [
        '{"reasoning_content":"First\\nI think."}',
        '{"content":"Done.\\n```lua\\nreturn 1\\n```\\n"}',
        '{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"read","arguments":"{\\"file\\":"}}]}',
        '{"tool_calls":[{"index":0,"function":{"arguments":"\\"a.c\\",\\"line\\":7}"}}]}',
    ]
    chunks = [f'{{"id":"x","model":"m","choices":[{{"index":0,"delta":{delta}}}]}}' for delta in deltas]
    chunks.append('{"id":"x","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}')
    body = "".join(f"data: {chunk}\n\n" for chunk in [*chunks, "[DONE]"])
    upstream.script("/v1/chat/completions", Reply(body.encode(), headers={"content-type": "text/event-stream"}))
    scripted(home, upstream, "m")
    vim = neovim()
    vim.command("Pointsman chat think")
    vim.until_answered()
    text = vim.chat_text()
    assert "> First\n> I think.\n\nDone.\n" in text
    assert '**Tool call** `read`\n```json\n{\n  "file": "a.c",\n  "line": 7\n}\n```' in text
    line = text.split("\n").index("> First") + 1
    assert vim.lua("return { vim.fn.foldclosed(...), vim.fn.foldclosedend(...) }", line) == [line, line + 1] or vim.lua(
        "local l = ...; return { vim.fn.foldclosed(l), vim.fn.foldclosedend(l) }", line
    ) == [line, line + 1]
    vim.lua("vim.fn.search('return 1'); vim.api.nvim_feedkeys('gy', 'tx', false)")
    assert vim.lua("return vim.fn.getreg('\"')") == "return 1\n"


def test_a_chat_of_another_editor_is_followed(neovim: Open, home: Home, upstream: Upstream) -> None:
    scripted(home, upstream, "drip:40:0.03")
    first, second = neovim("a"), neovim("b")
    first.command("Pointsman chat count for me")
    first.until_said("1 2 3 ")
    second.lua(
        "vim.ui.select = function(items, options, done) _G.shown = options.format_item(items[1]); done(items[1]) end"
    )
    second.command("Pointsman attach")
    second.until_said("0 1 2 3 ")
    assert "count for me" in second.lua("return _G.shown")
    second.until_answered()
    first.until_answered()
    whole = "".join(f"{n} " for n in range(40))
    assert whole in first.chat_text()
    assert whole in second.chat_text()


def test_a_chat_that_has_ended_elsewhere_goes_on_here(neovim: Open) -> None:
    first, second = neovim("a"), neovim("b")
    first.command("Pointsman chat hello from a")
    first.until_answered()
    second.connect()
    (id,) = second.lua("return vim.fn.getcompletion('Pointsman attach ', 'cmdline')")
    second.command(f"Pointsman attach {id}")
    second.until_answered()
    assert "You said: hello from a" in second.chat_text()
    second.command("Pointsman chat and now?")
    second.until("#require('pointsman.chat').current().said == 4")


def test_a_reopened_neovim_gets_the_rest(neovim: Open, home: Home, upstream: Upstream) -> None:
    scripted(home, upstream, "drip:60:0.03")
    first = neovim("a")
    first.command("Pointsman chat count")
    first.until_said("3 4 5 ")
    first.quit()
    again = neovim("a")
    again.command("Pointsman chat")
    again.until_told("went on without you")
    again.until_answered()
    assert "".join(f"{n} " for n in range(60)) in again.chat_text()
    assert len(upstream.requests) == 1


def test_a_killed_daemon_is_said_and_comes_back(neovim: Open, home: Home, upstream: Upstream) -> None:
    home.may_complain = True
    scripted(home, upstream, "drip:1000:0.02")
    vim = neovim()
    vim.connect()
    vim.command("Pointsman model scripted:drip:1000:0.02 window")
    vim.until_told("window")
    vim.command("Pointsman chat count")
    vim.until_said("3 4 5 ")
    vim.lua(
        "require('pointsman.connection').request('testProvider', { provider = 'scripted', say = true,"
        " model = 'stall' },"
        " function(err) _G.failed = err and err.message end)"
    )
    began = time.monotonic()
    os.kill(home.pid, signal.SIGKILL)
    vim.until("_G.failed")
    assert timed(began) < 1000
    vim.until_answered()
    assert "The daemon ended, and this answer with it." in vim.chat_text()
    selection = vim.until("require('pointsman').selection()")
    assert (selection["model"], selection["scope"]) == ("scripted:drip:1000:0.02", "window")


def test_errors_say_what_to_do(neovim: Open, home: Home, upstream: Upstream) -> None:
    dead = provider("dead", "http://127.0.0.1:9/v1")
    home.configure(provider("scripted", upstream.base_url) + dead)
    vim = neovim()
    cases = {
        "scripted:status:401": "Check the key",
        'scripted:status:429:{"retry-after":"107"}': "1 min 47 s",
        "scripted:cut:3": "**The answer broke off.**",
        "dead:x": "Start the server at",
        "nowhere": "Did you mean",
    }
    for model, words in cases.items():
        vim.lua(
            "local c = require('pointsman.chat'); _G.chat = c.start(); _G.chat.model = ...; c.show(_G.chat, true)",
            model,
        )
        vim.lua("require('pointsman.chat').ask(_G.chat, 'hello')")
        vim.until_answered()
        assert words in vim.chat_text(), vim.chat_text()


def test_closing_a_chat_ends_its_answer(neovim: Open, home: Home, upstream: Upstream) -> None:
    scripted(home, upstream, "drip:1000:0.02")
    vim = neovim()
    vim.command("Pointsman chat count")
    vim.until_said("2 3 ")
    vim.command("bwipeout!")
    upstream.closed_at(0)


def test_the_end_of_neovim_ends_nothing_else(neovim: Open, home: Home) -> None:
    first, second = neovim("a"), neovim("b")
    first.connect()
    second.connect()
    pid = home.pid
    first.quit()
    second.command("Pointsman chat still there?")
    second.until_answered()
    assert home.pid == pid
