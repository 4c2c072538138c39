"""A process that writes choices for `test_store.py`, which kills it or lets it run against a limit.

It prints the number of each choice once that is confirmed.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from itertools import count
from pathlib import Path

from pointsman.core.errors import StorageError
from pointsman.core.selection import Author, Choice
from pointsman.edge.store import Store


def numbered(revision: int) -> Choice:
    """A choice that is told from all others by its number."""
    return Choice("workspace", f"/code/{revision}", f"p:m{revision}", revision, Author("writer"), "2026-11-20T10:00Z")


async def endless(store: Store) -> None:
    """Writes for ever."""
    for revision in count(1):
        await store.put_choice(numbered(revision))
        print(revision, flush=True)  # noqa: T201 - this is what it is for


async def limited(store: Store) -> None:
    """Writes until a file would grow over 100 KB, twice more, and once after that may be."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most))
    refused = 0
    for revision in count(1):
        try:
            await store.put_choice(numbered(revision))
            print(revision, flush=True)  # noqa: T201
        except StorageError:
            refused += 1
        if refused == 3:
            break
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    await store.put_choice(numbered(10**6))
    print(10**6, flush=True)  # noqa: T201


if __name__ == "__main__":
    way, path = sys.argv[1:]
    asyncio.run({"endless": endless, "limited": limited}[way](Store(Path(path))))
