"""Parameters and results of the methods about keys.

Names are camelCase on the wire; unknown fields of a newer client are ignored. Times are RFC 3339 UTC.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from pointsman.core.errors import ErrorData
from pointsman.core.trial import Step

ProviderId = Annotated[str, Meta(min_length=1, max_length=200)]
Label = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$")]
KeySource = Literal["variable", "file", "command", "configuration", "stored", "account", "chat"]


class KeyTrial(Struct, rename="camel", omit_defaults=True):
    """How a key did when it was tried: up to the first step that failed."""

    ok: bool
    milliseconds: int
    steps: list[Step] = []
    error: ErrorData | None = None


class KeyInfo(Struct, rename="camel", omit_defaults=True):
    """A key or an account of a provider, as this connection sees it; never the key itself.

    `source`: a `variable` of the environment, a `file`, a `command`, plain text of the `configuration`, `stored` by
    Pointsman, an `account` that has signed in, or `chat` for a key that comes with each chat. `name` is that of the
    variable, the file, the program or, of what is stored, its label. `account` is a mask, absent where the key has not
    been looked up yet. `origin` is the only place that it is shown to; absent: wherever this connection asks. `usable`
    says whether that is where the provider is now; `note` says why it is not, or what else is amiss.
    """

    provider: str
    source: KeySource
    stored: bool
    usable: bool
    name: str = ""
    account: str | None = None
    origin: str | None = None
    added_at: str | None = None
    note: str | None = None
    trial: KeyTrial | None = None


class SetKeyParams(Struct, rename="camel"):
    """A key to be stored, for the address that the provider has for this connection.

    Under a label that is there already it takes that key's place. `test` false stores it without trying it first.
    """

    provider: ProviderId
    key: Annotated[str, Meta(min_length=1, max_length=65536)]
    label: Label | None = None
    test: bool = True


class SetKeyResult(Struct, rename="camel", omit_defaults=True):
    """The key as it is stored; how it did, if it was tried; and variables of this connection that hold one as well."""

    key: KeyInfo
    trial: KeyTrial | None = None
    variables: list[str] = []


class RemoveKeyParams(Struct, rename="camel"):
    """A stored key by its label; without one, the only one that there is."""

    provider: ProviderId
    label: str | None = None


class RemoveKeyResult(Struct, rename="camel"):
    """The key that is no longer stored."""

    key: KeyInfo


class ListKeysParams(Struct, rename="camel"):
    """Of one provider, or of all; with `test`, each key that can be used is tried."""

    provider: ProviderId | None = None
    test: bool = False


class ListKeysResult(Struct, rename="camel", omit_defaults=True):
    """Every key of every source, in the order of the providers; `error` says why what is stored can't be opened."""

    keys: list[KeyInfo]
    error: ErrorData | None = None


class AdoptKeyParams(Struct, rename="camel"):
    """A provider whose keys stand in plain text in the user's file."""

    provider: ProviderId


class AdoptKeyResult(Struct, rename="camel"):
    """The keys as they are stored now, and the file that they stood in."""

    keys: list[KeyInfo]
    file: str
