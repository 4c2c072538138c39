"""What tokens cost: prices as values, and the cost of a chat by them. Must never know where a price comes from."""

from __future__ import annotations

from msgspec import Struct

from pointsman.core.chat import Cost, Usage

MILLION = 1_000_000


class PriceTier(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The price of a request with more input tokens than `aboveInputTokens`; it holds for all of its tokens."""

    above_input_tokens: int
    input_usd_per_million: float
    output_usd_per_million: float
    cached_input_usd_per_million: float | None = None
    cache_write_usd_per_million: float | None = None


class Price(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The price of a model in US dollars a million tokens.

    `source` says who says so: the provider by its id, or `genai-prices`, of which `edition` is the release. What is
    not said of cached tokens costs as much as input. `tiers` are for long requests, the shortest first.
    """

    input_usd_per_million: float
    output_usd_per_million: float
    source: str
    cached_input_usd_per_million: float | None = None
    cache_write_usd_per_million: float | None = None
    edition: str | None = None
    tiers: tuple[PriceTier, ...] = ()


def cost(usage: Usage, price: Price) -> Cost:
    """What tokens cost by a list of prices; never exact, since it is not what the provider bills."""
    rates: Price | PriceTier = price
    for tier in price.tiers:
        if usage.input_tokens > tier.above_input_tokens:
            rates = tier
    whole = rates.input_usd_per_million
    cached, written = usage.cached_input_tokens or 0, usage.cache_write_tokens or 0
    usd = (
        max(0, usage.input_tokens - cached - written) * whole
        + cached * _or(rates.cached_input_usd_per_million, whole)
        + written * _or(rates.cache_write_usd_per_million, whole)
        + usage.output_tokens * rates.output_usd_per_million
    )
    return Cost(usd=round(usd / MILLION, 12), exact=False, source=price.source)


def _or(rate: float | None, whole: float) -> float:
    return whole if rate is None else rate
