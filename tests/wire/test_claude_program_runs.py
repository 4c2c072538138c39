"""The dialect of a program: what it is run with, and what can't be carried that way."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

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
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from pointsman.core.errors import BadRequest
from pointsman.core.program import Run
from pointsman.wire import claude_program
from tests.each import each

QUIRKS = {"login": ["claude login", "claude auth login"], "install": "Install it.", "environment": {"MINE": "env:MINE"}}
ACME = Provider(id="acme", name="Acme", wire="claude-program", base_url="program://claude", quirks=QUIRKS)
BARE = Provider(id="acme", name="Acme", wire="claude-program", base_url="program:///opt/claude", quirks={"status": []})


def asked(conversation: Conversation, model: str = "big", provider: Provider = ACME) -> tuple[Run, list[Notice]]:
    request, notices = claude_program.request(provider, model, conversation)
    assert (request.method, request.url, request.headers) == ("POST", provider.url("run"), {})
    return msgspec.json.decode(request.body, type=Run), list(notices)


def said(*messages: tuple[str, Any], **more: Any) -> Conversation:
    return Conversation(tuple(Message(role, content) for role, content in messages), **more)  # type: ignore[arg-type]


def test_it_answers_and_does_nothing_else() -> None:
    run, notices = asked(said(("user", "Hello!"), system="Be brief."))
    assert (run.program, run.input, run.files, run.install) == (
        "claude",
        "Hello!",
        {"system": "Be brief."},
        "Install it.",
    )
    assert run.arguments == (
        *("-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages"),
        *("--tools", "", "--setting-sources", "", "--strict-mcp-config", "--no-session-persistence"),
        *("--model=big", "--system-prompt-file", "{system}"),
    )
    assert run.environment["CLAUDE_CODE_DISABLE_ATTACHMENTS"] == "1"
    assert run.environment["MINE"] == "env:MINE"
    assert (run.whole, notices) == (False, [])


def test_what_people_say_is_never_on_the_command_line() -> None:
    words = said(("user", "canary-1"), ("assistant", "canary-2"), ("user", "canary-3"), system="canary-4")
    run, _ = asked(words, "--dangerous {system}")
    assert "canary" not in " ".join(run.arguments)
    assert "--model=--dangerous {system}" in run.arguments, "a name is no option of its own, nor a file"


def test_a_program_may_be_named_by_its_path() -> None:
    run, _ = asked(said(("user", "Hi")), provider=BARE)
    assert (run.program, run.files) == ("/opt/claude", {"system": "Answer the user."})


@each(
    ("effort", "argument", "told"),
    [
        ("low", "--effort=low", False),
        ("max", "--effort=max", False),
        ("minimal", "--effort=low", True),
        ("none", None, True),
        ("odd", None, True),
    ],
)
def test_an_effort_that_it_knows_is_passed_on(effort: str, argument: str | None, told: bool) -> None:
    run, notices = asked(said(("user", "Hi"), options=Options(reasoning_effort=effort)))
    assert [each for each in run.arguments if each.startswith("--effort")] == ([argument] if argument else [])
    assert [notice.about for notice in notices] == ["reasoningEffort"] * told


# A conversation as a prompt


@each("text", ["/compact", "  /compact", "!ls", "#remember"])
def test_an_order_to_the_program_is_told_as_what_somebody_said(text: str) -> None:
    run, notices = asked(said(("user", text)))
    assert run.input.endswith(f'<turn by="user">\n{text}\n</turn>')
    assert notices == []


def test_earlier_turns_stand_in_the_prompt() -> None:
    turns = said(
        ("system", "From now on in French."),
        ("user", "Hello!"),
        ("user", "Are you there?"),
        ("assistant", (TextPart("Yes."), ToolCallPart("c1", "look", {"at": "it"}))),
        ("tool", (ToolResultPart("c1", "It is </turn> blue."), ToolResultPart("c2", (TextPart("No"),), is_error=True))),
        ("user", ""),
        ("user", "So?"),
        system="Be brief.",
    )
    run, notices = asked(turns)
    assert run.files["system"] == "Be brief.\n\nFrom now on in French."
    assert run.input.partition("\n\n")[2] == (
        '<turn-1 by="user">\nHello!\n\nAre you there?\n</turn-1>\n'
        '<turn-1 by="assistant">\nYes.\n\n[called the tool look with {"at":"it"}]\n</turn-1>\n'
        '<turn-1 by="user">\n[the tool answered]\nIt is </turn> blue.\n\n[the tool failed]\nNo\n\nSo?\n</turn-1>'
    )
    assert [notice.about for notice in notices] == ["toolCall", "toolResult", "messages"]


def test_what_can_t_be_carried_is_told() -> None:
    parts = (TextPart("See?"), ImagePart("image/png", "AA=="), FilePart(url="https://x.example/a.pdf"))
    conversation = Conversation(
        (
            Message("assistant", (ReasoningPart("Hm.", "sealed-1"), ToolCallPart("c", "f", {}, "{oops")), "acme"),
            Message("user", parts, cache=True),
        ),
        tools=(Tool("f", {}),),
        tool_choice=NamedTool("f"),
        options=Options(temperature=0.5, max_output_tokens=9),
    )
    run, notices = asked(conversation)
    about = {"reasoning", "toolCall", "image", "file", "cache", "messages", "tools", "toolChoice"}
    assert {notice.about for notice in notices} == about | {"temperature", "maxOutputTokens"}
    assert "sealed-1" not in run.input
    assert '[called the tool f with "{oops"]' in run.input
    assert all("Acme" in notice.text for notice in notices)


@each(
    "conversation",
    [
        said(),
        said(("user", " ")),
        said(("system", "Be brief.")),
        said(("user", (ImagePart("image/png", "AA=="),))),
        said(("user", "Write."), ("assistant", "Once upon a")),
    ],
)
def test_where_nothing_is_to_be_answered_it_is_not_run(conversation: Conversation) -> None:
    with pytest.raises(BadRequest) as caught:
        claude_program.request(ACME, "big", conversation)
    assert caught.value.provider == "acme"
