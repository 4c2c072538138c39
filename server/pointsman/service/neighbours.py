"""Which model servers on this machine run now. Must never look for one that the user does not want looked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from pointsman.core.catalogue import Provider
from pointsman.core.environment import Environment
from pointsman.edge.probe import listens
from pointsman.service.models import Models

EVERY = 3.0
"""Seconds between two looks, while anybody is connected."""
WITHIN = 0.5


class Neighbours:
    """Local servers by their base URL, and whether they answered when last looked for."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._running: dict[str, bool] = {}

    def is_offline(self, provider: Provider) -> bool:
        """Whether a local server was looked for and is not there. One that nobody looks for counts as there."""
        return is_looked_for(provider) and not self._running.get(provider.base_url, False)

    async def look(self, providers: Iterable[Provider]) -> None:
        """Looks for those that nobody has looked for yet, so that who asks first is told the truth."""
        urls = {p.base_url for p in providers if p.base_url not in self._running and is_looked_for(p)}
        if urls:
            self._running |= await _look(urls)

    async def watch(self, wanted: Callable[[], Iterable[Provider]], changed: Callable[[set[str]], None]) -> None:
        """Looks again and again; tells the base URLs whose servers came or went."""
        told: dict[str, bool] = {}
        while True:
            providers = {p.base_url: p for p in wanted() if is_looked_for(p)}
            found = self._running = await _look(providers)
            different = {url for url, running in found.items() if running != told.get(url, False)}
            told = found
            if gone := {url for url in different if not found[url]}:
                changed(gone)
            await asyncio.gather(*(self._welcome(providers[url], changed) for url in different - gone))
            await asyncio.sleep(EVERY)

    async def _welcome(self, provider: Provider, changed: Callable[[set[str]], None]) -> None:
        """Tells of a server that has come, once it has listed its models or let the time for that pass."""
        await self._models.ask(provider, Environment())
        changed({provider.base_url})


async def _look(urls: Iterable[str]) -> dict[str, bool]:
    urls = list(urls)
    return dict(zip(urls, await asyncio.gather(*(listens(url, WITHIN) for url in urls)), strict=True))


def is_looked_for(provider: Provider) -> bool:
    """Whether this is a server on this machine that may be looked for."""
    return provider.kind == "local" and provider.auto_detect and provider.base_url.startswith("http")
