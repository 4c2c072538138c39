"""Strategies: who goes first, and that nobody is ever lost."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.catalogue import Strategy
from pointsman.core.pricing import Price
from pointsman.core.routing import Target
from pointsman.core.strategy import Outlook, order
from tests.each import each

A, B, C = Target("a", "m"), Target("b", "m"), Target("c", "m")
ALL = (A, B, C)
FREE = Price(0.0, 0.0, "test")
DEAR, CHEAP = Price(10.0, 30.0, "test", cached_input_usd_per_million=1.0), Price(2.0, 6.0, "test")


@each(
    ("strategy", "outlook", "first"),
    [
        ("ordered", Outlook({B: CHEAP}, {C: 0.1}), "abc"),
        ("cheapest", Outlook({}, {}), "abc"),
        ("cheapest", Outlook({A: DEAR, C: CHEAP}, {}, tokens=100), "cab"),
        ("cheapest", Outlook({A: CHEAP, B: FREE}, {}, tokens=100), "bac"),
        ("fastest", Outlook({}, {}), "abc"),
        ("fastest", Outlook({}, {B: 0.5, C: 0.2}), "cba"),
        ("round-robin", Outlook({}, {}, turn=0), "abc"),
        ("round-robin", Outlook({}, {}, turn=4), "bca"),
        ("sticky", Outlook({}, {}), "abc"),
        ("sticky", Outlook({}, {}, stays=Target("gone", "m")), "abc"),
        ("sticky", Outlook({}, {}, stays=B), "bac"),
        ("sticky", Outlook({A: DEAR}, {}, stays=B, tokens=100), "bac"),
        ("sticky", Outlook({A: DEAR, B: CHEAP, C: FREE}, {}, stays=A, tokens=100), "abc"),
        ("sticky", Outlook({A: DEAR, B: CHEAP, C: DEAR}, {}, stays=C, tokens=100), "bac"),
        ("sticky", Outlook({A: CHEAP, B: FREE, C: DEAR}, {}, stays=C, tokens=100), "abc"),
        ("sticky", Outlook({B: DEAR}, {}, stays=B, tokens=100), "bac"),
        ("sticky", Outlook({A: CHEAP, B: DEAR}, {}, stays=B, tokens=100_000, cached=99_000, answer=100), "bac"),
        ("sticky", Outlook({A: CHEAP, B: DEAR}, {}, stays=B, tokens=100_000, cached=0, answer=100), "abc"),
    ],
)
def test_who_goes_first(strategy: Strategy, outlook: Outlook, first: str) -> None:
    targets, why = order(strategy, ALL, outlook)
    assert "".join(target.provider for target in targets) == first
    assert why


def test_the_price_of_moving_and_that_of_staying_are_told() -> None:
    _, why = order("sticky", ALL, Outlook({A: CHEAP, B: DEAR}, {}, stays=B, tokens=100_000, answer=100))
    assert why == "moves: staying with b:m costs about $1.0030, moving to a:m about $0.2006"
    _, why = order("sticky", ALL, Outlook({A: CHEAP, B: DEAR}, {}, stays=B, tokens=100_000, cached=100_000, answer=100))
    assert why == "stays: staying with b:m costs about $0.1030, moving to a:m about $0.2006"


@each(
    ("outlook", "said"),
    [
        (Outlook({}, {}), "cheapest first; unknown prices last"),
        (Outlook({A: CHEAP}, {}, tokens=100), "cheapest first, about $0.0032; unknown prices last"),
        (Outlook({A: FREE}, {}, tokens=100), "cheapest first, which asks nothing a token; unknown prices last"),
    ],
)
def test_what_the_cheapest_costs_is_told(outlook: Outlook, said: str) -> None:
    assert order("cheapest", ALL, outlook)[1] == said


def test_why_it_stays_is_told_without_a_price_too() -> None:
    why = "stays with b:m, whose prompt cache has this conversation"
    assert order("sticky", ALL, Outlook({}, {}, stays=B, cached=5))[1] == why
    assert order("sticky", ALL, Outlook({A: CHEAP}, {}, stays=B))[1] == "stays with b:m, which answered it last"


@given(
    st.sampled_from(get_args(Strategy)),
    st.lists(st.sampled_from(ALL), unique=True),
    st.dictionaries(st.sampled_from(ALL), st.sampled_from([DEAR, CHEAP])),
    st.dictionaries(st.sampled_from(ALL), st.floats(0, 100)),
    st.integers(0, 100),
    st.none() | st.sampled_from(ALL),
)
def test_every_target_is_still_there(
    strategy: Strategy,
    targets: list[Target],
    prices: dict[Target, Price],
    seen: dict[Target, float],
    turn: int,
    stays: Target | None,
) -> None:
    found, _ = order(strategy, targets, Outlook(prices, seen, turn, stays, 10))
    assert sorted(map(str, found)) == sorted(map(str, targets))
