"""The official SDK as the judge: for the same conversation, our request is what it sends, at Anthropic and Vertex."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest

from pointsman.core.chat import Options, ReasoningPart, ToolCallPart
from pointsman.wire import anthropic_messages
from tests.counterparts.scripts import error
from tests.counterparts.upstream import Upstream
from tests.oracles.asked import CITY, NO_KEY, PNG, QUESTION, RESULT, TERSE, WEATHER, conversation, origin
from tests.wire.anthropic_blocks import acme, assistant, image, user, words

ASKED: dict[str, Any] = {
    "model": "claude-sonnet-5",
    "max_tokens": 2000,
    "stream": True,
    "system": TERSE,
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "tools": [{"name": "get_weather", "description": "d", "input_schema": WEATHER}],
    "messages": [
        user(words(QUESTION), image("image/png", PNG)),
        assistant(
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": CITY},
        ),
        user({"type": "tool_result", "tool_use_id": "toolu_1", "content": RESULT}),
    ],
}
SAME = conversation(
    Options(max_output_tokens=2000, reasoning_effort="low"),
    ReasoningPart("hm", "c2ln"),
    ToolCallPart("toolu_1", "get_weather", CITY),
    provider="acme",
)
THEIRS_ALONE = {"host", "accept-encoding", "connection", "user-agent", "content-length", "authorization"}
"""Headers of the client, not of the request: `edge.http` has its own. The key is put on by `edge.authorise`."""
JUSTIFIED = {"accept"}
"""The SDK takes any JSON, and is sent a stream all the same; we say that it is a stream that we want."""


@pytest.mark.parametrize("platform", ["own", "google-cloud"])
def test_the_official_sdk_sends_the_same(upstream: Upstream, platform: str) -> None:
    start = origin(upstream.base_url)
    client: anthropic.Anthropic | anthropic.AnthropicVertex
    if platform == "own":
        base_url = start
        client = anthropic.Anthropic(api_key=NO_KEY, base_url=start, max_retries=0)
    else:
        base_url = f"{start}/v1/projects/p/locations/l"
        client = anthropic.AnthropicVertex(
            access_token=NO_KEY, project_id="p", region="l", base_url=upstream.base_url, max_retries=0
        )
    provider = acme(base_url, api_version="2026-10-21", quirks={"platform": platform, "thinking": "budget"})
    ours, notices = anthropic_messages.request(provider, ASKED["model"], SAME)
    upstream.script(ours.url.removeprefix(start), error(400, "recorded"))
    with client, pytest.raises(anthropic.BadRequestError, match="recorded"):
        client.messages.create(**ASKED)
    theirs = upstream.request(0)
    assert (theirs.method, f"{start}{theirs.target}") == (ours.method, ours.url)
    assert theirs.json == json.loads(ours.body)
    headers = {
        name: value
        for name, value in theirs.headers
        if name not in THEIRS_ALONE | JUSTIFIED and not name.startswith("x-stainless-")
    }
    assert headers == {name: value for name, value in ours.headers.items() if name not in JUSTIFIED}
    assert notices == []


def test_the_official_sdk_asks_for_models_alike(upstream: Upstream) -> None:
    ours = anthropic_messages.models_request(acme(upstream.base_url, api_version="2026-10-21"), "claude-a")
    assert ours is not None
    with anthropic.Anthropic(api_key=NO_KEY, base_url=origin(upstream.base_url), max_retries=0) as client:
        list(client.models.list(limit=1000, after_id="claude-a"))
    theirs = upstream.request(0)
    target, _, query = theirs.target.partition("?")
    assert origin(upstream.base_url) + target == ours.url.partition("?")[0]
    assert sorted(query.split("&")) == sorted(ours.url.partition("?")[2].split("&"))
    assert {name: theirs.header(name) for name in ours.headers} == ours.headers
