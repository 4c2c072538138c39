"""A vault with its store and key file, opened and closed as the daemon does, and what another program does to it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pointsman.core.secret import Secret
from pointsman.core.stored import Record, Tokens
from pointsman.edge.master_key import FILE, MasterKeys
from pointsman.edge.sealed_store import SealedStore
from pointsman.edge.store import Store
from pointsman.service.audit import Audit
from pointsman.service.vault import Vault

TYPED = Record(
    "r1", "corp", "https://llm.corp.example:443", "work", Secret("sk-fake-0123456789"), "2026-11-21T00:00:00Z"
)
HOME = replace(TYPED, id="r2", label="home", holds=Secret("sk-fake-at-home"))
TOKENS = Tokens(Secret("fake-access"), Secret("fake-refresh"), 9.0, 1.0, "https://auth.example:443")
SIGNED_IN = replace(TYPED, id="r3", provider="chat", label="me@corp.example", holds=TOKENS)
ALL = (TYPED, HOME, SIGNED_IN)


@dataclass(eq=False)
class Kit:
    """One vault in a folder."""

    vault: Vault
    audit: Audit
    store: Store
    changed: list[str]


@asynccontextmanager
async def living(folder: Path, given: str | None = None) -> AsyncIterator[Kit]:
    """A vault from the start of a daemon to its end; `given` is POINTSMAN_VAULT_KEY."""
    store = Store(folder / "state.db")
    sealed = SealedStore(store.database)
    audit = Audit(sealed)
    changed: list[str] = []
    try:
        vault = Vault(sealed, MasterKeys(folder / FILE, Secret(given) if given else None), audit)
        vault.changed = changed.append
        await vault.open()
        yield Kit(vault, audit, store, changed)
        await vault.close()
    finally:
        await store.close()


async def filled(folder: Path, *records: Record) -> None:
    """Puts records into a vault, and closes it."""
    async with living(folder) as kit:
        for record in records or ALL:
            await kit.vault.put(record)


def change(folder: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """What another program does to the file, or reads in it."""
    with closing(sqlite3.connect(folder / "state.db")) as connection, connection:
        return connection.execute(statement, values).fetchall()
