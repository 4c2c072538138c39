"""An account by OAuth as a way to be known: its access token on each request. One of the few places that reveal one.

Must never know how a token is renewed, nor send one to another origin than the account's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol

from pointsman.core.catalogue import Provider
from pointsman.core.errors import WrongOrigin
from pointsman.core.http import Request, origin
from pointsman.core.secret import Secret
from pointsman.core.stored import Record, Tokens
from pointsman.edge.credential import Fetch


class Keeper(Protocol):
    """Who keeps the tokens of accounts: `service.accounts`."""

    async def fresh(self, id: str, provider: Provider, fetch: Fetch, refused: Secret | None = None) -> Tokens:
        """Tokens that hold now; `refused` is the access token that was just turned down."""
        ...


@dataclass
class AccountWay:
    """One account, for one chat: it remembers what it has put on a request. Two of one account are equal."""

    id: str
    record: Record = field(repr=False, compare=False)
    keeper: Keeper = field(repr=False, compare=False)
    signs: ClassVar[bool] = False
    _seen: set[Secret] = field(default_factory=set, repr=False, compare=False)
    _sent: Secret | None = field(default=None, repr=False, compare=False)
    _refused: Secret | None = field(default=None, repr=False, compare=False)

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def account(self) -> str:
        """What people know it by."""
        return self.record.account

    @property
    def secrets(self) -> Sequence[Secret]:
        """All of its tokens, also those that were renewed meanwhile."""
        return tuple({*self.record.secrets, *self._seen})

    async def authorise(self, request: Request, provider: Provider, fetch: Fetch) -> Request:
        """The request with the access token, and with the account's name where the provider wants it.

        Raises SignInNeeded, StorageError, WrongOrigin, or what keeps the token from being renewed.
        """
        if (wanted := origin(request.url)) != self.record.origin:
            text = f"The account {self.account} of {provider.title} signed in for {self.record.origin}, not {wanted}."
            raise WrongOrigin(text, provider=provider.id)
        tokens = await self.keeper.fresh(self.id, provider, fetch, self._refused)
        self._seen |= {tokens.access, *([tokens.refresh] if tokens.refresh else [])}
        self._sent = tokens.access
        headers = {"authorization": f"Bearer {tokens.access.reveal()}"}
        oauth = provider.auth.oauth
        if oauth and oauth.account_header and tokens.account:
            headers[oauth.account_header.lower()] = tokens.account
        return replace(request, headers={**request.headers, **headers})

    def turned_down(self) -> bool:
        """The provider took the token of the last request for none: the next one brings another."""
        self._refused = self._sent
        return self._refused is not None
