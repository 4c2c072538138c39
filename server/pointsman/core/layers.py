"""Reads layers of TOML and merges them: later layers win, value by value, and each value remembers where it came from.

Must never know where the text came from on disk, nor what makes a provider. What is wrong is left out and told.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec import Struct

from pointsman.core.accounting import Recording
from pointsman.core.budget import Budget, Budgets
from pointsman.core.catalogue import Chain, Daemon, MetricsSettings, OverallLimits, Problem
from pointsman.core.mistakes import HINT, line_of, misfit, syntax
from pointsman.core.network import Network
from pointsman.core.parameters import Parameter
from pointsman.core.variables import KEY, prefix
from pointsman.core.well_formed import wrong_alias, wrong_chain

SHIPPED = "shipped:"
LayerKind = Literal["shipped", "dropped", "user", "project"]
MOST_QUOTED = 40
"""Characters of a name that is wrong."""
CHOICES = {"default", "aliases", "chains"}
"""All that a project file may say: it chooses, and never redirects."""


class File(Struct, forbid_unknown_fields=True):
    """The top level of pointsman.toml.

    Providers stay raw: each is converted on its own, so that one mistake costs one.
    """

    default: str | None = None
    fallback: str | None = None
    aliases: dict[str, str] = {}
    chains: dict[str, tuple[str, ...] | Chain] = {}
    providers: dict[str, dict[str, Any]] = {}
    daemon: Daemon = Daemon()
    limits: OverallLimits = OverallLimits()
    network: Network = Network()
    metrics: MetricsSettings = MetricsSettings()
    budgets: Budgets = Budgets()
    ledger: Recording = Recording()


_TABLES: dict[str, type[Struct]] = {
    "chains": Chain,
    "daemon": Daemon,
    "limits": OverallLimits,
    "network": Network,
    "metrics": MetricsSettings,
    "budgets": Budgets,
    "budgets.all": Budget,
    "budgets.providers": Budget,
    "budgets.workspaces": Budget,
    "ledger": Recording,
}
"""What the tables of the top level must fit."""


_NAMES = {"aliases": wrong_alias, "chains": wrong_chain}
"""Tables whose entries people name, and what is wrong with a name."""


@dataclass(frozen=True)
class Layer:
    """The text of one file: a shipped definition of one provider, one that the user has dropped beside their
    pointsman.toml, that file itself, or a project's.

    `unreadable` says why there is no text; `id` is the provider of a dropped definition that does not name it.
    """

    origin: str
    text: str
    kind: LayerKind = "user"
    unreadable: str | None = None
    id: str = ""


@dataclass(frozen=True)
class Reading:
    """All layers merged, before any provider is looked at: what several catalogues are built from."""

    merged: Mapping[str, Any]
    origins: Mapping[str, str]
    texts: Mapping[str, str]
    problems: tuple[Problem, ...]
    by_user: tuple[str, ...]
    project_default: str | None
    homes: Mapping[str, str] = field(default_factory=dict)
    """By provider, the base URL of the definition that comes with Pointsman."""

    @property
    def providers(self) -> Mapping[str, Mapping[str, Any]]:
        """The tables of the providers, by id."""
        found: Mapping[str, Mapping[str, Any]] = self.merged.get("providers", {})
        return found

    @property
    def owned_variables(self) -> set[str]:
        """The variables that definitions name as their own."""
        names: set[str] = set()
        for table in self.providers.values():
            env = table.get("auth", {}).get("env", ()) if isinstance(table.get("auth"), dict) else ()
            names |= {env} if isinstance(env, str) else set(env)
        return names

    @property
    def key_variables(self) -> Mapping[str, tuple[str, ...]]:
        """By provider, the variables that may hold a key of it."""
        owned, found = self.owned_variables, {}
        for id, table in self.providers.items():
            env = table["auth"].get("env", ()) if isinstance(table.get("auth"), dict) else ()
            pattern = prefix(id) + KEY
            found[id] = (env,) if isinstance(env, str) else tuple(env) or (() if pattern in owned else (pattern,))
        return found

    @property
    def parameter_variables(self) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """By provider and parameter, the variables that may say it; what is wrong in a definition says nothing here."""
        found: dict[str, dict[str, tuple[str, ...]]] = {}
        for id, table in self.providers.items():
            own = table.get("parameters")
            for name, raw in own.items() if isinstance(own, dict) else ():
                with suppress(msgspec.ValidationError):
                    found.setdefault(id, {})[name] = msgspec.convert(raw, Parameter).variables
        return found


def read(layers: Iterable[Layer]) -> Reading:
    """Merges layers, the later over the earlier."""
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    by_user: dict[str, None] = {}
    homes: dict[str, str] = {}
    project_default, dropped = None, dict[str, str]()
    for layer in layers:
        texts[layer.origin] = layer.text
        table, mistakes = _read_once(layer) if layer.kind == "shipped" else _read(layer)
        problems += mistakes
        if layer.kind == "dropped":
            problems += _twice(layer, table, dropped)
        if layer.kind == "project":
            project_default = table.pop("default", None)
        merge(merged, table, "", layer.origin, origins)
        if layer.kind == "shipped":
            homes |= {id: own["base_url"] for id, own in table["providers"].items()}
        by_user |= dict.fromkeys(table.get("providers", {}) if layer.kind in {"dropped", "user"} else ())
    return Reading(merged, origins, texts, tuple(problems), tuple(by_user), project_default, homes)


@lru_cache(256)
def _read_once(layer: Layer) -> tuple[dict[str, Any], list[Problem]]:
    """What `_read` gives for a definition that never changes; the table must stay as it is."""
    return _read(layer)


def _read(layer: Layer) -> tuple[dict[str, Any], list[Problem]]:
    """What fits of one layer, as a table, and what is wrong with the rest of it."""
    if layer.unreadable:
        hint = "Make it a readable file of TOML; until then it counts as empty."
        return {}, [Problem(layer.origin, f"The file can't be read: {layer.unreadable}.", hint)]
    try:
        table = tomllib.loads(layer.text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a plain ValueError
        return {}, [syntax(layer.origin, layer.text, error)]
    if layer.kind in {"shipped", "dropped"} and (layer.kind == "shipped" or "providers" not in table):
        table = {"providers": {str(table.get("id", layer.id)): {k: v for k, v in table.items() if k != "id"}}}
    allowed = {"project": CHOICES, "dropped": {"providers"}}.get(layer.kind, table.keys())
    refused = [_refusal(layer, key) for key in table if key not in allowed]
    fitting, problems = _fitting(layer, {k: v for k, v in table.items() if k in allowed})
    return fitting, refused + problems


def _twice(layer: Layer, table: Mapping[str, Any], before: dict[str, str]) -> list[Problem]:
    """A provider that a file of definitions defines although another does; `before` says which, and learns of these."""
    found = []
    for id in table.get("providers", {}):
        if (other := before.setdefault(id, layer.origin)) != layer.origin:
            text = f"{id!r} is defined in {other} as well; where the two differ, this file holds."
            hint = "Take one of the two away, or give one of them another `id`."
            line = line_of(layer.text, f"providers.{id}") or line_of(layer.text, "id") or 1
            found.append(Problem(layer.origin, text, hint, line))
    return found


def _refusal(layer: Layer, key: str) -> Problem:
    if layer.kind == "dropped":
        text = f"`{key}` can't stand beside `[providers.…]` in this folder: its files define providers, and that alone."
        hint = f"Put `{key}` into pointsman.toml; or leave `[providers.…]` out, and define one provider."
        return Problem(layer.origin, text, hint, line_of(layer.text, key))
    text = f"`{key}` can't be set by a project: a project file chooses among your providers, and never redirects them."
    hint = (
        f"Put `{key}` into your own pointsman.toml, if you want it; here, `default`, `aliases` and `chains` are read."
    )
    return Problem(layer.origin, text, hint, line_of(layer.text, key))


def _fitting(layer: Layer, table: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Tries each entry on its own, so that one mistake costs one entry, and each mistake is told."""
    fitting: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in table.items():
        entries = [{name: inner} for name, inner in value.items()] if isinstance(value, dict) and value else [value]
        for entry in entries:
            if misnamed := _misnamed(layer, key, entry):
                problems.append(misnamed)
                continue
            try:
                if wrong := msgspec.convert({key: entry}, File).network.mistake:
                    raise msgspec.ValidationError(f"{wrong[1]} - at `$.network.{wrong[0]}`")
            except msgspec.ValidationError as error:
                name = next(iter(entry), "") if isinstance(entry, dict) else ""
                structs: dict[str, type[Struct]] = {"": File} | _TABLES
                path, message, hint = misfit(error, structs, f".{key}.{name}")
                line = line_of(layer.text, path.strip(".")) or line_of(layer.text, key)
                problem = Problem(layer.origin, message, hint, line)
                problems += [problem] if problem not in problems else []
            else:
                if isinstance(entry, dict):
                    fitting.setdefault(key, {}).update(entry)
                else:
                    fitting[key] = entry
    return fitting, problems


def _misnamed(layer: Layer, key: str, entry: Any) -> Problem | None:
    """An entry that nobody could name."""
    for name in entry if isinstance(entry, dict) and key in _NAMES else ():
        if wrong := _NAMES[key](name):
            text, _, hint = wrong.partition(HINT)
            line = line_of(layer.text, f"{key}.{name}")
            return Problem(layer.origin, f"[{key}] {text}: {name[:MOST_QUOTED]!r}.", hint, line)
    return None


def merge(into: dict[str, Any], own: Mapping[str, Any], prefix: str, origin: str, origins: dict[str, str]) -> None:
    """Lays a table over another, in place; each value's path, after `prefix`, is set down in `origins`."""
    for key, value in own.items():
        origins[prefix + key] = origin
        if isinstance(value, dict):
            if not isinstance(into.get(key), dict):
                into[key] = {}
            merge(into[key], value, f"{prefix}{key}.", origin, origins)
        else:
            if isinstance(into.get(key), dict):  # what stood in the table that this replaces comes from nowhere now
                for path in [path for path in origins if path.startswith(f"{prefix}{key}.")]:
                    del origins[path]
            into[key] = value


def origin_in(path: str, origins: Mapping[str, str]) -> str:
    """The layer that set a value; where none did, the last that said anything about what holds it."""
    while path not in origins:
        path = path.rpartition(".")[0]
    return origins[path]
