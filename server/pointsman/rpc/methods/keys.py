"""Methods about keys: what there is of them, and those that are stored."""

from __future__ import annotations

from pointsman.core.catalogue import Provider
from pointsman.core.stored import Record
from pointsman.rpc.key_types import (
    AdoptKeyParams,
    AdoptKeyResult,
    KeyInfo,
    KeyTrial,
    ListKeysParams,
    ListKeysResult,
    RemoveKeyParams,
    RemoveKeyResult,
    SetKeyParams,
    SetKeyResult,
)
from pointsman.rpc.methods.models import provider_named
from pointsman.rpc.table import Context, method
from pointsman.service.keys import Listed
from pointsman.service.testing import Trial

AT_EACH_CHAT = "Each chat brings its own key; none is kept."


@method
async def set_key(ctx: Context, params: SetKeyParams) -> SetKeyResult:
    """Stores a key, sealed, after it was tried, unless `test` is false.

    It is shown to the address that the provider has for this connection now, and to no other.
    """
    provider, environment = _configured(ctx, params.provider), ctx.client.environment
    record, trial = await ctx.app.keys.add(
        provider, params.key, params.label, environment, tried=params.test, client=ctx.client.name
    )
    known = ctx.app.credentials.known(provider, environment)
    variables = [each.name for each in known if each.kind == "variable"]
    return SetKeyResult(_stored(record), _trial(trial), variables)


@method
async def remove_key(ctx: Context, params: RemoveKeyParams) -> RemoveKeyResult:
    """Removes a stored key for good."""
    return RemoveKeyResult(
        _stored(await ctx.app.keys.remove(params.provider, params.label, ctx.client.name), usable=False)
    )


@method
async def list_keys(ctx: Context, params: ListKeysParams) -> ListKeysResult:
    """Lists the keys and accounts of every source, as this connection sees them: masked, and with their origin."""
    providers = ctx.app.catalogues.configured(ctx.client).providers
    if params.provider is not None and not ctx.app.vault.of(params.provider):
        _configured(ctx, params.provider)
    found = await ctx.app.keys.list(providers.values(), ctx.client.environment, params.provider, tried=params.test)
    keys = [_info(each) for each in found]
    for provider in providers.values():
        if provider.auth.scheme == "passthrough" and params.provider in {None, provider.id}:
            keys.append(KeyInfo(provider.id, "chat", stored=False, usable=True, note=AT_EACH_CHAT))
    trouble = ctx.app.vault.trouble
    return ListKeysResult(keys, trouble.data() if trouble else None)


@method
async def adopt_key(ctx: Context, params: AdoptKeyParams) -> AdoptKeyResult:
    """Moves the keys of a provider that stand in plain text in the user's file into the vault.

    They are stored for the address that the files name. Comments of the file stay.
    """
    app = ctx.app
    records = await app.keys.adopt(app.catalogues.base, params.provider, ctx.client.name)
    return AdoptKeyResult([_stored(record) for record in records], app.configuration.file)


def _configured(ctx: Context, id: str) -> Provider:
    """The provider of that id, whatever temporary session is in front of it. Raises UnknownProvider."""
    provider_named(ctx, id)
    return ctx.app.catalogues.configured(ctx.client).providers[id]


def _info(listed: Listed) -> KeyInfo:
    known, record = listed.known, listed.record
    return KeyInfo(
        provider=listed.provider,
        source=known.kind,
        stored=record is not None,
        usable=known.usable,
        name=known.name,
        account=listed.account,
        origin=known.origin,
        added_at=record.added_at if record else None,
        note=listed.why,
        trial=_trial(listed.trial),
    )


def _stored(record: Record, *, usable: bool = True) -> KeyInfo:
    return KeyInfo(
        provider=record.provider,
        source="stored",
        stored=True,
        usable=usable,
        name=record.label,
        account=record.account,
        origin=record.origin,
        added_at=record.added_at,
    )


def _trial(trial: Trial | None) -> KeyTrial | None:
    if trial is None:
        return None
    error = trial.error.data() if trial.error else None
    return KeyTrial(error is None, trial.milliseconds, list(trial.steps), error)
