"""What others than the provider say of a model: its context window and its price, kept while the daemon runs.

Must never be the reason that somebody waits for long, and never makes a price up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from pointsman.core.bounded import Bounded
from pointsman.core.catalogue import Provider
from pointsman.core.models import Facts
from pointsman.edge.prices import Found, Wanted, look_up
from pointsman.service.tasks import Tasks

FRESH_FOR = 3600.0
"""Seconds after which a fact is looked up again: some prices hold for hours of the day."""
WORTH_WAITING = 3.0
"""Seconds that somebody waits for a fact that is not known yet."""

MOST_SETTLED = 64
"""Lists of models that are not looked through again while all is known of them."""

Key = tuple[str, str]
Looks = Callable[[Wanted], Awaitable[Found | None]]


def sells_tokens(provider: Provider) -> bool:
    """Whether a provider may ask money for each token: not a server on this machine, and not a plan."""
    return provider.kind not in {"local", "plan-based"}


class Prices:
    """Facts by address and model. They are looked up together, by one process at a time."""

    def __init__(self, looks: Looks = look_up) -> None:
        self.revision = 0
        """Another number whenever something became known."""
        self._looks = looks
        self._known: dict[Key, tuple[Facts | None, float]] = {}
        self._wanted: set[Key] = set()
        self._settled: Bounded[tuple[str, tuple[str, ...]], float] = Bounded(MOST_SETTLED)
        """Since when all was known of what was asked for together."""
        self._looking: asyncio.Task[None] | None = None
        self._tasks = Tasks()

    def of(self, provider: Provider, id: str) -> Facts | None:
        """What is known of a model so far."""
        return self._known.get((provider.sold_at, id), (None, 0.0))[0]

    def want(self, provider: Provider, ids: tuple[str, ...]) -> bool:
        """Has facts looked up in the background; tells whether there are some that nobody has looked up yet."""
        if not (sells_tokens(provider) and provider.sold_at.startswith("https://")):  # no others are of public fame
            return False
        old, together = time.monotonic() - FRESH_FOR, (provider.sold_at, ids)
        if self._settled.get(together, old) > old:
            return False
        keys = {(provider.sold_at, id) for id in ids}
        self._wanted |= {key for key in keys if key not in self._known or self._known[key][1] < old}
        if self._wanted and self._looking is None:
            self._looking = self._tasks.spawn(self._look(), "prices")
        if any(key not in self._known for key in keys):
            return True
        self._settled[together] = min((self._known[key][1] for key in keys), default=old)
        return False

    async def settled(self) -> None:
        """Waits for what is being looked up, but not for long."""
        if self._looking is not None:
            await asyncio.wait({self._looking}, timeout=WORTH_WAITING)

    async def close(self) -> None:
        """Ends what is under way."""
        await self._tasks.close()

    async def _look(self) -> None:
        try:
            await asyncio.sleep(0)  # whoever wants more at this moment is served by the same process
            while self._wanted:
                keys, self._wanted = self._wanted, set()
                by_url: dict[str, list[str]] = {}
                for url, id in sorted(keys):
                    by_url.setdefault(url, []).append(id)
                found = await self._looks(by_url)
                at = time.monotonic()
                for url, id in keys:
                    last = self._known.get((url, id), (None, 0.0))[0]
                    self._known[url, id] = (last if found is None else found.get(url, {}).get(id), at)
                self.revision += 1
        finally:
            self._looking = None
