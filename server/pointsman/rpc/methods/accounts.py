"""Methods about accounts that sign in."""

from __future__ import annotations

import time

from pointsman.core.http import origin
from pointsman.core.stored import Record, Tokens
from pointsman.rpc.account_types import (
    AccountInfo,
    AccountState,
    ListAccountsParams,
    ListAccountsResult,
    SignInParams,
    SignOutParams,
    SignOutResult,
)
from pointsman.rpc.methods.models import provider_named
from pointsman.rpc.table import Context, method
from pointsman.service.clock import rfc3339


@method
async def sign_in(ctx: Context, params: SignInParams) -> AccountInfo:
    """Signs in to a provider; the reply comes when the person has finished, within ten minutes.

    The page is opened by the editor that asked (`window/showDocument`); where it can't, and with a code for another
    device, it is told `pointsman/signInCode`, or shows a message if it does not speak our protocol. Signing in again to
    the same account takes the place of the old sign-in. `$/cancelRequest` ends it; so does beginning another one for
    the same provider.
    """
    provider = provider_named(ctx, params.provider)
    record = await ctx.app.login.sign_in(ctx.client, provider, params.flow, params.label, params.account or "")
    return _info(ctx, record)


@method
async def sign_out(ctx: Context, params: SignOutParams) -> SignOutResult:
    """Ends an account's tokens at its provider, where it has a place for that, and forgets them here in any case."""
    provider = ctx.app.catalogues.configured(ctx.client).providers.get(params.provider)
    done = await ctx.app.login.sign_out(ctx.client, provider, params.provider, params.account)
    error = done.error.data() if done.error else None
    return SignOutResult(params.provider, done.record.account, done.revoked, error)


@method
async def list_accounts(ctx: Context, params: ListAccountsParams) -> ListAccountsResult:
    """Lists the accounts that have signed in, and whether each can be used now; never a token."""
    return ListAccountsResult([_info(ctx, record) for record in ctx.app.login.accounts(params.provider)])


def _info(ctx: Context, record: Record) -> AccountInfo:
    tokens = record.holds
    assert isinstance(tokens, Tokens), "accounts hold tokens"
    state, reason = _state(ctx, record)
    return AccountInfo(
        id=record.id,
        provider=record.provider,
        account=record.account,
        state=state,
        added_at=record.added_at,
        last_refresh_at=rfc3339(tokens.obtained_at),
        expires_at=None if tokens.expires_at is None else rfc3339(tokens.expires_at),
        reason=reason,
    )


def _state(ctx: Context, record: Record) -> tuple[AccountState, str | None]:
    provider = ctx.app.catalogues.configured(ctx.client).providers.get(record.provider)
    if provider is None:
        return "unknownProvider", None
    if origin(provider.base_url) != record.origin:
        return "wrongOrigin", f"It signed in for {record.origin}, and the provider is at {origin(provider.base_url)}."
    ended = record.ended(time.time())
    return ("ready" if ended is None else "signInNeeded"), ended
