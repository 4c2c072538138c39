"""How one provider signs people in by OAuth 2, and what comes of it, as values. Must never know how a request is sent.

Sources: RFC 6749 (the framework), 7636 (PKCE), 8252 (programs on a desk), 8628 (devices), 7009 (revocation), 7662
(introspection).
"""

from __future__ import annotations

from typing import Annotated as Says
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from pointsman.core.http import origin

Url = Says[str, Meta(pattern=r"^https?://[^\s@]+$")]
Port = Says[int, Meta(ge=1, le=65535)]
Claim = str | Says[tuple[str, ...], Meta(min_length=1)]
"""A claim; or the steps to one inside another, as a list, since the names of claims may be URLs."""


class OAuth(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where and how an account signs in: `auth.oauth` of a provider."""

    client_id: Says[str, Meta(description="what the provider knows this program as; public, no secret")]
    client_secret: Says[str | None, Meta(description="a few providers give one to programs on a desk, too")] = None
    token_url: Says[Url, Meta(description="where codes and refresh tokens are exchanged")]
    authorize_url: Says[Url | None, Meta(description="the page that a browser opens; without it, devices only")] = None
    device_url: Says[Url | None, Meta(description="where a code for another device is asked for")] = None
    device_flow: Says[
        Literal["rfc8628", "authorization-code"],
        Meta(description="`authorization-code`: the poll gives a code and its verifier, to be exchanged"),
    ] = "rfc8628"
    device_token_url: Says[Url | None, Meta(description="where `authorization-code` devices poll")] = None
    device_page: Says[Url | None, Meta(description="the page for the code, where the answer does not name it")] = None
    device_redirect: Says[Url | None, Meta(description="the redirect that such a code is exchanged with")] = None
    revoke_url: Says[Url | None, Meta(description="where a token is ended on sign-out")] = None
    introspect_url: Says[Url | None, Meta(description="where one may ask whether a refresh token still holds")] = None
    scopes: Says[tuple[str, ...], Meta(description="what the account is asked to allow")] = ()
    authorize_parameters: Says[dict[str, str], Meta(description="more for the query of the page")] = {}
    redirect_host: Says[Literal["127.0.0.1", "localhost", "[::1]"], Meta(description="of the loopback redirect")] = (
        "127.0.0.1"
    )
    redirect_ports: Says[tuple[Port, ...], Meta(description="ports that the provider takes; none: any")] = ()
    redirect_path: Says[str, Meta(pattern="^/", description="the path of the loopback redirect")] = "/callback"
    body: Says[
        Literal["form", "json"], Meta(description="how refreshing and revoking are written; a code is always a form")
    ] = "form"
    refresh_parameters: Says[dict[str, str], Meta(description="more for the body of a refresh")] = {}
    rotates: Says[bool, Meta(description="false: a refresh token may be used any number of times")] = True
    grace: Says[
        float, Meta(ge=0, le=3600, description="seconds in which a used refresh token may be sent once more")
    ] = 0.0
    issuer: Says[Url | None, Meta(description="the `iss` that its redirects carry (RFC 9207), where they do")] = None
    account_claim: Says[
        Claim | None, Meta(description="the claim of the ID token that names the account; a list leads into a claim")
    ] = None
    account_header: Says[str | None, Meta(description="the header that carries that name with each request")] = None
    label_claim: Says[Claim, Meta(description="the claim that people know the account by")] = "email"

    @property
    def mistake(self) -> tuple[str, str] | None:
        """The name of a value that does not go with the others, and why; None where all is well."""
        tokens = {"revoke_url": self.revoke_url, "introspect_url": self.introspect_url}
        pages = {"device_page": self.device_page, "device_redirect": self.device_redirect, "issuer": self.issuer}
        asked = {"token_url": self.token_url, "device_token_url": self.device_token_url}
        asked |= {"authorize_url": self.authorize_url, "device_url": self.device_url}
        for name, url in (asked | tokens | pages).items():
            if url and not _has_a_host(url):
                return name, "Expected `https://HOST/…`, with a port up to 65535 if it needs one"
        for name, url in tokens.items():
            if url and origin(url) != origin(self.token_url):
                return name, "Expected the host of `token_url`: tokens go to no other"
        for name, url in asked.items():
            if url and url.startswith("http:") and urlsplit(url).hostname not in LOOPBACK:
                return name, "Expected https://: codes and tokens are never sent in the clear"
        if not self.authorize_url and not self.device_url:
            return "authorize_url", "Expected this, or `device_url`: nobody can sign in without a page"
        if self.device_url and self.device_flow == "authorization-code":
            for name in ("device_token_url", "device_page", "device_redirect"):
                if not getattr(self, name):
                    return name, "Expected this with the flow `authorization-code`"
        return None


LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def _has_a_host(url: str) -> bool:
    """Whether a URL can be taken apart: one with a port of 99999 can't, and would fail wherever that is tried."""
    try:
        return bool(urlsplit(url).hostname and origin(url))
    except ValueError:
        return False
