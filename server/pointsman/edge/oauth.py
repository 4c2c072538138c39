"""Asks a provider's OAuth endpoints: for an account's tokens, for new ones, whether they hold, and to end them.

The only file that imports Authlib, lazily and in a thread, and only for what it makes without asking anyone
(docs/decisions/0013-sign-in.md): requests leave through our own HTTP. One of the few places where a secret is
revealed. Must never keep anything, try a refresh twice, or let a token into an error.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlencode, urlsplit

import msgspec

from pointsman.core import oauth_answers as answers
from pointsman.core.errors import (
    BadReply,
    Overloaded,
    PointsmanError,
    SignInFailed,
    TimedOut,
    TransportError,
    WrongOrigin,
)
from pointsman.core.http import Head, Request, origin, retry_after
from pointsman.core.oauth import OAuth
from pointsman.core.oauth_answers import DeviceCode, Granted
from pointsman.core.secret import Secret, hide_whole_or_cut
from pointsman.core.stored import Tokens
from pointsman.edge.credential import Fetch

CONNECT = 10.0
"""Seconds for a connection to an OAuth endpoint."""
WITHIN = 30.0
"""Seconds that its answer may take, the connection included."""
SLOWER = 5.0
"""Seconds that a device polls less often after each `slow_down` (RFC 8628 §3.5)."""
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
HEADERS = {"accept": JSON, "connection": "close"}
"""No connection is kept: one that the server has closed meanwhile would leave open whether a refresh had arrived."""
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class RefreshRefused(Exception):
    """The provider takes the refresh token no more; `reason` is what it says, for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotSent(Exception):
    """A refresh surely did not reach the provider; `error` says why. Trying again can do no harm."""

    def __init__(self, error: PointsmanError) -> None:
        super().__init__(error.message)
        self.error = error


class Unanswered(Exception):
    """A refresh was sent, and no answer came that can be used: the refresh token may be spent. `error` says more."""

    def __init__(self, error: PointsmanError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True)
class Begun:
    """A sign-in on its way: the page to open, and what its answer is checked and exchanged with."""

    url: str
    redirect: str
    state: Secret
    verifier: Secret


async def begin(oauth: OAuth, redirect: str, entropy: Callable[[int], str] = secrets.token_urlsafe) -> Begun:
    """Begins a sign-in in a browser that will be sent back to `redirect` (RFC 6749 §4.1, with PKCE by S256)."""
    make = await asyncio.to_thread(_authlib)
    assert oauth.authorize_url is not None, "who asks has looked"
    state, verifier = entropy(32), entropy(48)
    more = {"code_challenge": make.challenge(verifier), "code_challenge_method": "S256", **oauth.authorize_parameters}
    url = make.page(oauth.authorize_url, oauth.client_id, "code", redirect, oauth.scopes or None, state, **more)
    plain = url.replace("+", "%20")  # both are a space in a query, and some editors take the first for a plus
    return Begun(plain, redirect, Secret(state), Secret(verifier))


def code_in(oauth: OAuth, begun: Begun, query: Mapping[str, str]) -> Secret | None:
    """The code that a browser brought back, None from one that this sign-in has not sent: that one may still come.

    Raises SignInFailed for a refusal.
    """
    if not hmac.compare_digest(query.get("state", "").encode(), begun.state.reveal().encode()):
        return None
    if (issuer := query.get("iss")) is not None and not _is_issuer(oauth, issuer):
        raise SignInFailed("The browser came back from another place than the one that it was sent to.")
    if error := query.get("error"):
        refusal = answers.refusal(msgspec.json.encode({**query, "error": error}))
        if error == "access_denied":
            raise SignInFailed("The sign-in was declined on the provider's page.")
        raise SignInFailed(f"The provider ended the sign-in ({refusal}).")
    if not (code := query.get("code")):
        raise SignInFailed("The browser came back without a code.")
    return Secret(code)


async def exchanged(oauth: OAuth, begun: Begun, code: Secret, fetch: Fetch, now: float) -> Granted:
    """The tokens for a code. Raises SignInFailed, BadReply, Overloaded or TransportError."""
    return await _exchange(oauth, begun.redirect, code, begun.verifier, fetch, now)


async def ask_device(oauth: OAuth, fetch: Fetch, now: float) -> DeviceCode:
    """Asks for a code for another device. Raises SignInFailed, BadReply, Overloaded or TransportError."""
    assert oauth.device_url is not None, "who asks has looked"
    fields = {"client_id": oauth.client_id}
    if oauth.device_flow == "rfc8628":
        fields |= _secret_of(oauth) | ({"scope": " ".join(oauth.scopes)} if oauth.scopes else {})
    request = _request(oauth.device_url, fields, as_json=oauth.device_flow == "authorization-code")
    head, body = await _ask(request, fetch)
    if not _granted(head, body):
        raise _failed(oauth, head, body)
    return answers.device_code(oauth, body, now)


async def approved(
    oauth: OAuth,
    device: DeviceCode,
    fetch: Fetch,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Granted:
    """Polls until somebody has typed the code in, and gives the tokens.

    No faster than the provider allows, and not beyond the end of the code. A lost connection only slows it down. Raises
    SignInFailed, BadReply or Overloaded.
    """
    poll = _poll_for_code if oauth.device_flow == "authorization-code" else _poll
    interval = device.interval
    while clock() + interval < device.expires_at:
        await sleep(interval)
        try:
            found = await poll(oauth, device, fetch, clock())
        except (TransportError, Overloaded) as error:
            interval = max(2 * interval, error.retry_after or 0)
            continue
        if isinstance(found, Granted):
            return found
        interval += found
    raise SignInFailed(f"Nobody typed the code {device.user_code} in while it was good.")


async def ready() -> None:
    """Loads what a refresh needs, so that none is held up between its beginning and its way out."""
    await asyncio.to_thread(_authlib)


async def refreshed(oauth: OAuth, tokens: Tokens, fetch: Fetch, now: float) -> Tokens:
    """New tokens for an account, by one request.

    Raises RefreshRefused; NotSent, Unanswered; Overloaded where the provider has trouble of its own (nothing was
    rotated, by its own word); BadReply where it refuses for another reason than the token; WrongOrigin before anything
    is sent.
    """
    _check_origin(oauth.token_url, tokens)
    if tokens.refresh is None:
        raise RefreshRefused("the provider gave no refresh token")
    make = await asyncio.to_thread(_authlib)
    who, token = {"client_id": oauth.client_id, **_secret_of(oauth)}, tokens.refresh.reveal()
    more = {"refresh_token": token, **oauth.refresh_parameters}
    if oauth.body == "json":
        request = _request(oauth.token_url, {**who, "grant_type": "refresh_token", **more}, as_json=True)
    else:
        request = _form(oauth.token_url, make.body("refresh_token", **who, **more))
    try:
        head, body = await _ask(request, fetch)
    except TransportError as error:
        raise (NotSent if error.unsent else Unanswered)(error) from error
    except PointsmanError as error:
        raise Unanswered(error) from error
    if _granted(head, body):
        try:
            return answers.renewed(tokens, body, now)
        except BadReply as error:
            raise Unanswered(error) from error
    refusal = answers.refusal(body)
    if refusal and refusal.ends:
        raise RefreshRefused(_without(refusal.ends, tokens.refresh))
    raise _failed(oauth, head, body, tokens.refresh)


async def still_holds(oauth: OAuth, tokens: Tokens, fetch: Fetch) -> bool | None:
    """Whether the refresh token still holds (RFC 7662); None where it can't be asked, or does not say."""
    if oauth.introspect_url is None or tokens.refresh is None:
        return None
    try:
        _check_origin(oauth.introspect_url, tokens)
        fields = {"token": tokens.refresh.reveal(), "token_type_hint": "refresh_token", "client_id": oauth.client_id}
        head, body = await _ask(_request(oauth.introspect_url, fields | _secret_of(oauth), as_json=False), fetch)
        return answers.active(body) if head.status == 200 else None
    except PointsmanError:
        return None


async def revoke(oauth: OAuth, tokens: Tokens, fetch: Fetch) -> None:
    """Ends an account's tokens at the provider (RFC 7009); does nothing where there is no place for that.

    The refresh token is sent, which ends the access token, too; without one, the access token. Raises BadReply,
    Overloaded, TransportError, or WrongOrigin.
    """
    if oauth.revoke_url is None:
        return
    _check_origin(oauth.revoke_url, tokens)
    make = await asyncio.to_thread(_authlib)
    token, hint = (tokens.refresh, "refresh_token") if tokens.refresh else (tokens.access, "access_token")
    fields = {"client_id": oauth.client_id, **_secret_of(oauth)}
    if oauth.body == "json":
        both = {"token": token.reveal(), "token_type_hint": hint}
        request = _request(oauth.revoke_url, both | fields, as_json=True)
    else:
        body, _ = make.ending(token.reveal(), hint, urlencode(fields))
        request = _form(oauth.revoke_url, body)
    head, answer = await _ask(request, fetch)
    if not 200 <= head.status < 300:
        raise _failed(oauth, head, answer, token)


async def _exchange(
    oauth: OAuth, redirect: str | None, code: Secret, verifier: Secret, fetch: Fetch, now: float
) -> Granted:
    make = await asyncio.to_thread(_authlib)
    fields = {"code": code.reveal(), "client_id": oauth.client_id, "code_verifier": verifier.reveal()}
    body = make.body("authorization_code", redirect_uri=redirect, **fields, **_secret_of(oauth))
    head, answer = await _ask(_form(oauth.token_url, body), fetch)
    if not _granted(head, answer):
        raise _failed(oauth, head, answer, code)
    return answers.granted(oauth, answer, now)


async def _poll(oauth: OAuth, device: DeviceCode, fetch: Fetch, now: float) -> Granted | float:
    """One look whether the code was typed in (RFC 8628 §3.4); else by how much to poll less often."""
    make = await asyncio.to_thread(_authlib)
    fields = {"device_code": device.secret.reveal(), "client_id": oauth.client_id}
    head, body = await _ask(_form(oauth.token_url, make.body(DEVICE_GRANT, **fields, **_secret_of(oauth))), fetch)
    if _granted(head, body):
        return answers.granted(oauth, body, now)
    match answers.refusal(body):
        case answers.Refusal("authorization_pending"):
            return 0.0
        case answers.Refusal("slow_down"):
            return SLOWER
        case answers.Refusal("access_denied"):
            raise SignInFailed("The sign-in was declined on the provider's page.")
        case answers.Refusal("expired_token"):
            raise SignInFailed(f"The code {device.user_code} is good no more.")
        case _:
            raise _failed(oauth, head, body, device.secret)


async def _poll_for_code(oauth: OAuth, device: DeviceCode, fetch: Fetch, now: float) -> Granted | float:
    """One look whether the code was typed in, in the flow `authorization-code`: a 403 or 404 says not yet."""
    assert oauth.device_token_url is not None, "the configuration is not taken without it"
    fields = {"device_auth_id": device.secret.reveal(), "user_code": device.user_code}
    head, body = await _ask(_request(oauth.device_token_url, fields, as_json=True), fetch)
    if head.status in {403, 404}:
        return 0.0
    if not _granted(head, body):
        raise _failed(oauth, head, body, device.secret)
    code, verifier = answers.device_grant(body)
    return await _exchange(oauth, oauth.device_redirect, code, verifier, fetch, now)


async def _ask(request: Request, fetch: Fetch) -> tuple[Head, bytes]:
    try:
        async with asyncio.timeout(WITHIN):
            return await fetch(request, CONNECT)
    except TimeoutError:
        raise TimedOut(
            f"{urlsplit(request.url).netloc} gave no answer within {WITHIN:g} seconds.", "Try again in a moment."
        ) from None


def _granted(head: Head, body: bytes) -> bool:
    """Whether an answer brings what was asked for: some tell an error with HTTP 200."""
    return head.status == 200 and answers.refusal(body) is None


def _failed(oauth: OAuth, head: Head, body: bytes, secret: Secret | None = None) -> PointsmanError:
    """The error for an answer that is none; what the provider says is quoted without what it was sent."""
    where, refusal = urlsplit(oauth.token_url).netloc, answers.refusal(body)
    said = f": {_without(str(refusal), secret)}" if refusal else ""
    if head.status >= 500 or head.status in {408, 425, 429}:
        text = f"The sign-in service at {where} has trouble of its own (HTTP {head.status}){said}."
        return Overloaded(text, status_code=head.status, retry_after=retry_after(head.headers))
    if refusal:
        status = "" if head.status == 200 else f" (HTTP {head.status})"
        return SignInFailed(f"The sign-in service at {where} refused{status}{said}.")
    text = f"The sign-in service at {where} answered with HTTP {head.status} and nothing that can be read."
    return BadReply(text, "Check the addresses in the provider's `auth.oauth`.", status_code=head.status)


def _check_origin(url: str, tokens: Tokens) -> None:
    if origin(url) != tokens.token_origin:
        text = f"The account's tokens come from {tokens.token_origin}, and are never sent to {origin(url)}."
        raise WrongOrigin(text, "Sign in again, if the new address is right; else correct `auth.oauth`.")


def _is_issuer(oauth: OAuth, issuer: str) -> bool:
    """Whether `iss` is the provider's own (RFC 9207 §2.4); where none is configured, the page's host has to do."""
    return issuer == oauth.issuer if oauth.issuer else origin(issuer) == origin(oauth.authorize_url or "")


def _secret_of(oauth: OAuth) -> dict[str, str]:
    return {"client_secret": oauth.client_secret} if oauth.client_secret else {}


def _request(url: str, fields: Mapping[str, str], *, as_json: bool) -> Request:
    if not as_json:
        return _form(url, urlencode(fields))
    return Request("POST", url, {"content-type": JSON, **HEADERS}, msgspec.json.encode(fields), alone=True)


def _form(url: str, body: str) -> Request:
    return Request("POST", url, {"content-type": FORM, **HEADERS}, body.encode(), alone=True)


def _without(words: str, secret: Secret | None) -> str:
    """A provider's own words without the token or code that it may quote in them."""
    return hide_whole_or_cut(words, secret) if secret else words


@dataclass(frozen=True)
class _Authlib:
    """What is used of it."""

    page: Callable[..., str]
    body: Callable[..., str]
    challenge: Callable[[str], str]
    ending: Callable[..., tuple[str, object]]


@cache
def _authlib() -> _Authlib:
    """Imports it: slow, and so done in a thread."""
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
    from authlib.oauth2.rfc7009 import prepare_revoke_token_request
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    return _Authlib(prepare_grant_uri, prepare_token_request, create_s256_code_challenge, prepare_revoke_token_request)
