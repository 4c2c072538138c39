"""The ledger in the daemon: what is spent is known at once and after a restart, and budgets stop what would cost."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pointsman.core.accounting import Recording
from pointsman.core.budget import EVERYTHING, Budget, Budgets, Spent
from pointsman.core.ledger import Entry
from pointsman.edge.files import real_path
from pointsman.edge.ledger_store import LedgerStore
from pointsman.edge.store import Store
from pointsman.service.periods import beginning, end
from pointsman.service.usage import Query, Usage

HOUR, DAY = 3600.0, 86400.0


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose midnight is not that of UTC, and whose clocks are put back in October."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text: str) -> float:
    """A time on that machine's clock."""
    return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M"))


class Clock:
    """A clock that stands still."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(tmp_path / "state.db")
    try:
        yield made
    finally:
        await made.close()


def entry(clock: Clock, usd: float | None = 1.0, **more: Any) -> Entry:
    values: dict[str, Any] = {
        "chat_id": "c", "at": clock.now, "provider": "p", "model": "m", "client": "test", "outcome": "end",
        "input_tokens": 100, "output_tokens": 10, "exact": True, "usd": usd, "total_ms": 5, "attempts": 1,
    }  # fmt: skip
    return Entry(**(values | more))


# What is spent


def test_days_and_months_end_while_the_daemon_runs() -> None:
    clock = Clock(at("2026-10-31 23:30"))
    usage = Usage(clock=clock)
    usage.note(entry(clock, 1.0))
    usage.note(entry(clock, None))
    usage.note(entry(clock, 0.25, provider="q", workspace="/w"))
    assert usage.spent() == Spent(1.25, 1.25)
    assert usage.spent(("provider", "q")) == usage.spent(("workspace", "/w")) == Spent(0.25, 0.25)
    assert usage.spent(("workspace", "/v")) == Spent()
    clock.now += HOUR
    assert usage.spent() == Spent(0.0, 0.0), "another day, and another month"
    usage.note(entry(clock, 2.0))
    clock.now += DAY
    assert usage.spent() == Spent(0.0, 2.0)


def test_a_clock_that_is_set_back_loses_nothing() -> None:
    clock = Clock(at("2026-11-02 00:10"))
    usage = Usage(clock=clock)
    usage.note(entry(clock, 1.0))
    clock.now -= HOUR
    usage.note(entry(clock, 2.0))
    assert usage.spent() == Spent(2.0, 3.0)


def test_only_so_many_days_are_remembered() -> None:
    clock = Clock(at("2026-01-01 12:00"))
    usage = Usage(clock=clock)
    for _ in range(365):
        clock.now += DAY
        usage.note(entry(clock))
    assert len(usage._sums) == 64
    assert usage.spent() == Spent(1.0, 1.0)


@pytest.mark.parametrize(
    ("now", "day", "month"),
    [
        ("2026-10-25 01:00", "2026-10-26 00:00", "2026-11-01 00:00"),  # a day of 25 hours
        ("2026-12-31 23:59", "2027-01-01 00:00", "2027-01-01 00:00"),
        ("2028-02-28 12:00", "2028-02-29 00:00", "2028-03-01 00:00"),
    ],
)
def test_when_days_and_months_end(now: str, day: str, month: str) -> None:
    usage = Usage(clock=Clock(at(now)))
    assert (usage.ends("day"), usage.ends("month")) == (at(day), at(month))


async def test_a_restart_forgets_nothing(store: Store) -> None:
    clock = Clock(at("2026-11-15 12:00"))
    usage = Usage(LedgerStore(store.database), clock)
    clock.now -= 20 * DAY
    usage.note(entry(clock, 100.0))
    clock.now += 20 * DAY
    usage.note(entry(clock, 1.5, workspace="/w"))
    usage.note(entry(clock, None))
    await usage.totals(Query())  # once that is answered, all is written
    again = Usage(LedgerStore(store.database), clock)
    assert again.spent() == usage.spent() == Spent(1.5, 1.5)
    assert again.spent(("workspace", "/w")) == Spent(1.5, 1.5)
    assert again.spent(("provider", "p")) == Spent(1.5, 1.5)


async def test_nothing_is_recorded_where_nothing_is_to_be(store: Store) -> None:
    clock = Clock(at("2026-11-15 12:00"))
    usage = Usage(LedgerStore(store.database), clock)
    usage.note(entry(clock, 1.0, workspace="/w"), Recording(record=False))
    assert (await usage.totals(Query()))[0] == []
    assert usage.spent(("workspace", "/w")) == Spent(1.0, 1.0), "budgets count all the same"
    usage.note(entry(clock, 1.0, workspace="/w"), Recording(workspaces=False))
    ((_, kept),) = await usage.entries(0.0, 1e11, 0, 10)
    assert kept.workspace is None
    assert usage.spent(("workspace", "/w")) == Spent(2.0, 2.0)


async def test_what_is_old_is_forgotten_once_a_day(store: Store) -> None:
    clock, recording = Clock(at("2026-11-15 12:00")), Recording(keep_days=2)
    usage = Usage(LedgerStore(store.database), clock)
    for _ in range(6):
        usage.note(entry(clock), recording)
        clock.now += DAY
    assert len(await usage.entries(0.0, 1e11, 0, 10)) == 3


async def test_what_is_older_than_is_wanted_goes_when_that_is_said(store: Store) -> None:
    clock = Clock(at("2026-11-15 12:00"))
    usage = Usage(LedgerStore(store.database), clock)
    for _ in range(3):
        usage.note(entry(clock))
        clock.now += DAY
    usage.tidy(Recording(keep_days=1))
    assert len(await usage.entries(0.0, 1e11, 0, 10)) == 1
    Usage().tidy(Recording(keep_days=1))  # nothing is kept, and nothing has to go


async def test_without_a_store_there_are_no_sums() -> None:
    usage = Usage()
    totals, grand = await usage.totals(Query())
    assert (totals, grand.chats, await usage.entries(0, 1e11, 0, 9)) == ([], 0, [])


async def test_sums_come_the_largest_first_and_days_in_order(store: Store) -> None:
    clock = Clock(at("2026-11-15 12:00"))
    usage = Usage(LedgerStore(store.database), clock)
    for name, usd in (("a", 1.0), ("b", None), ("c", 3.0)):
        usage.note(entry(clock, usd, provider=name))
        clock.now += DAY
    totals, grand = await usage.totals(Query("provider"))
    assert [total.name for total in totals] == ["c", "a", "b"]
    assert (grand.usd, grand.chats, grand.unpriced) == (4.0, 3, 1)
    assert [total.name for total in (await usage.totals(Query("day")))[0]] == ["2026-11-15", "2026-11-16", "2026-11-17"]


async def test_accounts_are_called_as_people_know_them(store: Store) -> None:
    clock = Clock(at("2026-11-15 12:00"))
    usage = Usage(LedgerStore(store.database), clock)
    for usd, account, shown in (
        *((6.0, "hash1", "sk-fake1…"), (5.0, "hash2", "sk-fake1…"), (4.0, "record", None)),
        *((3.0, "gone", None), (2.0, None, "of this chat alone")),
    ):
        usage.note(entry(clock, usd, account=account), shown=shown)
    totals, _ = await usage.totals(Query("account"), {"record": "me@example.com"})
    names = [total.name for total in totals]
    assert names == ["p sk-fake1… (hash1)", "p sk-fake1… (hash2)", "p me@example.com", "p gone", "p"]
    found = [usage.account(each, {"record": "me@example.com"}) for _, each in await usage.entries(0, 1e11, 0, 9)]
    assert found == ["sk-fake1…", "sk-fake1…", "me@example.com", "gone", None]
    assert "sk-fake1" not in str(store.database.read("SELECT * FROM ledger")), "what people see is not written down"


# Budgets

NOON = "2026-11-15 12:00"
ALL = Budgets(all_=Budget(day=5.0))


@pytest.mark.parametrize(
    ("budgets", "spent", "about", "action"),
    [
        (ALL, 4.99, None, None),
        (ALL, 5.0, "all providers", "refuse"),
        (Budgets(all_=Budget(month=5.0, when_reached="next")), 5.0, "all providers", "next"),
        (Budgets(providers={"p": Budget(day=1.0)}), 1.0, "p", "refuse"),
        (Budgets(providers={"q": Budget(day=1.0)}), 9.0, None, None),
        (Budgets(workspaces={"/w": Budget(day=1.0)}), 1.0, "/w", "refuse"),
        (Budgets(workspaces={"/v": Budget(day=1.0)}), 9.0, None, None),
        (Budgets(Budget(1.0, when_reached="next"), {"p": Budget(day=1.0)}), 1.0, "p", "refuse"),
    ],
)
def test_a_spent_budget_hinders_what_may_cost(
    budgets: Budgets, spent: float, about: str | None, action: str | None
) -> None:
    clock = Clock(at(NOON))
    usage = Usage(clock=clock)
    usage.note(entry(clock, spent, workspace="/w"))
    limit = usage.hindrance(budgets, "p", "/w", priced=True)
    assert (limit and limit.about, limit and limit.action) == (about, action)
    assert usage.hindrance(budgets, "p", "/w", priced=False) is None, "what costs nothing goes on"
    clock.now = at("2026-12-01 00:00")
    assert usage.hindrance(budgets, "p", "/w", priced=True) is None


def test_the_refusal_says_until_when_and_what_to_do() -> None:
    clock = Clock(at(NOON))
    usage = Usage(clock=clock)
    usage.note(entry(clock, 5.1))
    limit = usage.hindrance(Budgets(all_=Budget(5.0, 5.05)), "p", None, priced=True)
    assert limit
    assert limit.period == "month", "it holds longer"
    error = usage.refusal(limit).data()
    assert error.message == (
        "The budget of all providers for this month is spent ($5.10 of $5.05), and nothing that costs money is asked "
        "before 1 Dec 00:00."
    )
    assert "[budgets]" in error.advice
    assert (error.code, error.retryable, error.resets_at) == ("BudgetReached", True, "2026-11-30T23:00:00Z")
    assert error.retry_after == at("2026-12-01 00:00") - clock.now


def test_a_budget_of_nothing_never_comes_back_and_is_no_news() -> None:
    clock = Clock(at(NOON))
    usage = Usage(clock=clock)
    heard, nothing = told(usage), Budgets(all_=Budget(day=0.0))
    usage.note(entry(clock, 0.0), budgets=nothing)
    limit = usage.hindrance(nothing, "p", None, priced=True)
    assert limit
    assert usage.hindrance(nothing, "p", None, priced=False) is None
    error = usage.refusal(limit).data()
    assert error.message == "The budget of all providers for this day is $0, and nothing that costs money is asked."
    assert (error.retryable, error.resets_at, heard) == (False, None, [])


def told(usage: Usage) -> list[str]:
    """Collects what a usage tells from now on."""
    heard: list[str] = []
    usage.tell = lambda about, text: heard.append(f"{about[0]}: {text}")
    return heard


def test_people_are_told_once_a_period_at_four_fifths_and_when_it_is_spent() -> None:
    clock = Clock(at(NOON))
    usage = Usage(clock=clock)
    heard = told(usage)
    for _ in range(8):
        usage.note(entry(clock, 1.0), budgets=ALL)
    assert heard == [
        "all: The budget of all providers for this day is spent to 80% ($4.00 of $5.00). Once it is spent, chats "
        "that would cost are refused.",
        "all: The budget of all providers for this day is spent ($5.00 of $5.00). Until 16 Nov 00:00, chats that "
        "would cost are refused.",
    ]
    clock.now += DAY
    usage.note(entry(clock, 6.0), budgets=ALL)
    assert len(heard) == 3, "another day: spent at once is told once"
    usage.note(entry(clock, 0.5), budgets=Budgets(all_=Budget(day=100.0)))
    usage.note(entry(clock, 0.5), budgets=Budgets(all_=Budget(day=7.5, when_reached="next")))
    assert heard[3:] == [
        "all: The budget of all providers for this day is spent to 93% ($7.00 of $7.50). Once it is spent, chats "
        "go to the next model of their chain."
    ], "another budget is another story"


async def test_what_was_told_before_a_restart_is_not_told_again(store: Store) -> None:
    clock = Clock(at(NOON))
    usage = Usage(LedgerStore(store.database), clock)
    usage.note(entry(clock, 4.5), budgets=ALL)
    await usage.totals(Query())
    again = Usage(LedgerStore(store.database), clock)
    again.begin(ALL)
    heard = told(again)
    again.note(entry(clock, 0.1), budgets=ALL)
    assert heard == []
    again.note(entry(clock, 0.4), budgets=ALL)
    assert len(heard) == 1, "but that it is spent now"


def test_a_budget_that_is_lowered_below_what_is_spent_is_told_at_once_and_once() -> None:
    clock = Clock(at(NOON))
    usage = Usage(clock=clock)
    heard = told(usage)
    usage.note(entry(clock, 2.0, workspace="/w"), budgets=ALL)
    usage.budgets_changed(ALL)
    assert heard == []
    lowered = Budgets(all_=Budget(day=1.0), workspaces={"/w": Budget(month=2.5)})
    for _ in range(2):
        usage.budgets_changed(lowered)
        usage.note(entry(clock, 0.0), budgets=lowered)
    assert heard == [
        "all: The budget of all providers for this day is spent ($2.00 of $1.00). Until 16 Nov 00:00, chats that "
        "would cost are refused.",
        "workspace: The budget of /w for this month is spent to 80% ($2.00 of $2.50). Once it is spent, chats that "
        "would cost are refused.",
    ]


def test_a_budget_of_a_folder_holds_however_the_folder_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    clock, folder, heard = Clock(at(NOON)), str(tmp_path / "ws"), list[str]()
    (tmp_path / "ws").mkdir()
    (tmp_path / "link").symlink_to("ws")
    for written in (folder, f"{folder}/", f"{tmp_path}/./other/..//ws", str(tmp_path / "link"), "~/link/", "~/ws"):
        usage, budgets = Usage(clock=clock, place=real_path), Budgets(workspaces={written: Budget(day=1.0)})
        usage.tell = lambda about, text: heard.append(about[1])
        usage.note(entry(clock, 1.0, workspace=folder), budgets=budgets)
        limit = usage.hindrance(budgets, "p", folder, priced=True)
        assert limit, written
        assert (limit.about, limit.reached, heard.pop()) == (folder, True, folder)
        assert [each.name for each in usage.standing(budgets, folder)] == [folder]


def test_a_folder_that_becomes_a_link_is_found_when_somebody_comes(tmp_path: Path) -> None:
    clock, link, folder = Clock(at(NOON)), tmp_path / "link", str(tmp_path / "ws")
    usage, budgets = Usage(clock=clock, place=real_path), Budgets(workspaces={str(link): Budget(day=1.0)})
    usage.note(entry(clock, 1.0, workspace=folder), budgets=budgets)
    assert usage.hindrance(budgets, "p", folder, priced=True) is None
    link.symlink_to("ws")
    usage.look_anew()
    assert usage.hindrance(budgets, "p", folder, priced=True)


def test_how_budgets_stand() -> None:
    clock = Clock(at(NOON))
    usage = Usage(clock=clock)
    usage.note(entry(clock, 5.0, workspace="/w"))
    budgets = Budgets(Budget(10.0, 50.0), {"p": Budget(month=5.0, when_reached="next")}, {"/w": Budget(day=20.0)})
    state = {"about": "all", "spent": 5.0, "reached": False, "whenReached": "refuse"}
    day, month = "2026-11-15T23:00:00Z", "2026-11-30T23:00:00Z"
    expected = [
        state | {"period": "day", "budget": 10.0, "resetsAt": day},
        state | {"period": "month", "budget": 50.0, "resetsAt": month},
        state
        | {"about": "provider", "name": "p", "period": "month", "budget": 5.0, "reached": True, "resetsAt": month}
        | {"whenReached": "next"},
    ]
    assert msgspec.to_builtins(usage.standing(budgets, "/v")) == expected
    mine = state | {"about": "workspace", "name": "/w", "period": "day", "budget": 20.0, "resetsAt": day}
    assert msgspec.to_builtins(usage.standing(budgets)) == [*expected, mine]
    assert usage.standing(Budgets()) == []
    assert usage.spent(EVERYTHING) == Spent(5.0, 5.0)


# Times


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("all", 0.0),
        ("today", "2026-10-27 00:00"),
        ("yesterday", "2026-10-26 00:00"),
        ("week", "2026-10-26 00:00"),
        ("month", "2026-10-01 00:00"),
        ("year", "2026-01-01 00:00"),
        ("1d", "2026-10-27 00:00"),
        ("7d", "2026-10-21 00:00"),  # the clocks were put back in between
        ("1w", "2026-10-21 00:00"),
        ("24h", "2026-10-26 15:30"),
        ("2026-10-25", "2026-10-25 00:00"),
        ("2026-10-25T22:00:00Z", "2026-10-25 23:00"),
    ],
)
def test_when_a_period_begins(text: str, since: str | float) -> None:
    expected = since if isinstance(since, float) else at(since)
    assert beginning(text, at("2026-10-27 15:30")) == expected


def test_when_a_period_ends() -> None:
    now = at("2026-10-27 15:30")
    assert end("now", now) == now
    assert end("2026-10-25", now) == at("2026-10-26 00:00")
    assert end("2026-10-25T00:00:00+02:00", now) == at("2026-10-25 00:00")


@pytest.mark.parametrize("text", ["", "soon", "0d", "7", "7 d", "2026-13-01", "99999-01-01", "now"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time\. Say `7d`"):
        beginning(text, at(NOON))
