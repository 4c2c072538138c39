"""Keys, quotas and breakers over many chats and a restart: as with three free keys of one provider and two of another.

Times are shortened (a wait of 2 s instead of 30, a quota that is tried after 1 s instead of 10); the policy with its
real figures is tried in `tests/service/test_health.py`.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.counterparts import scripts
from tests.counterparts.scripts import Reply, Step
from tests.counterparts.upstream import Request, Upstream
from tests.daemon.client import Editor, Refused
from tests.living import Home

FAST = (
    "pointsman.core.health.BLAME = {**pointsman.core.health.BLAME, pointsman.core.health.QuotaExhausted: "
    "(('account',), pointsman.core.health.Policy(1, 1.0, 4.0))}"
)
NO = '{"error": {"message": "no"}}'
SPENT = '{"error": {"message": "You exceeded your quota", "code": "insufficient_quota", "resets_in_seconds": 172800}}'
FREE, CLOUD = ("free-not-real-1", "free-not-real-2", "free-not-real-3"), ("cloud-not-real-1", "cloud-not-real-2")
CHAIN = f"""\
[chains.coding]
targets = ["free:m", "cloud:m"]
[providers.free]
base_url = "{{url}}/free"
auth = {{{{ scheme = "bearer" }}}}
keys = {list(FREE)}
[providers.cloud]
base_url = "{{url}}/cloud"
auth = {{{{ scheme = "bearer" }}}}
keys = {list(CLOUD)}
""".replace("'", '"')


class Provider:
    """What answers by the key that it is shown: each may be out until a time, which it tells or not."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream, self._lock = upstream, threading.Lock()
        self.out: dict[str, tuple[float, Reply]] = {}
        self.refused: list[tuple[str, float]] = []
        upstream._asked_before = upstream._asked  # type: ignore[attr-defined]
        upstream._asked = self._asked  # type: ignore[method-assign]

    def take_out(self, key: str, seconds: float, status: int, body: str = NO, **headers: str) -> None:
        """From now on the key is refused with that status, for so many seconds."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with self._lock:
            self.out[key] = time.monotonic() + seconds, Reply(body.encode(), status, named)

    def _asked(self, request: Request) -> tuple[int, Iterator[Step]]:
        number, _ = self.upstream._asked_before(request)  # type: ignore[attr-defined]
        key = (request.header("authorization") or "").removeprefix("Bearer ")
        with self._lock:
            if key in self.out and request.at < self.out[key][0]:
                self.refused.append((key, request.at))
                return number, self.out[key][1].steps()
        return number, scripts.chat(request.json | {"model": "count:1"})

    def keys(self, start: int = 0) -> list[str]:
        """The keys of the requests from that number on."""
        shown = [request.header("authorization") or "" for request in self.upstream.requests[start:]]
        return [key.removeprefix("Bearer ") for key in shown]


@pytest.fixture
def theirs(upstream: Upstream) -> Provider:
    return Provider(upstream)


async def asks(editor: Editor, times: int = 1) -> list[dict[str, Any]]:
    """So many chats, one after the other."""
    return [await editor.chat("chain:coding").answer() for _ in range(times)]


async def state_of(editor: Editor, id: str) -> dict[str, Any]:
    providers = (await editor.call("pointsman/listProviders"))["providers"]
    return next(each for each in providers if each["id"] == id)


async def state_is(editor: Editor, id: str, state: str) -> dict[str, Any]:
    """The provider as soon as it is in that state; after each change that is told, it is looked at again."""
    while True:
        editor.forget()
        if (found := await state_of(editor, id))["state"] == state:
            return found
        await editor.told("pointsman/providersChanged")


async def test_three_keys_take_turns_and_one_that_is_over_its_limit_is_out_for_as_long_as_it_says(
    home: Home, upstream: Upstream, theirs: Provider
) -> None:
    home.configure(CHAIN.format(url=upstream.base_url))
    editor = await home.connect()
    await asks(editor, 6)
    assert Counter(theirs.keys()) == dict.fromkeys(FREE, 2), "the load spreads"
    theirs.take_out(FREE[1], 2.0, 429, retry_after="2")
    start = len(upstream.requests)
    while not theirs.refused:
        await asks(editor)
    out_at = theirs.refused[0][1]
    (first, *_), begun = upstream.requests, time.monotonic()
    while FREE[1] not in theirs.keys(start)[theirs.keys(start).index(FREE[1]) + 1 :]:
        result = (await asks(editor))[0]
        assert result["provider"] == "free"
        assert time.monotonic() - begun < 10
    again = [each.at for each in upstream.requests[start:] if each.header("authorization") == f"Bearer {FREE[1]}"][1]
    assert first.at < out_at
    assert 2.0 <= again - out_at < 2.8, "not before, and not much later"
    assert len(theirs.refused) == 1


async def test_when_all_three_are_out_the_next_provider_answers_and_the_first_comes_back(
    home: Home, upstream: Upstream, theirs: Provider
) -> None:
    home.configure(CHAIN.format(url=upstream.base_url))
    editor = await home.connect()
    await asks(editor)
    editor.forget()
    for key in FREE:
        theirs.take_out(key, 2.0, 429, retry_after="2")
    results = await asks(editor, 4)
    assert [result["provider"] for result in results] == ["cloud"] * 4
    failed, *rest = [[(each["provider"], each["outcome"]) for each in result["attempts"]] for result in results]
    assert failed == [("free", "failed")] * 3 + [("cloud", "answered")]
    assert rest == [[("free", "skipped"), ("cloud", "answered")]] * 3
    reason = results[1]["attempts"][0]["reason"]
    assert reason.startswith("each of 3 keys is out, the first: cooling until")
    assert reason.endswith("(RateLimited)")
    assert Counter(key for key in theirs.keys(4)) == dict.fromkeys(CLOUD, 2), "they take turns as well"
    explained = await editor.call("pointsman/explainRoute", {"model": "chain:coding"})
    assert explained["skipped"][0]["reason"] == reason
    seen = await state_is(editor, "free", "rate-limited")
    assert seen["resetsAt"] > seen["since"]
    assert "RateLimited" in seen["reason"]
    await state_is(editor, "free", "available")  # time alone has brought that, and it was told
    assert (await asks(editor))[0]["provider"] == "free"


async def test_everything_out_for_a_while_is_waited_for_and_for_longer_is_told(
    home: Home, upstream: Upstream, theirs: Provider
) -> None:
    home.configure(CHAIN.format(url=upstream.base_url))
    editor = await home.connect()
    for key in (*FREE, *CLOUD):
        theirs.take_out(key, 60, 429, retry_after="60")
    with pytest.raises(Refused) as caught:
        await asks(editor)
    assert caught.value.code == "NoTargetLeft"
    asked = len(upstream.requests)
    with pytest.raises(Refused, match="No target of chain:coding may be asked now") as caught:
        await asks(editor)
    assert len(upstream.requests) == asked, "nobody was asked before the time"
    assert 50 < caught.value.data["retryAfter"] <= 60
    assert caught.value.data["resetsAt"]


async def test_a_quota_that_resets_in_two_days_and_is_back_at_once_is_used_soon(
    home: Home, upstream: Upstream, theirs: Provider
) -> None:
    home.configure(CHAIN.format(url=upstream.base_url))
    await home.serve(FAST)
    editor = await home.connect()
    for key in FREE:
        theirs.take_out(key, 2.5, 429, SPENT)
    begun = time.monotonic()
    editor.forget()
    result = (await asks(editor))[0]
    assert result["provider"] == "cloud"
    spent = await editor.told("window/showMessage", lambda each: "is spent" in each["message"])
    assert "resets" in spent["message"].lower()
    seen = await state_of(editor, "free")
    assert seen["state"] == "rate-limited"
    assert "quota spent, resets" in seen["reason"]
    while (await asks(editor))[0]["provider"] != "free":
        assert time.monotonic() - begun < 12
    assert time.monotonic() - begun >= 2.5
    await editor.told("window/showMessage", lambda each: "has quota again" in each["message"])
    while Counter(theirs.keys(len(upstream.requests) - 3)) != dict.fromkeys(FREE, 1):
        await asks(editor)
        assert time.monotonic() - begun < 25, "all of them are used again"
    told = [each["message"] for each in editor.notifications("window/showMessage")]
    assert sum("is spent" in each for each in told) == 3, "once for each key"
    assert sum("has quota again" in each for each in told) == 3
    probes = Counter(key for key, _ in theirs.refused)
    assert all(count <= 4 for count in probes.values()), "a key that is out is asked ever more seldom"


async def test_a_restart_in_the_middle_forgets_nothing(home: Home, upstream: Upstream, theirs: Provider) -> None:
    trouble = f"""\
[providers.bad]
base_url = "{upstream.base_url}/bad"
auth = {{ scheme = "bearer" }}
keys = ["bad-not-real"]
max_retries = 2
[chains.two]
targets = ["bad:m", "cloud:m"]
"""
    home.configure(CHAIN.format(url=upstream.base_url) + trouble)
    editor = await home.connect()
    theirs.take_out("bad-not-real", 3600, 500)
    assert (await editor.chat("chain:two").answer())["provider"] == "cloud"
    theirs.take_out(FREE[0], 3600, 429, SPENT)
    theirs.take_out(FREE[1], 3600, 429, retry_after="3000")
    theirs.take_out(FREE[2], 3600, 401)
    assert (await asks(editor))[0]["provider"] == "cloud"
    before = {id: await state_of(editor, id) for id in ("bad", "free", "cloud")}
    assert [before[id]["state"] for id in before] == ["error", "rate-limited", "available"]
    assert "breaker open until" in before["bad"]["reason"]
    reasons = await skipped(editor)
    refused = len(theirs.refused)
    await home.leave()
    await home.end()
    editor = await home.connect()
    assert {id: short(await state_of(editor, id)) for id in before} == {id: short(each) for id, each in before.items()}
    assert await skipped(editor) == reasons
    assert [(await editor.chat(name).answer())["provider"] for name in ("chain:two", "chain:coding")] == ["cloud"] * 2
    assert len(theirs.refused) == refused, "none of those that are out was asked"


def short(provider: dict[str, Any]) -> list[Any]:
    """What is said of how a provider is."""
    return [provider.get(name) for name in ("state", "since", "reason", "resetsAt")]


async def skipped(editor: Editor) -> list[Any]:
    """Who would be left out of the two chains, and why."""
    named = [{"model": name} for name in ("chain:two", "chain:coding")]
    return [(await editor.call("pointsman/explainRoute", params))["skipped"] for params in named]


async def test_a_state_is_pushed_when_it_changes(home: Home, upstream: Upstream, theirs: Provider) -> None:
    home.configure(CHAIN.format(url=upstream.base_url))
    editor, other = await home.connect(), await home.connect()
    await asks(editor)
    other.forget()
    for key in FREE:
        theirs.take_out(key, 3600, 401)
    await asks(editor)
    told = await other.told("pointsman/providersChanged", lambda each: "free" in each["changed"])
    assert told["changed"] == ["free"]
    seen = await state_of(other, "free")
    assert (seen["state"], "key refused" in seen["reason"]) == ("error", True)
