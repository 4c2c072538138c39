"""An account's tokens are renewed once, durably, and only as long as nobody signs in or out meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pointsman.core import refresh
from pointsman.core.catalogue import Auth, Provider
from pointsman.core.errors import (
    ConfigError,
    Overloaded,
    ShuttingDown,
    SignInNeeded,
    StorageError,
    WrongOrigin,
)
from pointsman.core.secret import Secret
from tests.counterparts.scripts import Reply
from tests.service.accounts_bench import Bench, bench, grants, says, settle

__all__ = ["bench"]


async def test_a_token_that_holds_is_used(bench: Bench) -> None:
    await bench.sign_in()
    assert await bench.fresh() == "fake-access-0"
    await settle(bench)
    assert bench.sent == []


async def test_a_token_is_renewed_ahead_behind_the_back(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(grants(1, 0.1))
    bench.now += 3600 - 299
    assert [await bench.fresh() for _ in range(50)] == ["fake-access-0"] * 50
    await settle(bench)
    assert bench.sent == ["fake-refresh-0"]
    assert await bench.fresh() == "fake-access-1"
    assert (bench.held.expires_at, bench.held.obtained_at) == (bench.now + 3600, bench.now)
    assert bench.held.refresh_begun_at is None
    assert await bench.noted() == ["refreshed"]


@pytest.mark.parametrize("after", [3600 - 29, 3600, 86400, -1], ids=["closing", "over", "sleep", "back"])
async def test_many_wait_for_one_refresh(bench: Bench, after: float) -> None:
    await bench.sign_in()
    bench.script(grants(1, 0.1))
    bench.now += after
    assert set(await asyncio.gather(*(bench.fresh() for _ in range(50)))) == {"fake-access-1"}
    assert bench.sent == ["fake-refresh-0"]


async def test_tokens_of_four_seconds(bench: Bench) -> None:
    await bench.sign_in(4.0)
    bench.script(*(grants(number, lifetime=4) for number in range(1, 50)))
    used = []
    for _ in range(400):  # 40 seconds
        used.append(await bench.fresh())
        await settle(bench)
        bench.now += 0.1
    assert len(dict.fromkeys(used)) == len(bench.sent) + 1
    assert len(bench.sent) in {14, 15}  # one each time that two thirds of the four seconds are over


async def test_who_leaves_does_not_end_the_refresh(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(grants(1, 0.1))
    bench.now += 3600
    waiting = [asyncio.create_task(bench.fresh()) for _ in range(3)]  # noqa: TID251
    await asyncio.to_thread(bench.upstream.request, 0)
    for task in waiting[:2]:
        task.cancel()
    assert await waiting[2] == "fake-access-1"
    assert bench.sent == ["fake-refresh-0"]


async def test_new_tokens_are_durable_before_they_are_used(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(grants(1))
    bench.now += 3600
    assert await bench.fresh() == "fake-access-1"
    await bench.restart()
    assert await bench.fresh() == "fake-access-1"
    assert len(bench.sent) == 1


async def test_it_is_durable_that_a_refresh_begins_before_it_goes_out(bench: Bench, tmp_path: Path) -> None:
    await bench.sign_in()
    bench.script(grants(1, 0.3))
    bench.now += 3600
    waiting = asyncio.create_task(bench.fresh())  # noqa: TID251
    await asyncio.to_thread(bench.upstream.request, 0)
    copy = Bench.__new__(Bench)
    copy.file, copy.now, copy.refusals = tmp_path / "copy.db", bench.now, []
    with closing(sqlite3.connect(bench.file)) as source, closing(sqlite3.connect(copy.file)) as target:
        source.backup(target)
    copy.begin()
    await copy.vault.open()
    assert copy.held.refresh_begun_at == bench.now
    await copy.end()
    assert await waiting == "fake-access-1"


# The disk.


async def test_nothing_is_sent_while_its_beginning_can_not_be_written(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(grants(1))
    bench.forbid(2)
    bench.now += 3600
    with pytest.raises(StorageError, match="disk is full"):
        await bench.fresh()
    assert bench.sent == []
    bench.forbid()
    assert await bench.fresh() == "fake-access-1"
    assert bench.sent == ["fake-refresh-0"]


async def test_tokens_that_can_not_be_written_are_kept_and_never_fetched_anew(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(grants(1), grants(2))
    bench.forbid(3)
    bench.now += 3600 - 100
    assert await bench.fresh() == "fake-access-0"
    await settle(bench)
    for _ in range(3):
        with pytest.raises(StorageError, match="disk is full"):
            await bench.fresh()
    bench.forbid()
    assert await asyncio.gather(*(bench.fresh() for _ in range(5))) == ["fake-access-1"] * 5
    assert bench.sent == ["fake-refresh-0"]
    await bench.restart()
    assert await bench.fresh() == "fake-access-1"


async def test_a_refusal_that_can_not_be_written_still_holds(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(says(400, "invalid_grant"))
    bench.forbid(3)
    bench.now += 3600
    for _ in range(2):
        with pytest.raises(SignInNeeded):
            await bench.fresh()
    bench.forbid()
    with pytest.raises(SignInNeeded, match="ended the sign-in"):
        await bench.fresh()
    assert bench.held.refused == "the provider has ended the sign-in"
    assert bench.sent == ["fake-refresh-0"]


async def test_an_account_that_was_not_used_up_and_could_not_be_settled(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(says(503, "temporarily_unavailable"), grants(1))
    bench.forbid(3)
    bench.now += 3600
    with pytest.raises(StorageError):
        await bench.fresh()
    bench.forbid()
    assert await bench.fresh() == "fake-access-1"
    assert bench.sent == ["fake-refresh-0"] * 2


# A token that was turned down, and people who come and go.


async def test_a_token_that_was_turned_down_is_renewed_once(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(grants(1, 0.05))
    bench.now += 100
    got = await asyncio.gather(*(bench.fresh("fake-access-0") for _ in range(20)))
    assert set(got) == {"fake-access-1"}
    assert await bench.fresh("fake-access-0") == "fake-access-1"
    assert bench.sent == ["fake-refresh-0"]


async def test_a_token_that_was_turned_down_is_not_used_because_the_endpoint_fails(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(says(503, "temporarily_unavailable"))
    bench.now += 100
    with pytest.raises(Overloaded):
        await bench.fresh("fake-access-0")


async def test_a_new_token_that_is_turned_down_is_not_renewed_again_and_again(bench: Bench) -> None:
    await bench.sign_in()
    assert await bench.fresh("fake-access-0") == "fake-access-0"
    assert bench.sent == []


async def test_an_account_without_a_refresh_token(bench: Bench) -> None:
    await bench.sign_in(refresh=None)
    bench.now += 3599
    assert await bench.fresh() == "fake-access-0"
    bench.now += 1
    with pytest.raises(SignInNeeded, match="has ended"):
        await bench.fresh()


async def test_who_signs_out_meanwhile_stays_signed_out(bench: Bench) -> None:
    bench.change(revoke_url=f"{bench.host}/revoke")
    await bench.sign_in()
    bench.script(grants(1, 0.2))
    bench.upstream.script("/revoke", Reply())
    bench.now += 3600
    waiting = asyncio.create_task(bench.fresh())  # noqa: TID251
    await asyncio.to_thread(bench.upstream.request, 0)
    await bench.vault.remove("the-id")
    with pytest.raises(SignInNeeded):
        await waiting
    assert bench.vault.get("the-id") is None
    assert b"fake-refresh-1" in bench.upstream.requests[-1].body
    with pytest.raises(SignInNeeded, match="pointsman login corp"):
        await bench.fresh()


async def test_a_new_sign_in_wins_over_a_refresh(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(grants(1, 0.2))
    bench.now += 3600
    waiting = asyncio.create_task(bench.fresh())  # noqa: TID251
    await asyncio.to_thread(bench.upstream.request, 0)
    await bench.sign_in(access=Secret("fake-access-9"))
    assert await waiting == "fake-access-9"
    assert await bench.fresh() == "fake-access-9"


async def test_a_new_sign_in_wins_over_what_could_not_be_written(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(grants(1))
    bench.forbid(3)
    bench.now += 3600
    with pytest.raises(StorageError):
        await bench.fresh()
    bench.forbid()
    await bench.sign_in(access=Secret("fake-access-9"))
    assert await bench.fresh() == "fake-access-9"


async def test_the_daemon_lets_a_refresh_come_to_its_end(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(grants(1, 0.3))
    bench.now += 3600 - 100
    assert await bench.fresh() == "fake-access-0"
    await asyncio.to_thread(bench.upstream.request, 0)
    leaving = bench.accounts
    await bench.restart()
    assert bench.held.access == Secret("fake-access-1")
    bench.now += 3600
    with pytest.raises(ShuttingDown):
        await leaving.fresh("the-id", bench.provider, bench.out.fetch)
    assert len(bench.sent) == 1


async def test_the_daemon_does_not_wait_for_a_second_try(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "FIRST_WAIT", 5.0)
    await bench.sign_in()
    bench.script(says(503, "temporarily_unavailable"))
    bench.now += 3600 - 100
    assert await bench.fresh() == "fake-access-0"
    await asyncio.to_thread(bench.upstream.request, 0)
    await asyncio.wait_for(bench.restart(), 3)
    assert bench.held.refresh_begun_at is None
    assert len(bench.sent) == 1


async def test_a_refresh_token_goes_nowhere_else(bench: Bench) -> None:
    await bench.sign_in(token_origin="https://auth.example:443")  # noqa: S106 - an address
    bench.script(grants(1))
    bench.now += 3600
    with pytest.raises(WrongOrigin, match="never sent to"):
        await bench.fresh()
    assert bench.upstream.requests == []
    assert bench.held.refresh_begun_at is None


async def test_a_provider_that_says_no_more_how_it_renews(bench: Bench) -> None:
    await bench.sign_in()
    provider = Provider(id="corp", base_url=bench.host, auth=Auth("oauth"))
    with pytest.raises(ConfigError, match=r"auth\.oauth"):
        await bench.accounts.fresh("the-id", provider, bench.out.fetch)
