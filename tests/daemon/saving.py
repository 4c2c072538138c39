"""The ways in which editors and other programs save a file, and how long until every client has heard of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from tests.daemon.client import Editor

AT_ONCE = 0.2
"""Seconds from a save until it is in force everywhere."""
PAUSE = 0.03
"""Seconds in which a slow writer does nothing."""

Save = Callable[[Path, str], Awaitable[None]]


async def in_place(file: Path, text: str) -> None:
    """As `echo >` does: the file is emptied and written again."""
    file.write_text(text)


async def by_renaming(file: Path, text: str) -> None:
    """As most editors do: a new file takes the place of the old one."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(text)
    new.rename(file)


async def like_vim(file: Path, text: str) -> None:
    """As vim does with `backupcopy=no`: the old one is moved away, and for a moment there is none."""
    file.rename(f"{file}~")
    await asyncio.sleep(PAUSE)
    file.write_text(text)
    Path(f"{file}~").unlink()


async def slowly(file: Path, text: str) -> None:
    """In pieces, with pauses: whoever reads meanwhile sees half a file."""
    with file.open("w") as out:
        for start in range(0, len(text), len(text) // 4 + 1):
            await asyncio.sleep(PAUSE)
            out.write(text[start : start + len(text) // 4 + 1])
            out.flush()


WAYS = [in_place, by_renaming, like_vim, slowly]


async def heard_within(
    editors: Iterable[Editor], method: str, fits: Callable[[dict[str, Any]], object], since: float
) -> float:
    """Waits until each of them has been told that; the seconds from `since` to when the last of them was."""
    delays = []
    for editor in editors:
        await editor.told(method, fits)
        times = zip(editor.heard, editor.times, strict=True)
        delays.append(next(t for m, t in times if m.get("method") == method and fits(m["params"])) - since)
    return max(delays)


def now() -> float:
    """The time, by the clock of `Editor.times`."""
    return time.monotonic()
