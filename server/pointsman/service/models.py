"""The models of each provider: those of its definition, and those that it lists itself, kept on disk.

What others say of a model comes from `service.prices`. Must never be the reason that a chat waits: a list that is not
there yet is no list.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from pointsman.core.bounded import Bounded
from pointsman.core.catalogue import Catalogue, Provider
from pointsman.core.environment import Environment
from pointsman.core.errors import UNREADABLE, InternalError, PointsmanError, StorageError, TimedOut
from pointsman.core.http import Request
from pointsman.core.models import Model, completed, without_secrets
from pointsman.core.pricing import Price, configured
from pointsman.core.routing import Known
from pointsman.edge.authorise import asked, redact, shown_to
from pointsman.edge.credential import Credential
from pointsman.edge.store import Store
from pointsman.edge.transport import Transports, read
from pointsman.service.clock import rfc3339
from pointsman.service.credentials import Credentials
from pointsman.service.prices import Prices, sells_tokens
from pointsman.service.tasks import Tasks
from pointsman.wire import WIRES, Wires

log = logging.getLogger(__name__)

LIST_WITHIN = 5.0
"""Seconds that a provider has to give its list."""
MOST_PAGES = 50
"""Pages that a list may have; what lies behind them is not asked for."""
LARGEST = 16 * 2**20
"""Bytes of a page that are read."""
FRESH_FOR = 6 * 3600.0
"""Seconds after which a list is asked for again: by whoever wants it next, or while anybody is connected."""
LOOK_EVERY = 60.0
"""Seconds between two looks for lists that are older than that."""
TRY_AGAIN_AFTER = 900.0
"""Seconds until a list that did not come is asked for again unasked."""
MOST_MERGED = 64
"""Definitions whose models are kept as they were put together."""
AT_ONCE = 8
"""Lists that are asked for at the same time."""


@dataclass(frozen=True)
class _List:
    """What a provider listed, and when (Unix time)."""

    models: Mapping[str, Model]
    at: float


@dataclass(frozen=True)
class _Merged:
    """All models of a provider, and the ids of those of which it does not say all itself, when so much was known."""

    state: tuple[int, int]
    models: list[Model]
    unsure: tuple[str, ...]


class Models:
    """Lists models. A provider is asked at most once at a time for its list, which then holds for everybody."""

    def __init__(
        self,
        credentials: Credentials,
        transports: Transports,
        store: Store,
        prices: Prices | None = None,
        wires: Wires = WIRES,
    ) -> None:
        self._wires = wires
        self._credentials = credentials
        self._transports = transports
        self._store = store
        self._lists = _stored(store)
        self._prices = prices or Prices()
        self._revision = 0
        self._known: tuple[Catalogue, Known] | None = None
        self._merged: Bounded[bytes, _Merged] = Bounded(MOST_MERGED)
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._tried: dict[tuple[str, str], float] = {}
        self._tasks = Tasks()
        self._asking: dict[object, asyncio.Task[PointsmanError | None]] = {}

    def known(self, catalogue: Catalogue) -> Known:
        """The ids that the providers of a catalogue have listed so far."""
        if self._known is None or self._known[0] is not catalogue:
            ids = {id: set(self._listed_by(p)) for id, p in catalogue.providers.items()}
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
        if [p for p in providers if self._prices.want(p, self._all(p).unsure)]:
            await self._prices.settled()
        models = [model for p in providers for model in self._all(p).models]
        return models, [failure for failure in failures if failure is not None]

    async def keep_fresh(self, wanted: Callable[[], Iterable[tuple[Provider, Environment]]]) -> None:
        """Asks again and again for those lists that somebody who is connected has, and that have become old."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.refresh(wanted())

    async def refresh(self, wanted: Iterable[tuple[Provider, Environment]]) -> None:
        """Asks for the lists that have become old, each once, whoever has it."""
        old: dict[tuple[str, str], tuple[Provider, Environment]] = {}
        for provider, environment in wanted:
            key = _place(provider)
            waits = time.monotonic() - self._tried.get(key, -TRY_AGAIN_AFTER) < TRY_AGAIN_AFTER
            if key in self._lists and provider.configured_by_user and not (waits or self._is_fresh(provider)):
                old.setdefault(key, (provider, environment))
        self._tried |= dict.fromkeys(old, time.monotonic())
        await asyncio.gather(*(self.ask(*each) for each in old.values()))

    async def close(self) -> None:
        """Ends what is under way."""
        await self._prices.close()
        await self._tasks.close()

    def price(self, provider: Provider, id: str) -> Price | None:
        """What a model costs as far as is known now: as the user says, as its provider lists, or as others know.

        Nothing where it runs on this machine, or by a plan, unless the user says so.
        """
        if own := configured(provider, id):
            return own
        if not sells_tokens(provider):
            return None
        live, facts = self._listed_by(provider).get(id), self._prices.of(provider, id)
        return (live.price if live else None) or (facts.price if facts else None)

    def facts(self, provider: Provider, id: str) -> Model:
        """What is known now of a model, whoever says so; nothing is asked or waited for."""
        bare = Model(f"{provider.id}:{id}", provider.id, id, id, (), "config")
        live = self._listed_by(provider).get(id)
        return completed(bare, live, self._prices.of(provider, id), sells_tokens(provider))

    def may_cost(self, provider: Provider, id: str) -> bool:
        """Whether asking a model may cost something, as far as is known; what nobody knows a price of may."""
        price = self.price(provider, id)
        return sells_tokens(provider) if price is None else not price.is_free

    def want_price(self, provider: Provider, id: str) -> None:
        """Has the price of a model looked up in the background, for when it is needed."""
        if self.price(provider, id) is None:
            self._prices.want(provider, (id,))

    async def price_known(self, provider: Provider, id: str) -> Price | None:
        """What a model costs, if need be once that was looked up, which is not waited for for long."""
        if self._prices.want(provider, () if self.price(provider, id) else (id,)):
            await self._prices.settled()
        return self.price(provider, id)

    async def ask(self, provider: Provider, environment: Environment) -> PointsmanError | None:
        """Asks a provider for its list; gives what went wrong. The last list stays when it does.

        Whoever wants it while it is being asked for in the same way is content with that.
        """
        way = msgspec.json.encode(provider), tuple(self._credentials.all(provider, environment))
        if (asking := self._asking.get(way)) is None:
            asking = self._asking[way] = self._tasks.spawn(self._ask(provider, environment), "list of models")
            asking.add_done_callback(lambda _: self._asking.pop(way))
        return await asyncio.shield(asking)

    async def _ask(self, provider: Provider, environment: Environment) -> PointsmanError | None:
        credential = None
        try:
            request = self._wires[provider.wire].models_request(provider)
            if request is None:
                return None
            credential = self._credentials.in_turn(provider, environment)[0]
            async with self._at_once, asyncio.timeout(LIST_WITHIN):
                listed = await self._pages(provider, request, credential)
            models = without_secrets(listed, shown_to(provider, credential))
            if more := len(listed) - len(models):
                log.warning("%d models are left out: a secret stands in them", more, extra={"provider": provider.id})
            await self._keep(provider, models, time.time())
        except TimeoutError:
            text = f"{provider.title} gave no list of models within {LIST_WITHIN:g} seconds."
            return TimedOut(text, provider=provider.id)
        except PointsmanError as error:
            error.provider = error.provider or provider.id
            log.info("no list of models: %s", redact(error, credential).message, extra={"provider": provider.id})
            return error
        except Exception:  # so that one provider stops neither the others nor the next look
            log.exception("no list of models", extra={"provider": provider.id})
            return InternalError(f"The list of models of {provider.title} failed.", provider=provider.id)
        return None

    async def _pages(self, provider: Provider, request: Request, credential: Credential) -> list[Model]:
        """The list from its first page on. Raises PointsmanError."""
        wire, found = self._wires[provider.wire], list[Model]()
        for _ in range(MOST_PAGES):
            async with asked(request, provider, credential, self._transports) as response:
                head, body = response.head, await read(response.chunks, LARGEST)
            if not 200 <= head.status < 300:
                raise wire.error(provider, head, body)
            page = wire.models(provider, body)
            found += page.models
            following = wire.models_request(provider, page.next) if page.next else None
            if following is None:
                break
            request = following
        return found

    async def _keep(self, provider: Provider, models: Sequence[Model], at: float) -> None:
        if provider.temporary:
            for place in [each for each in self._lists if each[0].startswith(f"{provider.id}:")]:
                del self._lists[place]  # of a former session
        self._lists[_place(provider)] = _list(models, at)
        self._known = None
        self._revision += 1
        if provider.temporary:  # nothing of a session is written down
            return
        encoded = msgspec.json.encode(models).decode()
        with suppress(StorageError):  # it is only a cache, and the log has it
            await self._store.put_model_list(provider.id, provider.base_url, at, encoded)

    def _all(self, provider: Provider) -> _Merged:
        """All models of a provider with all that is known of them; put together once, until more is known."""
        definition, state = msgspec.json.encode(provider), (self._revision, self._prices.revision)
        kept = self._merged.get(definition)
        if kept is None or kept.state != state:
            self._merged.pop(definition, None)  # as a new one, it is the last to go
            kept = self._merged[definition] = _Merged(state, self._merge(provider), self._unsure(provider))
        return kept

    def _merge(self, provider: Provider) -> list[Model]:
        """The definition's names first, then what the provider lists beyond them."""
        own, listed = _own_names(provider), self._listed_by(provider)
        named = [
            Model(
                model=f"{provider.id}:{name}", provider=provider.id, id=id, name=name, capabilities=(), source="config"
            )
            for name, id in own.items()
        ]
        priced, facts = sells_tokens(provider), self._prices.of
        found = [completed(model, listed.get(model.id), facts(provider, model.id), priced) for model in named] + [
            completed(model, None, facts(provider, id), priced) for id, model in listed.items() if id not in own
        ]
        if not provider.prices:
            return found
        return [msgspec.structs.replace(each, price=configured(provider, each.id) or each.price) for each in found]

    def _unsure(self, provider: Provider) -> tuple[str, ...]:
        """The ids of those models of which the provider does not say all itself."""
        listed = self._listed_by(provider)
        ids = dict.fromkeys([*_own_names(provider).values(), *listed])
        return tuple(id for id in ids if not ((live := listed.get(id)) and live.price and live.context_window))

    def _listed_by(self, provider: Provider) -> Mapping[str, Model]:
        found = self._lists.get(_place(provider)) or self._lists.get((provider.id, provider.base_url))
        return found.models if found else {}

    def _is_fresh(self, provider: Provider) -> bool:
        found = self._lists.get(_place(provider))
        return found is not None and time.time() - found.at < FRESH_FOR


def _place(provider: Provider) -> tuple[str, str]:
    """What a list is kept by: a provider at an address. What a temporary session's key is shown is its own."""
    if provider.temporary is None:
        return provider.id, provider.base_url
    return f"{provider.id}:{provider.temporary.session}", provider.base_url


def _own_names(provider: Provider) -> dict[str, str]:
    """The names of the definition, and the ids that they stand for."""
    own = {name: provider.model(name) for name in [*provider.aliases, *provider.models]}
    if provider.default_model:
        own.setdefault(provider.default_model, provider.model(provider.default_model))
    return own


def _list(models: Iterable[Model], at: float) -> _List:
    listed_at = rfc3339(at)
    return _List({model.id: msgspec.structs.replace(model, listed_at=listed_at) for model in models}, at)


def _stored(store: Store) -> dict[tuple[str, str], _List]:
    """The lists that were kept; one that can't be read any more is asked for again."""
    lists = {}
    for provider, base_url, at, encoded in store.model_lists():
        with suppress(*UNREADABLE):
            lists[provider, base_url] = _list(msgspec.json.decode(encoded, type=list[Model]), at)
    return lists
