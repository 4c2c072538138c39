"""Times as people say them: `7d`, `month`, a date. Days are those of the machine's own time zone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime

SPANS = {"h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
NAMED: Mapping[str, Callable[[time.struct_time], tuple[int, int, int]]] = {
    "today": lambda now: (now.tm_year, now.tm_mon, now.tm_mday),
    "yesterday": lambda now: (now.tm_year, now.tm_mon, now.tm_mday - 1),
    "week": lambda now: (now.tm_year, now.tm_mon, now.tm_mday - now.tm_wday),
    "month": lambda now: (now.tm_year, now.tm_mon, 1),
    "year": lambda now: (now.tm_year, 1, 1),
}
"""The first day of what has a name."""
EXPECTED = (
    "Say `7d`, `24h`, `2w`, today, yesterday, week, month, year, all, a date like 2026-11-01, or an RFC 3339 time."
)


def beginning(text: str, now: float) -> float:
    """The Unix time at which a period begins: days count whole, today among them. Raises ValueError."""
    if text == "all":
        return 0.0
    local = time.localtime(now)
    if text in NAMED:
        return _midnight(*NAMED[text](local))
    if found := re.fullmatch(r"([1-9]\d{0,4})([hdw])", text):
        count, unit = int(found[1]), found[2]
        if unit == "h":
            return now - count * SPANS[unit]
        days = count * int(SPANS[unit] / SPANS["d"])
        return _midnight(local.tm_year, local.tm_mon, local.tm_mday - days + 1)
    return _time(text, 0)


def end(text: str, now: float) -> float:
    """The Unix time at which a period ends; a date is the end of that day. Raises ValueError."""
    return now if text == "now" else _time(text, 1)


def _time(text: str, days: int) -> float:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            day = date.fromisoformat(text)
            return _midnight(day.year, day.month, day.day + days)
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text[:40]!r} is no time. {EXPECTED}") from error


def _midnight(year: int, month: int, day: int) -> float:
    """The beginning of a day on the machine's calendar; days beyond a month belong to the months beside it."""
    return time.mktime((year, month, day, 0, 0, 0, 0, 0, -1))
