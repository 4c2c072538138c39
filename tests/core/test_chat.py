"""The values of a chat: their form on the wire, and pieces that arrive together joined and cut."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core import chat
from pointsman.core.chat import (
    LONGEST_PIECE,
    AttemptFailed,
    Conversation,
    Cost,
    ErrorSeen,
    Event,
    FilePart,
    Finished,
    ImagePart,
    Message,
    NamedTool,
    Notice,
    Options,
    Part,
    Reading,
    ReasoningDelta,
    ReasoningPart,
    ResponseFormat,
    Started,
    StopSeen,
    TextDelta,
    TextPart,
    Tool,
    ToolCallDelta,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    Usage,
    UsageReport,
    Waiting,
    coalesce,
)
from pointsman.core.errors import BadReply, Overloaded
from tests.each import each

USAGE = Usage(3, 4, exact=False)
ERROR = Overloaded("o", "a")
ERROR_JSON = {"code": "Overloaded", "message": "o", "advice": "a", "retryable": True}

ON_THE_WIRE: list[tuple[Event | Part | Message | Tool | Options | NamedTool, Any]] = [
    (Started("m", "p"), {"type": "started", "model": "m", "provider": "p"}),
    (TextDelta(""), {"type": "text", "text": ""}),
    (ReasoningDelta("r"), {"type": "reasoning", "text": "r"}),
    (ToolCallDelta(0, ""), {"type": "toolCall", "index": 0, "arguments": ""}),
    (ToolCallDelta(1, "{", "i", "n"), {"type": "toolCall", "index": 1, "arguments": "{", "id": "i", "name": "n"}),
    (AttemptFailed("m", ERROR.data(), "n"), {"type": "attemptFailed", "model": "m", "error": ERROR_JSON, "next": "n"}),
    (Notice("a", "t"), {"type": "notice", "about": "a", "text": "t"}),
    (Waiting(2.0), {"type": "waiting", "seconds": 2.0}),
    (Waiting(2.0, 3, "Acme"), {"type": "waiting", "seconds": 2.0, "place": 3, "queue": "Acme"}),
    (
        UsageReport(USAGE, Cost(0.5, exact=True, source="p")),
        {
            "type": "usage",
            "usage": {"inputTokens": 3, "outputTokens": 4, "exact": False},
            "cost": {"usd": 0.5, "exact": True, "source": "p"},
        },
    ),
    (Finished("end"), {"type": "finished", "reason": "end"}),
    (Finished("error", ERROR.data()), {"type": "finished", "reason": "error", "error": ERROR_JSON}),
    (Finished("interrupted", None, ("p:m",)), {"type": "finished", "reason": "interrupted", "resume": ["p:m"]}),
    (TextPart("t"), {"type": "text", "text": "t"}),
    (ImagePart("image/png", "AA=="), {"type": "image", "mediaType": "image/png", "data": "AA=="}),
    (FilePart(url="u", name="n"), {"type": "file", "url": "u", "name": "n"}),
    (ReasoningPart("r", "s"), {"type": "reasoning", "text": "r", "signature": "s"}),
    (ToolCallPart("i", "n", {}), {"type": "toolCall", "id": "i", "name": "n", "arguments": {}}),
    (
        ToolResultPart("i", (TextPart("t"),), is_error=True),
        {"type": "toolResult", "toolCallId": "i", "content": [{"type": "text", "text": "t"}], "isError": True},
    ),
    (Message("user", "t"), {"role": "user", "content": "t"}),
    (Tool("n", {}), {"name": "n", "parameters": {}}),
    (Options(), {}),
    (
        Options(max_output_tokens=5, response_format=ResponseFormat("jsonSchema", {})),
        {"maxOutputTokens": 5, "responseFormat": {"type": "jsonSchema", "schema": {}}},
    ),
]


@each(("value", "form"), ON_THE_WIRE)
def test_a_value_has_the_form_that_clients_rely_on(value: Any, form: dict[str, Any]) -> None:
    encoded = msgspec.json.encode(value)
    assert json.loads(encoded) == form
    kind = Event if isinstance(value, Event) else Part if isinstance(value, Part) else type(value)
    assert msgspec.json.decode(encoded, type=kind) == value


def test_every_event_and_part_is_in_the_table() -> None:
    shown = {type(value) for value, _ in ON_THE_WIRE}
    assert {*Event.__args__, *Part.__args__} <= shown


@each(
    ("form", "kind"),
    [
        ({"role": "robot", "content": ""}, Message),
        ({"role": "user", "content": [{"type": "video"}]}, Message),
        ({"type": "toolCall", "id": "i", "name": "n", "arguments": "{}"}, ToolCallPart),
        ({"temperature": -1}, Options),
        ({"topP": 1.5}, Options),
        ({"maxOutputTokens": 0}, Options),
        ("sometimes", ToolChoice),
    ],
)
def test_what_does_not_fit_is_refused(form: Any, kind: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(form, kind)


def test_a_string_stands_for_one_part_of_text() -> None:
    assert Message("user", "t").parts == (TextPart("t"),)
    assert Message("user", (TextPart("t"), TextPart("u"))).parts == (TextPart("t"), TextPart("u"))


@each(
    ("messages", "title"),
    [
        ((), ""),
        ((Message("assistant", "no"),), ""),
        ((Message("user", "one"), Message("user", (TextPart("two\n  three"), TextPart("four")))), "two three"),
        ((Message("user", "one"), Message("user", (ImagePart(url="u"),)), Message("assistant", "no")), "one"),
        ((Message("user", "x" * 100),), "x" * 80),
    ],
)
def test_the_title_of_a_conversation(messages: tuple[Message, ...], title: str) -> None:
    assert Conversation(messages).title == title


RESULT = ToolResultPart("i", "done")


@each(
    ("message", "words"),
    [
        (Message("tool", (RESULT, RESULT)), None),
        (Message("user", (RESULT, TextPart("t"))), None),
        (Message("user", (ImagePart(url="u"), FilePart(data="AA=="))), None),
        (Message("tool", "text"), "role `tool`"),
        (Message("tool", (RESULT, TextPart("t"))), "role `tool`"),
        (Message("user", (ImagePart("image/png"),)), "neither `data` nor a `url`"),
        (Message("user", (FilePart(name="n"),)), "neither `data` nor a `url`"),
    ],
)
def test_a_conversation_that_nobody_can_answer(message: Message, words: str | None) -> None:
    mistake = Conversation((Message("user", "fine"), message)).mistake
    assert mistake == words or (mistake and words and words in mistake)


def test_which_options_were_given() -> None:
    assert Options().given == []
    assert Options(temperature=0.0, max_output_tokens=5, stop=()).given == ["temperature", "maxOutputTokens", "stop"]


# Joining and cutting

L = LONGEST_PIECE
T, R, C = TextDelta, ReasoningDelta, ToolCallDelta

JOINED: dict[str, tuple[list[Reading], list[Reading]]] = {
    "nothing": ([], []),
    "one piece": ([T("a")], [T("a")]),
    "neighbours": ([T("a"), T("b"), R("c"), R("d"), T("e")], [T("ab"), R("cd"), T("e")]),
    "parted by something else": ([T("a"), Notice("n", ""), T("b")], [T("a"), Notice("n", ""), T("b")]),
    "calls are not joined": ([C(0, "a"), C(0, "b")], [C(0, "a"), C(0, "b")]),
    "text before an end": ([T("a"), T("b"), StopSeen("end")], [T("ab"), StopSeen("end")]),
    "as long as may be": ([T("a" * L)], [T("a" * L)]),
    "too long": ([T("a" * L), T("b")], [T("a" * L), T("b")]),
    "much too long": ([R("a" * (2 * L + 1))], [R("a" * L), R("a" * L), R("a")]),
    "a long call": ([C(2, "a" * (L + 1), "i", "n")], [C(2, "a" * L, "i", "n"), C(2, "a")]),
    "a call without arguments": ([C(0, "", "i", "n")], [C(0, "", "i", "n")]),
}


@each("case", JOINED)
def test_what_arrives_together_is_joined(case: str) -> None:
    readings, expected = JOINED[case]
    assert coalesce(readings) == expected


def atoms(readings: Sequence[Reading]) -> Iterator[object]:
    """What readings say, character by character: what joining and cutting must not change."""
    for reading in readings:
        match reading:
            case TextDelta(text) | ReasoningDelta(text):
                yield from ((type(reading), letter) for letter in text)
            case ToolCallDelta(index, arguments, id, name):
                if id or name:
                    yield (index, id, name)
                yield from ((index, letter) for letter in arguments)
            case _:
                yield reading


texts = st.text(max_size=12)
readings = st.lists(
    st.builds(TextDelta, texts)
    | st.builds(ReasoningDelta, texts)
    | st.builds(ToolCallDelta, st.integers(0, 2), texts, st.sampled_from([None, "id"]), st.sampled_from([None, "name"]))
    | st.sampled_from([Notice("n", "t"), UsageReport(USAGE), StopSeen("end"), ErrorSeen(BadReply("b"))]),
    max_size=8,
)


@settings(deadline=None)
@given(readings)
def test_joining_loses_nothing_and_keeps_the_order(before: list[Reading]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chat, "LONGEST_PIECE", 4)
        joined = coalesce(before)
        assert coalesce(joined) == joined
    assert list(atoms(joined)) == list(atoms(before))
    for reading in joined:
        assert len(getattr(reading, "text", "")) <= 4
        assert len(getattr(reading, "arguments", "")) <= 4
    for one, next in pairwise(joined):
        if isinstance(one, TextDelta | ReasoningDelta) and type(one) is type(next):
            assert len(one.text) == 4, "only what is as long as may be is followed by more of its kind"
