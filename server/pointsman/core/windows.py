"""How much of a plan is used: windows of time in which only so many requests are given.

They are counted here, from the times of the requests, or told by the provider. Must never know a clock, nor a provider.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from pointsman.core.catalogue import Limits
from pointsman.core.errors import (
    BadCertificate,
    BadRequest,
    ConnectFailed,
    CredentialError,
    InvalidKey,
    ModelNotFound,
    NotAllowed,
    PluginFailed,
    PointsmanError,
    QuotaExhausted,
    RateLimited,
)
from pointsman.core.resets import Reset, reset

HOUR, WEEK = 3600.0, 7 * 86400.0
MOST = 1000.0
"""Percent; more than all may be used where a provider lets it be paid for."""
PLACES = ("primary", "secondary")
"""How headers call a provider's windows, the shorter first."""
UNREACHED: tuple[type[PointsmanError], ...] = (CredentialError, ConnectFailed, BadCertificate, PluginFailed)
"""Errors after which nobody has been reached."""
UNASKED: tuple[type[PointsmanError], ...] = (
    *UNREACHED,
    *(InvalidKey, NotAllowed, ModelNotFound, BadRequest, RateLimited, QuotaExhausted),
)
"""Errors after which no model has been asked: nobody was reached, or the request was turned away."""


class Window(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How much of one window of a plan is used, in percent.

    `used` and `limit` are requests, where they are counted here. `resetsAt` is when some of it comes back, RFC 3339 in
    UTC. `source` says who counts: `counted` here, from the requests that went through this daemon; or the `provider`.
    """

    name: str
    used_percent: float
    source: Literal["counted", "provider"]
    used: int | None = None
    limit: int | None = None
    resets_at: str | None = None
    account: str | None = None


def longest(limits: Limits) -> float:
    """Seconds for which a request counts; 0 where nothing is counted."""
    return max([WEEK] * bool(limits.weekly) + [limits.window_hours * HOUR] * bool(limits.rolling), default=0.0)


def counted(limits: Limits, times: Sequence[float], now: float) -> list[Window]:
    """The windows of a plan, the rolling one first, by the Unix times of its requests in their order."""
    windows = ((limits.window_hours * HOUR, limits.rolling), (WEEK, limits.weekly))
    return [_counted(seconds, limit, times, now) for seconds, limit in windows if limit]


def told(prefix: str, headers: Mapping[str, str], now: float) -> list[Window]:
    """The windows that a provider tells in the headers `{prefix}-{primary,secondary}-{used-percent,…}`.

    Names of headers are lower case. Source: codex-api/src/rate_limits.rs in openai/codex.
    """
    return [window for place in PLACES if (window := _told(f"{prefix.lower()}-{place}", headers, now))]


def of_provider(seconds: float, used_percent: float, resets_at: float | None) -> Window:
    """A window as its provider tells it; `resets_at` is a Unix time."""
    when = reset(resets_at, None) or Reset()
    return Window(name(seconds), round(min(max(0.0, used_percent), MOST), 2), "provider", resets_at=when.time)


def merged(counts: Iterable[Window], said: Iterable[Window], now: float) -> list[Window]:
    """What was counted, but what the provider says where it says it; what has come to an end meanwhile is left out."""
    holds = {window.name: window for window in said if not _is_over(window, now)}
    return [holds.pop(window.name, window) for window in counts] + list(holds.values())


def tightest(windows: Iterable[Window]) -> Window | None:
    """The window of which the most is used; of equals the first."""
    return max(windows, key=lambda window: window.used_percent, default=None)


def remaining(windows: Iterable[Window]) -> int | None:
    """The requests that all counted windows still allow; None where none is counted."""
    left = [max(0, each.limit - each.used) for each in windows if each.limit is not None and each.used is not None]
    return min(left, default=None)


def was_asked(error: PointsmanError | None) -> bool:
    """Whether a request that was sent, and ended so, may have counted for its plan; None is a good answer."""
    return not isinstance(error, UNASKED)


def name(seconds: float) -> str:
    """A length of time for people: `5 hours`, `7 days`."""
    for unit, size in (("day", 86400.0), ("hour", HOUR), ("minute", 60.0)):
        if seconds >= size and (seconds / size).is_integer() and not (unit == "day" and seconds == size):
            count = int(seconds / size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds / HOUR:.3g} hours"


def _counted(seconds: float, limit: int, times: Sequence[float], now: float) -> Window:
    inside = times[bisect_right(times, now - seconds) :]
    used, back = len(inside), None
    if inside:  # the next that comes back, or, where too many were used, the one that makes room again
        back = Reset(at=inside[max(0, used - limit)] + seconds).time
    return Window(name(seconds), round(100 * used / limit, 2), "counted", used, limit, back)


def _told(prefix: str, headers: Mapping[str, str], now: float) -> Window | None:
    used, minutes = _number(headers, f"{prefix}-used-percent"), _number(headers, f"{prefix}-window-minutes")
    if used is None or not minutes:
        return None
    when = reset(headers.get(f"{prefix}-reset-at", ""), now)
    return of_provider(minutes * 60, used, when.at if when else None)


def _number(headers: Mapping[str, str], name: str) -> float | None:
    text = headers.get(name, "").strip()
    return float(text) if text.isascii() and text.replace(".", "", 1).isdecimal() and len(text) < 16 else None


def _is_over(window: Window, now: float) -> bool:
    when = reset(window.resets_at or "", now)
    return when is not None and when.at is not None and when.at <= now
