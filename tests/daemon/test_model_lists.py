"""Lists of models: asked for once, kept on disk, refreshed when somebody wants that, and never in a chat's way."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, text_of
from tests.daemon.saving import in_place
from tests.living import Home, provider

QUICK = 0.005
"""Seconds from the request to the last byte of the answer; what else runs on a machine only adds to it."""


def listing(*names: str, delay: float = 0.0) -> Reply:
    body = json.dumps({"data": [{"id": name, "context_length": 1000} for name in names]}).encode()
    return Reply(body, chunk=len(body) // 2 + 1, delay=delay)


async def listed(editor: Editor, provider: str | None = "up", **more: object) -> list[str]:
    """The models of a provider as they are named for people."""
    answer = await editor.call("pointsman/listModels", {"provider": provider, **more}, within=20)
    return [model["name"] for model in answer["models"]]


def asked(upstream: Upstream) -> int:
    return sum(request.path.endswith("/models") for request in upstream.requests)


async def test_a_list_is_asked_for_once_and_when_somebody_wants_it_anew(home: Home, upstream: Upstream) -> None:
    upstream.script("/v1/models", listing("one"), listing("one", "two"), listing("three"))
    home.configure(provider("up", upstream.base_url, 'auth = { scheme = "none" }', 'aliases = { short = "one" }'))
    editor, other = await home.connect(), await home.connect()
    assert await listed(editor) == await listed(other) == await listed(editor) == ["short", "one"]
    assert asked(upstream) == 1
    assert await listed(editor, refresh=True) == ["short", "one", "two"]
    assert await listed(other) == ["short", "one", "two"]
    assert asked(upstream) == 2
    (model,) = [m for m in (await other.call("pointsman/listModels", {"provider": "up"}))["models"] if m["id"] == "two"]
    assert (model["model"], model["source"], model["contextWindow"]) == ("up:two", "live", 1000)


async def test_a_list_is_there_after_a_restart(home: Home, upstream: Upstream) -> None:
    upstream.script("/v1/models", listing("one", "count:2"))
    home.configure('default = "up"\n' + provider("up", upstream.base_url, 'default_model = "one"'))
    editor = await home.connect()
    assert await listed(editor) == ["one", "count:2"]
    await home.end()
    upstream.script("/v1/models", Reply(b"{}", status=500))
    again = await home.connect()
    assert await listed(again) == ["one", "count:2"]
    assert asked(upstream) == 1
    assert text_of(await again.chat("count:2").answer()) == "0 1 ", "and its names are known"
    answer = await again.call("pointsman/listModels", {"provider": "up", "refresh": True})
    assert [failure["code"] for failure in answer["failures"]] == ["Overloaded"]
    assert [model["name"] for model in answer["models"]] == ["one", "count:2"], "the last good list stays"


async def test_another_address_has_another_list(home: Home, upstream: Upstream) -> None:
    upstream.script("/v1/models", listing("one"))
    upstream.script("/v2/models", listing("two"))
    home.configure(provider("up", upstream.base_url))
    editor = await home.connect()
    assert await listed(editor) == ["one"]
    await in_place(home.file, provider("up", upstream.base_url.replace("/v1", "/v2")))
    await editor.told("pointsman/providersChanged")
    assert await listed(editor) == ["two"]


async def test_many_who_want_it_at_once_ask_once(home: Home, upstream: Upstream) -> None:
    upstream.script("/v1/models", listing("one", "two", delay=0.3))
    home.configure(provider("up", upstream.base_url))
    editors = [await home.connect() for _ in range(3)]
    answers = await asyncio.gather(*(listed(editor) for editor in editors * 4))
    assert answers == [["one", "two"]] * 12
    assert asked(upstream) == 1
    answers = await asyncio.gather(*(listed(editor, refresh=True) for editor in editors * 4))
    assert answers == [["one", "two"]] * 12
    assert asked(upstream) == 2, "those who want it while it is asked for are content with that"


async def test_who_asks_with_another_key_gets_an_answer_of_its_own(home: Home, upstream: Upstream) -> None:
    upstream.script("/v1/models", listing("one", delay=0.3), Reply(b'{"error": "bad key"}', status=401))
    home.configure(provider("up", upstream.base_url, 'auth = { scheme = "bearer", env = "UP_KEY" }'))
    editors = [await home.connect(variables={"UP_KEY": key} if key else {}) for key in ("good", "bad", "")]
    requests = [editor.begin("pointsman/listModels", {"provider": "up", "refresh": True}) for editor in editors[:1]]
    await asyncio.to_thread(upstream.request, 0)
    requests += [editor.begin("pointsman/listModels", {"provider": "up", "refresh": True}) for editor in editors[1:]]
    answers = [await request.answer() for request in requests]
    failures = [[failure["code"] for failure in answer["failures"]] for answer in answers]
    assert failures == [[], ["InvalidKey"], ["MissingKey"]]
    assert [request.header("authorization") for request in upstream.requests] == ["Bearer good", "Bearer bad"]


async def test_two_thousand_models_come_quickly_from_memory(home: Home, upstream: Upstream) -> None:
    names = [f"org-{number % 40}/model-{number:04}:free" for number in range(2000)]
    upstream.script("/v1/models", listing(*names))
    home.configure(provider("up", upstream.base_url))
    editor = await home.connect()
    assert await listed(editor) == names
    await home.end()
    again = await home.connect()
    took = []
    for _ in range(15):
        began = time.monotonic()
        found: dict[str, Any] = await again.call("pointsman/listModels", {"provider": "up"})
        took.append(again.times[-1] - began)
        assert len(found["models"]) == 2000
    assert min(took) < QUICK, took
    assert asked(upstream) == 1
    assert text_of(await again.chat("up:count:2").answer()) == "0 1 "


async def test_a_list_that_does_not_come_holds_nobody_up(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url) + provider("slow", upstream.base_url.replace("/v1", "/v2")))
    upstream.script("/v1/models", listing("one"))
    upstream.script("/v2/models", Reply(b"x" * 10_000, chunk=1, delay=1.0))
    await home.serve("pointsman.service.models.LIST_WITHIN = 0.5")
    editor = await home.connect()
    waiting = editor.begin("pointsman/listModels", {})
    assert text_of(await editor.chat("slow:count:2").answer()) == "0 1 "
    answer = await waiting.answer()
    assert [model["model"] for model in answer["models"] if model["provider"] == "up"] == ["up:one"]
    assert [(failure["code"], failure["provider"]) for failure in answer["failures"]] == [("TimedOut", "slow")]


async def test_only_what_the_user_has_configured_is_asked_unasked(home: Home, upstream: Upstream) -> None:
    upstream.script("/v1/models", listing("one"))
    editor = await home.connect(variables={"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": upstream.base_url})
    assert "gpt-4" in await listed(editor, None)
    assert asked(upstream) == 0
    assert "one" in await listed(editor, "openai")
    assert "one" in await listed(editor, None)
    assert asked(upstream) == 1
