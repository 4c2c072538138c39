"""What a provider's OAuth endpoints answer, read strictly: bytes in, values out. Must never know how they were asked.

A token is never in an error: what does not fit is named, not quoted. Sources: RFC 6749 §5, RFC 8628 §3.2 and §3.5,
OpenID Connect Core 1.0 §3.1.3.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from pointsman.core.errors import UNREADABLE, BadReply
from pointsman.core.http import origin
from pointsman.core.oauth import Claim, OAuth
from pointsman.core.secret import Secret
from pointsman.core.stored import Tokens

SIGN_IN_AGAIN = {
    "bad_refresh_token",
    "invalid_grant",
    "refresh_token_expired",
    "refresh_token_invalidated",
    "refresh_token_reused",
    "token_expired",
    "token_revoked",
}
"""What says that a refresh token is no more: RFC 6749's word for it, and those that a few providers have of their
own."""
LONGEST_TOKEN = 64 * 1024
LONGEST_WORDS = 300
"""Characters of a provider's own words that are shown."""
LONGEST_LABEL = 100
LONGEST_URL = 2000
_TOKEN = re.compile(r"[\x21-\x7e]+")
"""What a token may be made of (RFC 6749 appendix A.12, without the space): no line's end gets into a header."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


@dataclass(frozen=True)
class Granted:
    """What a sign-in gave: the tokens, and what people know the account by, None where nothing says so."""

    tokens: Tokens
    label: str | None


@dataclass(frozen=True)
class Refusal:
    """An error as RFC 6749 §5.2 says it: its code, and what the provider says about it to people."""

    code: str
    words: str

    def __str__(self) -> str:
        return f"{self.code}: {self.words}" if self.words else self.code

    @property
    def ends(self) -> str | None:
        """Why the sign-in is over, in words for people; None where this says nothing of the kind."""
        if self.code not in SIGN_IN_AGAIN:
            return None
        return "the provider has ended the sign-in" + (f", and says: {self.words}" if self.words else "")


@dataclass(frozen=True)
class DeviceCode:
    """A code to be typed in on another device. `secret` is what the token endpoint is polled with.

    `url` is the page for it; `complete` the same with the code in it, None where the provider has none.
    """

    user_code: str
    url: str
    complete: str | None
    secret: Secret
    interval: float
    expires_at: float


def granted(oauth: OAuth, body: bytes, now: float) -> Granted:
    """What a code was exchanged for. Raises BadReply for anything but a whole and plausible answer."""
    answer = _object(body)
    claims = _claims(answer.get("id_token"))
    if claims and oauth.client_id not in _strings(claims.get("aud")):
        raise BadReply("The ID token that came back is meant for another program than this one.", _ADVICE)
    account = step_down(claims, oauth.account_claim) if oauth.account_claim else _text(claims.get("sub"))
    if account is None and oauth.account_header:
        raise BadReply("The answer does not say which account has signed in, and each request has to name it.", _ADVICE)
    scope, lifetime = answer.get("scope"), answer.get("expires_in")
    if scope is not None and not isinstance(scope, str):
        raise BadReply("The answer has a `scope` that is no text.", _ADVICE)
    if lifetime is not None and _seconds(lifetime) is None:
        raise BadReply("The answer has an `expires_in` that is no number of seconds.", _ADVICE)
    access = _access(answer)
    tokens = Tokens(
        access=access,
        refresh=_token(answer, "refresh_token") if answer.get("refresh_token") is not None else None,
        expires_at=_expiry(access, lifetime, now),
        obtained_at=now,
        token_origin=origin(oauth.token_url),
        account=account,
        subject=_text(claims.get("sub")),
        scope=scope if scope is not None else " ".join(oauth.scopes) or None,
    )
    return Granted(tokens, step_down(claims, oauth.label_claim))


def renewed(before: Tokens, body: bytes, now: float) -> Tokens:
    """What a refresh gave; what it does not say stays as it was.

    Only what is needed is read strictly: the old refresh token is spent, and a slip in the rest must not cost the
    account. Raises BadReply.
    """
    answer = _object(body)
    access, scope = _access(answer), answer.get("scope")
    return Tokens(
        access=access,
        refresh=_token(answer, "refresh_token") if answer.get("refresh_token") else before.refresh,
        expires_at=_expiry(access, answer.get("expires_in"), now),
        obtained_at=now,
        token_origin=before.token_origin,
        account=before.account,
        subject=before.subject,
        scope=scope if isinstance(scope, str) else before.scope,
    )


def refusal(body: bytes) -> Refusal | None:
    """The error that an answer tells, None where it tells none in a way that is known, or brings a token all the same.

    Beside `{"error": "code"}`, some answer with an object of `code` and `message`; and some tell it with HTTP 200.
    """
    try:
        answer = msgspec.json.decode(body)
    except UNREADABLE:
        return None
    error = answer.get("error") if isinstance(answer, dict) and not answer.get("access_token") else None
    if isinstance(error, str) and error:
        return Refusal(_shown(error), _shown(answer.get("error_description")))
    if isinstance(error, dict) and (code := _shown(error.get("code")) or _shown(error.get("type"))):
        return Refusal(code, _shown(error.get("message")))
    return None


def device_code(oauth: OAuth, body: bytes, now: float) -> DeviceCode:
    """The code for another device (RFC 8628 §3.2). Raises BadReply."""
    answer = _object(body)
    own = oauth.device_flow == "authorization-code"
    user_code = _text(answer.get("user_code") or answer.get("usercode"))
    url = oauth.device_page if own else _page(answer.get("verification_uri") or answer.get("verification_url"))
    if user_code is None or url is None:
        raise BadReply("The answer has no code for another device, or no page to type it in.", _ADVICE)
    complete = _page(answer.get("verification_uri_complete"))
    lifetime = _seconds(answer.get("expires_in")) or OWN_LIFETIME
    return DeviceCode(
        user_code=user_code,
        url=url,
        complete=complete,
        secret=_token(answer, "device_auth_id" if own else "device_code"),
        interval=min(max(_seconds(answer.get("interval")) or 5.0, 1.0), 60.0),
        expires_at=now + min(lifetime, OWN_LIFETIME),
    )


OWN_LIFETIME = 900.0
"""Seconds that a code for another device is waited for at most, and where its answer does not say."""


def device_grant(body: bytes) -> tuple[Secret, Secret]:
    """The code and its verifier that the flow `authorization-code` polls for. Raises BadReply."""
    answer = _object(body)
    return _token(answer, "authorization_code"), _token(answer, "code_verifier")


def active(body: bytes) -> bool:
    """Whether a token holds, as introspection says (RFC 7662 §2.2). Raises BadReply."""
    found = _object(body).get("active")
    if not isinstance(found, bool):
        raise BadReply("The answer does not say whether the token holds.", _ADVICE)
    return found


def step_down(claims: Mapping[str, Any], path: Claim) -> str | None:
    """The text that a path of claims leads to, None where there is none."""
    found: Any = claims
    for step in (path,) if isinstance(path, str) else path:
        found = found.get(step) if isinstance(found, dict) else None
    return _text(found)


def _object(body: bytes) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(body)
    except UNREADABLE:
        what = "a web page" if body.lstrip()[:1] == b"<" else "nothing" if not body.strip() else "something else"
        raise BadReply(f"The answer should be JSON and is {what}.", _ADVICE) from None
    if not isinstance(answer, dict):
        raise BadReply("The answer should be a JSON object and is none.", _ADVICE)
    return answer


def _access(answer: Mapping[str, Any]) -> Secret:
    kind = answer.get("token_type")
    if kind is not None and (not isinstance(kind, str) or kind.lower() != "bearer"):
        raise BadReply(
            "The answer has a token of a sort that can't be used here: its `token_type` is not Bearer.", _ADVICE
        )
    return _token(answer, "access_token")


def _token(answer: Mapping[str, Any], name: str) -> Secret:
    found = answer.get(name)
    if not found:
        raise BadReply(f"The answer has no `{name}`.", _ADVICE)
    if not isinstance(found, str) or len(found) > LONGEST_TOKEN or not _TOKEN.fullmatch(found):
        raise BadReply(f"The answer has a `{name}` that is none.", _ADVICE)
    return Secret(found)


def _claims(token: object) -> dict[str, Any]:
    """The claims of an ID token; none where there is none.

    Its signature is not verified: it came over TLS straight from the token endpoint, and for that OpenID Connect Core
    §3.1.3.7 (6) lets TLS stand in for the signature. So nothing from a browser is ever read by this.
    """
    if token is None:
        return {}
    try:
        _, claims, _ = token.split(".")  # type: ignore[attr-defined]
        found = msgspec.json.decode(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    except (AttributeError, ValueError, RecursionError):  # msgspec's errors are ValueErrors, too
        found = None
    if not isinstance(found, dict):
        raise BadReply("The answer has an `id_token` that can't be read.", _ADVICE)
    return found


def _expiry(access: Secret, lifetime: object, now: float) -> float | None:
    """When the access token ends. Where the answer does not say, a token that is a JWT may."""
    if (seconds := _seconds(lifetime)) is not None:
        return now + seconds
    try:
        return _seconds(_claims(access.reveal()).get("exp"))
    except BadReply:
        return None


def _seconds(found: object) -> float | None:
    if isinstance(found, str) and re.fullmatch(r"[0-9]{1,12}", found):
        return float(found)
    plausible = isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found < 1e12
    return float(found) if plausible else None  # type: ignore[arg-type]


def _text(found: object) -> str | None:
    return _shown(found, LONGEST_LABEL) or None


def _shown(found: object, most: int = LONGEST_WORDS) -> str:
    return _UNPRINTABLE.sub(" ", found).strip()[:most] if isinstance(found, str) else ""


def _page(found: object) -> str | None:
    """The address of a web page, whole: a part of one leads nowhere. Raises BadReply for what is none."""
    if not found:
        return None
    page = found.strip() if isinstance(found, str) else ""
    if not page.startswith(("https://", "http://")) or not page.isprintable() or len(page) > LONGEST_URL:
        raise BadReply("The page for the code that came back is no web page.", _ADVICE)
    return page


def _strings(found: object) -> list[object]:
    return found if isinstance(found, list) else [found]


_ADVICE = "Check the addresses in the provider's `auth.oauth`; if they are right, try again later."
