"""Words like `timeout.connect=5` as values of a provider's table. Must never let a key through that others could read.

A value is TOML where it reads as TOML, and else text; an empty one takes the value back. Dots lead into tables.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

import click

SECRET = {"keys", "key", "api_key"}
NO_KEYS = (
    "A key on a command line can be read by every program of yours, and stays in the shell's history. Put it into a "
    'variable, and name that: `auth.env=CORP_KEY`, or `keys=["env:CORP_KEY_1", "env:CORP_KEY_2"]`.'
)


def table_of(settings: Sequence[str]) -> dict[str, Any]:
    """The table that `path=value` words make together. Raises UsageError."""
    table: dict[str, Any] = {}
    for setting in settings:
        path, equals, text = setting.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            raise click.UsageError(f"{setting!r} is no setting. Write it as `key=value`, like `timeout.connect=5`.")
        value = _value(text.strip())
        if keys[0] in SECRET and not _names_variables(value):
            raise click.UsageError(NO_KEYS)
        _put(table, keys, value)
    return table


def _value(text: str) -> Any:
    if not text:
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"] if "\n" not in text else text
    except tomllib.TOMLDecodeError:
        return text


def _names_variables(value: Any) -> bool:
    """Whether this is no key, but says where one stands."""
    sources = value if isinstance(value, list) else [value]
    return all(source is None or str(source).startswith("env:") for source in sources)


def _put(table: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    *outer, last = keys
    for key in outer:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise click.UsageError(f"`{key}` can't be both a value and a table. Set one of them.")
        table = inner
    table[last] = value
