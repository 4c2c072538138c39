"""Puts a credential on a request. One of the few places where a secret is revealed (docs/security.md lists them).

Must never log, nor let a secret out in an error: `redact` takes it out of what a provider says.
"""

from __future__ import annotations

from dataclasses import replace

from pointsman.core.catalogue import Auth
from pointsman.core.errors import PointsmanError
from pointsman.core.http import Request
from pointsman.core.secret import Secret


def authorise(request: Request, auth: Auth, key: Secret | None) -> Request:
    """The request with the key where the provider's scheme wants it; unchanged without one."""
    if key is None:
        return request
    own = auth.scheme == "header"
    name, value = (auth.header, key.reveal()) if own else ("authorization", f"Bearer {key.reveal()}")
    return replace(request, headers={**request.headers, name: value})


def redact(error: PointsmanError, key: Secret | None) -> PointsmanError:
    """Takes the key out of an error's words: some providers quote the key they refuse."""
    if key is not None:
        value, mask = key.reveal(), key.mask()
        error.message = error.message.replace(value, mask)
        for size in range(len(value) - 1, len(mask) - 1, -1):  # long words are cut, perhaps in the middle of the key
            if error.message.endswith(value[:size]):
                error.message = error.message[:-size] + mask
                break
    return error
