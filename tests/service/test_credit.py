"""Credit: asked seldom, by whoever looks, and never waited for for long."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from pointsman.core.configuration import parse
from pointsman.core.environment import Environment
from pointsman.core.errors import ConnectFailed
from pointsman.core.layers import Layer
from pointsman.edge.transport import Transports
from pointsman.service import credit as module
from pointsman.service.credentials import Credentials
from pointsman.service.credit import FRESH_FOR, MOST_KEYS, Credits, Remaining
from pointsman.wire import QUIRKS
from tests.service.bench import HANG, Play, Scripted, catalogue, refuses

TABLE = """
[providers.acme]
base_url = "http://acme.example/v1"
auth = { scheme = "bearer", env = "ACME_KEY" }
headers = { "x-team" = "blue" }
credit = { path = "/balance", remaining = ["left"] }
[providers.plain]
base_url = "http://plain.example/v1"
auth = { scheme = "bearer", env = "ACME_KEY" }
"""
AT = "2026-11-21T12:00:00Z"
KEY = "not-a-real-key-0001"


def left(amount: Any) -> Play:
    return Play((json.dumps({"left": amount}).encode(),))


class Looking:
    """Credits over a scripted transport and a clock that is set by hand."""

    def __init__(self, *plays: Play | Exception, table: str = TABLE, **variables: str) -> None:
        self.transport, self.time = Scripted(*plays), 1000.0
        self.catalogue = catalogue(table)
        self.environment = Environment(variables or {"ACME_KEY": KEY})
        out = Transports({"http": self.transport})
        self.credits = Credits(Credentials(), out, lambda: self.time, lambda: 1795262400.0)

    async def look(self, provider: str = "acme") -> list[Remaining]:
        named = self.catalogue.providers[provider]
        await self.credits.look([(named, self.environment)])
        return self.credits.of(named, self.environment)

    @property
    def asked(self) -> int:
        return len(self.transport.requests)


async def test_it_is_asked_with_the_key_at_the_provider_s_own_host() -> None:
    looking = Looking(left(7.5))
    assert await looking.look() == [Remaining(7.5, "USD", AT, "not-a-re…")]
    (request,) = looking.transport.requests
    assert (request.method, request.url) == ("GET", "http://acme.example/balance")
    assert request.headers["x-team"] == "blue"
    assert looking.transport.keys == [KEY]


async def test_it_is_asked_once_in_ten_minutes_whatever_was_said() -> None:
    for play, second in ((left(7.5), 1), (refuses(500), 0), (left(None), 0)):
        looking = Looking(play, left(3))
        assert len(await looking.look()) == second
        looking.time += FRESH_FOR - 1
        await looking.look()
        assert looking.asked == 1
        looking.time += 1
        await looking.look()
        await asyncio.gather(*looking.credits._tasks._running)
        assert looking.asked == 2
        named = looking.catalogue.providers["acme"]
        assert [each.amount for each in looking.credits.of(named, looking.environment)] == [3.0]


@pytest.mark.parametrize("play", [refuses(401), ConnectFailed("gone"), Play((b"<html>",))])
async def test_what_was_said_before_stays_when_nothing_is_said(play: Play | Exception) -> None:
    looking = Looking(left(7.5), play)
    await looking.look()
    looking.time += FRESH_FOR
    await looking.look()
    await asyncio.gather(*looking.credits._tasks._running)
    assert looking.asked == 2
    kept = await looking.look()
    assert [each.amount for each in kept] == ([] if isinstance(play, Play) and play.status == 200 else [7.5])


async def test_nobody_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORTH_WAITING", 0.01)
    looking = Looking(Play((HANG,)))
    assert await looking.look() == []
    assert await looking.look() == []
    assert looking.asked == 1
    await looking.credits.close()


async def test_who_says_nothing_of_credit_is_not_asked() -> None:
    looking = Looking(left(1))
    assert await looking.look("plain") == []
    assert looking.asked == 0


async def test_without_a_key_nobody_is_asked() -> None:
    looking = Looking(left(1), OTHER="x")
    assert await looking.look() == []
    assert looking.asked == 0


async def test_each_key_has_its_own_and_another_connection_its_own_keys() -> None:
    keys = {f"ACME_KEY_{number}": f"not-a-real-key-{number:04}" for number in range(1, 9)}
    looking = Looking(*(left(number) for number in range(1, 9)), **keys)
    assert [each.amount for each in await looking.look()] == [float(n) for n in range(1, MOST_KEYS + 1)]
    named = looking.catalogue.providers["acme"]
    assert looking.credits.of(named, Environment({"ACME_KEY": "not-a-real-key-9999"})) == []
    same = Environment({"ACME_KEY": "not-a-real-key-0002"})
    assert [each.amount for each in looking.credits.of(named, same)] == [2.0]


async def test_the_path_of_another_host_is_refused() -> None:
    wrong = TABLE.replace('path = "/balance"', 'path = "https://evil.example/balance"')
    read = parse([Layer("pointsman.toml", wrong)], QUIRKS)
    assert [("own host" in each.message, "credit.path" in each.message) for each in read.problems] == [(True, True)]
    assert "acme" not in read.providers
