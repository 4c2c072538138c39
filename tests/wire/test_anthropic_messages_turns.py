"""Turns of the Messages API: what becomes of messages and their parts, and a notice for what does not go into them."""

from __future__ import annotations

import base64
from typing import Any

from pointsman.core.chat import (
    Conversation,
    FilePart,
    ImagePart,
    Message,
    Options,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from tests.each import each
from tests.wire.anthropic_blocks import HELLO, HELLO_JSON, acme, asked, assistant, document, image, url, user, words

CALL = ToolCallPart("t1", "f", {"a": "é"})
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": "é"}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "one"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "AA=="}
REDACTED = {"type": "redacted_thinking", "data": "EncR"}


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


MESSAGES: dict[str, tuple[tuple[Message, ...], list[dict[str, Any]]]] = {
    "parts of text": ((Message("user", (TextPart("a"), TextPart("b"))),), [user(words("a"), words("b"))]),
    "blank text": ((Message("user", (TextPart("a"), TextPart(""), TextPart(" \n"))),), [user(words("a"))]),
    "turns of one role": (
        (
            Message("user", "a"),
            Message("user", "b"),
            Message("assistant", "c"),
            Message("assistant", ""),
            Message("user", "d"),
        ),
        [user(words("a"), words("b")), assistant(words("c")), user(words("d"))],
    ),
    "an answer to go on with": (
        (Message("user", "a"), Message("assistant", "b")),
        [user(words("a")), assistant(words("b"))],
    ),
    "calls and their results": (
        (
            Message("assistant", (TextPart("t"), CALL, ToolCallPart("t2", "g", {}))),
            Message("tool", (ToolResultPart("t2", (TextPart("x"), ImagePart("image/png", "BB=="))),)),
            Message("user", "and?"),
            Message("tool", (ToolResultPart("t1", "one"),)),
        ),
        [
            assistant(words("t"), USE, {"type": "tool_use", "id": "t2", "name": "g", "input": {}}),
            user(
                {"type": "tool_result", "tool_use_id": "t2", "content": [words("x"), image("image/png", "BB==")]},
                RESULT,
                words("and?"),
            ),
        ],
    ),
    "a failure": (
        (Message("user", (ToolResultPart("t1", "one", is_error=True),)),),
        [user(RESULT | {"is_error": True})],
    ),
    "a result within an answer": (
        (Message("assistant", (CALL, ToolResultPart("t1", "one"))), Message("assistant", "a")),
        [assistant(USE), user(RESULT), assistant(words("a"))],
    ),
    "images": (
        (Message("user", (ImagePart("image/gif", "AA=="), ImagePart(url="https://h/i.png"))),),
        [user(image("image/gif", "AA=="), url("image", "https://h/i.png"))],
    ),
    "images of a kind that has to be seen": (
        (Message("user", tuple(ImagePart(data=d) for d in ("/9j/4A", "iVBORw", "R0lGODlh", "UklGRg", "AA=="))),),
        [
            user(
                image("image/jpeg", "/9j/4A"),
                image("image/png", "iVBORw"),
                image("image/gif", "R0lGODlh"),
                image("image/webp", "UklGRg"),
                image("image/png", "AA=="),
            )
        ],
    ),
    "data in URLs": (
        (
            Message(
                "user",
                (
                    ImagePart(url="data:image/webp;base64,AA=="),
                    FilePart(url="data:text/plain;charset=utf-8;base64,aGk="),
                    FilePart(url="data:;base64,JVBERi0A"),
                    ImagePart(url="data:,x"),
                ),
            ),
        ),
        [
            user(
                image("image/webp", "AA=="),
                document("hi"),
                {"type": "document", "source": PDF | {"data": "JVBERi0A"}},
                url("image", "data:,x"),
            )
        ],
    ),
    "documents": (
        (
            Message(
                "user",
                (
                    FilePart("application/pdf", "AA==", name="a.pdf"),
                    FilePart(data="JVBERi0A"),
                    FilePart(url="https://h/a.pdf"),
                    FilePart("text/plain", in_base64("é"), name="a.txt"),
                    FilePart(data=in_base64("hi")),
                    FilePart("image/png", "AA=="),
                    FilePart("image/png", url="https://h/i"),
                ),
            ),
        ),
        [
            user(
                {"type": "document", "source": PDF, "title": "a.pdf"},
                {"type": "document", "source": PDF | {"data": "JVBERi0A"}},
                url("document", "https://h/a.pdf"),
                document("é") | {"title": "a.txt"},
                document("hi"),
                image("image/png", "AA=="),
                url("image", "https://h/i"),
            )
        ],
    ),
    "a document in an answer": (
        (Message("assistant", (FilePart(url="https://h/a.pdf"),)),),
        [assistant(url("document", "https://h/a.pdf"))],
    ),
    "thoughts": (
        (
            Message(
                "assistant", (ReasoningPart("hm", "c2ln"), ReasoningPart("", opaque=REDACTED), CALL), provider="acme"
            ),
            Message("assistant", (ReasoningPart("", "s2"), ReasoningPart("", None))),
        ),
        [
            assistant(
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                REDACTED,
                USE,
                {"type": "thinking", "thinking": "", "signature": "s2"},
            )
        ],
    ),
}


@each("case", MESSAGES)
def test_messages(case: str) -> None:
    messages, expected = MESSAGES[case]
    body, notices = asked(Conversation(messages))
    assert body["messages"] == expected
    assert [notice for notice in notices if "mediaType" not in notice.text] == []


TOLD: dict[str, tuple[str, Part, list[dict[str, Any]], str, str]] = {
    "an image in an answer": ("assistant", ImagePart(url="https://h/i"), [], "image", "https://h/i was left out"),
    "an image in a system prompt": ("system", ImagePart(url="https://h/i"), [], "image", "role `system`"),
    "a call by a user": ("user", CALL, [], "toolCall", "f was left out"),
    "a thought of a user": ("user", ReasoningPart("hm", "s"), [], "reasoning", "role `user`"),
    "an image of another kind": ("user", ImagePart("image/svg+xml", "AA=="), [], "image", "image/svg+xml was left out"),
    "a file of another kind": ("user", FilePart("application/zip", "/w==", name="a.zip"), [], "file", "a.zip"),
    "a text that is none": ("user", FilePart("text/plain", "?"), [], "file", "one (text/plain) was left out"),
    "a text by URL": ("user", FilePart("text/csv", url="https://h/a"), [], "file", "https://h/a (text/csv)"),
    "a kind of text": (
        "user",
        FilePart("text/csv", in_base64("a,b"), name="a.csv"),
        [user(document("a,b") | {"title": "a.csv"})],
        "file",
        "a.csv was sent so, not as text/csv",
    ),
    "a name of an image": (
        "user",
        FilePart("image/png", "AA==", name="a.png"),
        [user(image("image/png", "AA=="))],
        "file",
        "a.png was sent without",
    ),
    "how closely to look": (
        "user",
        ImagePart("image/png", "AA==", detail="low"),
        [user(image("image/png", "AA=="))],
        "image",
        "`detail`",
    ),
    "a thought that nobody signed": ("assistant", ReasoningPart("hm"), [], "reasoning", "left out"),
    "what is opaque in another way": ("assistant", ReasoningPart("", opaque=[{"type": "x"}]), [], "reasoning", "left"),
    "text of what was encrypted": (
        "assistant",
        ReasoningPart("hm", opaque=REDACTED),
        [assistant(REDACTED)],
        "reasoning",
        "left out",
    ),
    "arguments that are none": (
        "assistant",
        ToolCallPart("t1", "f", {}, invalid_arguments='{"a":'),
        [assistant(USE | {"input": {}})],
        "toolCall",
        "The arguments of f were no JSON object",
    ),
    "a signature of a call": (
        "assistant",
        ToolCallPart("t1", "f", {"a": "é"}, signature="s"),
        [assistant(USE)],
        "toolCall",
        "no signatures of tool calls",
    ),
    "an id with other characters": (
        "assistant",
        ToolCallPart("f.t:0", "f", {"a": "é"}),
        [assistant(USE | {"id": "f_t_0"})],
        "toolCall",
        "'f.t:0' was sent as 'f_t_0'",
    ),
    "space at the end": ("assistant", TextPart("so "), [assistant(words("so"))], "text", "white space"),
}


@each("case", TOLD)
def test_what_can_not_be_carried_is_told(case: str) -> None:
    role, part, expected, about, said = TOLD[case]
    before = () if expected and expected[0]["role"] == "user" else HELLO.messages
    body, (notice,) = asked(Conversation((*before, Message(role, (part,)))))  # type: ignore[arg-type]
    assert body["messages"] == [HELLO_JSON] * len(before) + expected
    assert notice.about == about
    assert said in notice.text
    assert len(notice.text) < 500


def test_thoughts_of_somebody_else_stay_here() -> None:
    thought = Message("assistant", (ReasoningPart("hm", "s"), TextPart("a")), provider="other")
    body, (notice,) = asked(Conversation((*HELLO.messages, thought)))
    assert body["messages"] == [HELLO_JSON, assistant(words("a"))]
    assert notice.about == "reasoning"


def test_ids_that_begin_anew_in_each_answer_are_told_apart() -> None:
    turn = (
        Message("assistant", (ToolCallPart("call_0", "f", {}),)),
        Message("tool", (ToolResultPart("call_0", "a"),)),
    )
    body, (notice,) = asked(Conversation((*turn, *turn)))
    called = [turn["content"][0].get("id") or turn["content"][0]["tool_use_id"] for turn in body["messages"]]
    assert called[0] == called[1] == "call_0"
    assert called[2] == called[3] != "call_0"
    assert notice.about == "toolCall"


def test_from_version_2026_10_21_on_less_is_taken() -> None:
    messages = (*HELLO.messages, Message("assistant", (FilePart(url="https://h/a.pdf"), TextPart("a"))))
    options = Options(temperature=1.0, top_p=1.0, top_k=5)
    body, notices = asked(Conversation(messages, options=options), provider=acme(api_version="2026-10-21"))
    assert body["messages"] == [HELLO_JSON, assistant(words("a"))]
    assert not {"temperature", "top_p", "top_k"} & body.keys()
    assert [notice.about for notice in notices] == ["file", "temperature", "topP", "topK"]


# System prompts

SYSTEM = {"type": "ephemeral"}
SYSTEMS: dict[str, tuple[Conversation, Any, list[str]]] = {
    "one": (Conversation(HELLO.messages, system="s"), "s", []),
    "blank": (Conversation(HELLO.messages, system=" "), None, []),
    "one among the messages": (Conversation((Message("system", "s"), *HELLO.messages)), "s", []),
    "two": (Conversation((Message("system", "b"), *HELLO.messages), system="a"), [words("a"), words("b")], []),
    "one in the middle": (
        Conversation((*HELLO.messages, Message("system", "b"), Message("user", "c")), system="a"),
        [words("a"), words("b")],
        ["system"],
    ),
    "one to be cached": (
        Conversation((Message("system", "s", cache=True), *HELLO.messages)),
        [words("s") | {"cache_control": SYSTEM}],
        [],
    ),
}


@each("case", SYSTEMS)
def test_system_prompts(case: str) -> None:
    conversation, expected, told = SYSTEMS[case]
    body, notices = asked(conversation)
    assert body.get("system") == expected
    assert [notice.about for notice in notices] == told
    assert body["messages"][0]["content"][0] == words("Hello!")


# What is to be cached


def test_a_hint_marks_the_last_block_of_its_message() -> None:
    messages = (
        Message("user", (TextPart("a"), TextPart("b"), TextPart(""))),
        Message("assistant", (TextPart("c"), ReasoningPart("hm", "s")), cache=True),
        Message("user", "d", cache=True),
    )
    body, notices = asked(Conversation(messages))
    marked = [b for turn in body["messages"] for b in turn["content"] if b.get("cache_control") == SYSTEM]
    assert [block["text"] for block in marked] == ["c", "d"]
    assert notices == []


def test_the_latest_four_hints_count_and_the_others_are_told() -> None:
    messages = tuple(Message("user", str(n), cache=True) for n in range(6))
    body, (notice,) = asked(Conversation(messages))
    marked = [block["text"] for block in body["messages"][0]["content"] if "cache_control" in block]
    assert marked == ["2", "3", "4", "5"]
    assert notice.about == "cache"


def test_a_hint_at_nothing_is_told() -> None:
    thought = Message("assistant", (ReasoningPart("hm", "s"),), cache=True)
    _, notices = asked(Conversation((*HELLO.messages, Message("user", "", cache=True), thought)))
    assert {notice.about for notice in notices} == {"cache"}
