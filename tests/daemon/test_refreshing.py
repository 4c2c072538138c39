"""Tokens renewed at somebody else's OAuth server: under load, with its faults, and with a daemon that is killed.

The load is 200 chats upon tokens of four seconds, in a fifth of a minute; with `POINTSMAN_REFRESHING=full`, in a whole
one.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from pointsman.core.stored import Tokens
from pointsman.edge.master_key import VARIABLE
from tests.counterparts.oidc import Oidc
from tests.daemon.accounts import VAULT_KEY, granted, is_let_in, keep, kept, over, still_holds, without
from tests.daemon.client import Editor, Refused, text_of
from tests.living import Home, ended

FULL = os.environ.get("POINTSMAN_REFRESHING") == "full"
LIFETIME, CHATS, AT_ONCE = 4, 200, 50
SECONDS = 60.0 if FULL else 12.0
KILLS, AT_A_KILL = 50, 5
UNASKED: dict[bool, tuple[str, ...]] = {True: (), False: ("introspect_url",)}
QUICK = ("pointsman.service.accounts.WITHIN = 1.0", "pointsman.core.refresh.FIRST_WAIT = 0.05")


async def begin(
    home: Home, oidc: Oidc, tokens: Tokens, *left_out: str, how: Sequence[str] = QUICK, retries: int = 2
) -> Editor:
    """A daemon with one account, and an editor that can be asked."""
    definition = oidc.definition().replace("default_model", f"max_retries = {retries}\ndefault_model")
    home.configure(without(definition, *left_out))
    await keep(home, oidc, {"corp": tokens})
    await home.serve(*how)
    return await home.connect(capabilities={"window": {"showMessage": {"messageActionItem": {}}}})


def renewed(oidc: Oidc) -> list[dict[str, Any]]:
    """The refreshes that the server has granted."""
    return [entry for entry in oidc.refreshes if entry.get("status") == 200]


@pytest.mark.timeout(150 if FULL else 60)
async def test_many_chats_through_short_lived_tokens(home: Home, oidc: Oidc) -> None:
    oidc.set(access=LIFETIME)
    editor = await begin(home, oidc, over(granted(oidc)), how=())
    begun = time.monotonic()
    chats = [editor.chat("corp:small") for _ in range(AT_ONCE)]
    rest = CHATS - 2 * AT_ONCE
    for number in range(rest):
        await asyncio.sleep(begun + SECONDS * number / rest - time.monotonic())
        chats.append(editor.chat("corp:small"))
    chats += [editor.chat("corp:small") for _ in range(AT_ONCE)]
    results = [await chat.answer(30) for chat in chats]
    assert len(results) == CHATS
    assert {text_of(result) for result in results} == {"hello alice"}
    await editor.kill()
    await home.end()
    refreshes = oidc.refreshes
    assert {entry["status"] for entry in refreshes} == {200}
    between = [(after["at"] - before["at"]) / 1000 for before, after in pairwise(refreshes)]
    assert min(between) > LIFETIME / 2, "more than one refresh a cycle"
    assert SECONDS / LIFETIME <= len(refreshes) <= SECONDS / (LIFETIME / 2)
    turned_down = [entry for entry in oidc.asked("/v1/chat/completions") if entry["status"] == 401]
    assert len(turned_down) <= CHATS // 50, "tokens are used that are over"
    assert still_holds(oidc, (await kept(home))["corp"])


async def test_trouble_that_passes_is_not_noticed(home: Home, oidc: Oidc) -> None:
    editor = await begin(home, oidc, over(granted(oidc)))
    oidc.set(fail=2)
    assert text_of(await editor.chat("corp:small").answer()) == "hello alice"
    assert [entry["status"] for entry in oidc.asked("/oauth/token")] == [200, 503, 503, 200]


async def test_trouble_that_stays_is_bounded_and_told(home: Home, oidc: Oidc) -> None:
    tokens = granted(oidc)
    editor = await begin(home, oidc, over(tokens), retries=0)
    oidc.set(fail=1000)
    with pytest.raises(Refused) as refused:
        await editor.chat("corp:small").answer(30)
    assert refused.value.code == "Overloaded"
    assert f"{oidc.origin}/oauth/token" in refused.value.message
    assert len(oidc.refreshes) == 3
    assert still_holds(oidc, tokens)
    oidc.set(fail=0)
    async with asyncio.timeout(5):  # it is left alone for as long as it has asked for
        while await outcome(editor, "corp", "Overloaded") != "works":
            pass
    assert len(renewed(oidc)) == 1


@pytest.mark.parametrize("fault", [{"fail": 1, "wait": 1500}, {"fail": 1, "drop": True}], ids=["hangs", "drop"])
async def test_who_can_be_asked_is_asked_before_anything_is_sent_again(
    home: Home, oidc: Oidc, fault: dict[str, Any]
) -> None:
    editor = await begin(home, oidc, over(granted(oidc)))
    oidc.set(**fault)
    assert text_of(await editor.chat("corp:small").answer()) == "hello alice"
    assert len(oidc.asked("/oauth/introspect")) == 1
    assert len(renewed(oidc)) == 1
    await over_with(oidc, fault)


@pytest.mark.parametrize(
    ("fault", "askable"),
    [
        ({"fail": 1, "wait": 1500}, False),
        ({"fail": 1, "drop": True}, False),
        ({"dropAfter": 1}, False),
        ({"dropAfter": 1}, True),
    ],
    ids=["hangs", "drop", "after", "after, and asked"],
)
async def test_what_may_be_spent_is_never_sent_again(
    home: Home, oidc: Oidc, fault: dict[str, Any], askable: bool
) -> None:
    tokens = granted(oidc)
    editor = await begin(home, oidc, over(tokens), *([] if askable else ["introspect_url"]))
    second = await home.connect(client="another", capabilities={"window": {"showMessage": {"messageActionItem": {}}}})
    oidc.set(**fault)
    for _ in range(3):
        with pytest.raises(Refused) as refused:
            await editor.chat("corp:small").answer()
        assert refused.value.code == "SignInNeeded"
        assert refused.value.data["advice"] == "Sign in again: `pointsman login corp`"
    for each in (editor, second):
        question = (await each.asked("window/showMessageRequest"))["params"]
        assert [action["title"] for action in question["actions"]] == ["Sign in"]
    assert len([entry for entry in oidc.refreshes if not entry.get("injected")]) <= 1
    assert is_let_in(oidc, tokens), "the family was ended"
    assert still_holds(oidc, tokens) == ("dropAfter" not in fault)
    await home.leave()
    await home.end()
    after = (await kept(home))["corp"]
    assert (after.access, after.refresh) == (tokens.access, tokens.refresh)
    await over_with(oidc, fault)


async def over_with(oidc: Oidc, fault: dict[str, Any]) -> None:
    """Waits until the server has answered what it has let hang, so that the next test does not hear of it."""
    async with asyncio.timeout(10):
        while "wait" in fault and not any(entry.get("injected") for entry in await asyncio.to_thread(seen_by, oidc)):
            pass


def seen_by(oidc: Oidc) -> list[dict[str, Any]]:
    """All that the server was asked."""
    return oidc.seen


async def test_a_token_that_is_turned_down_is_renewed_within_the_attempt(home: Home, oidc: Oidc) -> None:
    oidc.set(access=1)
    tokens = granted(oidc)
    oidc.set(access=3600)
    believed = Tokens(
        access=tokens.access,
        refresh=tokens.refresh,
        expires_at=time.time() + 3600,
        obtained_at=time.time() - 60,
        token_origin=tokens.token_origin,
    )
    await asyncio.sleep((tokens.expires_at or 0.0) - time.time())
    editor = await begin(home, oidc, believed)
    chats = [editor.chat("corp:small") for _ in range(AT_ONCE)]
    results = [await chat.answer() for chat in chats]
    assert {(text_of(result), len(result["attempts"])) for result in results} == {("hello alice", 1)}
    assert len(oidc.refreshes) == 1


async def test_lists_and_trials_use_the_account_too(home: Home, oidc: Oidc) -> None:
    editor = await begin(home, oidc, over(granted(oidc)))
    listed = await editor.call("pointsman/listModels", {"provider": "corp", "refresh": True})
    assert "corp:small" in [model["model"] for model in listed["models"]]
    trial = await editor.call("pointsman/testProvider", {"provider": "corp"})
    assert trial["ok"], trial
    assert len(oidc.refreshes) == 1


async def test_another_account_stands_in_for_one_that_must_sign_in(home: Home, oidc: Oidc) -> None:
    alice, bob = granted(oidc), granted(oidc, "bob")
    home.configure(oidc.definition())
    await keep(home, oidc, {"corp": replace(alice, refused="because", expires_at=1.0)}, {"corp": bob})
    await home.serve(*QUICK)
    editor = await home.connect()
    results = [await editor.chat("corp:small").answer() for _ in range(4)]
    assert {(text_of(result), result["account"]) for result in results} == {("hello bob", "account 1")}
    assert {len(result["attempts"]) for result in results} == {1, 2}


async def test_nobody_has_signed_in(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect()
    with pytest.raises(Refused) as refused:
        await editor.chat("corp:small").answer()
    assert refused.value.code == "SignInNeeded"
    assert "pointsman login corp" in refused.value.data["advice"]


# kill -9


async def test_a_daemon_that_is_killed_leaves_an_account_or_a_sign_in(home: Home, oidc: Oidc) -> None:
    """Each kill hits a few refreshes, each at another point; the next daemon makes of each what it finds."""
    names = [f"corp-{number}" for number in range(KILLS + 1)]
    asking = [name for number, name in enumerate(names) if number % 2]
    home.configure("".join(without(oidc.definition(name), *UNASKED[name in asking]) for name in names))
    home.environment[VARIABLE] = VAULT_KEY
    before = {name: over(granted(oidc)) for name in names}
    await keep(home, oidc, before)
    dice, seen = random.Random(), dict[str, str]()
    client = await serve(home)
    begun = time.monotonic()  # how long one takes that nobody disturbs
    assert text_of(await client.chat("corp-0:small").answer()) == "hello alice"
    window = 3 * (time.monotonic() - begun)
    for start in range(1, KILLS, AT_A_KILL):
        victims = names[start : start + AT_A_KILL]
        kill_at = time.monotonic() + window
        for left, name in sorted(((dice.uniform(0, window), name) for name in victims), reverse=True):
            await asyncio.sleep(kill_at - left - time.monotonic())
            client.chat(f"{name}:small")
        await asyncio.sleep(kill_at - time.monotonic())
        pid = home.pid
        os.kill(pid, signal.SIGKILL)
        await ended(pid)
        await home.leave()
        found = await kept(home)
        client = await serve(home)
        for name in victims:
            is_old = (found[name].access, found[name].refresh) == (before[name].access, before[name].refresh)
            seen[name] = await outcome(client, name)
            assert is_old or seen[name] == "works"
            seen[name] += " with the old" if is_old else " with the new"
    assert len(seen) == KILLS
    assert len(set(seen.values())) > 1, "all rounds were alike"
    assert all(entry.get("error") is None for entry in oidc.refreshes), "a refresh token was sent twice"


async def outcome(client: Editor, name: str, failure: str = "SignInNeeded") -> str:
    """What a chat comes to that may fail in this way."""
    try:
        assert text_of(await client.chat(f"{name}:small").answer()) == "hello alice"
    except Refused as refused:
        assert refused.code == failure
        return "fails"
    return "works"


async def serve(home: Home) -> Editor:
    """A daemon, and a client of it; both are warm, so that no refresh takes longer than any other."""
    await home.serve("pointsman.edge.oauth._authlib()")
    client = await home.knock()
    await client.initialize()
    with suppress(Refused):
        await client.call("pointsman/listModels", {"provider": "corp-0", "refresh": True})
    return client
