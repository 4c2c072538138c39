"""Chats whose targets are all held back: who is asked all the same, who never before the time, and what is told of it.

Each provider is a path of one upstream, which plays what is scripted for it. The rules are in docs/routing.md.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.counterparts.scripts import Reply, error
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, Refused, text_of
from tests.living import Home, provider

WELL = Reply(
    b'data: {"choices":[{"index":0,"delta":{"content":"well"}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    headers={"content-type": "text/event-stream"},
)
DOWN = error(503, "no capacity")
AB = '[chains]\nab = ["a:m", "b:m"]\n'


def path(id: str) -> str:
    return f"/{id}/v1/chat/completions"


def configure(home: Home, upstream: Upstream, *ids: str, first: str = AB, retries: int = 0) -> None:
    """Providers with a key each, on paths of their own."""
    url = upstream.base_url.removesuffix("/v1")
    lines = 'auth = { scheme = "bearer" }', f"max_retries = {retries}"
    own = (provider(id, f"{url}/{id}/v1", *lines, f'keys = ["fake-key-of-{id}"]') for id in ids)
    home.configure(first + "".join(own))


def asked(upstream: Upstream) -> list[str]:
    """Whom chats have reached, in order."""
    return [request.path.split("/")[1] for request in upstream.requests if request.path.endswith("/completions")]


async def fails(editor: Editor, model: str) -> dict[str, Any]:
    """What is told of a chat that nobody answers."""
    with pytest.raises(Refused) as refused:
        await editor.chat(model).answer()
    told: dict[str, Any] = refused.value.data
    return told


async def test_of_two_open_breakers_the_one_that_is_well_again_answers(home: Home, upstream: Upstream) -> None:
    configure(home, upstream, "a", "b")
    editor = await home.connect()
    for id in "ab":
        upstream.script(path(id), DOWN)
    for _ in range(3):
        await fails(editor, "chain:ab")
    before = len(asked(upstream))
    await fails(editor, "chain:ab")
    assert sorted(asked(upstream)[before:]) == ["a", "b"], "each is asked, and once"
    plan = await editor.call("pointsman/explainRoute", {"model": "chain:ab"})
    order = [target["provider"] for target in plan["targets"]]
    assert (sorted(order), plan["skipped"]) == (["a", "b"], [])
    assert plan["order"].startswith("nobody else is left, so who is held back is asked all the same: ")
    assert plan["order"].count("breaker open until") == 2
    upstream.script(path(order[1]), WELL)
    before = len(asked(upstream))
    result = await editor.chat("chain:ab").answer()
    assert (text_of(result), result["provider"]) == ("well", order[1])
    assert asked(upstream)[before:] == order, "as it was told"
    assert result["route"]["targets"] == [f"{id}:m" for id in order]
    assert result["route"]["order"] == plan["order"]
    assert [(each["provider"], each["outcome"]) for each in result["attempts"]] == [
        (order[0], "failed"),
        (order[1], "answered"),
    ]


def refusal(status: int, code: str, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(json.dumps({"error": {"message": "no", "code": code}}).encode(), status, named)


@pytest.mark.parametrize("seconds", [30, 7200, 172800])
@pytest.mark.parametrize(("status", "code"), [(429, "no"), (429, "insufficient_quota"), (401, "no"), (403, "no")])
async def test_nobody_is_asked_before_the_time_whatever_the_code(
    home: Home, upstream: Upstream, status: int, code: str, seconds: int
) -> None:
    configure(home, upstream, "a", "b", retries=2)
    upstream.script(path("a"), refusal(status, code, retry_after=str(seconds)))
    upstream.script(path("b"), WELL)
    editor = await home.connect()
    for _ in range(4):
        assert (await fails(editor, "a:m"))["retryAfter"] == pytest.approx(seconds, abs=3)
        assert (await editor.chat("chain:ab").answer())["provider"] == "b"
    assert asked(upstream).count("a") == 1
    plan = await editor.call("pointsman/explainRoute", {"model": "a:m"})
    assert (plan["targets"], len(plan["skipped"])) == ([], 1), "a chat would end at once, and that is told"


async def test_a_short_wait_is_waited_for_whatever_the_code(home: Home, upstream: Upstream) -> None:
    configure(home, upstream, "a")
    upstream.script(path("a"), refusal(429, "insufficient_quota", retry_after="1"), WELL)
    editor = await home.connect()
    assert (await fails(editor, "a:m"))["retryAfter"] == 1
    assert text_of(await editor.chat("a:m").answer()) == "well"
    first, then = (request.at for request in upstream.requests if request.path == path("a"))
    assert then - first >= 1


@pytest.mark.parametrize(
    "refused",
    [
        Reply(b'{"error": "you (ada) have reached your weekly usage limit, upgrade for higher limits"}', 429),
        error(429, "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock more"),
        error(429, "Slow down.", {"ratelimit": '"day";r=0;t=40000'}),
    ],
)
async def test_a_quota_for_days_is_told_once_when_it_runs_out_and_once_when_it_is_back(
    home: Home, upstream: Upstream, refused: Reply
) -> None:
    configure(home, upstream, "a", "b")
    soon = "pointsman.core.health.BLAME = {**pointsman.core.health.BLAME, pointsman.core.health.QuotaExhausted: "
    await home.serve(soon + "(('account',), pointsman.core.health.Policy(1, 0.3, 0.3))}")
    upstream.script(path("b"), WELL)
    upstream.script(path("a"), refused)
    editor = await home.connect()
    editor.forget()
    while asked(upstream).count("a") < 4:
        await editor.chat("chain:ab").answer()
    assert len(editor.notifications("pointsman/providersChanged")) <= 1
    upstream.script(path("a"), WELL)
    while (await editor.chat("chain:ab").answer())["provider"] != "a":
        pass
    await editor.told("window/showMessage", lambda each: "has quota again" in each["message"])
    told = [each["message"] for each in editor.notifications("window/showMessage")]
    assert ["is spent" in each for each in told] == [True, False]


async def test_a_spent_quota_is_told_to_those_whose_key_it_is(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url, 'auth = { scheme = "bearer", env = "UP_KEY" }'))
    refused = Reply(b'{"error": {"code": "insufficient_quota", "message": "Nothing is left."}}', 429)
    upstream.script("/v1/chat/completions", refused)
    mine = await home.connect(variables={"UP_KEY": "fake-key-of-mine"})
    yours = await home.connect(variables={"UP_KEY": "fake-key-of-yours"})
    both = await home.connect(variables={"UP_KEY": "fake-key-of-mine"})
    await fails(mine, "up:m")
    for editor in (mine, both):
        await editor.told("window/showMessage", lambda each: "is spent" in each["message"])
    await yours.call("pointsman/currentModel")  # whatever was told before has come with its answer
    assert yours.notifications("window/showMessage") == []
