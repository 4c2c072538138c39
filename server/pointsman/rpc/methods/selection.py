"""Methods about the choice of a model."""

from __future__ import annotations

from pointsman.core.chat import Conversation
from pointsman.core.selection import Selection
from pointsman.rpc.table import Context, method
from pointsman.rpc.types import ExplainRouteParams, Nothing, SwitchModelParams
from pointsman.service.explaining import Explanation


@method
async def current_model(ctx: Context, params: Nothing) -> Selection:
    """Tells which model holds for this connection, who chose it, and what that hides."""
    return ctx.app.selections.current(ctx.client)


@method
async def switch_model(ctx: Context, params: SwitchModelParams) -> Selection:
    """Chooses a model; it is durable, in force and told to every client when the reply is sent."""
    return await ctx.app.selections.switch(ctx.client, params.model, params.scope, params.temporary, params.if_revision)


@method
async def explain_route(ctx: Context, params: ExplainRouteParams) -> Explanation:
    """Tells what a chat would do: which targets it would try, in order, which it would leave out, and why.

    With `messages`, also what each target could not carry over, or what would keep it from being asked. Nothing is
    sent anywhere.
    """
    conversation = Conversation(params.messages, params.system, params.tools, params.tool_choice, params.options)
    asked = conversation if params.messages else None
    return ctx.app.explain(ctx.client, params.model, asked, params.conversation_id)
