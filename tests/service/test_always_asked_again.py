"""Chats over health, keys and the table of attempts together, with a world that changes and a clock that jumps.

Nobody who has asked to be left alone is asked too early; every chat ends; no chat ends without an answer while a way
is well and its provider has not said to leave it alone; whoever has recovered is asked again. The real rooms are
driven, without a loop and without a socket.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from pointsman.core.attempts import Life, judge, step, wait
from pointsman.core.environment import Environment
from pointsman.core.errors import (
    BadReply,
    BadRequest,
    ConnectFailed,
    Interrupted,
    InvalidKey,
    NoTargetLeft,
    Overloaded,
    PointsmanError,
    QuotaExhausted,
    RateLimited,
)
from pointsman.core.health import LONGEST_FLOOR, LONGEST_OF_QUOTA, PROBE, REFUSED, SPENT
from pointsman.core.routing import Route, Target
from pointsman.service.aiming import Aim
from pointsman.service.health import Health
from pointsman.service.reasons import Reasons
from tests.service.bench import Bench, Scripted, provider, says

NOW = 1_790_000_000.0
KEYS = {"one": ("a-key", "b-key"), "two": ("c-key",), "three": ()}
WAYS = [(id, key) for id, keys in KEYS.items() for key in keys or ("",)]
SECONDS = st.none() | st.floats(0.1, 30) | st.floats(1, 15) | st.floats(30, 3600) | st.floats(3600, 10 * 86400)
FAILURES = st.one_of(
    st.builds(RateLimited, st.just("Slow."), retry_after=SECONDS),
    st.builds(QuotaExhausted, st.just("Spent."), retry_after=SECONDS),
    st.builds(Overloaded, st.just("Full."), retry_after=st.none() | st.floats(0.1, 100) | SECONDS),
    st.builds(InvalidKey, st.just("No."), status_code=st.sampled_from([401, 403]), retry_after=SECONDS),
    st.sampled_from([ConnectFailed("Gone."), BadReply("What?"), Interrupted("Broken."), BadRequest("Wrong.")]),
)
WORDLESS = st.sampled_from(
    [ConnectFailed("Gone."), Overloaded("Full."), QuotaExhausted("Spent."), InvalidKey("No."), Interrupted("Broken.")]
)
"""Failures by which no provider asks for anything: what is held back after them is so by our own caution."""


class World(RuleBasedStateMachine):
    """Three providers, the first with two keys, the last with none; each way works, or fails in a certain manner."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.bench = Bench(Scripted(says("a")), *(provider(id, *keys, max_retries=1) for id, keys in KEYS.items()))
        self.health = Health(clock=lambda: self.now, dice=lambda: 0.0)
        self.broken: dict[tuple[str, str], PointsmanError] = {}
        self.floors: dict[tuple[str, str], float] = {}
        self.ceilings: dict[tuple[str, str], tuple[float, float]] = {}
        self.of_model: set[tuple[str, str]] = set()
        self.asked: list[tuple[str, str]] = []
        self.refused: dict[tuple[str, str], float] = {}
        self.hopeless, self.requests = False, 0

    @rule(way=st.sampled_from(WAYS), error=FAILURES)
    def breaks(self, way: tuple[str, str], error: PointsmanError) -> None:
        """From now on one way fails."""
        self.broken[way] = error

    @rule(errors=st.lists(FAILURES, min_size=len(WAYS), max_size=len(WAYS)))
    def all_break(self, errors: list[PointsmanError]) -> None:
        """From now on nothing works."""
        self.broken = dict(zip(WAYS, errors, strict=True))

    @rule(errors=st.lists(WORDLESS, min_size=len(WAYS), max_size=len(WAYS)), well=st.sampled_from(WAYS))
    def all_are_held_back_and_one_is_well_again(self, errors: list[PointsmanError], well: tuple[str, str]) -> None:
        """Every breaker is open, and nobody knows that one way is well: the next chat finds it."""
        self.broken = dict(zip(WAYS, errors, strict=True))
        self.chats(3)
        del self.broken[well]
        if self._is_well(well) and max(self._floor(well), self._ceiling(well)) <= self.now:
            assert self.chat() == well[0]

    @rule(way=st.sampled_from(WAYS))
    def recovers(self, way: tuple[str, str]) -> None:
        """It works again, whatever it has told; nobody knows."""
        self.broken.pop(way, None)

    @rule(seconds=st.floats(0, 30) | st.floats(0, 7200))
    def passes(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule(times=st.integers(1, 4))
    def chats(self, times: int) -> None:
        """Some chats, one after the other."""
        for _ in range(times):
            self.chat()

    @rule()
    def all_is_well_in_the_end(self) -> None:
        """When everything works again, then after the longest wait there is every way is used again, and the first
        target gives all the answers."""
        self.broken.clear()
        self.now += LONGEST_FLOOR + PROBE
        self.asked.clear()
        assert [self.chat() for _ in range(4)] == ["one"] * 4
        assert set(self.asked) == {("one", "a-key"), ("one", "b-key")}
        for id in ("two", "three"):
            assert self.chat(id) == id

    @rule()
    def all_is_well_in_an_hour_where_no_provider_has_said_otherwise(self) -> None:
        """After the longest wait of our own somebody answers; nobody has to wait for a date."""
        self.broken.clear()
        self.now += REFUSED.longest + PROBE
        if any(floor <= self.now for floor in map(self._floor, WAYS)):
            assert self.chat() is not None

    def chat(self, *ids: str) -> str | None:
        """One chat along the chain, or along these alone: who answered it. Without an answer, each way that is well was
        one that its provider had said to leave alone."""
        self.refused.clear()
        self.hopeless, self.requests = False, 0
        answered = self._chat(*ids)
        if answered is None and not self.hopeless:
            for way in WAYS:
                if way[0] in (ids or KEYS) and self._is_well(way):
                    assert max(self._floor(way), self._ceiling(way)) > self.now, f"{way} would have answered"
        return answered

    def _is_well(self, way: tuple[str, str]) -> bool:
        """Whether it works, and no other key has shown that the model does not."""
        others = [self.broken[other] for other in WAYS if other[0] == way[0] and other in self.broken]
        return way not in self.broken and all("key" in error.remedies for error in others)

    def _chat(self, *ids: str) -> str | None:
        aim = self._aim(ids or tuple(KEYS))
        life, going = Life(), aim.take()
        while going:
            self.now += aim.seconds
            retries = aim.provider.max_retries
            life = replace(life, tries=retries if aim.once else 0, retries=retries)
            ended = False
            while not ended:
                error = self._ask(aim)
                if error is None:
                    return aim.target.provider
                aim.look_again(error)
                life = replace(life, keys_left=len(aim.keys) - 1, targets_left=aim.left, free=aim.free)
                best = RateLimited("", retry_after=aim.soonest()) if isinstance(error, RateLimited) else error
                before = life
                life, move = step(life, judge(life, best))
                if move == "key":
                    aim.next_key()
                elif move == "retry":
                    self.now += max(wait(before, RateLimited(""), 1.0), aim.soonest_key())
                else:
                    ended = True
                    self.hopeless = not error.remedies
                    going = move == "target" and aim.leave(error)
        assert isinstance(aim.nothing_left([]), NoTargetLeft)
        return None

    def _aim(self, ids: tuple[str, ...]) -> Aim:
        targets = tuple(Target(id, "m") for id in ids)
        bench = self.bench
        reasons = Reasons(bench.credentials, self.health, bench.models, bench.catalogue, Environment())
        found = reasons.last_resort(reasons.plan(Route("chain:x", targets, "chain x"), None))
        return Aim(found, bench.catalogue, bench.credentials, self.health, Environment(), {}, lambda *_: None)

    def _ask(self, aim: Aim) -> PointsmanError | None:
        key = aim.keys[0].key
        way = aim.target.provider, key.reveal() if key else ""
        assert self.now >= self._floor(way) - 1e-3, "a wait that was asked for was not kept"
        assert self.now >= self.refused.get(way, 0.0) - 1e-3, "it was sent again in the same chat"
        assert self.now >= self.ceilings.get(way, (0.0, 0.0))[0] - 1e-3, "it was hammered"
        self.asked.append(way)
        self.requests += 1
        assert self.requests < 50, "no chat goes on for ever"
        aim.fires()
        early = self.health.hold(*aim.who) is not None  # nobody had told a date by then
        self.health.begin(aim.asked)
        error = self.broken.get(way)
        if error is None:
            self.health.heard(aim.asked)
            self.health.answered(aim.asked, 0.1)
            for other in [other for other in self.of_model if other[0] == way[0]]:
                self.of_model.discard(other)
                self.ceilings.pop(other, None)
            self.ceilings.pop(way, None)
            self.floors.pop(way, None)
            return None
        self.health.failed(aim.asked, error)
        asked = error.retry_after or 0.0
        self.refused[way] = self.now + asked if "retry" in error.remedies else math.inf
        for other in WAYS if isinstance(error, Overloaded) else (way,):
            if other[0] == way[0] and asked:  # the model's trouble is that of all keys
                if asked <= (LONGEST_OF_QUOTA if isinstance(error, QuotaExhausted) else LONGEST_FLOOR):
                    self.floors[other] = max(self._floor(other), self.now + asked)
                else:
                    if isinstance(error, Overloaded):
                        self.of_model.add(other)
                    else:
                        self.of_model.discard(other)
                    self.ceilings[other] = self.now + (0.0 if early else SPENT.first), self.now + asked
        return error

    def _ceiling(self, way: tuple[str, str]) -> float:
        return self.ceilings.get(way, (0.0, 0.0))[1]

    def _floor(self, way: tuple[str, str]) -> float:
        return self.floors.get(way, 0.0)


@pytest.mark.hypothesis
def test_whoever_has_recovered_is_asked_again() -> None:
    run_state_machine_as_test(World, settings=settings(max_examples=200, stateful_step_count=30, deadline=None))
