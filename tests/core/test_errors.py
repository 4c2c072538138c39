"""The tree of errors: each says what happened and what to do next, and is drawn where the tree is documented."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

import msgspec

from pointsman.core import errors
from pointsman.core.errors import ErrorData, NoTargetLeft, Overloaded, PointsmanError, QuotaExhausted, Remedy
from tests.each import each


def tree(root: type[PointsmanError]) -> Iterator[type[PointsmanError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


CLASSES = [kind for kind in tree(PointsmanError) if kind.__module__ == errors.__name__]
DRAWN = [line for line in (errors.__doc__ or "").splitlines() if line.startswith("    ")]


@each("kind", CLASSES)
def test_every_error_says_what_to_do_next(kind: type[PointsmanError]) -> None:
    error = kind("It broke.")
    assert error.code == kind.__name__
    assert (error.message, error.data().message) == ("It broke.", "It broke.")
    assert re.fullmatch(r"[A-Z`].+\.", error.advice), "advice is a sentence"
    assert str(error) == f"It broke. {error.advice}"
    assert kind("It broke.", "Mend it.").advice == "Mend it."
    assert re.match(r"[A-Z].+\.", kind.__doc__ or ""), "the docstring is a sentence"


@each("kind", CLASSES)
def test_remedies_are_known_and_none_comes_twice(kind: type[PointsmanError]) -> None:
    assert set(kind.remedies) <= set(get_args(Remedy))
    assert len(set(kind.remedies)) == len(kind.remedies)
    assert kind("It broke.").data().retryable == (bool(kind.remedies) and kind is not QuotaExhausted)


def test_what_only_money_helps_is_final() -> None:
    spent, back = QuotaExhausted("Spent.", status_code=402), QuotaExhausted("Spent.", resets_at="2026-11-22T00:00:00Z")
    assert (spent.final, back.final, QuotaExhausted("Spent.", retry_after=60.0).final) == (True, False, False)
    assert (spent.data().retryable, back.data().retryable) == (False, True)
    assert not NoTargetLeft("Nobody.", causes=(spent,)).data().retryable
    assert NoTargetLeft("Nobody.", causes=(spent, Overloaded("Busy."))).data().retryable


def test_the_drawing_shows_each_class_once_below_its_kind() -> None:
    """A child that has its own children or words stands below its parent; the others are listed by name alone."""
    path: list[str] = []
    drawn: dict[str, str | None] = {}
    for line in DRAWN:
        branch = re.match(r"[ │├└─]*", line)
        assert branch is not None
        depth = len(branch[0]) // 4 - 1
        for name in re.split(r" {2,}", line[branch.end() :])[0].split(" · "):
            assert name not in drawn
            path[depth:] = [name]
            drawn[name] = path[depth - 1] if depth else None
    families = {family.__name__: family for family in CLASSES if family.__subclasses__()}
    assert set(drawn) == {kind.__name__ for kind in CLASSES}
    for kind in CLASSES[1:]:
        family = drawn[kind.__name__]
        assert family is not None
        assert issubclass(kind, families[family])


def test_an_error_comes_whole_through_the_wire() -> None:
    cause = Overloaded("b", retry_after=0.5, provider="p", status_code=503, resets_at="2026-11-20T00:00:00Z")
    data = PointsmanError("a", causes=(cause,)).data()
    encoded = msgspec.json.encode(data)
    assert msgspec.json.decode(encoded, type=ErrorData) == data
    assert msgspec.json.decode(encoded)["causes"] == [
        {
            "code": "Overloaded",
            "message": "b",
            "advice": cause.advice,
            "retryable": True,
            "retryAfter": 0.5,
            "provider": "p",
            "statusCode": 503,
            "resetsAt": "2026-11-20T00:00:00Z",
        }
    ]
