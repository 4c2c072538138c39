"""Reads layers of TOML into a catalogue: later layers win, value by value, and each value remembers where it came from.

Must never know where the text came from on disk. What is wrong is left out and told; what is right stays in force.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from pointsman.core.accounting import Recording, WrittenPrice
from pointsman.core.budget import Budget, Budgets
from pointsman.core.catalogue import (
    SCHEMES,
    Auth,
    Catalogue,
    Chain,
    Daemon,
    Limits,
    Links,
    MetricsSettings,
    OverallLimits,
    Problem,
    Provider,
    Timeout,
)
from pointsman.core.credit import Credit
from pointsman.core.elsewhere import left_behind, settled
from pointsman.core.errors import ConfigError
from pointsman.core.http import origin as origin_of
from pointsman.core.mistakes import ANYTHING, budgets_of_nobody, line_of, misfit, syntax, unknown
from pointsman.core.network import Network, Tls, proxy_mistake
from pointsman.core.oauth import OAuth
from pointsman.core.parameters import Parameter, example, fill, places
from pointsman.core.routing import dead_ends
from pointsman.core.secret import hide_key_like
from pointsman.core.sources import Command, mistake
from pointsman.core.variables import KEY, ORIGIN, prefix, variable_of
from pointsman.core.written_secrets import written_secrets


class _File(Struct, forbid_unknown_fields=True):
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
_STRUCTS: dict[str, type[Struct]] = {
    "": Provider,
    "auth": Auth,
    "auth.oauth": OAuth,
    "credit": Credit,
    "timeout": Timeout,
    "links": Links,
    "limits": Limits,
    "tls": Tls,
    "parameters": Parameter,
    "prices": WrittenPrice,
    "keys": Command,
    "api_key": Command,
}
"""What the tables within a provider's table must fit; its `quirks` are the dialect's business."""


SHIPPED = "shipped:"
LayerKind = Literal["shipped", "dropped", "user", "project"]
CHOICES = {"default", "aliases", "chains"}
"""All that a project file may say: it chooses, and never redirects."""


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
    project_default = None
    for layer in layers:
        texts[layer.origin] = layer.text
        table, mistakes = _read_once(layer) if layer.kind == "shipped" else _read(layer)
        problems += mistakes
        if layer.kind == "project":
            project_default = table.pop("default", None)
        _merge(merged, table, "", layer.origin, origins)
        by_user |= dict.fromkeys(table.get("providers", {}) if layer.kind in {"dropped", "user"} else ())
    return Reading(merged, origins, texts, tuple(problems), tuple(by_user), project_default)


def build(
    reading: Reading,
    quirks: Mapping[str, type[Struct]],
    variables: Mapping[str, Any] | None = None,
    schemes: Set[str] = SCHEMES,
) -> Catalogue:
    """The catalogue for one set of variables (`core.variables.overlay`), which win over every file.

    `quirks` gives, for each dialect there is, the struct that its quirks must fit; `schemes` are the ways to
    authenticate. A variable that says something wrong
    is left out, and told; but without its own base URL a provider is not there at all.
    """
    merged, origins = dict(reading.merged), dict(reading.origins)
    if variables:
        merged = copy.deepcopy(merged)
        _merge(merged, variables, "", ORIGIN, origins)
    file = msgspec.convert(merged, _File)
    problems = list(reading.problems)
    providers = {}
    wrong: dict[tuple[str, str], Problem] = {}
    for id, own in file.providers.items():
        try:
            set_here = {"configured_by_user": id in reading.by_user, "template": "", "written_for": None, "network": {}}
            found = _provider(id, own | set_here | {"temporary": None}, quirks, schemes)
            _check_passthrough(found, origins)
            found = msgspec.structs.replace(found, network=file.network)
            providers[id] = settled(found, reading.providers.get(id), origins if variables else {})
            problems += filter(None, [left_behind(providers[id], reading.providers.get(id))])
        except msgspec.ValidationError as error:
            structs = _STRUCTS | {"quirks": quirks.get(str(own.get("wire", "openai-chat")), Struct)}
            path, message, hint = misfit(error, structs)
            origin = _origin(f"providers.{id}{path}", origins)
            if origin == ORIGIN and path:
                own_variables = reading.parameter_variables.get(id, {})
                name, key = variable_of(id, path.strip("."), own_variables), path.split(".")[1]
                message = f"{name}: {message.partition('`: ')[2] or message}"
                known = "" if hint == ANYTHING else f"{hint} "
                hint = f"{known}Correct {name} where your editor gets its environment from, and start the editor again."
                if key not in {"base_url", "parameters"}:  # another place than the one that was meant is none
                    wrong[id, key] = Problem(origin, f"[providers.{id}] {message}", hint)
            line = _line(reading.texts.get(origin), id, path)
            problems.append(Problem(origin, f"[providers.{id}] {message}", hint, line))
    if wrong and variables:
        right = {
            id: {key: value for key, value in table.items() if (id, key) not in wrong}
            for id, table in variables["providers"].items()
        }
        mended = build(reading, quirks, {"providers": right}, schemes)
        return replace(mended, problems=(*mended.problems, *wrong.values()))
    catalogue = Catalogue(
        providers=providers,
        aliases=file.aliases,
        chains={name: own if isinstance(own, Chain) else Chain(own) for name, own in file.chains.items()},
        default=file.default,
        project_default=reading.project_default,
        fallback=file.fallback,
        by_user=reading.by_user,
        daemon=file.daemon,
        limits=file.limits,
        network=file.network,
        metrics=file.metrics,
        budgets=file.budgets,
        ledger=file.ledger,
        origins=origins,
        secrets=written_secrets(merged, origins),
    )
    for path, dead_end in dead_ends(catalogue):
        line = line_of(reading.texts.get(origins[path], ""), path)
        problems.append(Problem(origins[path], dead_end.message, dead_end.advice, line))
    problems += budgets_of_nobody(catalogue, reading.providers, reading.texts)
    told = (msgspec.structs.replace(each, message=hide_key_like(each.message)) for each in problems)
    return replace(catalogue, problems=tuple(told))


def parse(layers: Iterable[Layer], quirks: Mapping[str, type[Struct]], schemes: Set[str] = SCHEMES) -> Catalogue:
    """The catalogue of layers alone, without a connection's variables."""
    return build(read(layers), quirks, schemes=schemes)


def provider_from(
    id: str, table: Mapping[str, Any], quirks: Mapping[str, type[Struct]], schemes: Set[str] = SCHEMES
) -> Provider:
    """One provider from its table alone. Raises ConfigError."""
    reading = Reading({"providers": {id: dict(table)}}, {f"providers.{id}": "given"}, {}, (), (), None)
    catalogue = build(reading, quirks, schemes=schemes)
    for problem in catalogue.problems:
        raise ConfigError(problem.message, problem.hint)
    return catalogue.providers[id]


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
            try:
                if wrong := msgspec.convert({key: entry}, _File).network.mistake:
                    raise msgspec.ValidationError(f"{wrong[1]} - at `$.network.{wrong[0]}`")
            except msgspec.ValidationError as error:
                name = next(iter(entry), "") if isinstance(entry, dict) else ""
                structs: dict[str, type[Struct]] = {"": _File} | _TABLES
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


def _line(text: str | None, id: str, path: str) -> int | None:
    """The line of a provider's value; a file that defines one provider may do so without a table round it."""
    if text is None:
        return None
    return line_of(text, f"providers.{id}{path}") or line_of(text, path.strip(".")) or 1


def _provider(id: str, table: dict[str, Any], quirks: Mapping[str, type[Struct]], schemes: Set[str]) -> Provider:
    if not id or ":" in id:
        raise msgspec.ValidationError("A provider's name has at least one character and no colon")
    if "id" in table:
        raise msgspec.ValidationError("The name of the table is the id; leave it out here - at `$.id`")
    _check_parameters(table.get("parameters"))
    provider = msgspec.convert({"id": id, **table}, Provider)
    if provider.wire not in quirks:
        raise msgspec.ValidationError(f"{unknown('wire', provider.wire, quirks)} - at `$.wire`")
    if (scheme := provider.auth.scheme) not in schemes:
        raise msgspec.ValidationError(f"{unknown('scheme', scheme, schemes)} - at `$.auth.scheme`")
    template, url = provider.base_url, fill(provider.base_url, provider.parameters)
    provider = msgspec.structs.replace(provider, base_url=example(url, provider.parameters))  # to see whether it is one
    if not _is_absolute(provider.base_url):
        raise msgspec.ValidationError("Expected an absolute http(s) URL - at `$.base_url`")
    for name, url_of_it in (("health_check", provider.health_url), ("credit.path", provider.credit_url)):
        if url_of_it and not (_is_absolute(url_of_it) and origin_of(url_of_it) == origin_of(provider.base_url)):
            raise msgspec.ValidationError(f"Expected a path of the provider's own host - at `$.{name}`")
    if "@" in urlsplit(provider.base_url).netloc:
        raise msgspec.ValidationError("A name or a password belongs into `auth` or `keys`, not here - at `$.base_url`")
    try:
        msgspec.convert(provider.quirks, quirks[provider.wire])
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise msgspec.ValidationError(f"{message} - at `$.quirks{path or '`'}") from None
    _check_parts(provider)
    if provider.auth.scheme == "aws" and "region" not in provider.parameters:
        raise msgspec.ValidationError("`aws` signs for a region: say it as `parameters.region` - at `$.auth.scheme`")
    return msgspec.structs.replace(provider, base_url=url, template=template if places(template) else "")


def _check_parts(provider: Provider) -> None:
    """Refuses what each part for itself can't be."""
    for table, part in (("auth.oauth", provider.auth.oauth), ("tls", provider.tls)):
        if part and (wrong := part.mistake):
            raise msgspec.ValidationError(f"{wrong[1]} - at `$.{table}.{wrong[0]}`")
    said = (
        ("proxy", provider.proxy and proxy_mistake(provider.proxy)),
        ("api_key", mistake((provider.api_key,))),
        ("keys", mistake(provider.keys)),
    )
    for name, words in said:
        if words:
            raise msgspec.ValidationError(f"{words} - at `$.{name}`")


def _check_passthrough(provider: Provider, origins: Mapping[str, str]) -> None:
    """Refuses keys beside a scheme that takes the key of each chat. What a shipped definition names is only unused."""
    if provider.auth.scheme != "passthrough":
        return
    said = [name for name in ("keys", "api_key") if getattr(provider, name)]
    if provider.auth.env and not origins.get(f"providers.{provider.id}.auth.env", SHIPPED).startswith(SHIPPED):
        said.append("auth.env")
    if said:
        raise msgspec.ValidationError(
            f"`passthrough` takes the key that comes with each chat, so `{said[0]}` can't stand beside it; leave one "
            "of them out - at `$.auth.scheme`"
        )


def _check_parameters(raw: Any) -> None:
    """Tries each on its own, since msgspec does not say in which of them it found a mistake."""
    for name, own in raw.items() if isinstance(raw, dict) else ():
        try:
            msgspec.convert(own, Parameter)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `$")
            raise msgspec.ValidationError(f"{message} - at `$.parameters.{name}{path or '`'}") from None


def _is_absolute(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is no port
    except ValueError:
        return False
    return bool(parts.scheme) and (parts.scheme not in {"http", "https"} or bool(parts.hostname))


def _merge(into: dict[str, Any], own: Mapping[str, Any], prefix: str, origin: str, origins: dict[str, str]) -> None:
    for key, value in own.items():
        origins[prefix + key] = origin
        if isinstance(value, dict):
            if not isinstance(into.get(key), dict):
                into[key] = {}
            _merge(into[key], value, f"{prefix}{key}.", origin, origins)
        else:
            if isinstance(into.get(key), dict):  # what stood in the table that this replaces comes from nowhere now
                for path in [path for path in origins if path.startswith(f"{prefix}{key}.")]:
                    del origins[path]
            into[key] = value


def _origin(path: str, origins: Mapping[str, str]) -> str:
    """The layer that set a value; where none did, the last that said anything about what holds it."""
    while path not in origins:
        path = path.rpartition(".")[0]
    return origins[path]
