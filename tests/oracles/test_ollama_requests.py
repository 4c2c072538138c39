"""Ollama by its official SDK and by us: the same request."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import ollama

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Options, ToolCallPart
from pointsman.wire import ollama_chat
from tests.counterparts.upstream import Upstream
from tests.oracles.asked import CITY, PNG, QUESTION, RESULT, TERSE, WEATHER, conversation, origin

SPOKEN = conversation(
    Options(max_output_tokens=500, reasoning_effort="medium"), ToolCallPart("call_1", "get_weather", CITY)
)


def by_the_sdk(url: str) -> None:
    function = {"name": "get_weather", "description": "d", "parameters": WEATHER}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": TERSE},
        {"role": "user", "content": QUESTION, "images": [PNG]},
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "get_weather", "arguments": CITY}}]},
        {"role": "tool", "tool_name": "get_weather", "content": RESULT},
    ]
    tools = [{"type": "function", "function": function}]
    options = {"num_predict": 500}
    with suppress(ollama.ResponseError), ollama.Client(host=url) as client:
        list(client.chat(model="qwen3", stream=True, think=True, options=options, tools=tools, messages=messages))


def test_the_official_sdk_sends_the_same(upstream: Upstream) -> None:
    by_the_sdk(origin(upstream.base_url))
    provider = Provider(id="acme", wire="ollama-chat", base_url=origin(upstream.base_url))
    ours, _ = ollama_chat.request(provider, "qwen3", SPOKEN)
    theirs = upstream.request(0)
    assert (ours.method, ours.url.removeprefix(origin(upstream.base_url))) == (theirs.method, theirs.target)
    assert ours.headers["content-type"] == theirs.header("content-type")
    assert json.loads(ours.body) == wanted(json.loads(theirs.body))


def wanted(body: dict[str, Any]) -> dict[str, Any]:
    """The SDK's JSON with what it leaves out of what it is given, and with the ids by which results are told apart."""
    body["tools"][0]["function"]["parameters"] = WEATHER  # it drops `additionalProperties`
    body["messages"][2]["content"] = ""  # nor what is empty
    body["messages"][2]["tool_calls"][0]["id"] = body["messages"][3]["tool_call_id"] = "call_1"
    return body
