"""The tables of the vault and of the audit, and the transactions upon them. Must never open a box.

What concerns credentials is committed so that it outlives a power cut (`synchronous = FULL`); the audit is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from pointsman.edge.database import Database
from pointsman.edge.database_file import Connection, Row
from pointsman.edge.seal import Box, Contents, Sealed

COLUMNS = "number, id, provider, kind, version, origin, label, added_at, key, nonce, box"
CONTENTS = "contents"
T = TypeVar("T")


@dataclass(frozen=True)
class Noted:
    """One event in the life of a credential. `at` is RFC 3339 in UTC."""

    at: str
    event: str
    provider: str
    account: str
    client: str | None
    detail: str


class SealedStore:
    """The sealed records, their list of contents, and the audit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def records(self) -> list[Sealed]:
        """Every record, in the order added. Called at the start. Raises StorageError."""
        rows = self._database.read(f"SELECT {COLUMNS} FROM sealed ORDER BY number")  # noqa: S608 - no input in it
        return [_sealed(row) for row in rows]

    def contents(self) -> Contents | None:
        """The list of what is in the vault. Called at the start. Raises StorageError."""
        for row in self._database.read("SELECT key, source, nonce, box FROM vault"):
            key, source, nonce, box = _as(tuple[str, str, bytes, bytes], row) or ("", "", b"", b"")
            return Contents(key, source, Box(nonce, box))
        return None

    async def put(self, records: Iterable[Sealed], contents: Contents, without: Sequence[str] = ()) -> None:
        """Makes records and the list of contents durable, and removes those of the ids `without`: all or nothing.

        Raises StorageError.
        """
        rows = [_row(sealed) for sealed in records]

        def work(connection: Connection) -> None:
            connection.executemany("DELETE FROM sealed WHERE id = ?", [(id,) for id in without])
            connection.executemany(
                f"INSERT OR REPLACE INTO sealed ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                rows,
            )
            box = contents.box
            connection.execute(
                "INSERT OR REPLACE INTO vault VALUES (?, ?, ?, ?, ?)",
                (CONTENTS, contents.key, contents.source, box.nonce, box.content),
            )

        await self._database.write(work, durable=True)

    async def shed(self) -> None:
        """Empties the write-ahead log, where the boxes that were replaced or removed may lie. Raises StorageError."""
        await self._database.shed()

    def note(self, noted: Noted, most: int, once_since: Sequence[str] = ()) -> None:
        """Adds to the audit without waiting, and keeps the last so many.

        With `once_since`, only if the same event has not been noted of the same account since one of these.
        """

        def work(connection: Connection) -> None:
            if once_since:
                marks = ", ".join("?" * (len(once_since) + 1))
                last = connection.execute(
                    f"SELECT event FROM audit WHERE provider = ? AND account = ? AND event IN ({marks})"  # noqa: S608
                    " ORDER BY number DESC LIMIT 1",
                    (noted.provider, noted.account, noted.event, *once_since),
                ).fetchone()
                if last is not None and last[0] == noted.event:
                    return
            cursor = connection.execute(
                "INSERT INTO audit (at, event, provider, account, client, detail) VALUES (?, ?, ?, ?, ?, ?)",
                (noted.at, noted.event, noted.provider, noted.account, noted.client, noted.detail),
            )
            connection.execute("DELETE FROM audit WHERE number <= ?", ((cursor.lastrowid or 0) - most,))

        self._database.post(work)

    async def noted(self, limit: int, provider: str | None) -> list[Noted]:
        """The last of the audit, the newest first. Raises StorageError."""

        def work(connection: Connection) -> list[Noted]:
            rows = connection.execute(
                "SELECT at, event, provider, account, client, detail FROM audit"
                " WHERE ?1 IS NULL OR provider = ?1 ORDER BY number DESC LIMIT ?2",
                (provider, limit),
            )
            return [Noted(*row) for row in rows]

        return await self._database.write(work)


def _sealed(row: Row) -> Sealed:
    """A row as a record. One that is so damaged that its columns hold other types gets an empty box: it won't open."""
    found = _as(tuple[int, str, str, str, int, str, str, str, str, bytes, bytes], row)
    if found is None:
        return Sealed(row[0], str(row[1]), str(row[2]), "", 0, "", str(row[6]), "", "", Box(b"", b""))
    *_, nonce, box = found
    return Sealed(*found[:9], Box(nonce, box))


def _as(type: type[T], row: Row) -> T | None:
    try:
        return msgspec.convert(row, type)
    except msgspec.ValidationError:
        return None


def _row(sealed: Sealed) -> tuple[object, ...]:
    about = (sealed.number, sealed.id, sealed.provider, sealed.kind, sealed.version, sealed.origin)
    return (*about, sealed.label, sealed.added_at, sealed.key, sealed.box.nonce, sealed.box.content)
