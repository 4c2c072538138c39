"""The limits that a user sets: kept at every moment, in turns between windows, told to who waits, and ours alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pointsman.core.catalogue import Catalogue, Limits, OverallLimits, Provider, Timeout
from pointsman.core.chat import Waiting
from pointsman.core.errors import RateLimited
from pointsman.service import limits
from pointsman.service.limits import A_WHILE
from pointsman.service.limits import Limits as Room
from pointsman.service.tasks import Tasks
from tests.service.bench import Bench, Scripted, events, provider, says, told

BEAT = 0.02


def acme(per_minute: int | None = None, concurrency: int | None = None, patience: float = 120.0) -> Provider:
    """A provider with these limits of the user's."""
    own = Limits(requests_per_minute=per_minute, concurrency=concurrency)
    timeout = Timeout(first_event=patience)
    return Provider(id="acme", name="Acme", base_url="http://acme.example", limits=own, timeout=timeout)


OTHER = Provider(id="other", base_url="http://other.example")


class Visit:
    """One request on its way through the gate: `begun` when it may be sent, running until `end`."""

    def __init__(self, client: str, provider: Provider) -> None:
        self.client, self.provider = client, provider
        self.told: list[Waiting] = []
        self.heard = asyncio.Event()
        self.begun, self.end, self.over = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.at = 0.0
        self.error: RateLimited | None = None
        self.task: asyncio.Task[None] | None = None

    def tell(self, waiting: Waiting) -> None:
        """Keeps it."""
        self.told.append(waiting)
        self.heard.set()

    @property
    def places(self) -> list[int | None]:
        """The places that it was told, without repetitions."""
        return list(dict.fromkeys(waiting.place for waiting in self.told))

    async def until_told(self, place: int) -> None:
        """Waits until it was told that place."""
        while place not in self.places:
            self.heard.clear()
            await self.heard.wait()

    async def refused(self) -> RateLimited:
        """Waits for the error that it gets instead of its turn."""
        await self.over.wait()
        assert self.error
        assert not self.begun.is_set()
        return self.error


class Street:
    """Requests before one gate, in the order in which they may go, and how many ever ran at once."""

    def __init__(self) -> None:
        self.room = Room()
        self.tasks = Tasks()
        self.went: list[Visit] = []
        self.most = self._running = 0

    def limit(self, *providers: Provider, minute: float | None = None, **overall: int) -> Street:
        """Puts limits into force; with a `minute` of another length before a gate of its own."""
        self.room = self.room if minute is None else Room(minute)
        catalogue = Catalogue({each.id: each for each in providers}, limits=OverallLimits(**overall))
        self.room.apply(catalogue)
        return self

    def come(self, *clients: str, provider: Provider = OTHER, stay: bool = True) -> list[Visit]:
        """Requests of these clients arrive, one for each letter."""
        visits = [Visit(client, provider) for client in "".join(clients)]
        for visit in visits:
            if not stay:
                visit.end.set()
            visit.task = self.tasks.spawn(self._visit(visit), f"visit of {visit.client}")
        return visits

    async def _visit(self, visit: Visit) -> None:
        try:
            async with self.room.go(visit.client, visit.provider, visit.tell):
                self.went.append(visit)
                self._running += 1
                self.most = max(self.most, self._running)
                visit.at = asyncio.get_running_loop().time()
                visit.begun.set()
                try:
                    await asyncio.sleep(0)  # the others' turn
                    await visit.end.wait()
                finally:
                    self._running -= 1
        except RateLimited as error:
            visit.error = error
        finally:
            visit.over.set()

    @property
    def order(self) -> str:
        """The clients that went, in their order."""
        return "".join(visit.client for visit in self.went)


@pytest.fixture
async def street(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Street]:
    monkeypatch.setattr(limits, "HEARTBEAT", BEAT)
    made = Street()
    yield made
    await made.tasks.close()
    assert len(made.room) == 0


async def all_over(*visits: Visit) -> None:
    for visit in visits:
        await visit.over.wait()


async def all_begun(*visits: Visit) -> None:
    for visit in visits:
        await visit.begun.wait()


# In turns, and never more


async def test_there_is_no_limit_until_one_is_set(street: Street) -> None:
    assert street.room.free(OTHER)
    await all_begun(*street.come("a" * 50))
    limited = acme(concurrency=1)
    street.limit(limited)
    assert (street.room.free(OTHER), street.room.free(limited)) == (True, False)
    street.limit(per_client_per_minute=1)
    assert not street.room.free(OTHER)


async def test_never_more_at_once_and_both_windows_get_on(street: Street) -> None:
    street.limit(concurrency=3)
    visits = street.come("a" * 20, "b" * 5, stay=False)
    await all_over(*visits)
    assert street.most == 3
    assert sorted(street.order) == ["a"] * 20 + ["b"] * 5
    assert street.order.startswith("aaaabababab"), "three had gone before the other came; from then on they take turns"


async def test_a_full_provider_keeps_nobody_from_another(street: Street) -> None:
    slow = acme(concurrency=1)
    street.limit(slow)
    first, second = street.come("aa", provider=slow)
    await all_begun(first, *street.come("a"))
    assert street.room.queues == {"acme": 1}
    assert not second.begun.is_set()


async def test_only_so_many_a_minute(street: Street) -> None:
    busy, minute = acme(per_minute=3), 0.15
    street.limit(busy, minute=minute)
    visits = street.come("a" * 7, provider=busy, stay=False)
    await all_over(*visits)
    times = [visit.at for visit in street.went]
    assert all(later - earlier > minute * 0.9 for earlier, later in zip(times, times[3:], strict=False))
    assert times[-1] - times[0] < 3 * minute + 0.2, "and they go as soon as they may"


async def test_a_minute_of_each_window_is_its_own(street: Street) -> None:
    street.limit(per_client_per_minute=2)
    visits = street.come("aaab", stay=False)
    await all_over(visits[0], visits[1], visits[3])
    await visits[2].until_told(1)
    assert (street.order, street.room.queues) == ("aab", {"other": 1})


# The place in the queue


async def test_places_are_told_at_once_and_fall(street: Street) -> None:
    own = acme(concurrency=1)
    street.limit(own)
    running, *waiting = street.come("aaab", provider=own)
    for visit, place in zip(waiting, (1, 3, 2), strict=True):
        await visit.until_told(place)
    assert {said.queue for visit in waiting for said in visit.told} == {"Acme"}
    running.end.set()
    await waiting[0].begun.wait()
    await waiting[2].until_told(1)
    await waiting[1].until_told(2)
    waiting[0].end.set()
    waiting[2].end.set()
    await waiting[1].begun.wait()
    assert [visit.places[:2] for visit in waiting] == [[1], [3, 2], [2, 1]]
    assert not running.told, "who need not wait is told nothing"


async def test_who_waits_is_told_again_and_again(street: Street) -> None:
    street.limit(concurrency=1)
    _, waiting = street.come("ab")
    while len(waiting.told) < 4:
        waiting.heard.clear()
        await waiting.heard.wait()
    seconds = [said.seconds for said in waiting.told]
    assert seconds == sorted(seconds)
    assert waiting.told[0] == Waiting(0.0, 1), "a limit for all is nobody's queue"


async def test_who_comes_later_is_told_alone(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEARTBEAT", 3600)
    street.limit(concurrency=1)
    _, earlier = street.come("aa")
    await earlier.until_told(1)
    for place in (2, 3, 4):
        await street.come("a")[0].until_told(place)
    assert len(earlier.told) == 1


# What changes meanwhile


async def test_limits_that_change_are_in_force_at_once_for_those_that_wait(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HEARTBEAT", 3600)
    street.limit(concurrency=1)
    visits = street.come("a" * 6)
    await visits[1].until_told(1)
    street.limit(concurrency=3)
    await all_begun(*visits[:3])
    await visits[3].until_told(1)
    street.limit(concurrency=2)
    visits[0].end.set()
    await visits[0].over.wait()
    await street.come("c", provider=OTHER)[0].until_told(1)
    assert len(street.went) == 3, "those that run stay, and nobody takes the place that is no more"
    street.limit()
    await all_begun(*visits)


async def test_a_cancelled_one_leaves_the_queue_at_once(street: Street) -> None:
    street.limit(concurrency=1)
    running, second, third = street.come("aaa")
    await third.until_told(2)
    assert second.task
    second.task.cancel()
    await second.over.wait()
    assert len(street.room) == 1
    await third.until_told(1)
    running.end.set()
    await third.begun.wait()


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_a_turn_is_not_lost_with_one_that_is_cancelled_when_it_comes(
    street: Street, cancelled_first: bool
) -> None:
    street.limit(concurrency=1)
    _, second, third = street.come("aaa")
    await third.until_told(2)
    assert second.task
    if cancelled_first:
        second.task.cancel()
    street.limit(concurrency=2)
    second.task.cancel()
    await third.begun.wait()
    await second.over.wait()
    assert not second.begun.is_set()


# Past a bound


async def test_only_so_many_may_wait(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_WAITING", 3)
    own = acme(concurrency=1)
    street.limit(own)
    *waiting, last = street.come("aaaab", provider=own)
    error = await last.refused()
    assert error.code == "RateLimited"
    assert error.retry_after == A_WHILE
    assert str(error) == (
        "Your own limit of 1 answer of Acme at once is reached, and 3 requests wait for their turn already. "
        "Nothing was sent. Try again in 10 seconds, or raise `limits.concurrency` under `[providers.acme]` in "
        "pointsman.toml."
    )
    await all_begun(*street.come("a"), waiting[0])
    waiting[0].end.set()
    await waiting[1].begun.wait()


async def test_a_wait_that_is_surely_too_long_is_not_begun(street: Street) -> None:
    own = acme(per_minute=2, patience=100)
    street.limit(own)
    visits = street.come("aaaaa", provider=own)
    error = await visits[4].refused()
    assert error.retry_after == 120
    assert "Your own limit of 2 requests a minute to Acme is reached, and the chat would wait 120 seconds" in str(error)
    assert "`limits.requests_per_minute` under `[providers.acme]`" in error.advice
    await visits[3].until_told(2)
    assert len(street.room) == 2


async def test_nobody_waits_longer_than_the_provider_may_be_silent(street: Street) -> None:
    patient, hasty = acme(patience=120), acme(patience=0.05)
    street.limit(concurrency=1)
    _, stays = street.come("aa", provider=patient)
    error = await street.come("b", provider=hasty)[0].refused()
    assert "Your own limit of 1 answer at once in all is reached, and the chat has waited 0 seconds" in error.message
    assert "`concurrency` under `[limits]`" in error.advice
    assert stays.error is None


async def test_a_wait_ends_when_the_provider_s_patience_does(street: Street) -> None:
    """Between two looks at the queue, which are 2 s apart."""
    patient, hasty = acme(patience=120), acme(patience=0.3)
    street.limit(concurrency=1)
    street.come("a", provider=patient)
    begun = asyncio.get_running_loop().time()
    await street.come("b", provider=hasty)[0].refused()
    assert 0.3 <= asyncio.get_running_loop().time() - begun < 1.5


@pytest.mark.parametrize(
    ("overall", "words", "where"),
    [
        ({"per_minute": 1}, "1 request a minute in all", "`per_minute` under `[limits]`"),
        (
            {"per_client_per_minute": 1},
            "1 request a minute from one window",
            "`per_client_per_minute` under `[limits]`",
        ),
    ],
)
async def test_the_limit_is_named(street: Street, overall: dict[str, int], words: str, where: str) -> None:
    street.limit(**overall)
    _, last = street.come("aa", provider=acme(patience=30))
    error = await last.refused()
    assert words in error.message
    assert where in error.advice
    assert error.provider is None


async def test_a_limit_that_is_lowered_may_end_a_wait(street: Street) -> None:
    """Who had a minute to wait has ten now, and is told so at once."""
    street.limit(per_minute=10)
    visits = street.come("a" * 20)
    await visits[-1].until_told(10)
    street.limit(per_minute=1)
    assert (await visits[-1].refused()).retry_after == 600
    assert visits[10].error is None


async def test_a_chat_without_limits_does_not_come_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of every chat of those who set none must cost nothing."""
    monkeypatch.delattr(Room, "go")
    bench = Bench(Scripted(says("hello")), provider("one"))
    chat = bench.begin("one:m")
    assert told(await events(chat)) == ["one:m", "hello", ("end", None)]
