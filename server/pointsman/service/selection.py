"""The choice of a model for each window, workspace and for all: kept durable, numbered, and told to every client.

Must never be lost: a choice whose provider has gone stays, and is shown as unavailable.
"""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import Callable, Iterator
from dataclasses import replace

from msgspec import Struct

from pointsman.core.catalogue import Catalogue, Provider
from pointsman.core.errors import ConfigError, NoModelChosen, RouteError, SelectionConflict, UnknownModel
from pointsman.core.routing import Route, Target, resolve, with_fallback
from pointsman.core.secret import hide, hide_key_like
from pointsman.core.selection import (
    SCOPES,
    Choice,
    Decider,
    Scope,
    Selection,
    State,
    applying,
    explain,
    revision_at,
)
from pointsman.edge.store import Store
from pointsman.service.catalogues import Catalogues
from pointsman.service.clients import Client, Clients
from pointsman.service.clock import now
from pointsman.service.credentials import Credentials, signed_out
from pointsman.service.models import Models
from pointsman.service.tasks import Tasks


class SelectionChanged(Struct, frozen=True, rename="camel"):
    """A choice was changed: what was changed, and what now holds for the connection that hears this."""

    changed: Selection
    effective: Selection


class Selections:
    """All choices. A change is in the store before it is in force, and in force before it is told."""

    def __init__(
        self, catalogues: Catalogues, credentials: Credentials, models: Models, clients: Clients, store: Store
    ) -> None:
        self._catalogues = catalogues
        self._credentials = credentials
        self._models = models
        self._clients = clients
        self._store = store
        self._stored = {(choice.scope, choice.key): choice for choice in store.choices()}
        self._passing: dict[tuple[Scope, str], Choice] = {}
        self._choices = ChainMap(self._passing, self._stored)
        self._revision = store.revision()
        self._one_at_a_time = asyncio.Lock()
        self._tasks = Tasks()

    def tell_if_changed(self, client: Client, before: Selection) -> None:
        """Tells a client what now holds for it, if a change of the configuration made that something else."""
        now_holds = self.current(client)
        if now_holds != before:
            client.line.tell(SelectionChanged(now_holds, now_holds))

    def current(self, client: Client) -> Selection:
        """What holds for a connection now, and why."""
        decider, choice, model = self._decide(client)
        hidden = [each for each in applying(self._choices, client.place) if each is not choice]
        return self._describe(client, decider, choice, model, explain(decider, choice, hidden))

    async def switch(
        self, client: Client, model: str | None, scope: Scope | None, temporary: bool, if_revision: int | None
    ) -> Selection:
        """Chooses a model at a scope, or clears it; durable, in force and told to all when this returns.

        Without a scope, the one that now decides. A temporary choice lies over the stored one until null takes it
        away. Raises RouteError for a name that leads nowhere, SelectionConflict, StorageError. Once begun it is
        done to its end, even if whoever asked for it has left.
        """
        change = self._switch(client, model, scope, temporary, if_revision)
        return await asyncio.shield(self._tasks.spawn(change, "choice"))

    def route(self, client: Client, model: str | None) -> Route:
        """Where a name leads for this connection; without one, where its selection leads.

        Raises RouteError, ConfigError.
        """
        if model is not None:
            return self._resolve(client, model, lambda: self._provider_of(client, self._decide(client)[2]))
        decider, _, chosen = self._decide(client)
        if chosen is None:
            raise self._none_chosen(client)
        route = self._resolve(client, chosen, None)
        notice = self._instead(client, decider, chosen)
        return replace(route, rule=f"{route.rule}; {explain(decider, None, [])}", notice=notice)

    def with_fallback(self, client: Client, route: Route) -> Route:
        """A route with what the user's `fallback` leads to behind it; that it leads nowhere is told."""
        catalogue = self._catalogues.of(client)
        if catalogue.fallback is None:
            return route
        fallback = self._route_or_none(client, catalogue.fallback)
        if fallback is None:
            return replace(route, rule=f"{route.rule}; your `fallback` {hide(catalogue.fallback)} leads nowhere now")
        return with_fallback(catalogue, route, fallback)

    async def _switch(
        self, client: Client, model: str | None, scope: Scope | None, temporary: bool, if_revision: int | None
    ) -> Selection:
        async with self._one_at_a_time:
            before = self.current(client)
            place = scope or (before.scope if before.scope in SCOPES else "global")
            key = client.place.key(place)
            if key is None:
                raise RouteError(
                    "This connection has no workspace to choose for.", "Choose for the window or globally instead."
                )
            if if_revision is not None and if_revision not in {
                before.revision,
                revision_at(self._choices, client.place, place),
            }:
                who = before.changed_by.client if before.changed_by else "somebody"
                raise SelectionConflict(f"The choice was changed meanwhile, by {who}: it is now {before.model}.")
            spec = None if model is None else self.route(client, model).spec
            passing = temporary or (place == "window" and not client.gave_window)  # that window never comes back
            choice = Choice(place, key, spec, self._revision + 1, client.author, now(), passing)
            await self._store.put_choice(choice)
            self._revision = choice.revision
            self._passing.pop((place, key), None)
            if not passing:
                self._stored[place, key] = choice
            elif spec is not None:
                self._passing[place, key] = choice
            self._tell(choice)
            return self.current(client)

    def _decide(self, client: Client) -> tuple[Decider, Choice | None, str | None]:
        """What decides: the narrowest choice or the project's default, the user's default, or the first provider."""
        catalogue = self._catalogues.of(client)
        choices = applying(self._choices, client.place)
        if catalogue.project_default and (not choices or choices[0].scope == "global"):
            return "project", None, catalogue.project_default
        for choice in choices[:1]:
            return choice.scope, choice, choice.model
        default = catalogue.default
        if default is not None and self._state(client, default) == "available":
            return "default", None, default
        for provider in self._configured(catalogue):
            may = provider.default_model and provider.stands_in
            if may and self._credentials.usable(provider, client.environment):
                return "fallback", None, provider.id
        return ("none", None, None) if default is None else ("default", None, default)

    def _configured(self, catalogue: Catalogue) -> Iterator[Provider]:
        """The providers that the user has configured: in the order of their files, then those with a stored credential.

        One that variables alone have made is not among them.
        """
        own = dict.fromkeys(id for id in catalogue.by_user if id in catalogue.providers)
        others = catalogue.providers.values()
        own |= dict.fromkeys(each.id for each in others if each.configured_by_user or self._credentials.stored(each.id))
        return (catalogue.providers[id] for id in own)

    def _instead(self, client: Client, decider: Decider, chosen: str) -> str | None:
        """What is said aloud where the default can't be asked and another is asked instead of it."""
        catalogue = self._catalogues.of(client)
        if decider != "fallback" or catalogue.default is None:
            return None
        route = self._route_or_none(client, catalogue.default)
        if route is None:
            why = "leads nowhere"
        else:
            provider = catalogue.providers[route.targets[0].provider]
            why = f"can't be asked: {self._credentials.missing(provider).message.rstrip('.')}"
        return (
            f"Your default {hide(catalogue.default)} {hide(why)}. {catalogue.providers[chosen].title} answers instead: "
            "it is the first of the providers that you have configured and that can be asked."
        )

    def _describe(
        self, client: Client, decider: Decider, choice: Choice | None, model: str | None, why: str
    ) -> Selection:
        route = self._route_or_none(client, model)
        if model is not None and (instead := self._instead(client, decider, model)):
            why += f" {instead}"
        target = route.targets[0] if route else None
        provider = self._catalogues.of(client).providers.get(target.provider) if target else None
        if provider and provider.temporary:
            mark = provider.temporary
            why += f" {provider.title} is asked with a temporary key ({mark.account}) until {mark.expires_at}."
        state: State = "unset" if model is None else self._state(client, model)
        if state == "available" and route and (ended := self._signed_out(client, route)):
            state, why = "unavailable", f"{why} {ended}"
        called = f"{provider.title} · {target.model}" if provider and target else model or "no model chosen"
        return Selection(
            model=None if model is None else hide(model),  # what stands in a file may be a key in the wrong place
            scope=decider,
            revision=choice.revision if choice else 0,
            state=state,
            why=why,
            display_name=hide(called),
            provider=target.provider if target else None,
            target=hide(str(target)) if target else None,
            changed_by=choice.author if choice else None,
            changed_at=choice.at if choice else None,
            temporary=choice.temporary if choice else False,
        )

    def _state(self, client: Client, model: str) -> State:
        route = self._route_or_none(client, model)
        if route is None:
            return "unavailable"
        providers = [self._catalogues.of(client).providers[target.provider] for target in route.targets]
        usable = any(self._credentials.usable(provider, client.environment) for provider in providers)
        return "available" if usable else "unconfigured"

    def _signed_out(self, client: Client, route: Route) -> str | None:
        """What to say where each provider of a route has accounts alone that must sign in again."""
        providers = [self._catalogues.of(client).providers[target.provider] for target in route.targets]
        for provider in providers:
            found = self._credentials.all(provider, client.environment)
            if not found or not signed_out(found):
                return None
        return f"Its sign-in is over; run `pointsman login {providers[0].id}`."

    def _none_chosen(self, client: Client) -> NoModelChosen:
        """Nothing is chosen: what is configured says why it is not taken instead."""
        catalogue = self._catalogues.of(client)
        for provider in self._configured(catalogue):
            if not self._credentials.usable(provider, client.environment):
                lacking = self._credentials.missing(provider)
                return NoModelChosen(f"No model is chosen. {lacking.message}", lacking.advice, provider=provider.id)
        return NoModelChosen("No model is chosen, and no provider is configured that could be taken instead.")

    def _resolve(self, client: Client, model: str, current: Callable[[], str | None] | None) -> Route:
        catalogue = self._catalogues.of(client)

        def usable(id: str) -> bool:
            return self._credentials.usable(catalogue.providers[id], client.environment)

        try:
            return _without_keys(resolve(catalogue, model, current, self._models.known(catalogue), usable))
        except UnknownModel as error:
            named = f"[providers.{model.partition(':')[0]}]"
            for problem in catalogue.problems:
                if problem.message.startswith(named):
                    error.advice = f"There is a mistake in {problem.file}: {problem.message} {problem.hint}"
                    break
            raise

    def _route_or_none(self, client: Client, model: str | None) -> Route | None:
        try:
            return None if model is None else self._resolve(client, model, None)
        except (RouteError, ConfigError):
            return None

    def _provider_of(self, client: Client, model: str | None) -> str | None:
        route = self._route_or_none(client, model)
        return route.targets[0].provider if route else None

    def _tell(self, choice: Choice) -> None:
        def make(client: Client) -> SelectionChanged:
            why = explain(choice.scope, choice, [])
            return SelectionChanged(
                self._describe(client, choice.scope, choice, choice.model, why), self.current(client)
            )

        self._clients.tell_all(make)


def _without_keys(route: Route) -> Route:
    """The route as people may see it: a link that leads nowhere may be a key, pasted where a name belongs."""
    if not route.lost:
        return route
    lost = ((hide_key_like(str(target)).partition(":"), hide_key_like(reason)) for target, reason in route.lost)
    return replace(route, lost=tuple((Target(head, tail), reason) for (head, _, tail), reason in lost))
