"""Methods about what there is to choose from."""

from __future__ import annotations

from pointsman.core.catalogue import Provider, nearest
from pointsman.core.errors import UnknownProvider
from pointsman.rpc.table import Context, method
from pointsman.rpc.types import (
    AuthState,
    ListModelsParams,
    ListModelsResult,
    ListProvidersResult,
    Nothing,
    ProviderInfo,
)
from pointsman.service.clock import rfc3339
from pointsman.service.standing import Standing


@method
async def list_providers(ctx: Context, params: Nothing) -> ListProvidersResult:
    """Lists every provider, and whether this connection could use it now."""
    providers = ctx.app.catalogues.of(ctx.client).providers.values()
    await ctx.app.neighbours.look(providers)
    await ctx.app.observing.recent.loaded()
    active = ctx.app.selections.current(ctx.client).provider
    stands, costs = ctx.app.standings(ctx.client, active), ctx.app.usage.today()
    return ListProvidersResult([_info(ctx, each, stands(each), costs.get(each.id)) for each in providers])


@method
async def list_models(ctx: Context, params: ListModelsParams) -> ListModelsResult:
    """Lists models: those of the configuration, and those that configured providers list themselves.

    A list that is older than six hours is asked for again, any with `refresh`. What a provider does not say of its
    models, others may: who said what is told with it. What nobody says is absent.
    """
    catalogue = ctx.app.catalogues.of(ctx.client)
    provider = catalogue.providers[provider_named(ctx, params.provider).id] if params.provider else None
    models, failures = await ctx.app.models.listed(catalogue, ctx.client.environment, provider, params.refresh)
    return ListModelsResult(models, [failure.data() for failure in failures])


def provider_named(ctx: Context, id: str) -> Provider:
    """The provider of that id as it is configured for this connection, whatever session is in front of it.

    Raises UnknownProvider with the nearest ids, or all of them.
    """
    providers = ctx.app.catalogues.configured(ctx.client).providers
    if (found := providers.get(id)) is None:
        near = nearest(id, providers)
        advice = f"Did you mean {', '.join(near)}?" if near else "`pointsman/listProviders` says which there are."
        if problems := ctx.app.problems(ctx.client):
            advice = f"There are mistakes in {problems[0].file}; mend them first. {advice}"
        raise UnknownProvider(f"There is no provider {id!r}.", advice)
    return found


def _info(ctx: Context, provider: Provider, stands: Standing, spent: float | None) -> ProviderInfo:
    """One provider as this connection can use it now; `spent` are US dollars of today."""
    app, mark = ctx.app, provider.temporary
    last = app.observing.recent.last.get(provider.id)
    return ProviderInfo(
        id=provider.id,
        name=provider.title,
        kind=provider.kind,
        wire=provider.wire,
        base_url=provider.base_url,
        auth=AuthState(
            scheme=provider.auth.scheme,
            state="ready" if stands.usable else "missing",
            oauth=provider.auth.scheme == "oauth",
            keys=stands.keys,
        ),
        state=stands.state,
        models=sorted(provider.names),
        links=provider.links,
        features=list(provider.features),
        default_model=provider.default_model,
        temporary=app.trials.info(mark.session) if mark else None,
        remaining=stands.remaining,
        resets_at=stands.resets_at,
        windows=list(stands.windows),
        since=stands.since,
        reason=stands.reason,
        last_used_at=rfc3339(last) if last is not None else None,
        cost_today=round(spent, 6) if spent else None,
    )
