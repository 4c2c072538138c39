"""Gemini by its official SDK and by us: the same request."""

from __future__ import annotations

import json
import warnings
from contextlib import suppress
from typing import Any

import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Options, ToolCallPart
from pointsman.wire import gemini_generate
from tests.counterparts.upstream import Upstream
from tests.oracles.asked import CITY, NO_KEY, PIXEL, QUESTION, RESULT, TERSE, WEATHER, conversation, origin

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from google import genai
    from google.genai import errors, types

SPOKEN = conversation(
    Options(max_output_tokens=500, reasoning_effort="minimal"),
    ToolCallPart("call_1", "get_weather", CITY, signature="c2ln"),
)


def by_the_sdk(url: str) -> None:
    client = genai.Client(api_key=NO_KEY, http_options=types.HttpOptions(base_url=url))
    declared = types.FunctionDeclaration(name="get_weather", description="d", parameters_json_schema=WEATHER)
    picture = types.Blob(mime_type="image/png", data=PIXEL)
    called = types.FunctionCall(id="call_1", name="get_weather", args=CITY)
    answered = types.FunctionResponse(id="call_1", name="get_weather", response={"result": RESULT})
    contents = [
        types.Content(
            role="user",
            parts=[types.Part(text=QUESTION), types.Part(inline_data=picture)],
        ),
        types.Content(role="model", parts=[types.Part(function_call=called, thought_signature=b"sig")]),
        types.Content(role="user", parts=[types.Part(function_response=answered)]),
    ]
    config = types.GenerateContentConfig(
        system_instruction=TERSE,
        max_output_tokens=500,
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=512),
        tools=[types.Tool(function_declarations=[declared])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    with suppress(errors.APIError):
        list(client.models.generate_content_stream(model="gemini-2.5-pro", contents=contents, config=config))


SPELLED = {
    "mime_type": "mimeType",
    "parameters_json_schema": "parametersJsonSchema",
    "include_thoughts": "includeThoughts",
    "thinking_budget": "thinkingBudget",
}
"""Fields that the SDK happens to send in snake case. Either is taken: https://protobuf.dev/programming-guides/json/"""


def same(value: Any) -> Any:
    """The SDK's JSON with the documented names; its base64 is that of URLs, and either is taken (same page)."""
    if isinstance(value, list):
        return [same(each) for each in value]
    if not isinstance(value, dict):
        return value
    renamed = {SPELLED.get(name, name): same(inner) for name, inner in value.items()}
    if "mimeType" in renamed and "data" in renamed:
        renamed["data"] = renamed["data"].replace("-", "+").replace("_", "/")
    return renamed


@pytest.mark.filterwarnings("ignore")
def test_the_official_sdk_sends_the_same(upstream: Upstream) -> None:
    start = origin(upstream.base_url)
    by_the_sdk(start)
    theirs = upstream.request(0)
    ours, notices = gemini_generate.request(
        Provider(id="acme", base_url=f"{start}/v1", wire="gemini-generate"), "gemini-2.5-pro", SPOKEN
    )
    assert notices == []
    assert ours.url == start + theirs.target
    assert theirs.method == ours.method
    assert theirs.header("content-type") == ours.headers["content-type"]
    assert theirs.header("x-goog-api-key") == NO_KEY  # the scheme of `gemini.toml`
    assert json.loads(ours.body) == same(theirs.json)
