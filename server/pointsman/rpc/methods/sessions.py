"""Methods about temporary sessions: a key that is tried for a while."""

from __future__ import annotations

from collections.abc import Collection

from pointsman.core.catalogue import Provider
from pointsman.core.configuration import provider_from
from pointsman.core.errors import BadRequest, ConfigError, CredentialError, MissingKey
from pointsman.core.secret import Secret
from pointsman.core.selection import Scope
from pointsman.core.well_formed import HTTP
from pointsman.edge.sources import fault
from pointsman.rpc.methods.models import provider_named
from pointsman.rpc.session_types import (
    ActivateSessionParams,
    ClearSessionParams,
    ClearSessionResult,
    CreateSessionParams,
    CreateSessionResult,
    ListSessionsResult,
)
from pointsman.rpc.table import Context, method
from pointsman.rpc.types import Nothing
from pointsman.service.trials import SessionInfo


@method
async def create_session(ctx: Context, params: CreateSessionParams) -> CreateSessionResult:
    """Begins a temporary session with a key, which is kept in memory alone and forgotten when its time is over.

    It does nothing until it is activated, or named in a chat's `session`.
    """
    provider = provider_named(ctx, params.provider)
    _check_address(ctx, provider, params.base_url)
    key = _key(provider, params.credentials, ctx.app.plugins.schemes)
    trials = ctx.app.trials
    token, session = trials.create(provider, key, params.minutes, params.base_url, ctx.client)
    return CreateSessionResult(token, session.id, session.provider, session.account, session.expires_at)


@method
async def activate_session(ctx: Context, params: ActivateSessionParams) -> SessionInfo:
    """Puts a temporary session in front of whatever is configured or stored for its provider, at a scope.

    The narrowest scope wins. Activated again, the session moves; another that was active there for the same provider
    rests until it is activated again, or ends. Every client is told.
    """
    scope: Scope = params.scope or ("window" if ctx.client.gave_window else "global")
    app, client = ctx.app, ctx.client
    catalogue = app.catalogues.configured(client)
    if params.base_url is not None:
        _check_address(ctx, provider_named(ctx, app.trials.open(params.token).provider), params.base_url)
    session = app.trials.activate(params.token, scope, params.base_url, client, catalogue)
    listed = app.trials.list(client, app.catalogues.of(client))
    return next(each for each in listed if each.id == session.id)


@method
async def clear_session(ctx: Context, params: ClearSessionParams) -> ClearSessionResult:
    """Ends a temporary session at once and forgets its key. Chats that run finish with it. Every client is told."""
    app, client = ctx.app, ctx.client
    named = params.token or params.id
    if named is None and params.provider is None:
        raise BadRequest("Say which session should end.", "Give its `token`, its `id`, or a `provider`.")
    if named is None:
        assert params.provider is not None
        named = app.trials.active(params.provider, params.scope, client, app.catalogues.configured(client)).id
    session = app.trials.clear(named, client)
    return ClearSessionResult(session.id, session.provider, session.account)


@method
async def list_sessions(ctx: Context, params: Nothing) -> ListSessionsResult:
    """Lists all temporary sessions with the seconds that each has left; never a key, nor a token."""
    ctx.app.trials.end_what_is_over()
    return ListSessionsResult(ctx.app.trials.list(ctx.client, ctx.app.catalogues.of(ctx.client)))


def _check_address(ctx: Context, provider: Provider, base_url: str | None) -> None:
    """Refuses a base URL that is none, and a provider whose own is not known whole. Raises ConfigError."""
    if base_url is not None:
        if base_url.partition("://")[0].lower() not in HTTP:
            text = "A temporary session is for an address that begins with https:// or http://, and this one does not."
            raise ConfigError(text, "Give another `baseUrl`, or none.", provider=provider.id)
        provider_from(provider.id, {"base_url": base_url}, ctx.app.quirks, ctx.app.schemes)
    elif provider.missing:
        raise ctx.app.credentials.missing(provider)


def _key(provider: Provider, given: str | dict[str, str], by_plugins: Collection[str]) -> Secret:
    """The key that came for this provider. Raises CredentialError for what can't be one."""
    if isinstance(given, dict):
        if others := given.keys() - {provider.id}:
            text = f"A session is for one provider, and this one came with a key for {sorted(others)[0]!r}, too."
            raise CredentialError(text, "Begin one for each.", provider=provider.id)
        given = given.get(provider.id, "")
    key = given.strip()
    if provider.auth.scheme == "none" or provider.auth.scheme in by_plugins:
        raise CredentialError(f"{provider.title} takes no key, so there is none to try.", "Just ask it.")
    if not key:
        raise MissingKey(f"No key came for {provider.title}.", "Give the key to try.", provider=provider.id)
    if why := fault(key) or (" " in key and "it has a space in it"):
        text = f"What came for {provider.title} is no key: {why}."
        raise CredentialError(text, "Copy it again, without anything around it.", provider=provider.id)
    return Secret(key)
