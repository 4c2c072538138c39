"""Which target of a plan is asked next, and with which of its keys. Must never send anything, nor wait for anybody.

A way is a target with one of its keys. When no way is free, those are asked that this chat has not asked yet and that
only our own caution keeps back, one after the other; then those whose provider wants a wait, if it is short enough for
a person. A way is asked again in the same chat only where waiting can help, and never before its provider says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from pointsman.core.attempts import PATIENCE
from pointsman.core.catalogue import Catalogue, Provider
from pointsman.core.environment import Environment
from pointsman.core.errors import CredentialError, NoTargetLeft, PointsmanError
from pointsman.core.routing import Plan, Target
from pointsman.edge.credential import Credential
from pointsman.service.clock import rfc3339, time_of_day
from pointsman.service.credentials import Credentials, Given
from pointsman.service.health import Asked, Health, Hold

Way = tuple[Target, str]
"""A target and the account that it is asked with."""
LAST = float("inf")


@dataclass(frozen=True)
class Chance:
    """What could still be asked: a target with these keys, after so many seconds. The lower its `rank`, the sooner.

    `again`: this chat has asked it before.
    """

    target: Target
    keys: list[Credential]
    seconds: float
    rank: tuple[float, float]
    again: bool = False


@dataclass
class Aim:
    """Where one chat stands in its plan: the targets that are left, and the keys of the first of them."""

    plan: Plan
    catalogue: Catalogue
    credentials: Credentials
    health: Health
    environment: Environment
    given: Given = field(repr=False)
    skip: Callable[[Target, str], None]

    def __post_init__(self) -> None:
        self.targets = [] if self.plan.last_resort else list(self.plan.targets)
        self.keys: list[Credential] = []
        self.seconds = 0.0
        self.once = self._in_doubt = False
        self._later = [*(self.plan.targets if self.plan.last_resort else ()), *self.plan.held]
        self._missing: list[PointsmanError] = []
        self._last = next(iter((*self.plan.targets, *self.plan.held)), Target("", ""))
        self._times: Counter[Target] = Counter()
        self._returns: Counter[Target] = Counter()
        self._not_before: dict[Way, float] = {}
        self._over: set[Way] = set()
        self._next: Chance | None = None
        self._known: tuple[Credential, Target, Asked] | None = None

    @property
    def target(self) -> Target:
        """The one that is asked, or was asked last."""
        return self.targets[0] if self.targets else self._last

    @property
    def provider(self) -> Provider:
        """Whose it is."""
        return self._provider(self.target)

    @property
    def asked(self) -> Asked:
        """Who is asked, as health knows it."""
        key, known = self.keys[0], self._known
        # What a file or a program says of a key is known only once it was read.
        if known is None or known[0] is not key or known[1] is not self.target or known[2].shown is None:
            known = self._known = key, self.target, self._asked(self.target, key)
        return known[2]

    @property
    def who(self) -> tuple[Provider, str, str]:
        """The same for a question about it: provider, account and model."""
        asked = self.asked
        return asked.provider, asked.account, asked.model

    def fires(self) -> None:
        """The target is asked now."""
        self._times[self.target] += 1
        self._not_before[self._way] = 0.0

    @property
    def left(self) -> int:
        """How many targets could still be asked besides this one, or after it with another of its keys."""
        return len(self.targets) - 1 + (self._next is not None)

    @property
    def free(self) -> bool:
        """Whether one of these could be asked at once."""
        return len(self.targets) > 1 or (self._next is not None and not self._next.seconds)

    def take(self) -> bool:
        """Takes aim at the first of the targets that may be asked; false when none is left.

        `seconds` is then how long to wait before it is asked, and `once` whether it is asked no second time.
        """
        self.seconds, self.once, self._in_doubt = 0.0, False, False
        while self.targets:
            try:
                self.keys = self._in_turn(self.target)
            except CredentialError as error:  # it has gone since the plan was made
                self._missing.append(error)
                self.skip(self.targets.pop(0), error.message)
                continue
            if self.keys:
                return True
            target = self.targets.pop(0)
            self._later.append(target)
            if (hold := self._hold(target)) is not None:
                self.skip(target, hold.words)
        return self._take_chance()

    def leave(self, error: PointsmanError) -> bool:
        """Goes on to the next target; false when none is left."""
        target = self._last = self.targets.pop(0)
        if _comes_back(error) and target not in self._later:
            self._later.append(target)
        return self.take()

    def next_key(self) -> None:
        """Goes on to the next key of the same target."""
        self.keys.pop(0)

    def look_again(self, error: PointsmanError) -> None:
        """After a failure: what is left by now, also by what other chats have found out."""
        provider, account, model = self.who
        hold = self.health.hold(provider, account, model)
        kept_back = self._way not in self._not_before and (hold is None or hold.wanted is None)  # a limit of ours
        if kept_back or "retry" not in error.remedies:
            self._over.add(self._way)
        elif self._way in self._not_before:
            self._not_before[self._way] = self.health.now() + (error.retry_after or 0.0)
        self.keys[1:] = [key for key in self.keys[1:] if self._still(key)]
        mine = _comes_back(error) and "retry" not in error.remedies  # else this target is asked again where it stands
        self._next = self._chance([*self._later, self.target] if mine else self._later)

    def _still(self, key: Credential) -> bool:
        """Whether a key of the current target may be asked as it was when aim was taken: in doubt, or without any."""
        hold = self.health.hold(self.provider, self._account(self.target, key), self.target.model)
        return hold is None or (self._in_doubt and hold.wanted is None)

    def soonest(self) -> float:
        """Seconds until a key of this target may be asked again, by what the provider wants."""
        chance = self._first_of(self.target)
        return chance.seconds if chance else 0.0

    def soonest_key(self) -> float:
        """Takes the key of this target that may be asked first; gives the seconds until then."""
        chance = self._first_of(self.target)
        if chance is None:
            return 0.0
        self.keys = chance.keys
        return chance.seconds

    def keep_only(self, roomier: list[Target]) -> None:
        """Leaves these of the targets, in this order: it is too much for the others."""
        for target in self.targets[1:]:
            if target not in roomier:
                self.skip(target, "its context window is no larger")
        self.targets[1:] = roomier

    def nothing_left(self, failures: list[PointsmanError]) -> PointsmanError:
        """The error of a chat that nobody answered: that of its only failure, or of all, with who was held back."""
        told = [*failures, *self._missing]
        only = len(self.plan.targets) + len(self.plan.held) == 1
        unasked = [target for target in self._later if not self._times[target]]
        later = [*self.plan.held, *self._times]  # these are told of by what came of them
        out = [(target, reason) for target, reason in self.plan.left_out if target not in later]
        if only and len({failure.code for failure in told}) == 1 and not unasked and not out:
            return told[-1]
        holds = [(target, hold) for target in unasked if (hold := self._hold(target)) is not None]
        reasons = [*((target, hold.words) for target, hold in holds), *out]
        kept = [NoTargetLeft(f"{target}: {why.rstrip('.')}.", provider=target.provider) for target, why in reasons]
        names = "; ".join(f"{target} ({why.rstrip('.')})" for target, why in reasons)
        soonest = min((hold.wanted or hold.free_at for _, hold in holds), default=None)
        if not told:
            at = f" at {time_of_day(soonest)}" if soonest is not None else ""
            text, advice = f"No target of {self.plan.route.spec} may be asked now: {names}.", f"Ask again{at}."
        else:
            last = told[-1].message.rstrip()
            stop = "" if last.endswith((".", "!", "?", "…")) else "."
            behind = f"{stop} Not asked: {names}." if names else ""
            asked = sum(self._times.values())
            begun = f"None of {asked} attempts got an answer; the last one" if asked > 1 else "Nobody answered"
            text = f"{begun}: {last}{behind}"
            advice = told[-1].advice
        error = NoTargetLeft(text, advice, causes=(*told, *kept))
        error.retry_after = min((each.retry_after for each in told if each.retry_after is not None), default=None)
        if soonest is not None:
            wait = max(0.0, soonest - self.health.now())
            error.retry_after = wait if error.retry_after is None else min(wait, error.retry_after)
        if error.retry_after is not None:
            error.resets_at = rfc3339(self.health.now() + error.retry_after)
        return error

    def _take_chance(self) -> bool:
        chance = self._chance(self._later)
        if chance is None:
            return False
        self._later.remove(chance.target)
        self._returns[chance.target] += 1
        self.targets, self.keys, self.seconds = [chance.target], chance.keys, chance.seconds
        self._in_doubt = not chance.seconds and not chance.again
        # Who is asked in doubt is asked by one request, while there is somebody else.
        self.once = chance.again or self._chance(self._later) is not None
        return True

    def _chance(self, targets: list[Target]) -> Chance | None:
        """The first of these that could be asked, when none is left that may be."""
        chances = [chance for target in targets if (chance := self._chance_of(target)) is not None]
        return min(chances, key=lambda chance: chance.rank, default=None)

    def _chance_of(self, target: Target) -> Chance | None:
        """How a target could be asked: with all keys that only our own caution keeps back, else with that which its
        provider lets be asked first.
        """
        keys, now = self._all(target), self.health.now()
        most = (1 + self._provider(target).max_retries) * len(keys)
        if self._returns[target] > most or self._times[target] >= most:
            return None
        found = [chance for key in keys if (chance := self._way_in(target, key, now)) is not None]
        if not found:
            return None
        found.sort(key=lambda chance: chance.rank)
        at_once = [key for chance in found if not chance.seconds and not chance.again for key in chance.keys]
        first = found[0]
        return Chance(target, at_once or first.keys, first.seconds, first.rank, first.again)

    def _way_in(self, target: Target, key: Credential, now: float) -> Chance | None:
        """How a target could be asked with this key."""
        account = self._account(target, key)
        if (target, account) in self._over:
            return None
        hold = self.health.hold(self._provider(target), account, target.model)
        seconds, rank = (0.0, (0.0, 0.0)) if hold is None else (hold.seconds(now), hold.rank)
        if again := (target, account) in self._not_before:
            until = max(self._not_before[target, account], hold.free_at if hold else 0.0)
            seconds, rank = max(0.0, until - now), (until if until > now else 0.0, LAST)
        return Chance(target, [key], seconds, rank, again) if seconds <= PATIENCE else None

    def _first_of(self, target: Target) -> Chance | None:
        """The key of a target that may be asked first, by what the provider wants."""
        now, found = self.health.now(), list[tuple[float, Credential]]()
        keys = self._all(target)
        for key in [*(key for key in keys if key in self.keys[:1]), *keys]:  # of equals, the one that was asked last
            account = self._account(target, key)
            if (target, account) not in self._over:
                hold = self.health.hold(self._provider(target), account, target.model)
                until = (hold.wanted if hold else None) or self._not_before.get((target, account), 0.0)
                found.append((max(0.0, until - now), key))
        if not found:
            return None
        seconds, key = min(found, key=lambda each: each[0])
        return Chance(target, [key], seconds, (seconds, 0.0))

    def _hold(self, target: Target) -> Hold | None:
        accounts = [self._account(target, key) for key in self._all(target)]
        return self.health.hindrance(self._provider(target), accounts, target.model)

    def _in_turn(self, target: Target) -> list[Credential]:
        provider = self._provider(target)

        def lets(key: Credential) -> bool:
            return self.health.lets(provider, self._account(target, key), target.model)

        return self.credentials.in_turn(provider, self.environment, self.given, lets)

    def _all(self, target: Target) -> list[Credential]:
        """Every key of a target; an empty one where none is needed."""
        provider = self._provider(target)
        if not self.credentials.usable(provider, self.environment, self.given):
            return []
        return self.credentials.all(provider, self.environment, self.given) or [Credential()]

    def _account(self, target: Target, key: Credential) -> str:
        return self.health.account(key, passing=target.provider in self.given)

    @property
    def _way(self) -> Way:
        return self.target, self.asked.account

    def _asked(self, target: Target, key: Credential) -> Asked:
        return Asked(self._provider(target), self._account(target, key), target.model, key.account)

    def _provider(self, target: Target) -> Provider:
        return self.catalogue.providers[target.provider]


def _comes_back(error: PointsmanError) -> bool:
    """Whether a target that failed so may be asked again in the same chat: with another key, or after a wait."""
    return "key" in error.remedies or ("retry" in error.remedies and error.retry_after is not None)
