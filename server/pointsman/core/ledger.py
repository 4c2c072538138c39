"""What chats took and cost, one entry each, and their sums. Must never know where entries are kept.

An unknown cost is unknown, never nothing: a sum says how many chats it knows no cost of.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from pointsman.core.chat import StopReason, Usage
from pointsman.core.pricing import Price, PriceTier, cost

By = Literal["day", "provider", "model", "account", "workspace", "client"]
Outcome = StopReason | Literal["error"]
BROKEN: tuple[Outcome, ...] = ("cancelled", "interrupted", "error")
"""How chats end that do not come to their end."""
MOST_TOKENS = 10**12
"""Tokens of one kind that a chat is taken to have had at most, whatever was written down."""
PLAN, LOCAL = "plan", "local"
"""Sources of a cost that is nothing by the kind of the provider."""


class Entry(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """One chat. `at` is its end, Unix seconds; `usd` is null where nobody knows the price.

    `inputTokens` include cached and cache-write tokens, `outputTokens` include reasoning. `exact`: the provider has
    counted the tokens; else they are estimated. `outcome` is how the chat ended. `source` is who says the cost: the
    provider by its id, `configuration`, `genai-prices`, or `plan` or `local` where each chat costs nothing. `failedUsd`
    is what attempts before the answer cost, as far as that is known; `usd` includes it.
    """

    chat_id: str
    at: float
    provider: str
    model: str
    client: str
    outcome: Outcome
    input_tokens: int
    output_tokens: int
    exact: bool
    usd: float | None
    total_ms: int
    attempts: int
    account: str | None = None
    workspace: str | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    first_token_ms: int | None = None
    source: str | None = None
    failed_usd: float | None = None


class Total(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """Sums over chats. `usd` is what is known; `unpriced` is how many chats it leaves out, `estimated` how many are
    counted by estimated tokens, `cancelled` how many did not come to their end, `plan` how many a plan has paid for.
    `againstUsd` is what the same tokens would have cost elsewhere."""

    name: str
    chats: int
    input_tokens: int
    output_tokens: int
    usd: float
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    unpriced: int = 0
    estimated: int = 0
    cancelled: int = 0
    plan: int = 0
    against_usd: float | None = None


class Part(Struct, frozen=True):
    """Sums over those chats of one name that one tier of another model's price holds for, the first being none.

    `plain` are tokens of input that were neither cached nor written into a cache, chat by chat, never below nothing;
    `spoken` those of output that were not reasoning.
    """

    total: Total
    tier: int
    plain: int
    spoken: int


def summed(parts: Iterable[Part], against: Price | None = None) -> list[Total]:
    """The sums by name, in the order in which the names come; `against` prices the same tokens as another model's."""
    found: dict[str, Total] = {}
    for part in parts:
        more = part.total
        if against is not None:
            more = replace(more, against_usd=_elsewhere(part, against))
        before = found.get(more.name)
        found[more.name] = more if before is None else _plus(before, more)
    return list(found.values())


def grand(totals: Iterable[Total], name: str = "") -> Total:
    """The sum of all; of none, nothing."""
    found = Total(name=name, chats=0, input_tokens=0, output_tokens=0, usd=0.0)
    for total in totals:
        found = _plus(found, total)
    return found


def bounds(price: Price | None) -> tuple[int, ...]:
    """The counts of input tokens above which each tier of a price holds."""
    return tuple(tier.above_input_tokens for tier in price.tiers) if price else ()


def _plus(one: Total, other: Total) -> Total:
    sums = {
        field: getattr(one, field) + getattr(other, field)
        for field in Total.__struct_fields__
        if field not in {"name", "usd", "against_usd"}
    }
    known = [each.against_usd for each in (one, other) if each.against_usd is not None]
    return replace(
        one, **sums, usd=round(one.usd + other.usd, 12), against_usd=round(sum(known), 12) if known else None
    )


def _elsewhere(part: Part, price: Price) -> float:
    """What the tokens of a part would have cost by one tier of a price."""
    rates: Price | PriceTier = price.tiers[part.tier - 1] if part.tier else price
    flat = replace(
        price,
        input_usd_per_million=rates.input_usd_per_million,
        output_usd_per_million=rates.output_usd_per_million,
        cached_input_usd_per_million=rates.cached_input_usd_per_million,
        cache_write_usd_per_million=rates.cache_write_usd_per_million,
        reasoning_usd_per_million=rates.reasoning_usd_per_million,
        usd_per_request=None,
        tiers=(),
    )
    total = part.total
    thought = total.output_tokens - part.spoken
    usage = Usage(
        input_tokens=part.plain + total.cached_input_tokens + total.cache_write_tokens,
        output_tokens=total.output_tokens,
        exact=False,
        cached_input_tokens=total.cached_input_tokens,
        cache_write_tokens=total.cache_write_tokens,
        reasoning_tokens=thought,
    )
    return round(cost(usage, flat).usd + total.chats * (price.usd_per_request or 0.0), 12)
