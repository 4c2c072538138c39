"""When it is worth asking again: durations, times and numbers, in headers and in sentences."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.resets import (
    LATEST_TIME,
    Reset,
    date,
    duration,
    end_in_words,
    in_words,
    reset,
    run_out,
    structured,
    used_up,
)
from tests.each import each

NOON = 1795003200.0
"""2026-11-18 12:00:00 UTC."""


@each(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("4ms", 0.004),
        ("1h2m3.5s", 3723.5),
        ("17s", 17.0),
        ("1d", 86400.0),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("5ns", 5e-9),
        ("", None),
        ("7", None),
        ("s", None),
        ("1s ", None),
        ("1s2", None),
        ("-1s", None),
        ("٣s", None),
        ("1 s", None),
    ],
)
def test_a_duration(text: str, seconds: float | None) -> None:
    assert duration(text) == (None if seconds is None else pytest.approx(seconds))


@each(
    ("value", "seconds", "time"),
    [
        (7, 7.0, "2026-11-18T12:00:07Z"),
        ("7", 7.0, "2026-11-18T12:00:07Z"),
        (0, 0.0, "2026-11-18T12:00:00Z"),
        (1.5, 1.5, "2026-11-18T12:00:01Z"),
        ("17s", 17.0, "2026-11-18T12:00:17Z"),
        (NOON + 60, 60.0, "2026-11-18T12:01:00Z"),
        (int(NOON + 60) * 1000, 60.0, "2026-11-18T12:01:00Z"),
        (f"{int(NOON + 60) * 1000}", 60.0, "2026-11-18T12:01:00Z"),
        (NOON - 60, 0.0, "2026-11-18T11:59:00Z"),
        ("2026-11-18T13:00:00Z", 3600.0, "2026-11-18T13:00:00Z"),
        ("2026-11-18T13:00:00+01:00", 0.0, "2026-11-18T12:00:00Z"),
        ("Wed, 18 Nov 2026 12:02:00 GMT", 120.0, "2026-11-18T12:02:00Z"),
        ("Wed Nov 18 12:02:00 2026", 120.0, "2026-11-18T12:02:00Z"),
        ("Wednesday, 18-Nov-26 12:02:00 GMT", 120.0, "2026-11-18T12:02:00Z"),
        ("Wed, 18 Nov 2026 12:02:00 -0000", 120.0, "2026-11-18T12:02:00Z"),
    ],
)
def test_every_form_is_a_wait_and_a_time(value: Any, seconds: float, time: str) -> None:
    found = reset(value, NOON)
    assert found is not None
    assert (found.seconds, found.time) == (seconds, time)
    blind = reset(value, None)
    assert blind in {Reset(seconds, None), Reset(None, found.at)}, "without a clock only what was said is known"


@each(
    "value",
    [
        None, True, False, "", "soon", [], {}, b"7", -1, "-1", float("nan"), float("inf"), "inf", "1e3", 10**30,
        LATEST_TIME * 1001, f"{10**9}s", "2026-11-18T13:00:00",
        "Wed, 99 Nov 2026 12:02:00 GMT", "0001-01-01T00:00:00+23:00",
    ],
)  # fmt: skip
def test_what_is_no_time_is_none(value: Any) -> None:
    assert reset(value, NOON) is None


@given(st.text(max_size=30) | st.integers() | st.floats() | st.datetimes().map(lambda time: time.isoformat() + "Z"))
def test_whatever_is_said_can_be_told(value: Any) -> None:
    if found := reset(value, NOON):
        assert found.seconds is not None
        assert found.seconds >= 0
        assert found.time
        assert found.time.endswith("Z")


@each(
    ("message", "seconds"),
    [
        ("Please try again in 6m0s. Visit …", 360.0),
        ("Please try again in 20ms.", 0.02),
        ("please retry after 26 seconds.", 26.0),
        ("Please retry in 17.25s.", 17.25),
        ("Try again in 2 minutes", 120.0),
        ("Try again in 1 hour", 3600.0),
        ("Retry after 5.", 5.0),
        ("Try again in 1.2.3s", None),
        ("Please retry after 2026-11-18T12:00:05Z", 5.0),
        ("Please retry after 2026-11-18T12:00:05.250Z.", 5.25),
        ("Retry after 2026-11-18 13:00:05+01:00", 5.0),
        ("Try again at 2026-11-18 12:00 UTC.", 0.0),
        ("Wait until 2026-11-18T12:00:05 GMT", 5.0),
        ("Please retry after 2026-12-01.", None),
        ("Retry after 2026-11-18T12:00:05, if you like", None),
        ("Retry after 2026-13-18T12:00:05Z", None),
        ("retry after 23:59:59 UTC", None),
        ("Try again in 00:05:00", None),
        ("Try again in 12:30 minutes", None),
        ("Try again in 1 hour 30 minutes.", 5400.0),
        ("try again in 5 minutes and 30 seconds", 330.0),
        ("Try again in 1 minute, 20 seconds.", 80.0),
        ("Try again in 2 days, 3 hours, and 1 sec", 183601.0),
        ("Try again in 2 days 3 hrs", 183600.0),
        ("Try again in 5 seconds and 3 more", None),
        ("Try again in 5 minutes and look at your plan", 300.0),
        ("Try again in 5 minutes or with a smaller one", 300.0),
        ("Please try again in 5  minutes", 300.0),
        ("Please retry after 5\u00a0minutes", 300.0),
        ("Please retry after 5\nminutes.", 300.0),
        ("Try again in 5 (minutes)", None),
        ("Try again in 1h30", None),
        ("Try again in 3 minutes 10", None),
        ("Try again in 1 minute to 5 minutes", None),
        ("Try again in a day or two", None),
        ("Try again at 10.", None),
        ("Try again at 1795003205.", 5.0),
        ("Wait until 5 minutes have passed", None),
        ("We had to wait 30 seconds for a GPU and gave up", None),
        ("You need to wait 30 seconds", 30.0),
        ("Retry after 1,200 seconds", 1200.0),
        ("Retry after 1,200.", 1200.0),
        ("Retry after 1,5 seconds", None),
        ("Please wait 20s", 20.0),
        ("Wait for at least 2 mins before the next", 120.0),
        ("Try again in about 2 minutes", 120.0),
        ("Try again in one hour", 3600.0),
        ("Try again in an hour and a half", None),
        ("Retry in 1500 milliseconds", 1.5),
        ("Retry in 1500 msec", 1.5),
        ("Retry in 250 µs or 1 week", None),
        ("Retry in 250 µs", 0.00025),
        ("Please wait before you ask. Try again in 5 s.", 5.0),
        ("Retry 5 times", None),
        ("Do not wait 5 times", None),
        ("You must wait 5 minutes", 300.0),
        ("The longest queue wait 30s was exceeded", None),
        ("Try again in 5 lives", None),
        ("Try again in 2 days", 172800.0),
        ("Try again in a moment", None),
        ("", None),
    ],
)
def test_a_wait_told_in_a_sentence(message: str, seconds: float | None) -> None:
    found = in_words(message, NOON)
    assert (found and found.seconds) == seconds


@each(
    ("message", "seconds"),
    [
        ("access on 2026-11-18 at 12:01 UTC.", 60.0),
        ("on 2026-13-45 at 12:01 UTC", None),
        ("on Monday", None),
        ("Your quota will reset after 3h12m7s.", 11527.0),
        ("It resets in 2 days and 1 hour", 176400.0),
        ("The limit resets at 2026-11-18T12:01:00Z.", 60.0),
        ("available again in 5 minutes", 300.0),
        ("It resets at midnight", None),
        ("The window reset 5 times", None),
    ],
)
def test_the_end_of_what_is_spent_told_in_a_sentence(message: str, seconds: float | None) -> None:
    found = end_in_words(message, NOON)
    assert (found and found.seconds) == seconds


@each(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-reset": "later"}, None),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "0"}, 360.0),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "1"}, None),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "some"}, 360.0),
        (
            {
                "x-ratelimit-reset-requests": "6m0s",
                "x-ratelimit-reset-tokens": "1s",
                "x-ratelimit-remaining-tokens": "0",
            },
            1.0,
        ),
        ({"a-ratelimit-a-reset": "1s", "a-ratelimit-b-reset": "3s", "a-ratelimit-c-reset": "2s"}, 3.0),
        ({"x-codex-primary-reset-at": f"{NOON + 5:.0f}", "x-codex-primary-used-percent": "100"}, 5.0),
        ({"x-codex-primary-reset-at": f"{NOON + 5:.0f}", "x-codex-primary-used-percent": "99"}, None),
        ({"x-codex-primary-reset-at": f"{NOON + 5:.0f}", "x-codex-primary-used-percent": "most"}, 5.0),
        ({"retry-after-reset": "1s"}, None),
        ({"ratelimit": '"default";r=0;t=3', "ratelimit-policy": '"default";q=100;w=60'}, 3.0),
        ({"ratelimit": '"default" ; r=0; t=3'}, 3.0),
        ({"ratelimit": "default;r=0;t=3;pk=:Zm9v:"}, 3.0),
        ({"ratelimit": '"default";r=1;t=3'}, None),
        ({"ratelimit": '"burst";r=0;t=3, "day";r=40;t=7200'}, 3.0),
        ({"ratelimit": '"burst";r=0;t=3,"day";r=0;t=7200'}, 7200.0),
        ({"ratelimit": '"a, \\";r=5";t=3;r=0'}, 3.0),
        ({"ratelimit": '"default";t=3'}, 3.0),
        ({"ratelimit": '"default";r=0'}, None),
        ({"ratelimit": '"default";r=0.5;t=soon'}, None),
        ({"ratelimit": "limit=100, remaining=0, reset=3", "ratelimit-policy": "100;w=60"}, 3.0),
        ({"ratelimit": "limit=100, remaining=7, reset=3"}, None),
        ({"ratelimit": '"'}, None),
        ({"ratelimit": '"default";r=0;t=3, ,'}, 3.0),
        ({"ratelimit": "100"}, None),
    ],
)
def test_the_last_reset_of_what_is_used_up(headers: dict[str, str], seconds: float | None) -> None:
    found = used_up(headers, NOON)
    assert (found and found.seconds) == seconds


@each(("said", "limit"), [("60", 60), (" 60 ", 60), ("", None), ("many", None), ("-1", None)])
def test_how_much_a_limit_allows(said: str, limit: int | None) -> None:
    headers = {"x-ratelimit-reset-requests": "1s", "x-ratelimit-remaining-requests": "0"}
    found = used_up(headers | {"x-ratelimit-limit-requests": said}, NOON)
    assert found == Reset(1.0, NOON + 1, limit, 0)


@each(
    ("limits", "policy"),
    [
        ('"default";r=0;t=1', '"default";q=60;w=60'),
        ('"b";r=9;t=9, "a";r=0;t=1', '"a";q=60;w=60, "b";q=9'),
        ("limit=60, remaining=0, reset=1", "60;w=60"),
    ],
)
def test_how_much_a_structured_limit_allows(limits: str, policy: str) -> None:
    headers = {"ratelimit": limits, "ratelimit-policy": policy}
    assert used_up(headers, NOON) == Reset(1.0, NOON + 1, 60, 0)
    assert run_out(headers) == Reset(1.0)


@given(st.text(alphabet='"\\;,=rtq019 ab', max_size=40))
def test_nothing_in_a_structured_header_is_a_mistake_of_ours(value: str) -> None:
    found = structured({"ratelimit": value, "ratelimit-policy": value})
    assert all(said.isdecimal() for said in found.values())


def test_the_date_of_a_response() -> None:
    assert date({"date": "Wed, 18 Nov 2026 12:00:00 GMT"}) == NOON
    assert date({"date": "today"}) is None
    assert date({}) is None


def test_a_wait_beyond_the_last_year_has_no_time() -> None:
    now = date({"date": "Fri, 31 Dec 9999 23:59:59 GMT"})
    found = reset("100", now)
    assert found == Reset(100.0, None)
    assert found.time is None


@each("value", [10**400, -(10**400), "9" * 400, "9" * 400 + "s"])
def test_a_number_beyond_all_bounds_says_nothing(value: object) -> None:
    assert reset(value, NOON) is None


@each(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"x-ratelimit-reset-requests": "6s", "x-ratelimit-remaining-requests": "0"}, 6.0),
        ({"x-ratelimit-reset-requests": "6s", "x-ratelimit-remaining-requests": "1"}, None),
        ({"x-ratelimit-reset-requests": "6s"}, None),
        ({"x-ratelimit-reset-requests": "soon", "x-ratelimit-remaining-requests": "0"}, None),
        ({"retry-after-reset": "6s", "retry-after-remaining": "0"}, None),
        (
            {"a-reset-tokens": "6s", "a-remaining-tokens": "0", "a-reset-requests": "60s", "a-remaining-requests": "0"},
            60.0,
        ),
        ({"x-codex-primary-reset-at": "30s", "x-codex-primary-used-percent": "100"}, 30.0),
    ],
)
def test_the_last_answer_that_a_limit_allows(headers: dict[str, str], seconds: float | None) -> None:
    found = run_out(headers)
    assert (found.seconds if found else None) == seconds
