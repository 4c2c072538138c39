"""The daemon's durable state in SQLite: the only file that imports sqlite3.

One thread writes, in batches: whatever has piled up while the disk was busy is one transaction. Must never know what a
choice means, and never holds a secret in the clear (docs/decisions/0004-sqlite.md).
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from pointsman.core.errors import StorageError
from pointsman.core.selection import Author, Choice

log = logging.getLogger(__name__)

SCHEMA: Sequence[str] = (
    """CREATE TABLE choices (
        scope TEXT NOT NULL, key TEXT NOT NULL, model TEXT, revision INTEGER NOT NULL,
        client TEXT NOT NULL, window_id TEXT, at TEXT NOT NULL, PRIMARY KEY (scope, key)
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "INSERT OR IGNORE INTO counters SELECT 'revision', max(revision) FROM choices",
    "CREATE TABLE trusted (path TEXT PRIMARY KEY, hash TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE model_lists (
        provider TEXT NOT NULL, base_url TEXT NOT NULL, at REAL NOT NULL, models TEXT NOT NULL,
        PRIMARY KEY (provider, base_url)
    ) STRICT, WITHOUT ROWID""",
)
"""One statement a version; `PRAGMA user_version` says how many of them a database has seen."""
STALE_WINDOWS = 500
"""Choices of windows that are kept: a window that never came back is forgotten after so many others."""

Work = Callable[[sqlite3.Connection], None]


class Store:
    """An open database. `close` writes what is still waiting."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: queue.SimpleQueue[tuple[Work, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._connection = _open(path)
        self._thread = threading.Thread(target=self._write_all, name="store", daemon=True)
        self._thread.start()

    def choices(self) -> list[Choice]:
        """Every choice, and every scope that was cleared. Called once, at the start."""
        query = "SELECT scope, key, model, revision, client, window_id, at FROM choices ORDER BY revision"
        rows = self._connection.execute(query).fetchall()
        return [
            Choice(scope, key, model, revision, Author(client, window), at)
            for scope, key, model, revision, client, window, at in rows
        ]

    def revision(self) -> int:
        """The number of the last change of any choice, 0 when there was none. Called once, at the start."""
        row = self._connection.execute("SELECT value FROM counters WHERE name = 'revision'").fetchone()
        return int(row[0]) if row else 0

    async def put_choice(self, choice: Choice) -> None:
        """Makes a choice durable, of a temporary one only its number; returns once it is.

        Raises StorageError, and then nothing was changed.
        """

        def work(connection: sqlite3.Connection) -> None:
            revision = (choice.revision,)
            connection.execute("INSERT OR REPLACE INTO counters VALUES ('revision', ?)", revision)
            if choice.temporary:
                return
            author = choice.author
            row = (choice.scope, choice.key, choice.model, choice.revision, author.client, author.window_id, choice.at)
            connection.execute("INSERT OR REPLACE INTO choices VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            connection.execute(
                "DELETE FROM choices WHERE scope = 'window' AND revision NOT IN"
                " (SELECT revision FROM choices WHERE scope = 'window' ORDER BY revision DESC LIMIT ?)",
                (STALE_WINDOWS,),
            )

        await self._write(work)

    def trusted(self) -> dict[str, str]:
        """The project files that the user trusts, by path: the hash of what they read.

        Called once, at the start.
        """
        return dict(self._connection.execute("SELECT path, hash FROM trusted").fetchall())

    async def put_trusted(self, path: str, hash: str | None) -> None:
        """Makes trust in a file durable, or its end (None). Raises StorageError."""

        def work(connection: sqlite3.Connection) -> None:
            if hash is None:
                connection.execute("DELETE FROM trusted WHERE path = ?", (path,))
            else:
                connection.execute("INSERT OR REPLACE INTO trusted VALUES (?, ?)", (path, hash))

        await self._write(work)

    def model_lists(self) -> list[tuple[str, str, float, str]]:
        """Every list of models: provider, base URL, Unix time and JSON. Called once, at the start."""
        return self._connection.execute("SELECT provider, base_url, at, models FROM model_lists").fetchall()

    async def put_model_list(self, provider: str, base_url: str, at: float, models: str) -> None:
        """Keeps a provider's list of models. Raises StorageError."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO model_lists VALUES (?, ?, ?, ?)", (provider, base_url, at, models)
            )

        await self._write(work)

    async def close(self) -> None:
        """Writes what waits, and closes the file."""
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    async def _write(self, work: Work) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put((work, done))
        await done

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

    def _write_batch(self, jobs: Sequence[tuple[Work, asyncio.Future[None]]]) -> None:
        failure: StorageError | None = None
        try:
            with self._connection:
                for work, _ in jobs:
                    work(self._connection)
        except Exception as error:  # also of our own making: this thread must live, or every later write hangs
            log.warning("state could not be written: %s", error)
            failure = StorageError(f"The state could not be written to {self._path}: {error}.")
        for _, done in jobs:
            done.get_loop().call_soon_threadsafe(_settle, done, failure)


def _settle(done: asyncio.Future[None], failure: StorageError | None) -> None:
    if done.done():
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)


def _open(path: Path) -> sqlite3.Connection:
    """Opens or makes the database. A damaged one is set aside, never deleted."""
    try:
        return _prepare(path)
    except (sqlite3.OperationalError, OSError) as error:
        raise StorageError(f"The state in {path} can't be opened: {error}.") from error
    except sqlite3.DatabaseError as error:
        log.error("the state in %s is damaged (%s); it is set aside as .damaged and a new one begun", path, error)
    try:
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if suffix == "" or part.exists():
                part.replace(path.with_suffix(".damaged" + suffix))
        return _prepare(path)
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"No new state can be begun in {path}: {error}.") from error


def _prepare(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, check_same_thread=False, timeout=5.0)
    try:
        _bring_up_to_date(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(SCHEMA):
        raise StorageError(
            f"The state in {path} was written by a newer Pointsman.",
            "Upgrade this one, or choose another POINTSMAN_HOME.",
        )
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    with connection:
        for number, statement in enumerate(SCHEMA[version:], version + 1):
            if not connection.in_transaction:
                connection.execute("BEGIN IMMEDIATE")  # Python begins none for such statements
            connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
