"""The vault's tables on disk: durable, whole or not at all, and readable however badly one row is damaged."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pointsman.core.errors import StorageError
from pointsman.core.secret import Secret
from pointsman.core.selection import Author, Choice
from pointsman.core.stored import Record
from pointsman.edge.database_file import Connection
from pointsman.edge.seal import Key, open_record, seal_contents, seal_record
from pointsman.edge.sealed_store import Noted, SealedStore
from pointsman.edge.store import Store

KEY = Key(b"k" * 32)
ONE = Record("r1", "corp", "https://llm.corp.example:443", "work", Secret("sk-fake-0123456789"), "2026-11-21T00:00:00Z")
TWO = replace(ONE, id="r2", label="home")
SEALED = [seal_record(KEY, 1, ONE), seal_record(KEY, 2, TWO)]
CONTENTS = seal_contents(KEY, "file", {"r1": 1, "r2": 1})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[tuple[Store, SealedStore]]:
    store = Store(path)
    try:
        yield store, SealedStore(store.database)
    finally:
        await store.close()


def change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def ask(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


async def test_what_was_put_is_there_again(path: Path) -> None:
    async with opened(path) as (_, sealed):
        assert (sealed.records(), sealed.contents()) == ([], None)
        await sealed.put(SEALED, CONTENTS)
    async with opened(path) as (_, sealed):
        assert (sealed.records(), sealed.contents()) == (SEALED, CONTENTS)
        await sealed.put([], CONTENTS, ["r1", "absent"])
    async with opened(path) as (_, sealed):
        assert sealed.records() == SEALED[1:]


async def test_credentials_are_committed_to_outlive_the_power(path: Path) -> None:
    async with opened(path) as (store, sealed):

        async def level(*, durable: bool) -> int:
            def work(connection: Connection) -> int:
                return int(connection.execute("PRAGMA synchronous").fetchone()[0])

            return await store.database.write(work, durable=durable)

        assert [await level(durable=durable) for durable in (False, True, False)] == [1, 2, 1]
        together = await asyncio.gather(level(durable=False), level(durable=True))
        assert together[1] == 2
        await sealed.put(SEALED, CONTENTS)


async def test_nobody_pays_for_the_mistake_of_a_neighbour(path: Path) -> None:
    """Even where all of them are one transaction: the thread is held up until all wait."""
    async with opened(path) as (store, sealed):
        gate = asyncio.get_running_loop().create_future()
        held = asyncio.run_coroutine_threadsafe

        def hold(_: Connection) -> None:
            held(_open(gate), loop).result(5)

        async def _open(gate: asyncio.Future[None]) -> None:
            await gate

        loop = asyncio.get_running_loop()
        store.database.post(hold)
        unwritable = Choice("window", "\ud800", "p:m", 1, Author("x"), "")
        jobs = [sealed.put(SEALED, CONTENTS), store.put_choice(unwritable), store.put_trusted("/a", "1")]
        waiting = asyncio.gather(*jobs, return_exceptions=True)
        await asyncio.sleep(0)
        gate.set_result(None)
        none, refused, also_none = await waiting
        assert (none, also_none) == (None, None)
        assert isinstance(refused, StorageError)
        assert (len(sealed.records()), store.trusted(), store.choices()) == (2, {"/a": "1"}, [])


async def test_a_put_is_whole_or_not_at_all(path: Path) -> None:
    async with opened(path) as (_, sealed):
        await sealed.put(SEALED[:1], CONTENTS)
        change(path, "CREATE TRIGGER t BEFORE INSERT ON vault BEGIN SELECT RAISE(ABORT, 'no'); END")
        with pytest.raises(StorageError, match="no"):
            await sealed.put(SEALED[1:], CONTENTS, ["r1"])
        assert sealed.records() == SEALED[:1]


COLUMNS = ("id", "provider", "kind", "version", "origin", "label", "added_at", "key", "nonce", "box")


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("value", [b"\xff\xfe", "", None, 2**62, 1.5], ids=repr)
async def test_however_badly_a_row_is_damaged_the_others_are_read(path: Path, column: str, value: object) -> None:
    async with opened(path) as (_, sealed):
        await sealed.put(SEALED, CONTENTS)
    change(path, "CREATE TABLE other AS SELECT * FROM sealed")
    as_text = value == b"\xff\xfe" and column not in {"nonce", "box"}
    put = "CAST(? AS TEXT)" if as_text else "?"
    change(path, f"UPDATE other SET {column} = {put} WHERE number = 1", value)  # noqa: S608
    change(path, "DROP TABLE sealed")
    change(path, "ALTER TABLE other RENAME TO sealed")  # a table without types takes anything, as a damaged page does
    async with opened(path) as (_, sealed):
        damaged, good = sealed.records()
        assert good == SEALED[1]
        assert (open_record(KEY, damaged) is None) is (column != "key" or value is None)


@pytest.mark.parametrize("value", [b"\xff\xfe", None, 5], ids=repr)
async def test_a_damaged_list_of_contents_is_read_as_one_that_does_not_open(path: Path, value: object) -> None:
    async with opened(path) as (_, sealed):
        await sealed.put(SEALED, CONTENTS)
    change(path, "CREATE TABLE other AS SELECT * FROM vault")
    change(path, "UPDATE other SET nonce = ?, key = ?", value, value)
    change(path, "DROP TABLE vault")
    change(path, "ALTER TABLE other RENAME TO vault")
    async with opened(path) as (_, sealed):
        contents = sealed.contents()
        assert contents is not None
        assert contents != CONTENTS


async def test_a_box_that_was_replaced_or_removed_is_nowhere_in_the_files(path: Path) -> None:
    async with opened(path) as (_, sealed):
        await sealed.put(SEALED, CONTENTS)
        await sealed.put([seal_record(KEY, 1, ONE)], CONTENTS, ["r2"])
        await sealed.shed()
        content = b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert not [each for each in SEALED if each.box.content in content]
        assert sealed.records()[0].box.content in content


@pytest.mark.parametrize("page", [1, 2, 3, 4, 5, 8])
async def test_credentials_are_taken_over_from_a_damaged_database(path: Path, page: int) -> None:
    async with opened(path) as (store, sealed):
        await sealed.put(SEALED, CONTENTS)
        await store.put_trusted("/a", "1")
    roots = dict(ask(path, "SELECT name, rootpage FROM sqlite_master WHERE type = 'table'"))
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 + 100 : page * 4096] = b"\xff" * (4096 - 100)
    for time in range(2):
        path.write_bytes(content)
        async with opened(path) as (_, sealed):
            if page not in {1, roots["sealed"]}:
                assert sealed.records() == SEALED
            if page not in {1, roots["vault"]}:
                assert sealed.contents() == CONTENTS
            await sealed.put(SEALED, CONTENTS)
        if path.with_suffix(".damaged").exists():
            assert path.with_suffix(f".damaged{time or ''}").read_bytes() == bytes(content)


# The audit


async def test_the_audit_comes_newest_first_and_by_provider(path: Path) -> None:
    noted = [Noted(f"t{number}", "added", "ab"[number % 2], f"l{number}", None, "") for number in range(5)]
    async with opened(path) as (_, sealed):
        for each in noted:
            sealed.note(each, 100)
        assert await sealed.noted(3, None) == noted[:1:-1]
        assert await sealed.noted(9, "a") == noted[::-2]
        assert await sealed.noted(9, "c") == []


async def test_the_audit_is_bounded(path: Path) -> None:
    async with opened(path) as (_, sealed):
        for number in range(50):
            sealed.note(Noted(f"t{number}", "added", "p", "l", "client", "d"), 10)
        assert [each.at for each in await sealed.noted(100, None)] == [f"t{number}" for number in range(49, 39, -1)]


async def test_an_audit_that_can_not_be_written_fails_nobody(path: Path) -> None:
    async with opened(path) as (_, sealed):
        change(path, "CREATE TRIGGER t BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
        sealed.note(Noted("t", "added", "p", "l", None, ""), 10)
        await sealed.put(SEALED, CONTENTS)
        assert await sealed.noted(5, None) == []
        change(path, "DROP TRIGGER t")
        sealed.note(Noted("t", "added", "p", "l", None, ""), 10)
        assert len(await sealed.noted(5, None)) == 1
