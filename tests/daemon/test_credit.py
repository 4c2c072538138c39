"""Remaining credit as the status tells it: asked at the provider that says so, with its key, when somebody looks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.counterparts.scripts import Reply, error
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, Message
from tests.living import Home

FAKE_KEY = "not-a-real-key-77"
SHIPPED = {
    "openrouter": ("/v1/key", {"data": {"limit": 100, "limit_remaining": 74.5}}, [(74.5, "USD")]),
    "deepseek": (
        "/user/balance",
        {"is_available": True, "balance_infos": [{"currency": "CNY", "total_balance": "110.00"}]},
        [(110.0, "CNY")],
    ),
    "moonshot": ("/v1/users/me/balance", {"code": 0, "data": {"available_balance": 49.58894}}, [(49.58894, "")]),
    "poe": ("/usage/current_balance", {"current_point_balance": 1500}, [(1500.0, "POINTS")]),
    "ollama-cloud": (
        "/api/balance",
        {"included": {"balance_usd": 72.5}, "purchased": {"balance_usd": 25}},
        [(97.5, "USD")],
    ),
}
"""By provider: where it is asked, an answer as its pages show it, and what that says."""


def configure(home: Home, id: str, upstream: Upstream) -> None:
    home.configure(f'[providers.{id}]\nbase_url = "{upstream.base_url}"\nmax_retries = 0\nkeys = ["env:KEY_OF_TEST"]\n')
    home.environment["KEY_OF_TEST"] = FAKE_KEY


async def line(editor: Editor, id: str, *, ask: bool = True) -> Message:
    status = await editor.call("pointsman/status", {"credit": ask})
    (found,) = [each for each in status["dashboard"] if each["provider"] == id]
    return dict(found)


@pytest.mark.parametrize("id", SHIPPED)
async def test_shipped_definitions_say_where_to_ask(home: Home, upstream: Upstream, id: str) -> None:
    path, answer, amounts = SHIPPED[id]
    upstream.script(path, Reply(json.dumps(answer).encode()))
    configure(home, id, upstream)
    editor = await home.connect()
    credit = (await line(editor, id))["credit"]
    assert [(each["amount"], each["currency"]) for each in credit] == amounts
    assert credit[0]["account"] == f"{FAKE_KEY[:8]}…"
    (request,) = [each for each in upstream.requests if each.path == path]
    assert (request.method, request.header("authorization")) == ("GET", f"Bearer {FAKE_KEY}")


async def test_it_is_asked_when_somebody_looks_and_not_again_soon(home: Home, upstream: Upstream) -> None:
    upstream.script("/v1/key", Reply(b'{"data": {"limit_remaining": 3}}'))
    configure(home, "openrouter", upstream)
    editor, other = await home.connect(), await home.connect()
    assert "credit" not in await line(editor, "openrouter", ask=False)
    assert upstream.requests == []
    for who in (editor, other, editor):
        assert (await line(who, "openrouter"))["credit"][0]["amount"] == 3
    assert len(upstream.requests) == 1
    assert (await line(other, "openrouter", ask=False))["credit"][0]["amount"] == 3


async def test_a_key_without_a_limit_says_nothing(home: Home, upstream: Upstream) -> None:
    upstream.script("/v1/key", Reply(b'{"data": {"limit": null, "limit_remaining": null, "usage": 2.5}}'))
    configure(home, "openrouter", upstream)
    assert "credit" not in await line(await home.connect(), "openrouter")


@pytest.mark.parametrize("answer", [error(500, f"no balance for {FAKE_KEY}"), Reply(b"<html>"), Reply(b"", 204)])
async def test_who_can_not_say_it_is_no_failure(home: Home, upstream: Upstream, answer: Any) -> None:
    upstream.script("/v1/key", answer)
    configure(home, "openrouter", upstream)
    editor = await home.connect()
    assert "credit" not in await line(editor, "openrouter")
    assert FAKE_KEY not in json.dumps(home.log())


async def test_nobody_is_asked_who_was_not_chosen(home: Home, upstream: Upstream) -> None:
    upstream.script("/v1/key", Reply(b'{"data": {"limit_remaining": 3}}'))
    home.environment |= {"OPENROUTER_API_KEY": FAKE_KEY, "OPENROUTER_BASE_URL": upstream.base_url}
    editor = await home.connect()
    assert "credit" not in await line(editor, "openrouter"), "a variable alone is no choice"
    assert upstream.requests == []
    await editor.chat("openrouter:count:1").answer()
    assert (await line(editor, "openrouter"))["credit"][0]["amount"] == 3, "using it is one"
