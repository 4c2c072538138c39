"""The status of providers: what is left, what was spent, what is held against them, and for how long."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, Refused
from tests.living import Home, provider

PRICES = "input = 1000.0\noutput = 1000.0\n"
PRICED = f'[providers.up.prices."count:4"]\n{PRICES}[providers.up.prices."count:10"]\n{PRICES}'


async def dashboard(editor: Editor) -> dict[str, dict[str, Any]]:
    return {line["provider"]: line for line in (await editor.call("pointsman/status"))["dashboard"]}


async def test_a_line_for_each_that_is_usable_or_wanted(home: Home, upstream: Upstream) -> None:
    locked = ('auth = { scheme = "bearer", env = "LOCKED_KEY" }',)
    home.configure(
        'default = "up:count:1"\n'
        + provider("locked", upstream.base_url, *locked)
        + provider("up", upstream.base_url, 'auth = { scheme = "none" }', 'models = ["count:1", "count:2"]')
    )
    home.environment["GROQ_API_KEY"] = "not-a-real-key-1"
    editor = await home.connect()
    found = await dashboard(editor)
    assert next(iter(found)) == "up", "the active one first"
    assert (found["up"]["state"], found["up"]["models"]) == ("active", 2)
    assert found["locked"]["state"] == "unconfigured", "the user wants it"
    assert found["groq"]["state"] == "available", "it could be used"
    assert not {"echo", "openrouter", "ollama"} & found.keys(), "nobody has asked for them"
    assert "lastUsedAt" not in found["up"]
    await editor.call("pointsman/listModels", {"provider": "up", "refresh": True})
    assert (await dashboard(editor))["up"]["models"] == 5, "with those that it lists"
    await editor.chat("echo:echo").answer()
    assert "echo" in await dashboard(editor)


async def test_money_and_when_it_was_last_used(home: Home, upstream: Upstream) -> None:
    budgets = "[budgets.all]\nday = 0.024\nmonth = 100.0\n"
    home.configure(budgets + provider("up", upstream.base_url) + PRICED)
    editor = await home.connect()
    before = await editor.status()
    assert (before["spentToday"], before["spentMonth"], before["unpricedToday"]) == (0.0, 0.0, 0)
    await editor.chat("up:count:4").answer()
    await editor.chat("up:count:10").answer()
    await editor.chat("up:drip:1:0").answer()
    cost = (3 + 4 + 3 + 10) * 1000 / 1e6
    for after in range(2):
        status = await editor.status()
        (line,) = [each for each in status["dashboard"] if each["provider"] == "up"]
        assert line["costToday"] == status["spentToday"] == status["spentMonth"] == pytest.approx(cost)
        assert line["unpricedToday"] == status["unpricedToday"] == 1, "what nobody knows the price of is told"
        providers = (await editor.call("pointsman/listProviders"))["providers"]
        (listed,) = [each for each in providers if each["id"] == "up"]
        assert (listed["costToday"], listed["lastUsedAt"]) == (line["costToday"], line["lastUsedAt"])
        used = datetime.now(UTC) - datetime.fromisoformat(line["lastUsedAt"])
        assert timedelta(seconds=-1) < used < timedelta(seconds=30)
        parts = [(each["period"], each["budget"], each["reached"]) for each in status["budgets"]]
        assert parts == [("day", 0.024, False), ("month", 100.0, False)]
        if not after:  # and a restart forgets nothing of it
            await home.leave()
            await home.end()
            editor = await home.connect()


async def test_what_is_held_against_a_provider(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url) + provider("down", "http://127.0.0.1:9/v1"))
    editor = await home.connect()
    with pytest.raises(Refused):
        await editor.chat('up:status:429:{"retry-after": "300"}').answer()
    for _ in range(3):
        with pytest.raises(Refused):
            await editor.chat("down:m").answer()
    found = await dashboard(editor)
    assert found["down"]["state"] == "offline"
    assert "breaker open until" in found["down"]["reason"]
    since = datetime.now(UTC) - datetime.fromisoformat(found["down"]["since"])
    assert timedelta(seconds=-1) <= since < timedelta(seconds=30)
    assert found["up"]["state"] == "rate-limited"
    assert "cooling until" in found["up"]["reason"]
    resets = datetime.fromisoformat(found["up"]["resetsAt"]) - datetime.now(UTC)
    assert timedelta(seconds=270) < resets < timedelta(seconds=301)


async def test_chats_that_run_and_wait(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url, 'auth = { scheme = "none" }', "limits.concurrency = 1"))
    editor = await home.connect()
    chats = [editor.chat("up:drip:1000:0.02") for _ in range(3)]
    await chats[0].seen("text")
    status = await editor.status(lambda status: status["waitingChats"] == 2)
    assert status["runningChats"] == 3
    (line,) = [each for each in status["dashboard"] if each["provider"] == "up"]
    assert line["waiting"] == 2
    for chat in reversed(chats):
        chat.cancel()
    await asyncio.gather(*(chat.answer() for chat in chats))
    status = await editor.status()
    assert (status["runningChats"], status["waitingChats"]) == (0, 0)


async def test_windows_of_a_plan_are_told(home: Home, upstream: Upstream) -> None:
    plan = 'kind = "plan-based"', 'auth = { scheme = "none" }', "limits = { rolling = 10, window_hours = 1 }"
    home.configure(provider("up", upstream.base_url, *plan))
    editor = await home.connect()
    await editor.chat("up:count:1").answer()
    line = (await dashboard(editor))["up"]
    assert (line["remaining"], line["windows"][0]["used"], line["windows"][0]["limit"]) == (9, 1, 10)
    assert (line["costToday"], line.get("unpricedToday", 0)) == (0.0, 0), "a plan costs nothing more"
