"""What chats took and cost: written down in the background, summed in memory, and held against budgets.

Must never keep a chat waiting, make a price up, or know a prompt or an answer. Days and months are those of the
machine's own time zone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from pointsman.core.accounting import Recording
from pointsman.core.budget import (
    EVERYTHING,
    About,
    Action,
    Budgets,
    Limit,
    Period,
    Spent,
    budget_of,
    every,
    limits,
    placed,
    title,
)
from pointsman.core.errors import BudgetReached
from pointsman.core.ledger import By, Entry, Total, bounds, grand, summed
from pointsman.core.pricing import Price
from pointsman.edge.ledger_store import LedgerStore
from pointsman.service.clock import rfc3339, time_of_day

PERIODS_KEPT = 64
"""Days and months whose sums are kept in memory: this one's, and some more for a clock that is set back."""
DAY = 86400.0
FOREVER = 1e11
"""A Unix time that nobody will see."""
EVERYTHING_KEPT, NO_BUDGETS = Recording(), Budgets()
Tell = Callable[[About, str], None]


class BudgetState(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One part of a budget: of `all`, of a provider or of a workspace, for this day or month, in US dollars.

    `whenReached` is what it says then; `resetsAt` is when it begins anew, RFC 3339 in UTC. `name` is that of the
    provider or the workspace.
    """

    about: str
    period: Period
    spent: float
    budget: float
    reached: bool
    when_reached: Action
    resets_at: str
    name: str | None = None


@dataclass(frozen=True)
class Query:
    """Which chats are summed up, and by what: those that ended between two Unix times."""

    by: By = "day"
    since: float = 0.0
    until: float = FOREVER
    against: Price | None = None


class Usage:
    """The ledger; without a store, only for as long as this lives. `tell` is told what a budget's owner should know.

    `place` says where a folder really is: budgets name it as people do, and clients by where it is.
    """

    def __init__(
        self,
        store: LedgerStore | None = None,
        clock: Callable[[], float] = time.time,
        place: Callable[[str], str] = lambda path: path,
    ) -> None:
        """Raises StorageError."""
        self._store, self.clock, self._place = store, clock, place
        self._places: dict[str, str] = {}
        self._sums: dict[str, dict[About, float]] = {}
        self._told: dict[tuple[About, Period], tuple[str, float, bool]] = {}
        self._titles: dict[tuple[str, str], str] = {}
        self._tidied = ""
        self.tell: Tell = lambda _about, _text: None
        since = f"{_day(clock())[:7]}-01"
        for day, provider, workspace, usd in store.spending(since) if store else ():
            self._count(day, provider, workspace, usd)

    def begin(self, budgets: Budgets) -> None:
        """Takes it that of budgets which are nearly spent at the start, people have been told."""
        budgets = self._placed(budgets)
        for about, _ in every(budgets):
            for _ in self._news(budgets, about):
                pass

    def budgets_changed(self, budgets: Budgets) -> None:
        """Tells of budgets that are nearly spent, or spent, since they have become smaller."""
        self.look_anew()
        budgets = self._placed(budgets)
        for about, _ in every(budgets):
            self._tell_news(budgets, about)

    def look_anew(self) -> None:
        """Has folders looked up again: a path may lead elsewhere by now."""
        self._places.clear()

    def tidy(self, recording: Recording) -> None:
        """Has the ledger forget what is older than is wanted."""
        if self._store is not None:
            self._tidied, now = _day(self.clock()), self.clock()
            self._store.forget(now - recording.keep_days * DAY)

    def note(
        self,
        entry: Entry,
        recording: Recording = EVERYTHING_KEPT,
        budgets: Budgets = NO_BUDGETS,
        shown: str | None = None,
    ) -> None:
        """A chat has ended. Never waits, and what can't be written stands in the log alone.

        `shown` is what people may see of the account; it is kept in memory alone.
        """
        day = _day(entry.at)
        if shown is not None and entry.account:
            self._titles[entry.provider, entry.account] = shown
        if self._store is not None:
            if self._tidied != day:
                self.tidy(recording)
            if recording.record:
                self._store.add(entry if recording.workspaces else replace(entry, workspace=None), day)
        if not entry.usd:
            return
        self._count(day, entry.provider, entry.workspace, entry.usd)
        budgets = self._placed(budgets)
        for about in _abouts(entry.provider, entry.workspace):
            self._tell_news(budgets, about)

    def spent(self, about: About = EVERYTHING) -> Spent:
        """US dollars of this day and this month, as far as they are known."""
        today = _day(self.clock())
        return Spent(self._sums.get(today, {}).get(about, 0.0), self._sums.get(today[:7], {}).get(about, 0.0))

    def today(self) -> dict[str, float]:
        """US dollars of this day by provider, as far as they are known."""
        sums = self._sums.get(_day(self.clock()), {})
        return {name: usd for (kind, name), usd in sums.items() if kind == "provider"}

    def hindrance(self, budgets: Budgets, provider: str, workspace: str | None, *, priced: bool) -> Limit | None:
        """The spent budget that keeps a provider from being asked in a workspace; one that refuses, and one of the
        month, come first. None where it may be, as always where it costs nothing (not `priced`).
        """
        if not priced:
            return None
        budgets = self._placed(budgets)
        reached = [
            limit
            for about in _abouts(provider, workspace)
            if (budget := budget_of(budgets, about)) and budget.is_set
            for limit in limits(title(about), budget, self.spent(about))
            if limit.reached
        ]
        return min(reached, key=lambda limit: (limit.action != "refuse", limit.period != "month"), default=None)

    def refusal(self, limit: Limit) -> BudgetReached:
        """The error of a chat that nobody may be asked for."""
        told = f"{limit.words[0].upper()}{limit.words[1:]}, and nothing that costs money is asked"
        free = "use a model that costs nothing: one on this machine, or of a plan."
        if not limit.budget:
            return BudgetReached(f"{told}.", f"Raise it in pointsman.toml under [budgets], or {free}")
        now, ends = self.clock(), self.ends(limit.period)
        until = time_of_day(ends, now)
        return BudgetReached(
            f"{told} before {until}.",
            f"Raise it in pointsman.toml under [budgets], wait until {until}, or {free}",
            retry_after=round(ends - now, 3),
            resets_at=rfc3339(ends),
        )

    def ends(self, period: Period) -> float:
        """The Unix time at which this day or month ends."""
        now = time.localtime(self.clock())
        year, month, day = now.tm_year, now.tm_mon, now.tm_mday
        first = (year, month, day + 1) if period == "day" else (year, month + 1, 1)
        return time.mktime((*first, 0, 0, 0, 0, 0, -1))

    def standing(self, budgets: Budgets, workspace: str | None = None) -> list[BudgetState]:
        """How much of each budget is spent; of those of workspaces only that of this one, if one is named."""
        found = []
        for about, budget in every(self._placed(budgets)):
            kind, name = about
            if kind == "workspace" and workspace is not None and name != workspace:
                continue
            spent = self.spent(about)
            parts: list[tuple[Period, float, float | None]] = [
                ("day", spent.day, budget.day),
                ("month", spent.month, budget.month),
            ]
            found += [
                BudgetState(
                    kind,
                    period,
                    round(used, 6),
                    most,
                    used >= most,
                    budget.when_reached,
                    rfc3339(self.ends(period)),
                    name or None,
                )
                for period, used, most in parts
                if most is not None
            ]
        return found

    async def totals(self, query: Query, accounts: Mapping[str, str] | None = None) -> tuple[list[Total], Total]:
        """The sums by name, and the sum of all: days in their order, else what cost most first. Raises StorageError.

        `accounts` are what people call stored credentials, by the ids of their records.
        """
        if self._store is None:
            return [], grand(())
        parts = await self._store.sums(query.by, query.since, query.until, bounds(query.against))
        found = summed(parts, query.against)
        if query.by == "account":
            found = self._titled(found, accounts or {})
        if query.by != "day":
            found.sort(key=lambda total: (-total.usd, -total.input_tokens - total.output_tokens, total.name))
        return found, grand(found)

    async def entries(self, since: float, until: float, after: int, limit: int) -> list[tuple[int, Entry]]:
        """Chats with their numbers, in their order, behind the one of a number. Raises StorageError."""
        return [] if self._store is None else await self._store.entries(since, until, after, limit)

    def account(self, entry: Entry, accounts: Mapping[str, str]) -> str | None:
        """What people call the account of a chat; `accounts` are the stored ones, by the ids of their records."""
        return self._title(entry.provider, entry.account, accounts) if entry.account else None

    def _title(self, provider: str, id: str, accounts: Mapping[str, str]) -> str:
        return accounts.get(id) or self._titles.get((provider, id)) or id

    def _titled(self, totals: list[Total], accounts: Mapping[str, str]) -> list[Total]:
        """Accounts as people know them; by their id where nobody knows more, or where two are called the same."""
        names = {}
        for total in totals:
            provider, _, id = total.name.partition(" ")
            known = self._title(provider, id, accounts)
            names[total.name] = f"{provider} {known}" if known else provider
        called = list(names.values())
        return [
            replace(total, name=name if called.count(name) == 1 else f"{name} ({total.name.partition(' ')[2]})")
            for total in totals
            for name in [names[total.name]]
        ]

    def _count(self, day: str, provider: str, workspace: str | None, usd: float) -> None:
        for period in (day, day[:7]):
            sums = self._sums.setdefault(period, {})
            for about in _abouts(provider, workspace):
                sums[about] = round(sums.get(about, 0.0) + usd, 12)
        while len(self._sums) > PERIODS_KEPT:
            del self._sums[min(self._sums)]

    def _placed(self, budgets: Budgets) -> Budgets:
        """The budgets with their folders where those really are."""
        return placed(budgets, self._where) if budgets.workspaces else budgets

    def _where(self, path: str) -> str:
        if (found := self._places.get(path)) is None:
            found = self._places[path] = self._place(path)
        return found

    def _tell_news(self, budgets: Budgets, about: About) -> None:
        for text in self._news(budgets, about):
            self.tell(about, text)

    def _news(self, budgets: Budgets, about: About) -> Iterator[str]:
        """What is to be told of a budget, and has not been in its period."""
        budget = budget_of(budgets, about)
        for limit in limits(title(about), budget, self.spent(about)) if budget else ():
            today = _day(self.clock())
            period, key = today if limit.period == "day" else today[:7], (about, limit.period)
            known = {(period, limit.budget, True), (period, limit.budget, limit.reached)}
            if not limit.budget or self._told.get(key) in known:  # nobody has spent a budget of nothing
                continue
            self._told[key] = period, limit.budget, limit.reached
            until = time_of_day(self.ends(limit.period), self.clock())
            words = f"{limit.words[0].upper()}{limit.words[1:]}"
            then = {"refuse": "chats that would cost are refused", "next": "chats go to the next model of their chain"}
            when = f"Until {until}," if limit.reached else "Once it is spent,"
            yield f"{words}. {when} {then[limit.action]}."


def _abouts(provider: str, workspace: str | None) -> Iterator[About]:
    """All budgets that a chat may count for."""
    yield EVERYTHING
    yield "provider", provider
    if workspace is not None:
        yield "workspace", workspace


def _day(at: float) -> str:
    """The day of a Unix time on the machine's calendar."""
    return time.strftime("%Y-%m-%d", time.localtime(at))
