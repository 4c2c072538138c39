"""Methods about the user's configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from pointsman.core.catalogue import COMPUTED, Chain, Provider
from pointsman.core.configuration import provider_from
from pointsman.core.errors import ConfigError
from pointsman.core.mistakes import HINT
from pointsman.core.network import without_secrets
from pointsman.core.routing import CHAIN, resolve
from pointsman.core.secret import hide_within
from pointsman.core.sources import Plain, sources
from pointsman.core.well_formed import wrong_alias, wrong_chain
from pointsman.rpc.methods.models import provider_named
from pointsman.rpc.table import Context, method
from pointsman.rpc.types import (
    ConfigResult,
    GetConfigResult,
    GetProviderResult,
    Nothing,
    ProviderRef,
    ProviderTestParams,
    ProviderTestResult,
    RemoveProviderParams,
    SetAliasParams,
    SetChainParams,
    SetDefaultParams,
    SetProviderParams,
    TrustParams,
    TrustResult,
)
from pointsman.service.credentials import given
from pointsman.service.health import Asked
from pointsman.service.testing import Trial, Wanted, test


@method
async def get_provider(ctx: Context, params: ProviderRef) -> GetProviderResult:
    """Gives all that is configured for a provider, and which layer each value comes from.

    Keys and headers stay hidden.
    """
    catalogue = ctx.app.catalogues.configured(ctx.client)
    provider_named(ctx, params.provider)
    values = msgspec.to_builtins(catalogue.providers[params.provider])
    for name in COMPUTED - {"id", "configured_by_user"}:
        values.pop(name)
    if values["auth"]["oauth"] is None:
        del values["auth"]["oauth"]
    values["proxy"] = without_secrets(values["proxy"])
    values["headers"] = dict.fromkeys(values["headers"], "…")
    values["keys"], values["api_key"] = list(map(_shown, values["keys"])), _shown(values["api_key"])
    start = f"providers.{params.provider}."
    origins = {path.removeprefix(start): origin for path, origin in catalogue.origins.items() if path.startswith(start)}
    return GetProviderResult(params.provider, values, origins, ctx.app.configuration.revision())


@method
async def get_config(ctx: Context, params: Nothing) -> GetConfigResult:
    """Gives all that is configured besides providers, and which layer each value comes from."""
    found = ctx.app.catalogues.of(ctx.client)
    first = ("default", "project_default", "fallback", "aliases", "chains")
    names = (*first, "daemon", "limits", "network", "metrics", "budgets", "ledger")
    values = {name: msgspec.to_builtins(getattr(found, name)) for name in names}
    if proxy := without_secrets(found.network.proxy):
        values["network"]["proxy"] = proxy
    origins = {at: by for at, by in found.origins.items() if not at.startswith("providers")}
    for name in found.chains:  # a plain list is its targets
        origins.setdefault(f"chains.{name}.targets", origins[f"chains.{name}"])
    return GetConfigResult(hide_within(values), hide_within(origins))


@method
async def set_provider(ctx: Context, params: SetProviderParams) -> ConfigResult:
    """Writes values of a provider into the user's file, after it was tried with them, unless `test` is false.

    Only what is named is changed; null removes a value. Comments and order of the file stay.
    """
    if params.test:
        configured = ctx.app.catalogues.configured(ctx.client).providers.get(params.provider)
        trial = await _try(ctx, _with(ctx, configured, params.provider, params.values), configured, Wanted())
        if trial.error:
            raise ConfigError(
                f"Nothing was saved: {trial.error.message}",
                f"{trial.error.advice} To save it all the same, pass `test: false`.",
            )
    path = ["providers", params.provider]
    return ConfigResult(await ctx.app.configuration.change(path, params.values, params.if_revision))


@method
async def remove_provider(ctx: Context, params: RemoveProviderParams) -> ConfigResult:
    """Takes a provider out of the user's file; one that comes with Pointsman is then as it came.

    A choice of it stays.
    """
    provider_named(ctx, params.provider)
    _must_be_in_the_users_file(ctx, params.provider)
    path = ["providers", params.provider]
    return ConfigResult(await ctx.app.configuration.change(path, None, params.if_revision))


@method
async def set_alias(ctx: Context, params: SetAliasParams) -> ConfigResult:
    """Writes an alias into the user's file; a null model removes it."""
    catalogue = ctx.app.catalogues.of(ctx.client)
    if params.model is not None:
        _must_be_a_name(wrong_alias(params.alias))
        resolve(catalogue, params.model)
        resolve(replace(catalogue, aliases={**catalogue.aliases, params.alias: params.model}), params.alias)
    elif params.alias not in ctx.app.catalogues.base.aliases and params.alias in catalogue.aliases:
        origin = catalogue.origins[f"aliases.{params.alias}"]
        raise ConfigError(f"The alias {params.alias!r} is not in your own file but in {origin}.", "Remove it there.")
    return ConfigResult(
        await ctx.app.configuration.change(["aliases"], {params.alias: params.model}, params.if_revision)
    )


@method
async def set_chain(ctx: Context, params: SetChainParams) -> ConfigResult:
    """Writes a chain into the user's file; null targets remove it.

    It is a plain list there where only targets are said, else a table.
    """
    catalogue, base, name = ctx.app.catalogues.of(ctx.client), ctx.app.catalogues.base, params.chain
    value: list[str] | dict[str, Any] | None = None
    if params.targets is not None:
        _must_be_a_name(wrong_chain(name))
        before = base.chains.get(name, Chain(()))
        chain = Chain(params.targets, params.strategy or before.strategy, params.on_break or before.on_break)
        known = ctx.app.models.known(catalogue)
        resolve(replace(catalogue, chains={**catalogue.chains, name: chain}), CHAIN + name, known=known, strict=True)
        value = _written(chain, is_table=f"chains.{name}.targets" in base.origins)
    elif name not in base.chains and name in catalogue.chains:
        origin = catalogue.origins[f"chains.{name}"]
        raise ConfigError(f"The chain {name!r} is not in your own file but in {origin}.", "Remove it there.")
    return ConfigResult(await ctx.app.configuration.change(["chains"], {name: value}, params.if_revision))


@method
async def set_default(ctx: Context, params: SetDefaultParams) -> ConfigResult:
    """Writes the default model into the user's file; null removes it. Choices that were made win over it as before."""
    if params.model is not None:
        resolve(ctx.app.catalogues.of(ctx.client), params.model)
    return ConfigResult(await ctx.app.configuration.change([], {"default": params.model}, params.if_revision))


@method
async def reload_config(ctx: Context, params: Nothing) -> ConfigResult:
    """Reads the configuration again now.

    It is noticed by itself when it changes; this is for those who want to be sure.
    """
    await ctx.app.reload()
    return ConfigResult(ctx.app.configuration.revision())


@method
async def test_provider(ctx: Context, params: ProviderTestParams) -> ProviderTestResult:
    """Tries a provider, with what is configured, or with a key or a base URL that was typed just now.

    It is asked for its models, and for a word if that is wanted. A configured key is never sent to a `baseUrl` of
    another origin.
    """
    values = {"base_url": params.base_url} if params.base_url else {}
    typed = {params.provider: params.key} if params.key and params.key.strip() else params.credentials
    wanted = Wanted(given(typed).get(params.provider), params.say or params.model is not None, params.model)
    now = ctx.app.catalogues.of(ctx.client).providers.get(params.provider)
    if now is None and not values:
        provider_named(ctx, params.provider)  # which says that there is none
    trial = await _try(ctx, _with(ctx, now, params.provider, values), now, wanted)
    error = trial.error.data() if trial.error else None
    return ProviderTestResult(error is None, trial.milliseconds, trial.models, list(trial.steps), error)


@method
async def trust_workspace(ctx: Context, params: TrustParams) -> TrustResult:
    """Trusts a folder's `.pointsman.toml` as it is now, or trusts it no more. A change of the file ends the trust."""
    return TrustResult(await ctx.app.trust(params.folder, wanted=params.trusted), params.trusted)


def _shown(written: Any) -> Any:
    """Where a key comes from, as it is written; of a key itself its mask, of a program no argument."""
    if isinstance(written, dict):
        return {"command": [*written["command"][:1], *["…" for _ in written["command"][1:]]]}
    found = sources([written])
    return found[0].key.mask() if found and isinstance(found[0], Plain) else written


def _must_be_a_name(wrong: str | None) -> None:
    """Refuses what the file's reader would refuse, too."""
    if wrong:
        text, _, hint = wrong.partition(HINT)
        raise ConfigError(f"{text}.", hint)


def _must_be_in_the_users_file(ctx: Context, id: str) -> None:
    """Refuses to take out what stands in a file of its own alone."""
    origins = ctx.app.catalogues.of(ctx.client).origins
    own = {origin for path, origin in origins.items() if path.startswith(f"providers.{id}.")}
    dropped = sorted(origin for origin in own if Path(origin).parent == ctx.app.catalogues.folder)
    if dropped and ctx.app.where.config_file not in own:
        raise ConfigError(f"{id} is defined by a file of its own: {dropped[0]}.", "Remove that file.")


def _written(chain: Chain, *, is_table: bool) -> list[str] | dict[str, Any]:
    """A chain as a file says it: what goes without saying is left out, and what was a table stays one."""
    usual = Chain(())
    more: dict[str, Any] = {
        "strategy": None if chain.strategy == usual.strategy else chain.strategy,
        "on_break": None if chain.on_break == usual.on_break else chain.on_break,
    }
    targets = list(chain.targets)
    return {"targets": targets, **more} if is_table or any(more.values()) else targets


def _with(ctx: Context, configured: Provider | None, id: str, values: Mapping[str, Any]) -> Provider:
    """The provider as it would be with these values over what holds. Raises ConfigError."""
    table = msgspec.to_builtins(configured) if configured else {}
    computed = {name: table.pop(name, None) for name in COMPUTED}
    if template := computed["template"]:  # other values of its parameters fill it anew
        table["base_url"] = template
    provider = provider_from(id, _over(table, values), ctx.app.quirks, ctx.app.schemes)
    kept: dict[str, Any] = {"network": ctx.app.catalogues.of(ctx.client).network}
    if configured is not None:
        kept |= {"temporary": configured.temporary, "written_for": configured.written_for}
    if configured is not None and "auth" not in values:  # a variable may have said another scheme than the keys do
        kept["auth"] = configured.auth
    return msgspec.structs.replace(provider, **kept)


def _over(table: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A table with values over it, also over those of the tables in it; null removes one."""
    merged = {**table, **values}
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(table.get(key), Mapping):
            merged[key] = _over(table[key], value)
    return {key: value for key, value in merged.items() if value is not None}


async def _try(ctx: Context, provider: Provider, configured: Provider | None, wanted: Wanted) -> Trial:
    app = ctx.app
    tools, health = (app.credentials, app.transports), app.health
    trial = await test(provider, configured, ctx.client.environment, tools, wanted, app.plugins.wires)
    if trial.answered:  # as with a chat: whatever was held against who has answered is over
        model, credential = trial.answered
        account = health.account(credential, passing=wanted.key is not None)
        health.answered(Asked(provider, account, model, credential.account), None)
    return trial
