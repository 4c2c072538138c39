"""Methods about what chats took and cost."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import asdict

from pointsman.core.errors import UnknownModel
from pointsman.core.ledger import Entry
from pointsman.core.pricing import Price
from pointsman.rpc.replies import Refused, invalid_params
from pointsman.rpc.table import Context, method
from pointsman.rpc.usage_types import ChatEntry, ExportUsageParams, ExportUsageResult, UsageParams, UsageResult
from pointsman.service.clock import rfc3339
from pointsman.service.periods import beginning, end
from pointsman.service.prices import sells_tokens
from pointsman.service.usage import Query

FREE = Price(0.0, 0.0, "free")


@method
async def usage(ctx: Context, params: UsageParams) -> UsageResult:
    """Sums up what chats took and cost, those that were cancelled, broke off or failed among them.

    An unknown price is no cost of 0: `unpriced` says of how many chats nobody knows it.
    """
    app, catalogue = ctx.app, ctx.app.catalogues.of(ctx.client)
    since, until = _time(ctx, params.since, beginning), _time(ctx, params.until, end)
    name, price = await _against(ctx, params.against) if params.against else (None, None)
    totals, grand = await app.usage.totals(Query(params.by, since, until, price), _accounts(ctx))
    most = len(totals) if params.limit is None else params.limit
    return UsageResult(
        by=params.by,
        since=rfc3339(since),
        until=rfc3339(until),
        totals=totals[-most:] if params.by == "day" else totals[:most],
        grand=grand,
        recording=catalogue.ledger.record,
        left_out=max(0, len(totals) - most),
        against=name,
        against_price=price,
        budgets=app.usage.standing(catalogue.budgets, ctx.client.workspace or ""),
    )


@method
async def export_usage(ctx: Context, params: ExportUsageParams) -> ExportUsageResult:
    """Gives the chats themselves, page by page: what each took and cost, never what was asked or answered."""
    since, until = _time(ctx, params.since, beginning), _time(ctx, params.until, end)
    found = await ctx.app.usage.entries(since, until, params.after, params.limit)
    titles = _accounts(ctx)
    chats = [_entry(entry, ctx.app.usage.account(entry, titles)) for _, entry in found]
    return ExportUsageResult(chats, found[-1][0] if len(found) == params.limit else None)


def _entry(entry: Entry, account: str | None) -> ChatEntry:
    values = asdict(entry) | {"account": account}
    return ChatEntry(ended_at=rfc3339(values.pop("at")), **values)


def _time(ctx: Context, text: str, read: Callable[[str, float], float]) -> float:
    try:
        return read(text, ctx.app.usage.clock())
    except ValueError as error:
        raise Refused(invalid_params(str(error))) from None


def _accounts(ctx: Context) -> dict[str, str]:
    """What people call stored credentials, by the ids of their records."""
    return {record.id: record.label for record in ctx.app.vault.all()}


async def _against(ctx: Context, spec: str) -> tuple[str, Price]:
    """A model by any name of it, and its price. Raises RouteError where there is none, or where nobody knows it."""
    catalogue = ctx.app.catalogues.of(ctx.client)
    target = ctx.app.selections.route(ctx.client, spec).targets[0]
    provider = catalogue.providers[target.provider]
    price = await ctx.app.models.price_known(provider, target.model)
    if price is None and not sells_tokens(provider):
        price = FREE
    if price is None:
        line = f'[providers.{provider.id}.prices] "{target.model}" = {{ input = …, output = … }}'
        advice = f"Say in pointsman.toml what a million tokens cost, in US dollars: {line}."
        raise UnknownModel(f"Nobody knows a price of {target}.", advice)
    return str(target), price
