"""Reads configuration from disk. Must never know what is in it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from pointsman.core.catalogue import Layer

LARGEST = 2**20
"""Bytes of a configuration file that are read; a larger one is no configuration."""


def shipped() -> list[Layer]:
    """The definitions of providers that come with Pointsman."""
    folder = files("pointsman") / "providers"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return [Layer(f"shipped:{name}", (folder / name).read_text("utf-8"), shipped=True) for name in names]


def configuration(path: Path) -> list[Layer]:
    """The user's file, if there is one. One that can't be read is told as a layer that can't be parsed."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        return [Layer(str(path), "", unreadable=error.strerror or "no reason given")]
    if len(text) > LARGEST:
        return [Layer(str(path), "", unreadable="it has more than 1 MiB")]
    return [Layer(str(path), text.decode("utf-8-sig", "replace"))]
