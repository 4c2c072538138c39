"""What failures say about a provider, a model of it and an account, and when each is worth asking again.

Must never know a clock, nor block anything for ever: every mark ends, by time or by one answer.

    what was seen                  marks                   is asked again
    -----------------------------  ----------------------  ---------------------------------------------------------
    a wait that was asked for      what the failure is     then, and never sooner: a floor, up to a day; for a spent
                                   about                   quota up to an hour
    a longer wait, a date on       the same                a ceiling: then at the latest, and as after a quota that
    which a quota comes back                               is spent before that
    not reached                    the provider            after 3 in a row, 30 s later, doubling up to 10 minutes
    trouble, silence, rubbish      the model               the same
    too many requests              the account, the model  after 1 s, doubling up to a minute
    a quota that is spent          the account             after 10 s, doubling up to half an hour
    a quota for a day or a week    the account, the model  the same
    a refused key (401)            the account             after a minute, doubling up to an hour
    a refused model (403)          the account, the model  the same
    a token that is not renewed    the account             as after the failure itself

What is asked again in doubt is asked by one chat alone (a probe); the others wait for what comes of it. An answer
takes every mark away. Of many that fail at once, only the first counts: the others were sent before it was known.

Who has no other way may ask all the same where nobody but we think that it should wait: where the provider has said
neither a floor nor a ceiling (`wanted`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from pointsman.core.errors import (
    BadReply,
    ConnectFailed,
    Interrupted,
    InvalidKey,
    NotAllowed,
    Overloaded,
    PointsmanError,
    QuotaExhausted,
    RateLimited,
    TransportError,
)
from pointsman.core.resets import reset

Subject = tuple[str, str, str]
"""Provider, account and model that a mark is about; an empty one means all of them."""
NOBODY = "-"
"""The account of who needs none."""
Verdict = Literal["free", "probe", "blocked"]

PROBE = 120.0
"""Seconds that a probe may take before another chat may ask."""
LONGEST_FLOOR = 86400.0
"""A wait of more seconds than this is a ceiling, not a floor. No mark waits longer."""
LONGEST_OF_QUOTA = 3600.0
"""The same for a quota: what is spent for hours may be paid for, or given, before that."""
LONGEST_WINDOW = 3600.0
"""Seconds for which an empty window lets others go first."""
SET_BACK = 3600.0
"""A mark that was set so many seconds after now is of a clock that was set back since."""


class Mark(Struct, frozen=True, omit_defaults=True):
    """What is held against a subject. Times are Unix seconds.

    `failures` are those in a row, `since` is the first of them; not asked before `until`, 0 while it still may be.
    `told`: `until` is a floor, asked for by the provider. `ceiling` is when it says that all is well again at the
    latest. `probing` is until when one chat asks for all. `at` is when the mark was set.
    """

    code: str
    failures: int
    since: float
    until: float = 0.0
    told: bool = False
    ceiling: float | None = None
    probing: float = 0.0
    at: float = 0.0


Marks = Mapping[Subject, Mark]


@dataclass(frozen=True)
class Policy:
    """After how many failures in a row a subject is left alone, and for how many seconds, doubling between the two."""

    threshold: int
    first: float
    longest: float


TROUBLE = Policy(3, 30.0, 600.0)
LIMITED = Policy(1, 1.0, 60.0)
SPENT = Policy(1, 10.0, 1800.0)
REFUSED = Policy(1, 60.0, 3600.0)
UNAUTHORIZED = 401
DOUBTED = {QuotaExhausted.__name__, InvalidKey.__name__}
"""What is asked again in doubt also after a wait that was asked for: a wait alone does not mend it."""
BLAME: Mapping[type[PointsmanError], tuple[tuple[str, ...], Policy]] = {
    QuotaExhausted: (("account",), SPENT),
    RateLimited: (("account", "model"), LIMITED),
    InvalidKey: (("account", "model"), REFUSED),
    NotAllowed: (("account", "model"), REFUSED),
    ConnectFailed: ((), TROUBLE),
    Overloaded: (("model",), TROUBLE),
    BadReply: (("model",), TROUBLE),
    Interrupted: (("model",), TROUBLE),
    TransportError: (("model",), TROUBLE),
}
"""What each failure is held against; the first class that fits counts. A 401 is about the account, whatever model."""


def subject(error: PointsmanError, provider: str, account: str, model: str) -> tuple[Subject, Policy] | None:
    """What a failure is held against, and how; None for one that says nothing about who was asked."""
    for kind, (about, policy) in BLAME.items():
        if isinstance(error, kind):
            of_key = kind is InvalidKey and error.status_code == UNAUTHORIZED and account != NOBODY
            of_model = ("model" in about and not of_key) or error.of_model
            if error.of_account and account != NOBODY:
                return (provider, account, ""), policy
            return (provider, account if "account" in about else "", model if of_model else ""), policy
    return None


def subjects(provider: str, account: str, model: str) -> tuple[Subject, ...]:
    """All that an attempt depends on."""
    return (provider, "", ""), (provider, "", model), (provider, account, ""), (provider, account, model)


def failed(before: Mark | None, error: PointsmanError, policy: Policy, now: float, jitter: float = 0.0) -> Mark:
    """The mark after one more failure; `jitter` (0 to 1) shortens a wait of ours by up to a fifth."""
    same = before is not None and before.code == error.code
    failures = before.failures + 1 if before is not None and same else 1
    since = before.since if before is not None and same else now
    spent = isinstance(error, QuotaExhausted)
    asked, ceiling = _asked(error, LONGEST_OF_QUOTA if spent else LONGEST_FLOOR, now)
    if asked is not None:
        until = max(asked, floor(before, now) or 0.0)
        return Mark(error.code, failures, since, until, told=True, ceiling=ceiling, at=now)
    if before is not None and now < before.until and _holds(before, now) and (same or not spent):
        # What was sent before that was known says nothing new, but perhaps a date.
        return replace(before, probing=0.0, ceiling=before.ceiling if ceiling is None else ceiling)
    if ceiling is not None and not spent:
        policy = SPENT
    if failures < policy.threshold:
        return Mark(error.code, failures, since, at=now)
    backoff = min(policy.first * 2.0 ** min(failures - policy.threshold, 20), policy.longest) * (1 - jitter / 5)
    until = now + backoff if ceiling is None else min(now + backoff, ceiling)
    kept = floor(before, now) or 0.0
    return Mark(error.code, failures, since, max(until, kept), told=kept > until, ceiling=ceiling, at=now)


def _asked(error: PointsmanError, longest: float, now: float) -> tuple[float | None, float | None]:
    """What a provider asks for: until when not to be asked, and when all is well at the latest (Unix times)."""
    date = reset(error.resets_at, now)
    ceiling = date.at if date is not None and date.at is not None and date.at > now else None
    seconds = error.retry_after
    if seconds is None and ceiling is not None and not isinstance(error, QuotaExhausted):
        seconds = ceiling - now
    if seconds is None or seconds <= 0:
        return None, ceiling
    if seconds > longest:
        return None, now + seconds if ceiling is None else ceiling
    return now + seconds, ceiling if ceiling is not None and ceiling > now + seconds else None


def emptied(now: float, seconds: float) -> Mark:
    """The mark of an account that has had the last answer that a limit allows for so many seconds.

    Nobody has asked for a wait, so it is none: who has no other way may ask.
    """
    return Mark(RateLimited.__name__, 1, now, now + min(seconds, LONGEST_WINDOW), at=now)


def verdict(mark: Mark | None, now: float) -> Verdict:
    """Whether a subject may be asked: freely, by one chat alone, or not now."""
    if mark is None or not mark.until or (mark.told and now >= mark.until and mark.code not in DOUBTED):
        return "free"
    return "probe" if free_from(mark, now) <= now else "blocked"


def probed(mark: Mark, now: float) -> Mark:
    """The mark while one chat asks."""
    return replace(mark, probing=now + PROBE)


def sound(marks: Marks, now: float) -> dict[Subject, Mark]:
    """The marks without what no mark could have set by now: a clock that was set back must block nobody later on."""
    found = {}
    for key, mark in marks.items():
        if _holds(mark, now):
            found[key] = mark if mark.probing <= now + PROBE else released(mark)
    return found


def released(mark: Mark) -> Mark:
    """The mark once the chat that asked has gone without learning anything: the next one may ask."""
    return replace(mark, probing=0.0)


def floor(mark: Mark | None, now: float) -> float | None:
    """Until when the provider has asked not to be asked; None when it has not, or that is over."""
    if mark is None or not mark.told or not now < mark.until or not _holds(mark, now):
        return None
    return mark.until


def wanted(mark: Mark | None, now: float) -> float | None:
    """Until when the provider itself says that asking is in vain: a floor or a ceiling; None when it says neither."""
    if mark is None or not mark.until or not _holds(mark, now):
        return None
    if mark.told:
        return mark.until if now < mark.until else None
    return mark.ceiling if mark.ceiling is not None and mark.ceiling > now else None


def free_from(mark: Mark, now: float) -> float:
    """The Unix time from which a subject may be asked again; what no mark could have set is of a clock set back."""
    until = mark.until if _holds(mark, now) else 0.0
    probing = mark.probing if mark.probing <= now + PROBE else 0.0
    return until if until > probing else probing  # asked for every mark of every plan, where `max` takes its time


def _holds(mark: Mark, now: float) -> bool:
    """Whether a mark can have been set by now."""
    return mark.until <= now + LONGEST_FLOOR and mark.at <= now + SET_BACK


def words(mark: Mark, now: float, clock: Callable[[float], str]) -> str:
    """Why a subject is left alone, for people; `clock` writes a Unix time as they read it."""
    when = clock(free_from(mark, now))
    if verdict(mark, now) != "blocked":
        tried = "it may be asked now"
    elif mark.until <= now:
        tried = f"another chat asks it now, the next may at {when}"
    else:
        tried = f"tried again at {when}"
    if mark.code == QuotaExhausted.__name__:
        resets = f", resets {clock(mark.ceiling)}" if mark.ceiling is not None and mark.ceiling > now else ""
        return f"quota spent{resets}, {tried}"
    if mark.code == InvalidKey.__name__:
        return f"key refused, {tried}"
    if mark.code == NotAllowed.__name__:
        return f"not allowed for this account, {tried}"
    if mark.until <= now:
        return f"breaker open ({mark.code}), {tried}"
    if mark.told or mark.code == RateLimited.__name__:
        return f"cooling until {when} ({mark.code})"
    return f"breaker open until {when} ({mark.code})"


def obstacle(marks: Marks, provider: str, account: str, model: str, now: float) -> tuple[Subject, Mark] | None:
    """What keeps an attempt from being made now, the longest of it; None when nothing does."""
    found = obstacles(marks, provider, account, model, now)
    return max(found, key=lambda each: free_from(each[1], now)) if found else None


def obstacles(marks: Marks, provider: str, account: str, model: str, now: float) -> list[tuple[Subject, Mark]]:
    """All that keeps an attempt from being made now."""
    found = []
    for key in subjects(provider, account, model):
        mark = marks.get(key)
        if mark is not None and verdict(mark, now) == "blocked":
            found.append((key, mark))
    return found
