"""When each provider was last used, and how many chats of today and of this month nobody knows the price of.

Must never keep a chat waiting, nor know more of one than that. The ledger has it from before the start, where it is
kept at all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from pointsman.core.errors import StorageError
from pointsman.core.ledger import Entry

log = logging.getLogger(__name__)

Load = Callable[[str, str], Awaitable[list[tuple[str, float, int, int]]]]
"""By provider, the end of its last chat (Unix time), and how many chats of a day, and since another, have no known
price."""


class Recent:
    """The latest of each provider."""

    def __init__(self, load: Load | None = None, clock: Callable[[], float] = time.time) -> None:
        self._load, self._clock = load, clock
        self._last: dict[str, float] = {}
        self._unpriced: Counter[str] = Counter()
        self._unpriced_month: Counter[str] = Counter()
        self._day = self._today()
        self._loading = asyncio.Lock()

    async def loaded(self) -> None:
        """Has the ledger asked, once; what can't be read is as if it had never been."""
        async with self._loading:
            if self._load is None:
                return
            before, month, load = self._unpriced.copy(), self._unpriced_month.copy(), self._load
            self._load = None
            try:
                found = await load(self._day, f"{self._day[:7]}-01")
            except StorageError as error:
                log.warning("what was used last is not known: %s", error.message)
                return
            for provider, at, unpriced, of_month in found:
                self._last[provider] = max(at, self._last.get(provider, 0.0))
                self._unpriced[provider] = unpriced + self._unpriced[provider] - before[provider]
                self._unpriced_month[provider] += of_month - month[provider]

    def note(self, entry: Entry) -> None:
        """A chat has ended."""
        self._last[entry.provider] = max(entry.at, self._last.get(entry.provider, 0.0))
        self._begin_day()
        self._unpriced[entry.provider] += entry.usd is None
        self._unpriced_month[entry.provider] += entry.usd is None

    @property
    def last(self) -> Mapping[str, float]:
        """The Unix times by provider."""
        return self._last

    @property
    def unpriced(self) -> Mapping[str, int]:
        """Chats of today without a known price, by provider."""
        self._begin_day()
        return +self._unpriced

    @property
    def unpriced_month(self) -> int:
        """Chats of this month without a known price."""
        self._begin_day()
        return self._unpriced_month.total()

    def _begin_day(self) -> None:
        if self._day != (today := self._today()):
            if self._day[:7] != today[:7]:
                self._unpriced_month.clear()
            self._day = today
            self._unpriced.clear()

    def _today(self) -> str:
        return time.strftime("%Y-%m-%d", time.localtime(self._clock()))
