"""The time of day as people read it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pointsman.service.clock import time_of_day

NOW = 1_773_583_500.0
"""2026-03-15 14:05:00 UTC."""


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine two hours east."""
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("after", "said"),
    [
        (0, "16:05:00"),
        (0.1, "16:05:01"),
        (179, "16:07:59"),
        (180, "16:08"),
        (181, "16:09"),
        (7 * 3600 + 54 * 60, "23:59"),
        (8 * 3600, "16 Mar 00:05"),
        (365 * 86400, "15 Mar 16:05"),
        (-86400, "14 Mar 16:05"),
    ],
)
def test_a_time_on_the_clock_of_this_machine(after: float, said: str) -> None:
    assert time_of_day(NOW + after, NOW) == said


def test_today_is_the_day_that_it_is() -> None:
    assert ":" in time_of_day(time.time() + 61)
