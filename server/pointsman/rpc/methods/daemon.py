"""Methods about the daemon itself."""

from __future__ import annotations

import os
import time

from pointsman.core.catalogue import Provider
from pointsman.edge.process import resident_memory
from pointsman.endpoint import PROTOCOL, VERSION
from pointsman.rpc.plan_types import PlanInfo
from pointsman.rpc.status_types import ProviderStatus, StatusParams, StatusResult
from pointsman.rpc.table import Context, method
from pointsman.rpc.types import ClientInfo
from pointsman.service.clients import Client
from pointsman.service.clock import rfc3339
from pointsman.service.standing import Standing


@method
async def status(ctx: Context, params: StatusParams) -> StatusResult:
    """Tells how the daemon and its providers are, what was spent, and who is connected."""
    app = ctx.app
    catalogue, problems = app.catalogues.of(ctx.client), app.problems(ctx.client)
    dashboard, spent = await _dashboard(ctx, ask_for_credit=params.credit), app.usage.spent()
    return StatusResult(
        version=VERSION,
        protocol=PROTOCOL,
        pid=os.getpid(),
        started_at=app.started_at,
        uptime_seconds=round(time.monotonic() - app.born, 1),
        draining=app.draining,
        config_file=str(app.where.config_file),
        log_file=str(app.where.log),
        endpoint=str(app.where.socket),
        memory=resident_memory(),
        clients=[_info(client) for client in app.clients],
        running_chats=len(app.chats.running),
        kept_chats=len(app.chats),
        waiting_chats=len(app.limits),
        providers=len(catalogue.providers),
        problems=sum(len(each.problems) for each in problems),
        plugins=[plugin.info for plugin in app.plugins.found],
        dashboard=dashboard,
        spent_today=round(spent.day, 6),
        spent_month=round(spent.month, 6),
        unpriced_today=sum(app.observing.recent.unpriced.values()),
        unpriced_month=app.observing.recent.unpriced_month,
        budgets=app.usage.standing(catalogue.budgets, ctx.client.workspace or ""),
        plans=[
            PlanInfo(provider.id, provider.title, list(plan.windows), plan.left, plan.resets_at)
            for provider in catalogue.providers.values()
            if (plan := app.plans.of(provider))
        ],
        metrics=app.observing.metrics.info,
    )


async def _dashboard(ctx: Context, *, ask_for_credit: bool) -> list[ProviderStatus]:
    """The providers that are worth a line: those in use, those that could be used, and those that the user wants."""
    app, catalogue, environment = ctx.app, ctx.app.catalogues.of(ctx.client), ctx.client.environment
    await app.observing.recent.loaded()
    await app.neighbours.look(catalogue.providers.values())
    active = app.selections.current(ctx.client).provider
    worth = [
        provider
        for provider in catalogue.providers.values()
        if provider.id == active
        or provider.configured_by_user
        or provider.id in app.observing.recent.last
        or (provider.stands_in and app.credentials.usable(provider, environment))
    ]
    shown = [each for each in worth if each.configured_by_user or not app.neighbours.is_offline(each)]
    if ask_for_credit:
        chosen = (each for each in shown if each.configured_by_user or each.id in app.observing.recent.last)
        await app.observing.credits.look((provider, environment) for provider in chosen)
    shown.sort(key=lambda provider: provider.id != active)
    stands = app.standings(ctx.client, active)
    return [_line(ctx, provider, stands(provider)) for provider in shown]


def _line(ctx: Context, provider: Provider, stands: Standing) -> ProviderStatus:
    app, environment, recent = ctx.app, ctx.client.environment, ctx.app.observing.recent
    listed = app.models.known(app.catalogues.of(ctx.client)).get(provider.id, ())
    last = recent.last.get(provider.id)
    return ProviderStatus(
        provider=provider.id,
        name=provider.title,
        state=stands.state,
        models=len({*listed, *(provider.model(name) for name in provider.names)}),
        cost_today=round(app.usage.spent(("provider", provider.id)).day, 6),
        unpriced_today=recent.unpriced.get(provider.id, 0),
        waiting=app.limits.queues.get(provider.id, 0),
        since=stands.since,
        reason=stands.reason,
        resets_at=stands.resets_at,
        remaining=stands.remaining,
        credit=app.observing.credits.of(provider, environment),
        last_used_at=rfc3339(last) if last is not None else None,
        windows=list(stands.windows),
    )


def _info(client: Client) -> ClientInfo:
    return ClientInfo(
        client=client.name,
        version=client.version,
        window_id=client.window or "",
        connected_at=client.connected_at,
        client_version=client.client_version,
        workspace=client.workspace,
    )
