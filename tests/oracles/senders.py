"""The fixed conversation as each official SDK sends it: by case, a function that is given where the server starts.

What the server answers is a refusal, and is ignored. Must never know what we send.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import anthropic
import boto3
import botocore.config
import botocore.exceptions
import ollama
import openai

from tests.oracles.asked import CITY, NO_KEY, PIXEL, PNG, QUESTION, RESULT, TERSE, WEATHER

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import google.oauth2.credentials
    from google import genai
    from google.genai import errors, types

FUNCTION = {"name": "get_weather", "description": "d", "parameters": WEATHER}
CALL = {"name": "get_weather", "arguments": '{"city":"Paris"}'}
PICTURE = f"data:image/png;base64,{PNG}"
CHAT: dict[str, Any] = {
    "stream": True,
    "stream_options": {"include_usage": True},
    "messages": [
        {"role": "system", "content": TERSE},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": QUESTION},
                {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": CALL}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": RESULT},
    ],
    "tools": [{"type": "function", "function": FUNCTION | {"strict": True}}],
    "tool_choice": "auto",
}
OPENAI: dict[str, Any] = {"max_completion_tokens": 500, "reasoning_effort": "low"}
OPENROUTER: dict[str, Any] = {"max_tokens": 500, "reasoning_effort": "low"}
RESPONSES: dict[str, Any] = {
    "stream": True,
    "store": False,
    "instructions": TERSE,
    "max_output_tokens": 500,
    "include": ["reasoning.encrypted_content"],
    "reasoning": {"effort": "low", "summary": "auto"},
    "tools": [{"type": "function", **FUNCTION, "strict": True}],
    "tool_choice": "auto",
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": QUESTION},
                {"type": "input_image", "image_url": PICTURE, "detail": "low"},
            ],
        },
        {"type": "function_call", "call_id": "call_1", **CALL},
        {"type": "function_call_output", "call_id": "call_1", "output": RESULT},
    ],
}
MESSAGES: dict[str, Any] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 2000,
    "stream": True,
    "system": TERSE,
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "tools": [{"name": "get_weather", "description": "d", "input_schema": WEATHER}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": QUESTION},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": CITY},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": RESULT}]},
    ],
}
CONVERSE: dict[str, Any] = {
    "modelId": "us.anthropic.claude-sonnet-4-20250514-v1:0",
    "system": [{"text": TERSE}],
    "inferenceConfig": {"maxTokens": 2000},
    "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    "toolConfig": {
        "tools": [{"toolSpec": {"name": "get_weather", "description": "d", "inputSchema": {"json": WEATHER}}}],
        "toolChoice": {"auto": {}},
    },
    "messages": [
        {"role": "user", "content": [{"text": QUESTION}, {"image": {"format": "png", "source": {"bytes": PIXEL}}}]},
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
                {"reasoningContent": {"redactedContent": b"secret"}},
                {"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": CITY}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "t1", "content": [{"text": RESULT}], "status": "error"}},
                {"cachePoint": {"type": "default"}},
            ],
        },
    ],
}
CONTENTS = [
    types.Content(
        role="user",
        parts=[types.Part(text=QUESTION), types.Part(inline_data=types.Blob(mime_type="image/png", data=PIXEL))],
    ),
    types.Content(
        role="model",
        parts=[
            types.Part(
                function_call=types.FunctionCall(id="call_1", name="get_weather", args=CITY), thought_signature=b"sig"
            )
        ],
    ),
    types.Content(
        role="user",
        parts=[
            types.Part(
                function_response=types.FunctionResponse(id="call_1", name="get_weather", response={"result": RESULT})
            )
        ],
    ),
]
GENERATE = types.GenerateContentConfig(
    system_instruction=TERSE,
    max_output_tokens=500,
    thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=512),
    tools=[
        types.Tool(
            function_declarations=[
                types.FunctionDeclaration(name="get_weather", description="d", parameters_json_schema=WEATHER)
            ]
        )
    ],
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
)


def _chat(client: openai.OpenAI, model: str = "gpt-5", **more: Any) -> None:
    with client, suppress(openai.APIStatusError):
        client.chat.completions.create(model=model, **CHAT, **more)


def _responses(client: openai.OpenAI) -> None:
    with client, suppress(openai.APIStatusError):
        client.responses.create(model="gpt-5", **RESPONSES)


def _openai(base_url: str, **more: Any) -> openai.OpenAI:
    return openai.OpenAI(api_key=NO_KEY, base_url=base_url, max_retries=0, **more)


def _azure(start: str, **more: Any) -> openai.AzureOpenAI:
    return openai.AzureOpenAI(azure_endpoint=start, api_version="2024-10-21", max_retries=0, **more)


def _anthropic(start: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=NO_KEY, base_url=start, max_retries=0)


def _messages(client: anthropic.Anthropic | anthropic.AnthropicVertex) -> None:
    with client, suppress(anthropic.APIStatusError):
        client.messages.create(**MESSAGES)


def _gemini(start: str) -> genai.Client:
    return genai.Client(api_key=NO_KEY, http_options=types.HttpOptions(base_url=start, api_version="v1beta"))


def _generate(client: genai.Client) -> None:
    with client, suppress(errors.APIError):
        list(client.models.generate_content_stream(model="gemini-2.5-pro", contents=CONTENTS, config=GENERATE))


def _ollama(client: ollama.Client) -> None:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": TERSE},
        {"role": "user", "content": QUESTION, "images": [PNG]},
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "get_weather", "arguments": CITY}}]},
        {"role": "tool", "tool_name": "get_weather", "content": RESULT},
    ]
    tools, options = [{"type": "function", "function": FUNCTION}], {"num_predict": 500}
    with suppress(ollama.ResponseError), client:
        list(client.chat(model="qwen3", stream=True, think=True, options=options, tools=tools, messages=messages))


def _converse(start: str, **credentials: str) -> None:
    client: Any = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=start,
        config=botocore.config.Config(retries={"max_attempts": 0}),
        **credentials,
    )
    with closing(client), suppress(botocore.exceptions.ClientError):
        client.converse_stream(**CONVERSE)


AWS_KEYS = {"aws_access_key_id": "AKIDEXAMPLE0123", "aws_secret_access_key": NO_KEY, "aws_session_token": "not-a-token"}

SENDERS: dict[str, Callable[[str], None]] = {
    "openai": lambda start: _chat(_openai(f"{start}/v1"), **OPENAI),
    "openai-responses": lambda start: _responses(_openai(f"{start}/v1")),
    "azure": lambda start: _chat(_openai(f"{start}/openai/v1/"), **OPENAI),
    "azure-deployment": lambda start: _chat(_azure(start, api_key=NO_KEY), **OPENAI),
    "azure-entra": lambda start: _chat(_azure(start, azure_ad_token=NO_KEY), **OPENAI),
    "openrouter": lambda start: _chat(
        _openai(f"{start}/api/v1", default_headers={"HTTP-Referer": "https://x", "X-Title": "t"}),
        "openai/gpt-5",
        **OPENROUTER,
    ),
    "anthropic": lambda start: _messages(_anthropic(start)),
    "vertex-anthropic": lambda start: _messages(
        anthropic.AnthropicVertex(
            access_token=NO_KEY, project_id="p", region="l", base_url=f"{start}/v1", max_retries=0
        )
    ),
    "gemini": lambda start: _generate(_gemini(start)),
    "vertex": lambda start: _generate(
        genai.Client(
            vertexai=True,
            project="p",
            location="l",
            credentials=google.oauth2.credentials.Credentials(NO_KEY),
            http_options=types.HttpOptions(base_url=start, api_version="v1"),
        )
    ),
    "ollama": lambda start: _ollama(ollama.Client(host=start)),
    "ollama-cloud": lambda start: _ollama(ollama.Client(host=start, headers={"Authorization": f"Bearer {NO_KEY}"})),
    "bedrock": lambda start: _converse(start, **AWS_KEYS),
    "bedrock-bearer": _converse,  # with the key of a variable
}
"""The chat."""


def _list_openai(start: str) -> None:
    with _openai(f"{start}/v1") as client:
        list(client.models.list())


def _list_anthropic(start: str) -> None:
    with _anthropic(start) as client:
        list(client.models.list(limit=1000))


def _list_gemini(start: str) -> None:
    with _gemini(start) as client:
        list(client.models.list(config={"page_size": 1000, "query_base": True}))


def _list_ollama(start: str) -> None:
    with ollama.Client(host=start) as client:
        client.list()


LISTERS: dict[str, Callable[[str], None]] = {
    "openai": _list_openai,
    "anthropic": _list_anthropic,
    "gemini": _list_gemini,
    "ollama": _list_ollama,
}
"""All models that there are."""
