"""What a chat came to, as it goes over the wire: what is not known is not said, what is null means something."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Struct

from pointsman.core.chat import Message, Usage
from pointsman.core.errors import ErrorData
from pointsman.core.receipt import Attempt, ChatResult, ChatSummary, Timing, chat_failure, route_taken
from pointsman.core.routing import Plan, Route, Target
from pointsman.core.trial import Step
from tests.each import each

RESULT = ChatResult(
    chat_id="c",
    stop_reason="end",
    message=Message("assistant", ()),
    model=None,
    provider=None,
    usage=Usage(1, 2, exact=True),
    attempts=(Attempt("m", "acme", "skipped", reason="no key"),),
    timing=Timing(None, 5),
)
SUMMARY = ChatSummary(
    chat_id="c",
    state="running",
    model="m",
    client="vim",
    started_at="2030-01-01T00:00:00Z",
    events=3,
    watchers=0,
    title="",
)
CASES: list[tuple[Struct, dict[str, Any]]] = [
    (
        RESULT,
        {
            "chatId": "c",
            "stopReason": "end",
            "message": {"role": "assistant", "content": []},
            "model": None,
            "provider": None,
            "usage": {"inputTokens": 1, "outputTokens": 2, "exact": True},
            "attempts": [{"model": "m", "provider": "acme", "outcome": "skipped", "reason": "no key"}],
            "timing": {"firstTokenMs": None, "totalMs": 5},
        },
    ),
    (
        SUMMARY,
        {
            "chatId": "c",
            "state": "running",
            "model": "m",
            "client": "vim",
            "startedAt": "2030-01-01T00:00:00Z",
            "events": 3,
            "watchers": 0,
            "title": "",
        },
    ),
    (Step("reach", "ok", 7), {"step": "reach", "outcome": "ok", "milliseconds": 7}),
    (
        Step("say", "skipped", 0, "no model"),
        {"step": "say", "outcome": "skipped", "milliseconds": 0, "detail": "no model"},
    ),
]


@each(("value", "expected"), CASES)
def test_how_it_is_written(value: Struct, expected: dict[str, Any]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(value)) == expected
    assert msgspec.convert(expected, type(value)) == value


def test_a_failure_says_what_was_seen_of_its_chat() -> None:
    error = ErrorData("AuthFailed", "No.", "Look at it.", retryable=True, provider="acme")
    assert msgspec.json.decode(msgspec.json.encode(chat_failure(error, RESULT))) == {
        "code": "AuthFailed",
        "message": "No.",
        "advice": "Look at it.",
        "retryable": True,
        "provider": "acme",
        "attempts": [{"model": "m", "provider": "acme", "outcome": "skipped", "reason": "no key"}],
    }


@each(("field", "odd"), [("step", "dance"), ("outcome", "perhaps"), ("milliseconds", "7")])
def test_what_no_step_can_be(field: str, odd: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert({"step": "reach", "outcome": "ok", "milliseconds": 7, field: odd}, Step)


@each("order", [None, "by turns"])
def test_a_plan_in_words_is_all_that_decided(order: str | None) -> None:
    a, b, c = (Target(id, "m") for id in "abc")
    plan = Plan(Route("chain:x", (a, b, c), "chain x"), (c, a), ((b, "no key"),), order)
    said = {
        "spec": "chain:x",
        "rule": "chain x",
        "targets": ["c:m", "a:m"],
        "skipped": [{"model": "m", "provider": "b", "reason": "no key"}],
    }
    told = msgspec.json.decode(msgspec.json.encode(route_taken(plan)))
    assert told == said | ({"order": order} if order else {})
