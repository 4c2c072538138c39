"""The tables of health: what is held against whom, how soon targets answer, and the salt under which keys are known.

Must never know what a mark means, nor a key.
"""

from __future__ import annotations

import secrets

from pointsman.edge.database import Database
from pointsman.edge.database_file import Connection

SALT = 32
"""Bytes of it: what a hash of a key is worth to who reads the file depends on them, and on the key alone."""


class HealthStore:
    """Marks by provider, account and model, and averages by provider and model. Nothing here is waited for; what can't
    be written stands in the log.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def salt(self) -> bytes:
        """The salt of this database, made when it is first asked for. Called at the start. Raises StorageError."""
        rows = self._database.read("SELECT value FROM salts WHERE name = 'accounts'")
        if rows:
            return bytes(rows[0][0])
        made = secrets.token_bytes(SALT)
        self._database.post(lambda connection: connection.execute(_SALT, (made,)))
        return made

    def marks(self) -> list[tuple[str, str, str, str]]:
        """Provider, account, model and JSON of each mark. Called at the start. Raises StorageError."""
        return self._database.read("SELECT provider, account, model, mark FROM health_marks")

    def first_tokens(self) -> list[tuple[str, str, float]]:
        """Provider, model and seconds. Called at the start. Raises StorageError."""
        return self._database.read("SELECT provider, model, seconds FROM first_tokens")

    def put(self, provider: str, account: str, model: str, mark: str | None) -> None:
        """Keeps a mark, or takes it away (None)."""

        def work(connection: Connection) -> None:
            if mark is None:
                connection.execute(_FORGET, (provider, account, model))
            else:
                connection.execute(_PUT, (provider, account, model, mark))

        self._database.post(work)

    def put_first_token(self, provider: str, model: str, seconds: float) -> None:
        """Keeps how soon a target answers."""
        self._database.post(lambda connection: connection.execute(_PUT_FIRST, (provider, model, seconds)))


_SALT = "INSERT OR REPLACE INTO salts VALUES ('accounts', ?)"
_PUT = "INSERT OR REPLACE INTO health_marks (provider, account, model, mark) VALUES (?, ?, ?, ?)"
_PUT_FIRST = "INSERT OR REPLACE INTO first_tokens (provider, model, seconds) VALUES (?, ?, ?)"
_FORGET = "DELETE FROM health_marks WHERE provider = ? AND account = ? AND model = ?"
