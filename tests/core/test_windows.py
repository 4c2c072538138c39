"""Windows of a plan: counted from times, told by headers, and put together."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pointsman.core import errors
from pointsman.core.catalogue import Limits
from pointsman.core.windows import (
    HOUR,
    WEEK,
    Window,
    counted,
    longest,
    merged,
    name,
    of_provider,
    remaining,
    tightest,
    told,
    was_asked,
)
from tests.each import each

NOW = 1_800_000_000.0
PLAN = Limits(weekly=80, rolling=3, window_hours=5)


def at(offset: float) -> str:
    """A time so many seconds from now, as it is told."""
    window = of_provider(HOUR, 0, NOW + offset)
    assert window.resets_at
    return window.resets_at


def count(used: int, limit: int, name: str, resets_at: str | None = None) -> Window:
    return Window(name, round(100 * used / limit, 2), "counted", used, limit, resets_at)


# Counted here


@each(
    ("ago", "rolling", "back"),
    [
        ([], 0, None),
        ([10.0], 1, 5 * HOUR - 10),
        ([5 * HOUR, 10.0], 1, 5 * HOUR - 10),
        ([5 * HOUR - 1, 10.0], 2, 1.0),
        ([30.0, 20.0, 10.0], 3, 5 * HOUR - 30),
        ([40.0, 30.0, 20.0, 10.0], 4, 5 * HOUR - 30),
    ],
)
def test_a_request_counts_for_as_long_as_the_window_is(ago: list[float], rolling: int, back: float | None) -> None:
    times = [NOW - seconds for seconds in ago]
    first, second = counted(PLAN, times, NOW)
    assert first == count(rolling, 3, "5 hours", None if back is None else at(back))
    assert (second.name, second.used, second.limit) == ("7 days", len(ago), 80)


@each(
    ("limits", "names", "seconds"),
    [
        (Limits(), [], 0),
        (Limits(requests_per_minute=5), [], 0),
        (Limits(weekly=1), ["7 days"], WEEK),
        (Limits(rolling=1), ["5 hours"], 5 * HOUR),
        (Limits(rolling=1, weekly=1, window_hours=744), ["31 days", "7 days"], 744 * HOUR),
    ],
)
def test_only_what_is_limited_is_counted(limits: Limits, names: list[str], seconds: float) -> None:
    assert [window.name for window in counted(limits, [], NOW)] == names
    assert longest(limits) == seconds


@given(st.lists(st.floats(0, 2 * WEEK), max_size=30), st.floats(0.5, 100), st.integers(1, 20))
def test_the_wait_that_is_told_brings_something_back(ago: list[float], hours: float, limit: int) -> None:
    times = sorted(NOW - seconds for seconds in ago)
    limits = Limits(rolling=limit, window_hours=hours)
    (before,) = counted(limits, times, NOW)
    assert (before.resets_at is None) == (before.used == 0)
    later = [at for at in times if at > NOW - hours * HOUR]
    if before.used and before.used >= limit:
        freed = later[before.used - limit] + hours * HOUR + 1
        (after,) = counted(limits, times, freed)
        assert after.used is not None
        assert after.used < limit
    assert all(one <= other for one, other in pairwise(times))


# Told by the provider


def headers(place: str, used: str, minutes: str, reset: str = "") -> dict[str, str]:
    said = {"used-percent": used, "window-minutes": minutes, "reset-at": reset}
    return {f"x-codex-{place}-{what}": value for what, value in said.items() if value}


@each(
    ("said", "expected"),
    [
        (headers("primary", "12.5", "300", "1800000300"), [("5 hours", 12.5, at(300))]),
        (headers("primary", "12.5", "300"), [("5 hours", 12.5, None)]),
        (headers("primary", " 7 ", "300", "17"), [("5 hours", 7.0, at(17))]),
        (
            headers("primary", "1", "300") | headers("secondary", "100", "10080"),
            [("5 hours", 1.0, None), ("7 days", 100.0, None)],
        ),
        (headers("primary", "120", "300"), [("5 hours", 120.0, None)]),
        (headers("primary", "", "300"), []),
        (headers("primary", "5", ""), []),
        (headers("primary", "5", "0"), []),
        (headers("primary", "-5", "300"), []),
        (headers("primary", "nan", "300"), []),
        (headers("primary", "9" * 400, "300"), []),
        (headers("primary", "٣", "300"), []),
        (headers("tertiary", "5", "300"), []),
        ({}, []),
    ],
)
def test_headers_tell_how_much_is_used(said: dict[str, str], expected: list[tuple[str, float, str | None]]) -> None:
    found = told("X-Codex", said, NOW)
    assert [(window.name, window.used_percent, window.resets_at) for window in found] == expected
    assert all(window.source == "provider" for window in found)


@each(
    ("used", "resets_at", "expected"),
    [
        (50, None, (50.0, None)),
        (-1, 1e308, (0.0, None)),
        (1e308, -5.0, (1000.0, None)),
        (33.3333, 1_800_000_000_000.0, (33.33, at(0))),
    ],
)
def test_what_can_t_be_is_made_to_fit(used: float, resets_at: float | None, expected: tuple[float, str | None]) -> None:
    window = of_provider(WEEK, used, resets_at)
    assert (window.used_percent, window.resets_at) == expected


# Together

OWN = [count(9, 80, "7 days"), count(1, 3, "5 hours", at(60))]


@each(
    ("said", "expected"),
    [
        ([], OWN),
        ([of_provider(WEEK, 40, NOW + 1)], [of_provider(WEEK, 40, NOW + 1), OWN[1]]),
        ([of_provider(WEEK, 40, None)], [of_provider(WEEK, 40, None), OWN[1]]),
        ([of_provider(WEEK, 40, NOW)], OWN),
        ([of_provider(HOUR, 40, NOW + 1)], [*OWN, of_provider(HOUR, 40, NOW + 1)]),
    ],
)
def test_the_provider_s_word_holds_until_it_is_over(said: list[Window], expected: list[Window]) -> None:
    assert merged(OWN, said, NOW) == expected


def test_the_tightest_decides() -> None:
    assert tightest(OWN) is OWN[1]
    assert tightest([]) is None
    assert remaining(OWN) == 2
    assert remaining([count(9, 3, "5 hours")]) == 0
    assert remaining([of_provider(WEEK, 40, None)]) is None


@each(
    ("seconds", "said"),
    [
        (WEEK, "7 days"),
        (86400, "24 hours"),
        (5 * HOUR, "5 hours"),
        (HOUR, "1 hour"),
        (90, "0.025 hours"),
        (60, "1 minute"),
        (1800, "30 minutes"),
        (2.5 * HOUR, "150 minutes"),
        (1, "0.000278 hours"),
    ],
)
def test_a_length_of_time_has_a_name(seconds: float, said: str) -> None:
    assert name(seconds) == said


@each(
    ("error", "counts"),
    [
        (None, True),
        (errors.Overloaded("x"), True),
        (errors.Interrupted("x"), True),
        (errors.TimedOut("x"), True),
        (errors.SignInNeeded("x"), False),
        (errors.ProgramMissing("x"), False),
        (errors.ConnectFailed("x"), False),
        (errors.InvalidKey("x"), False),
        (errors.RateLimited("x"), False),
        (errors.QuotaExhausted("x"), False),
        (errors.ContextTooLong("x"), False),
    ],
)
def test_only_what_may_have_been_asked_counts(error: errors.PointsmanError | None, counts: bool) -> None:
    assert was_asked(error) == counts
