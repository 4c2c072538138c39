"""The fixtures of these tests, which have no event loop of their own: pynvim has one."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.editors.neovim.kit import WITHIN, Neovim, binary, version
from tests.living import Home

Open = Callable[..., Neovim]
Figures = Callable[[str], None]
Aside = Callable[[Coroutine[Any, Any, Any]], Any]


def pytest_report_header() -> str:
    """Which Neovim is tested."""
    return f"Neovim {'.'.join(map(str, version()))}: {binary()}"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home where the offline model is chosen and no daemon runs."""
    made = Home(tmp_path / "home")
    made.configure('default = "echo:echo"\n')
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def neovim(home: Home) -> Iterator[Open]:
    """Opens a Neovim in the home: `neovim("b")` is another one than `neovim()`."""
    opened: list[Neovim] = []

    def open_one(name: str = "a", *extra: str, before: Sequence[str] = (), **variables: str) -> Neovim:
        opened.append(Neovim(home, name, extra, before, **variables))
        return opened[-1]

    yield open_one
    for one in opened:
        one.quit()


@pytest.fixture
def figures(record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]) -> Figures:
    """Says what was measured, on the screen and in the report."""

    def say(text: str) -> None:
        record_property("figures", text)
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return say


@pytest.fixture
def aside(home: Home) -> Iterator[Aside]:
    """Runs what has to be awaited in an event loop of its own, aside of pynvim's: `aside(home.connect())`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(steps: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(steps, loop).result(WITHIN)

    yield run
    run(home.leave())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(WITHIN)
    loop.close()
