"""The ledger on disk: nothing of a chat is lost, and SQLite sums as one would by hand."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest
from msgspec.structs import replace

from pointsman.core.chat import Usage
from pointsman.core.ledger import BROKEN, By, Entry, Outcome, bounds, summed
from pointsman.core.pricing import Price, PriceTier, cost
from pointsman.edge.ledger_store import LedgerStore
from pointsman.edge.store import Store

NOON = 1_800_000_000.0
PRICE = Price(2.0, 10.0, "test", 0.2, 2.5, tiers=(PriceTier(500, 4.0, 20.0), PriceTier(900, 8.0, 40.0, 1.0)))
FULL = Entry(
    chat_id="c1", at=NOON, provider="p", model="m:1", client="vscode", outcome="length", input_tokens=900,
    output_tokens=90, exact=True, usd=0.125, total_ms=1500, attempts=3, account="a1", workspace="/w",
    cached_input_tokens=400, cache_write_tokens=20, reasoning_tokens=30, first_token_ms=250, source="openrouter",
    failed_usd=0.025,
)  # fmt: skip
BARE = Entry(
    chat_id="c2", at=NOON + 1, provider="p", model="m", client="neovim", outcome="cancelled", input_tokens=7,
    output_tokens=0, exact=False, usd=None, total_ms=10, attempts=1,
)  # fmt: skip


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(tmp_path / "state.db")
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def ledger(store: Store) -> LedgerStore:
    return LedgerStore(store.database)


async def entries(ledger: LedgerStore, since: float = 0.0, until: float = 1e11) -> list[Entry]:
    return [entry for _, entry in await ledger.entries(since, until, 0, 1_000_000)]


async def test_an_entry_comes_back_as_it_was(ledger: LedgerStore) -> None:
    ledger.add(FULL, "2027-01-15")
    ledger.add(BARE, "2027-01-15")
    assert await entries(ledger) == [FULL, BARE]
    assert await entries(ledger, NOON + 1) == [BARE]
    assert await entries(ledger, until=NOON + 1) == [FULL]


async def test_entries_page_by_page(ledger: LedgerStore) -> None:
    for _ in range(7):
        ledger.add(FULL, "2027-01-15")
    numbers: list[int] = []
    while page := await ledger.entries(0.0, 1e11, numbers[-1] if numbers else 0, 3):
        assert len(page) <= 3
        numbers += [number for number, _ in page]
    assert numbers == list(range(1, 8))


async def test_it_outlives_a_restart_and_gives_what_was_spent(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    ledger = LedgerStore(store.database)
    for day, entry in (("2027-01-31", FULL), ("2027-02-01", FULL), ("2027-02-01", FULL), ("2027-02-01", BARE)):
        ledger.add(entry, day)
    await store.close()
    store = Store(tmp_path / "state.db")
    again = LedgerStore(store.database)
    assert again.spending("2027-02-01") == [("2027-02-01", "p", "/w", 0.25)]
    assert len(again.spending("2027-01-01")) == 2
    assert await entries(again) == [FULL, FULL, FULL, BARE]
    await store.close()


async def test_what_is_old_is_forgotten(ledger: LedgerStore) -> None:
    ledger.add(FULL, "2027-01-15")
    ledger.add(BARE, "2027-01-15")
    ledger.forget(NOON + 1)
    assert await entries(ledger) == [BARE]


def some(count: int) -> list[tuple[str, Entry]]:
    dice = random.Random(count)
    outcomes: tuple[Outcome, ...] = ("end", "length", "toolCalls", *BROKEN)
    found = []
    for number in range(count):
        tokens = dice.randrange(0, 1200)
        usage = Usage(tokens, dice.randrange(0, 90), dice.random() < 0.8)
        entry = Entry(
            chat_id=f"c{number}",
            at=NOON + number,
            provider=dice.choice(["one", "two"]),
            model=dice.choice(["m", "n:7"]),
            client=dice.choice(["vscode", "neovim"]),
            outcome=dice.choice(outcomes),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            exact=usage.exact,
            usd=dice.choice([None, 0.0, dice.random()]),
            total_ms=5,
            attempts=1,
            account=dice.choice([None, "a", "b"]),
            workspace=dice.choice([None, "/w", "/v"]),
            cached_input_tokens=dice.choice([None, 0, dice.randrange(0, 1300)]),
            cache_write_tokens=dice.choice([None, dice.randrange(0, 300)]),
            reasoning_tokens=dice.choice([None, dice.randrange(0, 100)]),
            source=dice.choice([None, "plan", "genai-prices"]),
        )
        found.append((f"2027-01-{1 + number % 28:02}", entry))
    return found


def named(by: By, day: str, entry: Entry) -> str:
    return {
        "day": day,
        "provider": entry.provider,
        "model": f"{entry.provider}:{entry.model}",
        "account": f"{entry.provider} {entry.account or ''}",
        "workspace": entry.workspace or "",
        "client": entry.client,
    }[by]


def used(entry: Entry) -> Usage:
    cached, written, thought = entry.cached_input_tokens, entry.cache_write_tokens, entry.reasoning_tokens
    return Usage(entry.input_tokens, entry.output_tokens, True, cached, written, thought)


@pytest.mark.parametrize("by", get_args(By))
@pytest.mark.parametrize("price", [None, PRICE, Price(1.0, 2.0, "flat")])
async def test_sums_are_those_that_one_makes_by_hand(ledger: LedgerStore, by: By, price: Price | None) -> None:
    kept = some(400)
    for day, entry in kept:
        ledger.add(entry, day)
    since, until = NOON + 20, NOON + 390
    found = summed(await ledger.sums(by, since, until, bounds(price)), price)
    chosen = [(named(by, day, entry), entry) for day, entry in kept if since <= entry.at < until]
    assert [total.name for total in found] == sorted({name for name, _ in chosen})
    for total in found:
        mine = [entry for name, entry in chosen if name == total.name]
        assert total.chats == len(mine)
        assert total.usd == pytest.approx(sum(entry.usd or 0.0 for entry in mine))
        for field in ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens"):
            assert getattr(total, field) == sum(getattr(entry, field) or 0 for entry in mine), field
        assert total.unpriced == sum(entry.usd is None for entry in mine)
        assert total.estimated == sum(not entry.exact for entry in mine)
        assert total.cancelled == sum(entry.outcome in BROKEN for entry in mine)
        assert total.plan == sum(entry.source == "plan" for entry in mine)
        if price is None:
            assert total.against_usd is None
        else:
            assert total.against_usd == pytest.approx(sum(cost(used(entry), price).usd for entry in mine))


MOST = 2**63 - 1


@pytest.mark.parametrize("usd", [math.inf, -math.inf, 1e308, -5.0])
async def test_a_cost_that_nobody_can_have_paid_is_unknown(ledger: LedgerStore, usd: float) -> None:
    """Rows from before such a cost was refused, or from whoever wrote into the file."""
    for entry in (FULL, replace(FULL, usd=usd, failed_usd=usd), replace(FULL, usd=usd, at=NOON + 1)):
        ledger.add(entry, "2027-01-15")
    (total,) = summed(await ledger.sums("provider", 0.0, 1e11))
    assert (total.usd, total.chats, total.unpriced) == (0.125, 3, 2)
    assert [(entry.usd, entry.failed_usd) for entry in await entries(ledger)] == [
        (0.125, 0.025),
        (None, None),
        (None, 0.025),
    ]
    assert ledger.spending("2027-01-01") == [("2027-01-15", "p", "/w", 0.125)]
    assert await ledger.recent("2027-01-15", "2027-01-01") == [("p", NOON + 1, 2, 2)]


async def test_counts_that_nothing_can_have_come_to_are_bounded(ledger: LedgerStore) -> None:
    huge = replace(FULL, input_tokens=MOST, output_tokens=MOST, cached_input_tokens=MOST, cache_write_tokens=MOST)
    for entry in (huge, huge, replace(huge, reasoning_tokens=MOST), replace(FULL, input_tokens=-MOST, usd=None)):
        ledger.add(entry, "2027-01-15")
    (total,) = summed(await ledger.sums("provider", 0.0, 1e11), Price(2.0, 10.0, "test"))
    assert (total.chats, total.usd, total.unpriced) == (4, 0.375, 1)
    assert 0 < total.input_tokens < 2**53
    assert 0 < total.output_tokens < 2**53
    assert total.against_usd is not None
    assert math.isfinite(total.against_usd)
    assert all(0 <= entry.input_tokens < 2**53 for entry in await entries(ledger))


async def test_of_nothing_there_are_no_sums(ledger: LedgerStore) -> None:
    assert await ledger.sums("day", 0.0, 1e11) == []
    assert (await entries(ledger), ledger.spending("2000-01-01")) == ([], [])
