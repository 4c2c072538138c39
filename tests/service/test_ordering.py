"""The order of a chain's targets: what each strategy is given to decide by, and that little is kept for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import pytest

from pointsman.core.catalogue import Catalogue, Kind, Provider, Strategy
from pointsman.core.chat import Conversation, Message, TextPart, Usage
from pointsman.core.pricing import Price
from pointsman.core.receipt import ChatResult, Timing
from pointsman.core.routing import Plan, Route, Target
from pointsman.service import ordering
from pointsman.service.ordering import CACHE_LASTS, Orders

A, B, C = (Target(id, "m") for id in "abc")
ALL = (A, B, C)
DEAR, CHEAP = Price(10.0, 30.0, "test", cached_input_usd_per_million=1.0), Price(2.0, 6.0, "test")
LONG = Conversation((Message("user", (TextPart("word " * 80_000),)),))


def catalogue(**kinds: Kind) -> Catalogue:
    """Providers a, b and c; each is one that sells tokens, if nothing else is said."""
    ids: dict[str, Kind] = {**{"a": "direct-api", "b": "direct-api", "c": "direct-api"}, **kinds}
    return Catalogue({id: Provider(id=id, kind=kind, base_url=f"https://{id}.example") for id, kind in ids.items()})


def plan(strategy: Strategy = "ordered", name: str = "c", targets: tuple[Target, ...] = ALL, **more: Any) -> Plan:
    route = Route(f"chain:{name}", targets, f"chain {name}", strategy, chain=name)
    return Plan(route, more.get("left", targets), ())


def result(target: Target | None, usage: Usage) -> ChatResult:
    """A chat that has ended, answered by that target."""
    return ChatResult(
        chat_id="chat",
        stop_reason="end",
        message=Message("assistant", ()),
        model=target.model if target else None,
        provider=target.provider if target else None,
        usage=usage,
        attempts=(),
        timing=Timing(None, 0),
    )


def usage(tokens: int, answer: int = 100, **cache: int) -> Usage:
    return Usage(input_tokens=tokens, output_tokens=answer, exact=True, **cache)


class House:
    """Orders with prices, times and a clock of the test's own."""

    def __init__(self, prices: Mapping[str, Price] | None = None, seen: Mapping[Target, float] | None = None) -> None:
        self.now, self.wanted = 1000.0, list[str]()
        prices = prices or {}
        self.orders = Orders(
            lambda provider, _: prices.get(provider.id),
            lambda provider, model: self.wanted.append(f"{provider.id}:{model}"),
            lambda: seen or {},
            lambda: self.now,
        )

    def order(
        self,
        plan: Plan,
        kinds: Mapping[str, Kind] | None = None,
        asked: Conversation | None = LONG,
        id: str | None = "talk",
        *,
        begins: bool = False,
    ) -> tuple[str, str]:
        """The providers in their order, and why."""
        found = self.orders.ordered(plan, catalogue(**(kinds or {})), asked, id, begins=begins)
        return "".join(target.provider for target in found.targets), found.order or ""


# Who goes first


def test_a_chain_without_a_strategy_is_tried_as_written() -> None:
    assert House().order(plan()) == ("abc", "in the order of the chain")


def test_the_cheapest_is_found_by_the_prices_that_are_known() -> None:
    house = House({"a": DEAR, "c": CHEAP})
    order, why = house.order(plan("cheapest"))
    assert order == "cab"
    assert why == "cheapest first, about $0.2030; unknown prices last"
    assert house.wanted == ["b:m"], "what is not known is looked up for the next time"


@pytest.mark.parametrize("kind", ["local", "plan-based"])
def test_what_sells_no_tokens_is_the_cheapest(kind: Kind) -> None:
    house = House({"a": DEAR, "b": CHEAP, "c": DEAR})
    assert house.order(plan("cheapest"), {"c": kind}) == (
        "cba",
        "cheapest first, which asks nothing a token; unknown prices last",
    )


def test_the_fastest_is_the_one_with_the_shortest_time_seen() -> None:
    order, why = House(seen={C: 0.4, B: 1.5}).order(plan("fastest"))
    assert (order, why) == ("cba", "fastest first, 0.40 s to its first word; untried ones last")


# Turns


def test_each_chat_takes_a_turn_and_a_look_takes_none() -> None:
    house = House()
    for first in ("abc", "bca", "cab", "abc"):
        assert house.order(plan("round-robin"))[0] == first
        assert house.order(plan("round-robin"), begins=True) == (first, "by turns")
        assert house.order(plan("round-robin", "other"))[0] == "abc", "each chain has turns of its own"


def test_turns_go_over_those_who_can_be_asked() -> None:
    house = House()
    firsts = [house.order(plan("round-robin", left=(A, C)), begins=True)[0] for _ in range(4)]
    assert firsts == ["ac", "ca", "ac", "ca"]


def test_a_chain_of_that_name_elsewhere_has_its_own_turns() -> None:
    house = House()
    house.order(plan("round-robin"), begins=True)
    assert house.order(plan("round-robin", targets=(B, C)))[0] == "bc"


# Where the prompt cache is


@pytest.mark.parametrize(
    ("cache", "order", "why"),
    [
        ({"cached_input_tokens": 90_000, "cache_write_tokens": 9_000}, "bac", "stays: staying with b:m"),
        ({"cached_input_tokens": 0}, "bac", "stays: staying with b:m"),
        ({"cached_input_tokens": 0, "cache_write_tokens": 0}, "abc", "moves: staying with b:m costs about $1.0"),
        ({}, "abc", "moves: staying with b:m costs about $1.0"),
    ],
    ids=["written and read", "by itself, from now on", "none was written", "nobody says"],
)
def test_it_stays_where_the_cache_makes_it_cheaper(cache: dict[str, int], order: str, why: str) -> None:
    house = House({"a": CHEAP, "b": DEAR})
    assert house.order(plan("sticky"))[0] == "abc"
    house.orders.ended("talk", result(B, usage(100_000, **cache)))
    found, said = house.order(plan("sticky"))
    assert (found, said.startswith(why)) == (order, True), said
    assert "moving to a:m about $0.20" in said
    assert house.order(plan("sticky"), id="another talk")[0] == "abc"
    assert house.order(plan("sticky"), id=None)[0] == "abc"


def test_a_cache_of_yesterday_is_none() -> None:
    house = House({"a": CHEAP, "b": DEAR})
    house.orders.ended("talk", result(B, usage(100_000, cached_input_tokens=99_000)))
    house.now += CACHE_LASTS - 1
    assert house.order(plan("sticky"))[0] == "bac"
    house.now += 2
    assert house.order(plan("sticky"))[0] == "abc"


def test_without_prices_it_stays_and_says_why() -> None:
    house = House()
    house.orders.ended("talk", result(B, usage(100, cached_input_tokens=0)))
    assert house.order(plan("sticky")) == ("bac", "stays with b:m, whose prompt cache has this conversation")
    house.now += CACHE_LASTS
    assert house.order(plan("sticky")) == ("bac", "stays with b:m, which answered it last")


def test_a_cheaper_one_behind_it_is_only_for_when_it_fails() -> None:
    house = House({"a": DEAR, "b": CHEAP})
    house.orders.ended("talk", result(A, usage(100_000)))
    assert house.order(plan("sticky"))[0] == "abc"


def test_who_only_asks_what_would_happen_is_told_by_the_last_answer() -> None:
    house = House({"a": CHEAP, "b": DEAR})
    house.orders.ended("talk", result(B, usage(100_000)))
    assert house.order(plan("sticky"), asked=None) == (
        "abc",
        "moves: staying with b:m costs about $1.0040, moving to a:m about $0.2008",
    )


def test_a_chat_that_nobody_answered_says_nothing() -> None:
    house = House()
    house.orders.ended("talk", result(None, usage(10)))
    house.orders.ended(None, result(B, usage(10)))
    assert house.order(plan("sticky"))[0] == "abc"


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "MOST_CONVERSATIONS", 2)
    house = House()
    for id in ("first", "second", "first", "third"):  # the first was heard of again, so the second is the oldest
        house.orders.ended(id, result(B, usage(10)))
    assert [house.order(plan("sticky"), id=id)[0] for id in ("first", "second", "third")] == ["bac", "abc", "bac"]


# Those that nobody named


def test_what_stands_in_stays_behind() -> None:
    route = Route("a:m", (A, B), "provider a is named", fallback=(B,))
    assert House().order(Plan(route, (A, B), ())) == ("ab", "what is named first, and your `fallback` behind it")
    assert House().order(Plan(route, (A,), ((B, "no key"),))) == ("a", "")


def test_one_that_is_named_needs_no_order() -> None:
    assert House().order(Plan(Route("a:m", (A,), "provider a is named"), (A,), ())) == ("a", "")


@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_nobody_left_is_no_failure(strategy: Strategy) -> None:
    assert House().order(plan(strategy, left=()))[0] == ""
