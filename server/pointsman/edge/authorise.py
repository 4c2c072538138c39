"""Puts a credential on a request. One of the few places where a secret is revealed (docs/security.md lists them).

Must never log, nor let a secret out in an error: `redact` takes it out of what a provider says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

from pointsman.core.catalogue import Provider
from pointsman.core.errors import CredentialError, PointsmanError
from pointsman.core.http import Request
from pointsman.core.secret import Secret, hide, hide_whole_or_cut, standing_in
from pointsman.edge.credential import Credential, Fetch
from pointsman.edge.response import Response
from pointsman.edge.transport import Transports

SAFE_ALONE = {
    "aws": "Correct `base_url`, or use credentials that sign instead.",
    "gcp": "Correct `base_url`.",
}
"""Schemes whose keys stand for an account that pays for much more than models, and what to do about a base URL of
which they would be sent in the clear: they never are."""


async def authorise(request: Request, provider: Provider, credential: Credential, fetch: Fetch) -> Request:
    """The request with what the provider's scheme wants on it; unchanged without a credential.

    `fetch` is for what has to be asked first: a token. Raises CredentialError, ProviderError or TransportError.
    """
    way = credential.way
    if way is not None:
        if not way.signs:
            _check_safe(request, provider)
        return await way.authorise(request, provider, fetch)
    if credential.key is None:
        return request
    _check_safe(request, provider)
    return with_key(request, provider, credential.key)


@asynccontextmanager
async def asked(
    request: Request, provider: Provider, credential: Credential, transports: Transports
) -> AsyncIterator[Response]:
    """Sends a request with what the scheme wants on it, and gives the response.

    One that is refused (401) is sent once more, where the credential may have been renewed meanwhile. Raises what
    `authorise` raises.
    """
    transports = transports.along(provider.egress)
    for last in (False, True):
        ready = await authorise(request, provider, credential, transports.fetch)
        async with transports.stream(ready, provider.timeout.connect) as response:
            if last or response.head.status != 401 or not credential.turned_down():
                yield response
                return


def with_key(request: Request, provider: Provider, key: Secret) -> Request:
    """The request with a key where the provider wants it."""
    own, value = provider.auth.scheme == "header", key.reveal()
    name, value = (provider.auth.header, value) if own else ("authorization", f"Bearer {value}")
    return replace(request, headers={**request.headers, name: value})


def _check_safe(request: Request, provider: Provider) -> None:
    scheme = urlsplit(request.url).scheme
    if provider.auth.scheme in SAFE_ALONE and scheme != "https":
        text = f"The key of {provider.title} is sent over https alone, and its base URL begins with {scheme}://."
        raise CredentialError(text, SAFE_ALONE[provider.auth.scheme], provider=provider.id)


def shown_to(provider: Provider, credential: Credential) -> list[Secret]:
    """The secrets that a provider is shown with a request, and may say back: the credential's, and those of headers."""
    return [*credential.secrets, *standing_in("\n".join(provider.headers.values()))]


def redact(error: PointsmanError, credential: Credential | None) -> PointsmanError:
    """Takes the secrets out of an error's words: some providers quote the key they refuse."""
    for secret in credential.secrets if credential else ():
        error.message, error.advice = hide_whole_or_cut(error.message, secret), hide_whole_or_cut(error.advice, secret)
    error.message, error.advice = hide(error.message), hide(error.advice)  # those of others, in headers and URLs
    return error
