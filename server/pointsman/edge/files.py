"""Reads configuration from disk. Must never know what is in it."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from pointsman.core.layers import Layer, LayerKind

LARGEST = 2**20
"""Bytes of a configuration file that are read; a larger one is no configuration."""
FOLDER = "providers"
"""The folder beside pointsman.toml for definitions of providers."""
Stamp = tuple[int, int, int]
SUFFIX = ".toml"


def shipped() -> list[Layer]:
    """The definitions of providers that come with Pointsman."""
    folder = files("pointsman") / "providers"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return [Layer(f"shipped:{name}", (folder / name).read_text("utf-8"), "shipped") for name in names]


def definitions(folder: Path) -> list[Path]:
    """The files of a folder that define providers, by name; what begins with a dot is an editor's own."""
    with suppress(OSError):
        return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX and not path.name.startswith("."))
    return []


def stamp(path: str) -> Stamp | None:
    """What tells one state of a file from another, without reading it; None when it is not there."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):  # a name with a null in it is none
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def real_path(path: str) -> str:
    """Where a path leads, behind links; `~/` is the home of whoever runs this. What can be no path stays as it is."""
    try:
        return os.path.realpath(os.path.expanduser(path) if path == "~" or path.startswith("~/") else path)  # noqa: PTH111
    except (OSError, ValueError):
        return path


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
    id = path.stem if kind == "dropped" else ""
    try:
        text = read_regular(path, LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return Layer(str(path), "", kind, id=id, unreadable=error.strerror or "no reason given")
    if len(text) > LARGEST:
        return Layer(str(path), "", kind, id=id, unreadable="it has more than 1 MiB")
    try:
        return Layer(str(path), text.decode("utf-8-sig"), kind, id=id)
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        return Layer(str(path), "", kind, id=id, unreadable=f"line {line} is not in UTF-8")
