"""The daemon's durable state: choices, trust and lists of models, and the schema of all that lies in the file.

Must never know what a choice means, and never holds a secret in the clear (docs/decisions/0004-sqlite.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pointsman.core.selection import Author, Choice
from pointsman.edge.database import Database
from pointsman.edge.database_file import Connection, damage

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
    """CREATE TABLE sealed (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, provider TEXT NOT NULL, kind TEXT NOT NULL,
        version INTEGER NOT NULL, origin TEXT NOT NULL, label TEXT NOT NULL, added_at TEXT NOT NULL,
        key TEXT NOT NULL, nonce BLOB NOT NULL, box BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE vault (
        name TEXT PRIMARY KEY, key TEXT NOT NULL, source TEXT NOT NULL, nonce BLOB NOT NULL, box BLOB NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE audit (
        number INTEGER PRIMARY KEY, at TEXT NOT NULL, event TEXT NOT NULL, provider TEXT NOT NULL,
        account TEXT NOT NULL, client TEXT, detail TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE plan_requests (
        number INTEGER PRIMARY KEY, provider TEXT NOT NULL, account TEXT NOT NULL, at REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE plan_windows (
        provider TEXT NOT NULL, account TEXT NOT NULL, label TEXT NOT NULL, windows TEXT NOT NULL,
        PRIMARY KEY (provider, account)
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE salts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE health_marks (
        provider TEXT NOT NULL, account TEXT NOT NULL, model TEXT NOT NULL, mark TEXT NOT NULL,
        PRIMARY KEY (provider, account, model)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE first_tokens (
        provider TEXT NOT NULL, model TEXT NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (provider, model)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE ledger (
        number INTEGER PRIMARY KEY, day TEXT NOT NULL, chat_id TEXT NOT NULL, at REAL NOT NULL, provider TEXT NOT NULL,
        model TEXT NOT NULL, client TEXT NOT NULL, outcome TEXT NOT NULL, input_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL, exact INTEGER NOT NULL, usd REAL, total_ms INTEGER NOT NULL,
        attempts INTEGER NOT NULL, account TEXT, workspace TEXT, cached_input_tokens INTEGER,
        cache_write_tokens INTEGER, reasoning_tokens INTEGER, first_token_ms INTEGER, source TEXT, failed_usd REAL
    ) STRICT""",
    "CREATE INDEX ledger_by_time ON ledger (at)",
    "CREATE INDEX ledger_by_day ON ledger (day, provider, workspace, usd)",
)
"""One statement a version; `PRAGMA user_version` says how many of them a database has seen."""
RESCUED = ("vault", "sealed", "audit", "ledger")
"""Tables that are worth taking over from a damaged database: all else can be chosen anew, or comes by itself."""
STALE_WINDOWS = 500
"""Choices of windows that are kept: a window that never came back is forgotten after so many others."""


def set_aside(folder: Path) -> list[Path]:
    """The damaged databases that lie in a folder beside the one in use."""
    return sorted(path for path in folder.glob("state.damaged*") if not path.name.endswith(("-wal", "-shm")))


def harm(path: Path) -> str | None:
    """What is damaged in a state that no daemon uses, or None; nothing is changed. Raises StorageError."""
    return damage(path, SCHEMA)


def what_was_lost(aside: Path) -> str:
    """A damaged database in words for people."""
    return (
        f"The file with Pointsman's state was damaged, and lies as {aside} now. Stored keys, accounts, the audit and "
        "what chats cost were taken over as far as they could be read; choices of a model were not. Look at what is "
        "there with `pointsman keys` and `pointsman usage`."
    )


class Store:
    """An open database; what other tables hold is asked of `database`. `close` writes what is still waiting."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path, SCHEMA, RESCUED)

    def choices(self) -> list[Choice]:
        """Every choice, and every scope that was cleared. Called once, at the start."""
        query = "SELECT scope, key, model, revision, client, window_id, at FROM choices ORDER BY revision"
        rows = self.database.read(query)
        return [
            Choice(scope, key, model, revision, Author(client, window), at)
            for scope, key, model, revision, client, window, at in rows
        ]

    def revision(self) -> int:
        """The number of the last change of any choice, 0 when there was none. Called once, at the start."""
        rows = self.database.read("SELECT value FROM counters WHERE name = 'revision'")
        return int(rows[0][0]) if rows else 0

    async def put_choice(self, choice: Choice) -> None:
        """Makes a choice durable, of a temporary one only its number; returns once it is.

        Raises StorageError, and then nothing was changed.
        """

        def work(connection: Connection) -> None:
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

        await self.database.write(work)

    def trusted(self) -> dict[str, str]:
        """The project files that the user trusts, by path: the hash of what they read.

        Called once, at the start.
        """
        return dict(self.database.read("SELECT path, hash FROM trusted"))

    async def put_trusted(self, path: str, hash: str | None) -> None:
        """Makes trust in a file durable, or its end (None). Raises StorageError."""

        def work(connection: Connection) -> None:
            if hash is None:
                connection.execute("DELETE FROM trusted WHERE path = ?", (path,))
            else:
                connection.execute("INSERT OR REPLACE INTO trusted VALUES (?, ?)", (path, hash))

        await self.database.write(work)

    def model_lists(self) -> list[tuple[str, str, float, str]]:
        """Every list of models: provider, base URL, Unix time and JSON. Called once, at the start."""
        return self.database.read("SELECT provider, base_url, at, models FROM model_lists")

    async def put_model_list(self, provider: str, base_url: str, at: float, models: str) -> None:
        """Keeps a provider's list of models. Raises StorageError."""

        def work(connection: Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO model_lists VALUES (?, ?, ?, ?)", (provider, base_url, at, models)
            )

        await self.database.write(work)

    async def close(self) -> None:
        """Writes what waits, and closes the file."""
        await self.database.close()
