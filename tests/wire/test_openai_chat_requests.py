"""Requests of chat completions: a conversation as their JSON, and a notice for all that does not go into it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
        (Message("user", (TextPart("a"), ImagePart("image/jpeg", "AA=="), ImagePart(url="https://h/i.png"))),),
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AA=="}},
                    {"type": "image_url", "image_url": {"url": "https://h/i.png"}},
                ],
            }
        ],
    ),
    "a file": (
        (Message("user", (FilePart("application/pdf", "AA==", name="a.pdf"), FilePart(data="BB=="))),),
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


@pytest.mark.parametrize("case", MESSAGES)
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
    "a tool's image": (
        ToolResultPart("1", (TextPart("a"), ImagePart("image/png", "AA=="))),
        [{"role": "tool", "tool_call_id": "1", "content": "a"}],
        "toolResult",
        "images were left out",
    ),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_can_not_be_carried_is_told(case: str) -> None:
    part, expected, about, words = LEFT_OUT[case]
    body, (notice,) = asked(Conversation((Message("user", (part,)),)))
    assert body["messages"] == expected
    assert notice.about == about
    assert words in notice.text


def test_a_choice_among_no_tools_is_told() -> None:
    plain, _ = asked(HELLO)
    body, (notice,) = asked(Conversation(HELLO.messages, tool_choice="required"))
    assert (body, notice.about) == (plain, "toolChoice")


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
    "any tool": (
        {"tools": (TOOL,), "tool_choice": "required"},
        {"tools": TOOLS_JSON, "tool_choice": "required"},
    ),
    "a certain tool": (
        {"tools": (TOOL,), "tool_choice": NamedTool("f")},
        {"tools": TOOLS_JSON, "tool_choice": {"type": "function", "function": {"name": "f"}}},
    ),
    "options": (
        {"options": Options(0.0, 0.5, 100, ("x", "y"), 7, "high")},
        {
            "temperature": 0.0,
            "top_p": 0.5,
            "max_tokens": 100,
            "stop": ["x", "y"],
            "seed": 7,
            "reasoning_effort": "high",
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


@pytest.mark.parametrize("case", FIELDS)
def test_what_goes_with_the_messages(case: str) -> None:
    fields, expected = FIELDS[case]
    plain, _ = asked(HELLO)
    body, notices = asked(Conversation(HELLO.messages, **fields))
    assert body == plain | expected
    assert notices == []


@pytest.mark.parametrize(
    ("quirks", "changed", "absent"),
    [
        ({}, {"max_tokens": 5, "stream_options": {"include_usage": True}}, []),
        ({"max_tokens_field": "max_completion_tokens"}, {"max_completion_tokens": 5}, ["max_tokens"]),
        ({"stream_usage": False}, {"max_tokens": 5}, ["stream_options"]),
    ],
)
def test_what_a_provider_does_differently(quirks: dict[str, Any], changed: dict[str, Any], absent: list[str]) -> None:
    body, _ = asked(Conversation(HELLO.messages, options=Options(max_output_tokens=5)), acme(quirks=quirks))
    assert body | changed == body
    assert not set(absent) & set(body)


def test_a_provider_s_own_headers_and_path() -> None:
    provider = Provider(id="x", base_url="https://h/v1/", headers={"X-Team": "blue", "accept": "x/y"})
    request, _ = openai_chat.request(provider, "m", HELLO)
    assert request.url == "https://h/v1/chat/completions"
    assert request.headers == {"content-type": "application/json", "accept": "x/y", "X-Team": "blue"}


# Nothing is dropped in silence: each word of a conversation has a number, to be found again.

NUMBERS = itertools.count(10**6)
word = st.builds(lambda: f"w{next(NUMBERS)}")
image = st.builds(ImagePart, st.none() | st.just("image/png"), word) | st.builds(ImagePart, url=word)
parts = (
    st.builds(TextPart, word)
    | image
    | st.builds(FilePart, st.none(), word, st.none(), st.none() | word)
    | st.builds(FilePart, url=word)
    | st.builds(ReasoningPart, word, st.none() | word)
    | st.builds(ToolCallPart, word, word, st.dictionaries(word, word | st.lists(word, max_size=2), max_size=2))
    | st.builds(ToolCallPart, word, word, st.just({}), word)
    | st.builds(ToolResultPart, word, word | st.lists(st.builds(TextPart, word) | image, max_size=2).map(tuple))
)
conversations = st.builds(
    Conversation,
    st.lists(
        st.builds(
            Message,
            st.sampled_from(["system", "user", "assistant", "tool"]),
            word | st.lists(parts, max_size=4).map(tuple),
        ),
        max_size=4,
    ).map(tuple),
    st.none() | word,
    st.lists(st.builds(Tool, word, st.dictionaries(word, word, max_size=1), st.none() | word), max_size=2).map(tuple),
)


def words(value: Any) -> set[str]:
    """All numbered words in a value, however deep."""
    match value:
        case str():
            return {value} if value[1:].isdigit() else set()
        case tuple() | list():
            return {found for inner in value for found in words(inner)}
        case dict():
            return words(list(value.items()))
        case _ if hasattr(value, "__struct_fields__"):
            return words([getattr(value, name) for name in value.__struct_fields__])
        case _:
            return set()


def left_out(conversation: Conversation) -> tuple[set[str], set[str]]:
    """The words that this dialect can't carry, and what the notices about them are to be about."""
    lost: list[Part] = []
    for part in (part for message in conversation.messages for part in message.parts):
        if isinstance(part, ToolResultPart) and not isinstance(part.content, str):
            lost += [piece for piece in part.content if isinstance(piece, ImagePart)]
        elif isinstance(part, ReasoningPart) or (isinstance(part, FilePart) and part.data is None):
            lost.append(part)
    about: dict[type, str] = {ImagePart: "toolResult", ReasoningPart: "reasoning", FilePart: "file"}
    return words(lost), {about[type(part)] for part in lost}


@settings(deadline=None)
@given(conversations)
def test_every_word_is_in_the_request_or_told_of_in_a_notice(conversation: Conversation) -> None:
    request, notices = openai_chat.request(acme(), "big", conversation)
    lost, about = left_out(conversation)
    body = request.body.decode()
    assert {found for found in words(conversation) if found not in body} == lost
    assert {notice.about for notice in notices} == about


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

    assert openai_chat.models(acme(), json.dumps(body).encode()) == [
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
