"""Health: who is held back after what, what is told of it, and that a restart forgets none of it."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation, ImagePart, Message
from pointsman.core.environment import Environment
from pointsman.core.errors import (
    BadRequest,
    ConnectFailed,
    InvalidKey,
    NotAllowed,
    Overloaded,
    PointsmanError,
    QuotaExhausted,
    RateLimited,
)
from pointsman.core.health import NOBODY
from pointsman.core.routing import Route, Target
from pointsman.core.secret import Secret
from pointsman.edge.credential import Credential
from pointsman.edge.health_store import HealthStore
from pointsman.edge.store import Store
from pointsman.service.health import TOLD_EVERY, Asked, Health, QuotaNews
from pointsman.service.reasons import Reasons
from tests.service.bench import Bench, Scripted, provider, says, until

NOW = 1_790_000_000.0
ACME = Provider(id="acme", name="Acme", base_url="https://acme.example/v1")
LIMITED, SPENT = RateLimited("Slow.", retry_after=30), QuotaExhausted("Spent.", retry_after=172_800)
BUSY, LOST = Overloaded("Full."), ConnectFailed("No line.")


class Clock:
    """A time that tests set."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock=clock, dice=lambda: 0.0)


def asked(account: str = "a", model: str = "m", who: Provider = ACME) -> Asked:
    return Asked(who, account, model, f"{account}…")


def fails(health: Health, error: PointsmanError, times: int = 1, account: str = "a", model: str = "m") -> None:
    for _ in range(times):
        health.begin(asked(account, model))
        health.failed(asked(account, model), error)


def held(health: Health, account: str = "a", model: str = "m") -> str | None:
    return health.obstacle(ACME, account, model)


def test_a_key_is_out_for_as_long_as_was_asked_for_and_no_longer(health: Health, clock: Clock) -> None:
    fails(health, LIMITED)
    assert "cooling until" in (held(health) or "")
    assert (held(health, "b"), held(health, model="other")) == (None, None)
    assert health.free_at(ACME, "a", "m") == NOW + 30
    clock.time += 29.99
    assert held(health)
    clock.time = NOW + 30
    assert (held(health), health.free_at(ACME, "a", "m")) == (None, None)


def test_a_quota_that_resets_in_two_days_and_is_back_in_a_minute_is_used_within_two(
    health: Health, clock: Clock
) -> None:
    """The figures as they are: real chats come every second, and ask whenever they may."""
    fails(health, SPENT)
    assert "quota spent, resets" in (held(health) or "")
    probes = []
    while held(health) is not None or clock.time < NOW + 60:
        clock.time += 1
        if held(health) is None:
            probes.append(clock.time - NOW)
            if clock.time >= NOW + 60:
                break
            fails(health, SPENT)
    assert probes == [10, 30, 70]
    health.answered(asked(), 0.5)
    assert held(health) is None


def test_the_breaker_lets_one_chat_through_at_a_time(health: Health, clock: Clock) -> None:
    fails(health, BUSY, 2)
    assert held(health) is None
    fails(health, BUSY)
    assert "breaker open until" in (held(health) or "")
    clock.time += 30
    assert held(health) is None
    health.begin(asked())
    assert "another chat asks it now" in (held(health, "b") or "")
    health.let_go(asked())
    assert held(health) is None, "it was cancelled: the next may ask"
    health.begin(asked())
    health.failed(asked(), BadRequest("No."))
    assert held(health) is None, "that says nothing about it"
    health.begin(asked())
    health.answered(asked(), None)
    assert held(health, "b") is None


def test_what_is_heard_clears_the_account_at_once_and_the_model_only_in_the_end(health: Health) -> None:
    fails(health, BUSY, 2)
    fails(health, LIMITED)
    health.heard(asked())
    assert held(health) is None
    fails(health, BUSY)
    assert held(health), "it is the third broken answer in a row"


def test_a_provider_elsewhere_is_another_one(health: Health) -> None:
    fails(health, LOST, 3)
    moved = Provider(id="acme", base_url="https://other.example/v1")
    assert held(health)
    assert health.obstacle(moved, "a", "m") is None
    assert (health.marked(ACME), health.marked(moved)) == (True, False)


def test_a_server_that_is_found_again_may_be_asked(health: Health) -> None:
    fails(health, LOST, 3)
    fails(health, BUSY, 3, model="busy")
    health.found({"https://other.example/v1"})
    assert held(health)
    health.found({ACME.base_url})
    assert held(health) is None
    assert held(health, model="busy")


def test_a_new_key_makes_a_refused_one_forgotten(health: Health) -> None:
    fails(health, InvalidKey("No.", status_code=401))
    fails(health, LIMITED, account="b")
    assert "key refused" in (held(health) or "")
    health.renewed("acme")
    assert held(health) is None
    assert held(health, "b")


def test_a_key_that_is_entered_anew_has_nothing_held_against_it(health: Health) -> None:
    other = Provider(id="other", name="Other", base_url=ACME.base_url)
    for account in ("a", "b"):
        fails(health, LIMITED, account=account)
    health.failed(asked(who=other), LIMITED)
    fails(health, BUSY, 3, model="busy")
    health.entered("acme", "a")
    assert held(health) is None
    assert held(health, "b")
    assert held(health, model="busy"), "that is no matter of keys"
    assert health.obstacle(other, "a", "m")


def test_a_model_that_is_not_allowed_says_nothing_of_the_others(health: Health, clock: Clock) -> None:
    refused = NotAllowed("No access to the model.", status_code=403)
    fails(health, refused)
    assert health.condition(ACME, ["a"]).state == "error", "nobody has answered yet"
    assert held(health, model="other") is None
    clock.time += 1
    health.answered(asked(model="other"), 0.1)
    assert health.condition(ACME, ["a"]).state == "available"
    assert "not allowed for this account" in (held(health) or "")
    health.renewed("acme")
    assert held(health) is None


def test_all_keys_are_out_until_the_first_is_free(health: Health) -> None:
    fails(health, LIMITED)
    assert health.hindrance(ACME, ["a", "b"], "m") is None
    fails(health, RateLimited("Slow.", retry_after=5), account="b")
    hold = health.hindrance(ACME, ["a", "b"], "m")
    assert hold is not None
    assert (hold.free_at, hold.wanted, hold.seconds(NOW)) == (NOW + 5, NOW + 5, 5)
    assert hold.words.startswith("each of 2 keys is out, the first: cooling until")
    fails(health, SPENT, account="c")
    hold = health.hindrance(ACME, ["a", "b", "c"], "m")
    assert hold is not None
    assert hold.wanted == NOW + 5, "the third comes back in two days"
    fails(health, QuotaExhausted("Spent."), account="d")
    hold = health.hindrance(ACME, ["a", "b", "c", "d"], "m")
    assert hold is not None
    assert (hold.free_at, hold.wanted, hold.seconds(NOW)) == (NOW + 10, None, 0), "nobody wants the fourth left alone"
    assert health.hindrance(ACME, [], "m") is None


def test_how_soon_targets_answer_is_an_average(health: Health) -> None:
    health.answered(asked(), 1.0)
    health.answered(asked(), 2.0)
    health.answered(asked(), None)
    assert health.first_tokens() == {Target("acme", "m"): pytest.approx(1.3)}


def test_accounts_have_names_that_say_nothing(health: Health) -> None:
    key = Credential(Secret("sk-not-a-real-key"))
    name = health.account(key)
    assert name == health.account(Credential(Secret("sk-not-a-real-key")))
    assert name != health.account(Credential(Secret("sk-not-a-real-kez")))
    assert name != Health().account(key), "another database knows it by another name"
    assert len(name) == 16
    assert health.account(key, passing=True) == f"~{name}"
    assert health.account(Credential()) == NOBODY


# What those who look on see


STATES: dict[str, tuple[list[tuple[PointsmanError, int]], tuple[str, float | None]]] = {
    "available": ([], ("available", None)),
    "limited": ([(LIMITED, 1)], ("rate-limited", 30.0)),
    "spent": ([(SPENT, 1)], ("rate-limited", 172_800.0)),
    "two failures": ([(BUSY, 2)], ("available", None)),
    "trouble": ([(BUSY, 3)], ("error", None)),
    "refused": ([(InvalidKey("No.", status_code=401), 1)], ("error", None)),
    "not reached": ([(LOST, 3)], ("offline", None)),
}


@pytest.mark.parametrize("case", STATES)
def test_the_condition_of_a_provider(health: Health, case: str) -> None:
    failures, (state, after) = STATES[case]
    for error, times in failures:
        fails(health, error, times)
    seen = health.condition(ACME, ["a"])
    assert seen.state == state
    assert (seen.since is None) == (state == "available") == (seen.reason is None)
    resets = None if after is None else "2026-09-2"
    assert (seen.resets_at or "").startswith(resets or "")
    assert (seen.resets_at is None) == (resets is None)


def test_one_good_key_makes_a_provider_available(health: Health) -> None:
    fails(health, SPENT)
    assert health.condition(ACME, ["a", "b"]).state == "available"
    assert health.condition(ACME, ["a"]).state == "rate-limited"


def test_trouble_of_one_model_is_not_the_providers_while_another_answers(health: Health, clock: Clock) -> None:
    fails(health, BUSY, 3)
    clock.time += 1
    health.answered(asked(model="other"), 0.1)
    assert health.condition(ACME, ["a"]).state == "available"


async def test_changes_are_told_also_those_that_only_time_brings(health: Health, clock: Clock) -> None:
    changes: list[str] = []
    health.changed = changes.append
    watching = asyncio.create_task(health.watch())  # noqa: TID251 - the test's own
    fails(health, RateLimited("Slow.", retry_after=0.2))
    await until(TOLD_EVERY * 1.5)
    assert changes == ["acme"]
    clock.time += 0.3
    await until(TOLD_EVERY + 0.3)
    assert changes == ["acme", "acme"]
    watching.cancel()


def test_a_quota_is_told_of_when_it_runs_out_and_when_it_is_back_once_each(health: Health, clock: Clock) -> None:
    news: list[QuotaNews] = []
    health.on_quota = news.append
    for _ in range(3):
        fails(health, SPENT, 2)
        clock.time += 3600
    assert [(each.back, each.account) for each in news] == [(False, "a…")]
    assert "The quota of Acme (a…) is spent." in news[0].text
    for _ in range(2):
        health.heard(asked())
        health.answered(asked(), 0.1)
    assert [each.back for each in news] == [False, True]
    assert "has quota again" in news[1].text


# A restart


async def test_a_restart_forgets_nothing_but_what_should_leave_no_trace(tmp_path: Path, clock: Clock) -> None:
    store = Store(tmp_path / "state.db")
    before = Health(HealthStore(store.database), clock)
    key = Credential(Secret("sk-not-a-real-key"))
    account = before.account(key)
    fails(before, LIMITED, account=account)
    fails(before, SPENT, account="b")
    fails(before, BUSY, 2, model="busy")
    fails(before, SPENT, account="~given")
    fails(before, SPENT, account="gone")
    before.answered(asked("gone"), 2.0)
    reasons = [held(before, name) for name in (account, "b")]
    before.begin(asked("b"))
    await store.close()

    again = Store(tmp_path / "state.db")
    after = Health(HealthStore(again.database), clock)
    assert after.account(key) == account
    assert [held(after, name) for name in (account, "b")] == reasons
    assert None not in reasons
    assert held(after, "~given") is None
    assert held(after, "gone") is None
    assert after.first_tokens() == {Target("acme", "m"): 2.0}
    fails(after, BUSY, model="busy")
    assert held(after, model="busy"), "the third in a row"
    assert b"sk-not-a-real" not in (tmp_path / "state.db").read_bytes()
    clock.time += 10
    assert held(after, "b") is None, "whoever asked before the restart has gone"
    await again.close()


async def test_what_is_old_or_of_another_version_is_not_loaded(tmp_path: Path, clock: Clock) -> None:
    store = Store(tmp_path / "state.db")
    before = Health(HealthStore(store.database), clock)
    fails(before, SPENT)
    fails(before, LIMITED, account="b")
    await store.close()
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("UPDATE health_marks SET mark = '[]' WHERE account = 'b'")
    connection.close()
    clock.time += 31 * 86400
    again = Store(tmp_path / "state.db")
    assert not Health(HealthStore(again.database), clock).marked(ACME)
    await again.close()


# The plan


def test_a_plan_says_why_each_is_left_out() -> None:
    bench = Bench(
        Scripted(says("a")),
        provider("spent", "k1"),
        provider("blind", features=["tools"]),
        provider("fine"),
        provider("keyless", "env:NOT_THERE"),
    )
    spent = bench.catalogue.providers["spent"]
    key = bench.health.account(Credential(Secret("k1")))
    bench.health.failed(Asked(spent, key, "m"), SPENT)
    picture = Conversation((Message("user", (ImagePart(media_type="image/png", data="AAAA"),)),))
    targets = tuple(Target(id, "m") for id in ("spent", "blind", "keyless", "fine"))
    reasons = Reasons(bench.credentials, bench.health, bench.models, bench.catalogue, Environment())
    plan = reasons.plan(Route("chain:x", targets, "chain x"), picture)
    assert plan.targets == (Target("fine", "m"),)
    assert plan.held == (Target("spent", "m"),)
    said = {target.provider: reason for target, reason in plan.skipped}
    assert "quota spent, resets" in said["spent"]
    assert said["blind"] == "it cannot carry images"
    assert "NOT_THERE" in said["keyless"] or "key" in said["keyless"]
    alone = reasons.plan(Route("blind:m", targets[1:3], "x"), picture)
    assert alone.targets == (Target("blind", "m"),), "it is asked if there is nobody else"
    assert len(alone.skipped) == 1
