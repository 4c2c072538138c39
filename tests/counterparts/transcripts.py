"""The fixture `transcripts`: the folder of recorded provider streams, which lies outside of the checkout.

It must never be written to. Its files are not published with the project: where they are absent, tests skip. Whatever
uses them is marked `recorded`.
"""

import os
from pathlib import Path

import pytest

_BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[3] / "shared" / "transcripts"


@pytest.fixture(scope="session")
def transcripts() -> Path:
    """Recorded streams and errors; `expect.json` holds what the official SDKs read from them."""
    folder = Path(os.environ.get("POINTSMAN_TRANSCRIPTS") or _BESIDE_THE_CHECKOUT)
    if not folder.is_dir():
        pytest.skip("no recorded transcripts here: POINTSMAN_TRANSCRIPTS may name their folder")
    return folder


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "recorded: reads what real providers once sent, outside of the checkout")


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "transcripts" in getattr(item, "fixturenames", ()):
            item.add_marker("recorded")
