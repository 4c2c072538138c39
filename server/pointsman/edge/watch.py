"""Notices that a file has changed, however it was written: the only file that imports watchfiles.

Folders are watched, never files: an editor that saves by renaming replaces the file that would be watched. A link's own
folder and that of its target both count. Of a folder of definitions all files count, those that come later as well.
Must never read a file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import watchfiles

from pointsman.edge.files import SUFFIX
from pointsman.edge.files import definitions as listed

LOOK_AGAIN = 1.0
"""Seconds between two looks at the files themselves: a replaced folder goes silent, and so does a network's."""

LOOKS = 10
"""How often in that time, when something has just happened."""
Seen = set[tuple[watchfiles.Change, str]]
State = list[tuple[int, int, int] | None]
Places = tuple[dict[Path, int], Sequence[Path]]
"""The folders to watch, with what tells that they are still the same, and the files in them."""


async def changes(
    files: Callable[[], Iterable[Path]], restart: asyncio.Event, definitions: Path | None = None
) -> AsyncGenerator[None]:
    """Yields whenever one of the files may have changed. `files` is asked anew once `restart` has been set.

    All definitions in a folder count as well; it may come into being later.
    """
    await asyncio.to_thread(import_module, "anyio._backends._asyncio")  # else `awatch` does, in 14 ms of the loop
    while True:
        named = list(files())
        restart.clear()
        wanted = _all(named, definitions)
        places, known = _places(wanted, definitions), _state(wanted)
        watch = _watch(places, restart, definitions)
        news = _begin(watch)
        await asyncio.sleep(0)  # with its first step the watch begins: what happens from here on is not missed
        try:
            looks = LOOKS
            yield  # whatever happened while nobody watched
            while (
                (seen := await _next(news, wanted, known, looks)) is not None
                and _same(named, definitions, places)
                and not _gone(seen)
            ):
                news, looks = _begin(watch), 0
                if seen or _state(wanted) != known:
                    known, looks = _state(wanted), LOOKS
                    yield
        finally:
            news.cancel()
            await asyncio.wait([news])
            await watch.aclose()


async def _watch(places: Places, restart: asyncio.Event, definitions: Path | None) -> AsyncGenerator[Seen]:
    """What happens in the folders, and an empty set every so often. Where they can't be watched, that alone."""
    folders, files = places
    names = {path.name for path in files}

    def counts(_: watchfiles.Change, name: str) -> bool:
        path = Path(name)
        return path.name in names or path in folders or (path.parent == definitions and path.suffix == SUFFIX)

    with suppress(OSError, RuntimeError):  # a folder has gone meanwhile, or the system watches too many already
        if folders:
            async for seen in watchfiles.awatch(
                *folders,
                watch_filter=counts,
                stop_event=restart,
                recursive=False,
                step=10,
                debounce=100,
                rust_timeout=int(LOOK_AGAIN * 1000),
                yield_on_timeout=True,
            ):
                yield seen
            return
    with suppress(TimeoutError):
        await asyncio.wait_for(restart.wait(), LOOK_AGAIN)


def _begin(watch: AsyncGenerator[Seen]) -> asyncio.Task[Seen | None]:
    """Waits for the next news in the background; None when the watch has to begin anew."""

    async def news() -> Seen | None:
        return await anext(watch, None)

    return asyncio.get_running_loop().create_task(news(), name="news of files")


async def _next(news: asyncio.Task[Seen | None], files: Iterable[Path], known: State, looks: int) -> Seen | None:
    """The news; None when the watch has to begin anew. For a moment after the last ones the files themselves are looked
    at, too: a folder that is replaced at once goes silent before it is told that it has gone.
    """
    for _ in range(looks):
        if (await asyncio.wait([news], timeout=LOOK_AGAIN / LOOKS))[0]:
            break
        if _state(files) != known:
            return None
    return await news


def _all(named: Iterable[Path], definitions: Path | None) -> list[Path]:
    """The files that are named, the folder of definitions, and those in it now."""
    return [*named, *([definitions, *listed(definitions)] if definitions else [])]


def _same(named: Iterable[Path], definitions: Path | None, places: Places) -> bool:
    """Whether what there is to watch is what is watched."""
    return _places(_all(named, definitions), definitions) == places


def _gone(seen: Seen) -> bool:
    """Whether something was removed, and its folder with it, perhaps. Another folder may be there already, even with
    the number of the first, before it is told that this one has gone.
    """
    return any(change is watchfiles.Change.deleted for change, _ in seen)


def _places(files: Iterable[Path], definitions: Path | None) -> Places:
    """The folders to watch, with what tells that they are still the same, and the files with what they lead to."""
    paths = [way for path in files for way in (path, path.resolve())]
    found = {}
    for folder in {path.parent for path in paths} | ({definitions} if definitions else set()):
        with suppress(OSError):
            found[folder] = folder.stat().st_ino
    return found, paths


def _state(files: Iterable[Path]) -> State:
    """What tells one state of the files from another without reading them."""
    found: State = []
    for path in files:
        try:
            facts = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((facts.st_ino, facts.st_size, facts.st_mtime_ns))
    return found
