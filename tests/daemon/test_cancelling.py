"""Ending a chat, and what becomes of one that nobody watches: upstream must see it, for each token costs money.

Times are of one clock, `time.monotonic`, in this process and at the provider.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import Any

import pytest
from dirty_equals import IsInt, IsPartialDict

from tests.counterparts.llama import Llama
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Chat, Editor, text_of
from tests.living import Home, provider

NOTICED_WITHIN = 0.1  # seconds
TRIES = 3


@pytest.fixture
def connected(home: Home, upstream: Upstream) -> Home:
    """A home with the provider `up`."""
    home.configure(provider("up", upstream.base_url))
    return home


async def closed(upstream: Upstream, number: int) -> float:
    """When upstream saw the connection of that request closed."""
    return await asyncio.to_thread(upstream.closed_at, number)


async def under_way(editor: Editor, upstream: Upstream, model: str, number: int, **more: Any) -> Chat:
    """A chat that has reached upstream, and has begun to speak if it ever does."""
    chat = editor.chat(f"up:{model}", **more)
    await asyncio.to_thread(upstream.request, number)
    if model.startswith("drip"):
        await chat.seen("text", 3)
    return chat


@pytest.mark.parametrize("model", ["drip:1000:0.02", "silent:60", "stall", "late:60"])
@pytest.mark.parametrize("way", ["$/cancelRequest", "pointsman/cancelChat"])
async def test_a_cancelled_chat_ends_upstream_at_once(
    connected: Home, upstream: Upstream, model: str, way: str
) -> None:
    editor, other = await connected.connect(), await connected.connect()
    delays = []
    for number in range(TRIES):
        chat = await under_way(editor, upstream, model, number)
        asked = chat.cancel() if way == "$/cancelRequest" else time.monotonic()
        if way == "pointsman/cancelChat":
            received = await other.call(way, {"chatId": chat.chat_id})
            assert received == await chat.answer()
        delays.append(await closed(upstream, number) - asked)
        result = await chat.answer()
        assert result["stopReason"] == "cancelled"
        assert text_of(result) == chat.text
        assert chat.text.startswith("0 1 2 ") or model[:4] != "drip"
        assert result["usage"] == IsPartialDict(inputTokens=IsInt(gt=0), exact=False)
        assert bool(result["usage"]["outputTokens"]) == bool(chat.text)
        assert result["attempts"][-1]["outcome"] == "cancelled"
        assert chat.all("finished") == [{"type": "finished", "reason": "cancelled"}]
    assert 0 <= median(delays) < NOTICED_WITHIN, delays


async def test_a_real_model_server_stops_computing(home: Home, llama: Llama) -> None:
    home.configure(provider("tiny", llama.base_url))
    editor = await home.connect()
    chat = editor.chat(f"tiny:{llama.model}", options={"maxOutputTokens": 8000, "seed": 1})
    await chat.seen("text")
    chat.cancel()
    assert (await chat.answer())["stopReason"] == "cancelled"
    async with asyncio.timeout(5):
        while await asyncio.to_thread(llama.busy):
            pass


@pytest.mark.parametrize("end", ["killed", "exit"])
async def test_an_editor_without_a_window_takes_its_chats_along(connected: Home, upstream: Upstream, end: str) -> None:
    delays = []
    for number in range(TRIES):
        editor = await connected.connect()
        await under_way(editor, upstream, "drip:1000:0.02", number)
        left = time.monotonic()
        if end == "killed":
            assert editor.process
            editor.process.kill()
        else:
            editor.notify("exit")
        delays.append(await closed(upstream, number) - left)
    assert 0 <= median(delays) < NOTICED_WITHIN, delays


async def test_a_chat_runs_on_for_as_long_as_it_was_asked_to(connected: Home, upstream: Upstream) -> None:
    editor, watching = await connected.connect(window="w"), await connected.connect()
    chat = await under_way(editor, upstream, "drip:1000:0.02", 0, detach=0.5)
    await editor.kill()
    left = time.monotonic()
    assert 0.4 < await closed(upstream, 0) - left < 1.0
    (listed,) = (await watching.call("pointsman/listChats"))["chats"]
    assert (listed["chatId"], listed["reason"]) == (chat.chat_id, "cancelled")


async def test_somebody_else_who_watches_keeps_it_alive(connected: Home, upstream: Upstream) -> None:
    editor, watching = await connected.connect(), await connected.connect()
    chat = await under_way(editor, upstream, "drip:60:0.02", 0)
    watched = watching.attach(chat.chat_id)
    await watched.seen("text")
    await editor.kill()
    assert (await watched.answer())["stopReason"] == "end"


async def test_a_watcher_who_returns_in_time_keeps_it_alive(connected: Home, upstream: Upstream) -> None:
    editor, watching = await connected.connect(window="w"), await connected.connect()
    chat = await under_way(editor, upstream, "drip:60:0.02", 0, detach=1)
    await editor.kill()
    watched = watching.attach(chat.chat_id)
    assert (await watched.answer())["stopReason"] == "end"
