"""What OAuth endpoints answer, and what is made of it: a server may lie, and must not be told on with a token."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core import oauth_answers as answers
from pointsman.core.errors import BadReply
from pointsman.core.oauth import OAuth
from pointsman.core.oauth_answers import DeviceCode, Refusal
from pointsman.core.secret import Secret
from pointsman.core.stored import Tokens
from tests.each import each

NOW = 1_000_000.0
CANARY = "not-a-token-canary-77"
_TABLE = {"client_id": "us", "token_url": "https://login.corp.example/token", "scopes": ["openid", "email"]}
OAUTH = msgspec.convert(_TABLE, OAuth)
OLD = Tokens(
    Secret("old-access"), Secret("old-refresh"), NOW, NOW - 60, "https://login.corp.example:443", "me", "mine", "all"
)


def jwt(**claims: Any) -> str:
    """A token with claims, and a signature that is none."""
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.bm9uZQ"


def body(**more: Any) -> bytes:
    """A good answer, with something else in it; what is None is not there."""
    answer = {"access_token": "access-1", "token_type": "Bearer", "expires_in": 60, "refresh_token": "refresh-1"} | more
    return json.dumps({name: value for name, value in answer.items() if value is not None}).encode()


def test_a_whole_answer() -> None:
    claims = jwt(aud="us", sub="42", email="me@corp.example")
    found = answers.granted(OAUTH, body(id_token=claims, scope="openid"), NOW)
    access, refresh = Secret("access-1"), Secret("refresh-1")
    origin = "https://login.corp.example:443"
    assert found.tokens == Tokens(access, refresh, NOW + 60, NOW, origin, "42", "42", "openid")
    assert found.label == "me@corp.example"


@each(
    ("more", "refresh", "expires_at"),
    [
        ({"token_type": "bearer"}, "refresh-1", NOW + 60),
        ({"token_type": None, "refresh_token": None}, None, NOW + 60),
        ({"expires_in": None}, "refresh-1", None),
        ({"expires_in": "120"}, "refresh-1", NOW + 120),
        ({"expires_in": 0}, "refresh-1", NOW),
        ({"expires_in": None, "access_token": jwt(exp=NOW + 900)}, "refresh-1", NOW + 900),
        ({"expires_in": None, "access_token": jwt(exp="soon")}, "refresh-1", None),
        ({"expires_in": None, "access_token": "a.b.c"}, "refresh-1", None),
        ({"expires_in": 5, "access_token": jwt(exp=NOW + 900)}, "refresh-1", NOW + 5),
    ],
)
def test_what_may_be_missing(more: dict[str, Any], refresh: str | None, expires_at: float | None) -> None:
    tokens = answers.granted(OAUTH, body(**more), NOW).tokens
    assert tokens.refresh == (Secret(refresh) if refresh else None)
    assert tokens.expires_at == expires_at
    assert tokens.scope == "openid email"


LIES: list[tuple[bytes, str]] = [
    (b"", "is nothing"),
    (b"<!doctype html><p>Log in", "a web page"),
    (b'{"access_token": "' + CANARY.encode(), "something else"),
    (b"[]", "a JSON object"),
    (b"\xff", "something else"),
    (b"[" * 100_000, "something else"),
    (body(access_token=None), "no `access_token`"),
    (body(access_token=""), "no `access_token`"),
    (body(access_token=[CANARY]), "`access_token` that is none"),
    (body(access_token=f"{CANARY}\r\nx-more: 1"), "`access_token` that is none"),
    (body(access_token=f"{CANARY} {CANARY}"), "`access_token` that is none"),
    (body(access_token="x" * 70_000), "`access_token` that is none"),
    (body(refresh_token={"a": CANARY}), "`refresh_token` that is none"),
    (body(refresh_token=""), "no `refresh_token`"),
    (body(**{"token_type": "DPoP"}), "not Bearer"),
    (body(token_type=1), "not Bearer"),
    (body(expires_in=True), "`expires_in`"),
    (body(expires_in=-1), "`expires_in`"),
    (body(expires_in="soon"), "`expires_in`"),
    (body(expires_in=1e15), "`expires_in`"),
    (body(scope=["openid"]), "`scope`"),
    (body(id_token=CANARY), "`id_token`"),
    (body(id_token=5), "`id_token`"),
    (body(**{"id_token": "a.!!.c"}), "`id_token`"),
    (body(id_token=f"a.{base64.urlsafe_b64encode(b'[1]').decode()}.c"), "`id_token`"),
    (body(id_token=jwt(aud="another", sub="1")), "another program"),
    (body(id_token=jwt(sub="1")), "another program"),
]


@each(("lie", "words"), LIES)
def test_what_is_refused(lie: bytes, words: str) -> None:
    with pytest.raises(BadReply) as refused:
        answers.granted(OAUTH, lie, NOW)
    assert words in refused.value.message
    assert CANARY not in str(refused.value)


@given(st.binary() | st.builds(lambda value: json.dumps(value).encode(), st.recursive(st.none() | st.text(), st.lists)))
def test_anything_else_is_a_bad_reply(anything: bytes) -> None:
    with pytest.raises(BadReply):
        answers.granted(OAUTH, anything, NOW)
    assert answers.refusal(anything) is None


def test_an_account_that_each_request_names_has_to_be_said() -> None:
    way: Any = {"account_claim": ("https://corp.example/auth", "id"), "account_header": "x-account"}
    oauth = msgspec.structs.replace(OAUTH, **way)
    good = jwt(aud=["other", "us"], **{"https://corp.example/auth": {"id": "acct-1"}})
    assert answers.granted(oauth, body(id_token=good), NOW).tokens.account == "acct-1"
    for bad in (None, jwt(aud="us"), jwt(aud="us", **{"https://corp.example/auth": "id"})):
        with pytest.raises(BadReply, match="which account"):
            answers.granted(oauth, body(id_token=bad), NOW)


def test_a_refresh_keeps_what_is_not_said() -> None:
    found = answers.renewed(OLD, b'{"access_token": "access-2"}', NOW)
    assert (found.access, found.refresh, found.expires_at) == (Secret("access-2"), Secret("old-refresh"), None)
    assert (found.account, found.scope, found.obtained_at) == ("me", "all", NOW)


def test_a_refresh_takes_what_it_can_of_a_sloppy_answer() -> None:
    found = answers.renewed(OLD, body(scope="less", expires_in=[], id_token=5), NOW)
    assert (found.refresh, found.expires_at, found.scope) == (Secret("refresh-1"), None, "less")
    with pytest.raises(BadReply):
        answers.renewed(OLD, body(refresh_token=5), NOW)


@each(
    ("said", "refusal"),
    [
        (b'{"error": "invalid_grant"}', Refusal("invalid_grant", "")),
        (b'{"error": "slow_down", "error_description": "wait\\u2028a bit"}', Refusal("slow_down", "wait a bit")),
        (b'{"error": {"code": "refresh_token_reused", "message": "gone"}}', Refusal("refresh_token_reused", "gone")),
        (b'{"error": {"type": "server_error"}}', Refusal("server_error", "")),
        (b'{"error": {"code": 5}}', None),
        (b'{"error": ""}', None),
        (b'{"error": "none", "access_token": "access-2"}', None),
        (b'{"error": 5}', None),
        (b"[1]", None),
        (b"<html>", None),
    ],
)
def test_what_an_error_says(said: bytes, refusal: Refusal | None) -> None:
    assert answers.refusal(said) == refusal


def test_a_refusal_in_words() -> None:
    assert str(Refusal("invalid_grant", "")) == "invalid_grant"
    assert str(Refusal("invalid_grant", "It is gone.")) == "invalid_grant: It is gone."
    assert Refusal("invalid_grant", "").ends == "the provider has ended the sign-in"
    assert Refusal("token_revoked", "It is gone.").ends == "the provider has ended the sign-in, and says: It is gone."
    assert Refusal("invalid_client", "Who?").ends is None
    assert len(str(answers.refusal(json.dumps({"error": "e", "error_description": "x" * 9999}).encode()))) < 400


DEVICE = {"device_code": "not-a-code", "user_code": "WDJB-MJHT", "verification_uri": "https://corp.example/device"}


def device(**more: Any) -> DeviceCode:
    """The code for another device, from an answer with something else in it."""
    return answers.device_code(OAUTH, json.dumps(DEVICE | more).encode(), NOW)


def test_a_code_for_another_device() -> None:
    page = "https://corp.example/device"
    assert device() == DeviceCode("WDJB-MJHT", page, None, Secret("not-a-code"), 5.0, NOW + 900)
    whole = device(verification_uri_complete=f"{page}?c=1", interval=2, expires_in=100)
    assert (whole.complete, whole.interval, whole.expires_at) == (f"{page}?c=1", 2.0, NOW + 100)
    long = f"{page}/{'realm/' * 50}"
    found = device(verification_uri=long, verification_uri_complete=f"{long}?c=1")
    assert (found.url, found.complete) == (long, f"{long}?c=1"), "a part of an address leads nowhere"
    assert device(interval="9").interval == 9.0
    assert device(interval=0).interval == 5.0
    assert device(interval=999, expires_in=10**6).interval == 60.0
    assert device(expires_in=10**6).expires_at == NOW + 900


@each(
    "more",
    [
        {"user_code": 5},
        {"verification_uri": None},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri_complete": "file:///etc/passwd"},
        {"verification_uri": "https://corp.example/\x1b]8;;"},
        {"verification_uri": f"https://corp.example/{'x' * 9999}"},
        {"device_code": None},
    ],
)
def test_a_code_that_can_not_be_shown(more: dict[str, Any]) -> None:
    with pytest.raises(BadReply):
        device(**more)


def test_the_flow_that_polls_for_a_code() -> None:
    own: Any = {"device_flow": "authorization-code", "device_page": "https://corp.example/codes"}
    oauth = msgspec.structs.replace(OAUTH, **own)
    said = {"device_auth_id": "not-a-secret", "usercode": "ABCD", "interval": "5"}
    found = answers.device_code(oauth, json.dumps(said).encode(), NOW)
    assert (found.user_code, found.url, found.secret) == ("ABCD", "https://corp.example/codes", Secret("not-a-secret"))
    grant = {"authorization_code": "a-code", "code_verifier": "a-verifier"}
    assert answers.device_grant(json.dumps(grant).encode()) == (Secret("a-code"), Secret("a-verifier"))
    with pytest.raises(BadReply, match="code_verifier"):
        answers.device_grant(b'{"authorization_code": "a-code"}')


@each(("said", "holds"), [(b'{"active": true}', True), (b'{"active": false}', False)])
def test_introspection(said: bytes, holds: bool) -> None:
    assert answers.active(said) is holds
    with pytest.raises(BadReply):
        answers.active(b'{"active": "yes"}')


PLACES: list[tuple[dict[str, Any], str | None]] = [
    ({"authorize_url": "https://login.corp.example/authorize"}, None),
    ({"device_url": "https://login.corp.example/device"}, None),
    ({}, "authorize_url"),
    ({"device_url": "https://d.example/", "revoke_url": "https://evil.example/revoke"}, "revoke_url"),
    ({"device_url": "https://d.example/", "introspect_url": "http://login.corp.example/i"}, "introspect_url"),
    ({"device_url": "http://d.example/"}, "device_url"),
    ({"device_url": "http://localhost:9/", "token_url": "http://127.0.0.1:9/token"}, None),
    ({"device_url": "https://d.example/", "token_url": "http://login.corp.example/token"}, "token_url"),
    ({"device_url": "https://d.example/", "device_flow": "authorization-code"}, "device_token_url"),
    ({"device_url": "https://d.example:99999/"}, "device_url"),
    ({"device_url": "https://d.example/", "revoke_url": "https://[::1/revoke"}, "revoke_url"),
    ({"device_url": "https://d.example/", "issuer": "https://:5/"}, "issuer"),
]


@each(("own", "wrong"), PLACES)
def test_what_does_not_go_together(own: dict[str, Any], wrong: str | None) -> None:
    found = msgspec.structs.replace(OAUTH, **own).mistake
    assert (found[0] if found else None) == wrong


def test_a_whole_flow_of_its_own() -> None:
    place = "https://d.example/"
    own: Any = {"device_url": place, "device_flow": "authorization-code", "device_token_url": place}
    own |= {"device_page": place, "device_redirect": place}
    assert msgspec.structs.replace(OAUTH, **own).mistake is None
