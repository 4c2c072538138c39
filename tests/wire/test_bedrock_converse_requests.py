"""Requests to Bedrock: what goes with the turns, and a notice for all that does not go into them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.chat import (
    Conversation,
    Message,
    NamedTool,
    Options,
    ReasoningPart,
    ResponseFormat,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from pointsman.core.errors import BadRequest
from pointsman.wire import bedrock_converse
from tests.each import each
from tests.wire.bedrock_asked import (
    ALWAYS,
    ASKED,
    BETWEEN,
    CACHE,
    CLAUDE,
    HELLO,
    HELLO_JSON,
    LLAMA,
    NEWER,
    NEWEST,
    NOVA,
    acme,
    asked,
)
from tests.wire.leaves import conversations, lost, said_by


def test_the_least_that_can_be_asked() -> None:
    request, notices = bedrock_converse.request(acme(headers={"X-Team": "blue"}), NOVA, HELLO)
    assert request.method == "POST"
    assert request.url == "https://acme.example/model/amazon.nova-micro-v1%3A0/converse-stream"
    assert request.headers == {
        "content-type": "application/json",
        "accept": "application/vnd.amazon.eventstream",
        "X-Team": "blue",
    }
    assert json.loads(request.body) == {"messages": [HELLO_JSON]}
    assert notices == []


def test_a_model_by_its_arn() -> None:
    arn = "arn:aws:bedrock:us-east-1:0:application-inference-profile/x"
    request, _ = bedrock_converse.request(acme(), arn, HELLO)
    assert request.url.endswith(
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A0%3Aapplication-inference-profile%2Fx/converse-stream"
    )


# What goes with them

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL = Tool("f", SCHEMA, "Does f.", strict=True)
SPEC = {"toolSpec": {"name": "f", "inputSchema": {"json": SCHEMA}, "description": "Does f.", "strict": True}}
CALLED = (
    Message("assistant", (ToolCallPart("1", "g", {}), ToolCallPart("2", "g", {}))),
    Message("tool", (ToolResultPart("1", "one"), ToolResultPart("2", "two"))),
)
STAND_IN = {"toolSpec": {"name": "g", "inputSchema": {"json": {"type": "object"}}}}

TOOLS: dict[str, tuple[dict[str, Any], dict[str, Any] | None, list[str]]] = {
    "tools": ({"tools": (TOOL,)}, {"tools": [SPEC]}, []),
    "a tool without words": (
        {"tools": (Tool("f", {}, ""),)},
        {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]},
        [],
    ),
    "any tool or none": (
        {"tools": (TOOL,), "tool_choice": "auto"},
        {"tools": [SPEC], "toolChoice": {"auto": {}}},
        [],
    ),
    "any tool": ({"tools": (TOOL,), "tool_choice": "required"}, {"tools": [SPEC], "toolChoice": {"any": {}}}, []),
    "a certain tool": (
        {"tools": (TOOL,), "tool_choice": NamedTool("f")},
        {"tools": [SPEC], "toolChoice": {"tool": {"name": "f"}}},
        [],
    ),
    "no tool": ({"tools": (TOOL,), "tool_choice": "none"}, None, ["toolChoice", "tools"]),
    "a choice among no tools": ({"tool_choice": "required"}, None, ["toolChoice"]),
    "no tools any more": (
        {"messages": (ASKED, *CALLED), "tool_choice": "required"},
        {"tools": [STAND_IN]},
        ["toolChoice", "tools"],
    ),
    "no tool after one was called": (
        {"messages": (ASKED, *CALLED), "tools": (TOOL,), "tool_choice": "none"},
        {"tools": [SPEC]},
        ["toolChoice"],
    ),
}


@each("case", TOOLS)
def test_tools(case: str) -> None:
    fields, expected, told = TOOLS[case]
    body, notices = asked(Conversation(**{"messages": HELLO.messages} | fields))
    assert body.get("toolConfig") == expected
    assert [notice.about for notice in notices] == told


def fits(schema: str, **more: str) -> dict[str, Any]:
    structure = {"jsonSchema": {"schema": schema, **more}}
    return {"outputConfig": {"textFormat": {"type": "json_schema", "structure": structure}}}


def thinks(budget: int) -> dict[str, Any]:
    return {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": budget}}}


ADAPTS = {"additionalModelRequestFields": {"thinking": {"type": "adaptive"}}, "outputConfig": {"effort": "low"}}

OPTIONS: dict[str, tuple[str, Options, dict[str, Any], list[str]]] = {
    "sampling": (
        NOVA,
        Options(0.0, 0.5, 100, ("x", "y")),
        {"inferenceConfig": {"temperature": 0.0, "topP": 0.5, "maxTokens": 100, "stopSequences": ["x", "y"]}},
        [],
    ),
    "what there is not": (
        NOVA,
        Options(seed=7, top_k=3, frequency_penalty=1, presence_penalty=1, parallel_tool_calls=False),
        {},
        ["topK", "parallelToolCalls", "seed", "frequencyPenalty", "presencePenalty"],
    ),
    "several calls at once": (NOVA, Options(parallel_tool_calls=True), {}, []),
    "a temperature that is too high": (NOVA, Options(1.5), {"inferenceConfig": {"temperature": 1.0}}, ["temperature"]),
    "top k": (CLAUDE, Options(top_k=3), {"additionalModelRequestFields": {"top_k": 3}}, []),
    "sampling that is refused": (NEWEST, Options(0.5, 0.5, top_k=3), {}, ["temperature", "topP", "topK"]),
    "text": (NOVA, Options(response_format=ResponseFormat("text")), {}, []),
    "any JSON": (NOVA, Options(response_format=ResponseFormat("json")), {}, ["responseFormat"]),
    "JSON that fits": (
        NOVA,
        Options(response_format=ResponseFormat("jsonSchema", {"type": "object"}, "letter")),
        fits('{"type":"object"}', name="letter"),
        [],
    ),
    "JSON that fits anything": (NOVA, Options(response_format=ResponseFormat("jsonSchema")), fits("{}"), []),
    "effort of one that has none": (NOVA, Options(reasoning_effort="low"), {}, ["reasoningEffort"]),
    "no effort": (
        CLAUDE,
        Options(reasoning_effort="none"),
        {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}},
        [],
    ),
    "an odd effort": (CLAUDE, Options(reasoning_effort="odd"), {}, ["reasoningEffort"]),
    "a budget": (CLAUDE, Options(reasoning_effort="medium"), thinks(4096), []),
    "a budget that fits": (
        CLAUDE,
        Options(reasoning_effort="medium", max_output_tokens=5000),
        {"inferenceConfig": {"maxTokens": 5000}} | thinks(4096),
        [],
    ),
    "a budget that is made to fit": (
        CLAUDE,
        Options(reasoning_effort="high", max_output_tokens=5000),
        {"inferenceConfig": {"maxTokens": 5000}} | thinks(2500),
        ["reasoningEffort"],
    ),
    "a budget that does not fit": (
        CLAUDE,
        Options(reasoning_effort="low", max_output_tokens=1024),
        {"inferenceConfig": {"maxTokens": 1024}},
        ["reasoningEffort"],
    ),
    "sampling beside thoughts": (
        CLAUDE,
        Options(0.5, 0.5, top_k=3, reasoning_effort="low"),
        thinks(1024),
        ["temperature", "topP", "topK"],
    ),
    "sampling that thoughts allow": (
        CLAUDE,
        Options(1, 0.95, reasoning_effort="low"),
        {"inferenceConfig": {"temperature": 1, "topP": 0.95}} | thinks(1024),
        [],
    ),
    "an effort that adapts": (NEWER, Options(reasoning_effort="minimal"), ADAPTS, []),
    "an effort of the newest": (NEWEST, Options(reasoning_effort="low"), ADAPTS, []),
}


@each("case", OPTIONS)
def test_options(case: str) -> None:
    model, options, expected, told = OPTIONS[case]
    body, notices = asked(Conversation(HELLO.messages, options=options), model)
    assert body == {"messages": [HELLO_JSON]} | expected
    assert [notice.about for notice in notices] == told


@each(
    ("model", "how"),
    [
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", None),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", "enabled"),
        (CLAUDE, "enabled"),
        ("anthropic.claude-opus-4-1-20250805-v1:0", "enabled"),
        ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "enabled"),
        (NEWER, "adaptive"),
        ("anthropic.claude-opus-4-7", "adaptive"),
        (NEWEST, "adaptive"),
        (LLAMA, None),
    ],
)
def test_how_models_think(model: str, how: str | None) -> None:
    body, _ = asked(Conversation(HELLO.messages, options=Options(reasoning_effort="low")), model)
    assert body.get("additionalModelRequestFields", {}).get("thinking", {}).get("type") == how


@each(
    ("model", "expected", "told"),
    [
        (NEWEST, {"type": "disabled"}, []),
        (BETWEEN, {"type": "between_tools"}, []),
        (ALWAYS, None, ["reasoningEffort"]),
    ],
)
def test_as_little_thinking_as_a_model_can_do_with(model: str, expected: Any, told: list[str]) -> None:
    body, notices = asked(Conversation(HELLO.messages, options=Options(reasoning_effort="none")), model)
    assert body.get("additionalModelRequestFields", {}).get("thinking") == expected
    assert [notice.about for notice in notices] == told


@each("choice", ["required", NamedTool("f")])
@each(
    ("model", "effort", "free"),
    [(NEWEST, "none", False), (NEWEST, "low", True), (CLAUDE, "low", True), (BETWEEN, "none", True)],
)
def test_a_model_that_thinks_chooses_its_tools_itself(model: str, effort: str, free: bool, choice: Any) -> None:
    options = Options(reasoning_effort=effort)
    conversation = Conversation(HELLO.messages, tools=(TOOL,), tool_choice=choice, options=options)
    body, notices = asked(conversation, model)
    assert (body["toolConfig"]["toolChoice"] == {"auto": {}}) is free
    assert [notice.about for notice in notices] == (["toolChoice"] if free else [])


@each("model", [NEWER, NEWEST, BETWEEN, ALWAYS])
def test_newer_models_do_not_go_on_with_an_answer_that_has_begun(model: str) -> None:
    begun = Conversation((ASKED, Message("assistant", "So")))
    with pytest.raises(BadRequest, match="can't go on with an answer"):
        asked(begun, model)
    for other in (CLAUDE, NOVA):
        assert asked(begun, other)[0]["messages"][-1]["role"] == "assistant"


@each(("thought", "thinking"), [((), False), ((ReasoningPart("hm", "s"),), True)])
def test_thinking_does_not_begin_at_the_result_of_a_tool(thought: tuple[ReasoningPart, ...], thinking: bool) -> None:
    called = Message("assistant", (*thought, ToolCallPart("1", "f", {})))
    done = Message("tool", (ToolResultPart("1", "one"),))
    options = Options(reasoning_effort="low")
    body, notices = asked(Conversation((ASKED, called, done), tools=(TOOL,), options=options))
    assert ("additionalModelRequestFields" in body) is thinking
    assert [notice.about for notice in notices] == ([] if thinking else ["reasoningEffort"])


def test_what_a_provider_does_differently() -> None:
    quirks = {"thinking_budget": ["big*"], "top_k": ["big*"], "cache_points": ["big*"]}
    conversation = Conversation((Message("user", "q", cache=True),), options=Options(top_k=3))
    body, notices = asked(conversation, "big-1", acme(quirks=quirks))
    assert body["messages"][0]["content"] == [{"text": "q"}, CACHE]
    assert (body["additionalModelRequestFields"], notices) == ({"top_k": 3}, [])


# What is true of every conversation


@given(st.sampled_from([NOVA, CLAUDE, NEWEST, LLAMA]), conversations)
def test_nothing_is_lost_in_silence(model: str, conversation: Conversation) -> None:
    begun = Conversation(
        (ASKED, *conversation.messages, ASKED),
        conversation.system,
        conversation.tools,
        conversation.tool_choice,
        conversation.options,
    )
    request, notices = bedrock_converse.request(acme(), model, begun)
    assert lost(begun, said_by("bedrock-converse", request.body), notices) == []
    assert len(notices) == len(set(notices))
