"""Sums over chats: every token and every cent once, and what is unknown stays unknown."""

from __future__ import annotations

import pytest

from pointsman.core.chat import Usage
from pointsman.core.ledger import Part, Total, bounds, grand, summed
from pointsman.core.pricing import Price, PriceTier, cost
from tests.each import each

PRICE = Price(
    2.0,
    10.0,
    "test",
    cached_input_usd_per_million=0.2,
    cache_write_usd_per_million=2.5,
    tiers=(PriceTier(1000, 4.0, 20.0, reasoning_usd_per_million=40.0),),
    usd_per_request=0.01,
)


def total(name: str = "a", **more: object) -> Total:
    values: dict[str, object] = {"chats": 1, "input_tokens": 100, "output_tokens": 10, "usd": 0.1}
    return Total(name=name, **(values | more))  # type: ignore[arg-type]


def part(name: str = "a", tier: int = 0, plain: int = 100, spoken: int = 10, **more: object) -> Part:
    return Part(total(name, **more), tier, plain, spoken)


def test_what_has_the_same_name_is_one_sum() -> None:
    first, second = summed([part("a", unpriced=1), part("b", plan=1), part("a", usd=0.2, cancelled=1, estimated=1)])
    assert first == total(
        "a", chats=2, input_tokens=200, output_tokens=20, usd=0.3, unpriced=1, cancelled=1, estimated=1
    )
    assert second == total("b", plan=1)


def test_the_sum_of_all() -> None:
    found = grand([total("a", cached_input_tokens=7), total("b", reasoning_tokens=3, cache_write_tokens=2)], "all")
    assert found == total(
        "all", chats=2, input_tokens=200, output_tokens=20, usd=0.2,
        cached_input_tokens=7, cache_write_tokens=2, reasoning_tokens=3,
    )  # fmt: skip
    assert grand(()) == Total(name="", chats=0, input_tokens=0, output_tokens=0, usd=0.0)


@each(
    "used",
    [
        [Usage(900, 50, True, 400, 100, 20)],
        [Usage(1500, 50, True, 400, 100, 20)],
        [Usage(900, 50, True), Usage(1500, 50, True), Usage(1001, 1, True, 1001)],
        [Usage(100, 5, True, 150, 0, 9)],  # odd counts
        [Usage(0, 0, True)] * 1000,
    ],
)
def test_against_another_price_each_chat_is_priced_as_if_by_itself(used: list[Usage]) -> None:
    parts = [
        part(
            tier=int(each.input_tokens > 1000),
            plain=max(0, each.input_tokens - (each.cached_input_tokens or 0) - (each.cache_write_tokens or 0)),
            spoken=each.output_tokens - min(each.reasoning_tokens or 0, each.output_tokens),
            input_tokens=each.input_tokens,
            output_tokens=each.output_tokens,
            cached_input_tokens=each.cached_input_tokens or 0,
            cache_write_tokens=each.cache_write_tokens or 0,
            reasoning_tokens=each.reasoning_tokens or 0,
        )
        for each in used
    ]
    (found,) = summed(parts, PRICE)
    assert found.against_usd == pytest.approx(sum(cost(each, PRICE).usd for each in used))
    assert grand([found, total("b")]).against_usd == found.against_usd


def test_without_another_price_there_is_no_such_sum() -> None:
    assert summed([part()])[0].against_usd is None
    assert (bounds(PRICE), bounds(None)) == ((1000,), ())
