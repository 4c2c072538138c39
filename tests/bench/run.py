"""The order in which all is measured: run by run, and in each phase relay after relay, so that they share the weather.

Must never judge. What it finds, in the units of `figures`, goes into `Samples`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from tests.bench import measure
from tests.bench.blocking import Slow, slow_callbacks
from tests.bench.figures import Samples
from tests.bench.processes import Process, busy, cpu
from tests.bench.relays import Bare, Daemon, Httpx, Relay, environment

MILLI, MICRO, MEGA, KILO = 1e6, 1e3, 1e6, 1e3
"""Nanoseconds in a millisecond and in a microsecond; bytes in a megabyte and in a kilobyte."""

RELAYS: tuple[type[Bare] | type[Daemon] | type[Httpx], ...] = (Bare, Daemon, Httpx)


@dataclass(frozen=True)
class Sizes:
    """How much is done."""

    runs: int = 5
    answers: int = 60
    listings: int = 200
    burst: int = 20_000
    streams: int = 200
    seconds: float = 2.0
    connections: int = 200
    first_search: int = 100
    last_search: int = 3000
    tokens: int = 1_000_000
    tokens_httpx: int = 100_000
    long_answers: int = 50
    chats: int = 20


FULL = Sizes()
QUICK = Sizes(
    runs=1, answers=30, listings=100, seconds=1.0, last_search=0, tokens=400_000, tokens_httpx=40_000, long_answers=40
)


class Bench:
    """One benchmark: its upstream, its folder, and what it has found so far."""

    def __init__(self, sizes: Sizes, folder: Path, say: Callable[[str], None]) -> None:
        self.sizes, self.folder, self.say = sizes, folder, say
        self.samples = Samples()
        self.slow: list[Slow] = []
        self.other_load: list[float] = []

    async def all(self) -> None:
        """Measures everything."""
        complaints = self.folder / "upstream.txt"
        self._upstream = Process("upstream", environment=environment(self.folder), complaints=complaints)
        try:
            self._port = int(self._upstream.line())
            for number in range(self.sizes.runs):
                self.say(f"run {number + 1} of {self.sizes.runs}")
                await self._run(number)
            self.say("callbacks that take long")
            await self._blocking()
        finally:
            self._upstream.end()

    async def _run(self, number: int) -> None:
        """One run, with relays that are started for it; what is done only once is done in the last."""
        home = self.folder / str(number)
        home.mkdir()
        turn = number % len(RELAYS)
        relays: list[Relay] = [made(home / made.name, self._port) for made in (*RELAYS[turn:], *RELAYS[:turn])]
        started: list[Relay] = []
        try:
            for relay in relays:
                self.samples.add("ready", relay.name, relay.start())
                started.append(relay)
            load = _Load([self._upstream.pid, os.getpid(), *(relay.pid for relay in relays)])
            await self._memory(relays)
            await self._speed(relays)
            if number == self.sizes.runs - 1:
                await self._once(relays)
            self.other_load.append(load.of_others())
        finally:
            for relay in started:
                relay.end()

    async def _memory(self, relays: list[Relay]) -> None:
        for relay in relays:
            before, after = await measure.around_first_answer(relay)
            self.samples.add("idle", relay.name, before / MEGA)
            self.samples.add("idle_after", relay.name, after / MEGA)
        for relay in relays:
            used = await measure.a_connection(relay, 20, self.sizes.connections)
            self.samples.add("connection", relay.name, used / KILO)

    async def _speed(self, relays: list[Relay]) -> None:
        for relay in relays:
            self.samples.add("first_token", relay.name, await measure.first_token(relay, self.sizes.answers) / MILLI)
        for relay in relays:
            self.samples.add("list", relay.name, await measure.listing(relay, self.sizes.listings) / MILLI)
        for relay in relays:
            self.samples.add("burst_cpu", relay.name, await measure.burst(relay, self.sizes.burst) / MICRO)
        for relay in relays:
            found = await measure.paced(relay, self.sizes.streams, self.sizes.seconds)
            self.samples.add("paced_cpu", relay.name, found.cpu / MICRO)
            self.samples.add("paced_p50", relay.name, found.p50 / MILLI)
            self.samples.add("paced_p99", relay.name, found.p99 / MILLI)

    async def _once(self, relays: list[Relay]) -> None:
        for relay in relays:
            if self.sizes.last_search:
                self.say(f"how many streams {relay.name} carries")
                most, more = await measure.most_streams(relay, self.sizes.first_search, self.sizes.last_search)
                self.samples.add("streams", relay.name, most)
                if more:
                    self.samples.bounded.add(("streams", relay.name))
        self.say(f"{self.sizes.tokens:,} tokens")
        for relay in relays:
            tokens = self.sizes.tokens_httpx if relay.name == "httpx" else self.sizes.tokens
            characters = min(1000, measure.LONG_LOAD // self.sizes.tokens)
            grown = await measure.growth(relay, tokens, self.sizes.long_answers, characters)
            self.samples.add("growth", relay.name, grown / MEGA)
        self.say("the forwarder")
        for daemon in relays:
            if isinstance(daemon, Daemon):
                added = await measure.forwarder(daemon, 10, self.sizes.seconds)
                self.samples.add("connect", daemon.name, added.connect / MILLI)
                self.samples.add("forwarder_p50", daemon.name, added.p50 / MILLI)
                self.samples.add("forwarder_p99", daemon.name, added.p99 / MILLI)

    async def _blocking(self) -> None:
        self.slow = await slow_callbacks(self.folder / "debug", self._port, self.sizes.chats)
        self.samples.add("blocked", Daemon.name, sum(not slow.starting for slow in self.slow))
        longest = max((slow.milliseconds for slow in self.slow if slow.starting), default=0.0)
        self.samples.add("blocked_start", Daemon.name, longest)


class _Load:
    """What others do on this machine meanwhile, in cores; `own` are the processes that are not others."""

    def __init__(self, own: list[int]) -> None:
        self._own = own
        self._begun, self._before = monotonic(), self._others()

    def of_others(self) -> float:
        """Since this was made."""
        return max(0.0, (self._others() - self._before) / (monotonic() - self._begun))

    def _others(self) -> float:
        return busy() - sum(map(cpu, self._own)) / 1e9
