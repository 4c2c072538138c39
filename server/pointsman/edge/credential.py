"""What a request is authorised with: a key, or a way to be known that makes a proof of its own for each request.

Must never show a secret: people see an account, which is a mask.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pointsman.core.catalogue import Provider
from pointsman.core.http import Head, Request
from pointsman.core.secret import Secret

Fetch = Callable[[Request, float], Awaitable[tuple[Head, bytes]]]
"""Sends a request, with so many seconds for the connection, and reads the answer: `Transports.fetch`."""


class Way(Protocol):
    """A way to be known that is more than a key: AWS and Google Cloud have one each."""

    @property
    def account(self) -> str | None:
        """What people may see of it: eight characters at most, never more than half; None while nothing is known."""
        ...

    @property
    def secrets(self) -> Sequence[Secret]:
        """All that must never be read in an error."""
        ...

    @property
    def signs(self) -> bool:
        """Whether it proves itself without sending what somebody else could use."""
        ...

    async def authorise(self, request: Request, provider: Provider, fetch: Fetch) -> Request:
        """The request with its proof. Raises CredentialError, ProviderError or TransportError."""
        ...


@dataclass(frozen=True)
class Credential:
    """One way to be known to a provider; neither a key nor a way where none is needed."""

    key: Secret | None = None
    way: Way | None = None

    @property
    def account(self) -> str | None:
        """What people may see of it."""
        if self.key is not None:
            return self.key.mask()
        return self.way.account if self.way is not None else None

    @property
    def secrets(self) -> Sequence[Secret]:
        """All that must never be read in an error."""
        if self.key is not None:
            return (self.key,)
        return self.way.secrets if self.way is not None else ()
