"""When a provider can be asked again: every form in which it says so, as one value. Must never know a clock.

What is told as a time is only a wait once the response's own `Date` says what time it was there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)
_AGAIN = re.compile(
    r"\b(?:(?:try again|retry) (?:in|after|at)"
    r"|(?:(?<![a-z] )|(?<=please )|(?<=must )|(?<=need to )|(?<=have to ))wait(?: (?:for|until))?)"
    r" (?:at least |about |approximately )?",
    re.IGNORECASE,
)
_ENDS = re.compile(r"\b(?:resets?|available again) (?:in|after|at|on) (?:about |approximately )?", re.IGNORECASE)
_PART = re.compile(
    r"(?:,? and |, | )?(?:(\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?) ?|(?:one|an?) )"
    r"(?:(d|h|m|s|ms|us|µs|ns)(?![a-zµ])|(sec|min|hour|hr|day|msec|milli)[a-z]*)",
    re.IGNORECASE | re.ASCII,
)
_BARE = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+(?:\.[0-9]+)?)(?![^\s.,;!)])(?![.,][0-9])(?! [\w(])")
_STAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ]| at )(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?: ?(?:UTC|GMT|Z)|([+-]\d\d:\d\d))",
    re.IGNORECASE | re.ASCII,
)
_GOES_ON = re.compile(
    r" ?\d|,? (?:and|or|to) (?:an? |one )?(?:\d|half|two|three|few|more|sec|min|hour|day|week|month)", re.IGNORECASE
)
"""What shows that a wait was not read to its end."""
_NAMED = {"sec": "s", "min": "m", "hour": "h", "hr": "h", "day": "d", "msec": "ms", "milli": "ms"}
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_ITEMS = re.compile(rf'(?:{_QUOTED}|[^",])+', re.ASCII)
_NAME = re.compile(rf"\s*({_QUOTED}|[^\s;]+)(.*)", re.ASCII | re.DOTALL)
_PARAMETER = re.compile(r";\s*(r|t|q)=(\d{1,15})(?![^\s;])", re.ASCII)
_MEMBER = re.compile(r"(?:^|,)\s*(limit|remaining|reset)=(\d{1,15})(?![^\s,;])", re.ASCII)
PLAIN = {"r": "remaining", "t": "reset", "q": "limit"}
"""What the parameters of the structured headers are called by the plain ones."""
_TIMES = {"at", "on", "until"}
"""Words behind which a time stands, and no wait."""
_ON_A_DAY = re.compile(r"\bon (?=\d{4}-\d\d-\d\d at )", re.ASCII)
EARLIEST_TIME, EARLIEST_MILLISECONDS = 1e9, 1e11
"""A number from here on is no wait but a Unix time, in seconds or in milliseconds."""
LATEST_TIME = 253402300799.0
"""The end of the year 9999, the last that RFC 3339 can write."""
FULL = 100.0
"""Percent of a window that are used when there is nothing left of it."""


@dataclass(frozen=True)
class Reset:
    """From when on it is worth asking again: in so many seconds, and at which Unix time, as far as that is known.

    `limit` is how many requests or tokens are allowed until then, and `left` how many of them are left, where that is
    what it is about.
    """

    seconds: float | None = None
    at: float | None = None
    limit: int | None = None
    left: int | None = None

    @property
    def time(self) -> str | None:
        """The time in RFC 3339, UTC, to the second."""
        if self.at is None:
            return None
        return datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def reset(value: object, now: float | None) -> Reset | None:
    """What a header or a field says.

    Seconds, a duration (`6m0s`, `4ms`), a Unix time in seconds or milliseconds, RFC 3339, or the date of a header
    (RFC 9110 §5.6.7). `now` is the Unix time at which it was said.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = value.strip() if isinstance(value, str) else ""
    try:
        number = float(value) if not isinstance(value, str) else float(text) if _NUMBER.fullmatch(text) else None
    except OverflowError:  # JSON sets no limit to a whole number
        return None
    if number is not None:
        if number >= EARLIEST_MILLISECONDS:
            return _at(number / 1000, now)
        return _at(number, now) if number >= EARLIEST_TIME else _after(number, now)
    if (seconds := duration(text)) is not None:
        return _after(seconds, now)
    at = _time(text)
    return None if at is None else _at(at, now)


def duration(text: str) -> float | None:
    """Seconds in a duration as Go and Protobuf write it: `1h2m3.5s`, `4ms`, `17s`."""
    found = _DURATION.findall(text)
    if not found or "".join(number + unit for number, unit in found) != text:
        return None
    return sum(float(number) * UNITS[unit] for number, unit in found)


def date(headers: Mapping[str, str]) -> float | None:
    """The Unix time at which a response was made, by its own `Date`."""
    return _http_date(headers.get("date", ""))


def in_words(message: str, now: float | None) -> Reset | None:
    """The wait that a sentence asks for: `try again in 6m0s`, `retry after 1 hour and 5 seconds`, or a time in UTC.

    What can't be read to its end is not guessed at.
    """
    return _told(message, _AGAIN, now)


def end_in_words(message: str, now: float | None) -> Reset | None:
    """When a sentence says that something is there again: `resets in 3h12m`, `on 2026-12-01 at 00:00 UTC`."""
    return _told(message, _ON_A_DAY, now) or _told(message, _ENDS, now)


def used_up(headers: Mapping[str, str], now: float | None) -> Reset | None:
    """The last reset of those limits of which nothing is left; names of headers are lower case.

    A limit is a pair `…reset…` and `…remaining…`, or a window `…-reset-at` and `…-used-percent`. One that doesn't say
    what is left of it counts where no other does. Sources: the rate limit pages of OpenAI, Groq, Anthropic and
    OpenRouter; codex-api/src/rate_limits.rs in openai/codex.
    """
    empty: list[Reset] = []
    unsaid: list[Reset] = []
    headers = {**headers, **structured(headers)}
    for name, value in headers.items():
        if "reset" not in name or "retry" in name or (found := reset(value, now)) is None:
            continue
        left = _left(name, headers)
        if left is None:
            unsaid.append(found)
        elif left <= 0:
            limit = headers.get(name.replace("reset", "limit"), "").strip()
            empty.append(replace(found, limit=int(limit) if limit.isdecimal() else None, left=0))
    return max(empty or unsaid, key=lambda each: (each.at or 0.0, each.seconds or 0.0), default=None)


def run_out(headers: Mapping[str, str]) -> Reset | None:
    """When a good answer was the last that a limit allowed: the last reset of those of which it says that nothing is
    left; None where it says that of none.
    """
    if not any("reset" in name or "ratelimit" in name for name in headers):
        return None
    now, headers = date(headers), {**headers, **structured(headers)}
    resets = ((name, reset(value, now)) for name, value in headers.items() if "reset" in name and "retry" not in name)
    empty = [found for name, found in resets if found and (left := _left(name, headers)) is not None and left <= 0]
    return max(empty, key=lambda each: each.seconds or 0.0, default=None)


def structured(headers: Mapping[str, str]) -> dict[str, str]:
    """What `RateLimit` and `RateLimit-Policy` say, as plain headers: a pair for each policy, whatever its name.

    Sources: draft-ietf-httpapi-ratelimit-headers-10, and -07 for the form `limit=10, remaining=0, reset=3`.
    """
    found: dict[str, str] = {}
    policies: dict[str, int] = {}
    for header in ("ratelimit", "ratelimit-policy"):
        value = headers.get(header, "")
        for item in _ITEMS.findall(value):
            if (parts := _NAME.fullmatch(item)) is not None:
                number = policies.setdefault(parts[1], len(policies))
                found |= {f"ratelimit-{number}-{PLAIN[key]}": said for key, said in _PARAMETER.findall(parts[2])}
        found |= {f"ratelimit-{key}": said for key, said in _MEMBER.findall(value)}
    return found


def _told(message: str, lead: re.Pattern[str], now: float | None) -> Reset | None:
    """What stands behind the first words that lead to a wait or a time."""
    message = " ".join(message.split())
    leads = ((found.end(), found[0].split()[-1].lower()) for found in lead.finditer(message))
    return next((told for at, last in leads if (told := _told_at(message, at, last, now))), None)


def _told_at(message: str, at: int, last: str, now: float | None) -> Reset | None:
    """What stands there: behind `at` and the like a time alone."""
    if (stamp := _STAMP.match(message, at)) is not None:
        return reset(f"{stamp[1]}T{stamp[2]}{stamp[3] or 'Z'}", now)
    if (bare := _BARE.match(message, at)) is not None:  # without a unit it is seconds
        number = float(bare[1].replace(",", ""))
        return reset(number, now) if last not in _TIMES or number >= EARLIEST_TIME else None
    seconds = None if last in _TIMES else _seconds(message, at)
    return None if seconds is None else _after(seconds, now)


def _seconds(message: str, at: int) -> float | None:
    """The sum of what stands there: `5 minutes and 30 seconds`, `6m0s`, `an hour`."""
    seconds, begun = 0.0, at
    while part := _PART.match(message, at):
        unit = (part[2] or _NAMED[part[3].lower()]).lower()
        seconds += float((part[1] or "1").replace(",", "")) * UNITS[unit]
        at = part.end()
    return seconds if at > begun and not _GOES_ON.match(message, at) else None


def _left(name: str, headers: Mapping[str, str]) -> float | None:
    """What is left of the limit whose reset has this name; None where nothing says so."""
    remaining = headers.get(name.replace("reset", "remaining"), "").strip()
    if _NUMBER.fullmatch(remaining):
        return float(remaining)
    used = headers.get(name.replace("reset-at", "used-percent"), "").strip() if "reset-at" in name else ""
    return FULL - float(used) if _NUMBER.fullmatch(used) else None


def _after(seconds: float, now: float | None) -> Reset | None:
    """`seconds` is not below 0 here but where a field holds such a number."""
    if not 0 <= seconds < EARLIEST_TIME:
        return None
    at = None if now is None else now + seconds
    return Reset(seconds, at if at is not None and 0 <= at <= LATEST_TIME else None)


def _at(at: float, now: float | None) -> Reset | None:
    if not isfinite(at) or not 0 <= at <= LATEST_TIME:
        return None
    return Reset(None if now is None else max(0.0, at - now), at)


def _time(text: str) -> float | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return _http_date(text)
    return None if time.tzinfo is None else time.timestamp()


def _http_date(text: str) -> float | None:
    """One of the three forms of RFC 9110 §5.6.7; that of `asctime` names no time zone, and means UTC."""
    try:
        time = parsedate_to_datetime(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
