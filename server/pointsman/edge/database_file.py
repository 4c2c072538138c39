"""An SQLite file: opened, made, looked at for damage; and what of a damaged one can still be read.

Must never know what a table holds or means (docs/decisions/0004-sqlite.md).
"""

from __future__ import annotations

import itertools
import logging
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from pointsman.core.errors import StorageError

log = logging.getLogger(__name__)

Connection = sqlite3.Connection
Row = tuple[Any, ...]
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What sqlite3 raises; the second for words of SQLite that quote a damaged byte, or a column whose name holds one."""
PAGE, LENGTH = 4096, 100
"""Bytes of a page, as SQLite makes them, and of the header that the first begins with."""
WRITERS, HEADER, SIZE_AT, FREE_AT, COOKIE_AT = 18, 20, 28, 32, 40
"""Where things stand in the header: who may write and read it (1 or 2) up to the second, how many pages there are,
which of them are free, and what no page depends on (https://www.sqlite.org/fileformat.html, "The Database Header")."""


class Damaged(Exception):
    """What lies there is no database of ours any more."""


def damage(path: Path, schema: Sequence[str]) -> str | None:
    """What is wrong with a database that nobody writes to, or None; nothing is changed. Raises StorageError."""
    logged = path.with_name(f"{path.name}-wal").exists()
    how = "mode=ro" if logged else "mode=ro&immutable=1"  # the first would make files where there are none
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, timeout=5.0)) as connection:
            connection.text_factory = text
            _look_at_header(path)
            _look_for_damage(connection, schema)
    except Damaged as found:
        return str(found)
    except (*UNREADABLE, OSError) as error:
        raise StorageError(f"The state in {path} can't be read: {words(error)}.") from error
    return None


def opened(path: Path, schema: Sequence[str], rescued: Sequence[str]) -> tuple[Connection, Path | None]:
    """Opens or makes the database. A damaged one is set aside, never deleted: the second value says where. What can be
    read in it of the tables `rescued` is taken over. Raises StorageError.
    """
    try:
        return _prepare(path, schema), None
    except Damaged as found:
        aside = _free(path)
        log.error("the state in %s is damaged (%s); it is set aside as %s, a new one begun", path, found, aside.name)
    except (*UNREADABLE, OSError) as error:
        raise StorageError(f"The state in {path} can't be opened: {words(error)}.") from error
    try:
        _move(path, aside)
        connection = _prepare(path, schema)
    except (*UNREADABLE, Damaged, OSError) as error:
        raise StorageError(f"No new state can be begun in {path}: {words(error)}.") from error
    try:
        with closing(_mended(aside, schema) or _as_it_is(aside)) as damaged:
            for table in rescued:
                _rescue(connection, damaged, table)
    except (*UNREADABLE, OSError) as error:  # it could not be written: what is damaged must not be given up for that
        connection.close()
        _move(aside, path)
        raise StorageError(f"The damaged state in {path} can't be taken over: {words(error)}.") from error
    return connection, aside


def _move(path: Path, to: Path) -> None:
    """Gives a database another name, with what lies beside it."""
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if suffix == "" or part.exists():
            part.replace(to.with_name(to.name + suffix))


def _free(path: Path) -> Path:
    """Where a damaged file goes without taking the place of one that was set aside before."""
    names = (path.with_suffix(f".damaged{number or ''}") for number in itertools.count())
    return next(name for name in names if not name.exists())


def _rescue(connection: Connection, damaged: Connection, table: str) -> None:
    """Takes over the rows of a table that can still be read, up to the first that can't."""
    count = 0
    with connection, suppress(*UNREADABLE):
        for row in damaged.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a name of our own
            with suppress(*UNREADABLE):
                connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
                count += 1
    log.warning("%d rows of %s were taken over from the damaged state", count, table)


def _as_it_is(aside: Path) -> Connection:
    """A damaged database, to read from: its sound tables can be had even where the words that made others can't."""
    damaged = sqlite3.connect(f"{aside.as_uri()}?mode=ro", uri=True)
    damaged.text_factory = text
    with suppress(*UNREADABLE):
        damaged.execute("PRAGMA writable_schema = ON")
    return damaged


def _mended(aside: Path, schema: Sequence[str]) -> Connection | None:
    """A copy in memory of a database whose first page alone was damaged, made sound; None where that is not all.

    Where every other page lies stands in the first. A new database has the same one, but for its header's numbers, as
    long as the tables were all made in one go; whether the copy is whole is looked at as it is for any other.
    """
    with suppress(OSError, AttributeError, *UNREADABLE):  # AttributeError: a Python whose SQLite can't do this
        raw = _with_its_log(aside)
        with closing(sqlite3.connect(":memory:")) as pattern:
            _make(pattern, schema, 0)
            new = pattern.serialize()[:PAGE]
        size = (len(raw) // PAGE).to_bytes(4, "big")
        header = new[:SIZE_AT] + size + raw[FREE_AT:COOKIE_AT] + new[COOKIE_AT:LENGTH]
        for first in (header + raw[LENGTH:PAGE], raw[:WRITERS] + b"\1\1" + raw[HEADER:LENGTH] + new[LENGTH:]):
            copy = sqlite3.connect(":memory:")
            copy.text_factory = text
            with suppress(Damaged, *UNREADABLE):
                copy.deserialize(first + raw[PAGE:])
                if _look_for_damage(copy, schema) == len(schema):
                    return copy
            copy.close()
    return None


def _with_its_log(aside: Path) -> bytes:
    """The file with what the log beside it holds, as a kill leaves one; the file alone where they don't go together."""
    raw, logged = aside.read_bytes(), aside.with_name(f"{aside.name}-wal")
    if logged.exists():
        with tempfile.TemporaryDirectory(dir=aside.parent) as folder, suppress(*UNREADABLE):
            copy = Path(folder) / "copy"
            copy.write_bytes(raw[:WRITERS] + b"\2\2" + raw[HEADER:])
            copy.with_name("copy-wal").write_bytes(logged.read_bytes())
            with closing(sqlite3.connect(copy)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return copy.read_bytes()
    return raw


def _prepare(path: Path, schema: Sequence[str]) -> Connection:
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, check_same_thread=False, timeout=5.0)
    connection.text_factory = text
    try:
        _bring_up_to_date(connection, path, schema)
    except BaseException:
        connection.close()
        raise
    return connection


def words(error: Exception) -> str:
    """What an error says, also where SQLite's words quote a byte that is no text."""
    return text(error.object) if isinstance(error, UnicodeDecodeError) else str(error)


def text(raw: bytes) -> str:
    """A damaged byte in one row must not keep the others from being read."""
    return raw.decode("utf-8", "replace")


def _bring_up_to_date(connection: Connection, path: Path, schema: Sequence[str]) -> None:
    _look_at_header(path)
    version = _look_for_damage(connection, schema)
    if version > len(schema):
        raise StorageError(
            f"The state in {path} was written by a newer Pointsman.",
            "Upgrade this one, or choose another POINTSMAN_HOME.",
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = ON")  # what is removed or sealed anew is not left in a free page
    _make(connection, schema, version)


def _make(connection: Connection, schema: Sequence[str], version: int) -> None:
    with connection:
        for number, statement in enumerate(schema[version:], version + 1):
            if not connection.in_transaction:
                connection.execute("BEGIN IMMEDIATE")  # Python begins none for such statements
            connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")


def _look_at_header(path: Path) -> None:
    """Raises Damaged where SQLite would take what is damaged for a file that it may not write."""
    with path.open("rb") as file:
        if any(byte > 2 for byte in file.read(HEADER)[WRITERS:]):
            raise Damaged("its header is of no format")


def _look_for_damage(connection: Connection, schema: Sequence[str]) -> int:
    """The version of a sound database. Raises Damaged, and what the disk says when it can't be read at all."""
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise Damaged(found)
        tables = _tables(connection)
    except UNREADABLE as error:
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in WORLDLY:
            raise
        raise Damaged(words(error)) from error
    ours = _tables_of(schema)
    if version > len(schema) and not tables <= ours:
        return int(version)
    if not 0 <= version <= len(schema) or tables & ours != _tables_of(schema[:version]):
        raise Damaged(f"its tables are not those of version {version}")
    return int(version)


WORLDLY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
"""What SQLite says of the disk, of rights and of neighbours: none of it is damage."""


def _tables(connection: Connection) -> set[Row]:
    """Every column of every table and index, by name."""
    query = """SELECT made.type, made.name, has.name FROM sqlite_master AS made
        LEFT JOIN pragma_table_xinfo(made.name) AS has WHERE made.name NOT LIKE 'sqlite_%'"""
    return set(connection.execute(query).fetchall())


def _tables_of(schema: Sequence[str]) -> set[Row]:
    with closing(sqlite3.connect(":memory:")) as pattern:
        _make(pattern, schema, 0)
        return _tables(pattern)
