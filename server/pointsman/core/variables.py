"""What the variables of one connection say about providers, as a layer of configuration. Must never read a key.

`{PROVIDER}_BASE_URL`, `_AUTH_MODE`, `_API_VERSION`, `_CUSTOM_HEADER_*`, `_TIMEOUT` and `_MAX_RETRIES` work for
every provider (`-` in an id is `_` in a name); a `FOO_API_KEY` with a `FOO_BASE_URL` makes a provider `foo` of chat
completions. A definition may name further variables, for the parameters of its base URL. `!OAUTH` where a key would be
asks for a signed-in account.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pointsman.core.catalogue import Timeout
from pointsman.core.environment import Environment
from pointsman.core.sources import ACCOUNT

ORIGIN = "environment"
KEY = "_API_KEY"
BASE_URL = "_BASE_URL"
HEADER = "_CUSTOM_HEADER_"


def prefix(provider: str) -> str:
    """How a provider's variables begin."""
    return provider.upper().replace("-", "_")


def variable_of(provider: str, path: str, parameters: Mapping[str, Sequence[str]] | None = None) -> str:
    """The variable that said the value at a path of a provider's table, to be named when it is wrong.

    `parameters` are the variables of each of its parameters.
    """
    table, _, name = path.partition(".")
    if table == "parameters" and parameters:
        return " or ".join(parameters[name.partition(".")[0]])
    said = [name for name, (at, _) in _SETTINGS.items() if path == at or path.startswith(f"{at}.")]
    return prefix(provider) + (said[0] if said else HEADER)


def overlay(
    environment: Environment,
    providers: Collection[str],
    owned: Collection[str],
    parameters: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    keys: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """The layer: for each provider that variables say something about, its part of a `providers` table.

    `owned` are the variables that a definition names as its own: they make no provider, whatever they are called.
    `parameters` gives, by provider and parameter, the variables that may say it; `keys`, by provider, those that may
    hold its key.
    """
    names = set(environment)
    made = {
        name.removesuffix(KEY).lower().replace("_", "-")
        for name in names
        if name.endswith(KEY) and name not in owned and name.removesuffix(KEY) + BASE_URL in names
    }
    known = {prefix(id): id for id in [*sorted(made), *providers]}
    tables: dict[str, Any] = {}
    for begin, id in known.items():
        if table := _table(environment, names, begin):
            if id not in providers:
                table["auth"] = {"scheme": "bearer"} | table.get("auth", {})
            tables[id] = table
    for id, holding in (keys or {}).items():
        if any(environment.setting(name) == ACCOUNT for name in holding):
            tables.setdefault(id, {})["api_key"] = ACCOUNT
    for id, variables in (parameters or {}).items():
        for name, candidates in variables.items():
            if said := [value for each in candidates if (value := environment.setting(each))]:
                tables.setdefault(id, {}).setdefault("parameters", {})[name] = {"value": said[0]}
    return {"providers": tables} if tables else {}


def _table(environment: Environment, names: set[str], begin: str) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, (path, read) in _SETTINGS.items():
        if begin + name in names:
            _put(table, path, read(environment.setting(begin + name) or ""))
    for name in names:
        if name.startswith(begin + HEADER):
            header = name.removeprefix(begin + HEADER).replace("_", "-").title()
            table.setdefault("headers", {})[header] = environment.setting(name)
    if "timeout" in table:
        limit = table["timeout"]
        table["timeout"] = {"first_event": limit, "between_events": limit}
        if not isinstance(limit, str) and limit < Timeout().connect:
            table["timeout"]["connect"] = limit
    return table


def _number(text: str) -> float | int | str:
    """A number; a text that is none stays one, and is told as a mistake like any other."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


_SETTINGS: dict[str, tuple[str, Any]] = {
    BASE_URL: ("base_url", str),
    "_AUTH_MODE": ("auth.scheme", str),
    "_API_VERSION": ("api_version", str),
    "_TIMEOUT": ("timeout", _number),
    "_MAX_RETRIES": ("max_retries", _number),
}


def _put(table: dict[str, Any], path: str, value: Any) -> None:
    *outer, last = path.split(".")
    for key in outer:
        table = table.setdefault(key, {})
    table[last] = value
