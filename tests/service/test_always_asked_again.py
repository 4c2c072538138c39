"""Chats over health, keys and the table of attempts together, with a world that changes and a clock that jumps.

Nobody who has asked to be left alone is asked too early; every chat ends; whoever has recovered is asked again. The
real rooms are driven, without a loop and without a socket.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from pointsman.core.attempts import PATIENCE, Life, judge, step, wait
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
from pointsman.core.health import LONGEST_FLOOR, PROBE
from pointsman.core.routing import Plan, Route, Target, plan
from pointsman.service.aiming import Aim
from pointsman.service.health import Asked, Health
from pointsman.service.reasons import Reasons
from tests.service.bench import Bench, Scripted, provider, says

NOW = 1_790_000_000.0
KEYS = {"one": ("a-key", "b-key"), "two": ("c-key",), "three": ()}
WAYS = [(id, key) for id, keys in KEYS.items() for key in keys or ("",)]
SECONDS = st.none() | st.floats(0.1, 30) | st.floats(1, 15) | st.floats(30, 3600) | st.floats(3600, 10 * 86400)
FAILURES = st.one_of(
    st.builds(RateLimited, st.just("Slow."), retry_after=SECONDS),
    st.builds(QuotaExhausted, st.just("Spent."), retry_after=SECONDS),
    st.builds(Overloaded, st.just("Full."), retry_after=st.none() | st.floats(0.1, 100)),
    st.builds(InvalidKey, st.just("No."), status_code=st.sampled_from([401, 403])),
    st.sampled_from([ConnectFailed("Gone."), BadReply("What?"), Interrupted("Broken."), BadRequest("Wrong.")]),
)


class World(RuleBasedStateMachine):
    """Three providers, the first with two keys, the last with none; each way works, or fails in a certain manner."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.bench = Bench(Scripted(says("a")), *(provider(id, *keys, max_retries=1) for id, keys in KEYS.items()))
        self.health = Health(clock=lambda: self.now, dice=lambda: 0.0)
        self.broken: dict[tuple[str, str], PointsmanError] = {}
        self.floors: dict[tuple[str, str], float] = {}
        self.asked: list[tuple[str, str]] = []

    @rule(way=st.sampled_from(WAYS), error=FAILURES)
    def breaks(self, way: tuple[str, str], error: PointsmanError) -> None:
        """From now on one way fails."""
        self.broken[way] = error

    @rule(errors=st.lists(FAILURES, min_size=len(WAYS), max_size=len(WAYS)))
    def all_break(self, errors: list[PointsmanError]) -> None:
        """From now on nothing works."""
        self.broken = dict(zip(WAYS, errors, strict=True))

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
    def somebody_is_always_asked_or_wants_to_be_left_alone(self) -> None:
        """A chat that reaches nobody has a reason that a provider has told."""
        self.asked.clear()
        if self.chat() is None and not self.asked:
            assert all(floor > self.now + PATIENCE for floor in map(self._floor, WAYS))

    def chat(self, *ids: str) -> str | None:
        """One chat along the chain, or along these alone: who answered it."""
        aim = self._aim(ids or tuple(KEYS))
        life, going = Life(), aim.take()
        while going:
            self.now += aim.seconds
            retries = aim.provider.max_retries
            life = replace(life, tries=retries if aim.again else 0, retries=retries)
            ended = False
            while not ended:
                error = self._ask(aim)
                if error is None:
                    return aim.target.provider
                aim.look_again()
                life = replace(life, keys_left=len(aim.keys) - 1, targets_left=aim.left)
                best = RateLimited("", retry_after=aim.soonest()) if isinstance(error, RateLimited) else error
                before = life
                life, move = step(life, judge(life, best))
                if move == "key":
                    aim.next_key()
                elif move == "retry":
                    self.now += max(wait(before, RateLimited(""), 1.0), aim.soonest_key())
                else:
                    ended = True
                    going = move == "target" and aim.leave(error)
        assert isinstance(aim.nothing_left([]), NoTargetLeft)
        return None

    def _aim(self, ids: tuple[str, ...]) -> Aim:
        targets = tuple(Target(id, "m") for id in ids)
        bench = self.bench
        reasons = Reasons(bench.credentials, self.health, bench.models, bench.catalogue, Environment())
        found = reasons.plan(Route("chain:x", targets, "chain x"), None)
        return Aim(found, bench.catalogue, bench.credentials, self.health, Environment(), {}, lambda *_: None)

    def _ask(self, aim: Aim) -> PointsmanError | None:
        key = aim.keys[0].key
        way = aim.target.provider, key.reveal() if key else ""
        assert self.now >= self._floor(way) - 1e-3, "a wait that was asked for was not kept"
        self.asked.append(way)
        assert len(self.asked) < 500, "no chat goes on for ever"
        self.health.begin(aim.asked)
        error = self.broken.get(way)
        if error is None:
            self.health.heard(aim.asked)
            self.health.answered(aim.asked, 0.1)
            self.floors.pop(way, None)
            return None
        self.health.failed(aim.asked, error)
        floored = isinstance(error, RateLimited | Overloaded) and 0 < (error.retry_after or 0) <= LONGEST_FLOOR
        if floored:
            for other in WAYS if isinstance(error, Overloaded) else (way,):
                if other[0] == way[0]:  # the model's trouble is that of all keys
                    self.floors[other] = self.now + (error.retry_after or 0)
        return error

    def _floor(self, way: tuple[str, str]) -> float:
        return self.floors.get(way, 0.0)


@pytest.mark.hypothesis
def test_whoever_has_recovered_is_asked_again() -> None:
    run_state_machine_as_test(World, settings=settings(max_examples=200, stateful_step_count=30, deadline=None))


def test_twenty_targets_are_planned_in_no_time() -> None:
    """The median of many, with marks on half of them, is below 0.2 ms; so it is with keys looked up and reasons put
    into words, as far as the machine does not do something else meanwhile.
    """
    ids = [f"p{n}" for n in range(20)]
    bench = Bench(Scripted(says("a")), *(provider(id, f"not-a-key-of-{id}") for id in ids))
    for id in ids[::2]:
        who = bench.catalogue.providers[id]
        account = bench.health.account(bench.credentials.all(who, Environment())[0])
        bench.health.failed(Asked(who, account, "m"), RateLimited("Slow.", retry_after=60))
    reasons = Reasons(bench.credentials, bench.health, bench.models, bench.catalogue, Environment())
    route = Route("chain:x", tuple(Target(id, "m") for id in ids), "chain x")
    accounts = {id: (each := bench.catalogue.providers[id], reasons.accounts(each)[0]) for id in ids}

    def bare() -> Plan:
        return plan(route, lambda _: None, held=lambda target: "out" if not lets(target) else None)

    def lets(target: Target) -> bool:
        return bench.health.lets(*accounts[target.provider], target.model)

    def whole() -> Plan:
        return replace(reasons, found={}).plan(route, None)

    assert bare().held == whole().held == tuple(Target(id, "m") for id in ids[::2])
    assert statistics.median(timed(bare)) < 0.0002
    assert min(timed(whole)) < 0.0002


def timed(work: Callable[[], object]) -> list[float]:
    """Seconds that it takes, many times."""
    took = []
    for _ in range(300):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return took
