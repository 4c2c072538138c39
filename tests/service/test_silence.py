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


async def waited(seconds: float) -> None:
    """What a model does while it says nothing."""
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)


async def test_a_heartbeat_counts_the_silence() -> None:
    told: list[Waiting] = []
    async with Silence(told.append):
        await waited(5.5 * BEAT)
    assert len(told) == 5
    seconds = [waiting.seconds for waiting in told]
    assert seconds == sorted(seconds)
    assert seconds[-1] == pytest.approx(0.1, abs=0.06)
    await waited(2 * BEAT)
    assert len(told) == 5, "it ends with what it watches over"


async def test_there_is_no_heartbeat_while_the_model_speaks() -> None:
    told: list[Waiting] = []
    async with Silence(told.append) as silent:
        for _ in range(20):
            await waited(BEAT / 4)
            silent.heard(readable=True)
    assert told == []


async def test_comments_do_not_end_the_heartbeat() -> None:
    told: list[Waiting] = []
    async with Silence(told.append) as silent:
        for _ in range(20):
            await waited(BEAT / 4)
            silent.heard(readable=False)
    assert len(told) >= 3


async def check_limit(limits: Timeout, *words: bool, seconds: str) -> None:
    """After so many words, readable or not, the silence that follows is too long."""
    began = asyncio.get_running_loop().time()
    with pytest.raises(TimedOut, match=f"Acme was silent for {seconds} seconds") as late:
        async with Silence(lambda _: None, limits, ACME) as silent:
            for readable in words:
                await waited(0.03)
                silent.heard(readable)
            await waited(5)
    assert late.value.provider == "acme"
    assert "timeout" in late.value.advice
    assert float(seconds) <= asyncio.get_running_loop().time() - began - 0.03 * len(words) < 2


async def test_the_limits() -> None:
    limits = Timeout(connect=0.02, first_event=0.03, between_events=0.08)
    await check_limit(limits, seconds="0.05")
    await check_limit(limits, False, False, False, seconds="0.05")
    await check_limit(limits, True, seconds="0.08")
    await check_limit(limits, False, True, False, seconds="0.08")


async def test_any_word_puts_the_limit_off() -> None:
    async with Silence(lambda _: None, Timeout(0.02, 0.02, 0.04), ACME) as silent:
        for number in range(10):
            await waited(0.02)
            silent.heard(readable=number % 2 == 0)


async def test_without_limits_nothing_ends() -> None:
    async with Silence(lambda _: None) as silent:
        await waited(BEAT)
        silent.heard(readable=True)
        await waited(BEAT)


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
            await waited(5)

    task = asyncio.get_running_loop().create_task(watched())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
