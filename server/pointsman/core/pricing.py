"""What tokens cost: prices as values, and the cost of a chat by them. Must never know where a price comes from."""

from __future__ import annotations

from msgspec import Struct

from pointsman.core.accounting import MOST_DOLLARS
from pointsman.core.catalogue import Provider
from pointsman.core.chat import Cost, Usage

MILLION = 1_000_000
CONFIGURED = "configuration"
"""Who says a price that the user has written down."""


class PriceTier(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The price of a request with more input tokens than `aboveInputTokens`; it holds for all of its tokens."""

    above_input_tokens: int
    input_usd_per_million: float
    output_usd_per_million: float
    cached_input_usd_per_million: float | None = None
    cache_write_usd_per_million: float | None = None
    reasoning_usd_per_million: float | None = None


class Price(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The price of a model in US dollars a million tokens.

    `source` says who says so: the user's `configuration`, the provider by its id, or `genai-prices`, of which `edition`
    is the release. What is not said of cached tokens costs as much as input, and of reasoning as much as output.
    `usdPerRequest` comes on top. `tiers` are for long requests, the shortest first.
    """

    input_usd_per_million: float
    output_usd_per_million: float
    source: str
    cached_input_usd_per_million: float | None = None
    cache_write_usd_per_million: float | None = None
    edition: str | None = None
    tiers: tuple[PriceTier, ...] = ()
    reasoning_usd_per_million: float | None = None
    usd_per_request: float | None = None

    @property
    def is_free(self) -> bool:
        """Whether nothing of it costs anything."""
        rates: list[Price | PriceTier] = [self, *self.tiers]
        said = (self.usd_per_request, *(rate for each in rates for rate in _rates(each)))
        return not any(said)


def configured(provider: Provider, id: str) -> Price | None:
    """What the user says that a model costs, by the provider's own id for it."""
    for name, own in provider.prices.items():
        if provider.model(name) == id:
            rates = own.input, own.output, CONFIGURED, own.cached_input, own.cache_write
            return Price(*rates, reasoning_usd_per_million=own.reasoning, usd_per_request=own.request)
    return None


def cost(usage: Usage, price: Price) -> Cost:
    """What tokens cost by a list of prices; never exact, since it is not what the provider bills."""
    rates: Price | PriceTier = price
    for tier in price.tiers:
        if usage.input_tokens > tier.above_input_tokens:
            rates = tier
    whole = rates.input_usd_per_million
    cached, written = usage.cached_input_tokens or 0, usage.cache_write_tokens or 0
    thought = min(usage.reasoning_tokens or 0, usage.output_tokens)
    usd = (
        max(0, usage.input_tokens - cached - written) * whole
        + cached * _or(rates.cached_input_usd_per_million, whole)
        + written * _or(rates.cache_write_usd_per_million, whole)
        + (usage.output_tokens - thought) * rates.output_usd_per_million
        + thought * _or(rates.reasoning_usd_per_million, rates.output_usd_per_million)
    )
    return Cost(usd=round(usd / MILLION + (price.usd_per_request or 0.0), 12), exact=False, source=price.source)


def credible(found: Cost | None) -> Cost | None:
    """A cost, unless nobody can have paid it: then nobody knows what it was."""
    return found if found is not None and 0 <= found.usd <= MOST_DOLLARS else None


def _rates(price: Price | PriceTier) -> tuple[float | None, ...]:
    return (
        price.input_usd_per_million,
        price.output_usd_per_million,
        price.cached_input_usd_per_million,
        price.cache_write_usd_per_million,
        price.reasoning_usd_per_million,
    )


def _or(rate: float | None, whole: float) -> float:
    return whole if rate is None else rate
