"""Tries a provider before anything depends on it.

Must never send a key to an address that it was not configured for.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import msgspec

from pointsman.core.catalogue import Provider
from pointsman.core.environment import Environment
from pointsman.core.errors import BadReply, PointsmanError, TimedOut
from pointsman.core.http import origin
from pointsman.core.secret import Secret
from pointsman.edge.authorise import authorise, redact
from pointsman.edge.transport import Transports
from pointsman.service.credentials import Credentials
from pointsman.wire import WIRES

WITHIN = 10.0
"""Seconds that a test may take."""


@dataclass(frozen=True)
class Trial:
    """How a test went: the models that were listed, or what was wrong; and how long it took, in milliseconds."""

    milliseconds: int
    models: int = 0
    error: PointsmanError | None = None


async def test(
    provider: Provider,
    configured: Provider | None,
    environment: Environment,
    tools: tuple[Credentials, Transports],
    key: Secret | None = None,
) -> Trial:
    """Asks a provider for its list of models: that it is there, lets us in, and speaks the dialect.

    `key` is one that was typed just now. Without it the configured ones are tried, but only at the origin that they
    were configured for: `configured` is the provider as it stands in the files, None for one that is new.
    """
    credentials, transports = tools
    wire = WIRES[provider.wire]
    same = configured is None or origin(configured.base_url) == origin(provider.base_url)
    if configured and not same:
        typed = {name: value for name, value in provider.headers.items() if configured.headers.get(name) != value}
        provider = msgspec.structs.replace(provider, headers=typed)  # a configured one may be a secret
    request = wire.models_request(provider)
    begun = time.monotonic()
    if request is None:
        return Trial(0, len(provider.names))
    models = 0
    failure: PointsmanError | None = None
    try:
        if key is None and same:
            key = credentials.in_turn(provider, environment)[0].key
        async with asyncio.timeout(WITHIN):
            head, body = await transports.fetch(authorise(request, provider.auth, key), provider.timeout.connect)
        if 200 <= head.status < 300:
            models = len(wire.models(provider, body))
        elif head.status == 404:
            text = f"{provider.title} has no list of models at {request.url} (HTTP 404)."
            failure = BadReply(text, provider=provider.id, status_code=404)
        else:
            failure = wire.error(provider, head, body)
    except TimeoutError:
        failure = TimedOut(f"{provider.title} did not answer within {WITHIN:g} seconds.", provider=provider.id)
    except PointsmanError as error:
        failure, error.provider = error, error.provider or provider.id
    took = round((time.monotonic() - begun) * 1000)
    return Trial(took, models, redact(failure, key) if failure else None)
