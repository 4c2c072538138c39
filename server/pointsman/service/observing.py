"""What is seen of chats and providers besides the ledger: metrics, what was used last, credit.

The one place that is shown each chat at its end. Must never be the reason that a chat waits or fails.
"""

from __future__ import annotations

from collections.abc import Callable

from pointsman.core.catalogue import Catalogue
from pointsman.core.ledger import Entry, Outcome
from pointsman.core.metrics import Gauges, gauges
from pointsman.core.receipt import ChatResult
from pointsman.endpoint import VERSION
from pointsman.service.chats import Chats
from pointsman.service.clients import Clients
from pointsman.service.credit import Credits
from pointsman.service.health import Health
from pointsman.service.limits import Limits
from pointsman.service.metrics import Metrics
from pointsman.service.recent import Recent


class Observing:
    """Puts together what is counted, and has it told where the configuration wants that."""

    def __init__(self, credits: Credits, recent: Recent, chats: Chats, limits: Limits, health: Health) -> None:
        self.credits, self.recent, self.metrics = credits, recent, Metrics(self._gauges)
        self._chats, self._limits, self._health = chats, limits, health
        self._base: Callable[[], Catalogue] = lambda: Catalogue({})

    def note(self, result: ChatResult, outcome: Outcome, entry: Entry | None) -> None:
        """A chat has ended, with that entry in the ledger, if it has reached anybody."""
        self.metrics.note(result, outcome, entry)
        if entry is not None:
            self.recent.note(entry)

    async def expose(self, base: Callable[[], Catalogue], clients: Clients) -> None:
        """Has metrics stand where the configuration wants them, and tells everybody what keeps them from it."""
        self._base = base
        if trouble := await self.metrics.apply(base().metrics):
            for client in clients:
                if client.ready:
                    client.line.show(trouble, warning=True)

    async def close(self) -> None:
        """Ends what is under way."""
        await self.credits.close()
        await self.metrics.close()

    def _gauges(self) -> Gauges:
        """What metrics tell of this moment."""
        known = {*self.recent.last, *self._base().by_user}
        return gauges(VERSION, len(self._chats.running), len(self._limits), known, self._health.troubled)
