"""Stored credentials as one file for another machine, sealed by a passphrase. Must never know where the file lies."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

import msgspec

from pointsman.core.errors import UNREADABLE, BadRequest, VaultError
from pointsman.core.secret import Secret
from pointsman.core.stored import Record
from pointsman.edge.seal import SCRYPT_N, SCRYPT_P, SCRYPT_R, Box, Content, content_of, holds_of, key_of_passphrase

FORMAT = "pointsman vault"
VERSION = 1
SALT_BYTES = 16
MOST_N = 2**20
"""A file that asks for more is no file of ours: it would have the daemon fill the memory."""


class Exported(msgspec.Struct, frozen=True):
    """The file. Bytes are in base64."""

    format: str
    version: int
    kdf: str
    n: int
    r: int
    p: int
    salt: bytes
    nonce: bytes
    box: bytes


class Packed(msgspec.Struct, frozen=True):
    """A record in the box."""

    id: str
    provider: str
    origin: str
    label: str
    added_at: str
    version: int
    holds: Content


def packed(records: Iterable[Record], passphrase: Secret) -> str:
    """The records as the text of a file. Takes half a second: for a thread."""
    content = msgspec.json.encode([_packed(record) for record in records])
    salt = secrets.token_bytes(SALT_BYTES)
    box = key_of_passphrase(passphrase, salt).seal(content, (FORMAT, VERSION))
    head = (FORMAT, VERSION, "scrypt", SCRYPT_N, SCRYPT_R, SCRYPT_P)
    return msgspec.json.format(msgspec.json.encode(Exported(*head, salt, box.nonce, box.content)), indent=2).decode()


def opened(text: str, passphrase: Secret) -> list[Record]:
    """The records in the text of a file. Takes half a second: for a thread.

    Raises BadRequest if that is no such file, VaultError if the passphrase does not open it.
    """
    try:
        found = msgspec.json.decode(text, type=Exported)
    except UNREADABLE:
        raise _strange("This is no exported vault, or only a part of one.") from None
    if found.format != FORMAT:
        raise _strange("This is no exported vault.")
    known = (VERSION, "scrypt", SCRYPT_R, SCRYPT_P)
    if (found.version, found.kdf, found.r, found.p) != known or not _is_a_power(found.n):
        raise BadRequest("This vault was exported by a newer Pointsman, or damaged since.", "Upgrade this one.")
    key = key_of_passphrase(passphrase, found.salt, found.n)
    content = key.open(Box(found.nonce, found.box), (FORMAT, VERSION))
    if content is None:
        raise VaultError(
            "The passphrase does not open this file, or the file is damaged.",
            "Type the passphrase again, as it was given to `pointsman vault export`. Nothing was imported.",
        )
    try:
        return [_unpacked(each) for each in msgspec.json.decode(content, type=list[Packed])]
    except (*UNREADABLE, ValueError):
        raise BadRequest("This vault was exported by a newer Pointsman.", "Upgrade this one.") from None


def _packed(record: Record) -> Packed:
    about = (record.id, record.provider, record.origin, record.label, record.added_at, record.version)
    return Packed(*about, content_of(record.holds))


def _unpacked(each: Packed) -> Record:
    holds = holds_of(each.holds)
    if holds is None:
        raise ValueError("neither a key nor an account")
    return Record(each.id, each.provider, each.origin, each.label, holds, each.added_at, each.version)


def _is_a_power(n: int) -> bool:
    return 2 <= n <= MOST_N and n & (n - 1) == 0


def _strange(message: str) -> BadRequest:
    return BadRequest(message, "Give the file that `pointsman vault export` wrote. Nothing was imported.")
