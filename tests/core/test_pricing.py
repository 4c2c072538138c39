"""What tokens cost: each kind of token at its own rate, and long requests at theirs."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.accounting import WrittenPrice
from pointsman.core.catalogue import Provider
from pointsman.core.chat import Cost, Usage
from pointsman.core.pricing import CONFIGURED, Price, PriceTier, configured, cost, credible
from tests.each import each

PLAIN = Price(3.0, 15.0, "genai-prices")
CACHED = Price(3.0, 15.0, "genai-prices", 0.3, 3.75)
TIERED = Price(
    1.0,
    2.0,
    "genai-prices",
    0.5,
    tiers=(PriceTier(200_000, 2.0, 4.0, 1.0), PriceTier(500_000, 10.0, 20.0)),
)


def used(
    into: int, out: int, cached: int | None = None, written: int | None = None, thought: int | None = None
) -> Usage:
    return Usage(into, out, True, cached, written, thought)


@each(
    ("price", "usage", "usd"),
    [
        (PLAIN, used(0, 0), 0.0),
        (PLAIN, used(1_000_000, 0), 3.0),
        (PLAIN, used(0, 1_000_000), 15.0),
        (PLAIN, used(1000, 100), 0.0045),
        (PLAIN, used(0, 100, thought=90), 0.0015),  # the output includes the reasoning
        (PLAIN, used(1000, 0, cached=400, written=100), 0.003),  # no rate of their own
        (CACHED, used(1000, 0), 0.003),
        (CACHED, used(1000, 0, cached=1000), 0.0003),
        (CACHED, used(1000, 0, written=1000), 0.00375),
        (CACHED, used(1000, 0, cached=500, written=200), (300 * 3 + 500 * 0.3 + 200 * 3.75) / 1e6),
        (CACHED, used(100, 0, cached=500), 500 * 0.3 / 1e6),  # odd counts make no negative costs
        (Price(1.0, 10.0, "up", reasoning_usd_per_million=30.0), used(0, 100, thought=90), (10 * 10 + 90 * 30) / 1e6),
        (Price(1.0, 10.0, "up", reasoning_usd_per_million=30.0), used(0, 100, thought=900), 0.003),
        (Price(1.0, 1.0, "up", usd_per_request=0.012), used(500, 500), 0.013),
        (Price(0.0, 0.0, "up"), used(1000, 1000), 0.0),
        (Price(2.0, 2.0, "up", 0.0, 0.0), used(1000, 0, cached=600, written=400), 0.0),
        (TIERED, used(200_000, 100_000), 0.2 + 0.2),
        (TIERED, used(200_001, 100_000), 0.400002 + 0.4),
        (TIERED, used(400_000, 0, cached=400_000), 0.4),
        (TIERED, used(600_000, 100_000, cached=600_000), 6.0 + 2.0),
    ],
)
def test_what_tokens_cost(price: Price, usage: Usage, usd: float) -> None:
    found = cost(usage, price)
    assert found.usd == pytest.approx(usd)
    assert (found.exact, found.source) == (False, price.source)


COUNT = st.integers(0, 10**7)


@given(COUNT, COUNT, COUNT | st.none(), COUNT | st.none(), st.sampled_from([PLAIN, CACHED, TIERED]))
def test_a_cost_is_never_below_nothing(
    into: int, out: int, cached: int | None, written: int | None, price: Price
) -> None:
    assert cost(used(into, out, cached, written), price).usd >= 0


def test_a_cost_that_nobody_can_have_paid_is_none() -> None:
    assert credible(None) is None
    for usd in (0.0, 0.5, 1e9):
        assert credible(Cost(usd, True, "p")) == Cost(usd, True, "p")
    for usd in (-1e-9, 1.1e9, 1e308, math.inf, -math.inf, math.nan):
        assert credible(Cost(usd, True, "p")) is None


def test_how_a_price_is_written() -> None:
    assert msgspec.to_builtins(PLAIN) == {
        "inputUsdPerMillion": 3.0,
        "outputUsdPerMillion": 15.0,
        "source": "genai-prices",
    }


def test_what_the_user_has_written_holds_for_a_model_and_its_short_names() -> None:
    prices = {"big": WrittenPrice(3.0, 15.0, 0.3, 3.75, 20.0, 0.01), "other": WrittenPrice(1.0, 2.0)}
    provider = Provider(id="p", base_url="http://p.example", aliases={"big": "vendor/big-1"}, prices=prices)
    said = configured(provider, "vendor/big-1")
    assert said == Price(3.0, 15.0, CONFIGURED, 0.3, 3.75, reasoning_usd_per_million=20.0, usd_per_request=0.01)
    assert configured(provider, "other") == Price(1.0, 2.0, CONFIGURED)
    assert configured(provider, "big") is None


@each(
    ("price", "free"),
    [
        (Price(0.0, 0.0, "up"), True),
        (Price(0.0, 0.0, "up", 0.0, tiers=(PriceTier(10, 0.0, 0.0),)), True),
        (Price(0.0, 0.0, "up", tiers=(PriceTier(10, 0.0, 1.0),)), False),
        (Price(0.0, 0.0, "up", usd_per_request=0.01), False),
        (PLAIN, False),
    ],
)
def test_what_is_free(price: Price, free: bool) -> None:
    assert price.is_free is free
