"""How a provider stands, in one word, and what goes along with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from pointsman.core.environment import Environment
from pointsman.core.errors import ConnectFailed, Overloaded, PointsmanError, QuotaExhausted, VaultError
from pointsman.core.secret import Secret
from pointsman.core.stored import Record, Tokens
from pointsman.edge.account_way import Keeper
from pointsman.service.credentials import Credentials
from pointsman.service.health import Asked
from pointsman.service.neighbours import Neighbours
from pointsman.service.plans import Plans
from pointsman.service.reasons import Reasons
from pointsman.service.standing import Standing, standing
from tests.service.bench import Bench, Scripted, provider, says


@dataclass
class Accounts:
    """Stored accounts of one provider; `refused` are why each has to sign in again."""

    refused: list[str | None] = field(default_factory=list)
    trouble: VaultError | None = None

    def of(self, id: str) -> list[Record]:
        made = (Tokens(Secret("a"), None, None, 0.0, "https://p.example", refused=why) for why in self.refused)
        return [
            Record(f"id-{n}", id, "http://one.example:80", f"{n}", tokens, "2026-01-01T00:00:00Z")
            for n, tokens in enumerate(made)
        ]

    def damaged(self, id: str) -> list[str]:
        return []


def stands(bench: Bench, *, active: bool = False, credentials: Credentials | None = None) -> Standing:
    reasons = Reasons(credentials or bench.credentials, bench.health, bench.models, bench.catalogue, Environment())
    one = bench.catalogue.providers["one"]
    return standing(one, reasons, Neighbours(bench.models), Plans(), active=active)


def made(*keys: str, **more: Any) -> Bench:
    return Bench(Scripted(says("a")), provider("one", *keys, **more))


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (None, "active"),
        (QuotaExhausted("Spent.", retry_after=3600), "rate-limited"),
        (Overloaded("Full."), "error"),
        (ConnectFailed("Gone."), "offline"),
    ],
)
def test_what_happened_weighs_more_than_a_choice(error: PointsmanError | None, state: str) -> None:
    bench = made("k")
    one = bench.catalogue.providers["one"]
    account = bench.health.account(bench.credentials.all(one, Environment())[0])
    for _ in range(3 if error else 0):
        bench.health.failed(Asked(one, account, "m"), cast("PointsmanError", error))
    seen = stands(bench, active=True)
    assert (seen.state, seen.usable, seen.keys) == (state, True, 1)
    assert (seen.since is None) == (seen.reason is None) == (error is None)
    assert (seen.resets_at is None) == (state != "rate-limited")
    if error is None:
        assert stands(bench).state == "available"


def test_without_a_key_it_is_not_configured() -> None:
    assert stands(made("env:NOT_THERE"), active=True) == Standing("unconfigured", False, 0)


def test_a_server_on_this_machine_that_was_not_found_is_offline() -> None:
    assert stands(made(kind="local")).state == "offline"


@pytest.mark.parametrize(
    ("refused", "state"),
    [([], "unconfigured"), ([None], "available"), (["expired"], "signed-out"), (["x", None], "available")],
)
def test_accounts_that_must_sign_in_again(refused: list[str | None], state: str) -> None:
    oauth = {"client_id": "c", "authorize_url": "https://one.example/a", "token_url": "https://one.example/t"}
    bench = made(auth={"scheme": "oauth", "oauth": oauth})
    credentials = Credentials(stored=Accounts(refused), keeper=cast("Keeper", object()))
    seen = stands(bench, credentials=credentials)
    assert seen.state == state
    if state == "signed-out":
        assert seen.reason == "sign in again: expired"
