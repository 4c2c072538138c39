"""The tables of the state beside the choices: trust in projects, lists of models, and what an older state lacks."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from pointsman.core.errors import StorageError
from pointsman.edge.store import SCHEMA, Store


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Store]:
    store = Store(path)
    try:
        yield store
    finally:
        await store.close()


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
        assert store.model_lists() == []
        await store.put_model_list("corp", "http://one", 1.5, "[]")
        await store.put_model_list("corp", "http://two", 2.5, '["é"]')
        await store.put_model_list("corp", "http://one", 3.5, '["new"]')
    async with opened(path) as store:
        assert sorted(store.model_lists()) == [
            ("corp", "http://one", 3.5, '["new"]'),
            ("corp", "http://two", 2.5, '["é"]'),
        ]


@pytest.mark.parametrize("version", range(1, len(SCHEMA)))
async def test_the_state_of_an_older_pointsman_is_taken_over(tmp_path: Path, version: int) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as old, old:
        for statement in SCHEMA[:version]:
            old.execute(statement)
        old.execute(f"PRAGMA user_version = {version}")
        old.execute("INSERT INTO choices VALUES ('global', '', 'old:model', 7, 'old', NULL, 'then')")
    async with opened(path) as store:
        assert [each.model for each in store.choices()] == ["old:model"]
        await store.put_trusted("/a", "1")
        await store.put_model_list("corp", "http://one", 1.0, "[]")
        assert (store.trusted(), len(store.model_lists())) == ({"/a": "1"}, 1)


async def test_what_can_not_be_written_is_told_and_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with opened(path) as store:
        with closing(sqlite3.connect(path)) as other:
            other.execute("DROP TABLE trusted")
            other.commit()
        with pytest.raises(StorageError, match="no such table"):
            await store.put_trusted("/a", "1")
        await store.put_model_list("corp", "http://one", 1.0, "[]")
        assert len(store.model_lists()) == 1
