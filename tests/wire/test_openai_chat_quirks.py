"""Requests of chat completions by quirk: earlier reasoning, what to cache, what a provider or a model refuses."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Conversation,
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
from pointsman.wire import openai_chat
from tests.each import each


def acme(**more: Any) -> Provider:
    return Provider(id="acme", name="Acme", base_url="https://acme.example/v1", **more)


def asked(conversation: Conversation, provider: Provider) -> tuple[dict[str, Any], list[Notice]]:
    request, notices = openai_chat.request(provider, "big", conversation)
    return json.loads(request.body), list(notices)


HELLO = Conversation((Message("user", "Hello!"),))


# Earlier reasoning

DETAILS = [{"type": "reasoning.text", "text": "hm", "signature": "s"}, {"type": "reasoning.encrypted", "data": "e"}]
DETAILED, CONTENT = {"reasoning_details": True}, {"reasoning_content": True}
THOUGHTS: dict[str, tuple[dict[str, Any], Message, dict[str, Any], bool]] = {
    "details go back to their maker": (
        DETAILED,
        Message("assistant", (ReasoningPart("hm", opaque=DETAILS), TextPart("a")), "acme"),
        {"reasoning_details": DETAILS},
        False,
    ),
    "details in two parts are one list": (
        DETAILED,
        Message(
            "assistant",
            (ReasoningPart("hm", opaque=DETAILS[:1]), TextPart("a"), ReasoningPart("", opaque=DETAILS[1:])),
        ),
        {"reasoning_details": DETAILS},
        False,
    ),
    "not to another": (
        DETAILED,
        Message("assistant", (ReasoningPart("hm", opaque=DETAILS), TextPart("a")), "other"),
        {},
        True,
    ),
    "not from a user": (DETAILED, Message("user", (ReasoningPart("hm", opaque=DETAILS), TextPart("a"))), {}, True),
    "not unless wanted": ({}, Message("assistant", (ReasoningPart("hm", opaque=DETAILS), TextPart("a"))), {}, True),
    "not another dialect's": (
        DETAILED,
        Message("assistant", (ReasoningPart("hm", opaque={"type": "reasoning"}), TextPart("a"))),
        {},
        True,
    ),
    "words beside the details": (
        DETAILED,
        Message("assistant", (ReasoningPart("more than hm", opaque=DETAILS), TextPart("a"))),
        {"reasoning_details": DETAILS},
        True,
    ),
    "plain words where they are wanted": (
        CONTENT,
        Message("assistant", (ReasoningPart("h"), ReasoningPart("m"), TextPart("a")), "acme"),
        {"reasoning_content": "hm"},
        False,
    ),
    "plain words of another": (CONTENT, Message("assistant", (ReasoningPart("h"), TextPart("a")), "b"), {}, True),
    "plain words, and a signature": (
        CONTENT,
        Message("assistant", (ReasoningPart("hm", "s"), TextPart("a"))),
        {"reasoning_content": "hm"},
        True,
    ),
}


@each("case", THOUGHTS)
def test_earlier_reasoning(case: str) -> None:
    quirks, message, expected, told = THOUGHTS[case]
    body, notices = asked(Conversation((message,)), acme(quirks=quirks))
    assert body["messages"] == [{"role": message.role, "content": "a", **expected}]
    assert [notice.about for notice in notices] == (["reasoning"] if told else [])


def test_reasoning_alone_is_a_message_where_it_is_wanted() -> None:
    body, _ = asked(Conversation((Message("assistant", (ReasoningPart("hm"),)),)), acme(quirks=CONTENT))
    assert body["messages"] == [{"role": "assistant", "content": "", "reasoning_content": "hm"}]


# What to cache

MARKED = {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}


@each(
    ("content", "expected", "told"),
    [
        ("b", [MARKED], False),
        ((TextPart("a"), TextPart("b")), [{"type": "text", "text": "a"}, MARKED], False),
        (
            (TextPart("b"), ImagePart(url="u"), TextPart("")),
            [MARKED, {"type": "image_url", "image_url": {"url": "u"}}, {"type": "text", "text": ""}],
            False,
        ),
        ((ImagePart(url="u"),), [{"type": "image_url", "image_url": {"url": "u"}}], True),
        ("", "", True),
    ],
)
def test_a_cache_hint_is_marked_on_the_last_text(content: Any, expected: Any, told: bool) -> None:
    conversation = Conversation((Message("user", content, cache=True),))
    body, notices = asked(conversation, acme(quirks={"cache_control": True}))
    assert body["messages"] == [{"role": "user", "content": expected}]
    assert [notice.about for notice in notices] == (["cache"] if told else [])


# What else differs


@each(
    ("quirks", "changed", "absent"),
    [
        ({}, {"max_tokens": 5, "stream_options": {"include_usage": True}}, []),
        ({"max_tokens_field": "max_completion_tokens"}, {"max_completion_tokens": 5}, ["max_tokens"]),
        ({"stream_usage": False}, {"max_tokens": 5}, ["stream_options"]),
        ({"top_k": True}, {"top_k": 9}, []),
        ({"refuses": {"b*": ["topK", "maxOutputTokens"], "small": ["seed"]}}, {"seed": 1}, ["top_k", "max_tokens"]),
    ],
)
def test_what_a_provider_does_differently(quirks: dict[str, Any], changed: dict[str, Any], absent: list[str]) -> None:
    options = Options(max_output_tokens=5, top_k=9, seed=1)
    body, notices = asked(Conversation(HELLO.messages, options=options), acme(quirks=quirks))
    assert body | changed == body
    assert not set(absent) & set(body)
    assert {notice.about for notice in notices} >= ({"topK", "maxOutputTokens"} if "refuses" in quirks else set())


SCHEMA = {"type": "object", "properties": {}}


@each(
    ("taken", "form", "expected", "told"),
    [
        (["text", "json"], ResponseFormat("jsonSchema", SCHEMA, "n"), {"type": "json_object"}, True),
        (["text", "json"], ResponseFormat("json"), {"type": "json_object"}, False),
        (["jsonSchema"], ResponseFormat("json"), {"name": "answer", "schema": {"type": "object"}}, False),
        (["text"], ResponseFormat("json"), None, True),
        ([], ResponseFormat("jsonSchema", SCHEMA), None, True),
    ],
)
def test_the_nearest_form_of_an_answer_is_asked_for(
    taken: list[str], form: ResponseFormat, expected: dict[str, Any] | None, told: bool
) -> None:
    conversation = Conversation(HELLO.messages, options=Options(response_format=form))
    body, notices = asked(conversation, acme(quirks={"response_formats": taken}))
    sent = body.get("response_format")
    if sent and sent["type"] == "json_schema":
        assert sent["json_schema"] | (expected or {}) == sent["json_schema"]
    else:
        assert sent == expected
    assert [notice.about for notice in notices] == (["responseFormat"] if told else [])


F, G = Tool("f", {}), Tool("g", {})


@each(
    ("tools", "choice", "sent", "said", "told"),
    [
        ((F, G), NamedTool("g"), ["g"], "required", ["toolChoice", "tools"]),
        ((F,), NamedTool("f"), ["f"], "required", ["toolChoice"]),
        ((F, G), NamedTool("h"), ["f", "g"], "required", ["toolChoice"]),
        ((F, G), "auto", ["f", "g"], "auto", []),
        ((), NamedTool("f"), [], None, ["toolChoice"]),
    ],
)
def test_a_tool_that_can_not_be_named_is_the_only_one(
    tools: tuple[Tool, ...], choice: Any, sent: list[str], said: str | None, told: list[str]
) -> None:
    conversation = Conversation(HELLO.messages, tools=tools, tool_choice=choice)
    body, notices = asked(conversation, acme(quirks={"named_tool": False}))
    assert [tool["function"]["name"] for tool in body.get("tools", [])] == sent
    assert body.get("tool_choice") == said
    assert [notice.about for notice in notices] == told


CALLING = (ToolCallPart("call_1", "f", {}),)


def test_ids_of_calls_are_changed_where_they_must_be_short() -> None:
    messages = (Message("assistant", CALLING), Message("tool", (ToolResultPart("call_1", "a"),)))
    body, notices = asked(Conversation(messages), acme(quirks={"call_ids": "alnum9"}))
    (call,), result = body["messages"][0]["tool_calls"], body["messages"][1]
    assert re.fullmatch("[a-zA-Z0-9]{9}", call["id"])
    assert result["tool_call_id"] == call["id"]
    assert [notice.about for notice in notices] == ["toolCall", "toolResult"]
    fitting = (Message("assistant", (ToolCallPart("abcDEF123", "f", {}),)),)
    body, notices = asked(Conversation(fitting), acme(quirks={"call_ids": "alnum9"}))
    assert (body["messages"][0]["tool_calls"][0]["id"], notices) == ("abcDEF123", [])


@each(
    ("message", "thought"),
    [
        (Message("assistant", CALLING, "other"), ""),
        (Message("assistant", (ReasoningPart("hm"), *CALLING), "other"), ""),
        (Message("assistant", (ReasoningPart("hm"), *CALLING), "acme"), "hm"),
        (Message("assistant", "a", "other"), None),
        (Message("user", CALLING), None),
    ],
)
def test_a_turn_that_calls_has_the_field_of_its_reasoning(message: Message, thought: str | None) -> None:
    body, _ = asked(Conversation((message,)), acme(quirks=CONTENT))
    assert body["messages"][0].get("reasoning_content") == thought
    body, _ = asked(Conversation((message,)), acme())
    assert "reasoning_content" not in body["messages"][0]


def test_how_the_seed_is_called() -> None:
    body, notices = asked(
        Conversation(HELLO.messages, options=Options(seed=7)), acme(quirks={"seed_field": "random_seed"})
    )
    assert (body["random_seed"], "seed" in body, notices) == (7, False, [])


def test_the_role_of_a_system_prompt() -> None:
    conversation = Conversation((Message("system", "b"), Message("user", "c")), system="a")
    body, _ = asked(conversation, acme(quirks={"system_role": "developer"}))
    assert [message["role"] for message in body["messages"]] == ["developer", "developer", "user"]


@each("quirks", [{"refuses": {"m": ["odd"]}}, {"system_role": "boss"}, {"top_k": 3}])
def test_a_quirk_that_makes_no_sense_is_refused(quirks: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(quirks, openai_chat.Quirks)
