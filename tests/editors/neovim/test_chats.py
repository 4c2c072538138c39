"""Chats as somebody at Neovim sees them."""

from __future__ import annotations

from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.editors.neovim.conftest import Open
from tests.editors.neovim.held import Held
from tests.editors.neovim.kit import scripted
from tests.living import Home, provider


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
    held = Held(upstream, 8, 1000)
    scripted(home, upstream, "held")
    vim = neovim()
    vim.command("Pointsman chat count")
    vim.until_said(held.first.strip())
    vim.command("Pointsman cancel")
    vim.until_answered()
    upstream.closed_at(0)
    assert "cancelled · " in vim.footers()
    assert f"{held.first.strip()}\n\n## You" in vim.chat_text().replace(" \n", "\n")


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
    vim.until(f"vim.fn.foldclosed({line}) == {line} and vim.fn.foldclosedend({line}) == {line + 1}")
    vim.lua("vim.fn.search('return 1'); vim.api.nvim_feedkeys('gy', 'tx', false)")
    assert vim.lua("return vim.fn.getreg('\"')") == "return 1\n"


def test_a_chat_of_another_editor_is_followed(neovim: Open, home: Home, upstream: Upstream) -> None:
    held = Held(upstream, 4, 40)
    scripted(home, upstream, "held")
    first, second = neovim("a"), neovim("b")
    first.command("Pointsman chat count for me")
    first.until_said("1 2 3 ")
    second.lua(
        "vim.ui.select = function(items, options, done) _G.shown = options.format_item(items[1]); done(items[1]) end"
    )
    second.command("Pointsman attach")
    second.until_said("0 1 2 3 ")
    assert "count for me" in second.lua("return _G.shown")
    held.go_on()
    for one in (first, second):
        one.until_answered()
        assert one.chat_text().count(held.whole.strip()) == 1


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


def test_errors_say_what_to_do(neovim: Open, home: Home, upstream: Upstream) -> None:
    dead = provider("dead", "http://127.0.0.1:9/v1")
    keyed = provider("keyed", upstream.base_url, 'auth = { scheme = "bearer" }')
    home.configure(provider("scripted", upstream.base_url) + dead + keyed)
    vim = neovim()
    cases = {
        "scripted:status:401": "`:Pointsman key scripted` takes another key.",
        'scripted:status:429:{"retry-after":"107"}': "Ask again in 107 s, or switch to another model.",
        "keyed:x": "`:Pointsman key keyed`.",
        "scripted:cut:3": "go on with another model.\n\n*Could go on:* `scripted:cut:3`",
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
    Held(upstream, 4, 40)
    scripted(home, upstream, "held")
    vim = neovim()
    vim.command("Pointsman chat count")
    vim.until_said("2 3 ")
    vim.command("bwipeout!")
    upstream.closed_at(0)
