"""What a middleware may give back, and how its headers lie over a request's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pointsman.core.chat import Conversation, Message
from pointsman.core.http import Request
from pointsman.core.plugin import ChatInfo, RequestInfo, fault, with_headers
from tests.each import each

ASKED = Conversation((Message("user", "Hello!"),))
INFO = RequestInfo(ChatInfo("c1", "sonnet"), "corp", "big", ASKED)
RIGHT = {
    "as it was": INFO,
    "other words": replace(INFO, conversation=Conversation((Message("user", "Hi!"),))),
    "more headers": replace(INFO, headers={"x-team": "blue"}),
}
WRONG: dict[str, tuple[Any, str]] = {
    "something else": ({"conversation": ASKED}, "gave back dict and not a RequestInfo"),
    "another provider": (replace(INFO, provider="other"), "more than `conversation` and `headers`"),
    "another model": (replace(INFO, model="small"), "more than `conversation` and `headers`"),
    "another chat": (replace(INFO, chat=ChatInfo("c2", "sonnet")), "more than `conversation` and `headers`"),
    "no conversation": (replace(INFO, conversation="hi"), "str and not a Conversation"),  # type: ignore[arg-type]
    "nonsense": (
        replace(INFO, conversation=Conversation((Message("tool", "hi"),))),
        "that nobody can answer: A message",
    ),
    "no headers": (replace(INFO, headers=["x"]), "headers that are no mapping"),  # type: ignore[arg-type]
    "a number": (replace(INFO, headers={"x-team": 7}), "a header that is no text"),  # type: ignore[dict-item]
    "another host": (replace(INFO, headers={"Host": "elsewhere"}), "the header Host, which is the HTTP client's own"),
}


@each("case", RIGHT)
def test_what_may_be_given_back(case: str) -> None:
    assert fault(INFO, RIGHT[case]) is None


@each("case", WRONG)
def test_what_may_not(case: str) -> None:
    after, words = WRONG[case]
    assert words in (fault(INFO, after) or "")


def test_headers_lie_over_those_of_the_request_however_they_are_spelled() -> None:
    request = Request("POST", "http://h/", {"Accept": "a", "x-kept": "k"}, b"body")
    assert with_headers(request, {}) is request
    changed = with_headers(request, {"accept": "b", "X-Team": "blue"})
    assert changed == replace(request, headers={"x-kept": "k", "accept": "b", "X-Team": "blue"})
