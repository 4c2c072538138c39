"""What one chat costs in all: its answer, what failed before it, and what went on from where another broke off."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from pointsman.core.catalogue import Kind, Provider
from pointsman.core.chat import Cost, Message, Usage
from pointsman.core.errors import ConnectFailed, Interrupted, Overloaded, PointsmanError, RateLimited, TimedOut
from pointsman.core.ledger import Entry, Outcome
from pointsman.core.pricing import Price
from pointsman.core.receipt import Attempt, ChatResult, Timing
from pointsman.service.bill import Asked, Bill, Ended, charged

MILLION = Usage(1_000_000, 0, True)
PRICES: Mapping[str, Price] = {
    "paid": Price(3.0, 15.0, "configuration"),
    "gold": Price(50.0, 50.0, "gold"),
    "absurd": Price(1.1e9, 1.0, "absurd"),
}
ENDED = Ended(1_800_000_000.0, "editor", "/w")
SKIPPED = Attempt("m", "p", "skipped", reason="no key")


def asked(id: str, kind: Kind = "custom", account: str = "") -> Asked:
    return Asked(Provider(id=id, base_url=f"http://{id}.example", kind=kind), "m", account)


PAID, GOLD, UNKNOWN, ABSURD = asked("paid", account="a1"), asked("gold"), asked("unknown"), asked("absurd")
LOCAL, PLAN = asked("local", "local"), asked("plan", "plan-based")


def bill() -> Bill:
    return Bill(lambda provider, _: PRICES.get(provider.id))


def entry(
    found: Bill, outcome: Outcome = "end", usage: Usage = MILLION, reported: Cost | None = None, whole: Usage = MILLION
) -> Entry | None:
    result = ChatResult(
        chat_id="c1",
        stop_reason="end",
        message=Message("assistant", ""),
        model="m",
        provider="p",
        usage=whole,
        attempts=(SKIPPED, Attempt("m", "p", "answered")),
        timing=Timing(5, 70),
    )
    return found.entry(result, (usage, reported), outcome, ENDED)


REPORTED = Cost(0.5, True, "paid")


@pytest.mark.parametrize(
    ("who", "reported", "usd", "source"),
    [
        (PAID, REPORTED, 0.5, "paid"),
        (PAID, None, 3.0, "configuration"),
        (UNKNOWN, REPORTED, 0.5, "paid"),
        (PAID, Cost(math.inf, True, "paid"), 3.0, "configuration"),
        (PAID, Cost(math.nan, True, "paid"), 3.0, "configuration"),
        (PAID, Cost(1e308, True, "paid"), 3.0, "configuration"),
        (PAID, Cost(-0.5, True, "paid"), 3.0, "configuration"),
        (UNKNOWN, Cost(math.inf, True, "paid"), None, None),
        (ABSURD, None, None, None),
        (UNKNOWN, None, None, None),
        (LOCAL, None, 0.0, "local"),
        (PLAN, REPORTED, 0.0, "plan"),  # what it says is what it would have cost elsewhere
        (asked("paid", "plan-based"), REPORTED, 3.0, "configuration"),  # the user knows better
        (asked("gold", "local"), None, 50.0, "gold"),
    ],
)
def test_what_an_answer_costs(who: Asked, reported: Cost | None, usd: float | None, source: str | None) -> None:
    found = charged(who, MILLION, reported, lambda provider, _: PRICES.get(provider.id))
    assert (found and found.usd, found and found.source) == (usd, source)
    mine = bill()
    mine.attempt(who, None)
    written = entry(mine, reported=reported)
    assert written
    assert (written.usd, written.source, written.failed_usd) == (usd, source, None)


def test_an_entry_has_all_there_is_to_know() -> None:
    mine = bill()
    mine.attempt(PAID, None)
    usage = Usage(900, 90, False, 400, 20, 30)
    assert entry(mine, "length", usage, REPORTED, whole=usage) == Entry(
        chat_id="c1", at=ENDED.at, provider="paid", model="m", client="editor", outcome="length", input_tokens=900,
        output_tokens=90, exact=False, usd=0.5, total_ms=70, attempts=1, account="a1", workspace="/w",
        cached_input_tokens=400, cache_write_tokens=20, reasoning_tokens=30, first_token_ms=5, source="paid",
    )  # fmt: skip


def test_who_was_not_reached_has_no_entry() -> None:
    mine = bill()
    assert entry(mine, "cancelled") is None
    mine.attempt(PAID, ConnectFailed("refused"))
    mine.failed(ConnectFailed("refused"), None)
    assert entry(mine, "error") is None


def test_who_was_not_reached_takes_no_place_of_who_was() -> None:
    mine = bill()
    mine.attempt(PAID, Overloaded("no", status_code=503))
    mine.attempt(GOLD, ConnectFailed("refused"))
    written = entry(mine, "error")
    assert written
    assert written.provider == "paid"


Told = tuple[Usage, Cost | None] | None


@pytest.mark.parametrize(
    ("who", "error", "reported", "usd"),
    [
        (PAID, RateLimited("no", status_code=429), None, 0.0),  # a refusal costs nothing
        (UNKNOWN, RateLimited("no", status_code=429), None, 0.0),
        (PAID, TimedOut("silent"), None, None),
        (PAID, Interrupted("broken"), (MILLION, None), 3.0),
        (PAID, Interrupted("broken"), (MILLION, REPORTED), 0.5),
        (UNKNOWN, Interrupted("broken"), (MILLION, None), None),
        (LOCAL, TimedOut("silent"), None, 0.0),
        (PLAN, Interrupted("broken"), (MILLION, REPORTED), 0.0),
    ],
)
def test_what_a_chat_without_an_answer_costs(who: Asked, error: PointsmanError, reported: Told, usd: float) -> None:
    mine = bill()
    mine.attempt(who, error)
    mine.failed(error, reported)
    written = entry(mine, "error")
    assert written
    assert (written.usd, written.outcome) == (usd, "error")
    assert (written.input_tokens, written.output_tokens) == (0, 0), "nobody can say"


def test_what_failed_before_an_answer_is_in_its_cost_as_far_as_it_is_known() -> None:
    mine, broken = bill(), Interrupted("broken")
    for who, reported in ((GOLD, (MILLION, None)), (PAID, None), (UNKNOWN, (MILLION, None)), (PAID, (MILLION, None))):
        mine.attempt(who, broken)
        mine.failed(broken, reported)
    mine.attempt(PAID, None)
    written = entry(mine)
    assert written
    assert (written.provider, written.usd, written.failed_usd) == ("paid", 56.0, 53.0)


def test_an_answer_in_two_parts_costs_what_both_of_them_do() -> None:
    mine = bill()
    mine.attempt(GOLD, Interrupted("broken"))
    mine.part(MILLION, None)
    mine.attempt(LOCAL, None)
    written = entry(mine, whole=Usage(2_000_000, 0, True))
    assert written
    assert (written.provider, written.usd, written.failed_usd, written.input_tokens) == ("local", 50.0, 50.0, 2_000_000)


def test_a_part_of_which_nobody_was_reached_costs_nothing() -> None:
    mine = bill()
    mine.part(MILLION, REPORTED)
    mine.attempt(LOCAL, None)
    written = entry(mine)
    assert written
    assert written.usd == 0.0
