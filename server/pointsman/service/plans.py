"""How much of each plan is used: requests are counted here, and what providers say of their windows is kept.

Must never stop a request: what is left of a plan is shown, and the provider alone decides. An account is known by the
id of its record; keys and the sign-ins of programs are one account for each provider.
"""

from __future__ import annotations

import time
from bisect import bisect_right, insort
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from pointsman.core.catalogue import Provider
from pointsman.core.errors import UNREADABLE
from pointsman.core.windows import Window, counted, longest, merged, remaining, tightest, told
from pointsman.edge.credential import Credential
from pointsman.edge.plan_store import PlanStore

MOST = 20_000
"""Requests of an account that are remembered; a plan that gives more is shown as used by so many."""


@dataclass
class _Account:
    """One account of one provider."""

    label: str = ""
    times: list[float] = field(default_factory=list)
    told: tuple[Window, ...] = ()


@dataclass(frozen=True)
class State:
    """How much of a plan is used. `left` and `resets_at` are those of the account of which most is left."""

    windows: Sequence[Window]
    left: int | None = None
    resets_at: str | None = None


class Plans:
    """Every plan that was asked; without a store, only for as long as this lives."""

    def __init__(self, store: PlanStore | None = None, clock: Callable[[], float] = time.time) -> None:
        """Raises StorageError."""
        self._store, self._clock = store, clock
        self._accounts: dict[str, dict[str, _Account]] = {}
        if store is None:
            return
        for provider, id, at in store.requests():
            insort(self._account(provider, id).times, at)
        for provider, id, label, windows in store.told():
            account = self._account(provider, id, label)
            with suppress(*UNREADABLE):  # written by another version: the provider will say it again
                account.told = msgspec.json.decode(windows, type=tuple[Window, ...])

    def asked(self, provider: Provider, credential: Credential) -> None:
        """A request has reached the provider. Never waits."""
        if not (kept_for := longest(provider.limits)):
            return
        at, (id, label) = self._clock(), _name(credential)
        times = self._account(provider.id, id, label).times
        insort(times, at)
        del times[: max(bisect_right(times, at - kept_for), len(times) - MOST)]
        if self._store is not None:
            self._store.add(provider.id, id, at, at - kept_for)

    def answered(self, provider: Provider, credential: Credential, headers: Mapping[str, str]) -> None:
        """The headers of an answer, which may say how much of the plan is used. Never waits."""
        if provider.limits.headers and (windows := told(provider.limits.headers, headers, self._clock())):
            self.told(provider, credential, windows)

    def told(self, provider: Provider, credential: Credential, windows: Sequence[Window]) -> None:
        """What the provider says of its windows; those it does not name stay as they were. Never waits."""
        id, label = _name(credential)
        account = self._account(provider.id, id, label)
        account.told = tuple({window.name: window for window in (*account.told, *windows)}.values())
        if self._store is not None:
            self._store.put(provider.id, id, label, msgspec.json.encode(account.told).decode())

    def of(self, provider: Provider) -> State | None:
        """How much is used of a provider's plan; None where nothing is known of one."""
        accounts = self._accounts.get(provider.id)
        if not (accounts or provider.limits.rolling or provider.limits.weekly):
            return None
        now, states = self._clock(), list[State]()
        for account in (accounts or {"": _Account()}).values():
            counts = counted(provider.limits, account.times, now)
            windows = [
                msgspec.structs.replace(window, account=account.label or None)
                for window in merged(counts, account.told, now)
            ]
            full = tightest(windows)
            if full is not None:
                states.append(State(windows, remaining(windows), full.resets_at))
        if not states:
            return None
        best = min(states, key=lambda state: max(window.used_percent for window in state.windows))
        return State([window for state in states for window in state.windows], best.left, best.resets_at)

    def _account(self, provider: str, id: str, label: str = "") -> _Account:
        account = self._accounts.setdefault(provider, {}).setdefault(id, _Account())
        account.label = label or account.label
        return account


def _name(credential: Credential) -> tuple[str, str]:
    """The id of an account, and what people may see of it."""
    record = credential.record
    return (record.id, record.label) if record is not None and record.kind == "oauth" else ("", "")
