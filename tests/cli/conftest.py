"""The fixtures `shell` and `lasting_shell`: a person at a shell in a home of the test's own, or of the file's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.living import Home


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """Nothing is configured and no daemon runs; after the test, its log must hold no mistake."""
    home = Home(tmp_path / "home")
    try:
        yield Shell(home)
    finally:
        home.close()


@pytest.fixture
def lasting_shell(lasting: Home) -> Shell:
    """A daemon that has seen the other tests of the file, for those that change nothing."""
    return Shell(lasting)
