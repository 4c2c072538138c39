"""Who of those that wait goes next, so that no client keeps another waiting for long. Must know no clock and no task.

A limit holds for a scope: for all, for a provider, for a client. A ticket goes when every scope that it is in has room;
among those that could go, the client that was served the longest ago goes first, and of its tickets the oldest.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass

MINUTE = 60.0


@dataclass(frozen=True)
class Limit:
    """How many at once, and how many a minute; None is without limit."""

    concurrency: int | None = None
    per_minute: int | None = None


@dataclass(frozen=True)
class Ticket:
    """One that wants to go, of the `scopes` that it is in. Who enters later has the higher number."""

    number: int
    client: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """Where one that waits stands: the scope that keeps it longest, and its place among those that wait for that.

    It waits `wait` seconds at least, if those before it stay; 0 where that depends on the end of running ones alone.
    """

    scope: str
    place: int
    wait: float


class Gate:
    """Lets tickets through within limits, fairly. Times are seconds of a clock that never goes back.

    `limits` are by scope; one by what stands before the colon of scopes holds for each of those that have none.
    """

    def __init__(self, limits: Mapping[str, Limit], minute: float = MINUTE) -> None:
        self.limits = limits
        self._minute = minute
        self._waiting: dict[str, dict[int, Ticket]] = {}
        self._running: Counter[str] = Counter()
        self._begun: dict[str, deque[float]] = {}
        self._served: dict[str, int] = {}
        self._turns = 0

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def enter(self, ticket: Ticket) -> None:
        """A ticket begins to wait."""
        self._waiting.setdefault(ticket.client, {})[ticket.number] = ticket

    def leave(self, ticket: Ticket) -> None:
        """A ticket waits no longer, although it did not go."""
        tickets = self._waiting.get(ticket.client, {})
        tickets.pop(ticket.number, None)
        if not tickets:
            self._waiting.pop(ticket.client, None)

    def limit(self, scope: str) -> Limit:
        """What holds for a scope."""
        return self.limits.get(scope) or self.limits.get(scope.partition(":")[0], UNLIMITED)

    def limited(self, *scopes: str) -> bool:
        """Whether a limit holds for one of these scopes."""
        return any(self.limit(scope) != UNLIMITED for scope in scopes)

    def may_go(self, ticket: Ticket, now: float) -> bool:
        """Whether there is room for a ticket, were it the only one that waits."""
        return self._room(ticket.scopes, now) == 0.0

    def next(self, now: float) -> Ticket | None:
        """The ticket that goes now, if any can; it counts as running from here on."""
        rooms: dict[tuple[str, ...], float | None] = {}
        for client in self._clients():
            for ticket in self._waiting[client].values():
                if ticket.scopes not in rooms:
                    rooms[ticket.scopes] = self._room(ticket.scopes, now)
                if rooms[ticket.scopes] == 0.0:
                    self._go(ticket, now)
                    return ticket
        return None

    def end(self, ticket: Ticket) -> None:
        """A ticket that went has come to its end."""
        for scope in ticket.scopes:
            self._running[scope] -= 1
            if not self._running[scope]:
                del self._running[scope]

    def standings(self, now: float) -> dict[int, Standing]:
        """Where each of those stands that a limit keeps waiting, by its number."""
        found: dict[int, tuple[float, bool, Standing]] = {}
        for scope, numbers in self._queues().items():
            full = self._room((scope,), now) is None
            for place, number in enumerate(numbers, 1):
                wait = self._wait(scope, place, now)
                if number not in found or (wait, full) > found[number][:2]:
                    found[number] = (wait, full, Standing(scope, place, wait))
        return {number: standing for number, (_, _, standing) in found.items()}

    def wait(self, now: float) -> float | None:
        """Seconds until time alone lets somebody go; None when only the end of a running one can."""
        wanted = {ticket.scopes for tickets in self._waiting.values() for ticket in tickets.values()}
        waits = [wait for scopes in wanted if (wait := self._room(scopes, now)) is not None]
        return min(waits, default=None)

    def _go(self, ticket: Ticket, now: float) -> None:
        self.leave(ticket)
        if self._waiting:
            self._turns += 1
            self._served[ticket.client] = self._turns
        else:
            self._served.clear()  # nobody is kept waiting; clients come and go, and are not remembered for ever
        for scope in ticket.scopes:
            self._running[scope] += 1
            if self.limit(scope).per_minute is None:
                continue
            if scope not in self._begun:
                past = [each for each, times in self._begun.items() if times[-1] <= now - self._minute]
                for each in past:
                    del self._begun[each]
                self._begun[scope] = deque()
            self._begun[scope].append(now)

    def _room(self, scopes: tuple[str, ...], now: float) -> float | None:
        """Seconds until all of these scopes have room by the minute; None while too many run at once."""
        longest = 0.0
        for scope in scopes:
            at_once = self.limit(scope).concurrency
            if at_once is not None and self._running[scope] >= at_once:
                return None
            longest = max(longest, self._wait(scope, 1, now))
        return longest

    def _wait(self, scope: str, place: int, now: float) -> float:
        """Seconds until one of that place among those that wait has room by the minute, if nothing else keeps them."""
        limit = self.limit(scope).per_minute
        if limit is None:
            return 0.0
        begun = self._begun.get(scope, deque())
        while len(begun) > 1 and begun[0] <= now - self._minute:
            begun.popleft()
        minutes, turn = divmod(place - 1, limit)
        at = len(begun) + turn - limit
        soonest = max(0.0, begun[at] + self._minute - now) if at >= 0 else 0.0
        return soonest + minutes * self._minute

    def _clients(self) -> list[str]:
        """The clients that wait, the longest unserved first; of those served never, the one that came first."""
        return sorted(self._waiting, key=lambda each: (self._served.get(each, 0), next(iter(self._waiting[each]))))

    def _queues(self) -> dict[str, list[int]]:
        """By scope with a limit, the numbers of those that wait for it as they will go: the first of each client, then
        the second of each.
        """
        queues: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for rank, client in enumerate(self._clients()):
            turns: Counter[str] = Counter()
            for ticket in self._waiting[client].values():
                for scope in ticket.scopes:
                    turns[scope] += 1
                    queues[scope].append((turns[scope], rank, ticket.number))
        return {scope: [number for *_, number in sorted(queues[scope])] for scope in queues if self.limited(scope)}


UNLIMITED = Limit()
