"""Requests to the Messages API: what goes with the messages, what of it excludes what, and that nothing gets lost."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings

from pointsman.core.chat import (
    Conversation,
    Message,
    NamedTool,
    Options,
    Part,
    ReasoningPart,
    ResponseFormat,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from pointsman.core.errors import BadRequest
from pointsman.wire import anthropic_messages
from tests.each import each
from tests.wire.anthropic_blocks import HELLO, HELLO_JSON, MIDDLE, NEW, OLD, acme, asked
from tests.wire.leaves import conversations, lost, said_by


def test_the_least_that_can_be_asked() -> None:
    request, notices = anthropic_messages.request(acme(), "big", HELLO)
    assert (request.method, request.url) == ("POST", "https://acme.example/v1/messages")
    assert request.headers == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "anthropic-version": "2023-06-01",
    }
    assert json.loads(request.body) == {"model": "big", "max_tokens": 8192, "messages": [HELLO_JSON], "stream": True}
    assert notices == []


@each("base_url", ["https://a.example", "https://a.example/", "https://a.example/v1/"])
def test_where_it_goes(base_url: str) -> None:
    provider = acme(base_url, headers={"anthropic-beta": "b", "accept": "x/y"}, api_version="2026-10-21")
    request, _ = anthropic_messages.request(provider, "m", HELLO)
    listing = anthropic_messages.models_request(provider)
    assert listing is not None
    assert (request.url, listing.url) == ("https://a.example/v1/messages", "https://a.example/v1/models?limit=1000")
    for headers in (request.headers, listing.headers):
        assert headers["anthropic-version"] == "2026-10-21"
        assert (headers["anthropic-beta"], headers["accept"]) == ("b", "x/y")


def test_on_vertex_the_model_is_in_the_path() -> None:
    provider = acme(
        "https://v.example/v1/projects/p/locations/l", quirks={"platform": "google-cloud"}, model_list="none"
    )
    request, _ = anthropic_messages.request(provider, "claude-sonnet-4-5@20250929", HELLO)
    path = "publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict"
    assert request.url == f"https://v.example/v1/projects/p/locations/l/{path}"
    assert "anthropic-version" not in request.headers
    body = json.loads(request.body)
    assert "model" not in body
    assert body["anthropic_version"] == "vertex-2023-10-16"
    assert anthropic_messages.models_request(provider) is None


# Options

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL = Tool("f", SCHEMA, "Does f.")
TOOLS = [{"name": "f", "input_schema": SCHEMA, "description": "Does f."}]
ADAPTIVE = {"type": "adaptive", "display": "summarized"}


def choosing(choice: Any, parallel: bool | None = None, **more: Any) -> dict[str, Any]:
    options = Options(**more) if parallel is None else Options(parallel_tool_calls=parallel, **more)
    return {"tools": (TOOL,), "tool_choice": choice, "options": options}


def budget(tokens: int, **more: Any) -> dict[str, Any]:
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}, **more}


def form(type: Any, schema: Any = None, name: str | None = None) -> dict[str, Any]:
    return {"options": Options(response_format=ResponseFormat(type, schema, name))}


def formed(**schema: Any) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


FIELDS: dict[str, tuple[str, dict[str, Any], dict[str, Any], list[str]]] = {
    "a limit": (OLD, {"options": Options(max_output_tokens=5)}, {"max_tokens": 5}, []),
    "where to stop": (OLD, {"options": Options(stop=("x", " ", "y"))}, {"stop_sequences": ["x", "y"]}, ["stop"]),
    "where to stop, all of it fit": (OLD, {"options": Options(stop=("x",))}, {"stop_sequences": ["x"]}, []),
    "nowhere to stop": (OLD, {"options": Options(stop=("\n",))}, {}, ["stop"]),
    "temperature": (OLD, {"options": Options(temperature=0.0, top_k=5)}, {"temperature": 0.0, "top_k": 5}, []),
    "top_p": (MIDDLE, {"options": Options(top_p=0.5)}, {"top_p": 0.5}, []),
    "temperature and top_p": (
        OLD,
        {"options": Options(temperature=0.5, top_p=0.5)},
        {"temperature": 0.5},
        ["topP"],
    ),
    "both for another's model": (
        "qwen3-max",
        {"options": Options(temperature=0.5, top_p=0.5)},
        {"temperature": 0.5, "top_p": 0.5},
        [],
    ),
    "too hot": (OLD, {"options": Options(temperature=1.5)}, {"temperature": 1.0}, ["temperature"]),
    "sampling of a new model": (
        NEW,
        {"options": Options(temperature=0.5, top_p=0.5, top_k=5)},
        {},
        ["temperature", "topP", "topK"],
    ),
    "what there is not": (
        OLD,
        {"options": Options(seed=7, frequency_penalty=0.5, presence_penalty=0.5)},
        {},
        ["seed", "frequencyPenalty", "presencePenalty"],
    ),
    "no thinking": (NEW, {"options": Options(reasoning_effort="none")}, {"thinking": {"type": "disabled"}}, []),
    "an effort": (OLD, {"options": Options(reasoning_effort="medium")}, budget(4096), []),
    "much effort": (OLD, {"options": Options(reasoning_effort="high")}, budget(16384, max_tokens=20480), []),
    "the most effort": (OLD, {"options": Options(reasoning_effort="max")}, budget(32000, max_tokens=36096), []),
    "the most effort of one that says less": (
        "claude-opus-4-1-20250805",
        {"options": Options(reasoning_effort="max")},
        budget(27904, max_tokens=32000),
        [],
    ),
    "thinking that can't be turned off": (
        "claude-opus-5-5",
        {"options": Options(reasoning_effort="none")},
        {},
        ["reasoningEffort"],
    ),
    "thinking between tools only": (
        "claude-sonnet-5.5",
        {"options": Options(reasoning_effort="none")},
        {"thinking": {"type": "between_tools"}},
        [],
    ),
    "an effort and a limit": (
        OLD,
        {"options": Options(reasoning_effort="low", max_output_tokens=2000)},
        budget(1024, max_tokens=2000),
        [],
    ),
    "an effort over the limit": (
        OLD,
        {"options": Options(reasoning_effort="high", max_output_tokens=6000)},
        budget(3000, max_tokens=6000),
        ["reasoningEffort"],
    ),
    "no room for an effort": (
        OLD,
        {"options": Options(reasoning_effort="low", max_output_tokens=1024)},
        {"max_tokens": 1024},
        ["reasoningEffort"],
    ),
    "an effort in another word": (OLD, {"options": Options(reasoning_effort="huge")}, {}, ["reasoningEffort"]),
    "an effort of a new model": (
        NEW,
        {"options": Options(reasoning_effort="minimal")},
        {"thinking": ADAPTIVE, "output_config": {"effort": "low"}},
        [],
    ),
    "sampling and thinking": (
        OLD,
        {"options": Options(reasoning_effort="low", temperature=0.5, top_p=0.5, top_k=5)},
        budget(1024),
        ["temperature", "topP", "topK"],
    ),
    "sampling that thinking allows": (
        "qwen3-max",
        {"options": Options(reasoning_effort="low", temperature=1.0, top_p=0.95)},
        budget(1024, temperature=1.0, top_p=0.95),
        [],
    ),
    "tools": (OLD, {"tools": (TOOL,)}, {"tools": TOOLS}, []),
    "a tool without words": (
        OLD,
        {"tools": (Tool("f", {}, strict=True),)},
        {"tools": [{"name": "f", "input_schema": {"type": "object"}, "strict": True}]},
        [],
    ),
    "a free choice": (OLD, choosing("auto"), {"tools": TOOLS, "tool_choice": {"type": "auto"}}, []),
    "no choice": (OLD, choosing("none"), {"tools": TOOLS, "tool_choice": {"type": "none"}}, []),
    "any tool": (OLD, choosing("required"), {"tools": TOOLS, "tool_choice": {"type": "any"}}, []),
    "one tool": (OLD, choosing(NamedTool("f")), {"tools": TOOLS, "tool_choice": {"type": "tool", "name": "f"}}, []),
    "one tool of a model that chooses itself": (
        "claude-fable-5-1",
        choosing(NamedTool("f")),
        {"tools": TOOLS, "tool_choice": {"type": "auto"}},
        ["toolChoice"],
    ),
    "any tool of a model before those": (
        "claude-opus-5-20260501",
        choosing("required"),
        {"tools": TOOLS, "tool_choice": {"type": "any"}},
        [],
    ),
    "one tool at a time": (
        OLD,
        choosing("required", parallel=False),
        {"tools": TOOLS, "tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        [],
    ),
    "several at a time": (
        OLD,
        choosing(None, parallel=True),
        {"tools": TOOLS, "tool_choice": {"type": "auto", "disable_parallel_tool_use": False}},
        [],
    ),
    "none at a time": (
        OLD,
        choosing("none", parallel=False),
        {"tools": TOOLS, "tool_choice": {"type": "none"}},
        ["parallelToolCalls"],
    ),
    "a choice of nothing": (
        OLD,
        {"tool_choice": "auto", "options": Options(parallel_tool_calls=True)},
        {},
        ["toolChoice", "parallelToolCalls"],
    ),
    "a tool that a thinking model must call": (
        NEW,
        choosing(NamedTool("f"), reasoning_effort="low"),
        {
            "tools": TOOLS,
            "tool_choice": {"type": "auto"},
            "thinking": ADAPTIVE,
            "output_config": {"effort": "low"},
        },
        ["toolChoice"],
    ),
    "any tool that a thinking model must call": (
        OLD,
        choosing("required", reasoning_effort="low"),
        budget(1024, tools=TOOLS, tool_choice={"type": "auto"}),
        ["toolChoice"],
    ),
    "the form of text": (OLD, form("text"), {}, []),
    "any JSON": (OLD, form("json"), {}, ["responseFormat"]),
    "JSON that fits": (OLD, form("jsonSchema", SCHEMA), formed(**SCHEMA), []),
    "JSON with a name": (OLD, form("jsonSchema", SCHEMA, "letter"), formed(**SCHEMA, title="letter"), []),
    "JSON with two names": (
        OLD,
        form("jsonSchema", SCHEMA | {"title": "t"}, "letter"),
        formed(**SCHEMA, title="t"),
        ["responseFormat"],
    ),
    "JSON that fits nothing": (OLD, form("jsonSchema"), {}, ["responseFormat"]),
}


@each("case", FIELDS)
def test_what_goes_with_the_messages(case: str) -> None:
    model, fields, expected, told = FIELDS[case]
    plain, _ = asked(HELLO, model)
    body, notices = asked(Conversation(HELLO.messages, **fields), model)
    assert body == plain | expected
    assert [notice.about for notice in notices] == told


def test_a_form_and_an_effort_share_a_field() -> None:
    options = Options(reasoning_effort="max", response_format=ResponseFormat("jsonSchema", SCHEMA))
    body, _ = asked(Conversation(HELLO.messages, options=options), NEW)
    assert body["output_config"] == formed(**SCHEMA)["output_config"] | {"effort": "max"}


@each(
    ("model", "thinks", "sampling"),
    [
        ("claude-3-5-haiku-latest", "enabled", True),
        ("anthropic/claude-3.7-sonnet", "enabled", True),
        ("claude-sonnet-4", "enabled", True),
        ("claude-sonnet-4-0", "enabled", True),
        ("claude-sonnet-4@20250514", "enabled", True),
        ("claude-opus-4-20250514", "enabled", True),
        ("claude-opus-4-1-20250805", "enabled", True),
        ("anthropic/claude-sonnet-4.5", "enabled", True),
        ("claude-haiku-4-5", "enabled", True),
        ("Claude-Sonnet-4-6", "adaptive", True),
        ("claude-opus-4-6@default", "adaptive", True),
        ("claude-opus-4-7", "adaptive", False),
        ("claude-sonnet-5-5", "adaptive", False),
        ("claude-fable-5", "adaptive", False),
        ("qwen3-max", "enabled", True),
    ],
)
def test_which_model_thinks_how(model: str, thinks: str, sampling: bool) -> None:
    body, _ = asked(Conversation(HELLO.messages, options=Options(reasoning_effort="low")), model)
    assert body["thinking"]["type"] == thinks
    body, _ = asked(Conversation(HELLO.messages, options=Options(temperature=0.5)), model)
    assert ("temperature" in body) == sampling


def test_quirks_say_what_differs() -> None:
    quirks = {"thinking": "adaptive", "default_max_tokens": 77, "structured_outputs": False}
    options = Options(reasoning_effort="high", response_format=ResponseFormat("jsonSchema", SCHEMA))
    conversation = Conversation(HELLO.messages, tools=(Tool("f", SCHEMA, strict=True),), options=options)
    body, notices = asked(conversation, provider=acme(quirks=quirks))
    assert (body["max_tokens"], body["thinking"], body["output_config"]) == (77, ADAPTIVE, {"effort": "high"})
    assert body["tools"] == [{"name": "f", "input_schema": SCHEMA}]
    assert [notice.about for notice in notices] == ["tools", "responseFormat"]
    body, _ = asked(conversation, NEW, acme(quirks={"thinking": "budget"}))
    assert body["thinking"] == budget(16384)["thinking"]


@each(("thoughts", "effort"), [((), False), ((ReasoningPart("hm", "s"),), True), ((ReasoningPart("hm"),), False)])
def test_a_budget_needs_thoughts_before_the_calls_that_are_answered(thoughts: tuple[Part, ...], effort: bool) -> None:
    messages = (
        *HELLO.messages,
        Message("assistant", (*thoughts, ToolCallPart("t1", "f", {}))),
        Message("tool", (ToolResultPart("t1", "one"),)),
    )
    conversation = Conversation(messages, options=Options(reasoning_effort="low"))
    body, notices = asked(conversation)
    assert ("thinking" in body) == effort
    assert any(notice.about == "reasoningEffort" for notice in notices) != effort
    body, _ = asked(conversation, NEW)
    assert body["thinking"] == ADAPTIVE


# What would be refused in any case


@each(
    ("conversation", "said"),
    [
        (Conversation(()), "nothing in the conversation that Acme could answer"),
        (Conversation((Message("user", " "), Message("system", "s")), system="s"), "nothing in the conversation"),
        (
            Conversation((*HELLO.messages, Message("assistant", "So")), options=Options(reasoning_effort="low")),
            "can't (think about|go on with) an answer that has begun",
        ),
    ],
)
def test_what_would_be_refused_is_not_sent(conversation: Conversation, said: str) -> None:
    for model in (OLD, NEW):
        with pytest.raises(BadRequest, match=said) as caught:
            asked(conversation, model)
        assert caught.value.provider == "acme"


@each(
    ("model", "taken"),
    [(OLD, True), ("qwen3-max", True), ("claude-3-7-sonnet-latest", True), (MIDDLE, False), (NEW, False)],
)
def test_newer_models_do_not_go_on_with_an_answer_that_has_begun(model: str, taken: bool) -> None:
    begun = Conversation((*HELLO.messages, Message("assistant", "So")))
    if taken:
        assert asked(begun, model)[0]["messages"][-1]["role"] == "assistant"
        return
    with pytest.raises(BadRequest, match="can't go on with an answer that has begun") as caught:
        asked(begun, model)
    assert caught.value.provider == "acme"


# Nothing is dropped in silence


@pytest.mark.parametrize("model", [OLD, NEW])
@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
@settings(deadline=None)
@given(conversations)
def test_every_value_is_in_the_request_or_told_of_in_a_notice(
    model: str, version: str, conversation: Conversation
) -> None:
    try:
        request, notices = anthropic_messages.request(acme(api_version=version), model, conversation)
    except BadRequest as refused:
        assert "nothing in the conversation" in refused.message or "can't go on with" in refused.message
        return
    assert lost(conversation, said_by("anthropic-messages", request.body), notices) == []
    turns = [turn["role"] for turn in json.loads(request.body)["messages"]]
    assert all(before != after for before, after in itertools.pairwise(turns))
