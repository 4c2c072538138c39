"""Lets the requests of chats go within the user's own limits, in turns between those who ask (docs/limits.md).

Must never know what is asked, nor hold anything against a provider: what is refused here was never sent.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pointsman.core.catalogue import Catalogue, Provider
from pointsman.core.chat import Waiting
from pointsman.core.errors import RateLimited
from pointsman.core.fairness import MINUTE, UNLIMITED, Gate, Limit, Standing, Ticket
from pointsman.service.silence import HEARTBEAT

MOST_WAITING = 1000
"""Requests that may wait at once, whatever for."""
SOON = 0.02
"""Seconds after which those that have just come are told their places, all at once; most have gone by then."""
A_WHILE = 10.0
"""Seconds after which it may be tried again, where nobody can know how long the running answers take."""

LIMITS = {
    ("provider", True): ("request", "a minute to {}", "`limits.requests_per_minute` under `[providers.{}]`"),
    ("provider", False): ("answer", "of {} at once", "`limits.concurrency` under `[providers.{}]`"),
    ("all", True): ("request", "a minute in all", "`per_minute` under `[limits]`"),
    ("all", False): ("answer", "at once in all", "`concurrency` under `[limits]`"),
    ("client", True): ("request", "a minute from one window", "`per_client_per_minute` under `[limits]`"),
}
"""By the kind of a scope, and whether its limit is one a minute: of what it is one, and where it is set."""


@dataclass(eq=False)
class _Waiting:
    """One request that has to wait. Its `turn` brings None when it may go, or the error that ends the wait."""

    ticket: Ticket
    provider: Provider
    tell: Callable[[Waiting], None]
    since: float
    turn: asyncio.Future[RateLimited | None]
    told: bool = False

    @property
    def end(self) -> float:
        """When the wait becomes longer than the provider's own silence may be."""
        return self.since + self.provider.timeout.first_event


class Limits:
    """The gate through which each request of a chat goes. Without a limit for it, a request need not come here."""

    def __init__(self, minute: float | None = None) -> None:
        self._gate = Gate({}, MINUTE if minute is None else minute)
        self._numbers = itertools.count()
        self._waiting: dict[int, _Waiting] = {}
        self._told = -math.inf
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def queues(self) -> Mapping[str, int]:
        """How many wait, by provider."""
        return Counter(waiting.provider.id for waiting in self._waiting.values())

    def apply(self, catalogue: Catalogue) -> None:
        """Puts the limits that are configured into force, also for those that wait."""
        own, limits = catalogue.limits, {}
        limits["all"] = Limit(own.concurrency, own.per_minute)
        limits["client"] = Limit(None, own.per_client_per_minute)
        for id, provider in catalogue.providers.items():
            limits[f"provider:{id}"] = Limit(provider.limits.concurrency, provider.limits.requests_per_minute)
        self._gate.limits = {scope: limit for scope, limit in limits.items() if limit != UNLIMITED}
        if self._waiting:
            self._told = -math.inf
            self._look()

    def free(self, provider: Provider) -> bool:
        """Whether no limit is for requests to this provider."""
        return not self._gate.limits or not self._gate.limited(f"provider:{provider.id}", "all", "client")

    def outlook(self, client: str, provider: Provider) -> RateLimited | str | None:
        """What would become of a request of a client that came now: that it would wait, in words, or the error that
        would keep it from being sent; None where it could go at once.
        """
        if self.free(provider):
            return None
        now = asyncio.get_running_loop().time()
        ticket = _ticket(next(self._numbers), client, provider)
        if self._gate.may_go(ticket, now):
            return None
        self._gate.enter(ticket)
        standing = self._gate.standings(now)[ticket.number]
        self._gate.leave(ticket)
        if len(self._waiting) >= MOST_WAITING:
            return self._refusal(provider, standing, f"{len(self._waiting):,} requests wait for their turn already")
        if standing.wait > provider.timeout.first_event:
            sure = f"the chat would wait {math.ceil(standing.wait)} seconds for its turn at least"
            return self._refusal(provider, standing, sure)
        after = f"about {math.ceil(standing.wait)} seconds" if standing.wait else "until others have their answers"
        return f"Your own limit of {self._named(provider, standing)} is reached: it would wait {after} for its turn."

    @asynccontextmanager
    async def go(self, client: str, provider: Provider, tell: Callable[[Waiting], None]) -> AsyncIterator[None]:
        """A context round one request to a provider, which waits for its turn before that, and ends with the answer.

        `client` names who takes turns with others; `tell` hears the place in the queue. Raises RateLimited where too
        many wait, or the turn can't come in the time that the provider has for a first sign of an answer.
        """
        ticket = _ticket(next(self._numbers), client, provider)
        now = asyncio.get_running_loop().time()
        waiting = _Waiting(ticket, provider, tell, now, asyncio.get_running_loop().create_future())
        self._enter(waiting, now)
        try:
            refusal = await waiting.turn
        except asyncio.CancelledError:
            self._give_up(waiting)
            raise
        if refusal is not None:
            raise refusal
        try:
            yield
        finally:
            self._end(ticket)

    def _enter(self, waiting: _Waiting, now: float) -> None:
        ticket = waiting.ticket
        self._gate.enter(ticket)
        self._waiting[ticket.number] = waiting
        if self._gate.may_go(ticket, now):
            self._let_go(now)
        if waiting.turn.done():
            return
        if len(self._waiting) > MOST_WAITING:
            many = f"{len(self._waiting) - 1:,} requests wait for their turn already"
            self._refuse(waiting, self._gate.standings(now)[ticket.number], many)
        else:
            self._look_in(SOON)

    def _give_up(self, waiting: _Waiting) -> None:
        """The chat was cancelled: while it waited, or just when its turn had come."""
        if self._waiting.pop(waiting.ticket.number, None):
            self._gate.leave(waiting.ticket)
        elif not waiting.turn.cancelled() and waiting.turn.result() is None:
            self._end(waiting.ticket)

    def _end(self, ticket: Ticket) -> None:
        self._gate.end(ticket)
        self._let_go(asyncio.get_running_loop().time())

    def _let_go(self, now: float) -> None:
        """Lets all go that can."""
        while ticket := self._gate.next(now):
            turn = self._waiting.pop(ticket.number).turn
            if turn.done():  # it was cancelled, and does not know it yet
                self._gate.end(ticket)
            else:
                turn.set_result(None)

    def _look_in(self, seconds: float) -> None:
        """Looks after those that wait in so many seconds, if not before."""
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if self._timer is None or self._timer.when() > at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(at, self._look)

    def _look(self) -> None:
        """Lets those go whose minute has come, and tells the others where they stand."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = asyncio.get_running_loop().time()
        self._let_go(now)
        if not self._waiting:
            return
        due = now - self._told >= HEARTBEAT * 0.99
        now_told = [each for each in self._waiting.items() if due or not each[1].told or each[1].end <= now]
        standings = self._gate.standings(now) if now_told else {}
        for number, waiting in now_told:
            self._tell(waiting, standings[number], now)
        self._told = now if due else self._told
        next_looks = [self._gate.wait(now), self._told + HEARTBEAT - now]
        next_looks += [waiting.end - now for waiting in self._waiting.values()]
        self._look_in(max(SOON, min(seconds for seconds in next_looks if seconds is not None)))

    def _tell(self, waiting: _Waiting, standing: Standing, now: float) -> None:
        """Tells a place; or ends the wait, once it is sure to be longer than the provider's own silence may be."""
        waited = now - waiting.since
        if now + standing.wait >= waiting.end:
            sure = f"the chat has waited {waited:.0f} seconds for its turn"
            if standing.wait:
                sure = f"the chat would wait {math.ceil(waited + standing.wait)} seconds for its turn at least"
            self._refuse(waiting, standing, sure)
        elif not waiting.turn.done():
            waiting.told = True
            queue = waiting.provider.title if standing.scope.startswith("provider:") else None
            waiting.tell(Waiting(round(waited, 1), standing.place, queue))

    def _refuse(self, waiting: _Waiting, standing: Standing, why: str) -> None:
        self._gate.leave(waiting.ticket)
        del self._waiting[waiting.ticket.number]
        if not waiting.turn.done():
            waiting.turn.set_result(self._refusal(waiting.provider, standing, why))

    def _refusal(self, provider: Provider, standing: Standing, why: str) -> RateLimited:
        *_, place = LIMITS[standing.scope.partition(":")[0], standing.wait > 0]
        after = math.ceil(standing.wait) or A_WHILE
        text = f"Your own limit of {self._named(provider, standing)} is reached, and {why}. Nothing was sent."
        advice = f"Try again in {after:g} seconds, or raise {place.format(provider.id)} in pointsman.toml."
        return RateLimited(text, advice, retry_after=float(after))

    def _named(self, provider: Provider, standing: Standing) -> str:
        """The limit that keeps somebody waiting, in words."""
        limit, a_minute = self._gate.limit(standing.scope), standing.wait > 0
        what, how, _ = LIMITS[standing.scope.partition(":")[0], a_minute]
        most = limit.per_minute if a_minute else limit.concurrency
        return f"{most} {what}{'' if most == 1 else 's'} {how.format(provider.title)}"


def _ticket(number: int, client: str, provider: Provider) -> Ticket:
    return Ticket(number, client, (f"provider:{provider.id}", "all", f"client:{client}"))
