"""Requests of chat completions: a conversation as their JSON, and a notice for all that does not go into it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Conversation,
    FilePart,
    ImagePart,
    Message,
    NamedTool,
    Notice,
    Options,
    Part,
    ReasoningPart,
    ResponseFormat,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from pointsman.core.errors import BadReply
from pointsman.core.models import Model
from pointsman.wire import openai_chat
from tests.each import each
from tests.wire import leaves


def acme(**more: Any) -> Provider:
    return Provider(id="acme", name="Acme", base_url="https://acme.example/v1", **more)


def asked(conversation: Conversation, provider: Provider | None = None) -> tuple[dict[str, Any], list[Notice]]:
    request, notices = openai_chat.request(provider or acme(), "big", conversation)
    return json.loads(request.body), list(notices)


HELLO = Conversation((Message("user", "Hello!"),))
HELLO_JSON = {"role": "user", "content": "Hello!"}


def test_the_least_that_can_be_asked() -> None:
    request, notices = openai_chat.request(acme(), "big", HELLO)
    assert (request.method, request.url) == ("POST", "https://acme.example/v1/chat/completions")
    assert request.headers == {"content-type": "application/json", "accept": "text/event-stream"}
    assert json.loads(request.body) == {
        "model": "big",
        "messages": [HELLO_JSON],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert notices == []


MESSAGES: dict[str, tuple[tuple[Message, ...], list[dict[str, Any]]]] = {
    "one part of text": ((Message("user", (TextPart("a"),)),), [{"role": "user", "content": "a"}]),
    "several parts of text": ((Message("user", (TextPart("a"), TextPart("b"))),), [{"role": "user", "content": "ab"}]),
    "empty text": ((Message("user", ""),), [{"role": "user", "content": ""}]),
    "no parts at all": ((Message("user", ()),), []),
    "several turns": (
        (Message("system", "s"), Message("user", "u"), Message("assistant", "a"), Message("user", "v")),
        [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "u"},
            {"role": "assistant", "content": "a"},
            {"role": "user", "content": "v"},
        ],
    ),
    "an image": (
        (
            Message(
                "user", (TextPart("a"), ImagePart("image/jpeg", "AA=="), ImagePart(url="https://h/i.png", detail="low"))
            ),
        ),
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AA=="}},
                    {"type": "image_url", "image_url": {"url": "https://h/i.png", "detail": "low"}},
                ],
            }
        ],
    ),
    "a file": (
        (Message("user", (FilePart("application/pdf", "AA==", name="a.pdf"), FilePart(url="data:;base64,BB=="))),),
        [
            {
                "role": "user",
                "content": [
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
                    {
                        "type": "file",
                        "file": {"filename": "file", "file_data": "data:application/octet-stream;base64,BB=="},
                    },
                ],
            }
        ],
    ),
    "calls and their results": (
        (
            Message("assistant", (TextPart("t"), ToolCallPart("1", "f", {"a": "é"}), ToolCallPart("2", "g", {}))),
            Message("tool", (ToolResultPart("1", "one"), ToolResultPart("2", (TextPart("two"), TextPart("too"))))),
        ),
        [
            {
                "role": "assistant",
                "content": "t",
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":"é"}'}},
                    {"id": "2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "tool_call_id": "1", "content": "one"},
            {"role": "tool", "tool_call_id": "2", "content": "two\ntoo"},
        ],
    ),
    "a call without words": (
        (Message("assistant", (ToolCallPart("1", "f", {}, invalid_arguments='{"a":'),)),),
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":'}}],
            }
        ],
    ),
    "a result and a question in one": (
        (Message("user", (TextPart("and?"), ToolResultPart("1", "one"))),),
        [{"role": "tool", "tool_call_id": "1", "content": "one"}, {"role": "user", "content": "and?"}],
    ),
}


@each("case", MESSAGES)
def test_messages(case: str) -> None:
    messages, expected = MESSAGES[case]
    body, notices = asked(Conversation(messages))
    assert body["messages"] == expected
    assert notices == []


LEFT_OUT: dict[str, tuple[Part, list[dict[str, Any]], str, str]] = {
    "reasoning": (ReasoningPart("hm", "signature"), [], "reasoning", "no earlier reasoning"),
    "a file by URL": (FilePart(url="https://h/a.pdf"), [], "file", "https://h/a.pdf was left out"),
    "a failure": (
        ToolResultPart("1", "no such file", is_error=True),
        [{"role": "tool", "tool_call_id": "1", "content": "no such file"}],
        "toolResult",
        "can't say that a tool failed",
    ),
    "what an image by URL is": (
        ImagePart("image/png", "AA==", "https://h/i.png"),
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://h/i.png"}}]}],
        "image",
        "`mediaType`, `data`",
    ),
    "the signature of a call": (
        ToolCallPart("1", "f", {}, signature="s"),
        [
            {
                "role": "user",
                "content": None,
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            }
        ],
        "toolCall",
        "signature of a tool call",
    ),
    "a tool's image": (
        ToolResultPart("1", (TextPart("a"), ImagePart("image/png", "AA=="))),
        [{"role": "tool", "tool_call_id": "1", "content": "a"}],
        "toolResult",
        "images were left out",
    ),
}


@each("case", LEFT_OUT)
def test_what_can_not_be_carried_is_told(case: str) -> None:
    part, expected, about, words = LEFT_OUT[case]
    body, (notice,) = asked(Conversation((Message("user", (part,)),)))
    assert body["messages"] == expected
    assert notice.about == about
    assert words in notice.text


@each(
    ("fields", "expected", "about"),
    [
        ({"tool_choice": "required"}, {}, "toolChoice"),
        ({"options": Options(parallel_tool_calls=True)}, {}, "parallelToolCalls"),
        ({"options": Options(top_k=5)}, {}, "topK"),
        ({"messages": (Message("user", "Hello!", cache=True),)}, {}, "cache"),
        (
            {"options": Options(response_format=ResponseFormat("json", {"a": "b"}))},
            {"response_format": {"type": "json_object"}},
            "responseFormat",
        ),
    ],
)
def test_what_has_no_place_here_is_told(fields: dict[str, Any], expected: dict[str, Any], about: str) -> None:
    plain, _ = asked(HELLO)
    body, (notice,) = asked(Conversation(**({"messages": HELLO.messages} | fields)))
    assert (body, notice.about) == (plain | expected, about)


@each("role", ["assistant", "system"])
@each(("part", "about"), [(ImagePart(url="u"), "image"), (FilePart(data="AA=="), "file")])
def test_only_a_user_shows_something(role: Any, part: Part, about: str) -> None:
    body, (notice,) = asked(Conversation((Message(role, (TextPart("a"), part)),)))
    assert (body["messages"], notice.about) == ([{"role": role, "content": "a"}], about)


def test_a_notice_stays_short() -> None:
    _, (notice,) = asked(Conversation((Message("user", (FilePart(url="data:" + "x" * 10**6),)),)))
    assert len(notice.text) < 500


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL = Tool("f", SCHEMA, "Does f.")
TOOLS_JSON = [{"type": "function", "function": {"name": "f", "parameters": SCHEMA, "description": "Does f."}}]

FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a system prompt": ({"system": "s"}, {"messages": [{"role": "system", "content": "s"}, HELLO_JSON]}),
    "an empty system prompt": ({"system": ""}, {"messages": [HELLO_JSON]}),
    "tools": ({"tools": (TOOL,)}, {"tools": TOOLS_JSON}),
    "a tool without words": (
        {"tools": (Tool("f", {}),)},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
    ),
    "a strict tool, and one call at a time": (
        {"tools": (Tool("f", {}, None, True),), "options": Options(parallel_tool_calls=False)},
        {
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}],
            "parallel_tool_calls": False,
        },
    ),
    "any tool": (
        {"tools": (TOOL,), "tool_choice": "required"},
        {"tools": TOOLS_JSON, "tool_choice": "required"},
    ),
    "a certain tool": (
        {"tools": (TOOL,), "tool_choice": NamedTool("f")},
        {"tools": TOOLS_JSON, "tool_choice": {"type": "function", "function": {"name": "f"}}},
    ),
    "options": (
        {"options": Options(0.0, 0.5, 100, ("x", "y"), 7, "high", frequency_penalty=-0.5, presence_penalty=2.0)},
        {
            "temperature": 0.0,
            "top_p": 0.5,
            "max_tokens": 100,
            "stop": ["x", "y"],
            "seed": 7,
            "reasoning_effort": "high",
            "frequency_penalty": -0.5,
            "presence_penalty": 2.0,
        },
    ),
    "the form of text": (
        {"options": Options(response_format=ResponseFormat("text"))},
        {"response_format": {"type": "text"}},
    ),
    "any JSON": (
        {"options": Options(response_format=ResponseFormat("json"))},
        {"response_format": {"type": "json_object"}},
    ),
    "JSON that fits": (
        {"options": Options(response_format=ResponseFormat("jsonSchema", SCHEMA, "letter"))},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "letter", "schema": SCHEMA, "strict": True},
            }
        },
    ),
    "JSON that fits, without a name": (
        {"options": Options(response_format=ResponseFormat("jsonSchema"))},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {}, "strict": True}}},
    ),
}


@each("case", FIELDS)
def test_what_goes_with_the_messages(case: str) -> None:
    fields, expected = FIELDS[case]
    plain, _ = asked(HELLO)
    body, notices = asked(Conversation(HELLO.messages, **fields))
    assert body == plain | expected
    assert notices == []


def test_a_provider_s_own_headers_and_path() -> None:
    provider = Provider(id="x", base_url="https://h/v1/", headers={"X-Team": "blue", "accept": "x/y"})
    request, _ = openai_chat.request(provider, "m", HELLO)
    assert request.url == "https://h/v1/chat/completions"
    assert request.headers == {"content-type": "application/json", "accept": "x/y", "X-Team": "blue"}


# Nothing is dropped in silence

OTHERS = {
    "call_ids": "alnum9",
    "seed_field": "random_seed",
    "response_formats": ["text", "json"],
    "named_tool": False,
    "reasoning_content": True,
}
EVERY_FIELD = {"reasoning_details": True, "reasoning_content": True, "cache_control": True, "top_k": True}


@pytest.mark.parametrize("quirks", [{}, EVERY_FIELD, OTHERS, {"reasoning_content": True, "system_role": "developer"}])
@given(conversation=leaves.conversations)
def test_every_value_is_in_the_request_or_told_of_in_a_notice(
    quirks: dict[str, Any], conversation: Conversation
) -> None:
    request, notices = openai_chat.request(acme(quirks=quirks), "big", conversation)
    assert leaves.lost(conversation, request.body.decode(), notices) == []
    assert len(set(notices)) == len(notices)


# The list of models


def test_a_list_of_models() -> None:
    body = {
        "object": "list",
        "data": [
            {"id": "org/big:free", "name": "Big", "context_length": 1000, "created": 1},
            {"id": "small", "name": None, "context_window": 10},
            {"id": "tiny"},
        ],
    }

    def model(id: str, name: str, window: int | None) -> Model:
        return Model(f"acme:{id}", "acme", id, name, (), "live", window)

    assert list(openai_chat.models(acme(), json.dumps(body).encode()).models) == [
        model("org/big:free", "Big", 1000),
        model("small", "small", 10),
        model("tiny", "tiny", None),
    ]


def test_where_the_list_of_models_is() -> None:
    request = openai_chat.models_request(acme(headers={"X-Team": "blue"}))
    assert request is not None
    assert (request.method, request.url) == ("GET", "https://acme.example/v1/models")
    assert request.headers == {"accept": "application/json", "X-Team": "blue"}


def test_what_is_no_list_of_models() -> None:
    with pytest.raises(BadReply, match="list of models that can't be read"):
        openai_chat.models(acme(), b'{"data": {}}')
