"""Writes down when what happens in one chat that asked for it. Must never keep, nor count on, what is said in it.

A chat that asked for no trace has a tracer that does nothing: its stream is not even wrapped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sized
from dataclasses import replace

from pointsman.core.routing import Target
from pointsman.core.trace import Trace, TracedAttempt, TracedWait, WaitFor
from pointsman.edge.response import Response, connections

SHORTEST = 0.001
"""Seconds from which on a wait is worth telling."""


class Untraced:
    """Tells nothing of a chat."""

    def planned(self) -> None:
        """Where to ask is known now."""

    def follows(self, log: Sized) -> None:
        """Events are appended to `log`: it has grown whenever one has come."""

    def begins(self, target: Target, account: str | None) -> None:
        """An attempt is under way: what the task does from now on is its own."""

    def sends(self, size: int) -> None:
        """Its request is ready, with a body of that size."""

    def answered(self, response: Response) -> Response:
        """The response, which tells from now on when what of it comes."""
        return response

    def ended(self, outcome: str) -> None:
        """The attempt that is under way is over."""

    def waited(self, wait_for: WaitFor, seconds: float) -> None:
        """Nothing was asked, for so many seconds until now."""

    def trace(self) -> Trace | None:
        """All of it so far."""
        return None


class Tracer(Untraced):
    """The trace of one chat in the making. `clock` gives seconds; time begins with the tracer."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun = clock()
        self._planned = 0.0
        self._log: Sized = ()
        self._attempts: list[TracedAttempt] = []
        self._waits: list[TracedWait] = []

    def planned(self) -> None:
        """See above."""
        self._planned = self._now()

    def follows(self, log: Sized) -> None:
        """See above."""
        self._log = log

    def begins(self, target: Target, account: str | None) -> None:
        """See above."""
        made = TracedAttempt(model=target.model, provider=target.provider, begun_ms=self._now(), account=account)
        self._attempts.append(made)

        def connected() -> None:
            made.connected_ms = self._now()

        connections.set(connected)  # in the task of this chat alone

    def sends(self, size: int) -> None:
        """See above."""
        self._attempts[-1].sent_ms, self._attempts[-1].bytes_out = self._now(), size

    def answered(self, response: Response) -> Response:
        """See above."""
        made = self._attempts[-1]
        made.first_byte_ms, made.status = self._now(), response.head.status
        return replace(response, chunks=self._counted(made, response.chunks))

    def ended(self, outcome: str) -> None:
        """See above."""
        if self._attempts and self._attempts[-1].ended_ms is None:
            self._attempts[-1].ended_ms, self._attempts[-1].outcome = self._now(), outcome

    def waited(self, wait_for: WaitFor, seconds: float) -> None:
        """See above."""
        if seconds >= SHORTEST:
            end = self._now()
            self._waits.append(TracedWait(wait_for, max(0.0, round(end - seconds * 1000, 2)), end))

    def trace(self) -> Trace:
        """See above."""
        return Trace(self._planned, self._now(), self._attempts, self._waits)

    async def _counted(self, made: TracedAttempt, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            made.bytes_in += len(chunk)
            before = len(self._log)
            yield chunk
            if len(self._log) > before:  # it was read before the next one was wanted
                made.last_event_ms = self._now()
                if made.first_event_ms is None:
                    made.first_event_ms = made.last_event_ms

    def _now(self) -> float:
        return round((self._clock() - self._begun) * 1000, 2)


UNTRACED = Untraced()
