"""The fixtures `built`, `home`, for tests without an event loop, and `play`, which plays one scenario."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.vscode.kit import Built, Play, install
from tests.living import Home


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """VS Code with the extension. The first run installs it, which takes a minute."""
    return install(tmp_path_factory.mktemp("built"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """An empty home in which no daemon runs."""
    made = Home(tmp_path / "home")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def play(built: Built, home: Home, tmp_path: Path) -> Play:
    """Plays a scenario; `home.configure` comes before."""
    return Play(built, home, tmp_path)
