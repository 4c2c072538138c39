"""Plans that are used: counted, told, kept through a restart, and shown by account."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.core.catalogue import Limits, Provider
from pointsman.core.secret import Secret
from pointsman.core.stored import Record, Tokens
from pointsman.core.windows import HOUR, WEEK, Window, of_provider
from pointsman.edge.credential import Credential
from pointsman.edge.plan_store import PlanStore
from pointsman.edge.store import Store
from pointsman.service import plans as plans_module
from pointsman.service.plans import Plans, State

NOW = 1_800_000_000.0
PLAN = Provider(id="acme", base_url="https://acme.example", limits=Limits(weekly=80, rolling=3, headers="x-acme"))
FREE = Provider(id="free", base_url="https://free.example")


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def account(name: str) -> Credential:
    tokens = Tokens(Secret(f"fake-token-{name}"), None, None, NOW, "https://acme.example")
    return Credential(record=Record(name, "acme", "https://acme.example", f"{name}@x.example", tokens, "2027-01-01"))


def state(plans: Plans, provider: Provider = PLAN) -> State:
    found = plans.of(provider)
    assert found
    return found


def used(plans: Plans) -> list[int | None]:
    return [window.used for window in state(plans).windows]


def test_requests_are_counted_and_forgotten_in_time() -> None:
    clock = Clock()
    plans = Plans(clock=clock)
    assert (used(plans), state(plans).left, state(plans).resets_at) == ([0, 0], 3, None)
    for _ in range(2):
        plans.asked(PLAN, Credential())
    clock.now += 4 * HOUR
    plans.asked(PLAN, Credential(Secret("fake-key-1")))
    assert (used(plans), state(plans).left) == ([3, 3], 0), "keys are one account"
    assert state(plans).resets_at == "2027-01-15T13:00:00Z"
    clock.now += HOUR
    assert (used(plans), state(plans).left) == ([1, 3], 2)
    clock.now += WEEK
    assert used(plans) == [0, 0]


def test_where_nothing_is_limited_nothing_is_known() -> None:
    plans = Plans()
    plans.asked(FREE, Credential())
    plans.answered(FREE, Credential(), {"x-acme-primary-used-percent": "5", "x-acme-primary-window-minutes": "300"})
    assert plans.of(FREE) is None


def test_a_clock_that_is_set_back_loses_nothing() -> None:
    clock = Clock()
    plans = Plans(clock=clock)
    plans.asked(PLAN, Credential())
    clock.now -= HOUR
    plans.asked(PLAN, Credential())
    assert used(plans) == [2, 2]


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans_module, "MOST", 5)
    plans = Plans(clock=Clock())
    for _ in range(9):
        plans.asked(PLAN, Credential())
    assert used(plans) == [5, 5]


def told(percent: str) -> dict[str, str]:
    named = {"used-percent": percent, "window-minutes": "10080", "reset-at": "1800000600"}
    return {f"x-acme-primary-{name}": value for name, value in named.items()}


def test_what_the_provider_says_stands_for_what_was_counted() -> None:
    clock = Clock()
    plans = Plans(clock=clock)
    plans.asked(PLAN, Credential())
    plans.answered(PLAN, Credential(), told("40"))
    plans.answered(PLAN, Credential(), {"x-acme-credits": "1"})
    rolling, weekly = state(plans).windows
    assert (rolling.used, weekly) == (1, of_provider(WEEK, 40, 1_800_000_600))
    assert state(plans).resets_at == "2027-01-15T08:10:00Z"
    clock.now += 600
    assert used(plans) == [1, 1]


def test_accounts_are_apart_and_the_freest_is_what_is_left() -> None:
    plans = Plans(clock=Clock())
    for _ in range(3):
        plans.asked(PLAN, account("ann"))
    plans.asked(PLAN, account("bob"))
    assert state(plans).left == 2
    windows = [(window.account, window.name, window.used) for window in state(plans).windows]
    assert windows == [
        ("ann@x.example", "5 hours", 3),
        ("ann@x.example", "7 days", 3),
        ("bob@x.example", "5 hours", 1),
        ("bob@x.example", "7 days", 1),
    ]


async def test_all_of_it_survives_a_restart(tmp_path: Path) -> None:
    path, clock = tmp_path / "store.db", Clock()
    first = Store(path)
    plans = Plans(PlanStore(first.database), clock)
    plans.asked(PLAN, account("ann"))
    plans.answered(PLAN, account("ann"), told("40"))
    clock.now += 6 * HOUR
    plans.asked(PLAN, account("ann"))
    before = state(plans)
    await first.close()
    second = Store(path)
    assert state(Plans(PlanStore(second.database), clock)) == before
    clock.now += WEEK
    Plans(PlanStore(second.database), clock).asked(PLAN, account("ann"))
    await second.close()
    third = Store(path)
    assert [at for _, _, at in PlanStore(third.database).requests()] == [clock.now]
    await third.close()


async def test_what_another_version_wrote_is_no_matter(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    PlanStore(store.database).put("acme", "", "", '[{"name": 3}]')
    await store.close()
    again = Store(tmp_path / "store.db")
    assert used(Plans(PlanStore(again.database), Clock())) == [0, 0]
    await again.close()


def test_a_provider_may_say_more_than_is_counted() -> None:
    plans = Plans(clock=Clock())
    plans.told(FREE, Credential(), [of_provider(HOUR, 10, None)])
    assert state(plans, FREE) == State([Window("1 hour", 10.0, "provider")], None, None)
