"""An SQLite file with one thread that writes: the only file that imports sqlite3.

Whatever has piled up while the disk was busy is one transaction. Must never know what a table holds or means
(docs/decisions/0004-sqlite.md).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pointsman.core.errors import StorageError

log = logging.getLogger(__name__)

Connection = sqlite3.Connection
T = TypeVar("T")
Row = tuple[Any, ...]
Values = Sequence[Any] | Mapping[str, Any]


@dataclass(eq=False)
class _Job:
    """One piece of work: a transaction of its own, or a part of one with what waits beside it."""

    work: Callable[[Connection], Any]
    durable: bool
    done: asyncio.Future[Any] | None
    sheds: bool = False

    def settle(self, result: Any, failure: StorageError | None) -> None:
        """Tells whoever waits, if anybody does."""
        if self.done is not None:
            self.done.get_loop().call_soon_threadsafe(_settle, self.done, result, failure)


class Database:
    """An open database of that schema: one statement a version, `PRAGMA user_version` says how many it has seen.

    `close` writes what is still waiting.
    """

    def __init__(self, path: Path, schema: Sequence[str], rescued: Sequence[str] = ()) -> None:
        """Opens or makes the file. Of a damaged one, what can be read of the tables `rescued` is taken over.

        Raises StorageError.
        """
        self.path = path
        self._waiting: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._connection, self.set_aside = _open(path, schema, rescued)
        """`set_aside` is where the damaged file lies that this one stands in for; None where there is none."""
        self._thread = threading.Thread(target=self._write_all, name="store", daemon=True)
        self._thread.start()

    def read(self, query: str, values: Values = ()) -> list[Row]:
        """All rows of a query, read at once: for the start, when nobody writes yet. Raises StorageError."""
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    async def look(self, query: str, values: Values = ()) -> list[Row]:
        """All rows of a query that may take long: in a thread, and beside whoever writes. What was posted is seen.

        Raises StorageError.
        """
        await self.write(lambda _: None)

        def rows() -> list[Row]:
            with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=5.0)) as reader:
                reader.text_factory = _text
                return reader.execute(query, values).fetchall()

        try:
            return await asyncio.to_thread(rows)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: sqlite3.Error) -> StorageError:
        return StorageError(f"The state in {self.path} can't be read: {error}.")

    async def write(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        """What the work gives, once all that it did is committed; with `durable`, once that would outlive the power.

        Raises StorageError, and then nothing was changed. The work may run twice, the first time in vain.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.put(_Job(work, durable, done))
        return await done

    def post(self, work: Callable[[Connection], Any]) -> None:
        """Has the work done with the next transaction, and waits for nothing; what fails stands in the log alone."""
        self._waiting.put(_Job(work, False, None))

    async def shed(self) -> None:
        """Moves what the write-ahead log holds into the file, and empties it; a reader elsewhere may keep it so.

        Raises StorageError.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put(_Job(lambda _: None, True, done, sheds=True))
        await done

    async def close(self) -> None:
        """Writes what waits, and closes the file."""
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def _write_all(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get())
            jobs = [job for job in batch if job is not None]
            if jobs:
                self._write_batch(jobs)
            if len(jobs) < len(batch):
                return

    def _write_batch(self, jobs: Sequence[_Job]) -> None:
        """One transaction for all; where that fails, one for each, so that nobody pays for a neighbour's mistake."""
        try:
            results = self._transaction(jobs)
        except Exception as error:  # also of our own making: this thread must live, or every later write hangs
            if len(jobs) > 1:
                for job in jobs:
                    self._write_batch([job])
                return
            log.warning("state could not be written: %s", error)
            jobs[0].settle(None, StorageError(f"The state could not be written to {self.path}: {error}."))
        else:
            for job, result in zip(jobs, results, strict=True):
                job.settle(result, None)

    def _transaction(self, jobs: Sequence[_Job]) -> list[Any]:
        level = "FULL" if any(job.durable for job in jobs) else "NORMAL"
        self._connection.execute(f"PRAGMA synchronous = {level}")
        with self._connection:
            results = [job.work(self._connection) for job in jobs]
        if any(job.sheds for job in jobs):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return results


def _settle(done: asyncio.Future[Any], result: Any, failure: StorageError | None) -> None:
    if done.done():
        return
    if failure is None:
        done.set_result(result)
    else:
        done.set_exception(failure)


def _open(path: Path, schema: Sequence[str], rescued: Sequence[str]) -> tuple[Connection, Path | None]:
    """Opens or makes the database. A damaged one is set aside, never deleted: the second value says where."""
    try:
        return _prepare(path, schema), None
    except (sqlite3.OperationalError, OSError) as error:
        raise StorageError(f"The state in {path} can't be opened: {error}.") from error
    except sqlite3.DatabaseError as error:
        aside = _free(path)
        log.error("the state in %s is damaged (%s); it is set aside as %s, a new one begun", path, error, aside.name)
    try:
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if suffix == "" or part.exists():
                part.replace(aside.with_name(aside.name + suffix))
        connection = _prepare(path, schema)
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"No new state can be begun in {path}: {error}.") from error
    for table in rescued:
        _rescue(connection, aside, table)
    return connection, aside


def _free(path: Path) -> Path:
    """Where a damaged file goes without taking the place of one that was set aside before."""
    names = (path.with_suffix(f".damaged{number or ''}") for number in itertools.count())
    return next(name for name in names if not name.exists())


def _rescue(connection: Connection, aside: Path, table: str) -> None:
    """Takes over the rows of a table that can still be read, up to the first that can't."""
    count = 0
    with closing(sqlite3.connect(f"{aside.as_uri()}?mode=ro", uri=True)) as damaged, connection:
        damaged.text_factory = _text
        with suppress(sqlite3.Error):
            for row in damaged.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a name of our own
                with suppress(sqlite3.Error):
                    connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
                    count += 1
    log.warning("%d rows of %s were taken over from the damaged state", count, table)


def _prepare(path: Path, schema: Sequence[str]) -> Connection:
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, check_same_thread=False, timeout=5.0)
    connection.text_factory = _text
    try:
        _bring_up_to_date(connection, path, schema)
    except BaseException:
        connection.close()
        raise
    return connection


def _text(raw: bytes) -> str:
    """A damaged byte in one row must not keep the others from being read."""
    return raw.decode("utf-8", "replace")


def _bring_up_to_date(connection: Connection, path: Path, schema: Sequence[str]) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(schema):
        raise StorageError(
            f"The state in {path} was written by a newer Pointsman.",
            "Upgrade this one, or choose another POINTSMAN_HOME.",
        )
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = ON")  # what is removed or sealed anew is not left in a free page
    with connection:
        for number, statement in enumerate(schema[version:], version + 1):
            if not connection.in_transaction:
                connection.execute("BEGIN IMMEDIATE")  # Python begins none for such statements
            connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
