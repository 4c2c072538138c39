"""Chats from end to end: an editor, the daemon, and a provider that is really there."""

from __future__ import annotations

import json
import socket
from itertools import pairwise

import pytest
from dirty_equals import IsApprox

from tests.counterparts.llama import Llama
from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Refused, text_of
from tests.living import Home, provider


async def test_a_local_model_server_in_five_lines(home: Home, llama: Llama) -> None:
    home.configure(f"""\
default = "tiny"
[providers.tiny]
base_url = "{llama.base_url}"
auth = {{ scheme = "none" }}
default_model = "{llama.model}"
""")
    editor = await home.connect()
    chat = editor.chat(None, options={"maxOutputTokens": 200, "seed": 7})
    result = await chat.answer()
    assert len(chat.all("text")) > 1, "it comes in pieces"
    assert text_of(result) == chat.text
    assert (result["provider"], result["model"]) == ("tiny", llama.model)
    assert result["usage"]["exact"]
    assert 0 < result["usage"]["outputTokens"] <= 200
    assert chat.numbers == list(range(len(chat.numbers)))


async def test_a_silent_model_is_told_of(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    editor = await home.connect()
    chat = editor.chat("up:silent:4.5")
    assert (await chat.seen("waiting"))["seconds"] == IsApprox(2, delta=0.3)
    assert (await chat.seen("waiting", 2))["seconds"] == IsApprox(4, delta=0.3)
    assert text_of(await chat.answer()) == "0 1 2 "
    assert len(chat.all("waiting")) == 2, "words end the heartbeat"


async def test_a_chat_without_events(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    editor = await home.connect()
    chat = editor.chat("up:count:3", stream=False)
    assert text_of(await chat.answer()) == "0 1 2 "
    assert chat.numbers == []


async def test_a_key_is_used_for_its_own_connection_alone(home: Home, upstream: Upstream) -> None:
    home.configure(provider("corp", upstream.base_url, 'auth = { scheme = "bearer", env = "CORP_LLM_KEY" }'))
    first = await home.connect(variables={"CORP_LLM_KEY": "key-of-the-first"})
    second = await home.connect(variables={"CORP_LLM_KEY": "key-of-the-second"})
    third = await home.connect()
    for editor in (first, second, first):
        await editor.chat("corp:count:1").answer()
    with pytest.raises(Refused) as caught:
        await third.chat("corp:count:1").answer()
    assert caught.value.code == "MissingKey"
    assert "CORP_LLM_KEY" in caught.value.data["advice"]
    sent = [request.header("authorization") for request in upstream.requests]
    assert sent == ["Bearer key-of-the-first", "Bearer key-of-the-second", "Bearer key-of-the-first"]
    everything = str([editor.heard for editor in (first, second, third)])
    assert "key-of-the" not in everything


async def test_a_chain_goes_on_after_each_kind_of_failure(home: Home, upstream: Upstream) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else can
        links = ["up:status:500", "up:status:429", "up:status:401", "gone:any", "up:count:3"]
        home.configure(
            f"[chains]\nall = {json.dumps(links)}\n"
            + provider("up", upstream.base_url)
            + provider("gone", f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        )
        editor = await home.connect()
        chat = editor.chat("chain:all")
        result = await chat.answer()
    failures = chat.all("attemptFailed")
    codes = ["Overloaded", "RateLimited", "InvalidKey", "ConnectFailed"]
    assert [(failure["model"], failure["next"]) for failure in failures] == list(pairwise(links))
    assert [failure["error"]["code"] for failure in failures] == codes
    assert (result["model"], text_of(result)) == ("count:3", "0 1 2 ")
    assert [attempt["outcome"] for attempt in result["attempts"]] == ["failed"] * 4 + ["answered"]
    assert len(chat.all("started")) == 1


async def test_when_nobody_answers_every_cause_is_told(home: Home, upstream: Upstream) -> None:
    links = ["up:status:500", "up:status:401"]
    home.configure(f"[chains]\nall = {json.dumps(links)}\n" + provider("up", upstream.base_url))
    editor = await home.connect()
    chat = editor.chat("chain:all")
    with pytest.raises(Refused) as caught:
        await chat.answer()
    assert caught.value.code == "NoTargetLeft"
    assert [cause["code"] for cause in caught.value.data["causes"]] == ["Overloaded", "InvalidKey"]
    (finished,) = chat.all("finished")
    assert (finished["reason"], finished["error"]["code"]) == ("error", "NoTargetLeft")


async def test_a_busy_provider_is_asked_again(home: Home, upstream: Upstream) -> None:
    busy, chunk = Reply(b"{}", status=503), b'data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n'
    fine = Reply(chunk + b"data: [DONE]\n\n", headers={"content-type": "text/event-stream"})
    upstream.script("/v1/chat/completions", busy, fine)
    home.configure(provider("up", upstream.base_url, 'auth = { scheme = "none" }', "max_retries = 1"))
    editor = await home.connect()
    chat = editor.chat("up:any")
    assert text_of(await chat.answer()) == "hello"
    assert [(failure["model"], failure["next"]) for failure in chat.all("attemptFailed")] == [("up:any", "up:any")]


async def test_a_broken_answer_says_who_could_go_on(home: Home, upstream: Upstream) -> None:
    links = ["up:cut:5", "up:count:3"]
    home.configure(f"[chains]\nall = {json.dumps(links)}\n" + provider("up", upstream.base_url))
    editor = await home.connect()
    chat = editor.chat("chain:all")
    result = await chat.answer()
    assert text_of(result) == chat.text == "0 1 2 3 4 "
    assert (result["stopReason"], result["model"]) == ("interrupted", "cut:5")
    (finished,) = chat.all("finished")
    assert finished["reason"] == "interrupted"
    assert finished["resume"] == result["resume"] == links
    assert result["error"]["code"] == "Interrupted"
    assert len(upstream.requests) == 1, "nobody else is asked once something was said"


async def test_a_chats_name_is_used_once(home: Home) -> None:
    editor, other = await home.connect(), await home.connect()
    await editor.chat("echo:fast", chatId="mine").answer()
    with pytest.raises(Refused, match="attachChat") as caught:
        await other.chat("echo:fast", chatId="mine").answer()
    assert caught.value.code == "ChatInUse"
