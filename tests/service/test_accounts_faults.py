"""An account whose token endpoint refuses, fails or is silent: nothing is sent twice that may be spent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from pointsman.core.errors import (
    ConnectFailed,
    Interrupted,
    Overloaded,
    PointsmanError,
    ShuttingDown,
    SignInFailed,
    SignInNeeded,
    StorageError,
    TimedOut,
)
from pointsman.core.refresh import LONGEST_REST
from pointsman.core.secret import Secret
from tests.counterparts.scripts import Reply
from tests.service.accounts_bench import NOW, Bench, Cut, Late, bench, grants, holds, says, settle

__all__ = ["bench"]

# The token endpoint.


async def test_trouble_of_its_own_is_tried_again(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(says(503, "temporarily_unavailable"), says(500, "server_error"), grants(1))
    bench.now += 3600
    assert await bench.fresh() == "fake-access-1"
    assert bench.sent == ["fake-refresh-0"] * 3


async def test_trouble_without_end_is_bounded_and_told(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(says(503, "temporarily_unavailable"))
    bench.now += 3600
    with pytest.raises(Overloaded) as told:
        await bench.fresh()
    assert len(bench.sent) == 3
    assert f"{bench.host}/token" in told.value.message
    assert told.value.provider == "corp"
    assert bench.held.refresh_begun_at is None
    with pytest.raises(Overloaded):  # it is left alone for a moment
        await bench.fresh()
    assert len(bench.sent) == 3
    assert bench.refusals == []


async def test_the_old_token_is_used_while_it_lasts(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(says(503, "temporarily_unavailable"))
    bench.now += 3600 - 20
    assert await bench.fresh() == "fake-access-0"
    assert len(bench.sent) == 3
    bench.now += 21
    with pytest.raises(Overloaded):
        await bench.fresh()


async def test_a_longer_wait_than_anybody_wants_is_not_waited_for(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(says(429, "slow_down", **{"retry-after": "60"}))
    bench.now += 3600
    with pytest.raises(Overloaded) as told:
        await bench.fresh()
    assert told.value.retry_after == 60
    assert len(bench.sent) == 1


async def test_no_endpoint_shuts_an_account_for_an_hour(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(says(503, "down", **{"retry-after": "3600"}), grants(1))
    bench.now += 3600
    for _ in range(2):
        with pytest.raises(Overloaded) as told:
            await bench.fresh()
        assert (told.value.retry_after, told.value.of_account) == (LONGEST_REST, True)
        assert told.value.advice.startswith("Try again in 300 s. ")
    assert len(bench.sent) == 1
    bench.accounts.entered("the-id")
    assert await bench.fresh() == "fake-access-1"


async def test_nobody_is_there(bench: Bench) -> None:
    await bench.sign_in()
    nowhere = "http://127.0.0.1:9"
    bench.change(token_url=f"{nowhere}/token")
    record = bench.vault.get("the-id")
    assert record
    await bench.vault.put(replace(record, holds=replace(bench.held, token_origin=nowhere)))
    bench.now += 3600
    with pytest.raises(ConnectFailed, match=f"{nowhere}/token"):
        await bench.fresh()
    assert bench.held.refresh_begun_at is None
    assert bench.held.refused is None


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (says(400, "invalid_client"), SignInFailed),
        (says(400, "unauthorized_client"), SignInFailed),
        (says(200, "incorrect_client_credentials"), SignInFailed),
    ],
)
async def test_what_is_wrong_with_the_request_is_no_refusal_of_the_account(
    bench: Bench, reply: Reply, kind: type[Exception]
) -> None:
    await bench.sign_in()
    bench.script(reply)
    bench.now += 3600
    with pytest.raises(kind, match="/token"):
        await bench.fresh()
    assert len(bench.sent) == 1
    assert bench.held.refused is None
    assert bench.held.refresh_begun_at is None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>", "answered with no token that can be used (The answer should be JSON and is a web page)"),
        (b"", "answered with no token that can be used (The answer should be JSON and is nothing)"),
        (b"{}", "answered with no token that can be used (The answer has no `access_token`)"),
        (b'{"error": "bad_refresh_token"}', "the provider has ended the sign-in"),
    ],
)
async def test_an_answer_that_brings_no_token_is_told_as_what_it_was(bench: Bench, body: bytes, why: str) -> None:
    await bench.sign_in()
    bench.script(Reply(body))
    bench.now += 3600
    for _ in range(2):
        with pytest.raises(SignInNeeded) as told:
            await bench.fresh()
        assert why in told.value.message
        assert "never arrived" not in told.value.message
    assert len(bench.sent) == 1


async def test_a_refused_account_is_told_once_and_keeps_everything(bench: Bench) -> None:
    await bench.sign_in()
    before = bench.held
    bench.script(says(400, "invalid_grant"))
    bench.now += 3600
    for _ in range(3):
        with pytest.raises(SignInNeeded, match="ended the sign-in") as told:
            await bench.fresh()
        assert told.value.advice == "Sign in again: `pointsman login corp`"
    assert bench.held == replace(before, refused="the provider has ended the sign-in")
    assert bench.refusals == ["corp alice@example.test"]
    assert await bench.noted() == ["refused"]
    await bench.restart()
    with pytest.raises(SignInNeeded):
        await bench.fresh()
    assert len(bench.sent) == 1
    assert bench.refusals == ["corp alice@example.test"]


async def test_a_refused_account_is_used_while_its_token_lasts(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(says(400, "invalid_grant"))
    bench.now += 3600 - 100
    assert await bench.fresh() == "fake-access-0"
    await settle(bench)
    assert bench.refusals == ["corp alice@example.test"]
    assert await bench.fresh() == "fake-access-0"
    with pytest.raises(SignInNeeded):
        await bench.fresh(refused="fake-access-0")
    assert len(bench.sent) == 1


# An answer that does not come.

NO_ANSWER = [Cut(), Late(b"{}", seconds=30), Reply(b"<html>"), Reply(b"{}", cut=1)]
no_answer = pytest.mark.parametrize("reply", NO_ANSWER, ids=["cut", "hangs", "no JSON", "half"])


@no_answer
async def test_what_was_not_answered_is_never_sent_again(bench: Bench, reply: Reply) -> None:
    await bench.sign_in()
    await bench.restart(within=0.3)
    bench.script(reply)
    bench.now += 3600
    for _ in range(3):
        with pytest.raises(SignInNeeded, match=r"never arrived|with no token"):
            await bench.fresh()
    assert bench.sent == ["fake-refresh-0"]
    assert bench.held.refresh == Secret("fake-refresh-0")
    assert bench.refusals == ["corp alice@example.test"]


@no_answer
@pytest.mark.parametrize("how", [{"rotates": False}, {"grace": 60.0}])
async def test_what_was_not_answered_is_sent_again_where_that_is_declared(
    bench: Bench, reply: Reply, how: dict[str, Any]
) -> None:
    bench.change(**how)
    await bench.sign_in()
    await bench.restart(within=0.3)
    bench.script(reply, grants(1))
    bench.now += 3600
    assert await bench.fresh() == "fake-access-1"
    assert bench.sent == ["fake-refresh-0"] * 2


async def test_an_endpoint_that_never_answers_is_bounded_and_told(bench: Bench) -> None:
    bench.change(rotates=False)
    await bench.sign_in()
    await bench.restart(within=0.2)
    bench.script(Late(b"{}", seconds=30))
    bench.now += 3600
    with pytest.raises(TimedOut, match=f"{bench.host}/token"):
        await bench.fresh()
    assert len(bench.sent) == 3


async def test_a_grace_that_is_over_is_over(bench: Bench) -> None:
    bench.change(grace=60.0)
    await bench.sign_in()
    bench.script(Cut())
    bench.now += 3600
    with pytest.raises(Interrupted):
        await bench.fresh()
    assert len(bench.sent) == 3
    await bench.restart()
    bench.now += 61
    with pytest.raises(SignInNeeded, match="never arrived"):
        await bench.fresh()
    assert len(bench.sent) == 3


@pytest.mark.parametrize(
    ("answer", "sent", "outcome"),
    [
        (holds(True), 2, "fake-access-1"),
        (holds(False), 1, "used up"),
        (says(401, "invalid_client"), 1, "never arrived"),
    ],
)
async def test_one_may_ask_whether_it_still_holds(bench: Bench, answer: Reply, sent: int, outcome: str) -> None:
    bench.change(introspect_url=f"{bench.host}/introspect")
    await bench.sign_in()
    bench.script(Cut(), grants(1))
    bench.upstream.script("/introspect", answer)
    bench.now += 3600
    if sent == 2:
        assert await bench.fresh() == outcome
    else:
        with pytest.raises(SignInNeeded, match=outcome):
            await bench.fresh()
    assert bench.sent == ["fake-refresh-0"] * sent


async def test_who_could_not_be_asked_is_asked_again_later(bench: Bench) -> None:
    bench.change(introspect_url=f"{bench.host}/introspect")
    await bench.sign_in(refresh_begun_at=NOW)
    bench.script(grants(1))
    bench.upstream.script("/introspect", says(503, "down"), holds(True))
    bench.now += 3600
    with pytest.raises(SignInNeeded):
        await bench.fresh()
    assert bench.held.refused is None
    assert bench.refusals == []
    bench.accounts._resting.clear()
    assert await bench.fresh() == "fake-access-1"


async def test_a_refresh_that_a_crash_cut_short_counts_as_unanswered(bench: Bench) -> None:
    await bench.sign_in(refresh_begun_at=NOW)
    before = bench.held
    assert await bench.fresh() == "fake-access-0"
    bench.now += 3600
    with pytest.raises(SignInNeeded, match="never arrived"):
        await bench.fresh()
    assert bench.sent == []
    assert (bench.held.access, bench.held.refresh) == (before.access, before.refresh)


async def test_a_new_sign_in_while_tokens_wait_to_be_written(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(grants(1))
    bench.forbid(3)
    bench.now += 3600
    with pytest.raises(StorageError):
        await bench.fresh()
    bench.forbid()
    async with asyncio.TaskGroup() as group:
        chat = group.create_task(bench.fresh())
        await asyncio.sleep(0)  # it waits for a flight that has not begun
        record = bench.vault.get("the-id")
        assert record
        new = replace(bench.held, access=Secret("fake-access-new"), expires_at=bench.now + 3600, refresh_begun_at=None)
        bench.vault._open["the-id"] = replace(record, holds=new)
    assert chat.result() == "fake-access-new"


async def test_the_error_of_an_endpoint_that_rests_does_not_grow(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(*[says(400, "invalid_client")] * 2)
    bench.now += 3600
    depths = set()
    for _ in range(5):
        with pytest.raises(PointsmanError) as caught:
            await bench.fresh()
        depths.add(len(caught.traceback))
    assert len(bench.sent) == 1
    assert len(depths) <= 2, "the first one has come from the flight itself"


async def test_what_could_not_be_written_is_not_used_as_the_daemon_leaves(bench: Bench) -> None:
    await bench.sign_in()
    bench.script(grants(1))
    bench.forbid(3)
    bench.now += 3600
    with pytest.raises(StorageError):
        await bench.fresh()
    await bench.accounts.close()
    with pytest.raises(ShuttingDown):
        await bench.fresh()
