"""What is done with a relay, and what comes out: one function a phase, each bounded in count and in time.

Must never know which of the relays it has. Delays and times are nanoseconds, memory is bytes.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from statistics import median, quantiles
from time import monotonic, monotonic_ns

from tests.bench.links import Link, Window
from tests.bench.processes import cpu, resident
from tests.bench.relays import Daemon, Relay

RATE = 50
"""Tokens a second of one paced stream."""
REST = 0.05
"""Seconds for a relay to tidy up, before its CPU or its memory is read."""
LATE = 50_000_000
"""The delay whose passing, at p99, ends the search for the number of streams."""
BURST_CHARACTERS = 8
LONG_LOAD = 120_000_000
"""Characters in all where memory is looked at: what the daemon keeps of chats reaches its bound before half-time."""


async def first_token(relay: Relay, times: int) -> float:
    """The median time from a request to the first token of its answer, on a connection that was used before."""
    link = await relay.link()
    await link.answer("first")
    found = [(await link.answer("first")).first for _ in range(times)]
    link.close()
    return median(found)


async def listing(relay: Relay, times: int) -> float:
    """The median time to ask for the list of providers."""
    link = await relay.link()
    for _ in range(10):
        await link.listing()
    found = [await link.listing() for _ in range(times)]
    link.close()
    return median(found)


async def burst(relay: Relay, tokens: int) -> float:
    """CPU of the relay for each token of an answer that comes as fast as it is taken, its end included."""
    link = await relay.link()
    await link.answer(f"burst:{tokens // 10}:{BURST_CHARACTERS}")
    await asyncio.sleep(REST)
    before = cpu(relay.pid)
    answer = await link.answer(f"burst:{tokens}:{BURST_CHARACTERS}")
    await asyncio.sleep(REST)
    used = cpu(relay.pid) - before
    if answer.tokens != tokens:
        raise RuntimeError(f"{relay.name} passed on {answer.tokens} of {tokens} tokens")
    link.close()
    return used / tokens


@dataclass(frozen=True)
class Paced:
    """Many streams at once: delays of their tokens, CPU a token, and the share of what was due that arrived."""

    p50: float
    p99: float
    cpu: float
    arrived: float


async def paced(relay: Relay, streams: int, seconds: float) -> Paced:
    """Delay and CPU a token with so many streams at once."""
    crowd = Crowd(relay)
    try:
        await crowd.grow_to(streams)
        return await crowd.look(seconds)
    finally:
        await crowd.leave()


async def most_streams(relay: Relay, first: int, most: int) -> tuple[int, bool]:
    """The largest number of streams that keeps p99 below the limit, by steps of a fifth; and whether more may do.

    More may do where upstream could not keep pace, or where `most` was reached.
    """
    crowd = Crowd(relay)
    streams, held = first, 0
    try:
        while streams <= most:
            await crowd.grow_to(streams)
            found = await crowd.look(0.6)
            if found.p99 > LATE:
                found = await crowd.look(0.6)  # once may be chance
            if found.p99 > LATE or found.arrived < 0.95:
                return held, found.p99 <= LATE
            held, streams = streams, max(streams * 6 // 5, streams + 5)
        return held, True
    finally:
        await crowd.leave()


class Crowd:
    """Paced streams at one relay, all of them looked at together."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._window = Window()
        self._links: list[Link] = []

    async def grow_to(self, streams: int) -> None:
        """Begins as many as are missing."""
        await self.add(await self._relay.links(streams - len(self._links)))

    async def add(self, links: list[Link]) -> None:
        """Begins a stream on each link, and returns when all flow, or when a second was not enough for that."""
        for link in links:
            link.watch("paced", self._window)
        self._links += links
        until = monotonic() + 1.0
        while (await self.look(0.1)).arrived < 0.9 and monotonic() < until:
            pass
        await asyncio.sleep(0.1)

    async def look(self, seconds: float) -> Paced:
        """Watches what is sent within so many seconds, and waits a moment longer for the last of it."""
        before, begun = cpu(self._relay.pid), monotonic_ns()
        self._window.open(begun)
        await asyncio.sleep(seconds)
        ended, used = monotonic_ns(), cpu(self._relay.pid) - before
        self._window.close(ended)
        await asyncio.sleep(LATE / 1e9)
        delays = self._window.delays
        if len(delays) < 2:
            return Paced(math.inf, math.inf, math.inf, 0.0)
        cuts = quantiles(delays, n=100)
        due = RATE * len(self._links) * (ended - begun) / 1e9
        return Paced(cuts[49], cuts[98], used / len(delays), len(delays) / due)

    async def leave(self) -> None:
        """Ends all streams."""
        for link in set(self._links):
            link.close()
        await asyncio.sleep(0.3)


async def a_connection(relay: Relay, warm: int, more: int) -> float:
    """Memory that one more idle connection takes, when there are some already."""
    links = [await relay.link() for _ in range(warm)]
    await asyncio.sleep(REST)
    before = resident(relay.pid)
    links += [await relay.link() for _ in range(more)]
    await asyncio.sleep(REST)
    used = (resident(relay.pid) - before) / more
    for link in links:
        link.close()
    await asyncio.sleep(REST)
    return used


async def around_first_answer(relay: Relay) -> tuple[int, int]:
    """Memory of a relay with one client: before its first answer, and after it."""
    link = await relay.link()
    await asyncio.sleep(2 * REST)
    before = resident(relay.pid)
    await link.answer("first")
    await asyncio.sleep(2 * REST)
    after = resident(relay.pid)
    link.close()
    return before, after


async def growth(relay: Relay, tokens: int, answers: int, characters: int) -> float:
    """How much memory grows over the second half of so many tokens of so many characters, in so many answers.

    The middle size in the last quarter against the middle one in the quarter before, since a single look is noise.
    """
    link = await relay.link()
    sizes = []
    for _ in range(answers):
        await link.answer(f"burst:{tokens // answers}:{characters}")
        sizes.append(resident(relay.pid))
    link.close()
    half, end = len(sizes) // 2, len(sizes)
    middle = (half + end) // 2
    return median(sizes[middle:]) - median(sizes[half:middle])


@dataclass(frozen=True)
class Forwarded:
    """What `pointsman connect` costs an editor: until it is initialized, and what it adds to the delay of a token."""

    connect: float
    p50: float
    p99: float


async def forwarder(daemon: Daemon, streams: int, seconds: float) -> Forwarded:
    """So many streams over one connection, first without and then with a forwarder in between."""
    direct = Crowd(daemon)
    await direct.add([await daemon.link()] * streams)
    without = await direct.look(seconds)
    await direct.leave()
    begun = monotonic_ns()
    async with daemon.forwarded() as link:
        connect = monotonic_ns() - begun
        through = Crowd(daemon)
        await through.add([link] * streams)
        found = await through.look(seconds)
    return Forwarded(connect, found.p50 - without.p50, found.p99 - without.p99)
