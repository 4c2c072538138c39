"""Reads configuration from disk. Must never know what is in it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from pointsman.core.configuration import Layer, LayerKind

LARGEST = 2**20
"""Bytes of a configuration file that are read; a larger one is no configuration."""


def shipped() -> list[Layer]:
    """The definitions of providers that come with Pointsman."""
    folder = files("pointsman") / "providers"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return [Layer(f"shipped:{name}", (folder / name).read_text("utf-8"), "shipped") for name in names]


def layer(path: Path, kind: LayerKind = "user") -> Layer | None:
    """A file as a layer, None when it is not there. One that can't be read is told as such."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return Layer(str(path), "", kind, unreadable=error.strerror or "no reason given")
    if len(text) > LARGEST:
        return Layer(str(path), "", kind, unreadable="it has more than 1 MiB")
    try:
        return Layer(str(path), text.decode("utf-8-sig"), kind)
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        return Layer(str(path), "", kind, unreadable=f"line {line} is not in UTF-8")
