"""A plugin's way to authenticate, as a credential: it sees what it may, and goes where it was sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pointsman.core.catalogue import Auth, Provider
from pointsman.core.errors import CredentialError
from pointsman.core.http import Head, Request
from pointsman.core.plugin import EnvironmentGetter
from pointsman.core.secret import Secret
from pointsman.edge.plugin_way import PluginWay

PROVIDER = Provider(id="p", base_url="http://h/v1", auth=Auth(scheme="stamp", env="MINE"))
REQUEST = Request("POST", "http://h/v1/chat", {"accept": "a"}, b"{}")
MINE = (("MINE", Secret("canary-secret-0123456789")),)


async def nothing(request: Request, connect: float) -> tuple[Head, bytes]:
    """Nobody is asked."""
    raise AssertionError(request)


async def stamped(request: Request, provider: Provider, variable: EnvironmentGetter) -> Request:
    """The request with what the plugin could see."""
    seen = {name: variable(name) or "" for name in ("MINE", "HOME")}
    return replace(request, headers={**request.headers, **seen, "for": provider.id})


async def elsewhere(request: Request, provider: Provider, variable: EnvironmentGetter) -> Request:
    """The request to another host."""
    return replace(request, url="http://h.evil.example/v1/chat")


async def test_it_sees_its_own_variables_alone() -> None:
    answer = await PluginWay(stamped, MINE).authorise(REQUEST, PROVIDER, nothing)
    assert answer.headers == {"accept": "a", "MINE": "canary-secret-0123456789", "HOME": "", "for": "p"}


async def test_the_request_may_not_go_to_another_place() -> None:
    with pytest.raises(CredentialError) as caught:
        await PluginWay(elsewhere, MINE).authorise(REQUEST, PROVIDER, nothing)
    assert "another place" in caught.value.message


def test_it_is_shown_as_a_mask_and_compared_by_what_it_is() -> None:
    way = PluginWay(stamped, MINE)
    assert (way.account, list(way.secrets)) == (MINE[0][1].mask(), [MINE[0][1]])
    assert PluginWay(stamped, ()).account is None
    assert "canary" not in repr(way)
    assert {way: 1}[PluginWay(stamped, MINE)] == 1, "a list of models is asked for once at a time"
