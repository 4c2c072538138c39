"""Requests of Ollama's own dialect: a conversation as their JSON, and a notice for all that does not go into it."""

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
from pointsman.wire import ollama_chat


def acme(base_url: str = "http://localhost:11434", **more: Any) -> Provider:
    return Provider(id="acme", name="Acme", wire="ollama-chat", base_url=base_url, **more)


def asked(conversation: Conversation) -> tuple[dict[str, Any], list[Notice]]:
    request, notices = ollama_chat.request(acme(), "big", conversation)
    return json.loads(request.body), list(notices)


HELLO = Conversation((Message("user", "Hello!"),))
HELLO_JSON = {"role": "user", "content": "Hello!"}


def test_the_least_that_can_be_asked() -> None:
    request, notices = ollama_chat.request(acme(), "big", HELLO)
    assert (request.method, request.url) == ("POST", "http://localhost:11434/api/chat")
    assert request.headers == {"content-type": "application/json", "accept": "application/x-ndjson"}
    assert json.loads(request.body) == {"model": "big", "messages": [HELLO_JSON], "stream": True}
    assert notices == []


@pytest.mark.parametrize("base_url", ["https://o.example", "https://o.example/", "https://o.example/api"])
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
        (Message("user", (TextPart("a"), ImagePart("image/jpeg", "AA=="), ImagePart("image/png", "BB=="))),),
        [{"role": "user", "content": "a", "images": ["AA==", "BB=="]}],
    ),
    "an image alone": (
        (Message("user", (ImagePart("image/jpeg", "AA=="),)),),
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
                    {"function": {"name": "f", "arguments": {"a": "é"}}},
                    {"function": {"name": "g", "arguments": {}}},
                ],
            },
            {"role": "tool", "content": "two", "tool_name": "g"},
            {"role": "tool", "content": "one\ntoo", "tool_name": "f"},
        ],
    ),
    "a result of a call that is not there": (
        (Message("tool", (ToolResultPart("9", "nine"),)),),
        [{"role": "tool", "content": "nine", "tool_name": "9"}],
    ),
    "a result and a question in one": (
        (Message("user", (TextPart("and?"), ToolResultPart("1", "one"))),),
        [{"role": "tool", "content": "one", "tool_name": "1"}, {"role": "user", "content": "and?"}],
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_messages(case: str) -> None:
    messages, expected = MESSAGES[case]
    body, notices = asked(Conversation(messages))
    assert body["messages"] == expected
    assert notices == []


RESULT = {"role": "tool", "content": "a", "tool_name": "1"}
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
    "what a thought was signed with": (
        ReasoningPart("hm", signature="s"),
        [{"role": "user", "content": "", "thinking": "hm"}],
        "reasoning",
        "signature",
    ),
    "arguments that are none": (
        ToolCallPart("1", "f", {}, invalid_arguments='{"a":'),
        [{"role": "user", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}],
        "toolCall",
        "The arguments of f were no JSON object",
    ),
}


@pytest.mark.parametrize("case", LEFT_OUT)
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
        {"options": Options(0.0, 0.5, 100, ("x", "y"), 7)},
        {"options": {"temperature": 0.0, "top_p": 0.5, "num_predict": 100, "stop": ["x", "y"], "seed": 7}},
    ),
    "no thinking": ({"options": Options(reasoning_effort="none")}, {"think": False}),
    "a little thinking": ({"options": Options(reasoning_effort="minimal")}, {"think": "low"}),
    "much thinking": ({"options": Options(reasoning_effort="high")}, {"think": "high"}),
    "thinking in another word": ({"options": Options(reasoning_effort="max")}, {"think": True}),
    "the form of text": ({"options": Options(response_format=ResponseFormat("text"))}, {}),
    "any JSON": ({"options": Options(response_format=ResponseFormat("json"))}, {"format": "json"}),
    "JSON that fits": (
        {"options": Options(response_format=ResponseFormat("jsonSchema", SCHEMA, "letter"))},
        {"format": SCHEMA},
    ),
    "JSON that fits nothing": ({"options": Options(response_format=ResponseFormat("jsonSchema"))}, {"format": "json"}),
}


@pytest.mark.parametrize("case", FIELDS)
def test_what_goes_with_the_messages(case: str) -> None:
    fields, expected = FIELDS[case]
    plain, _ = asked(HELLO)
    body, notices = asked(Conversation(HELLO.messages, **fields))
    assert body == plain | expected
    assert notices == []


@pytest.mark.parametrize("choice", ["none", "required", NamedTool("f")])
def test_a_choice_of_tools_is_the_model_s_and_that_is_told(choice: Any) -> None:
    body, (notice,) = asked(Conversation(HELLO.messages, tools=(TOOL,), tool_choice=choice))
    assert body.keys() == {"model", "messages", "stream", "tools"}
    assert notice.about == "toolChoice"


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
    | st.builds(ToolCallPart, st.just("1"), word, st.dictionaries(word, word | st.lists(word, max_size=2), max_size=2))
    | st.builds(ToolCallPart, st.just("1"), word, st.just({}), word)
    | st.builds(ToolResultPart, st.just("2"), word | st.lists(st.builds(TextPart, word) | image, max_size=2).map(tuple))
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
            return {value} if value[1:].isdigit() and value[0] == "w" else set()
        case tuple() | list():
            return {found for inner in value for found in words(inner)}
        case dict():
            return words(list(value.items()))
        case _ if hasattr(value, "__struct_fields__"):
            return words([getattr(value, name) for name in value.__struct_fields__])
        case _:
            return set()


def lost_of(part: Part) -> tuple[object, str] | None:
    """What of a part this dialect can't carry, and what the notice of it is to be about."""
    match part:
        case FilePart():
            return part, "file"
        case ImagePart(data=None):
            return part, "image"
        case ReasoningPart(signature=str(signature)):
            return signature, "reasoning"
        case ToolCallPart(invalid_arguments=str(text)):
            return text, "toolCall"
        case ToolResultPart(content=tuple(pieces)) if any(isinstance(piece, ImagePart) for piece in pieces):
            return [piece for piece in pieces if isinstance(piece, ImagePart)], "toolResult"
        case _:
            return None


@settings(deadline=None)
@given(conversations)
def test_every_word_is_in_the_request_or_told_of_in_a_notice(conversation: Conversation) -> None:
    request, notices = ollama_chat.request(acme(), "big", conversation)
    lost = [found for message in conversation.messages for part in message.parts if (found := lost_of(part))]
    body = request.body.decode()
    assert {found for found in words(conversation) if found not in body} == words([what for what, _ in lost])
    assert sorted(notice.about for notice in notices) == sorted(about for _, about in lost)


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

    assert ollama_chat.models(acme(), json.dumps(body).encode()) == [
        model("qwen3:8b", None),
        model("llama3.1", 131072),
        model("tiny", None),
    ]


@pytest.mark.parametrize("body", [b'{"models": {}}', b'{"data": []}', b'{"models": [{}]}', b"Ollama is running"])
def test_what_is_no_list_of_models(body: bytes) -> None:
    with pytest.raises(BadReply, match="list of models that can't be read"):
        ollama_chat.models(acme(), body)
