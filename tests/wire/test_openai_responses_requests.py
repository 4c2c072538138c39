"""Requests of the Responses API: a conversation as its items, and a notice for all that does not go into them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
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
    ReasoningPart,
    ResponseFormat,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from pointsman.wire import openai_responses
from tests.each import each
from tests.wire import leaves


def acme(**more: Any) -> Provider:
    return Provider(id="acme", name="Acme", wire="openai-responses", base_url="https://acme.example/v1", **more)


def asked(conversation: Conversation, provider: Provider | None = None) -> tuple[dict[str, Any], list[Notice]]:
    request, notices = openai_responses.request(provider or acme(), "big", conversation)
    return json.loads(request.body), list(notices)


HELLO = Conversation((Message("user", "Hello!"),))
HELLO_JSON = {"role": "user", "content": [{"type": "input_text", "text": "Hello!"}]}


def test_the_least_that_can_be_asked() -> None:
    request, notices = openai_responses.request(acme(), "big", HELLO)
    assert (request.method, request.url) == ("POST", "https://acme.example/v1/responses")
    assert request.headers == {"content-type": "application/json", "accept": "text/event-stream"}
    assert json.loads(request.body) == {
        "model": "big",
        "input": [HELLO_JSON],
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    assert notices == []


def text(words: str) -> dict[str, Any]:
    return {"type": "input_text", "text": words}


def said(words: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "output_text", "text": words}]}


def call(id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": id, "name": name, "arguments": arguments}


def output(id: str, output: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": id, "output": output}


THOUGHT = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "h"}, {"type": "summary_text", "text": "m"}],
    "encrypted_content": "gAAA-not-real",
}
OPEN_THOUGHT = {
    "id": "rs_2",
    "type": "reasoning",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "hm"}],
    "status": "completed",
}

MESSAGES: dict[str, tuple[tuple[Message, ...], list[dict[str, Any]]]] = {
    "several turns": (
        (Message("system", "s"), Message("user", "u"), Message("assistant", "a"), Message("user", "v")),
        [
            {"role": "system", "content": [text("s")]},
            {"role": "user", "content": [text("u")]},
            said("a"),
            {"role": "user", "content": [text("v")]},
        ],
    ),
    "nothing said": ((Message("user", ""), Message("user", ())), []),
    "images": (
        (Message("user", (TextPart("a"), ImagePart("image/jpeg", "AA=="), ImagePart(url="u", detail="low"))),),
        [
            {
                "role": "user",
                "content": [
                    text("a"),
                    {"type": "input_image", "image_url": "data:image/jpeg;base64,AA=="},
                    {"type": "input_image", "image_url": "u", "detail": "low"},
                ],
            }
        ],
    ),
    "files": (
        (
            Message(
                "user",
                (
                    FilePart("application/pdf", "AA==", name="a.pdf"),
                    FilePart(url="data:;base64,BB=="),
                    FilePart(url="https://h/a"),
                ),
            ),
        ),
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
                    {
                        "type": "input_file",
                        "filename": "file",
                        "file_data": "data:application/octet-stream;base64,BB==",
                    },
                    {"type": "input_file", "file_url": "https://h/a"},
                ],
            }
        ],
    ),
    "calls at once and their results": (
        (
            Message("assistant", (TextPart("t"), ToolCallPart("1", "f", {"a": "é"}), ToolCallPart("2", "g", {}))),
            Message("tool", (ToolResultPart("2", "two"), ToolResultPart("1", (TextPart("one"), TextPart("too"))))),
        ),
        [said("t"), call("1", "f", '{"a":"é"}'), call("2", "g", "{}"), output("2", "two"), output("1", "one\ntoo")],
    ),
    "a result with an image": (
        (Message("tool", (ToolResultPart("1", (TextPart("a"), ImagePart("image/png", "AA==", detail="high"))),)),),
        [
            output(
                "1",
                [text("a"), {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "high"}],
            )
        ],
    ),
    "arguments that are none": (
        (Message("assistant", (ToolCallPart("1", "f", {}, invalid_arguments='{"a":'),)),),
        [call("1", "f", '{"a":')],
    ),
    "a result and a question in one": (
        (Message("user", (ToolResultPart("1", "one"), TextPart("and?"))),),
        [output("1", "one"), {"role": "user", "content": [text("and?")]}],
    ),
    "words before and after a call": (
        (Message("assistant", (TextPart("a"), ToolCallPart("1", "f", {}), TextPart("b"), TextPart("c"))),),
        [
            said("a"),
            call("1", "f", "{}"),
            {
                "role": "assistant",
                "content": [{"type": "output_text", "text": "b"}, {"type": "output_text", "text": "c"}],
            },
        ],
    ),
    "a thought and the words it led to": (
        (Message("assistant", (ReasoningPart("hm", opaque=THOUGHT), TextPart("a")), "acme"),),
        [THOUGHT, said("a")],
    ),
    "thoughts and the call they led to": (
        (
            Message(
                "assistant",
                (
                    ReasoningPart("", opaque=THOUGHT),
                    ReasoningPart("hm", opaque=OPEN_THOUGHT),
                    ToolCallPart("1", "f", {}),
                ),
            ),
        ),
        [THOUGHT, OPEN_THOUGHT, call("1", "f", "{}")],
    ),
}


@each("case", MESSAGES)
def test_messages(case: str) -> None:
    messages, expected = MESSAGES[case]
    body, notices = asked(Conversation(messages))
    assert body["input"] == expected
    assert notices == []


ENDED = ReasoningPart("hm", opaque=THOUGHT)
LEFT_OUT: dict[str, tuple[Message, list[dict[str, Any]], str, str]] = {
    "a thought of nobody": (
        Message("assistant", (ReasoningPart("hm"), TextPart("a"))),
        [said("a")],
        "reasoning",
        "only as its provider gave it",
    ),
    "a thought of another": (
        Message("assistant", (ENDED, TextPart("a")), "other"),
        [said("a")],
        "reasoning",
        "only as its provider gave it",
    ),
    "a user's thought": (
        Message("user", (ENDED, TextPart("a"))),
        [{"role": "user", "content": [text("a")]}],
        "reasoning",
        "only as its provider gave it",
    ),
    "a thought of another dialect": (
        Message("assistant", (ReasoningPart("hm", opaque=[{"type": "reasoning.text"}]), TextPart("a"))),
        [said("a")],
        "reasoning",
        "only as its provider gave it",
    ),
    "a thought that is kept elsewhere": (
        Message("assistant", (ReasoningPart("", opaque={"id": "rs_1", "type": "reasoning"}), TextPart("a"))),
        [said("a")],
        "reasoning",
        "only as its provider gave it",
    ),
    "words beside a thought": (
        Message("assistant", (ReasoningPart("more than hm", opaque=THOUGHT), TextPart("a"))),
        [THOUGHT, said("a")],
        "reasoning",
        "only as its provider gave it",
    ),
    "a signature beside a thought": (
        Message("assistant", (ReasoningPart("hm", "s", THOUGHT), TextPart("a"))),
        [THOUGHT, said("a")],
        "reasoning",
        "only as its provider gave it",
    ),
    "a thought that led to nothing": (Message("assistant", (ENDED,)), [], "reasoning", "led to nothing"),
    "a last thought that led to nothing": (
        Message("assistant", (ENDED, TextPart("a"), ENDED, ReasoningPart("hm", opaque=OPEN_THOUGHT), TextPart(""))),
        [THOUGHT, said("a")],
        "reasoning",
        "led to nothing",
    ),
    "an assistant's image": (
        Message("assistant", (TextPart("a"), ImagePart(url="u"))),
        [said("a")],
        "image",
        "no image from an assistant",
    ),
    "an assistant's file": (Message("assistant", (FilePart(url="u"),)), [], "file", "no file from an assistant"),
    "what an image by URL is": (
        Message("user", (ImagePart("image/png", url="u"),)),
        [{"role": "user", "content": [{"type": "input_image", "image_url": "u"}]}],
        "image",
        "`mediaType`",
    ),
    "what a file by URL is": (
        Message("user", (FilePart("a/b", url="u", name="n"),)),
        [{"role": "user", "content": [{"type": "input_file", "file_url": "u"}]}],
        "file",
        "`mediaType`, `name`",
    ),
    "the URL of a file": (
        Message("user", (FilePart(None, "AA==", "u", "n"),)),
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_file", "filename": "n", "file_data": "data:application/octet-stream;base64,AA=="}
                ],
            }
        ],
        "file",
        "`url`",
    ),
    "the signature of a call": (
        Message("assistant", (ToolCallPart("1", "f", {}, signature="s"),)),
        [call("1", "f", "{}")],
        "toolCall",
        "no place for the signature",
    ),
    "a failure": (
        Message("tool", (ToolResultPart("1", "no such file", is_error=True),)),
        [output("1", "no such file")],
        "toolResult",
        "can't say that a tool failed",
    ),
    "a cache hint": (
        Message("user", "a", cache=True),
        [{"role": "user", "content": [text("a")]}],
        "cache",
        "decides itself what to cache",
    ),
}


@each("case", LEFT_OUT)
def test_what_can_not_be_carried_is_told(case: str) -> None:
    message, expected, about, words = LEFT_OUT[case]
    body, (notice,) = asked(Conversation((message,)))
    assert body["input"] == expected
    assert notice.about == about
    assert words in notice.text


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL = Tool("f", SCHEMA, "Does f.", strict=True)
TOOLS_JSON = [{"type": "function", "name": "f", "parameters": SCHEMA, "description": "Does f.", "strict": True}]

FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a system prompt": ({"system": "s"}, {"instructions": "s"}),
    "an empty system prompt": ({"system": ""}, {}),
    "tools": ({"tools": (TOOL,)}, {"tools": TOOLS_JSON}),
    "a tool whose schema is not to be rewritten": (
        {"tools": (Tool("f", {}),)},
        {"tools": [{"type": "function", "name": "f", "parameters": {}, "strict": False}]},
    ),
    "any tool, one at a time": (
        {"tools": (TOOL,), "tool_choice": "required", "options": Options(parallel_tool_calls=False)},
        {"tools": TOOLS_JSON, "tool_choice": "required", "parallel_tool_calls": False},
    ),
    "a certain tool": (
        {"tools": (TOOL,), "tool_choice": NamedTool("f")},
        {"tools": TOOLS_JSON, "tool_choice": {"type": "function", "name": "f"}},
    ),
    "options": (
        {"options": Options(0.0, 0.5, 100, reasoning_effort="high")},
        {
            "temperature": 0.0,
            "top_p": 0.5,
            "max_output_tokens": 100,
            "reasoning": {"effort": "high", "summary": "auto"},
        },
    ),
    "no reasoning": ({"options": Options(reasoning_effort="none")}, {"reasoning": {"effort": "none"}}),
    "the form of text": (
        {"options": Options(response_format=ResponseFormat("text"))},
        {"text": {"format": {"type": "text"}}},
    ),
    "any JSON": (
        {"options": Options(response_format=ResponseFormat("json"))},
        {"text": {"format": {"type": "json_object"}}},
    ),
    "JSON that fits": (
        {"options": Options(response_format=ResponseFormat("jsonSchema", SCHEMA, "letter"))},
        {"text": {"format": {"type": "json_schema", "name": "letter", "schema": SCHEMA, "strict": True}}},
    ),
    "JSON that fits, without a name": (
        {"options": Options(response_format=ResponseFormat("jsonSchema"))},
        {"text": {"format": {"type": "json_schema", "name": "answer", "schema": {}, "strict": True}}},
    ),
}


@each("case", FIELDS)
def test_what_goes_with_the_messages(case: str) -> None:
    fields, expected = FIELDS[case]
    plain, _ = asked(HELLO)
    body, notices = asked(Conversation(HELLO.messages, **fields))
    assert body == plain | expected
    assert notices == []


NO_PLACE: dict[str, dict[str, Any]] = {
    "stop": {"options": Options(stop=("x",))},
    "seed": {"options": Options(seed=0)},
    "topK": {"options": Options(top_k=4)},
    "frequencyPenalty": {"options": Options(frequency_penalty=0.5)},
    "presencePenalty": {"options": Options(presence_penalty=0.5)},
    "parallelToolCalls": {"options": Options(parallel_tool_calls=True)},
    "toolChoice": {"tool_choice": "auto"},
}


@each("about", NO_PLACE)
def test_what_has_no_place_here_is_told(about: str) -> None:
    plain, _ = asked(HELLO)
    body, (notice,) = asked(Conversation(HELLO.messages, **NO_PLACE[about]))
    assert (body, notice.about) == (plain, about)


@each(
    ("quirks", "changed", "absent", "told"),
    [
        ({}, {"include": ["reasoning.encrypted_content"]}, [], []),
        ({"encrypted_reasoning": False}, {}, ["include"], []),
        ({"encrypted_reasoning": ["o*"]}, {}, ["include"], []),
        ({"encrypted_reasoning": ["o*", "b*"]}, {"include": ["reasoning.encrypted_content"]}, [], []),
        ({"reasoning_summary": "detailed"}, {"reasoning": {"effort": "low", "summary": "detailed"}}, [], []),
        ({"reasoning_summary": "none"}, {"reasoning": {"effort": "low"}}, [], []),
        ({"refuses": {"b*": ["temperature"]}}, {}, ["temperature"], ["temperature"]),
        ({"refuses": {"small": ["temperature"]}}, {"temperature": 1.0}, [], []),
    ],
)
def test_what_a_provider_does_differently(
    quirks: dict[str, Any], changed: dict[str, Any], absent: list[str], told: list[str]
) -> None:
    options = Options(temperature=1.0, reasoning_effort="low")
    body, notices = asked(Conversation(HELLO.messages, options=options), acme(quirks=quirks))
    assert body | changed == body
    assert not set(absent) & set(body)
    assert [notice.about for notice in notices] == told


@each("quirks", [{"encrypted_reasoning": "yes"}, {"reasoning_summary": "long"}])
def test_a_quirk_that_makes_no_sense_is_refused(quirks: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(quirks, openai_responses.Quirks)


def test_a_provider_s_own_headers_and_path() -> None:
    provider = Provider(id="x", base_url="https://h/v1/", headers={"X-Team": "blue", "accept": "x/y"}, api_version="1")
    request, _ = openai_responses.request(provider, "m", HELLO)
    assert request.url == "https://h/v1/responses?api-version=1"
    assert request.headers == {"content-type": "application/json", "accept": "x/y", "X-Team": "blue"}


@pytest.mark.parametrize("quirks", [{}, {"encrypted_reasoning": False}])
@given(conversation=leaves.conversations)
def test_every_value_is_in_the_request_or_told_of_in_a_notice(
    quirks: dict[str, Any], conversation: Conversation
) -> None:
    request, notices = openai_responses.request(acme(quirks=quirks), "big", conversation)
    assert leaves.lost(conversation, request.body.decode(), notices) == []
    assert len(set(notices)) == len(notices)


@given(leaves.conversations)
def test_no_thought_is_sent_without_what_it_led_to(conversation: Conversation) -> None:
    for message in conversation.messages:
        body, _ = asked(Conversation((message,)))
        assert not body["input"] or body["input"][-1].get("type") != "reasoning"
