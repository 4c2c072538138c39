"""The fixtures `home`, for tests without an event loop, `neovim`, which opens one run after another, and `figures`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.editors.neovim.kit import Neovim
from tests.living import Home

Open = Callable[..., Neovim]
Figures = Callable[[str], None]


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

    def open_one(name: str = "a", *extra: str, **variables: str) -> Neovim:
        opened.append(Neovim(home, name, extra, **variables))
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
