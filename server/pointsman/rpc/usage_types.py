"""What chats took and cost, as clients ask for it. Names are camelCase on the wire; times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pointsman.core.ledger import By, Outcome, Total
from pointsman.core.pricing import Price
from pointsman.service.usage import BudgetState


class UsageParams(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Which chats, by their end, and by what they are summed up.

    `since` and `until` are RFC 3339, a date (the whole day on the daemon's calendar), or for `since` also `7d`, `24h`,
    `2w`, `today`, `yesterday`, `week`, `month`, `year` or `all`. `against` names a model (`provider:model`) whose price
    the same tokens are to be priced by, too. At most `limit` sums are given: of days the latest, else the largest.
    """

    since: str = "month"
    until: str = "now"
    by: By = "day"
    against: str | None = None
    limit: Annotated[int, Meta(ge=1, le=10_000)] | None = None


class UsageResult(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Sums by name, and over all of them (`grand`): also of those that `limit` leaves out, `leftOut` in number.

    `recording` is false where nothing is written down: then there are no new chats in it. `againstPrice` is the price
    that `againstUsd` was reckoned with. `budgets` are how much of each is spent now.
    """

    by: By
    since: str
    until: str
    totals: list[Total]
    grand: Total
    recording: bool
    left_out: int = 0
    against: str | None = None
    against_price: Price | None = None
    budgets: list[BudgetState] = []


class ExportUsageParams(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Which chats, as for `usage`; behind the one of the number `after`, at most `limit` of them."""

    since: str = "month"
    until: str = "now"
    after: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=5000)] = 1000


class ChatEntry(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """One chat that has reached a provider. `usd` is absent where nobody knows the price; `source` is who says it.

    `inputTokens` include cached and cache-write tokens, `outputTokens` include reasoning; `exact`: the provider has
    counted them. `failedUsd` is what attempts before the answer cost, as far as that is known, and is in `usd`.
    """

    chat_id: str
    ended_at: str
    provider: str
    model: str
    client: str
    outcome: Outcome
    input_tokens: int
    output_tokens: int
    exact: bool
    total_ms: int
    attempts: int
    usd: float | None = None
    source: str | None = None
    account: str | None = None
    workspace: str | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    first_token_ms: int | None = None
    failed_usd: float | None = None


class ExportUsageResult(Struct, rename="camel", omit_defaults=True):
    """Chats in their order. `next` is the number to go on behind; absent when these are the last."""

    chats: list[ChatEntry]
    next: int | None = None
