"""Words like `timeout.connect=5` as values of a provider's table. Must never let a key through that others could read.

A value is TOML where it reads as TOML, and else text; an empty one takes the value back. Dots lead into tables.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import click

from pointsman.core.sources import ACCOUNT, FILE, carries_a_secret
from pointsman.core.sources import VARIABLE as FROM_VARIABLE

SECRET = {"keys", "key", "api_key"}
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NO_KEYS = (
    "A key on a command line can be read by every program of yours, and stays in the shell's history. Store it with "
    "`pointsman keys add`; or put it into a variable, and name that: `auth.env=CORP_KEY`, or "
    '`keys=["env:CORP_KEY_1", "env:CORP_KEY_2"]`.'
)


NO_VARIABLE = (
    "What stands there is no name of a variable (letters, digits and `_`). Give the name, like CORP_KEY, never the key "
    "itself: a command line can be read by every program of yours. The key belongs into that variable."
)
NO_HEADER = (
    "The header {} carries a secret, and a command line can be read by every program of yours. Name the variable that "
    'holds it: `auth.scheme=header auth.header={} auth.env=CORP_KEY`. Or edit the file: $EDITOR "$(pointsman config '
    'path)".'
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
    refuse_secrets(table)
    return table


def refuse_secrets(table: Mapping[str, Any], key_header: str | None = None) -> None:
    """Raises UsageError for what is, or looks like, a secret in a provider's table.

    `key_header` is the header that the provider takes its key in already.
    """
    auth = table.get("auth")
    auth = auth if isinstance(auth, Mapping) else {}
    for name in _each(auth.get("env")):
        if not VARIABLE.fullmatch(str(name)):
            raise click.UsageError(NO_VARIABLE)
    headers = table.get("headers")
    own = {str(name).lower() for name in (key_header, auth.get("header")) if name}
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        if value is not None and (carries_a_secret(name) or name.lower() in own):
            raise click.UsageError(NO_HEADER.format(name, name))


def _value(text: str) -> Any:
    if not text:
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"] if "\n" not in text else text
    except tomllib.TOMLDecodeError:
        return text


def _names_variables(value: Any) -> bool:
    """Whether this is no key, but says where one comes from."""
    return all(_names_a_source(each) for each in _each(value))


def _names_a_source(written: Any) -> bool:
    if isinstance(written, Mapping):
        return True  # a program: the daemon says what is wrong with it, if anything
    text = str(written)
    if text.startswith(FROM_VARIABLE):
        return VARIABLE.fullmatch(text.removeprefix(FROM_VARIABLE)) is not None
    return text == ACCOUNT or text.startswith((f"{FILE}/", f"{FILE}~/"))


def _each(value: Any) -> list[Any]:
    """What one value, a list of them, or none at all holds."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _put(table: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    *outer, last = keys
    for key in outer:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise click.UsageError(f"`{key}` can't be both a value and a table. Set one of them.")
        table = inner
    table[last] = value
