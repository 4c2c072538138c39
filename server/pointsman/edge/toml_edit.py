"""Edits a person's TOML file: only the intended lines differ, and the file is never seen half written.

The only file that imports tomlkit. Must never know what the keys mean.
"""

from __future__ import annotations

import copy
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pointsman.core.errors import ConfigError, StorageError
from pointsman.core.toml_statements import Statement, statements

Names = tuple[str, ...]
INDENT = re.compile(r"[ \t]*")
BY_HAND = "Change it by hand; it is in force as soon as you save."


def edited(text: str, path: Sequence[str], values: Mapping[str, Any] | None) -> str:
    """The text with values set in the table at `path`.

    A value of None removes its key, and None for all removes the table. Raises ConfigError when the text is not TOML,
    or when there is something else at `path` than a table.
    """
    try:
        before = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"The file is not valid TOML, so nothing can be put into it: {error}.") from error
    wanted = _changed(before, path, values)
    if values is None:
        new = _without(text, tuple(path))
    else:
        new = text
        for key, value in values.items():
            new = _set(new, (*path, key), value)
    if _pruned(tomllib.loads(new)) != _pruned(wanted):
        raise ConfigError(f"`{'.'.join(path)}` is written in a way that can't be changed from here.", BY_HAND)
    return new


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
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
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


# What is wanted, as values: what comes of the text has to be just this.


def _changed(before: Mapping[str, Any], path: Sequence[str], values: Mapping[str, Any] | None) -> dict[str, Any]:
    wanted = table = copy.deepcopy(dict(before))
    for key in path[:-1] if values is None else path:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise ConfigError(f"`{key}` is no table in this file, so nothing can be put into it.", BY_HAND)
    if values is None:
        table.pop(path[-1], None)
    else:
        _merge(table, values)
    return wanted


def _merge(table: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        elif isinstance(value, Mapping):
            inner = table.get(key)
            table[key] = inner if isinstance(inner, dict) else {}
            _merge(table[key], value)
        else:
            table[key] = value


def _pruned(table: Mapping[str, Any]) -> dict[str, Any]:
    """Without empty tables: one that nothing is left of need not be written down."""
    inner = {key: _pruned(value) if isinstance(value, Mapping) else value for key, value in table.items()}
    return {key: value for key, value in inner.items() if value != {}}


# The same, line by line.


def _set(text: str, path: Names, value: Any) -> str:
    now = _at(tomllib.loads(text), path)
    if value is None:
        return _without(text, path)
    if isinstance(value, Mapping) and isinstance(now, dict):
        for key, inner in value.items():
            text = _set(text, (*path, key), inner)
        return text
    if type(now) is type(value) and now == value:
        return text
    for each in statements(text):
        if each.value and each.path == path[: len(each.path)]:
            lists = each.path == path and isinstance(now, list) and isinstance(value, list | tuple)
            if lists and value and (gone := _gone(now, value)) is not None:
                return _thinned(text, each, gone)
            return _rewritten(text, each, path[len(each.path) :], value)
    return _inserted(_without(text, path), path, value)


def _without(text: str, path: Names) -> str:
    """The text without what is at `path`. Comments stay, but for those between the lines of a table that goes."""
    end: int | None = None
    for each in reversed(statements(text)):
        end = end or each.end  # of all that stands under the header that comes next here
        gone = each.path[: len(path)] == path
        if each.value is None:
            if gone:
                text = text[: each.start] + _closed_up(text[: each.start], text[end:])
            end = None
        elif gone and len(each.table) < len(path):
            text = text[: each.start] + text[each.end :]
        elif each.path == path[: len(each.path)]:
            text = _rewritten(text, each, path[len(each.path) :], None)
    return text


def _closed_up(before: str, after: str) -> str:
    """What follows a table that goes: without the empty lines that set it apart, if there are some above it too."""
    return re.sub(r"\A([ \t]*\r?\n)+", "", after) if re.search(r"(\A|\n)[ \t]*\r?\n\Z", before) or not before else after


def _rewritten(text: str, statement: Statement, within: Names, value: Any) -> str:
    """Another value for a statement, or, in its inline table, for one of the keys; None removes that."""
    assert statement.value is not None
    start, end = statement.value
    return text[:start] + (_inline(text[start:end], within, value) if within else _toml(value)) + text[end:]


def _gone(now: Sequence[Any], value: Sequence[Any]) -> list[int] | None:
    """Where those items stand that a list has too many of, None if it lacks some, or has others."""
    gone, left = [], list(value)
    for number, item in enumerate(now):
        if left and item == left[0]:
            left.pop(0)
        else:
            gone.append(number)
    return None if left else gone


def _thinned(text: str, statement: Statement, gone: Sequence[int]) -> str:
    """A list without some of its items, and without the comments behind those; the others keep theirs."""
    import tomlkit  # noqa: PLC0415 - as below

    assert statement.value is not None
    start, end = statement.value
    document = tomlkit.parse(f"k = {text[start:end]}")
    items: Any = document["k"]
    for number in reversed(gone):
        del items[number]
    return text[:start] + tomlkit.dumps(document).removeprefix("k = ") + text[end:]


def _inline(text: str, within: Names, value: Any) -> str:
    import tomlkit  # noqa: PLC0415 - 20 ms, and only for who has inline tables

    document = tomlkit.parse(f"k = {text}")
    table: Any = document["k"]
    for key in within[:-1]:
        if key not in table:
            if value is None:
                return text
            table[key] = tomlkit.inline_table()
        table = table[key]
    if value is None:
        table.pop(within[-1], None)
    else:
        table[within[-1]] = tomlkit.value(_toml(value))
    return tomlkit.dumps(document).removeprefix("k = ")


def _inserted(text: str, path: Names, value: Any) -> str:
    """A new key behind the last one of its table, above the comments that belong to the next one."""
    table, end, own = path[:-1], None, path[-1:]
    indent = ""
    for each in statements(text):
        under = each.table == table and not each.array
        beside = len(each.table) < len(table) == len(each.path[: len(table)]) and each.path[: len(table)] == table
        if under or (beside and each.value):
            end, own = each.end, path[len(each.table) :]
            indent = INDENT.match(text, each.start)[0]  # type: ignore[index]  # it always matches
    line_end = "\r\n" if "\r\n" in text else "\n"
    line = f"{indent}{_dotted(own)} = {_toml(value)}{line_end}"
    if end is None and table:
        gap = "" if not text or re.search(r"\n[ \t]*\r?\n\Z", text) else line_end
        line = f"{gap}[{_dotted(table)}]{line_end}{line}"
        end = len(text)
    before = text[: end or 0]
    return before + (line_end if before and not before.endswith("\n") else "") + line + text[end or 0 :]


def _at(table: Any, path: Names) -> Any:
    for key in path:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _dotted(names: Names) -> str:
    return ".".join(name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name) for name in names)


def _toml(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        pairs = [f"{_dotted((key,))} = {_toml(inner)}" for key, inner in value.items() if inner is not None]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
