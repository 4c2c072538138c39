"""Parameters and results of the methods about accounts. Must never hold a token."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from pointsman.core.errors import ErrorData
from pointsman.service.login import Flow

AccountState = Literal["ready", "signInNeeded", "wrongOrigin", "unknownProvider"]
Label = Annotated[str, Meta(min_length=1, max_length=100)]


class SignInParams(Struct, rename="camel"):
    """A provider to sign in to. `flow` absent: by a browser on this machine, or by a code for another device where the
    client is `remote` or the provider has nothing else.

    `label` is a name of your own for the account; absent: what the provider calls it. `account` is one that is stored
    already and signs in anew; that is seen by itself where the provider names its accounts.
    """

    provider: str
    flow: Flow | None = None
    label: Label | None = None
    account: str | None = None


class SignOutParams(Struct, rename="camel"):
    """A provider, and which of its accounts, by its label or its id; absent: the only one."""

    provider: str
    account: str | None = None


class ListAccountsParams(Struct, rename="camel"):
    """Of one provider, or of all."""

    provider: str | None = None


class AccountInfo(Struct, rename="camel", omit_defaults=True):
    """An account that has signed in. `account` is its label, unique among those of its provider.

    `expiresAt` is when the access token ends, which is renewed by itself; `lastRefreshAt` when it came. `signInNeeded`
    says that only a new sign-in helps, `reason` why; `wrongOrigin` that it signed in for another address than the one
    that the provider has now; `unknownProvider` that there is no such provider for this connection any more.
    """

    id: str
    provider: str
    account: str
    state: AccountState
    added_at: str
    last_refresh_at: str
    expires_at: str | None = None
    reason: str | None = None


class ListAccountsResult(Struct, rename="camel"):
    """Accounts, in the order in which they first signed in."""

    accounts: list[AccountInfo]


class SignOutResult(Struct, rename="camel", omit_defaults=True):
    """The account is gone from here. `revoked`: its tokens have ended at the provider, too; `error` says what kept
    that from happening, and is absent where the provider has no place for it."""

    provider: str
    account: str
    revoked: bool
    error: ErrorData | None = None
