"""How much may be spent, and what happens when it has been. Must never know what was spent on, nor a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated as Says
from typing import Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from pointsman.core.accounting import Dollars

Period = Literal["day", "month"]
Action = Literal["refuse", "next"]
WARN_AT = 0.8
"""The part of a budget from which on its owner is told."""


class Budget(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What may be spent, in US dollars, by days and months of the machine's own time zone. With 0, no chat
    begins that would cost something.
    """

    day: Says[Dollars | None, Meta(description="US dollars a day")] = None
    month: Says[Dollars | None, Meta(description="US dollars a month")] = None
    when_reached: Says[Action, Meta(description="`refuse` chats that would cost, or go on with the `next` target")] = (
        "refuse"
    )

    @property
    def is_set(self) -> bool:
        """Whether it limits anything."""
        return self.day is not None or self.month is not None


class Budgets(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename={"all_": "all"}):
    """Budgets over everything, by provider, and by workspace (docs/usage.md).

    Only your own pointsman.toml may say them.
    """

    all_: Says[Budget, Meta(description="over everything")] = Budget()
    providers: Says[dict[str, Budget], Meta(description="by the id of a provider")] = {}
    workspaces: Says[
        dict[Says[str, Meta(pattern="^(/|~/)")], Budget],
        Meta(description="by the path of a folder, absolute or in your home (`~/…`)"),
    ] = {}


About = tuple[Literal["all", "provider", "workspace"], str]
"""What a budget is about: everything, a provider by its id, or a workspace by its path."""
EVERYTHING: About = ("all", "")


def placed(budgets: Budgets, place: Callable[[str], str]) -> Budgets:
    """The same, with each folder where it really is, as `place` says; for one that is written down in several ways,
    whatever is strictest holds.
    """
    found: dict[str, Budget] = {}
    for path, own in budgets.workspaces.items():
        where = place(path)
        found[where] = _strictest(found[where], own) if where in found else own
    return replace(budgets, workspaces=found)


def _strictest(one: Budget, other: Budget) -> Budget:
    both = [each for each in (one, other) if each.is_set]
    return Budget(
        day=min((each.day for each in both if each.day is not None), default=None),
        month=min((each.month for each in both if each.month is not None), default=None),
        when_reached="refuse" if any(each.when_reached == "refuse" for each in both) else "next",
    )


def budget_of(budgets: Budgets, about: About) -> Budget | None:
    """The budget for something; None where there is none."""
    kind, name = about
    if kind == "all":
        return budgets.all_
    return (budgets.providers if kind == "provider" else budgets.workspaces).get(name)


def every(budgets: Budgets) -> Iterator[tuple[About, Budget]]:
    """All of them that limit anything."""
    found: list[tuple[About, Budget]] = [(EVERYTHING, budgets.all_)]
    found += [(("provider", id), own) for id, own in budgets.providers.items()]
    found += [(("workspace", path), own) for path, own in budgets.workspaces.items()]
    return ((about, budget) for about, budget in found if budget.is_set)


def title(about: About) -> str:
    """What a budget is about, for people."""
    kind, name = about
    return "all providers" if kind == "all" else name


@dataclass(frozen=True)
class Spent:
    """US dollars that were spent in the current day and month."""

    day: float = 0.0
    month: float = 0.0


@dataclass(frozen=True)
class Limit:
    """A budget that is reached, or nearly so: of what, how much of how much, and what then.

    `path` is where it stands in pointsman.toml.
    """

    about: str
    period: Period
    spent: float
    budget: float
    action: Action
    path: str = ""

    @property
    def reached(self) -> bool:
        """Whether nothing is left of it."""
        return self.spent >= self.budget

    @property
    def words(self) -> str:
        """For people."""
        if not self.budget:
            return f"the budget of {self.about} for this {self.period} is $0"
        share = "is spent" if self.reached else f"is spent to {self.spent / self.budget:.0%}"
        return f"the budget of {self.about} for this {self.period} {share} (${self.spent:.2f} of ${self.budget:.2f})"


def limits(about: str, budget: Budget, spent: Spent) -> list[Limit]:
    """The parts of a budget of which not much is left, the ones that are reached first."""
    parts: Mapping[Period, tuple[float | None, float]] = {
        "day": (budget.day, spent.day),
        "month": (budget.month, spent.month),
    }
    found = [
        Limit(about, period, used, most, budget.when_reached)
        for period, (most, used) in parts.items()
        if most is not None and used >= WARN_AT * most
    ]
    return sorted(found, key=lambda limit: not limit.reached)
