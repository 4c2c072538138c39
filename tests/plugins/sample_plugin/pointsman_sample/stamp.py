"""A way to authenticate: a stamp is made anew for each request, from a key that the provider's `auth.env` names."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from pointsman.core.catalogue import Provider
from pointsman.core.errors import MissingKey
from pointsman.core.http import Request
from pointsman.core.plugin import EnvironmentGetter


async def authorise(request: Request, provider: Provider, variable: EnvironmentGetter) -> Request:
    """The request with its stamp."""
    key = next((value for name in provider.auth.variables if (value := variable(name))), None)
    if key is None:
        raise MissingKey(f"{provider.title} has no key to make a stamp with.", provider=provider.id)
    stamp = hashlib.sha256(key.encode() + request.body).hexdigest()
    return replace(request, headers={**request.headers, "x-stamp": stamp})
