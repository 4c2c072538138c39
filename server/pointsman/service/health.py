"""How well providers, their accounts and their models are: marks in memory, written down in the background.

Must never stop a chat for ever, wait for the disk, or know a key: an account is known by the id of its record, or by a
hash that only this database can make. What a mark means is in `core.health`.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NamedTuple

import msgspec

from pointsman.core.catalogue import Provider
from pointsman.core.errors import (
    UNREADABLE,
    ConnectFailed,
    InvalidKey,
    NotAllowed,
    PointsmanError,
    QuotaExhausted,
    RateLimited,
)
from pointsman.core.health import (
    DOUBTED,
    LONGEST_FLOOR,
    NOBODY,
    Mark,
    Subject,
    emptied,
    failed,
    free_from,
    obstacle,
    obstacles,
    probed,
    released,
    sound,
    subject,
    subjects,
    verdict,
    wanted,
    words,
)
from pointsman.core.http import shown
from pointsman.core.routing import Target
from pointsman.edge.credential import Credential
from pointsman.edge.health_store import HealthStore
from pointsman.service.clock import rfc3339, time_of_day

PASSING = "~"
"""What begins the name of an account that must leave no trace: a key that came with a chat, or with a session."""
FORGOTTEN_AFTER = 30 * 86400.0
"""Seconds after which a mark is no longer worth loading."""
NEWEST = 0.3
"""The weight of the latest first token in the average of them."""
TOLD_EVERY = 0.1
"""Seconds in which changes pile up before they are told."""
State = Literal["available", "rate-limited", "error", "offline"]


@dataclass(frozen=True)
class Asked:
    """Whom an attempt asks: `account` is that of `Health.account`, `shown` what people may see of it."""

    provider: Provider
    account: str
    model: str
    shown: str | None = None


class Hold(NamedTuple):
    """What keeps a target back, of so many `keys` each for itself, as it is `now`; and until when (Unix times).

    `wanted` is until when the provider itself says that asking is in vain; None where only our own caution keeps it
    back, so that who has no other way may ask all the same.
    """

    mark: Mark
    now: float
    free_at: float
    wanted: float | None = None
    keys: int = 1

    @property
    def words(self) -> str:
        """For people."""
        many = f"each of {self.keys} keys is out, the first: " if self.keys > 1 else ""
        return many + words(self.mark, self.now, time_of_day)

    @property
    def rank(self) -> tuple[float, float]:
        """The lower, the sooner it is asked where nobody else can be."""
        return self.wanted or 0.0, self.free_at

    def seconds(self, now: float) -> float:
        """How long who has nobody else has to wait before it is asked."""
        return 0.0 if self.wanted is None else max(0.0, self.wanted - now)


@dataclass(frozen=True)
class Condition:
    """How a provider is for somebody with certain accounts. `since` and `resets_at` are RFC 3339 in UTC."""

    state: State
    since: str | None = None
    resets_at: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class QuotaNews:
    """The quota of an account is spent, perhaps for one `model` alone, or there is some again (`back`).

    `holder` is what `Health.account` calls the account, `account` what people may see of it.
    """

    provider: Provider
    holder: str
    account: str | None
    back: bool
    resets_at: float | None = None
    model: str | None = None

    @property
    def text(self) -> str:
        """For people."""
        whose = f"{self.provider.title}{f' ({self.account})' if self.account else ''}"
        whose += f" for {self.model}" if self.model else ""
        if self.back:
            return f"{whose} has quota again and is used as before."
        when = f" It resets {time_of_day(self.resets_at)} at the latest." if self.resets_at else ""
        return f"The quota of {whose} is spent.{when} It is tried again now and then, and is used once it is back."


class Health:
    """All marks; without a store, only for as long as this lives.

    `changed` is told the id of a provider whose condition has changed, `on_quota` of a quota that runs out or is back.
    """

    def __init__(
        self,
        store: HealthStore | None = None,
        clock: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
    ) -> None:
        """Raises StorageError."""
        self._store, self._clock, self._dice = store, clock, dice
        self._salt = store.salt() if store else secrets.token_bytes(32)
        self._latest = 0.0
        self._marks: dict[Subject, Mark] = {}
        self._places: dict[str, int] = {}
        self._first_tokens: dict[Target, float] = {}
        self._answered_at: dict[str, float] = {}
        self._moved = asyncio.Event()
        self._told: dict[str, frozenset[tuple[Subject, str]]] = {}
        self.changed: Callable[[str], None] = lambda _: None
        self.on_quota: Callable[[QuotaNews], None] = lambda _: None
        if store is not None:
            self._load(store)
        self._told = self._conditions()

    def account(self, credential: Credential, *, passing: bool = False) -> str:
        """What an account is called here and in the ledger; `passing`: it came with one chat, and is not written."""
        found = credential.identity(self._salt)
        return f"{PASSING if passing or credential.temporary else ''}{found}" if found else NOBODY

    def first_tokens(self) -> Mapping[Target, float]:
        """Seconds to the first visible event, a moving average, by target."""
        return self._first_tokens

    def now(self) -> float:
        """The time; where it has gone back, marks that would last too long by it are void."""
        now = self._clock()
        if now < self._latest:
            self._marks = sound(self._marks, now)
            self._places = dict(Counter(key[0] for key in self._marks))
        self._latest = now
        return now

    # Before an attempt.

    def marked(self, provider: Provider) -> bool:
        """Whether anything at all is held against a provider, or a part of it."""
        return place(provider) in self._places

    def lets(self, provider: Provider, account: str, model: str) -> bool:
        """Whether it may be asked now, freely or as a probe."""
        return obstacle(self._marks, place(provider), account, model, self.now()) is None

    def obstacle(self, provider: Provider, account: str, model: str) -> str | None:
        """Why it must not be asked now, for people; None when it may be."""
        hold = self.hold(provider, account, model)
        return hold.words if hold else None

    def free_at(self, provider: Provider, account: str, model: str) -> float | None:
        """The Unix time from which it may be asked again; None when it may be now."""
        hold = self.hold(provider, account, model)
        return hold.free_at if hold else None

    def hold(self, provider: Provider, account: str, model: str) -> Hold | None:
        """What keeps it back now."""
        return self._hold(place(provider), account, model, self.now())

    def hindrance(self, provider: Provider, accounts: Sequence[str], model: str) -> Hold | None:
        """What keeps a target back with every one of these accounts: that of the one which is asked first again."""
        where, now, holds = place(provider), self.now(), list[Hold]()
        for account in accounts:
            if (hold := self._hold(where, account, model, now)) is None:
                return None
            holds.append(hold)
        if len(holds) < 2:
            return holds[0] if holds else None
        of_keys = len({id(hold.mark) for hold in holds})  # one that is the same for all is not about the keys
        return min(holds, key=lambda hold: hold.rank)._replace(keys=of_keys) if of_keys > 1 else holds[0]

    def _hold(self, where: str, account: str, model: str, now: float) -> Hold | None:
        marks = obstacles(self._marks, where, account, model, now)
        holds = [Hold(mark, now, free_from(mark, now), wanted(mark, now)) for _, mark in marks]
        if len(holds) < 2:
            return holds[0] if holds else None
        asked = max((hold.wanted for hold in holds if hold.wanted is not None), default=None)
        return max(holds, key=lambda hold: hold.free_at)._replace(wanted=asked)

    def begin(self, asked: Asked) -> None:
        """An attempt begins; where it is a probe, others wait for what comes of it."""
        now = self.now()
        for key in self._of(asked):
            mark = self._marks.get(key)
            if mark is not None and verdict(mark, now) != "free":
                self._marks[key] = probed(mark, now)

    # After it.

    def let_go(self, asked: Asked) -> None:
        """An attempt ended without a word about who was asked: the next may probe."""
        for key in self._of(asked):
            if (mark := self._marks.get(key)) is not None and mark.probing:
                self._marks[key] = released(mark)

    def failed(self, asked: Asked, error: PointsmanError) -> None:
        """An attempt failed; never waits."""
        self.let_go(asked)
        found = subject(error, place(asked.provider), asked.account, asked.model)
        if found is None:
            return
        key, policy = found
        before = self._marks.get(key)
        mark = failed(before, error, policy, self.now(), self._dice())
        self._put(key, mark)
        if mark.code == QuotaExhausted.__name__ and (before is None or before.code != mark.code):
            resets = mark.ceiling or (mark.until if mark.told else None)
            self.on_quota(QuotaNews(asked.provider, asked.account, asked.shown, False, resets, key[2] or None))

    def heard(self, asked: Asked) -> None:
        """Something visible came: the provider was reached and took the account, whatever becomes of the answer."""
        self._answered_at[place(asked.provider)] = self.now()
        self._clear(asked, [key for key in self._of(asked) if key[1] or not key[2]])

    def answered(self, asked: Asked, first_token: float | None) -> None:
        """An answer is complete; `first_token` are the seconds to its first visible event. Never waits."""
        self._answered_at[place(asked.provider)] = self.now()
        self._clear(asked, self._of(asked))
        if first_token is None or asked.provider.temporary:
            return
        target = Target(asked.provider.id, asked.model)
        before = self._first_tokens.get(target, first_token)
        self._first_tokens[target] = average = before + NEWEST * (first_token - before)
        if self._store is not None:
            self._store.put_first_token(target.provider, target.model, average)

    def renewed(self, provider: str) -> None:
        """The keys or accounts of a provider have changed: that one was refused says nothing any more."""
        for key, mark in list(self._marks.items()):
            if key[0].partition(" ")[0] == provider and mark.code in {InvalidKey.__name__, NotAllowed.__name__}:
                self._put(key, None)

    def entered(self, provider: str, account: str) -> None:
        """Somebody has entered a stored key anew, or signed in: whatever was held against the former says nothing."""
        for key in list(self._marks):
            if key[0].partition(" ")[0] == provider and key[1] == account:
                self._put(key, None)

    def found(self, urls: Set[str]) -> None:
        """Somebody listens at these base URLs (again): that nobody did says nothing any more. Who says so tells all."""
        places = {shown(url) for url in urls}
        for key, mark in list(self._marks.items()):
            if key[0].split(" ")[1] in places and mark.code == ConnectFailed.__name__:
                self._put(key, None)
                self._told[key[0]] = self._conditions().get(key[0], frozenset())

    def emptied(self, asked: Asked, until: float) -> None:
        """By its headers, an answer was the last of a window that ends then (Unix time): others are asked first."""
        now, (_, _, _, key) = self.now(), self._of(asked)
        if until > now and key not in self._marks:
            self._put(key, emptied(now, until - now))

    # For those who look on.

    def condition(self, provider: Provider, accounts: Sequence[str]) -> Condition:
        """How a provider is, with the best of these accounts."""
        where, now = place(provider), self.now()
        ours = [(key, mark) for key, mark in self._marks.items() if key[0] == where and self._counts(key, mark, now)]
        if not ours:
            return Condition("available")
        each = [max((o for o in ours if o[0][1] in {"", account}), key=_weight, default=None) for account in accounts]
        worst = [found for found in each if found is not None]
        if not worst or len(worst) < len(each):
            return Condition("available")
        _, mark = min(worst, key=lambda found: free_from(found[1], now))
        resets = mark.ceiling if mark.ceiling is not None and mark.ceiling > now else max(mark.until, now)
        limited = {QuotaExhausted.__name__, RateLimited.__name__}
        state: State = "rate-limited" if mark.code in limited else "error"
        if mark.code == ConnectFailed.__name__:
            state = "offline"
        reason = words(mark, now, time_of_day)
        return Condition(state, rfc3339(mark.since), rfc3339(resets) if state == "rate-limited" else None, reason)

    @property
    def troubled(self) -> set[str]:
        """The providers of which anything is held back now."""
        return {where.partition(" ")[0] for where in self._conditions()}

    async def watch(self) -> None:
        """Tells of changes, also of those that only time brings."""
        while True:
            await asyncio.sleep(TOLD_EVERY)
            before, self._told = self._told, self._conditions()
            for where in before.keys() | self._told.keys():
                if before.get(where, frozenset()) != self._told.get(where, frozenset()):
                    self.changed(where.partition(" ")[0])
            now = self.now()
            ends = [mark.until - now for key, mark in self._marks.items() if self._counts(key, mark, now)]
            ahead = [end for end in ends if 0 < end <= LONGEST_FLOOR]
            with suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), min(ahead, default=None))
            self._moved.clear()

    def _of(self, asked: Asked) -> tuple[Subject, ...]:
        return subjects(place(asked.provider), asked.account, asked.model)

    def _counts(self, key: Subject, mark: Mark, now: float) -> bool:
        """Whether a mark says how its provider is: not one that only time has taken the meaning from, nor trouble of
        one model while another of the same provider answers.
        """
        if not mark.until:
            return False
        if now >= mark.until and mark.code not in DOUBTED and (mark.told or mark.code == RateLimited.__name__):
            return False
        of_one_model = key[2] and (not key[1] or mark.code == NotAllowed.__name__)
        return not of_one_model or self._answered_at.get(key[0], 0.0) < mark.since

    def _conditions(self) -> dict[str, frozenset[tuple[Subject, str]]]:
        now, found = self.now(), dict[str, set[tuple[Subject, str]]]()
        for key, mark in self._marks.items():
            if self._counts(key, mark, now):
                found.setdefault(key[0], set()).add((key, mark.code))
        return {where: frozenset(seen) for where, seen in found.items()}

    def _clear(self, asked: Asked, keys: Sequence[Subject]) -> None:
        for key in keys:
            mark = self._marks.get(key)
            if mark is None:
                continue
            self._put(key, None)
            if mark.code == QuotaExhausted.__name__:
                self.on_quota(QuotaNews(asked.provider, asked.account, asked.shown, back=True, model=key[2] or None))

    def _put(self, key: Subject, mark: Mark | None) -> None:
        where, account, model = key
        if mark is None:
            del self._marks[key]
            self._places[where] -= 1
            if not self._places[where]:
                del self._places[where]
        else:
            self._places[where] = self._places.get(where, 0) + (key not in self._marks)
            self._marks[key] = mark
        self._moved.set()
        if self._store is not None and not account.startswith(PASSING) and f" {PASSING}" not in where:
            encoded = None if mark is None else msgspec.json.encode(mark).decode()
            self._store.put(where, account, model, encoded)

    def _load(self, store: HealthStore) -> None:
        now = self.now()
        for where, account, model, encoded in store.marks():
            with suppress(*UNREADABLE):  # written by another version: it will be learnt again
                mark = msgspec.json.decode(encoded, type=Mark)
                if now - max(mark.since, mark.until) < FORGOTTEN_AFTER:
                    self._marks[where, account, model] = released(mark)
                    self._places[where] = self._places.get(where, 0) + 1
        for provider, model, seconds in store.first_tokens():
            self._first_tokens[Target(provider, model)] = seconds


def place(provider: Provider) -> str:
    """What a provider is called here: the same id at another address, or behind a session, is another one."""
    session = f" {PASSING}{provider.temporary.session}" if provider.temporary else ""
    return f"{provider.id} {shown(provider.base_url)}{session}"


def _weight(found: tuple[Subject, Mark]) -> float:
    return found[1].until
