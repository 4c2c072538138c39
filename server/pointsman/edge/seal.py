"""Seals what is stored, and opens it again: AES-256-GCM, by the only file that imports cryptography.

A box is bound to its place by its associated data: moved to another row, or with a column of its row changed, it does
not open. Must never know where a box or a key is kept.

Sources: NIST SP 800-38D (GCM, a fresh random nonce of 96 bits a box), RFC 5869 (HKDF), RFC 7914 (scrypt).
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from pointsman.core.errors import UNREADABLE
from pointsman.core.secret import Secret
from pointsman.core.stored import Record, Tokens

KEY_BYTES = 32
NONCE_BYTES = 12
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**17, 8, 1
"""About 128 MiB and half a second a guess."""

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Box:
    """What was sealed: unreadable without its key, and elsewhere than in its place."""

    nonce: bytes
    content: bytes = field(repr=False)


class Key:
    """A key that seals and opens. Its `name` is no secret: it tells it from others, and is kept with what it seals."""

    __slots__ = ("_cipher", "_value", "name")

    def __init__(self, value: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - 30 ms, and only with a vault

        if len(value) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._value = value
        self._cipher = AESGCM(_derived(value, b"pointsman seal"))
        self.name = _derived(value, b"pointsman name")[:8].hex()

    @classmethod
    def new(cls) -> Key:
        """A random one."""
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def from_text(cls, text: str) -> Key | None:
        """A key that was written down in hexadecimal or base64, None if it is neither."""
        text = text.strip()
        try:
            value = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else _base64(text)
        except (ValueError, binascii.Error):
            return None
        return cls(value) if len(value) == KEY_BYTES else None

    def text(self) -> str:
        """The key itself, in base64: for the place that keeps it, and for nobody else."""
        return base64.urlsafe_b64encode(self._value).decode()

    def seal(self, content: bytes, place: Place) -> Box:
        """A box that opens in this place alone."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return Box(nonce, self._cipher.encrypt(nonce, content, msgspec.json.encode(place)))

    def open(self, box: Box, place: Place) -> bytes | None:
        """What is in a box; None if it was sealed by another key, for another place, or has changed since."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        try:
            return self._cipher.decrypt(box.nonce, box.content, msgspec.json.encode(place))
        except (InvalidTag, ValueError):  # ValueError: a nonce of another length
            return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and secrets.compare_digest(self._value, other._value)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Key({self.name})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Key is never pickled or copied out of the process")


def key_of_passphrase(passphrase: Secret, salt: bytes, n: int = SCRYPT_N) -> Key:
    """The key that a passphrase stands for. Takes half a second: for a thread."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt  # noqa: PLC0415

    return Key(Scrypt(salt=salt, length=KEY_BYTES, n=n, r=SCRYPT_R, p=SCRYPT_P).derive(passphrase.reveal().encode()))


@dataclass(frozen=True)
class Sealed:
    """A record as it lies in the store: what is in the clear tells where it belongs, the secrets are in the box.

    `number` is its place in the order in which records were added; `key` the name of the key that sealed it.
    """

    number: int
    id: str
    provider: str
    kind: str
    version: int
    origin: str
    label: str
    added_at: str
    key: str
    box: Box

    @property
    def place(self) -> Place:
        """What the box is bound to."""
        return (
            "record",
            *(self.number, self.id, self.provider, self.kind, self.version, self.origin, self.label, self.added_at),
        )


class Content(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is in the box of a record: a key, or the tokens of an account. See core.stored for each."""

    key: str | None = None
    access: str | None = None
    refresh: str | None = None
    expires_at: float | None = None
    obtained_at: float = 0.0
    token_origin: str = ""
    account: str | None = None
    subject: str | None = None
    scope: str | None = None
    refresh_begun_at: float | None = None
    refused: str | None = None

    def __repr__(self) -> str:
        return "Content(…)"


def seal_record(key: Key, number: int, record: Record) -> Sealed:
    """A record, ready to be stored."""
    about = (record.id, record.provider, record.kind, record.version, record.origin, record.label, record.added_at)
    bare = Sealed(number, *about, key.name, Box(b"", b""))
    content = msgspec.json.encode(content_of(record.holds))
    return Sealed(number, *about, key.name, key.seal(content, bare.place))


def open_record(key: Key, sealed: Sealed) -> Record | None:
    """A record as it was sealed; None if it is damaged, or sealed by another key."""
    content = key.open(sealed.box, sealed.place)
    if content is None:
        return None
    try:
        holds = holds_of(msgspec.json.decode(content, type=Content))
    except UNREADABLE:
        return None
    about = (sealed.id, sealed.provider, sealed.origin, sealed.label)
    return None if holds is None else Record(*about, holds, sealed.added_at, sealed.version)


def content_of(holds: Secret | Tokens) -> Content:
    """The secrets of a record, bare: for the inside of a box."""
    if isinstance(holds, Secret):
        return Content(key=holds.reveal())
    return Content(
        access=holds.access.reveal(),
        refresh=holds.refresh.reveal() if holds.refresh else None,
        expires_at=holds.expires_at,
        obtained_at=holds.obtained_at,
        token_origin=holds.token_origin,
        account=holds.account,
        subject=holds.subject,
        scope=holds.scope,
        refresh_begun_at=holds.refresh_begun_at,
        refused=holds.refused,
    )


def holds_of(content: Content) -> Secret | Tokens | None:
    """What a record holds, by the content of its box; None if that is neither a key nor an account."""
    if content.key is not None:
        return Secret(content.key)
    if content.access is None:
        return None
    return Tokens(
        access=Secret(content.access),
        refresh=None if content.refresh is None else Secret(content.refresh),
        expires_at=content.expires_at,
        obtained_at=content.obtained_at,
        token_origin=content.token_origin,
        account=content.account,
        subject=content.subject,
        scope=content.scope,
        refresh_begun_at=content.refresh_begun_at,
        refused=content.refused,
    )


@dataclass(frozen=True)
class Contents:
    """The vault's list of what is in it, and its box. It tells a record that somebody put back, or took away.

    `source` says what sort of place its key was put into; it is a hint, and sealed by nothing.
    """

    key: str
    source: str
    box: Box


def seal_contents(key: Key, source: str, versions: Mapping[str, int]) -> Contents:
    """The version of each record by its id, ready to be stored."""
    return Contents(key.name, source, key.seal(msgspec.json.encode(versions), ("contents",)))


def open_contents(key: Key, contents: Contents) -> dict[str, int] | None:
    """The version of each record by its id; None if the list is damaged, or sealed by another key."""
    content = key.open(contents.box, ("contents",))
    if content is None:
        return None
    versions: dict[str, int] = msgspec.json.decode(content, type=dict[str, int])
    return versions


def _derived(value: bytes, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand  # noqa: PLC0415

    return HKDFExpand(SHA256(), KEY_BYTES, purpose).derive(value)


def _base64(text: str) -> bytes:
    text = text.replace("-", "+").replace("_", "/")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
