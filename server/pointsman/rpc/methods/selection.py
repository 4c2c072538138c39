"""Methods about the choice of a model."""

from __future__ import annotations

from pointsman.core.selection import Selection
from pointsman.rpc.table import Context, method
from pointsman.rpc.types import Nothing, SwitchModelParams


@method
async def current_model(ctx: Context, params: Nothing) -> Selection:
    """Tells which model holds for this connection, who chose it, and what that hides."""
    return ctx.app.selections.current(ctx.client)


@method
async def switch_model(ctx: Context, params: SwitchModelParams) -> Selection:
    """Chooses a model; it is durable, in force and told to every client when the reply is sent."""
    return await ctx.app.selections.switch(ctx.client, params.model, params.scope, params.temporary, params.if_revision)
