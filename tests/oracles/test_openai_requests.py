"""The official SDK as the judge of both of its dialects: for the same conversation, our request is what it sends."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import openai
import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Options, ToolCallPart
from pointsman.wire import WIRES
from tests.counterparts.scripts import error
from tests.counterparts.upstream import Request, Upstream
from tests.oracles.asked import CITY, NO_KEY, PNG, QUESTION, RESULT, TERSE, WEATHER, conversation, origin

SAME = conversation(
    Options(max_output_tokens=500, reasoning_effort="low"),
    ToolCallPart("call_1", "get_weather", CITY),
    detail="low",
    strict=True,
    tool_choice="auto",
)
CHAT: dict[str, Any] = {
    "stream_options": {"include_usage": True},
    "max_completion_tokens": 500,
    "reasoning_effort": "low",
    "messages": [
        {"role": "system", "content": TERSE},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": QUESTION},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": RESULT},
    ],
    "tools": [
        {
            "type": "function",
            "function": {"name": "get_weather", "description": "d", "parameters": WEATHER, "strict": True},
        }
    ],
    "tool_choice": "auto",
}
RESPONSES: dict[str, Any] = {
    "store": False,
    "instructions": TERSE,
    "max_output_tokens": 500,
    "include": ["reasoning.encrypted_content"],
    "reasoning": {"effort": "low", "summary": "auto"},
    "tools": [{"type": "function", "name": "get_weather", "description": "d", "parameters": WEATHER, "strict": True}],
    "tool_choice": "auto",
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": QUESTION},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"},
            ],
        },
        {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Paris"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": RESULT},
    ],
}


def plain(base_url: str) -> openai.OpenAI:
    return openai.OpenAI(api_key=NO_KEY, base_url=base_url, max_retries=0)


def azure(base_url: str) -> openai.AzureOpenAI:
    origin = base_url.partition("/openai/")[0]
    return openai.AzureOpenAI(api_key=NO_KEY, azure_endpoint=origin, api_version="2024-10-21", max_retries=0)


CLIENTS: dict[str, tuple[str, str, Any, str | None]] = {
    "chat": ("openai-chat", "/v1", plain, None),
    "chat at Azure, v1": ("openai-chat", "/openai/v1", plain, None),
    "chat at Azure, by deployment": ("openai-chat", "/openai/deployments/gpt-5", azure, "2024-10-21"),
    "responses": ("openai-responses", "/v1", plain, None),
}
"""Dialect, where the API starts, the SDK's client for it, and the `api-version` that it asks for."""

JUSTIFIED = {
    "accept": "The SDK says `application/json` even where it asks for a stream; we name what is to come.",
    "authorization": "The key is put on by the edge, which is tested there.",
    "api-key": "The same, at Azure.",
    "user-agent": "It is not the SDK that asks.",
    "x-stainless-": "What the SDK tells of itself.",
    "connection": "The HTTP client's.",
    "content-length": "The HTTP client's.",
    "accept-encoding": "The HTTP client's.",
    "host": "The HTTP client's.",
}
"""Headers that may differ, and why. Nothing else may: neither the path nor any value of the JSON."""


@pytest.mark.parametrize("case", CLIENTS)
def test_our_request_is_what_the_sdk_sends(case: str, upstream: Upstream) -> None:
    wire, path, client, version = CLIENTS[case]
    base_url = origin(upstream.base_url) + path
    theirs = sent_by_sdk(client(base_url), wire, upstream)
    quirks = {"max_tokens_field": "max_completion_tokens"} if wire == "openai-chat" else {}
    provider = Provider(id="acme", wire=wire, base_url=base_url, api_version=version, quirks=quirks)
    ours, notices = WIRES[wire].request(provider, "gpt-5", SAME)
    assert (ours.method, ours.url.removeprefix(base_url[: -len(path)])) == (theirs.method, theirs.target)
    assert json.loads(ours.body) == theirs.json
    assert comparable(ours.headers.items()) == comparable(theirs.headers)
    assert notices == []


def sent_by_sdk(client: openai.OpenAI, wire: str, upstream: Upstream) -> Request:
    for path in ("/v1", "/openai/v1", "/openai/deployments/gpt-5"):
        upstream.script(f"{path}/chat/completions", error(400, "recorded"))
        upstream.script(f"{path}/responses", error(400, "recorded"))
    with client, pytest.raises(openai.BadRequestError):
        if wire == "openai-chat":
            client.chat.completions.create(model="gpt-5", stream=True, **CHAT)
        else:
            client.responses.create(model="gpt-5", stream=True, **RESPONSES)
    return upstream.request(0)


def comparable(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers if not name.lower().startswith(tuple(JUSTIFIED))}
