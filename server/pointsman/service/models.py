"""The models of each provider: those of its definition, and those that it lists itself, kept on disk.

Must never be the reason that a chat waits: a list that is not there yet is no list.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from pointsman.core.catalogue import Catalogue, Provider
from pointsman.core.environment import Environment
from pointsman.core.errors import UNREADABLE, PointsmanError, StorageError, TimedOut
from pointsman.core.models import Model
from pointsman.core.routing import Known
from pointsman.edge.authorise import authorise, redact
from pointsman.edge.store import Store
from pointsman.edge.transport import Transports
from pointsman.service.credentials import Credentials
from pointsman.service.tasks import Tasks
from pointsman.wire import WIRES

log = logging.getLogger(__name__)

LIST_WITHIN = 5.0
"""Seconds that a provider has to give its list."""
FRESH_FOR = 6 * 3600.0
"""Seconds after which a list is asked for again by whoever wants it next."""


@dataclass(frozen=True)
class _List:
    """What a provider listed, and when (Unix time)."""

    models: Sequence[Model]
    at: float


class Models:
    """Lists models. A provider is asked at most once at a time for its list, which then holds for everybody."""

    def __init__(self, credentials: Credentials, transports: Transports, store: Store) -> None:
        self._credentials = credentials
        self._transports = transports
        self._store = store
        self._lists = _stored(store)
        self._known: tuple[Catalogue, Known] | None = None
        self._tasks = Tasks()
        self._asking: dict[object, asyncio.Task[PointsmanError | None]] = {}

    def known(self, catalogue: Catalogue) -> Known:
        """The ids that the providers of a catalogue have listed so far."""
        if self._known is None or self._known[0] is not catalogue:
            ids = {id: {model.id for model in self._listed_by(p)} for id, p in catalogue.providers.items()}
            self._known = catalogue, ids
        return self._known[1]

    async def listed(
        self, catalogue: Catalogue, environment: Environment, provider: Provider | None, refresh: bool
    ) -> tuple[list[Model], list[PointsmanError]]:
        """All models, or one provider's, and what kept a provider from giving its list.

        Asks those providers that this connection could ask for a chat, and only such as the user has configured and
        lets be looked for, or names here.
        """
        providers = [provider] if provider else list(catalogue.providers.values())
        wanted = [provider] if provider else [p for p in providers if p.configured_by_user and p.auto_detect]
        asked = [p for p in wanted if refresh or not self._is_fresh(p)]
        failures = await asyncio.gather(*(self.ask(p, environment) for p in asked))
        models = [model for p in providers for model in self._merged(p)]
        return models, [failure for failure in failures if failure is not None]

    async def ask(self, provider: Provider, environment: Environment) -> PointsmanError | None:
        """Asks a provider for its list; gives what went wrong. The last list stays when it does.

        Whoever wants it while it is being asked for in the same way is content with that.
        """
        way = msgspec.json.encode(provider), tuple(self._credentials.keys(provider, environment))
        if (asking := self._asking.get(way)) is None:
            asking = self._asking[way] = self._tasks.spawn(self._ask(provider, environment), "list of models")
            asking.add_done_callback(lambda _: self._asking.pop(way))
        return await asyncio.shield(asking)

    async def _ask(self, provider: Provider, environment: Environment) -> PointsmanError | None:
        wire = WIRES[provider.wire]
        request = wire.models_request(provider)
        if request is None:
            return None
        key = None
        try:
            key = self._credentials.in_turn(provider, environment)[0].key
            outgoing = authorise(request, provider.auth, key)
            async with asyncio.timeout(LIST_WITHIN):
                head, body = await self._transports.fetch(outgoing, provider.timeout.connect)
            if not 200 <= head.status < 300:
                return redact(wire.error(provider, head, body), key)
            await self._keep(provider, _List(wire.models(provider, body), time.time()))
        except TimeoutError:
            text = f"{provider.title} gave no list of models within {LIST_WITHIN:g} seconds."
            return TimedOut(text, provider=provider.id)
        except PointsmanError as error:
            error.provider = error.provider or provider.id
            log.info("no list of models: %s", redact(error, key).message, extra={"provider": provider.id})
            return error
        return None

    async def _keep(self, provider: Provider, found: _List) -> None:
        self._lists[provider.id, provider.base_url] = found
        self._known = None
        encoded = msgspec.json.encode(found.models).decode()
        with suppress(StorageError):  # it is only a cache, and the log has it
            await self._store.put_model_list(provider.id, provider.base_url, found.at, encoded)

    def _merged(self, provider: Provider) -> list[Model]:
        """The definition's names first, then what the provider lists beyond them."""
        own = {name: provider.model(name) for name in [*provider.aliases, *provider.models]}
        if provider.default_model:
            own.setdefault(provider.default_model, provider.model(provider.default_model))
        configured = [
            Model(
                model=f"{provider.id}:{name}", provider=provider.id, id=id, name=name, capabilities=(), source="config"
            )
            for name, id in own.items()
        ]
        return configured + [model for model in self._listed_by(provider) if model.id not in own]

    def _listed_by(self, provider: Provider) -> Sequence[Model]:
        found = self._lists.get((provider.id, provider.base_url))
        return found.models if found else ()

    def _is_fresh(self, provider: Provider) -> bool:
        found = self._lists.get((provider.id, provider.base_url))
        return found is not None and time.time() - found.at < FRESH_FOR


def _stored(store: Store) -> dict[tuple[str, str], _List]:
    """The lists that were kept; one that can't be read any more is asked for again."""
    lists = {}
    for provider, base_url, at, encoded in store.model_lists():
        with suppress(*UNREADABLE):
            lists[provider, base_url] = _List(msgspec.json.decode(encoded, type=list[Model]), at)
    return lists
