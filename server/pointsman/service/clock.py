"""The time of day as the protocol writes it, and as people read it."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime

SOON = 180.0
"""Seconds within which people want to know the second."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def now() -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rfc3339(at: float) -> str:
    """A Unix time in RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def time_of_day(at: float, now: float | None = None) -> str:
    """A Unix time for people, on the clock of this machine: `14:05`, `14:04:31` if that is soon, or `16 Mar 08:00` on
    another day than `now`.

    What has not come by then has not come: it is rounded up, to a minute or a second.
    """
    now = time.time() if now is None else now
    soon = abs(at - now) < SOON
    then = time.localtime(math.ceil(at) if soon else math.ceil(at / 60) * 60)
    today = time.localtime(now)
    hour = f"{then.tm_hour:02}:{then.tm_min:02}" + (f":{then.tm_sec:02}" if soon else "")
    if (then.tm_year, then.tm_yday) == (today.tm_year, today.tm_yday):
        return hour
    return f"{then.tm_mday} {MONTHS[then.tm_mon - 1]} {hour}"
