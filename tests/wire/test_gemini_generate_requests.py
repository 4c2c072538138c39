"""Requests to Gemini: a conversation as its JSON, and a notice for all that does not go into it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
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
    ReasoningPart,
    ResponseFormat,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from pointsman.core.errors import BadRequest
from pointsman.wire import gemini_generate
from pointsman.wire.gemini_contents import UNSIGNED
from tests.each import each
from tests.wire.leaves import conversations, lost, said_by

BASE = "https://acme.example/v1beta"


def acme(**more: Any) -> Provider:
    return Provider(id="acme", name="Acme", wire="gemini-generate", base_url=BASE, **more)


def asked(
    conversation: Conversation, model: str = "gemini-2.5-pro", provider: Provider | None = None
) -> tuple[dict[str, Any], list[Notice]]:
    request, notices = gemini_generate.request(provider or acme(), model, conversation)
    return json.loads(request.body), list(notices)


HELLO = Conversation((Message("user", "Hello!"),))
HELLO_JSON = {"role": "user", "parts": [{"text": "Hello!"}]}
HELLO_PARTS = HELLO_JSON["parts"]


def test_the_least_that_can_be_asked() -> None:
    request, notices = gemini_generate.request(acme(headers={"X-Team": "blue"}), "gemini-2.5-pro", HELLO)
    assert (request.method, request.url) == ("POST", f"{BASE}/models/gemini-2.5-pro:streamGenerateContent?alt=sse")
    assert request.headers == {"content-type": "application/json", "accept": "text/event-stream", "X-Team": "blue"}
    assert json.loads(request.body) == {"contents": [HELLO_JSON]}
    assert notices == []


@each(
    ("model", "path"),
    [
        ("models/x", "/models/x"),
        ("tunedModels/x", "/tunedModels/x"),
        ("org/x:y", "/models/org%2Fx%3Ay"),
        ("models/a/b", "/models/a%2Fb"),
        ("a?b", "/models/a%3Fb"),
        ("é", "/models/%C3%A9"),
    ],
)
def test_where_a_model_is_asked(model: str, path: str) -> None:
    request, _ = gemini_generate.request(acme(), model, HELLO)
    assert request.url == f"{BASE}{path}:streamGenerateContent?alt=sse"


def test_a_version_in_the_query() -> None:
    request, _ = gemini_generate.request(acme(api_version="2"), "x", HELLO)
    assert request.url == f"{BASE}/models/x:streamGenerateContent?api-version=2&alt=sse"


# Contents


def call(id: str, name: str, args: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"functionCall": {"id": id, "name": name, "args": args}, **more}


def result(id: str, name: str, response: dict[str, Any]) -> dict[str, Any]:
    return {"functionResponse": {"id": id, "name": name, "response": response}}


ASKED, ANSWERED = Message("user", "q"), Message("assistant", "a")
CONTENTS: dict[str, tuple[tuple[Message, ...], list[dict[str, Any]]]] = {
    "turns of one role are one": (
        (ASKED, Message("user", "r"), ANSWERED, Message("assistant", "b"), ASKED),
        [
            {"role": "user", "parts": [{"text": "q"}, {"text": "r"}]},
            {"role": "model", "parts": [{"text": "a"}, {"text": "b"}]},
            {"role": "user", "parts": [{"text": "q"}]},
        ],
    ),
    "nothing is said of empty words": ((ASKED, Message("assistant", "")), [{"role": "user", "parts": [{"text": "q"}]}]),
    "images and files": (
        (
            Message(
                "user",
                (
                    ImagePart("image/jpeg", "AA=="),
                    ImagePart(data="AA==", detail="auto"),
                    ImagePart(url="https://h/a"),
                    ImagePart("image/png", url="https://h/a.png"),
                    ImagePart(url="data:image/gif;base64,R0lG"),
                    FilePart("application/pdf", "AA=="),
                    FilePart("application/pdf", url="https://h/a.pdf"),
                ),
            ),
        ),
        [
            {
                "role": "user",
                "parts": [
                    {"inlineData": {"mimeType": "image/jpeg", "data": "AA=="}},
                    {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
                    {"fileData": {"fileUri": "https://h/a"}},
                    {"fileData": {"mimeType": "image/png", "fileUri": "https://h/a.png"}},
                    {"inlineData": {"mimeType": "image/gif", "data": "R0lG"}},
                    {"inlineData": {"mimeType": "application/pdf", "data": "AA=="}},
                    {"fileData": {"mimeType": "application/pdf", "fileUri": "https://h/a.pdf"}},
                ],
            }
        ],
    ),
    "calls and their results": (
        (
            ASKED,
            Message("assistant", (TextPart("a"), ToolCallPart("1", "f", {"x": 1}, signature="s"))),
            Message("tool", (ToolResultPart("1", "one"),)),
            Message("assistant", (ToolCallPart("1", "g", {}), ToolCallPart("2", "h", {}))),
            Message("user", (TextPart("and?"), ToolResultPart("1", "no", is_error=True))),
            Message("tool", (ToolResultPart("2", (TextPart("a"), ImagePart(data="AA=="), TextPart("b"))),)),
            Message("tool", (ToolResultPart("3", "lost"),)),
        ),
        [
            {"role": "user", "parts": [{"text": "q"}]},
            {"role": "model", "parts": [{"text": "a"}, call("1", "f", {"x": 1}, thoughtSignature="s")]},
            {"role": "user", "parts": [result("1", "f", {"result": "one"})]},
            {"role": "model", "parts": [call("1", "g", {}), call("2", "h", {})]},
            {
                "role": "user",
                "parts": [
                    result("1", "g", {"error": "no"}),
                    result("2", "h", {"result": "a\nb"}),
                    result("3", "3", {"result": "lost"}),
                    {"text": "and?"},
                    {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
                ],
            },
        ],
    ),
    "its own thoughts, sealed and not": (
        (
            ASKED,
            Message(
                "assistant",
                (
                    ReasoningPart("hm"),
                    ReasoningPart("well", "s1"),
                    TextPart("a"),
                    ReasoningPart("", "s2"),
                    ReasoningPart("so", "s3", {"thought": True}),
                    ReasoningPart(""),
                ),
                provider="acme",
            ),
        ),
        [
            {"role": "user", "parts": [{"text": "q"}]},
            {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True},
                    {"text": "well", "thought": True},
                    {"text": "", "thoughtSignature": "s1"},
                    {"text": "a"},
                    {"text": "", "thoughtSignature": "s2"},
                    {"text": "so", "thought": True, "thoughtSignature": "s3"},
                ],
            },
        ],
    ),
}


@each("case", CONTENTS)
def test_contents(case: str) -> None:
    messages, expected = CONTENTS[case]
    body, notices = asked(Conversation(messages))
    assert body == {"contents": expected}
    assert notices == []


def test_system_prompts() -> None:
    both, notices = asked(Conversation((Message("system", "b"), *HELLO.messages), system="a"))
    assert both["systemInstruction"] == {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}
    assert (both["contents"], notices) == ([HELLO_JSON], [])
    late, (notice,) = asked(Conversation((*HELLO.messages, Message("system", "b"))))
    assert late["systemInstruction"]["parts"] == [{"text": "b"}]
    assert notice == Notice(
        "system", "Gemini takes system prompts before the conversation only; one in its middle was moved."
    )


def test_a_conversation_without_a_word_is_not_sent() -> None:
    for messages in ((), (Message("system", "b"),), (Message("user", ""),)):
        with pytest.raises(BadRequest, match="nothing in the conversation that Acme could answer"):
            gemini_generate.request(acme(), "m", Conversation(messages))


LEFT_OUT: dict[str, tuple[Message, list[dict[str, Any]], str, str]] = {
    "another's reasoning": (Message("assistant", (ReasoningPart("hm", "s"),), "other"), [], "reasoning", "of others"),
    "a user's reasoning": (Message("user", (ReasoningPart("hm"),)), [], "reasoning", "of others"),
    "an odd seal": (
        Message("assistant", (ReasoningPart("hm", opaque={"x": 1}),)),
        [{"text": "hm", "thought": True}],
        "reasoning",
        "seal of this kind",
    ),
    "a mark without its seal": (
        Message("assistant", (ReasoningPart("hm", opaque={"thought": True}),)),
        [{"text": "hm", "thought": True}],
        "",
        "",
    ),
    "another's signature": (
        Message("assistant", (ToolCallPart("1", "f", {}, signature="s"),), "other"),
        [call("1", "f", {})],
        "toolCall",
        "its own signatures",
    ),
    "arguments that are none": (
        Message("assistant", (ToolCallPart("1", "f", {}, "{"),)),
        [call("1", "f", {})],
        "toolCall",
        "arguments of f were no JSON object",
    ),
    "a user's call": (Message("user", (ToolCallPart("1", "f", {}),)), [], "toolCall", "of role `user` was left out: f"),
    "a system's image": (Message("system", (ImagePart(url="https://h/a"),)), [], "image", "https://h/a was left out"),
    "how closely to look": (
        Message("user", (ImagePart(url="https://h/a", detail="low"),)),
        [{"fileData": {"fileUri": "https://h/a"}}],
        "image",
        "`low` was left out",
    ),
    "data and a URL": (
        Message("user", (ImagePart(data="AA==", url="https://h/a"),)),
        [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}],
        "image",
        "https://h/a was left out",
    ),
    "a file of no kind": (Message("user", (FilePart(data="AA==", name="a"),)), [], "file", "without a `mediaType`; a"),
    "a file's name": (
        Message("user", (FilePart("text/plain", "AA==", name="a.txt"),)),
        [{"inlineData": {"mimeType": "text/plain", "data": "AA=="}}],
        "file",
        "a.txt was sent without",
    ),
    "data and a URL of a file": (
        Message("user", (FilePart("text/plain", "AA==", "https://h/a"),)),
        [{"inlineData": {"mimeType": "text/plain", "data": "AA=="}}],
        "file",
        "https://h/a was left out",
    ),
    "a cache hint": (Message("user", "a", cache=True), [{"text": "a"}], "cache", "the hint was left out"),
}


@each("case", LEFT_OUT)
def test_what_can_not_be_carried_is_told(case: str) -> None:
    message, expected, about, words = LEFT_OUT[case]
    body, notices = asked(Conversation((*HELLO.messages, message, ANSWERED)))
    others = [piece for content in body["contents"] for piece in content["parts"]]
    assert others == [*HELLO_PARTS, *expected, {"text": "a"}]
    assert [notice.about for notice in notices] == ([about] if about else [])
    assert words in "".join(notice.text for notice in notices)


CALLS = Message("assistant", (ToolCallPart("1", "f", {}), ToolCallPart("2", "g", {})), "other")
RESULTS = Message("tool", (ToolResultPart("1", "one"), ToolResultPart("2", "two")))


@each(
    ("model", "messages", "signatures"),
    [
        ("gemini-2.5-pro", (ASKED, CALLS, RESULTS), [None, None]),
        ("gemini-3-pro-preview", (ASKED, CALLS, RESULTS), [UNSIGNED, None]),
        ("models/gemini-3-pro", (ASKED, CALLS, RESULTS), [UNSIGNED, None]),
        ("gemini-3-pro", (ASKED, CALLS, RESULTS, ANSWERED, ASKED), [None, None]),
        ("gemini-3-pro", (ASKED, CALLS, RESULTS, CALLS, RESULTS), [UNSIGNED, None, UNSIGNED, None]),
        ("gemini-3-pro", (CALLS, RESULTS), [UNSIGNED, None]),
        (
            "gemini-3-pro",
            (ASKED, Message("assistant", (ToolCallPart("1", "f", {}, signature="s"), *CALLS.parts)), RESULTS),
            ["s", None, None],
        ),
        (
            "gemini-3-pro",
            (ASKED, Message("assistant", (ToolCallPart("1", "f", {}, signature="s"),), "other"), RESULTS),
            [UNSIGNED],
        ),
    ],
)
def test_calls_that_another_made_are_signed_where_it_is_wanted(
    model: str, messages: tuple[Message, ...], signatures: list[str | None]
) -> None:
    body, notices = asked(Conversation(messages), model)
    pieces = [piece for content in body["contents"] for piece in content["parts"] if "functionCall" in piece]
    assert [piece.get("thoughtSignature") for piece in pieces] == signatures
    assert any("a stand-in was sent" in notice.text for notice in notices) is (UNSIGNED in signatures)


# What goes with them

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL = Tool("f", SCHEMA, "Does f.")
TOOLS_JSON = [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": SCHEMA, "description": "Does f."}]}]


def chooses(**config: Any) -> dict[str, Any]:
    return {"tools": TOOLS_JSON, "toolConfig": {"functionCallingConfig": config}}


def generates(**config: Any) -> dict[str, Any]:
    return {"generationConfig": config}


def answers(type: Any, schema: dict[str, Any] | None = None, name: str | None = None) -> dict[str, Any]:
    return {"options": Options(response_format=ResponseFormat(type, schema, name))}


FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "an empty system prompt": ({"system": ""}, {}, []),
    "tools": ({"tools": (TOOL,)}, {"tools": TOOLS_JSON}, []),
    "a tool without words": (
        {"tools": (Tool("f", {}, strict=False),)},
        {"tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {}}]}]},
        [],
    ),
    "a strict tool": ({"tools": (Tool("f", SCHEMA, "Does f.", strict=True),)}, {"tools": TOOLS_JSON}, ["tools"]),
    "any tool or none": ({"tools": (TOOL,), "tool_choice": "auto"}, chooses(mode="AUTO"), []),
    "any tool": ({"tools": (TOOL,), "tool_choice": "required"}, chooses(mode="ANY"), []),
    "no tool": ({"tools": (TOOL,), "tool_choice": "none"}, chooses(mode="NONE"), []),
    "a certain tool": (
        {"tools": (TOOL,), "tool_choice": NamedTool("f")},
        chooses(mode="ANY", allowedFunctionNames=["f"]),
        [],
    ),
    "a choice among no tools": ({"tool_choice": "required"}, {}, ["toolChoice"]),
    "options": (
        {"options": Options(0.0, 0.5, 100, ("x", "y"), 7, top_k=3, frequency_penalty=1.5, presence_penalty=-1)},
        generates(
            temperature=0.0,
            topP=0.5,
            topK=3,
            maxOutputTokens=100,
            stopSequences=["x", "y"],
            seed=7,
            frequencyPenalty=1.5,
            presencePenalty=-1,
        ),
        [],
    ),
    "several calls at once": ({"options": Options(parallel_tool_calls=True)}, {}, []),
    "one call at once": ({"options": Options(parallel_tool_calls=False)}, {}, ["parallelToolCalls"]),
    "the form of text": (answers("text"), generates(responseMimeType="text/plain"), []),
    "any JSON": (answers("json", {}), generates(responseMimeType="application/json"), ["responseFormat"]),
    "JSON that fits": (
        answers("jsonSchema", SCHEMA, "letter"),
        generates(responseMimeType="application/json", responseJsonSchema={"title": "letter"} | SCHEMA),
        [],
    ),
    "JSON that fits a schema with a title": (
        answers("jsonSchema", {"title": "T"}, "letter"),
        generates(responseMimeType="application/json", responseJsonSchema={"title": "T"}),
        ["responseFormat"],
    ),
    "JSON that fits no schema": (answers("jsonSchema"), generates(responseMimeType="application/json"), []),
}


@each("case", FIELDS)
def test_what_goes_with_the_contents(case: str) -> None:
    fields, expected, told = FIELDS[case]
    body, notices = asked(Conversation(HELLO.messages, **fields))
    assert body == {"contents": [HELLO_JSON]} | expected
    assert [notice.about for notice in notices] == told


SHOWN = {"includeThoughts": True}


@each(
    ("model", "effort", "expected", "words"),
    [
        ("gemini-2.5-pro", "low", {"thinkingBudget": 1024} | SHOWN, ""),
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}, ""),
        ("gemini-2.5-pro", "none", {"thinkingBudget": 128}, "always thinks; the least was asked for"),
        ("models/gemini-1.5-pro", "none", None, "does not think"),
        ("gemini-2.5-pro", "xhigh", {"thinkingBudget": 24576} | SHOWN, "`high` was asked for"),
        ("gemini-2.5-pro", "odd", None, "minimal, low, medium, high, max, xhigh; 'odd' was left out"),
        ("gemini-3-pro", "low", {"thinkingLevel": "LOW"} | SHOWN, ""),
        ("gemini-3-pro", "none", {"thinkingLevel": "LOW"}, "`low` was asked for"),
        ("gemini-3-pro-preview", "medium", {"thinkingLevel": "HIGH"} | SHOWN, "`high` was asked for"),
        ("gemini-3.1-pro-preview", "minimal", {"thinkingLevel": "LOW"} | SHOWN, "`low` was asked for"),
        ("gemini-3-flash", "none", {"thinkingLevel": "MINIMAL"}, "`minimal` was asked for"),
        ("gemini-3-pro", "max", {"thinkingLevel": "HIGH"} | SHOWN, "`high` was asked for"),
        ("gemini-3-pro", "odd", None, "'odd' was left out"),
    ],
)
def test_how_hard_to_think(model: str, effort: str, expected: dict[str, Any] | None, words: str) -> None:
    body, notices = asked(Conversation(HELLO.messages, options=Options(reasoning_effort=effort)), model)
    assert body.get("generationConfig", {}).get("thinkingConfig") == expected
    assert [notice.about for notice in notices] == (["reasoningEffort"] if words else [])
    assert words in "".join(notice.text for notice in notices)


def test_what_a_provider_does_differently() -> None:
    other = acme(quirks={"thinking_levels": ["big*"], "signed_calls": ["big*"]})
    options = Options(reasoning_effort="low")
    body, _ = asked(Conversation((ASKED, CALLS, RESULTS), options=options), "big-1", other)
    assert body["generationConfig"]["thinkingConfig"]["thinkingLevel"] == "LOW"
    assert body["contents"][1]["parts"][0]["thoughtSignature"] == UNSIGNED
    body, _ = asked(Conversation((ASKED, CALLS, RESULTS), options=options), "gemini-3-pro", other)
    assert body["generationConfig"]["thinkingConfig"]["thinkingBudget"] == 1024
    assert "thoughtSignature" not in body["contents"][1]["parts"][0]


# What is true of every conversation


@given(st.sampled_from(["gemini-2.5-pro", "gemini-3-pro"]), conversations)
def test_nothing_is_lost_in_silence(model: str, conversation: Conversation) -> None:
    try:
        request, notices = gemini_generate.request(acme(), model, conversation)
    except BadRequest:
        assume(False)
        raise
    assert lost(conversation, said_by("gemini-generate", request.body), notices) == []
    assert len(notices) == len(set(notices))
