"""Bedrock by its official SDK and by us: the same request."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Options, ReasoningPart, ToolCallPart
from pointsman.wire import bedrock_converse
from tests.counterparts.upstream import Upstream
from tests.oracles.asked import CITY, NO_KEY, PIXEL, QUESTION, RESULT, TERSE, WEATHER, conversation, origin

MODEL = "us.anthropic.claude-sonnet-4-20250514-v1:0"
SPOKEN = conversation(
    Options(max_output_tokens=2000, reasoning_effort="low"),
    ReasoningPart("hm", "c2ln"),
    ReasoningPart("", None, {"redactedContent": base64.b64encode(b"secret").decode()}),
    ToolCallPart("t1", "get_weather", CITY),
    tool_choice="auto",
    failed=True,
    cache=True,
)


def by_the_sdk(url: str) -> None:
    client: Any = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=url,
        **dict.fromkeys(["aws_access_key_id", "aws_secret_access_key"], NO_KEY),
        config=botocore.config.Config(retries={"max_attempts": 0}),
    )
    thoughts = [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": b"secret"}},
    ]
    call = {"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": CITY}}
    result = {"toolResult": {"toolUseId": "t1", "content": [{"text": RESULT}], "status": "error"}}
    picture = {"image": {"format": "png", "source": {"bytes": PIXEL}}}
    with suppress(botocore.exceptions.ClientError):
        client.converse_stream(
            modelId=MODEL,
            system=[{"text": TERSE}],
            inferenceConfig={"maxTokens": 2000},
            additionalModelRequestFields={"thinking": {"type": "enabled", "budget_tokens": 1024}},
            toolConfig={
                "tools": [{"toolSpec": {"name": "get_weather", "description": "d", "inputSchema": {"json": WEATHER}}}],
                "toolChoice": {"auto": {}},
            },
            messages=[
                {"role": "user", "content": [{"text": QUESTION}, picture]},
                {"role": "assistant", "content": [*thoughts, call]},
                {"role": "user", "content": [result, {"cachePoint": {"type": "default"}}]},
            ],
        )


@pytest.mark.filterwarnings("ignore")
def test_the_official_sdk_sends_the_same(upstream: Upstream) -> None:
    """Besides the signature, which is not the dialect's: ours says in `accept` what it takes, the SDK says nothing."""
    start = origin(upstream.base_url)
    by_the_sdk(start)
    theirs = upstream.request(0)
    provider = Provider(id="acme", base_url=start, wire="bedrock-converse")
    ours, notices = bedrock_converse.request(provider, MODEL, SPOKEN)
    assert notices == []
    assert ours.url == start + theirs.target
    assert ours.method == theirs.method
    assert theirs.header("content-type") == ours.headers["content-type"]
    assert json.loads(ours.body) == theirs.json
