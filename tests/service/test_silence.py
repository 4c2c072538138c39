"""Watching over a model's silence: a heartbeat while it lasts, and an end to it at the limit."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.core.catalogue import Provider, Timeout
from pointsman.core.chat import Waiting
from pointsman.core.errors import TimedOut
from pointsman.service import silence
from pointsman.service.silence import Silence

BEAT = 0.02
ACME = Provider(id="acme", name="Acme", base_url="http://acme.example")


@pytest.fixture(autouse=True)
def short_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "HEARTBEAT", BEAT)


async def nothing() -> None:
    """What a model says while it thinks."""
    await asyncio.Event().wait()


async def talk(silent: Silence, readable: bool, seconds: float) -> None:
    """Something comes all the time, for so long."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        await asyncio.sleep(0)
        silent.heard(readable)


class Beats:
    """What is told, and when there have been so many."""

    def __init__(self, count: int) -> None:
        self.told: list[Waiting] = []
        self.enough = asyncio.Event()
        self._count = count

    def __call__(self, waiting: Waiting) -> None:
        self.told.append(waiting)
        if len(self.told) == self._count:
            self.enough.set()


async def test_a_heartbeat_counts_the_silence() -> None:
    beats = Beats(5)
    async with Silence(beats):
        await beats.enough.wait()
    seconds = [waiting.seconds for waiting in beats.told]
    assert seconds == sorted(seconds)
    assert seconds[-1] >= 5 * BEAT
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(2 * BEAT, over.set)
    await over.wait()
    assert len(beats.told) == 5, "it ends with what it watches over"


async def test_there_is_no_heartbeat_while_the_model_speaks() -> None:
    beats = Beats(1)
    async with Silence(beats) as silent:
        await talk(silent, True, 4 * BEAT)
    assert beats.told == []


async def test_comments_do_not_end_the_heartbeat() -> None:
    beats = Beats(2)
    async with Silence(beats) as silent, asyncio.timeout(10):
        while not beats.enough.is_set():
            await talk(silent, False, BEAT)


@pytest.mark.parametrize(
    ("words", "limit"), [([], 0.06), ([False, False], 0.06), ([True], 0.15), ([False, True, False], 0.15)]
)
async def test_a_silence_that_is_too_long_is_ended(words: list[bool], limit: float) -> None:
    """It begins with the last word, readable or not; the first that is readable makes it the limit of the others."""
    loop = asyncio.get_running_loop()
    limits = Timeout(connect=0.04, first_event=0.06, between_events=0.15)
    began = loop.time()
    with pytest.raises(TimedOut, match=f"Acme was silent for {limit} s") as late:
        async with Silence(lambda _: None, limits, ACME) as silent:
            for readable in words:
                await asyncio.sleep(0)
                silent.heard(readable)
                began = loop.time()
            await nothing()
    assert limit - 0.001 <= loop.time() - began < 5
    assert late.value.provider == "acme"
    assert "timeout" in late.value.advice


@pytest.mark.parametrize("readable", [True, False])
async def test_any_word_puts_the_limit_off(readable: bool) -> None:
    async with Silence(lambda _: None, Timeout(0.2, 0.2, 0.4), ACME) as silent:
        await talk(silent, readable, 0.8)


@pytest.mark.parametrize("readable", [True, False, None])
async def test_a_whole_answer_has_a_limit_of_its_own_whatever_comes(readable: bool | None) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(TimedOut, match=r"Acme did not come to an end within 0\.2 s") as late:
        async with Silence(lambda _: None, Timeout(5, 5, 5, whole=0.2), ACME) as silent:
            if readable is None:
                await nothing()
            await talk(silent, readable or False, 5)
    assert 0.199 <= loop.time() - began < 4
    assert "timeout.whole" in late.value.advice


async def test_a_limit_of_silence_that_comes_first_is_told_as_that() -> None:
    with pytest.raises(TimedOut, match="was silent for 0"):
        async with Silence(lambda _: None, Timeout(0.05, 0.05, 0.05, whole=60), ACME):
            await nothing()


async def test_what_follows_a_complete_answer_is_not_waited_for_long() -> None:
    loop = asyncio.get_running_loop()
    async with Silence(lambda _: None, Timeout(), ACME) as silent:
        silent.heard(readable=True)
        silent.end_within(5)
        began = loop.time()
        silent.end_within(0.05)
        await nothing()
    assert 0.049 <= loop.time() - began < 5


async def test_what_comes_after_a_complete_answer_does_not_put_its_end_off() -> None:
    async with asyncio.timeout(10), Silence(lambda _: None, Timeout(), ACME) as silent:
        while True:
            await asyncio.sleep(0)
            silent.heard(readable=False)
            silent.end_within(0.05)


async def test_without_limits_nothing_ends() -> None:
    beats = Beats(1)
    async with Silence(beats) as silent:
        silent.heard(readable=True)
        await beats.enough.wait()


async def test_what_fails_within_is_passed_on_as_it_is() -> None:
    with pytest.raises(KeyError):
        async with Silence(lambda _: None, Timeout(), ACME):
            raise KeyError
    with pytest.raises(TimeoutError, match="somebody else's"):
        async with Silence(lambda _: None, Timeout(), ACME):
            raise TimeoutError("somebody else's")


async def test_being_cancelled_is_no_timeout() -> None:
    async def watched() -> None:
        async with Silence(lambda _: None, Timeout(), ACME):
            await nothing()

    task = asyncio.get_running_loop().create_task(watched())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
