"""What would become of a chat, and that a chat which one target can't be asked for goes on to the next."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from pointsman.core.chat import Conversation, Options, Tool
from pointsman.core.errors import BadRequest
from pointsman.core.routing import Plan, Route, Target
from pointsman.service.explaining import Explanation, explain
from pointsman.wire import WIRES, echo
from tests.service.bench import HELLO, Bench, Scripted, catalogue, events, provider, says, told


def refusing(*_: Any) -> Any:
    raise BadRequest("This can't be said here.")


NARROW: Any = SimpleNamespace(**{**vars(echo), "request": refusing})
"""A dialect that nothing can be said in."""
CATALOGUE = catalogue("\n".join([provider("one"), provider("two"), provider("offline", wire="echo")]))
LOOK = Tool("look", {"type": "object"})
RICH = Conversation(HELLO.messages, tools=(LOOK,), options=Options(max_output_tokens=5, seed=7))


def explained(*targets: str, conversation: Conversation | None = HELLO, skipped: Any = (), **wires: Any) -> Explanation:
    named = tuple(Target(*target.split(":")) for target in targets)
    plan = Plan(Route("chain:all", named, "chain all"), named, skipped)
    return explain(CATALOGUE, plan, {**WIRES, **wires}, conversation)


def test_a_plan_says_who_and_who_not() -> None:
    said = explained("one:m", "two:n", conversation=None, skipped=((Target("three", "o"), "no key"),))
    assert msgspec.to_builtins(said) == {
        "spec": "chain:all",
        "rule": "chain all",
        "targets": [
            {"model": "m", "provider": "one", "notices": []},
            {"model": "n", "provider": "two", "notices": []},
        ],
        "skipped": [{"model": "o", "provider": "three", "reason": "no key"}],
    }


def test_each_target_says_what_it_can_not_carry() -> None:
    one, offline = explained("one:m", "offline:echo", conversation=RICH).targets
    assert (one.notices, one.error) == ([], None)
    assert [notice.about for notice in offline.notices] == ["tools", "seed"]


def test_what_would_keep_a_target_from_being_asked_is_its_error() -> None:
    one, offline = explained("one:m", "offline:echo", echo=NARROW).targets
    assert one.error is None
    assert offline.error
    assert (offline.error.code, offline.error.provider, offline.notices) == ("BadRequest", "offline", [])


def test_without_a_conversation_no_dialect_is_asked() -> None:
    assert explained("offline:echo", conversation=None, echo=NARROW).targets[0].error is None


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (("offline:m", "one:m"), [("offline:m", "BadRequest", "one:m"), "one:m", "a", ("end", None)]),
        (("offline:m",), [("offline:m", "BadRequest", None), ("error", "BadRequest")]),
    ],
)
async def test_a_chat_goes_on_to_a_target_that_can(targets: tuple[str, ...], expected: list[Any]) -> None:
    transport = Scripted(says("a"))
    bench = Bench(transport, provider("offline", wire="echo"), provider("one"))
    chat = bench.begin(*targets, wires={**WIRES, "echo": NARROW})
    assert told(await events(chat)) == expected
    assert len(transport.requests) == len(targets) - 1, "what can't be said is not sent"
    if chat.error is None:
        assert chat.result is not None
        assert [attempt.outcome for attempt in chat.result.attempts] == ["failed", "answered"]
