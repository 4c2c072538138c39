"""What budgets leave of a plan: who would cost something is not asked any more once they are spent.

Must never know what was spent, nor a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import replace

from pointsman.core.budget import Limit
from pointsman.core.routing import Plan, Target

Hindrance = Callable[[Target], Limit | None]
"""The budget that is spent for a target, and says so; None for one that may be asked, or that costs nothing."""


def within(plan: Plan, hindrance: Hindrance) -> Plan:
    """A plan without the targets that a spent budget keeps from being asked.

    Where the budget of the first of them says `refuse`, nobody is asked in its place.
    """
    asked = (*plan.targets, *plan.held)
    limits = {target: limit for target in asked if (limit := hindrance(target))}
    if not limits:
        return plan
    first = limits.get(asked[0])
    if first is not None and first.action == "refuse":
        words = {target: f"{limits.get(target, first).words}, and it says to refuse" for target in asked}
    else:
        words = {target: limit.words for target, limit in limits.items()}
    out = [(target, words.get(target, reason)) for target, reason in plan.skipped]
    out += [(target, words[target]) for target in plan.targets if target in words]
    return replace(plan, targets=_left(plan.targets, words), held=_left(plan.held, words), skipped=tuple(out))


def _left(targets: Iterable[Target], out: Container[Target]) -> tuple[Target, ...]:
    return tuple(target for target in targets if target not in out)
