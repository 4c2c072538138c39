"""Edits a person's TOML file: only the intended lines differ, and the file is never seen half written.

The only file that imports tomlkit. Must never know what the keys mean.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pointsman.core.errors import ConfigError, StorageError


def edited(text: str, path: Sequence[str], values: Mapping[str, Any] | None) -> str:
    """The text with values set in the table at `path`.

    A value of None removes its key, and None for all removes the table. Raises ConfigError when the text is not TOML.
    """
    import tomlkit  # noqa: PLC0415 - 20 ms, and only for who edits
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    try:
        document = tomlkit.parse(text)
        new = _change(document, path, values)
        text = tomlkit.dumps(document)
    except TOMLKitError as error:
        raise ConfigError(f"The file is not valid TOML, so nothing can be put into it: {error}.") from error
    return _insert(text, path, new) if new else text


def replace_file(path: Path, text: str) -> None:
    """Puts a new text in place of a file at once, behind whatever link leads to it; its mode stays.

    Raises StorageError.
    """
    target = path.resolve()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, mode)  # noqa: PTH101 - a name, not a path
            os.replace(name, target)  # noqa: PTH105
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageError(f"{target} could not be written: {error.strerror}.") from error


def _change(document: Any, path: Sequence[str], values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Changes and removes what is there already, in its place; gives what is not there yet."""
    table = document
    for key in path[:-1] if values is None else path:
        if key not in table:
            return {key: value for key, value in (values or {}).items() if value is not None}
        table = table[key]
    if values is None:
        table.pop(path[-1], None)
        return {}
    new = {}
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        elif key not in table:
            new[key] = value
        elif isinstance(value, Mapping) and isinstance(table[key], Mapping):
            table[key].update(_change(table, [key], value))
        else:
            table[key] = _item(value)
    return new


def _insert(text: str, path: Sequence[str], new: Mapping[str, Any]) -> str:
    """Puts new keys behind the last key of their table, above the comments that belong to the next one.

    tomlkit would put them below those.
    """
    import tomlkit  # noqa: PLC0415

    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    start = _header(lines, path)
    added = [
        f"{tomlkit.key(key).as_string()} = {tomlkit.item(_item(value)).as_string()}\n" for key, value in new.items()
    ]
    if start is None:
        gap = ["\n"] if lines else []
        name = ".".join(tomlkit.key(key).as_string() for key in path)
        return "".join([*lines, *gap, f"[{name}]\n", *added])
    end = start
    for number in range(start, len(lines)):
        line = lines[number].strip()
        if line.startswith("["):
            break
        if line and not line.startswith("#"):
            end = number + 1
    return "".join([*lines[:end], *added, *lines[end:]])


def _header(lines: Sequence[str], path: Sequence[str]) -> int | None:
    """The number of the line after a table's header; 0 for the top level, None when there is no such header."""
    if not path:
        return 0
    for number, line in enumerate(lines):
        name = line.partition("#")[0].strip()
        if name.startswith("[") and not name.startswith("[["):
            keys = [part.strip().strip("\"'") for part in name.strip("[]").split(".")]
            if keys == list(path):
                return number + 1
    return None


def _item(value: Any) -> Any:
    """A value as it is written: a table within a table stays on its line."""
    import tomlkit  # noqa: PLC0415

    if not isinstance(value, Mapping):
        return value
    inline = tomlkit.inline_table()
    inline.update({key: _item(inner) for key, inner in value.items() if inner is not None})
    return inline
