"""Methods about the daemon itself."""

from __future__ import annotations

import os
import time

from pointsman.edge.process import resident_memory
from pointsman.endpoint import PROTOCOL, VERSION
from pointsman.rpc.plan_types import PlanInfo
from pointsman.rpc.table import Context, method
from pointsman.rpc.types import ClientInfo, Nothing, StatusResult
from pointsman.service.clients import Client


@method
async def status(ctx: Context, params: Nothing) -> StatusResult:
    """Tells how the daemon is, and who is connected."""
    app = ctx.app
    catalogue, problems = app.catalogues.of(ctx.client), app.problems(ctx.client)
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
        providers=len(catalogue.providers),
        problems=sum(len(each.problems) for each in problems),
        plugins=[plugin.info for plugin in app.plugins.found],
        plans=[
            PlanInfo(provider.id, provider.title, list(plan.windows), plan.left, plan.resets_at)
            for provider in catalogue.providers.values()
            if (plan := app.plans.of(provider))
        ],
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
