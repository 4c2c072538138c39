"""Parameters and results of the methods about the vault and the audit.

Names are camelCase on the wire; unknown fields of a newer client are ignored. Times are RFC 3339 UTC.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from pointsman.core.errors import ErrorData

Passphrase = Annotated[str, Meta(min_length=1, max_length=1024)]
ExportedText = Annotated[str, Meta(min_length=1, max_length=2**24)]


class DamagedRecord(Struct, rename="camel"):
    """A stored credential that is left out, and why. What it says of itself may be damaged, too."""

    id: str
    provider: str
    label: str
    reason: str


class VaultStatusResult(Struct, rename="camel", omit_defaults=True):
    """The vault: which key seals it and where that lies, never the key itself.

    `records` counts the credentials that can be used; all of them, while it can't be opened, and `error` says why.
    `key` is a name that tells one key from another.
    """

    state: Literal["empty", "open", "locked", "wrongKey"]
    records: int
    file: str
    damaged: list[DamagedRecord]
    notes: list[str]
    source: Literal["environment", "keyring", "file"] | None = None
    where: str | None = None
    key: str | None = None
    error: ErrorData | None = None


class ExportVaultParams(Struct, rename="camel"):
    """What the file is to be sealed by."""

    passphrase: Passphrase


class ExportVaultResult(Struct, rename="camel"):
    """`content` is the text of the file; the client writes it, so that only its owner can read it."""

    content: str
    records: int
    accounts: int
    left_out: int


class ImportVaultParams(Struct, rename="camel"):
    """The text of an exported file, and what opens it."""

    content: ExportedText
    passphrase: Passphrase


class ImportedRecord(Struct, rename="camel"):
    """A credential that came with an import."""

    provider: str
    label: str
    kind: Literal["key", "oauth"]
    origin: str
    outcome: Literal["added", "replaced", "thereAlready"]


class ImportVaultResult(Struct, rename="camel"):
    """What became of each credential in the file."""

    records: list[ImportedRecord]


class DiscardVaultParams(Struct, rename="camel"):
    """`all` is needed where the key is lost: then nothing that is stored is left."""

    all: bool = False


class DiscardVaultResult(Struct, rename="camel"):
    """How many credentials were removed that nobody could open."""

    removed: int


class AuditParams(Struct, rename="camel"):
    """How many events, and of which provider; of all without one."""

    limit: Annotated[int, Meta(ge=1, le=10_000)] = 100
    provider: str | None = None


class AuditEvent(Struct, rename="camel", omit_defaults=True):
    """Something that happened to a credential. `account` is the label that people know it by."""

    at: str
    event: str
    provider: str
    account: str
    client: str | None = None
    detail: str = ""


class AuditResult(Struct, rename="camel"):
    """The newest event first."""

    events: list[AuditEvent]
