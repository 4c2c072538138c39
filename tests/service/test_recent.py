"""When providers were last used, and chats of today that nobody knows the price of."""

from __future__ import annotations

import asyncio
import time

from msgspec.structs import replace

from pointsman.core.errors import StorageError
from pointsman.service.recent import Recent
from tests.core.test_metrics import ENTRY

NOON = time.mktime((2026, 11, 21, 12, 0, 0, 0, 0, -1))


async def test_the_ledger_is_asked_once_and_what_came_meanwhile_counts() -> None:
    asked: list[tuple[str, str]] = []
    reading, answer = asyncio.Event(), asyncio.Event()

    async def load(day: str, month: str) -> list[tuple[str, float, int, int]]:
        asked.append((day, month))
        reading.set()
        await answer.wait()
        return [("p", NOON - 60, 2, 3), ("old", 5.0, 0, 4)]

    recent = Recent(load, lambda: NOON)
    recent.note(replace(ENTRY, at=NOON - 30))  # it is in the ledger already
    both = asyncio.gather(recent.loaded(), recent.loaded())
    await reading.wait()
    recent.note(replace(ENTRY, at=NOON, usd=None))
    recent.note(replace(ENTRY, at=NOON, usd=0.0))
    answer.set()
    await both
    assert asked == [("2026-11-21", "2026-11-01")]
    assert recent.last == {"p": NOON, "old": 5.0}
    assert recent.unpriced == {"p": 3}
    assert recent.unpriced_month == 8


async def test_a_new_day_begins_at_nothing() -> None:
    now = NOON
    recent = Recent(clock=lambda: now)
    recent.note(replace(ENTRY, at=now))
    assert recent.unpriced == {"p": 1}
    now += 86400
    assert recent.unpriced == {}
    recent.note(replace(ENTRY, at=now))
    assert (recent.unpriced, recent.last) == ({"p": 1}, {"p": now})
    assert recent.unpriced_month == 2, "it is the same month"
    now += 9 * 86400
    assert (recent.unpriced, recent.unpriced_month) == ({}, 0)
    recent.note(replace(ENTRY, at=now))
    assert (recent.unpriced, recent.unpriced_month) == ({"p": 1}, 1)


async def test_a_ledger_that_can_not_be_read_is_no_failure() -> None:
    async def load(_: str, __: str) -> list[tuple[str, float, int, int]]:
        raise StorageError("The disk has gone.")

    recent = Recent(load)
    await recent.loaded()
    await recent.loaded()
    assert recent.last == {}
