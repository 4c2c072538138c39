"""The trace of one chat: for who asked for it, its times in order, its bytes those of the wire, and no contents."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.counterparts.upstream import Upstream
from tests.daemon.client import Refused
from tests.living import Home, provider

ORDER = ("begunMs", "sentMs", "connectedMs", "firstByteMs", "firstEventMs", "lastEventMs", "endedMs")
TRY_TWICE = ('auth = { scheme = "none" }', "max_retries = 1")


def in_order(attempt: dict[str, Any]) -> bool:
    times = [attempt[name] for name in ORDER if name in attempt]
    return times == sorted(times)


async def test_nobody_else_gets_one(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    editor = await home.connect()
    assert "trace" not in await editor.chat("up:count:3").answer()


async def test_each_step_has_its_time(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    editor = await home.connect()
    result = await editor.chat("up:drip:5:0.02", "a private question", trace=True).answer()
    trace = result["trace"]
    (attempt,) = trace["attempts"]
    assert (attempt["provider"], attempt["model"], attempt["outcome"]) == ("up", "drip:5:0.02", "answered")
    assert all(name in attempt for name in ORDER), attempt
    assert in_order(attempt)
    assert 0 <= trace["plannedMs"] <= attempt["begunMs"]
    assert attempt["endedMs"] <= trace["endedMs"]
    assert attempt["lastEventMs"] - attempt["firstEventMs"] >= 4 * 20 * 0.9, "as long as it dripped"
    assert attempt["status"] == 200
    assert attempt["bytesOut"] == len(upstream.request(0).body)
    assert attempt["bytesIn"] > len("0 1 2 3 4 ")
    assert trace["waits"] == []
    said = json.dumps(trace)
    for private in ("private", "question", upstream.base_url, str(home.folder)):
        assert private not in said


async def test_the_second_chat_uses_the_connection_of_the_first(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    editor = await home.connect()
    for _ in range(2):
        result = await editor.chat("up:count:3", trace=True).answer()
        (attempt,) = result["trace"]["attempts"]
        assert attempt["begunMs"] <= attempt["connectedMs"] <= attempt["firstByteMs"]
    assert [upstream.request(number).connection for number in (0, 1)] == [0, 0]


async def test_failures_and_waits_are_in_it(home: Home, upstream: Upstream) -> None:
    chain = '[chains]\nsafe = ["up:status:500", "echo:echo"]\n'
    home.configure(chain + provider("up", upstream.base_url, *TRY_TWICE))
    editor = await home.connect()
    trace = (await editor.chat("chain:safe", trace=True).answer())["trace"]
    attempts = trace["attempts"]
    assert [(each["provider"], each["outcome"], each.get("status")) for each in attempts] == [
        ("up", "failed", 500),
        ("up", "failed", 500),
        ("echo", "answered", 200),
    ]
    assert all(map(in_order, attempts))
    assert "firstEventMs" not in attempts[0]
    assert "connectedMs" not in attempts[2], "nothing is connected to"
    (wait,) = trace["waits"]
    assert wait["waitFor"] == "retry"
    assert attempts[0]["endedMs"] <= wait["endedMs"] <= attempts[1]["begunMs"]
    assert wait["endedMs"] - wait["begunMs"] >= 200


async def test_one_that_was_cancelled_has_one_too(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    editor = await home.connect()
    chat = editor.chat("up:stall", trace=True)
    await chat.seen("waiting")
    chat.cancel()
    (attempt,) = (await chat.answer())["trace"]["attempts"]
    assert "firstByteMs" not in attempt
    assert attempt["endedMs"] > attempt["connectedMs"]
    assert attempt.get("outcome", "cancelled") == "cancelled"


async def test_a_wait_for_a_limit_is_told(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url, 'auth = { scheme = "none" }', "limits.concurrency = 1"))
    editor = await home.connect()
    first = editor.chat("up:drip:10:0.02")
    await first.seen("text")
    second = await editor.chat("up:count:1", trace=True).answer()
    (wait,) = second["trace"]["waits"]
    assert wait["waitFor"] == "limit"
    assert wait["endedMs"] <= second["trace"]["attempts"][0]["begunMs"]
    await first.answer()


async def test_a_chat_that_nobody_answers_tells_all_the_same(home: Home, upstream: Upstream) -> None:
    off = provider("off", "http://127.0.0.1:9/v1", 'auth = { scheme = "bearer", env = "NOBODY_HAS_SET_THIS" }')
    home.configure('chains.all = ["off:m", "up:status:400"]\n' + provider("up", upstream.base_url) + off)
    editor = await home.connect()
    with pytest.raises(Refused) as caught:
        await editor.chat("chain:all", trace=True).answer()
    skipped, failed = caught.value.data["attempts"]
    assert (skipped["provider"], skipped["outcome"]) == ("off", "skipped")
    assert skipped["reason"]
    assert (failed["provider"], failed["outcome"], failed["error"]["statusCode"]) == ("up", "failed", 400)
    assert caught.value.data["route"]["targets"] == ["up:status:400"]
    assert caught.value.data["route"]["skipped"] == [
        {"model": "m", "provider": "off", "reason": skipped["reason"]},
    ]
    (traced,) = caught.value.data["trace"]["attempts"]
    assert (traced["status"], traced["outcome"]) == (400, "failed")
    with pytest.raises(Refused) as plain:
        await editor.chat("up:status:400").answer()
    assert "trace" not in plain.value.data
