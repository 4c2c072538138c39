"""What a request is authorised with: a key, or a way to be known that makes a proof of its own for each request.

Must never show a secret: people see an account, which is a mask.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol, runtime_checkable

from pointsman.core.catalogue import Provider
from pointsman.core.http import Head, Request
from pointsman.core.secret import Secret
from pointsman.core.stored import Record

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


@runtime_checkable
class Renewable(Way, Protocol):
    """A way whose proof may be over before its time, and had anew: an account by OAuth."""

    def turned_down(self) -> bool:
        """What was put on the last request was refused (HTTP 401); whether the next one brings something else."""
        ...


@runtime_checkable
class Named(Way, Protocol):
    """A way that is told from others of its class by more than how it prints: a source of keys, a plugin's."""

    @property
    def distinct(self) -> str:
        """What tells it from others; may hold a secret."""
        ...


@dataclass(frozen=True)
class Credential:
    """One way to be known to a provider; neither a key nor a way where none is needed.

    `temporary`: it is the key of a temporary session, and reads as one. `record` is the stored credential that it is.
    `called` tells a key from another whose mask is the same.
    """

    key: Secret | None = None
    way: Way | None = None
    temporary: bool = False
    record: Record | None = None
    called: str = ""

    @property
    def account(self) -> str | None:
        """What people may see of it."""
        if self.key is not None:
            mask = f"{self.key.mask()} ({self.called})" if self.called else self.key.mask()
            return f"temporary {mask}" if self.temporary else mask
        return self.way.account if self.way is not None else None

    @property
    def secrets(self) -> Sequence[Secret]:
        """All that must never be read in an error."""
        if self.key is not None:
            return (self.key,)
        return self.way.secrets if self.way is not None else ()

    def identity(self, salt: bytes) -> str:
        """What it is called where it is remembered: the id of its record, else a hash that says nothing without `salt`
        (up to 64 bytes) and nothing of a key even with it; empty where no credential is needed.
        """
        if self.record is not None:
            return self.record.id
        if self.key is None and self.way is None:
            return ""
        if self.key is not None:
            named = self.key.reveal()
        else:
            named = f"{type(self.way).__name__} {self.way.distinct if isinstance(self.way, Named) else self.way!r}"
        return blake2b(named.encode("utf-8", "surrogatepass"), digest_size=8, key=salt).hexdigest()

    def turned_down(self) -> bool:
        """It was refused (HTTP 401); whether asking once more with it may go better."""
        return isinstance(self.way, Renewable) and self.way.turned_down()
