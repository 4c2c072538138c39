"""What has happened to credentials: the last ten thousand events, in the store. Must never hold a secret."""

from __future__ import annotations

from collections.abc import Callable

from pointsman.edge.sealed_store import Noted, SealedStore
from pointsman.service.clock import now

MOST = 10_000
"""Events that are kept."""
FIRST = "usedFirst"
COMING = ("added", "signedIn", "imported")
"""Events by which a credential comes, or comes anew."""


class Audit:
    """Events of credentials: added, usedFirst, refreshed, refused, signedIn, signedOut, rotated, exported, imported,
    removed.
    """

    def __init__(self, store: SealedStore, clock: Callable[[], str] = now) -> None:
        self._store, self._clock = store, clock

    def note(self, event: str, provider: str, account: str, client: str | None = None, detail: str = "") -> None:
        """Keeps an event; never waits, and never fails its caller.

        `account` is the record's label: this lies in the clear, where not even a key's mask should.
        """
        self._store.note(Noted(self._clock(), event, provider, account, client, detail), MOST)

    def note_first(self, provider: str, account: str, client: str | None) -> None:
        """A credential was used: kept only the first time since it came. As `note` otherwise."""
        self._store.note(Noted(self._clock(), FIRST, provider, account, client, ""), MOST, COMING)

    async def last(self, limit: int, provider: str | None = None) -> list[Noted]:
        """The last events, of one provider if it is named, the newest first. Raises StorageError."""
        return await self._store.noted(limit, provider)
