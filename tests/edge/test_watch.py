"""Changes of files, however they are made: each is noticed at once, and nothing is missed while nobody looks."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from pointsman.edge import watch
from pointsman.edge.watch import changes

AT_ONCE = 0.2  # seconds
QUIET = 0.3


class Looking:
    """Somebody who reads the files whenever something may have changed; `read` is what was read last."""

    def __init__(self, files: list[Path]) -> None:
        self.files, self.moved = files, asyncio.Event()
        self.looks = 0
        self.read: list[str | None] = []
        self.on_first_look: Callable[[], object] = lambda: None
        self._news = asyncio.Event()

    async def look(self) -> None:
        async with aclosing(changes(lambda: self.files, self.moved)) as seen:
            async for _ in seen:
                self.looks += 1
                self.read = [text_of(file) for file in self.files]
                if self.looks == 1:
                    self.on_first_look()
                self._news.set()

    async def sees(self, *texts: str | None, within: float = AT_ONCE) -> float:
        """Waits until that is what was read; gives the seconds that it took."""
        began = time.monotonic()
        async with asyncio.timeout(within + 0.8):  # a busy machine fails the assert below, with its number
            while self.read != list(texts):
                self._news.clear()
                await self._news.wait()
        took = time.monotonic() - began
        assert took < within, f"it took {took:.3f} s"
        return took

    async def sees_nothing(self) -> None:
        """Waits for a moment, in which nothing happens."""
        before = self.looks
        self._news.clear()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self._news.wait(), QUIET)
        assert self.looks == before


def text_of(file: Path) -> str | None:
    try:
        return file.read_text()
    except OSError:
        return None


@asynccontextmanager
async def looking(*files: Path, on_first_look: Callable[[], object] = lambda: None) -> AsyncIterator[Looking]:
    one = Looking(list(files))
    one.on_first_look = on_first_look
    task = asyncio.get_running_loop().create_task(one.look())
    try:
        await one.sees(*map(text_of, files), within=2)
        yield one
        assert not task.done(), "it goes on for ever"
    finally:
        task.cancel()
        await asyncio.wait([task])


def by_renaming(file: Path, text: str) -> None:
    new = file.with_name(f".{file.name}.new")
    new.write_text(text)
    new.rename(file)


def like_vim(file: Path, text: str) -> None:
    """The old one is moved away, the new one is written in its place, and then the old one is removed."""
    file.rename(f"{file}~")
    file.write_text(text)
    Path(f"{file}~").unlink()


def in_place(file: Path, text: str) -> None:
    file.write_text(text)


def without_a_size(file: Path, text: str) -> None:
    """In place, with another text of the same length and the same time."""
    facts = file.stat()
    file.write_text(text)
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))


WAYS = [by_renaming, like_vim, in_place, without_a_size]


@pytest.mark.parametrize("write", WAYS)
async def test_each_way_to_save_is_noticed(tmp_path: Path, write: Callable[[Path, str], None]) -> None:
    file = tmp_path / "a.toml"
    file.write_text("0")
    async with looking(file) as one:
        for number in range(1, 6):
            write(file, str(number))
            await one.sees(str(number))
        await one.sees_nothing()


@pytest.mark.parametrize("write", WAYS)
async def test_a_link_counts_where_it_stands_and_where_it_leads(
    tmp_path: Path, write: Callable[[Path, str], None]
) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "config").mkdir()
    target, other = tmp_path / "dotfiles" / "a.toml", tmp_path / "dotfiles" / "b.toml"
    target.write_text("0")
    other.write_text("other")
    link = tmp_path / "config" / "pointsman.toml"
    link.symlink_to(target)
    async with looking(link) as one:
        write(target, "1")
        await one.sees("1")
        by_renaming_link(link, other)
        await one.sees("other")
        write(other, "2")
        await one.sees("2")
        write(link, "3")
        await one.sees("3")


def by_renaming_link(link: Path, target: Path) -> None:
    new = link.with_name("new-link")
    new.symlink_to(target)
    new.rename(link)


async def test_a_file_that_comes_and_goes(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    async with looking(file) as one:
        for text in ("1", "2"):
            file.write_text(text)
            await one.sees(text)
            file.unlink()
            await one.sees(None)


@pytest.mark.parametrize("moved", [True, False])
async def test_a_folder_that_is_replaced(tmp_path: Path, moved: bool) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    file = folder / "a.toml"
    file.write_text("0")
    async with looking(file) as one:
        for text in ("1", "2"):
            if moved:
                folder.rename(tmp_path / f"old-{text}")
            else:
                file.unlink()
                folder.rmdir()
            folder.mkdir()  # often with the number of the first
            file.write_text(text)
            await one.sees(text, within=watch.LOOK_AGAIN + AT_ONCE)
        await one.sees_nothing()
        in_place(file, "3")
        await one.sees("3")


async def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    file = tmp_path / "home" / "config" / "a.toml"
    async with looking(file) as one:
        file.parent.mkdir(parents=True)
        file.write_text("1")
        await one.sees("1", within=watch.LOOK_AGAIN + AT_ONCE)
        in_place(file, "2")
        await one.sees("2", within=watch.LOOK_AGAIN + AT_ONCE)
        in_place(file, "3")
        await one.sees("3")


async def test_what_happens_between_a_look_and_the_watch_is_not_missed(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("0")
    async with looking(file, on_first_look=lambda: file.write_text("1")) as one:
        await one.sees("1")


async def test_what_nobody_tells_of_is_found_by_looking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network's file system there are no events at all."""
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "true")
    monkeypatch.setenv("WATCHFILES_POLL_DELAY_MS", "3600000")
    file = tmp_path / "a.toml"
    file.write_text("0")
    async with looking(file) as one:
        file.write_text("1")
        await one.sees("1", within=watch.LOOK_AGAIN + AT_ONCE)


@pytest.mark.parametrize("failure", [FileNotFoundError, PermissionError, OSError, RuntimeError])
async def test_folders_that_can_not_be_watched_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise failure("OS file watch limit reached")

    monkeypatch.setattr("watchfiles.main.RustNotify", refuse)
    file = tmp_path / "a.toml"
    file.write_text("0")
    async with looking(file) as one:
        file.write_text("1")
        await one.sees("1", within=watch.LOOK_AGAIN + AT_ONCE)


async def test_other_files_of_the_folder_are_nobodys_business(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("0")
    async with looking(file) as one:
        (tmp_path / "b.toml").write_text("x")
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "a.toml").write_text("x")
        await one.sees_nothing()


async def test_other_files_are_watched_when_asked(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.toml").write_text("0")
    first, second = tmp_path / "one" / "a.toml", tmp_path / "two" / "a.toml"
    async with looking(first) as one:
        one.files = [first, second]
        one.moved.set()
        await one.sees("0", "0")
        second.write_text("1")
        await one.sees("0", "1")
        first.write_text("2")
        await one.sees("2", "1")


async def test_nothing_is_kept_of_many_changes(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("0")
    async with looking(file) as one:
        for number in range(1, 501):
            by_renaming(file, str(number))
            if number % 50 == 0:
                await one.sees(str(number))
        await one.sees("500")
        assert len(asyncio.all_tasks()) < 8
