"""Notices that a file has changed, however it was written: the only file that imports watchfiles.

Folders are watched, never files: an editor that saves by renaming replaces the file that would be watched. A link's own
folder and that of its target both count. Must never read a file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import watchfiles

LOOK_AGAIN = 1.0
"""Seconds between two looks at whether a watched folder is still the same one: a replaced folder goes silent."""


async def changes(files: Callable[[], Iterable[Path]], restart: asyncio.Event) -> AsyncIterator[None]:
    """Yields whenever one of the files may have changed. `files` is asked anew once `restart` has been set."""
    while True:
        wanted = list(files())
        before = _folders(wanted)
        restart.clear()
        yield  # whatever happened while nobody looked
        if not before:
            await _wait(restart, LOOK_AGAIN)
            continue
        names = {path.name for path in wanted} | {path.resolve().name for path in wanted}
        async for seen in watchfiles.awatch(
            *before,
            watch_filter=_only(names),
            stop_event=restart,
            recursive=False,
            step=10,
            debounce=100,
            rust_timeout=int(LOOK_AGAIN * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
        ):
            if seen:
                yield
            if _folders(wanted) != before:
                break


def _only(names: set[str]) -> Callable[[watchfiles.Change, str], bool]:
    return lambda _, path: Path(path).name in names


def _folders(files: Iterable[Path]) -> dict[Path, int]:
    """The folders to watch, with what tells that they are still the same."""
    found = {}
    for path in files:
        for folder in {path.parent, path.resolve().parent}:
            try:
                found[folder] = folder.stat().st_ino
            except OSError:
                continue
    return found


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
