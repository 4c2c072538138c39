"""Our OAuth requests, byte by byte, and what becomes of answers that a good server would never give."""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import msgspec
import pytest

from pointsman.core.configuration import parse
from pointsman.core.errors import (
    BadReply,
    ConnectFailed,
    Interrupted,
    Overloaded,
    PointsmanError,
    SignInFailed,
    TimedOut,
    WrongOrigin,
)
from pointsman.core.http import Head, Request
from pointsman.core.oauth import OAuth
from pointsman.core.oauth_answers import DeviceCode
from pointsman.core.secret import Secret
from pointsman.core.stored import Tokens
from pointsman.edge import oauth as edge
from pointsman.edge.files import shipped
from pointsman.edge.oauth import NotSent, RefreshRefused, Unanswered
from pointsman.wire import QUIRKS

NOW = 1_000_000.0
ACCESS, REFRESH = "canary-access-31", "canary-refresh-58"
PLACE = "https://login.corp.example"
BASIS = {"client_id": "us", "authorize_url": f"{PLACE}/authorize", "token_url": f"{PLACE}/token", "scopes": ["a", "b"]}
BASIS |= {"revoke_url": f"{PLACE}/revoke", "introspect_url": f"{PLACE}/introspect", "device_url": f"{PLACE}/device"}
TOKENS = Tokens(Secret(ACCESS), Secret(REFRESH), NOW, NOW - 60, f"{PLACE}:443", "me")
GRANT = {"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 60}
CODE = DeviceCode("WDJB", f"{PLACE}/codes", None, Secret("canary-device-9"), 5.0, NOW + 60)

Answer = tuple[int, Any] | PointsmanError


def table(**more: Any) -> OAuth:
    """How one signs in."""
    return msgspec.convert(BASIS | more, OAuth)


class Server:
    """Answers in turn; the last answer stays. `requests` are those that came."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[Request] = []
        self._answers = list(answers)

    async def fetch(self, request: Request, connect: float) -> tuple[Head, bytes]:
        """What a request gets."""
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, PointsmanError):
            raise answer
        status, body = answer
        return Head(status, {"retry-after": "7"}), body if isinstance(body, bytes) else json.dumps(body).encode()

    def sent(self, number: int = -1) -> Mapping[str, str]:
        """The fields of a request."""
        request = self.requests[number]
        if request.headers["content-type"] == edge.JSON:
            found: dict[str, str] = json.loads(request.body)
            return found
        assert request.headers["content-type"] == edge.FORM
        return dict(parse_qsl(request.body.decode(), strict_parsing=True))


def never_reached(text: str) -> PointsmanError:
    error = ConnectFailed(text)
    error.unsent = True
    return error


async def test_the_page_is_asked_for_with_pkce_and_a_state() -> None:
    oauth = table(authorize_parameters={"prompt": "consent"})
    given = {32: "a-state", 48: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}  # the one of RFC 7636, appendix B
    begun = await edge.begin(oauth, "http://127.0.0.1:9/callback", lambda size: given[size])
    assert "+" not in begun.url
    query = {name: value for name, [value] in parse_qs(urlsplit(begun.url).query).items()}
    assert query == {
        "response_type": "code",
        "client_id": "us",
        "redirect_uri": "http://127.0.0.1:9/callback",
        "scope": "a b",
        "state": "a-state",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        "prompt": "consent",
    }
    assert given[48] not in repr(begun)


BACK = [
    ({"error": "access_denied", "state": "s"}, "declined"),
    ({"error": "server_error", "error_description": "Oh no.", "state": "s"}, "server_error: Oh no."),
    ({"code": "c", "state": "s", "iss": "https://evil.example"}, "another place"),
    ({"code": "", "state": "s"}, "without a code"),
]
STRAY = (
    {"code": "c"},
    {"code": "c", "state": "another"},
    {"code": "c", "state": "überall"},
    {"error": "e", "state": "x"},
)


@pytest.mark.parametrize(("query", "words"), BACK)
def test_what_a_browser_brings_back_is_checked(query: dict[str, str], words: str) -> None:
    begun = edge.Begun("https://x", "http://127.0.0.1:9/callback", Secret("s"), Secret("v"))
    with pytest.raises(SignInFailed, match=words):
        edge.code_in(table(), begun, query)


@pytest.mark.parametrize("query", STRAY)
def test_a_browser_that_this_sign_in_has_not_sent_brings_nothing(query: dict[str, str]) -> None:
    begun = edge.Begun("https://x", "http://127.0.0.1:9/callback", Secret("s"), Secret("v"))
    assert edge.code_in(table(), begun, query) is None


@pytest.mark.parametrize(("own", "issuer"), [({}, PLACE), ({"issuer": f"{PLACE}/tenant"}, f"{PLACE}/tenant")])
def test_the_right_issuer(own: dict[str, str], issuer: str) -> None:
    begun = edge.Begun("https://x", "http://127.0.0.1:9/callback", Secret("s"), Secret("v"))
    assert edge.code_in(table(**own), begun, {"code": "c", "state": "s", "iss": issuer}) == Secret("c")
    with pytest.raises(SignInFailed):
        edge.code_in(table(**own), begun, {"code": "c", "state": "s", "iss": f"{issuer}.evil.example"})


async def test_a_code_is_exchanged_as_a_form_whatever_the_body_of_a_refresh() -> None:
    server = Server((200, GRANT))
    begun = edge.Begun("https://x", "http://127.0.0.1:9/callback", Secret("s"), Secret("verifier"))
    await edge.exchanged(
        table(**{"body": "json", "client_secret": "not-secret"}), begun, Secret("c"), server.fetch, NOW
    )
    assert server.sent() == {
        "grant_type": "authorization_code",
        "code": "c",
        "redirect_uri": "http://127.0.0.1:9/callback",
        "client_id": "us",
        "client_secret": "not-secret",
        "code_verifier": "verifier",
    }
    assert server.requests[0].url == f"{PLACE}/token"


async def test_a_refresh_as_a_form() -> None:
    server = Server((200, GRANT))
    tokens = await edge.refreshed(table(refresh_parameters={"tenant": "t"}), TOKENS, server.fetch, NOW)
    expected = {"grant_type": "refresh_token", "refresh_token": REFRESH, "client_id": "us", "tenant": "t"}
    assert server.sent() == expected
    assert (tokens.access, tokens.refresh, tokens.expires_at) == (Secret("access-2"), Secret("refresh-2"), NOW + 60)


TOO_LATE = ConnectFailed("The connection broke.")
OUTCOMES: list[tuple[Answer, type[Exception]]] = [
    ((400, {"error": "invalid_grant"}), RefreshRefused),
    ((401, {"error": {"code": "refresh_token_reused", "message": f"{REFRESH} was used before."}}), RefreshRefused),
    ((400, {"error": "refresh_token_expired"}), RefreshRefused),
    (never_reached("Nothing listens there."), NotSent),
    (TOO_LATE, Unanswered),
    (Interrupted("It closed the connection."), Unanswered),
    ((200, b"<html>"), Unanswered),
    ((200, {"access_token": 5}), Unanswered),
    ((200, {"refresh_token": "refresh-2"}), Unanswered),
    ((200, {**GRANT, "token_type": "mac"}), Unanswered),
    ((200, {"error": "bad_refresh_token", "error_description": "It has expired."}), RefreshRefused),
    ((200, {"error": "incorrect_client_credentials"}), SignInFailed),
    ((503, b"<html>busy"), Overloaded),
    ((429, {"error": "slow_down"}), Overloaded),
    ((400, {"error": "invalid_client", "error_description": f"who sent {REFRESH}?"}), SignInFailed),
    ((404, b"<html>nothing here"), BadReply),
    ((302, b""), BadReply),
]


@pytest.mark.parametrize(("answer", "error"), OUTCOMES)
async def test_what_becomes_of_a_refresh(answer: Answer, error: type[Exception]) -> None:
    server = Server(answer)
    with pytest.raises(error) as caught:
        await edge.refreshed(table(), TOKENS, server.fetch, NOW)
    assert type(caught.value) is error
    assert len(server.requests) == 1
    said = f"{caught.value} {caught.value!r} {caught.value.__cause__}"
    assert ACCESS not in said
    assert REFRESH not in said
    if isinstance(caught.value, Overloaded):
        assert caught.value.retry_after == 7.0


async def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "WITHIN", 0.01)

    async def fetch(request: Request, connect: float) -> tuple[Head, bytes]:
        await asyncio.sleep(math.inf)
        raise AssertionError

    with pytest.raises(Unanswered) as caught:
        await edge.refreshed(table(), TOKENS, fetch, NOW)
    assert isinstance(caught.value.error, TimedOut)


async def test_tokens_go_to_their_own_origin_alone() -> None:
    server = Server((200, GRANT))
    elsewhere = table(
        **{name: f"https://evil.example/{name}" for name in ("token_url", "revoke_url", "introspect_url")}
    )
    with pytest.raises(WrongOrigin):
        await edge.refreshed(elsewhere, TOKENS, server.fetch, NOW)
    with pytest.raises(WrongOrigin):
        await edge.revoke(elsewhere, TOKENS, server.fetch)
    assert await edge.still_holds(elsewhere, TOKENS, server.fetch) is None
    assert not server.requests


async def test_an_account_without_a_refresh_token() -> None:
    server = Server((200, b""))
    tokens = Tokens(Secret(ACCESS), None, NOW, NOW, f"{PLACE}:443")
    with pytest.raises(RefreshRefused):
        await edge.refreshed(table(), tokens, server.fetch, NOW)
    assert await edge.still_holds(table(), tokens, server.fetch) is None
    await edge.revoke(table(), tokens, server.fetch)
    assert server.sent() == {"token": ACCESS, "token_type_hint": "access_token", "client_id": "us"}


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        ((200, {"active": True}), True),
        ((200, {"active": False}), False),
        ((200, {}), None),
        ((401, {"active": True}), None),
        (TOO_LATE, None),
    ],
)
async def test_introspection(answer: Answer, holds: bool | None) -> None:
    server = Server(answer)
    assert await edge.still_holds(table(), TOKENS, server.fetch) is holds
    assert server.sent() == {"token": REFRESH, "token_type_hint": "refresh_token", "client_id": "us"}
    assert await edge.still_holds(table(introspect_url=None), TOKENS, server.fetch) is None


@pytest.mark.parametrize(
    ("answer", "error"), [((503, b""), Overloaded), ((400, {"error": "unsupported_token_type"}), SignInFailed)]
)
async def test_a_revocation_that_fails(answer: Answer, error: type[Exception]) -> None:
    with pytest.raises(error):
        await edge.revoke(table(), TOKENS, Server(answer).fetch)
    await edge.revoke(table(revoke_url=None), TOKENS, Server(answer).fetch)


class Watch:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.naps: list[float] = []

    def now(self) -> float:
        """The time."""
        return NOW + sum(self.naps)

    async def sleep(self, seconds: float) -> None:
        """Passes at once."""
        self.naps.append(seconds)


PENDING: Answer = (400, {"error": "authorization_pending"})
POLLS: list[tuple[list[Answer], list[float]]] = [
    ([PENDING, PENDING, (200, GRANT)], [5, 5, 5]),
    ([(200, {"error": "authorization_pending"}), (200, {"error": "slow_down"}), (200, GRANT)], [5, 5, 10]),
    ([PENDING, (400, {"error": "slow_down"}), (200, GRANT)], [5, 5, 10]),
    ([never_reached("Nothing listens."), (503, b""), (200, GRANT)], [5, 10, 20]),
]


@pytest.mark.parametrize(("given", "naps"), POLLS)
async def test_a_device_polls_no_faster_than_it_may(given: list[Answer], naps: list[float]) -> None:
    server, watch = Server(*given), Watch()
    await edge.approved(table(), CODE, server.fetch, watch.now, watch.sleep)
    assert watch.naps == naps
    sent = {"grant_type": edge.DEVICE_GRANT, "device_code": "canary-device-9", "client_id": "us"}
    assert server.sent() == sent


@pytest.mark.parametrize(
    ("answer", "words", "polls"),
    [
        ((400, {"error": "access_denied"}), "declined", 1),
        ((400, {"error": "expired_token"}), "good no more", 1),
        ((400, {"error": "invalid_grant", "error_description": "canary-device-9?"}), "canary-", 1),
        ((400, b"<html>"), "HTTP 400", 1),
        (PENDING, "Nobody", 11),
        (never_reached("Nothing listens."), "Nobody", 3),
    ],
)
async def test_a_device_that_does_not_get_in(answer: Answer, words: str, polls: int) -> None:
    server, watch = Server(answer), Watch()
    with pytest.raises(PointsmanError, match=words) as caught:
        await edge.approved(table(), CODE, server.fetch, watch.now, watch.sleep)
    assert "canary-device-9" not in str(caught.value)
    assert len(server.requests) == polls


async def test_a_code_for_a_device_that_is_refused() -> None:
    with pytest.raises(SignInFailed, match="unauthorized_client"):
        await edge.ask_device(table(), Server((400, {"error": "unauthorized_client"})).fetch, NOW)
    with pytest.raises(SignInFailed, match="refused: device_flow_disabled"):
        await edge.ask_device(table(), Server((200, {"error": "device_flow_disabled"})).fetch, NOW)


def chatgpt() -> OAuth:
    """How one signs in to the provider of that name, as it is shipped."""
    provider = parse(shipped(), QUIRKS).providers["chatgpt"]
    assert provider.auth.oauth is not None
    return provider.auth.oauth


async def test_the_shipped_sign_in_refreshes_and_revokes_as_its_own_program_does() -> None:
    """The shapes are those that Codex CLI 0.169 sends."""
    oauth, server = chatgpt(), Server((200, GRANT))
    tokens = Tokens(Secret(ACCESS), Secret(REFRESH), NOW, NOW, "https://auth.openai.com:443", "me")
    await edge.refreshed(oauth, tokens, server.fetch, NOW)
    await edge.revoke(oauth, tokens, server.fetch)
    assert [request.url for request in server.requests] == [
        "https://auth.openai.com/oauth/token",
        "https://auth.openai.com/oauth/revoke",
    ]
    assert {request.headers["content-type"] for request in server.requests} == {"application/json"}
    refresh, revocation = server.sent(0), server.sent(1)
    assert list(refresh) == ["client_id", "grant_type", "refresh_token", "refresh_reason"]
    assert (refresh["client_id"], refresh["grant_type"]) == ("app_EMoamEEZ73f0CkXaXp7hrann", "refresh_token")
    assert list(revocation) == ["token", "token_type_hint", "client_id"]
    assert (revocation["token"], revocation["token_type_hint"]) == (REFRESH, "refresh_token")


async def test_the_shipped_sign_in_of_a_device() -> None:
    oauth, watch = chatgpt(), Watch()
    asked = {"device_auth_id": "canary-device-9", "user_code": "ABCD-EFGH", "interval": "2"}
    code = {"authorization_code": "a-code", "code_challenge": "x", "code_verifier": "a-verifier"}
    claims = {"aud": ["app_EMoamEEZ73f0CkXaXp7hrann"], "email": "me@example.com"}
    claims["https://api.openai.com/auth"] = {"chatgpt_account_id": "acct-1"}  # type: ignore[assignment]
    server = Server((200, asked), (403, b""), (404, b""), (200, code), (200, GRANT | {"id_token": jwt(claims)}))
    device = await edge.ask_device(oauth, server.fetch, NOW)
    assert (device.url, device.user_code) == ("https://auth.openai.com/codex/device", "ABCD-EFGH")
    granted = await edge.approved(oauth, device, server.fetch, watch.now, watch.sleep)
    assert (granted.label, granted.tokens.account) == ("me@example.com", "acct-1")
    assert watch.naps == [2, 2, 2]
    assert server.sent(0) == {"client_id": "app_EMoamEEZ73f0CkXaXp7hrann"}
    assert server.sent(1) == {"device_auth_id": "canary-device-9", "user_code": "ABCD-EFGH"}
    exchange = server.sent(4)
    assert exchange["redirect_uri"] == "https://auth.openai.com/deviceauth/callback"
    assert (exchange["code"], exchange["code_verifier"]) == ("a-code", "a-verifier")


def jwt(claims: Mapping[str, Any]) -> str:
    """A token with claims, and a signature that is none."""
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.bm9uZQ"
