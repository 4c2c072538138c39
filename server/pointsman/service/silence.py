"""Watches over a model's silence: tells those who wait, and ends it at a limit. Must never know what is awaited."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from types import TracebackType
from typing import Self

from pointsman.core.catalogue import Provider, Timeout
from pointsman.core.chat import Waiting
from pointsman.core.errors import TimedOut

HEARTBEAT = 2.0
"""Seconds of silence between two `waiting` events."""
ENDLESS = "Ask for a shorter answer, or raise `timeout.whole` of the provider in pointsman.toml."


class Silence:
    """A context around waiting for a model. Raises TimedOut at the limit, if limits are given; those are a provider's
    limits of silence, and its limit for the whole answer.

    Any byte is life, and puts the limit off; only something to read ends the heartbeat, so that comments that a
    provider sends to keep a connection open neither cut a long thought off nor look like an answer.
    """

    def __init__(
        self, tell: Callable[[Waiting], None], limits: Timeout | None = None, provider: Provider | None = None
    ) -> None:
        self._tell, self._limits, self._provider = tell, limits, provider
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._limit = limits.first_event if limits else None
        self._timeout = asyncio.timeout(None)
        self._end = math.inf
        self._whole = self._since + limits.whole if limits and limits.whole is not None else math.inf
        self._look_out: asyncio.TimerHandle | None = None
        if self._limit is not None:
            self._end_at(self._since + self._limit)
        self._beat = self._loop.call_later(HEARTBEAT, self._report)
        self._complete = False

    def heard(self, readable: bool) -> None:
        """Something came from upstream."""
        time = self._loop.time()
        if readable:
            self._since = time
            self._limit = self._limits.between_events if self._limits else None
        if self._limit is not None and not self._complete:
            self._end_at(time + self._limit)

    def end_within(self, seconds: float) -> None:
        """The answer is complete; what may still follow has so many seconds, and its absence is no error.

        Said again, it can only make the end come sooner: comments alone don't keep a complete answer waiting.
        """
        end = self._loop.time() + seconds
        if not self._complete or end < self._end:
            self._end_at(end)
        self._complete = True

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._beat.cancel()
        if self._look_out is not None:
            self._look_out.cancel()
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            if self._complete:
                return True
            who = self._provider.title if self._provider else "The provider"
            id = self._provider.id if self._provider else None
            if self._limits and self._limits.whole is not None and self._end >= self._whole:
                text = f"{who} did not come to an end within {self._limits.whole:g} s."
                raise TimedOut(text, ENDLESS, provider=id) from None
            raise TimedOut(f"{who} was silent for {self._limit:g} s.", provider=id) from None
        return False

    def _end_at(self, time: float) -> None:
        """Moves the end. That is done once a chunk, so a timer is not set anew: the one that runs looks again."""
        self._end = time = min(time, self._whole)
        if self._look_out is None or time < self._look_out.when():
            if self._look_out is not None:
                self._look_out.cancel()
            self._look_out = self._loop.call_at(time, self._look)

    def _look(self) -> None:
        if self._end > self._loop.time():
            self._look_out = self._loop.call_at(self._end, self._look)
        else:
            self._timeout.reschedule(self._end)

    def _report(self) -> None:
        silent = self._loop.time() - self._since
        if silent >= HEARTBEAT * 0.99:
            self._tell(Waiting(round(silent, 1)))
        self._beat = self._loop.call_later(HEARTBEAT, self._report)
