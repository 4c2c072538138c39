"""The table of the ledger: one row a chat, with what it took and cost. Must never hold a prompt, an answer or a key.

Sums are made by SQLite, on a connection of their own in a thread: a year of chats keeps nobody waiting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pointsman.core.accounting import MOST_DOLLARS
from pointsman.core.ledger import BROKEN, MOST_TOKENS, PLAN, By, Entry, Part, Total
from pointsman.edge.database import Database
from pointsman.edge.database_file import Connection

FIELDS = Entry.__struct_fields__
NAMES: Mapping[By, str] = {
    "day": "day",
    "provider": "provider",
    "model": "provider || ':' || model",
    "account": "provider || ' ' || coalesce(account, '')",
    "workspace": "coalesce(workspace, '')",
    "client": "client",
}
"""How each sum is called."""


class LedgerStore:
    """What chats took and cost. What can't be written stands in the log; what can't be read raises StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def spending(self, since: str) -> list[tuple[str, str, str | None, float]]:
        """Day, provider, workspace and US dollars of all that was spent since a day. Called at the start."""
        return self._database.read(
            f"SELECT day, provider, workspace, sum(usd) FROM {_ROWS} WHERE day >= ? AND usd > 0"  # noqa: S608 - our own
            " GROUP BY day, provider, workspace",
            (since,),
        )

    def add(self, entry: Entry, day: str) -> None:
        """Keeps a chat, under the day that it was on the machine's calendar; never waits."""
        row = (day, *(getattr(entry, field) for field in FIELDS))
        self._database.post(lambda connection: connection.execute(_ADD, row))

    def forget(self, before: float) -> None:
        """Forgets the chats that ended before that; never waits."""

        def work(connection: Connection) -> None:
            connection.execute("DELETE FROM ledger WHERE at < ?", (before,))

        self._database.post(work)

    async def sums(self, by: By, since: float, until: float, bounds: Sequence[int] = ()) -> list[Part]:
        """Sums over the chats that ended in that time, by name, and by the tier of a price that their input is in."""
        tier = "".join(f" + (input_tokens > {bound:d})" for bound in bounds)
        query = _SUMS.format(name=NAMES[by], tier=f"0{tier}")
        rows = await self._database.look(query, {"since": since, "until": until})
        return [_part(row) for row in rows]

    async def recent(self, today: str, month: str) -> list[tuple[str, float, int, int]]:
        """By provider: the end of its last chat, and how many chats of today, and since the day on which the month
        begins, have no known price.
        """
        return await self._database.look(
            "SELECT provider, max(at), sum(usd IS NULL AND day = :today), sum(usd IS NULL AND day >= :month)"  # noqa: S608
            f" FROM {_ROWS} GROUP BY provider",
            {"today": today, "month": month},
        )

    async def entries(self, since: float, until: float, after: int, limit: int) -> list[tuple[int, Entry]]:
        """Chats that ended in that time, each with its number, in their order behind the one of a number."""
        rows = await self._database.look(
            f"SELECT number, {', '.join(FIELDS)} FROM {_ROWS}"  # noqa: S608 - names of our own
            " WHERE number > :after AND at >= :since AND at < :until ORDER BY number LIMIT :limit",
            {"after": after, "since": since, "until": until, "limit": limit},
        )
        return [(number, _entry(values)) for number, *values in rows]


def _entry(values: Sequence[object]) -> Entry:
    found = dict(zip(FIELDS, values, strict=True))
    return Entry(**found | {"exact": bool(found["exact"])})  # type: ignore[arg-type]


def _part(row: Sequence[object]) -> Part:
    name, tier, plain, spoken, *sums = row
    return Part(Total(**dict(zip(_SUMMED, (name, *sums), strict=True))), tier, plain, spoken)  # type: ignore[arg-type]


_DOLLARS, _TOKENS = ("usd", "failed_usd"), tuple(field for field in FIELDS if field.endswith("_tokens"))
_READ = {field: field for field in ("number", "day", *FIELDS)}
_READ |= {field: f"CASE WHEN {field} BETWEEN 0 AND {MOST_DOLLARS:.0f} THEN {field} END" for field in _DOLLARS}
_READ |= {field: f"max(0, min({field}, {MOST_TOKENS}))" for field in _TOKENS}
_ROWS = f"(SELECT {', '.join(f'{how} AS {field}' for field, how in _READ.items())} FROM ledger)"  # noqa: S608
"""The ledger as it is read: whatever was written down, no cost and no count is such that a sum can't be made of it."""
_SUMMED = ("name", *(field for field in Total.__struct_fields__ if field not in {"name", "against_usd"}))
_ADD = f"INSERT INTO ledger (day, {', '.join(FIELDS)}) VALUES ({', '.join('?' * (len(FIELDS) + 1))})"  # noqa: S608
_BROKEN = ", ".join(f"'{outcome}'" for outcome in BROKEN)
_SUMS = f"""SELECT {{name}} AS name, {{tier}} AS tier,
    sum(max(0, input_tokens - coalesce(cached_input_tokens, 0) - coalesce(cache_write_tokens, 0))),
    sum(output_tokens - min(coalesce(reasoning_tokens, 0), output_tokens)),
    count(*), sum(input_tokens), sum(output_tokens), round(coalesce(sum(usd), 0.0), 12),
    coalesce(sum(cached_input_tokens), 0), coalesce(sum(cache_write_tokens), 0), coalesce(sum(reasoning_tokens), 0),
    sum(usd IS NULL), sum(NOT exact), sum(outcome IN ({_BROKEN})), sum(source IS '{PLAN}')
    FROM {_ROWS} WHERE at >= :since AND at < :until GROUP BY 1, 2 ORDER BY 1, 2"""  # noqa: S608 - names of our own
"""In the order of the fields of `Total`."""
