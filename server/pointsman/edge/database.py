"""An open SQLite database with one thread that writes.

Whatever has piled up while the disk was busy, or within a moment where nobody waits for it, is one transaction. Must
never know what a table holds or means (docs/decisions/0004-sqlite.md).
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pointsman.core.errors import StorageError
from pointsman.edge.database_file import UNREADABLE, Connection, Row, opened, text, words

log = logging.getLogger(__name__)

FLUSH_DELAY = 0.01
"""Seconds that may pass before what nobody waits for is written: chats that follow each other closely share a
transaction, and the writing takes less of the next one's time."""

T = TypeVar("T")
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
        self._flush_now = threading.Event()
        self._connection, self.set_aside = opened(path, schema, rescued)
        """`set_aside` is where the damaged file lies that this one stands in for; None where there is none."""
        self._thread = threading.Thread(target=self._write_all, name="store", daemon=True)
        self._thread.start()

    def read(self, query: str, values: Values = ()) -> list[Row]:
        """All rows of a query, read at once: for the start, when nobody writes yet. Raises StorageError."""
        try:
            return self._connection.execute(query, values).fetchall()
        except UNREADABLE as error:
            raise self._unreadable(error) from error

    async def look(self, query: str, values: Values = ()) -> list[Row]:
        """All rows of a query that may take long: in a thread, and beside whoever writes. What was posted is seen.

        Raises StorageError.
        """
        await self.write(lambda _: None)

        def rows() -> list[Row]:
            with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=5.0)) as reader:
                reader.text_factory = text
                return reader.execute(query, values).fetchall()

        try:
            return await asyncio.to_thread(rows)
        except UNREADABLE as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> StorageError:
        return StorageError(f"The state in {self.path} can't be read: {words(error)}.")

    async def write(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        """What the work gives, once all that it did is committed; with `durable`, once that would outlive the power.

        Raises StorageError, and then nothing was changed. The work may run twice, the first time in vain.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._at_once(_Job(work, durable, done))
        return await done

    def post(self, work: Callable[[Connection], Any]) -> None:
        """Has the work done with the next transaction, soon, and waits for nothing; what fails stands in the log
        alone.
        """
        self._waiting.put(_Job(work, False, None))

    async def shed(self) -> None:
        """Moves what the write-ahead log holds into the file, and empties it; a reader elsewhere may keep it so.

        Raises StorageError.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._at_once(_Job(lambda _: None, True, done, sheds=True))
        await done

    async def close(self) -> None:
        """Writes what waits, and closes the file."""
        self._at_once(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def _at_once(self, job: _Job | None) -> None:
        self._waiting.put(job)
        self._flush_now.set()

    def _write_all(self) -> None:
        while True:
            batch = [self._waiting.get()]
            self._flush_now.wait(FLUSH_DELAY)
            self._flush_now.clear()  # before the queue is emptied: what comes behind it is seen in the next round
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
