"""Requests of Ollama's own dialect: a conversation as their JSON, and a notice for all that does not go into it."""

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
from pointsman.wire import ollama_chat
from tests.each import each
from tests.wire import leaves


def acme(base_url: str = "http://localhost:11434", **more: Any) -> Provider:
    return Provider(id="acme", name="Acme", wire="ollama-chat", base_url=base_url, **more)


def asked(conversation: Conversation, model: str = "big", **more: Any) -> tuple[dict[str, Any], list[Notice]]:
    request, notices = ollama_chat.request(acme(**more), model, conversation)
    return json.loads(request.body), list(notices)


HELLO = Conversation((Message("user", "Hello!"),))
HELLO_JSON = {"role": "user", "content": "Hello!"}


def test_the_least_that_can_be_asked() -> None:
    request, notices = ollama_chat.request(acme(), "big", HELLO)
    assert (request.method, request.url) == ("POST", "http://localhost:11434/api/chat")
    assert request.headers == {"content-type": "application/json", "accept": "application/x-ndjson"}
    assert json.loads(request.body) == {"model": "big", "messages": [HELLO_JSON], "stream": True}
    assert notices == []


@each("base_url", ["https://o.example", "https://o.example/", "https://o.example/api"])
def test_where_it_goes(base_url: str) -> None:
    provider = acme(base_url, headers={"X-Team": "blue", "accept": "x/y"})
    request, _ = ollama_chat.request(provider, "m", HELLO)
    listing = ollama_chat.models_request(provider)
    assert listing is not None
    assert (request.url, listing.url) == ("https://o.example/api/chat", "https://o.example/api/tags")
    assert request.headers == {"content-type": "application/json", "accept": "x/y", "X-Team": "blue"}
    assert (listing.method, listing.headers) == ("GET", {"accept": "x/y", "X-Team": "blue"})


MESSAGES: dict[str, tuple[tuple[Message, ...], list[dict[str, Any]]]] = {
    "several parts of text": ((Message("user", (TextPart("a"), TextPart("b"))),), [{"role": "user", "content": "ab"}]),
    "empty text": ((Message("user", ""),), []),
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
    "images": (
        (Message("user", (TextPart("a"), ImagePart(data="AA=="), ImagePart(url="data:;base64,BB=="))),),
        [{"role": "user", "content": "a", "images": ["AA==", "BB=="]}],
    ),
    "an image alone": (
        (Message("user", (ImagePart(data="AA=="),)),),
        [{"role": "user", "content": "", "images": ["AA=="]}],
    ),
    "thoughts": (
        (Message("assistant", (ReasoningPart("h"), ReasoningPart("m"), TextPart("a"))),),
        [{"role": "assistant", "content": "a", "thinking": "hm"}],
    ),
    "calls and their results": (
        (
            Message("assistant", (TextPart("t"), ToolCallPart("1", "f", {"a": "é"}), ToolCallPart("2", "g", {}))),
            Message("tool", (ToolResultPart("2", "two"), ToolResultPart("1", (TextPart("one"), TextPart("too"))))),
        ),
        [
            {
                "role": "assistant",
                "content": "t",
                "tool_calls": [
                    {"id": "1", "function": {"name": "f", "arguments": {"a": "é"}}},
                    {"id": "2", "function": {"name": "g", "arguments": {}}},
                ],
            },
            {"role": "tool", "content": "two", "tool_name": "g", "tool_call_id": "2"},
            {"role": "tool", "content": "one\ntoo", "tool_name": "f", "tool_call_id": "1"},
        ],
    ),
    "a result of a call that is not there": (
        (Message("tool", (ToolResultPart("9", "nine"),)),),
        [{"role": "tool", "content": "nine", "tool_name": "9", "tool_call_id": "9"}],
    ),
    "a result and a question in one": (
        (Message("user", (TextPart("and?"), ToolResultPart("1", "one"))),),
        [
            {"role": "tool", "content": "one", "tool_name": "1", "tool_call_id": "1"},
            {"role": "user", "content": "and?"},
        ],
    ),
}


@each("case", MESSAGES)
def test_messages(case: str) -> None:
    messages, expected = MESSAGES[case]
    body, notices = asked(Conversation(messages))
    assert body["messages"] == expected
    assert notices == []


RESULT = {"role": "tool", "content": "a", "tool_name": "1", "tool_call_id": "1"}
LEFT_OUT: dict[str, tuple[Part, list[dict[str, Any]], str, str]] = {
    "an image by URL": (ImagePart(url="https://h/i.png"), [], "image", "https://h/i.png was left out"),
    "a file": (FilePart("application/pdf", "AA==", name="a.pdf"), [], "file", "a.pdf was left out"),
    "a file by URL": (FilePart(url="https://h/a.pdf"), [], "file", "https://h/a.pdf was left out"),
    "a failure": (ToolResultPart("1", "a", is_error=True), [RESULT], "toolResult", "can't say that a tool failed"),
    "a tool's image": (
        ToolResultPart("1", (TextPart("a"), ImagePart("image/png", "AA=="))),
        [RESULT],
        "toolResult",
        "images were left out",
    ),
    "what an image is": (
        ImagePart("image/png", "AA==", detail="low"),
        [{"role": "user", "content": "", "images": ["AA=="]}],
        "image",
        "`mediaType`, `detail`",
    ),
    "what a call was signed with": (
        ToolCallPart("1", "f", {}, signature="s"),
        [{"role": "user", "content": "", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {}}}]}],
        "toolCall",
        "signature of a tool call",
    ),
    "what a thought was signed with": (
        ReasoningPart("hm", signature="s"),
        [{"role": "user", "content": "", "thinking": "hm"}],
        "reasoning",
        "signature",
    ),
    "arguments that are none": (
        ToolCallPart("1", "f", {}, invalid_arguments='{"a":'),
        [{"role": "user", "content": "", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {}}}]}],
        "toolCall",
        "The arguments of f were no JSON object",
    ),
}


@each("case", LEFT_OUT)
def test_what_can_not_be_carried_is_told(case: str) -> None:
    part, expected, about, words = LEFT_OUT[case]
    body, (notice,) = asked(Conversation((Message("user", (part,)),)))
    assert body["messages"] == expected
    assert notice.about == about
    assert words in notice.text


def test_a_notice_stays_short() -> None:
    _, (notice,) = asked(Conversation((Message("user", (FilePart(url="data:" + "x" * 10**6),)),)))
    assert len(notice.text) < 500


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL = Tool("f", SCHEMA, "Does f.")
TOOLS_JSON = [{"type": "function", "function": {"name": "f", "parameters": SCHEMA, "description": "Does f."}}]

FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a system prompt": ({"system": "s"}, {"messages": [{"role": "system", "content": "s"}, HELLO_JSON]}),
    "an empty system prompt": ({"system": ""}, {}),
    "tools": ({"tools": (TOOL,)}, {"tools": TOOLS_JSON}),
    "a tool without words": (
        {"tools": (Tool("f", {}),)},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
    ),
    "a choice that is left to it": ({"tools": (TOOL,), "tool_choice": "auto"}, {"tools": TOOLS_JSON}),
    "options": (
        {"options": Options(0.0, 0.5, 100, ("x", "y"), 7, top_k=40, frequency_penalty=-0.5, presence_penalty=2.0)},
        {
            "options": {
                "temperature": 0.0,
                "top_p": 0.5,
                "num_predict": 100,
                "stop": ["x", "y"],
                "seed": 7,
                "top_k": 40,
                "frequency_penalty": -0.5,
                "presence_penalty": 2.0,
            }
        },
    ),
    "no thinking": ({"options": Options(reasoning_effort="none")}, {"think": False}),
    "the form of text": ({"options": Options(response_format=ResponseFormat("text"))}, {}),
    "any JSON": ({"options": Options(response_format=ResponseFormat("json"))}, {"format": "json"}),
    "JSON that fits": (
        {"options": Options(response_format=ResponseFormat("jsonSchema", SCHEMA))},
        {"format": SCHEMA},
    ),
    "JSON that fits nothing": ({"options": Options(response_format=ResponseFormat("jsonSchema"))}, {"format": "json"}),
}


@each("case", FIELDS)
def test_what_goes_with_the_messages(case: str) -> None:
    fields, expected = FIELDS[case]
    plain, _ = asked(HELLO)
    body, notices = asked(Conversation(HELLO.messages, **fields))
    assert body == plain | expected
    assert notices == []


TOLD: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "the name of a schema": (
        {"options": Options(response_format=ResponseFormat("jsonSchema", SCHEMA, "letter"))},
        {"format": SCHEMA},
        "responseFormat",
    ),
    "a schema of no use": (
        {"options": Options(response_format=ResponseFormat("json", SCHEMA))},
        {"format": "json"},
        "responseFormat",
    ),
    "one call at a time": ({"options": Options(parallel_tool_calls=False)}, {}, "parallelToolCalls"),
    "a strict tool": ({"tools": (Tool("f", SCHEMA, "Does f.", True),)}, {"tools": TOOLS_JSON}, "tools"),
    "a choice among no tools": ({"tool_choice": "auto"}, {}, "toolChoice"),
    "a cache hint": ({"messages": (Message("user", "Hello!", cache=True),)}, {}, "cache"),
}


@each("case", TOLD)
def test_what_is_carried_in_part_or_not_at_all_is_told(case: str) -> None:
    fields, expected, about = TOLD[case]
    plain, _ = asked(HELLO)
    body, (notice,) = asked(Conversation(**({"messages": HELLO.messages} | fields)))
    assert body == plain | expected
    assert notice.about == about


@each("choice", ["none", "required", NamedTool("f")])
def test_a_choice_of_tools_is_the_model_s_and_that_is_told(choice: Any) -> None:
    body, (notice,) = asked(Conversation(HELLO.messages, tools=(TOOL,), tool_choice=choice))
    assert body.keys() == {"model", "messages", "stream", "tools"}
    assert notice.about == "toolChoice"


@each(
    ("model", "effort", "expected", "words"),
    [
        ("gpt-oss:20b", "high", "high", ""),
        ("gpt-oss", "minimal", "low", "`low` was asked for"),
        ("gpt-oss:120b-cloud", "none", "low", "`low` was asked for"),
        ("me/GPT-oss", "max", "high", "`high` was asked for"),
        ("qwen3", "none", False, ""),
        ("qwen3:8b", "high", True, "but not how hard"),
        ("hf.co/me/magistral", "low", True, "but not how hard"),
        ("deepseek-r1:8b", "max", True, "but not how hard"),
        ("qwen3-coder", "low", None, "not known to think"),
        ("llama3.1", "high", None, "not known to think"),
        ("llama3.1", "none", False, ""),
    ],
)
def test_only_models_that_think_are_told_to(model: str, effort: str, expected: object, words: str) -> None:
    body, notices = asked(Conversation(HELLO.messages, options=Options(reasoning_effort=effort)), model)
    assert body.get("think") == expected
    assert [notice.about for notice in notices] == (["reasoningEffort"] if words else [])
    assert words in "".join(notice.text for notice in notices)


def test_quirks_say_which_models_think() -> None:
    quirks = {"thinking": ["new*"], "thinking_words": ["newest*"]}
    conversation = Conversation(HELLO.messages, options=Options(reasoning_effort="low"))
    told = [asked(conversation, model, quirks=quirks)[0].get("think") for model in ("new", "newest", "gpt-oss")]
    assert told == [True, "low", None]


# Nothing is dropped in silence


@given(leaves.conversations)
def test_every_value_is_in_the_request_or_told_of_in_a_notice(conversation: Conversation) -> None:
    request, notices = ollama_chat.request(acme(), "big", conversation)
    assert leaves.lost(conversation, request.body.decode(), notices) == []
    assert len(set(notices)) == len(notices)


# The list of models


def test_a_list_of_models() -> None:
    body = {
        "models": [
            {"name": "qwen3:8b", "model": "qwen3:8b", "size": 1, "details": {"family": "qwen3"}},
            {"name": "llama3.1:latest", "details": {"context_length": 131072}},
            {"name": "tiny", "details": None},
        ]
    }

    def model(id: str, window: int | None) -> Model:
        return Model(f"acme:{id}", "acme", id, id, (), "live", window)

    assert list(ollama_chat.models(acme(), json.dumps(body).encode()).models) == [
        model("qwen3:8b", None),
        model("llama3.1", 131072),
        model("tiny", None),
    ]


@each("body", [b'{"models": {}}', b'{"data": []}', b'{"models": [{}]}', b"Ollama is running"])
def test_what_is_no_list_of_models(body: bytes) -> None:
    with pytest.raises(BadReply, match="list of models that can't be read"):
        ollama_chat.models(acme(), body)
