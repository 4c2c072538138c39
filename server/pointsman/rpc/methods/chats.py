"""Methods about chats."""

from __future__ import annotations

from pointsman.core.chat import Conversation
from pointsman.core.receipt import ChatResult
from pointsman.rpc.table import Context, method
from pointsman.rpc.types import AttachParams, ChatParams, ChatRef, ListChatsResult, Nothing
from pointsman.service.credentials import given
from pointsman.service.planning import Terms


@method
async def chat(ctx: Context, params: ChatParams) -> ChatResult:
    """Asks a model. Events arrive as `pointsman/chatEvents`; the reply follows the last of them.

    `$/cancelRequest` ends the chat at once for all who watch it, and the reply is a result with `stopReason:
    "cancelled"`.
    """
    conversation = Conversation(params.messages, params.system, params.tools, params.tool_choice, params.options)
    keys = given(params.credentials)
    terms = Terms(params.chat_id, params.conversation_id, params.detach, keys, params.session, params.trace)
    begun = ctx.app.chat(ctx.client, conversation, params.model, terms)
    ctx.cancels(begun.cancel)
    return await ctx.follow(begun, -1, stream=params.stream)


@method
async def attach_chat(ctx: Context, params: AttachParams) -> ChatResult:
    """Follows a chat from any point, whoever began it; the reply is the same as the starter's.

    `$/cancelRequest` only detaches: the chat runs on for the others.
    """
    return await ctx.follow(ctx.app.chats.get(params.chat_id), params.after, stream=params.stream)


@method
async def cancel_chat(ctx: Context, params: ChatRef) -> ChatResult:
    """Ends a chat for all who watch it, and gives what had come of it; one that had finished stays as it was."""
    ended = ctx.app.chats.get(params.chat_id)
    ended.cancel()
    return await ctx.follow(ended, len(ended) - 1, stream=False)


@method
async def list_chats(ctx: Context, params: Nothing) -> ListChatsResult:
    """Lists the chats of all clients, for attaching."""
    return ListChatsResult(ctx.app.chats.list())
