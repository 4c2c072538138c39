"""The daemon's state on disk: what is put is there, also for the next daemon, and what can't be put is told."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from pointsman.core.errors import StorageError
from pointsman.core.selection import Author, Choice
from pointsman.edge import store as room
from pointsman.edge.store import SCHEMA, Store

Open = Callable[[], Store]


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Store]:
    store = Store(path)
    try:
        yield store
    finally:
        await store.close()


def choice(number: int, scope: str = "global", key: str = "", model: str | None = "m") -> Choice:
    author = Author("tests", f"w{number}" if number % 2 else None)
    return Choice(scope, key, model, number, author, "2026-11-20T10:00:00.000Z")  # type: ignore[arg-type]


async def test_choices_are_there_again(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    put = [choice(1), choice(2, "workspace", "/w"), choice(3, "window", "w"), choice(4, model=None)]
    async with opened(path) as store:
        assert store.choices() == []
        for each in put:
            await store.put_choice(each)
    async with opened(path) as store:
        assert store.choices() == put[1:], "the last one of a scope counts, and one that was cleared too"
    assert path.stat().st_mode & 0o777 == 0o600


async def test_windows_that_never_came_back_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "STALE_WINDOWS", 3)
    async with opened(tmp_path / "state.db") as store:
        await store.put_choice(choice(1))
        for number in range(2, 10):
            await store.put_choice(choice(number, "window", f"w{number}"))
        assert [each.revision for each in store.choices()] == [1, 7, 8, 9]


async def test_trust_is_there_again_and_can_be_ended(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with opened(path) as store:
        assert store.trusted() == {}
        await store.put_trusted("/a/.pointsman.toml", "1")
        await store.put_trusted("/b/.pointsman.toml", "1")
        await store.put_trusted("/a/.pointsman.toml", "2")
        await store.put_trusted("/b/.pointsman.toml", None)
        await store.put_trusted("/c/.pointsman.toml", None)
    async with opened(path) as store:
        assert store.trusted() == {"/a/.pointsman.toml": "2"}


async def test_lists_of_models_are_kept_by_provider_and_address(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with opened(path) as store:
        await store.put_model_list("corp", "http://one", 1.5, "[]")
        await store.put_model_list("corp", "http://two", 2.5, '["é"]')
        await store.put_model_list("corp", "http://one", 3.5, '["new"]')
    async with opened(path) as store:
        assert sorted(store.model_lists()) == [
            ("corp", "http://one", 3.5, '["new"]'),
            ("corp", "http://two", 2.5, '["é"]'),
        ]


@pytest.mark.parametrize("version", range(len(SCHEMA)))
async def test_the_state_of_an_older_pointsman_is_taken_over(tmp_path: Path, version: int) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as old, old:
        for statement in SCHEMA[:version]:
            old.execute(statement)
        old.execute(f"PRAGMA user_version = {version}")
        if version:
            old.execute("INSERT INTO choices VALUES ('global', '', 'old:model', 7, 'old', NULL, 'then')")
    async with opened(path) as store:
        assert [each.model for each in store.choices()] == (["old:model"] if version else [])
        await store.put_trusted("/a", "1")
        await store.put_model_list("corp", "http://one", 1.0, "[]")
        assert (store.trusted(), len(store.model_lists())) == ({"/a": "1"}, 1)


async def test_the_state_of_a_newer_pointsman_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {len(SCHEMA) + 1}")
    before = path.read_bytes()
    with pytest.raises(StorageError, match="newer Pointsman") as caught:
        Store(path)
    assert "Upgrade" in caught.value.advice
    assert path.read_bytes() == before


async def test_what_is_no_state_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"no database at all " * 999)
    async with opened(path) as store:
        await store.put_choice(choice(1))
        assert len(store.choices()) == 1
    assert path.with_suffix(".damaged").read_bytes().startswith(b"no database")
    assert "set aside" in caplog.text


async def test_what_can_not_be_written_is_told_to_each_who_waits(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with opened(path) as store:
        await store.put_choice(choice(1))
        with closing(sqlite3.connect(path)) as other:
            other.execute("DROP TABLE trusted")
            other.commit()
        failed = await asyncio.gather(*(store.put_trusted(f"/{n}", "1") for n in range(5)), return_exceptions=True)
        assert {type(failure) for failure in failed} == {StorageError}
        await store.put_choice(choice(2))
        assert [each.revision for each in store.choices()] == [2], "and the next one is written again"


async def test_who_waits_no_more_stops_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        waiting = asyncio.get_running_loop().create_task(store.put_choice(choice(1)))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await store.put_choice(choice(2))
        assert [each.revision for each in store.choices()] == [2]


async def test_all_that_waits_is_written_before_it_closes(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = Store(path)
    waiting = [
        asyncio.get_running_loop().create_task(store.put_model_list("corp", f"http://{number}", 1.0, "[]"))
        for number in range(500)
    ]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*waiting)
    async with opened(path) as again:
        assert len(again.model_lists()) == 500
