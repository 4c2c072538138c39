"""A plan that is asked by its vendor's own program: the real one, where it can reach nothing but this test."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from dirty_equals import IsFloat, IsPartialDict, IsStr

from tests.counterparts.claude import FAKE_KEY, VERSION, Claude
from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, Message, Refused, text_of
from tests.living import Home, environment_of, provider

PLAN = "claude-code-max"
ASKED = "/v1/messages"


def event(kind: str, **fields: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"


def piece(text: str) -> str:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


USAGE = {"input_tokens": 9, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2, "output_tokens": 1}
BEGIN = event(
    "message_start",
    message={"id": "msg_1", "type": "message", "role": "assistant", "model": PLAN, "content": [], "usage": USAGE},
) + event("content_block_start", index=0, content_block={"type": "text", "text": ""})
END = (
    event("content_block_stop", index=0)
    + event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 3})
    + event("message_stop")
)
SSE = {"content-type": "text/event-stream"}


def says(*pieces: str, delay: float = 0.0) -> Reply:
    body = BEGIN + "".join(map(piece, pieces)) + END
    return Reply(body.encode(), headers=SSE, chunk=150 if delay else None, delay=delay)


def refuses(status: int, kind: str, message: str) -> Reply:
    return Reply(json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode(), status)


def configured(home: Home, claude: Claude, **environment: str) -> None:
    """The shipped definition, and what makes its program ask this test."""
    said = ", ".join(f'{name} = "{value}"' for name, value in (environment or claude.environment).items())
    home.configure(f"[providers.{PLAN}]\nmax_retries = 0\nquirks.environment = {{ {said} }}\n")
    home.environment["PATH"] = f"{claude.folder}:{home.environment['PATH']}"


@pytest.fixture
def ready(home: Home, claude: Claude) -> Home:
    """A home in which the program is installed and has a key."""
    configured(home, claude)
    return home


def asked(upstream: Upstream) -> list[Any]:
    """What the program has asked of a model."""
    return [request for request in upstream.requests if request.path == ASKED]


def programs(home: Home) -> list[int]:
    """Processes that run in this home, and are not ours."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if environment_of(int(folder.name)).get("TERM") == "dumb" and "claude" in (folder / "cmdline").read_text():
                own = environment_of(int(folder.name)).get("HOME") == str(home.folder)
                found += [int(folder.name)] if own else []
    return found


async def listed(editor: Editor, id: str = PLAN) -> Message:
    providers = (await editor.call("pointsman/listProviders"))["providers"]
    (found,) = [each for each in providers if each["id"] == id]
    return dict(found)


def words(request: Any) -> str:
    """All that the model was told by the user."""
    content = [message["content"] for message in request.json["messages"]]
    return json.dumps(content)


async def test_an_answer_streams_and_is_counted(ready: Home, upstream: Upstream) -> None:
    upstream.script(ASKED, says("Hello", " there", "!", delay=0.02))
    ready.environment |= {"ANTHROPIC_API_KEY": "canary-key-4471", "ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}
    editor = await ready.connect()
    assert (await listed(editor))["windows"] == [
        {"name": "5 hours", "usedPercent": 0.0, "source": "counted", "used": 0, "limit": 225},
        {"name": "7 days", "usedPercent": 0.0, "source": "counted", "used": 0, "limit": 80},
    ]
    chat = editor.chat(PLAN, "Say hello.", system="Be brief.")
    result = await chat.answer(20)
    assert (text_of(result), chat.text, result["stopReason"]) == ("Hello there!",) * 2 + ("end",)
    assert len(chat.all("text")) > 1, "it comes in pieces"
    assert result["usage"] == IsPartialDict(inputTokens=15, outputTokens=3, exact=True, cachedInputTokens=4)
    assert result["cost"] == {"usd": IsFloat(gt=0), "exact": False, "source": IsStr(regex=".*prices of the API")}
    (request,) = asked(upstream)
    assert request.header("x-api-key") == FAKE_KEY, "the key of the definition, not that of the editor's shell"
    assert "Be brief." in json.dumps(request.json["system"])
    assert request.json["tools"] == []
    assert programs(ready) == []
    before = await listed(editor)
    assert (before["remaining"], [window["used"] for window in before["windows"]]) == (79, [1, 1])
    assert before["resetsAt"] == before["windows"][1]["resetsAt"]
    await ready.leave()
    await ready.end()
    again = await listed(await ready.connect())
    assert again["windows"] == before["windows"], "it survives a restart"
    done = await asyncio.to_thread(ready.run, "status")
    assert "1 of 225 requests in 5 hours, 1 of 80 requests in 7 days" in " ".join(done.stdout.split())


async def test_what_was_recorded_of_the_api_comes_through(ready: Home, upstream: Upstream, transcripts: Path) -> None:
    expected = json.loads((transcripts / "expect.json").read_text())
    upstream.script(ASKED, Reply((transcripts / "anthropic.text.sse").read_bytes(), headers=SSE, chunk=97))
    result = await (await ready.connect()).chat(PLAN).answer(20)
    assert text_of(result) == expected["anthropic.text.sse"]["expect"]["text"]


@pytest.mark.parametrize("text", ["/compact it", "!ls", "Look at @{} and say what is in it."])
async def test_what_is_said_is_no_order_to_the_program(ready: Home, upstream: Upstream, text: str) -> None:
    upstream.script(ASKED, says("Fine."))
    secret = ready.workspace / "secret.txt"
    secret.write_text("canary-of-a-file")
    said = text.format(secret)
    result = await (await ready.connect()).chat(PLAN, said).answer(20)
    assert text_of(result) == "Fine."
    (request,) = asked(upstream)
    assert json.dumps(said)[1:-1] in words(request)
    assert "canary-of-a-file" not in request.body.decode()


async def test_earlier_turns_are_told_and_so_is_that(ready: Home, upstream: Upstream) -> None:
    upstream.script(ASKED, says("Blue."))
    editor = await ready.connect()
    turns = [("user", "I like blue."), ("assistant", "Noted."), ("user", "What do I like?")]
    messages = [{"role": role, "content": content} for role, content in turns]
    chat = editor.chat(PLAN, messages=messages, options={"temperature": 0.5})
    assert text_of(await chat.answer(20)) == "Blue."
    assert {notice["about"] for notice in chat.all("notice")} == {"messages", "temperature"}
    (request,) = asked(upstream)
    assert all(content in words(request) for _, content in turns)


async def test_cancelling_ends_the_program(ready: Home, upstream: Upstream) -> None:
    upstream.script(ASKED, says(*(f"{number} " for number in range(1000)), delay=0.02))
    editor = await ready.connect()
    chat = editor.chat(PLAN)
    await chat.seen("text", 2, within=20)
    assert programs(ready)
    number = upstream.requests.index(asked(upstream)[0])
    cancelled = chat.cancel()
    closed = await asyncio.to_thread(upstream.closed_at, number)
    result = await chat.answer()
    assert closed - cancelled < 1.0
    assert (result["stopReason"], text_of(result)) == ("cancelled", chat.text)
    assert programs(ready) == []
    assert (await listed(editor))["remaining"] == 79, "it was asked"


async def test_a_daemon_that_ends_takes_the_program_along(ready: Home, upstream: Upstream) -> None:
    upstream.script(ASKED, says(*(f"{number} " for number in range(1000)), delay=0.02))
    editor = await ready.connect()
    chat = editor.chat(PLAN)
    await chat.seen("text", within=20)
    await ready.leave()
    await ready.end(within=20)
    assert programs(ready) == []


async def test_headers_tell_how_much_of_a_plan_is_used(home: Home, upstream: Upstream) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}
    told = {"primary-used-percent": "31", "primary-window-minutes": "300", "primary-reset-at": "4102444800"}
    headers = {"content-type": "text/event-stream"} | {f"X-Codex-{name}": value for name, value in told.items()}
    upstream.script(
        "/v1/chat/completions", Reply(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode(), 200, headers)
    )
    home.configure(provider("up", upstream.base_url, 'auth.scheme = "none"', 'limits.headers = "x-codex"'))
    editor = await home.connect()
    assert "windows" not in await listed(editor, "up")
    await editor.chat("up:any").answer()
    window = {"name": "5 hours", "usedPercent": 31.0, "source": "provider", "resetsAt": "2100-01-01T00:00:00Z"}
    assert (await listed(editor, "up"))["windows"] == [window]
    plans = (await editor.call("pointsman/status"))["plans"]
    assert IsPartialDict(provider="up", windows=[window], resetsAt=window["resetsAt"]) in plans


# What goes wrong


async def test_not_signed_in(home: Home, claude: Claude, upstream: Upstream) -> None:
    configured(home, claude, ANTHROPIC_BASE_URL=claude.base_url)
    editor = await home.connect()
    with pytest.raises(Refused) as caught:
        await editor.chat(PLAN).answer(20)
    assert (caught.value.code, caught.value.data["provider"]) == ("SignInNeeded", PLAN)
    assert "Run `claude login` in a terminal" in caught.value.data["advice"]
    assert asked(upstream) == []
    tried = await editor.call("pointsman/testProvider", {"provider": PLAN}, within=20)
    assert [(step["step"], step["outcome"]) for step in tried["steps"]] == [("reach", "ok"), ("authenticate", "failed")]
    assert tried["error"]["code"] == "SignInNeeded"
    assert (await listed(editor))["remaining"] == 80, "nobody was asked"


REFUSALS = [
    (refuses(401, "authentication_error", "invalid x-api-key"), "InvalidKey"),
    (refuses(429, "rate_limit_error", "This request would exceed your rate limit"), "RateLimited"),
    (refuses(529, "overloaded_error", "Overloaded"), "Overloaded"),
    (refuses(404, "not_found_error", "model: claude-sonnet-4"), "ModelNotFound"),
    (refuses(400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"), "ContextTooLong"),
]


async def test_what_the_api_refuses(ready: Home, upstream: Upstream) -> None:
    editor = await ready.connect()
    for reply, code in REFUSALS:
        upstream.script(ASKED, reply)
        with pytest.raises(Refused) as caught:
            await editor.chat(PLAN).answer(20)
        assert (caught.value.code, caught.value.data["statusCode"]) == (code, reply.status)
        assert caught.value.message.startswith("Claude plan (Claude Code) says: ")
    assert (await listed(editor))["remaining"] == 79, "only the overloaded one may have been counted"


async def test_trying_it_asks_no_model(ready: Home, upstream: Upstream) -> None:
    tried = await (await ready.connect()).call("pointsman/testProvider", {"provider": PLAN}, within=20)
    reach, authenticate, models = tried["steps"]
    assert tried["ok"]
    assert (reach["step"], reach["outcome"], reach["detail"]) == ("reach", "ok", f"{VERSION} (Claude Code)")
    assert (authenticate["step"], authenticate["outcome"]) == ("authenticate", "ok")
    assert (models["step"], models["outcome"]) == ("list", "skipped")
    assert asked(upstream) == []


async def test_it_is_not_installed(home: Home) -> None:
    editor = await home.connect()
    assert (await listed(editor))["state"] == "unconfigured"
    with pytest.raises(Refused) as caught:
        await editor.chat(PLAN).answer()
    assert caught.value.code == "ProgramMissing"
    assert "npm install -g @anthropic-ai/claude-code" in caught.value.data["advice"]
    tried = await editor.call("pointsman/testProvider", {"provider": PLAN})
    assert [(step["step"], step["outcome"]) for step in tried["steps"]] == [("reach", "failed")]
