"""Counts and sums as providers write them: read where they can be, else unknown; never 0 instead, never an error."""

from __future__ import annotations

import math
from typing import Any

from msgspec import Raw

from pointsman.core.accounting import MOST_DOLLARS
from pointsman.core.chat import Cost, Usage
from pointsman.core.ledger import MOST_TOKENS
from pointsman.core.pricing import Price, cost, credible
from pointsman.wire import loose
from tests.each import each

UNKNOWN: list[Any] = [None, True, "", "many", "1,5", [], {}, -1, -0.4, "-1", float("nan"), "nan", float("inf"), "inf"]


@each("said", [*UNKNOWN, 12.5, 10**12 + 1, 2**63, 10**400, 1e308, "9" * 5000])
def test_what_is_no_count_is_unknown(said: Any) -> None:
    assert loose.count(said) is None


@each(("said", "count"), [(0, 0), (12, 12), (12.0, 12), ("12", 12), ("12.0", 12), (10**12, 10**12)])
def test_a_count_may_be_written_in_several_ways(said: Any, count: int) -> None:
    assert loose.count(said) == count
    assert isinstance(loose.count(said), int)


@each("said", [*UNKNOWN, 10**9 + 1, 1000000000.01, "1e10", 1e308, 10**400])
def test_what_is_no_sum_of_money_is_unknown(said: Any) -> None:
    assert loose.dollars(said) is None


@each(("said", "usd"), [(0, 0.0), (0.01, 0.01), ("0.01", 0.01), (1, 1.0), (10**9, 1e9)])
def test_a_sum_may_be_written_in_several_ways(said: Any, usd: float) -> None:
    assert loose.dollars(said) == usd
    assert isinstance(loose.dollars(said), float)


def test_the_most_that_is_read_is_the_most_that_the_ledger_takes_and_sums_of_it_are_numbers() -> None:
    tokens, usd = loose.count(MOST_TOKENS), loose.dollars(MOST_DOLLARS)
    assert (tokens, usd) == (10**12, 1e9)
    assert loose.count(MOST_TOKENS + 1) is loose.dollars(math.nextafter(MOST_DOLLARS, math.inf)) is None
    rates = Price(MOST_DOLLARS, MOST_DOLLARS, "acme", usd_per_request=MOST_DOLLARS)
    most = 3 * MOST_TOKENS  # input, and what was read from the cache and written to it
    dearest = cost(Usage(most, 2 * MOST_TOKENS, True, MOST_TOKENS, MOST_TOKENS, MOST_TOKENS), rates)
    assert math.isfinite(dearest.usd)
    assert credible(dearest) is None
    assert credible(Cost(MOST_DOLLARS, exact=True, source="acme")) is not None
    assert most * 10**6 < 2**63, "of a million such chats"
    assert math.isfinite(MOST_DOLLARS * 2**63)


@each("said", [None, [], "x", {}, {"a": None}, {"a": []}, {"a": 3}])
def test_what_is_not_there_is_unknown(said: Any) -> None:
    assert loose.count(said, "a", "b") is None


def test_it_is_looked_for_at_its_path() -> None:
    assert loose.count({"a": {"b": 3}}, "a", "b") == 3
    assert loose.dollars({"a": 3}, "a") == 3.0


@each(("said", "sum"), [({"a": 1, "b": 2}, 3), ({"a": 1}, 1), ({"b": None}, 0), ({"a": 1, "b": -2}, None), ([], 0)])
def test_a_sum_of_counts_is_unknown_where_one_of_them_is(said: Any, sum: int | None) -> None:
    assert loose.total(said, "a", "b") == sum


@each(("raw", "value"), [(b"", None), (b"null", None), (b"{}", {}), (b"3", 3), (b"[1e999]", None), (b"1" * 5000, None)])
def test_what_can_not_be_read_is_nothing(raw: bytes, value: Any) -> None:
    assert loose.value(Raw(raw)) == value
