"""Turns for Bedrock: messages as its JSON, and a notice for all that does not go into them."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.core.chat import (
    Conversation,
    FilePart,
    ImagePart,
    Message,
    NamedTool,
    Notice,
    ReasoningPart,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from pointsman.core.errors import BadRequest
from pointsman.wire import bedrock_converse
from tests.each import each
from tests.wire.bedrock_asked import (
    ANSWERED,
    ASKED,
    CACHE,
    HELLO,
    HELLO_JSON,
    LLAMA,
    NOVA,
    acme,
    asked,
)


def use(id: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": id, "name": name, "input": arguments}}


def result(id: str, *content: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": id, "content": list(content), **more}}


def image(format: str, data: str) -> dict[str, Any]:
    return {"image": {"format": format, "source": {"bytes": data}}}


def document(format: str, name: str) -> dict[str, Any]:
    return {"document": {"format": format, "name": name, "source": {"bytes": "AA=="}}}


TURNS: dict[str, tuple[tuple[Message, ...], list[dict[str, Any]]]] = {
    "turns of one role are one": (
        (ASKED, Message("user", "r"), ANSWERED, Message("assistant", (TextPart(" "), TextPart("b")))),
        [
            {"role": "user", "content": [{"text": "q"}, {"text": "r"}]},
            {"role": "assistant", "content": [{"text": "a"}, {"text": "b"}]},
        ],
    ),
    "images and files": (
        (
            Message(
                "user",
                (
                    ImagePart("image/jpeg", "AA=="),
                    ImagePart(data="AA=="),
                    ImagePart(url="data:image/gif;base64,R0lG"),
                    FilePart("application/pdf", "AA==", name="a (1)"),
                    FilePart("text/x-python; charset=utf-8", "AA=="),
                    FilePart("text/csv", "AA=="),
                    FilePart("image/webp", "AA=="),
                    TextPart("What is it?"),
                ),
            ),
        ),
        [
            {
                "role": "user",
                "content": [
                    image("jpeg", "AA=="),
                    image("png", "AA=="),
                    image("gif", "R0lG"),
                    document("pdf", "a (1)"),
                    document("txt", "document"),
                    document("csv", "document (2)"),
                    image("webp", "AA=="),
                    {"text": "What is it?"},
                ],
            }
        ],
    ),
    "calls and their results": (
        (
            ASKED,
            Message("assistant", (TextPart("a"), ToolCallPart("1", "f", {"x": 1}), ToolCallPart("2", "g", {}))),
            Message("user", (TextPart("and?"), ToolResultPart("1", "no", is_error=True))),
            Message("tool", (ToolResultPart("2", (TextPart("a"), ImagePart(data="AA=="))),), cache=True),
        ),
        [
            {"role": "user", "content": [{"text": "q"}]},
            {"role": "assistant", "content": [{"text": "a"}, use("1", "f", x=1), use("2", "g")]},
            {
                "role": "user",
                "content": [
                    result("1", {"text": "no"}, status="error"),
                    result("2", {"text": "a"}, image("png", "AA==")),
                    CACHE,
                    {"text": "and?"},
                ],
            },
        ],
    ),
    "its own thoughts": (
        (
            ASKED,
            Message(
                "assistant",
                (ReasoningPart("hm", "s"), ReasoningPart("", None, {"redactedContent": "AA=="}), TextPart("a")),
                provider="acme",
            ),
        ),
        [
            {"role": "user", "content": [{"text": "q"}]},
            {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
                    {"reasoningContent": {"redactedContent": "AA=="}},
                    {"text": "a"},
                ],
            },
        ],
    ),
    "a cache hint": (
        (Message("user", "q", cache=True), ANSWERED),
        [{"role": "user", "content": [{"text": "q"}, CACHE]}, {"role": "assistant", "content": [{"text": "a"}]}],
    ),
}


@each("case", TURNS)
def test_turns(case: str) -> None:
    messages, expected = TURNS[case]
    body, notices = asked(Conversation(messages))
    assert body["messages"] == expected
    assert [notice for notice in notices if notice.about != "tools"] == []


def test_system_prompts() -> None:
    early = (Message("system", "b", cache=True), *HELLO.messages)
    body, notices = asked(Conversation(early, system="a"))
    assert body == {"system": [{"text": "a"}, {"text": "b"}, CACHE], "messages": [HELLO_JSON]}
    assert notices == []
    late, (notice,) = asked(Conversation((*HELLO.messages, Message("system", "b")), system=" "))
    assert late == {"system": [{"text": "b"}], "messages": [HELLO_JSON]}
    assert (notice.about, "in its middle was moved" in notice.text) == ("system", True)


def test_only_so_much_is_cached() -> None:
    asked_often = (Message("user", "q", cache=True), Message("assistant", "a", cache=True)) * 3
    hints = (Message("system", "s", cache=True), *asked_often[:5])
    body, (notice,) = asked(Conversation(hints))
    assert body["system"] == [{"text": "s"}]
    kept = [CACHE in message["content"] for message in body["messages"]]
    assert kept == [False, True, True, True, True]
    assert notice == Notice("cache", "Bedrock takes 4 cache hints; the earlier ones were left out.")


@each("messages", [(), (ANSWERED, ASKED), (Message("system", "s"),), (Message("user", " "),)])
def test_a_conversation_begins_with_the_user(messages: tuple[Message, ...]) -> None:
    with pytest.raises(BadRequest, match="Acme wants a conversation to begin with a message of the user"):
        bedrock_converse.request(acme(), NOVA, Conversation(messages))


def test_names_of_tools_that_are_refused() -> None:
    called = Message("assistant", (ToolCallPart("1", "mcp.x", {}),))
    for conversation in (
        Conversation((ASKED, called)),
        Conversation((ASKED,), tools=(Tool("mcp.x", {}),)),
        Conversation((ASKED,), tools=(Tool("f", {}),), tool_choice=NamedTool("mcp.x")),
    ):
        with pytest.raises(BadRequest, match=r"Acme takes no tool of the name 'mcp\.x'"):
            bedrock_converse.request(acme(), NOVA, conversation)


LEFT_OUT: dict[str, tuple[Message, list[dict[str, Any]], str, str]] = {
    "another's reasoning": (
        Message("assistant", (ReasoningPart("hm", "s"),), "other"),
        [],
        "reasoning",
        "that it sealed itself",
    ),
    "reasoning without a seal": (Message("assistant", (ReasoningPart("hm"),)), [], "reasoning", "sealed itself"),
    "an odd seal": (
        Message("assistant", (ReasoningPart("hm", "s", {"x": 1}),)),
        [{"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}],
        "reasoning",
        "sealed itself",
    ),
    "a user's reasoning": (Message("user", (ReasoningPart("hm"),)), [], "reasoning", "of role `user`"),
    "a user's call": (Message("user", (ToolCallPart("1", "f", {}),)), [], "toolCall", "`user`; f was left out"),
    "a signature of a call": (
        Message("assistant", (ToolCallPart("1", "f", {}, signature="s"),)),
        [use("1", "f")],
        "toolCall",
        "no signatures of tool calls",
    ),
    "arguments that are none": (
        Message("assistant", (ToolCallPart("1", "f", {}, "{"),)),
        [use("1", "f")],
        "toolCall",
        "arguments of f were no JSON object",
    ),
    "an id that is refused": (
        Message("assistant", (ToolCallPart("a|b", "f", {}),)),
        [use("a_b", "f")],
        "toolCall",
        "a|b was sent as a_b",
    ),
    "an answer's image": (Message("assistant", (ImagePart(data="AA=="),)), [], "image", "`assistant`; the image was"),
    "an image by URL": (Message("user", (ImagePart(url="https://h/a"),)), [], "image", "https://h/a was left out"),
    "an image of another kind": (Message("user", (ImagePart("image/x", "AA=="),)), [], "image", "an image of image/x"),
    "data and a URL": (
        Message("user", (ImagePart(data="AA==", url="https://h/a"),)),
        [image("png", "AA==")],
        "image",
        "https://h/a was left out",
    ),
    "how closely to look": (
        Message("user", (ImagePart(data="AA==", detail="low"),)),
        [image("png", "AA==")],
        "image",
        "`detail` was left out",
    ),
    "a file by URL": (Message("user", (FilePart(url="https://h/a"),)), [], "file", "https://h/a was left out"),
    "a file of no kind": (Message("user", (FilePart(data="AA=="),)), [], "file", "(of no `mediaType`) was left out"),
    "a file of another kind": (Message("user", (FilePart("a/b", "AA=="),)), [], "file", "(a/b) was left out"),
    "a file's data and URL": (
        Message("user", (FilePart("text/html", "AA==", "https://h/a"),)),
        [document("html", "document")],
        "file",
        "https://h/a was left out",
    ),
    "a name of an image": (
        Message("user", (FilePart("image/png", "AA==", name="a.png"),)),
        [image("png", "AA==")],
        "file",
        "a.png was sent without",
    ),
    "a name that is refused": (
        Message("user", (FilePart("text/markdown", "AA==", name="a.b  c.md"),)),
        [document("md", "a-b -c-md")],
        "file",
        "a.b  c.md was sent as a-b -c-md",
    ),
    "a cache hint for nothing": (Message("user", " ", cache=True), [], "cache", "the message is empty"),
}


@each("case", LEFT_OUT)
def test_what_can_not_be_carried_is_told(case: str) -> None:
    message, expected, about, words = LEFT_OUT[case]
    body, notices = asked(Conversation((*HELLO.messages, message, Message("user", "?")), tools=(Tool("f", {}),)))
    sent = [block for turn in body["messages"] for block in turn["content"]]
    assert sent == [{"text": "Hello!"}, *expected, {"text": "?"}]
    assert [notice.about for notice in notices] == [about]
    assert words in notices[0].text


def test_a_file_by_url_is_told_of_with_all_its_names() -> None:
    _, notices = asked(Conversation((Message("user", (TextPart("q"), FilePart(url="https://h/a", name="n"))),)))
    assert [words in notice.text for words, notice in zip(("n was", "https://h/a was"), notices, strict=True)] == [
        True,
        True,
    ]


def test_a_model_without_a_cache() -> None:
    body, (notice,) = asked(Conversation((Message("user", "q", cache=True),)), LLAMA)
    assert body["messages"] == [{"role": "user", "content": [{"text": "q"}]}]
    assert (notice.about, "this model has no cache" in notice.text) == ("cache", True)


def test_a_file_does_not_stand_without_words() -> None:
    file = FilePart("application/pdf", "AA==", name="a")
    body, (notice,) = asked(Conversation((Message("user", (ImagePart(data="AA=="), file)),)))
    content = [image("png", "AA=="), {"text": "a"}, document("pdf", "a")]
    assert body["messages"] == [{"role": "user", "content": content}]
    assert (notice.about, "only beside text" in notice.text) == ("file", True)
