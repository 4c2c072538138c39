"""Our OAuth requests against a server that others wrote: each way to sign in, and what becomes of the tokens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
import pytest_asyncio

from pointsman.core.errors import Overloaded, SignInFailed
from pointsman.core.oauth import OAuth
from pointsman.core.oauth_answers import Granted
from pointsman.core.secret import Secret
from pointsman.edge import oauth as edge
from pointsman.edge.oauth import NotSent, RefreshRefused, Unanswered
from pointsman.edge.transport import Transports, transports
from tests.counterparts.oidc import Browser, Oidc

REDIRECT = "http://127.0.0.1:4711/callback"


@pytest_asyncio.fixture
async def out() -> AsyncIterator[Transports]:
    """Our own HTTP."""
    out = transports()
    yield out
    await out.close()


def table(oidc: Oidc, **more: Any) -> OAuth:
    """How one signs in there."""
    return msgspec.convert(oidc.oauth | more, OAuth)


async def signed_in(oauth: OAuth, out: Transports, login: str = "alice") -> Granted:
    """A sign-in by a browser, from its beginning to its tokens."""
    begun = await edge.begin(oauth, REDIRECT)
    page = await asyncio.to_thread(Browser(login).sign_in, begun.url, REDIRECT)
    assert page.url.startswith(REDIRECT), page
    code = edge.code_in(oauth, begun, dict(parse_qsl(urlsplit(page.url).query)))
    assert code is not None
    return await edge.exchanged(oauth, begun, code, out.fetch, time.time())


async def test_a_code_is_exchanged_for_tokens(oidc: Oidc, out: Transports) -> None:
    before = time.time()
    granted = await signed_in(table(oidc, account_claim=["https://api.example.test/auth", "account_id"]), out)
    assert (granted.label, granted.tokens.account) == ("alice@example.test", "account-of-alice")
    assert granted.tokens.refresh
    assert granted.tokens.expires_at is not None
    assert before + 3590 < granted.tokens.expires_at < time.time() + 3601
    assert granted.tokens.token_origin == oidc.origin


async def test_another_verifier_gets_nothing(oidc: Oidc, out: Transports) -> None:
    oauth = table(oidc)
    begun = await edge.begin(oauth, REDIRECT)
    page = await asyncio.to_thread(Browser().sign_in, begun.url, REDIRECT)
    code = edge.code_in(oauth, begun, dict(parse_qsl(urlsplit(page.url).query)))
    assert code is not None
    with pytest.raises(SignInFailed, match="invalid_grant"):
        await edge.exchanged(oauth, replace(begun, verifier=Secret("x" * 43)), code, out.fetch, time.time())


async def test_a_refresh_rotates_and_the_spent_token_is_refused(oidc: Oidc, out: Transports) -> None:
    oauth = table(oidc)
    first = (await signed_in(oauth, out)).tokens
    second = await edge.refreshed(oauth, first, out.fetch, time.time())
    assert (second.access, second.refresh) != (first.access, first.refresh)
    assert second.account == first.account
    with pytest.raises(RefreshRefused, match="has ended the sign-in"):
        await edge.refreshed(oauth, first, out.fetch, time.time())
    assert [entry["status"] for entry in oidc.refreshes] == [200, 400]


async def test_whether_a_token_holds_can_be_asked(oidc: Oidc, out: Transports) -> None:
    oauth = table(oidc)
    tokens = (await signed_in(oauth, out)).tokens
    assert await edge.still_holds(oauth, tokens, out.fetch) is True
    await edge.revoke(oauth, tokens, out.fetch)
    assert await edge.still_holds(oauth, tokens, out.fetch) is False
    assert [entry["status"] for entry in oidc.asked("/oauth/revoke")] == [200]
    with pytest.raises(RefreshRefused):
        await edge.refreshed(oauth, tokens, out.fetch, time.time())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"fail": 1}, Overloaded),
        ({"fail": 1, "drop": True}, Unanswered),
        ({"dropAfter": 1}, Unanswered),
    ],
)
async def test_what_becomes_of_a_refresh_that_fails(
    oidc: Oidc, out: Transports, fault: dict[str, Any], error: type[Exception]
) -> None:
    oauth = table(oidc)
    tokens = (await signed_in(oauth, out)).tokens
    oidc.set(**fault)
    with pytest.raises(error) as caught:
        await edge.refreshed(oauth, tokens, out.fetch, time.time())
    if isinstance(caught.value, Overloaded):
        assert caught.value.retry_after == 1.0
    assert await edge.still_holds(oauth, tokens, out.fetch) is ("dropAfter" not in fault)


async def test_a_refresh_that_reaches_nobody_was_not_sent(oidc: Oidc, out: Transports) -> None:
    oauth = table(oidc)
    tokens = (await signed_in(oauth, out)).tokens
    gone = "http://127.0.0.1:9"  # where nobody listens
    with pytest.raises(NotSent):
        lost = msgspec.structs.replace(oauth, token_url=f"{gone}/oauth/token")
        await edge.refreshed(lost, replace(tokens, token_origin=gone), out.fetch, time.time())
    assert not oidc.refreshes


class Watch:
    """A clock that only sleeping moves on; each sleep calls what a person does meanwhile."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.time, self.naps, self._meanwhile = time.time(), list[float](), meanwhile

    def now(self) -> float:
        """The time."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Passes without taking any time."""
        self.time += seconds
        self.naps.append(seconds)
        await asyncio.to_thread(self._meanwhile)


async def test_a_device_signs_in_once_its_code_is_typed_in(oidc: Oidc, out: Transports) -> None:
    oauth = table(oidc)
    device = await edge.ask_device(oauth, out.fetch, time.time())
    assert device.complete is not None
    url, naps = device.complete, 0

    def meanwhile() -> None:
        nonlocal naps
        naps += 1
        if naps == 2:
            Browser("bob").enter_code(url)

    watch = Watch(meanwhile)
    granted = await edge.approved(oauth, device, out.fetch, watch.now, watch.sleep)
    assert granted.label == "bob@example.test"
    assert watch.naps == [1.0, 1.0]


async def test_a_device_whose_code_is_refused(oidc: Oidc, out: Transports) -> None:
    oauth = table(oidc)
    device = await edge.ask_device(oauth, out.fetch, time.time())
    url = device.complete or ""
    watch = Watch(lambda: Browser().enter_code(url, allow=False))
    with pytest.raises(SignInFailed, match="declined"):
        await edge.approved(oauth, device, out.fetch, watch.now, watch.sleep)


async def test_a_device_whose_code_ends(oidc: Oidc, out: Transports) -> None:
    oauth = table(oidc)
    device = await edge.ask_device(oauth, out.fetch, time.time())
    watch = Watch()
    with pytest.raises(SignInFailed, match=device.user_code):
        await edge.approved(oauth, device, out.fetch, watch.now, watch.sleep)
    assert sum(watch.naps) < 120
