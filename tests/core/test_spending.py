"""What budgets leave of a plan: who costs nothing goes on, and a budget that refuses is not gone round."""

from __future__ import annotations

from pointsman.core.budget import Action, Limit
from pointsman.core.routing import Plan, Route, Target
from pointsman.core.spending import within
from tests.each import each

PAID, OTHER, FREE = Target("paid", "m"), Target("other", "m"), Target("free", "m")
NO_KEY = ((Target("keyless", "m"), "no key"),)


def planned(*targets: Target) -> Plan:
    return Plan(Route("s", targets, "test"), targets, NO_KEY)


def limit(action: Action) -> Limit:
    return Limit("paid", "day", 5.0, 5.0, action)


WORDS = "the budget of paid for this day is spent ($5.00 of $5.00)"


@each(
    ("targets", "action", "left", "skipped"),
    [
        ((PAID, OTHER, FREE), "next", (OTHER, FREE), ((PAID, WORDS),)),
        ((OTHER, PAID, FREE), "next", (OTHER, FREE), ((PAID, WORDS),)),
        ((PAID,), "next", (), ((PAID, WORDS),)),
        ((OTHER, PAID), "refuse", (OTHER,), ((PAID, WORDS),)),
        ((FREE, PAID), "refuse", (FREE,), ((PAID, WORDS),)),
        ((PAID, FREE), "refuse", (), tuple((each, f"{WORDS}, and it says to refuse") for each in (PAID, FREE))),
    ],
)
def test_who_is_left(
    targets: tuple[Target, ...], action: Action, left: tuple[Target, ...], skipped: tuple[tuple[Target, str], ...]
) -> None:
    found = within(planned(*targets), lambda target: limit(action) if target == PAID else None)
    assert (found.targets, found.skipped) == (left, NO_KEY + skipped)


@each("targets", [(), (OTHER, FREE)])
def test_where_nothing_is_spent_the_plan_stays_as_it_is(targets: tuple[Target, ...]) -> None:
    plan = planned(*targets)
    assert within(plan, lambda target: limit("refuse") if target == PAID else None) is plan


@each(
    ("action", "held", "words"),
    [("next", (FREE,), WORDS), ("refuse", (), f"{WORDS}, and it says to refuse")],
)
def test_who_is_held_back_for_what_happened_before_is_not_asked_either(
    action: Action, held: tuple[Target, ...], words: str
) -> None:
    back = Plan(Route("s", (PAID, FREE), "test"), (), ((PAID, "cooling"), (FREE, "cooling")), held=(PAID, FREE))
    found = within(back, lambda target: limit(action) if target == PAID else None)
    assert (found.targets, found.held) == ((), held)
    assert found.skipped == ((PAID, words), (FREE, "cooling" if held else words))
