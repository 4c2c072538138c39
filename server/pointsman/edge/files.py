"""Reads configuration from disk. Must never know what is in it."""

from __future__ import annotations

import os
import stat
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


def read_regular(path: Path, most: int) -> bytes:
    """Up to `most` bytes of a file. Raises OSError, also for what is no plain file.

    A folder may be somebody else's: a pipe or a device in it, read like a file, would never end.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no plain file")
        return file.read(most)


def layer(path: Path, kind: LayerKind = "user") -> Layer | None:
    """A file as a layer, None when it is not there. One that can't be read is told as such."""
    try:
        text = read_regular(path, LARGEST + 1)
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
