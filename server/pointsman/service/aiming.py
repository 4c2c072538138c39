"""Which target of a plan is asked next, and with which of its keys. Must never send anything, nor wait for anybody.

What is held back by marks is asked last: of those that only our own caution keeps back, the one that is free soonest
is asked all the same; a wait that a provider has asked for is kept, if it is short enough for a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from pointsman.core.attempts import PATIENCE
from pointsman.core.catalogue import Catalogue, Provider
from pointsman.core.environment import Environment
from pointsman.core.errors import CredentialError, NoTargetLeft, PointsmanError, RateLimited
from pointsman.core.routing import Plan, Target
from pointsman.edge.credential import Credential
from pointsman.service.clock import rfc3339, time_of_day
from pointsman.service.credentials import Credentials, Given
from pointsman.service.health import Asked, Health, Hold


@dataclass(frozen=True)
class Chance:
    """What could still be asked: a target with these keys, after so many seconds."""

    target: Target
    keys: list[Credential]
    seconds: float = 0.0


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
        self.targets = list(self.plan.targets)
        self.keys: list[Credential] = []
        self.seconds = 0.0
        self._held = list(self.plan.held)
        self._limited: list[Target] = []
        self._missing: list[PointsmanError] = []
        self._last = next(iter((*self.plan.targets, *self.plan.held)), Target("", ""))
        self._forced = False
        self._times: Counter[Target] = Counter()
        self.again = False

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
        return self._asked(self.target, self.keys[0])

    @property
    def who(self) -> tuple[Provider, str, str]:
        """The same for a question about it: provider, account and model."""
        asked = self.asked
        return asked.provider, asked.account, asked.model

    def fires(self) -> None:
        """The target is asked now."""
        self._times[self.target] += 1

    @property
    def left(self) -> int:
        """How many targets could still be asked besides this one."""
        return len(self.targets) - 1 + (self._chance() is not None)

    def take(self) -> bool:
        """Takes aim at the first of the targets that may be asked; false when none is left.

        `seconds` is then how long to wait before it is asked, and `again` whether this chat has asked it before.
        """
        self.seconds, self.again = 0.0, False
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
            self._held.append(target)
            if (hold := self._hold(target)) is not None:
                self.skip(target, hold.words)
        return self._take_chance()

    def leave(self, error: PointsmanError) -> bool:
        """Goes on to the next target; false when none is left."""
        target = self._last = self.targets.pop(0)
        if isinstance(error, RateLimited) and target not in self._limited:
            self._limited.append(target)
        return self.take()

    def next_key(self) -> None:
        """Goes on to the next key of the same target."""
        self.keys.pop(0)

    def look_again(self) -> None:
        """Gives up those of the next keys that may no longer be asked: another chat has found out."""
        provider, model = self.provider, self.target.model
        accounts = [(key, self._account(self.target, key)) for key in self.keys[1:]]
        self.keys[1:] = [key for key, account in accounts if self.health.lets(provider, account, model)]

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
        if only and len({failure.code for failure in told}) == 1 and not self._held:
            return told[-1]
        holds = [(target, hold) for target in self._held if (hold := self._hold(target)) is not None]
        kept = [NoTargetLeft(f"{target}: {hold.words}.", provider=target.provider) for target, hold in holds]
        names = "; ".join(f"{target} ({hold.words})" for target, hold in holds)
        soonest = min((hold.free_at for _, hold in holds), default=None)
        if not told:
            at = f" at {time_of_day(soonest)}" if soonest is not None else ""
            text, advice = f"No target of {self.plan.route.spec} may be asked now: {names}.", f"Ask again{at}."
        else:
            behind = f" Not asked: {names}." if names else ""
            text = f"None of {len(told)} attempts got an answer; the last one: {told[-1].message}{behind}"
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
        chance = self._chance()
        if chance is None:
            return False
        self._forced = self._forced or not chance.seconds
        if chance.target in self._held:
            self._held.remove(chance.target)
        else:
            self.again = True
        self.targets, self.keys, self.seconds = [chance.target], chance.keys, chance.seconds
        return True

    def _chance(self) -> Chance | None:
        """The last that could be asked, when no target that may be is left."""
        held = [(target, self._free_of_floors(target)) for target in self._held if self._all(target)]
        ours = [(target, free) for target, free in held if free]
        if ours and not self._forced:
            target, free = min(ours, key=lambda each: each[1][0][0])
            return Chance(target, [key for _, key in free])
        found = [chance for target, free in held if not free and (chance := self._first_of(target))]
        for target in self._limited:
            most = (1 + self._provider(target).max_retries) * len(self._all(target))
            if self._times[target] < most and (chance := self._first_of(target, tried=True)):
                found.append(chance)
        first = min(found, key=lambda chance: chance.seconds, default=None)
        if first is None or first.seconds > PATIENCE or (self.targets and first.target == self.target):
            return None
        return first

    def _free_of_floors(self, target: Target) -> list[tuple[float, Credential]]:
        """The keys that only our own marks keep back, and when each is free, the soonest first."""
        provider, now, found = self._provider(target), self.health.now(), list[tuple[float, Credential]]()
        for key in self._all(target):
            hold = self.health.hold(provider, self._account(target, key), target.model)
            if hold is None or hold.floor is None:
                found.append((now if hold is None else hold.free_at, key))
        return sorted(found, key=lambda each: each[0])

    def _first_of(self, target: Target, *, tried: bool = False) -> Chance | None:
        """The key of a target that may be asked first, by what the provider wants; one that this chat has `tried`, by
        what we think as well.
        """
        provider, now, found = self._provider(target), self.health.now(), list[tuple[float, Credential]]()
        for key in self._all(target):
            hold = self.health.hold(provider, self._account(target, key), target.model)
            until = None if hold is None else hold.free_at if tried else hold.floor
            found.append((0.0 if until is None else max(0.0, until - now), key))
        if not found:
            return None
        seconds, key = min(found, key=lambda each: each[0])
        return Chance(target, [key], seconds)

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

    def _asked(self, target: Target, key: Credential) -> Asked:
        return Asked(self._provider(target), self._account(target, key), target.model, key.account)

    def _provider(self, target: Target) -> Provider:
        return self.catalogue.providers[target.provider]
