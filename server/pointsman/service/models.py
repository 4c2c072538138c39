"""The models of each provider: those of its definition and those that it lists itself.

Must never keep a list on disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from pointsman.core.catalogue import Catalogue, Provider
from pointsman.core.environment import Environment
from pointsman.core.errors import PointsmanError, TimedOut
from pointsman.core.models import Model
from pointsman.core.routing import Known
from pointsman.edge.authorise import authorise, redact
from pointsman.edge.transport import Transports
from pointsman.service.credentials import Credentials
from pointsman.wire import WIRES

log = logging.getLogger(__name__)

LIST_WITHIN = 5.0
"""Seconds that a provider has to give its list."""


class Models:
    """Lists models. A live list is asked for once, and again on `refresh`; it holds for everybody."""

    def __init__(self, catalogue: Catalogue, credentials: Credentials, transports: Transports) -> None:
        self._catalogue = catalogue
        self._credentials = credentials
        self._transports = transports
        self._live: dict[str, Sequence[Model]] = {}

    def known(self) -> Known:
        """The ids that providers have listed so far."""
        return {provider: {model.id for model in models} for provider, models in self._live.items()}

    async def listed(
        self, environment: Environment, provider: Provider | None, refresh: bool
    ) -> tuple[list[Model], list[PointsmanError]]:
        """All models, or one provider's, and what kept a provider from giving its list.

        Asks those providers that this connection could ask for a chat, and only such as the user has configured or
        names here.
        """
        providers = [provider] if provider else list(self._catalogue.providers.values())
        asked = [p for p in providers if (p.configured_by_user or provider) and (refresh or p.id not in self._live)]
        failures = await asyncio.gather(*(self._ask(p, environment) for p in asked))
        models = [model for p in providers for model in self._merged(p)]
        return models, [failure for failure in failures if failure is not None]

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
        return configured + [model for model in self._live.get(provider.id, ()) if model.id not in own]

    async def _ask(self, provider: Provider, environment: Environment) -> PointsmanError | None:
        wire = WIRES[provider.wire]
        request = wire.models_request(provider)
        if request is None:
            return None
        key = None
        try:
            key = self._credentials.in_turn(provider, environment)[0].key
            async with asyncio.timeout(LIST_WITHIN):
                head, body = await self._transports.fetch(
                    authorise(request, provider.auth, key), provider.timeout.connect
                )
            if not 200 <= head.status < 300:
                return redact(wire.error(provider, head, body), key)
            self._live[provider.id] = wire.models(provider, body)
        except TimeoutError:
            return TimedOut(
                f"{provider.title} gave no list of models within {LIST_WITHIN:g} seconds.", provider=provider.id
            )
        except PointsmanError as error:
            error.provider = error.provider or provider.id
            log.info("no list of models: %s", redact(error, key).message, extra={"provider": provider.id})
            return error
        return None
