"""The tables of plans: when their requests were made, and what providers have told of their windows.

Must never know what a window is.
"""

from __future__ import annotations

from pointsman.edge.database import Database
from pointsman.edge.database_file import Connection


class PlanStore:
    """Requests by provider and account, and what was last told of each. What can't be written stands in the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def requests(self) -> list[tuple[str, str, float]]:
        """Provider, account and Unix time of each request, in their order. Called at the start. Raises StorageError."""
        return self._database.read("SELECT provider, account, at FROM plan_requests ORDER BY at")

    def told(self) -> list[tuple[str, str, str, str]]:
        """Provider, account, its label, and JSON. Called at the start. Raises StorageError."""
        return self._database.read("SELECT provider, account, label, windows FROM plan_windows")

    def add(self, provider: str, account: str, at: float, since: float) -> None:
        """Keeps a request, and forgets those of the provider up to `since`; never waits."""

        def work(connection: Connection) -> None:
            connection.execute("DELETE FROM plan_requests WHERE provider = ? AND at <= ?", (provider, since))
            connection.execute(
                "INSERT INTO plan_requests (provider, account, at) VALUES (?, ?, ?)", (provider, account, at)
            )

        self._database.post(work)

    def put(self, provider: str, account: str, label: str, windows: str) -> None:
        """Keeps what was told of an account, as JSON; never waits."""
        row = (provider, account, label, windows)
        self._database.post(lambda connection: connection.execute(_PUT, row))


_PUT = "INSERT OR REPLACE INTO plan_windows (provider, account, label, windows) VALUES (?, ?, ?, ?)"
