"""Layers of TOML in, one immutable catalogue of providers, aliases and chains out.

Must never know where the text came from on disk, nor look at an environment variable or a clock.
Later layers win, value by value; each value remembers the layer that it came from.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(gt=0)]
Kind = Literal["universal-gateway", "direct-api", "plan-based", "local", "custom"]
Scheme = Literal["none", "optional-key", "bearer", "header"]


class Auth(Struct, frozen=True, forbid_unknown_fields=True):
    """How a request proves who asks.

    `env` names the variables that may hold a key; `header` is for the scheme of that name.
    """

    scheme: Scheme = "bearer"
    env: str | tuple[str, ...] = ()
    header: str = "x-api-key"

    @property
    def variables(self) -> tuple[str, ...]:
        """The names in `env`, whichever way they were written."""
        return (self.env,) if isinstance(self.env, str) else self.env


class Timeout(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits in seconds: to connect, to the first event of an answer, and between two events of it."""

    connect: Seconds = 10.0
    first_event: Seconds = 120.0
    between_events: Seconds = 120.0


class Links(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Pages for people."""

    docs: str | None = None
    keys: str | None = None
    status: str | None = None


class Provider(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One provider. `aliases` are its short names for models; `quirks` are checked by the dialect that `wire` names."""

    id: str
    name: str = ""
    kind: Kind = "custom"
    wire: str = "openai-chat"
    base_url: str
    auth: Auth = Auth(scheme="optional-key")
    keys: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    default_model: str | None = None
    models: tuple[str, ...] = ()
    aliases: dict[str, str] = {}
    timeout: Timeout = Timeout()
    max_retries: Annotated[int, Meta(ge=0, le=10)] = 2
    quirks: dict[str, Any] = {}
    links: Links = Links()
    configured_by_user: bool = False

    @property
    def title(self) -> str:
        """The name for people."""
        return self.name or self.id

    def model(self, name: str) -> str:
        """The provider's own id for one of its short names; any other name is taken as an id."""
        return self.aliases.get(name, name)

    @property
    def names(self) -> set[str]:
        """All model names that the configuration knows for this provider."""
        return {*self.aliases, *self.models, *([self.default_model] if self.default_model else [])}


class Daemon(Struct, frozen=True, forbid_unknown_fields=True):
    """How the daemon lives. `idle_exit` in seconds without a connection or a chat, or `never`; `drain` in seconds."""

    idle_exit: Seconds | Literal["never"] = 3600.0
    drain: Seconds = 10.0


class _File(Struct, forbid_unknown_fields=True):
    """The top level of pointsman.toml.

    Providers stay raw: each is converted on its own, so that one mistake costs one.
    """

    default: str | None = None
    aliases: dict[str, str] = {}
    chains: dict[str, tuple[str, ...]] = {}
    providers: dict[str, dict[str, Any]] = {}
    daemon: Daemon = Daemon()


class Problem(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A mistake in a configuration file: where, what, and what to do. `line` counts from 1."""

    file: str
    message: str
    hint: str
    line: int | None = None


@dataclass(frozen=True)
class Layer:
    """The text of one file: a shipped definition of one provider, or a user's pointsman.toml.

    `unreadable` says why there is no text.
    """

    origin: str
    text: str
    shipped: bool = False
    unreadable: str | None = None


@dataclass(frozen=True)
class Catalogue:
    """What is configured. `origins` maps the path of a value (`providers.corp.base_url`) to the layer that set it."""

    providers: Mapping[str, Provider]
    aliases: Mapping[str, str] = field(default_factory=dict)
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default: str | None = None
    daemon: Daemon = field(default_factory=Daemon)
    problems: tuple[Problem, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)


def parse(layers: Iterable[Layer], quirks: Mapping[str, type[Struct]]) -> Catalogue:
    """Reads all layers. What is wrong is left out and told in `problems`; what is right stays in force.

    `quirks` gives, for each dialect there is, the struct that its quirks must fit.
    """
    tables: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    problems: list[Problem] = []
    file = _File()
    texts: dict[str, str] = {}
    for layer in layers:
        texts[layer.origin] = layer.text
        file, mistakes = _read(layer)
        problems += mistakes
        for id, own in file.providers.items():
            merged = tables.setdefault(id, {})
            _merge(merged, own, f"providers.{id}", layer.origin, origins)
            if not layer.shipped:
                merged["configured_by_user"] = True
    providers = {}
    for id, table in tables.items():
        try:
            providers[id] = _provider(id, table, quirks)
        except msgspec.ValidationError as error:
            origin = _origin(f"providers.{id}", origins)
            problems.append(_misfit(origin, texts[origin], f"providers.{id}", str(error), Provider))
    return Catalogue(
        providers=providers,
        aliases=dict(file.aliases),
        chains=dict(file.chains),
        default=file.default,
        daemon=file.daemon,
        problems=tuple(problems),
        origins=origins,
    )


def nearest(name: str, valid: Iterable[str]) -> list[str]:
    """The valid names that look like the one given, the likeliest first; at most five."""
    return difflib.get_close_matches(name, sorted(valid), n=5, cutoff=0.5)


def _read(layer: Layer) -> tuple[_File, list[Problem]]:
    """One layer, and what is wrong with it; what still fits of it stays."""
    if layer.unreadable:
        hint = "Make it a readable file of TOML; until then it counts as empty."
        return _File(), [Problem(layer.origin, f"The file can't be read: {layer.unreadable}.", hint)]
    try:
        table = tomllib.loads(layer.text)
    except tomllib.TOMLDecodeError as error:
        return _File(), [_syntax(layer, error)]
    if layer.shipped:
        table = {"providers": {table["id"]: {k: v for k, v in table.items() if k != "id"}}}
    try:
        return msgspec.convert(table, _File), []
    except msgspec.ValidationError as error:
        return _salvage(table), [_misfit(layer.origin, layer.text, "", str(error), _File)]


def _provider(id: str, table: dict[str, Any], quirks: Mapping[str, type[Struct]]) -> Provider:
    provider = msgspec.convert({"id": id, **table}, Provider)
    if provider.wire not in quirks:
        near = nearest(provider.wire, quirks) or sorted(quirks)
        raise msgspec.ValidationError(f"Unknown wire {provider.wire!r}; known: {', '.join(near)} - at `$.wire`")
    url = urlsplit(provider.base_url)
    if not url.scheme or (url.scheme in {"http", "https"} and not url.hostname):
        raise msgspec.ValidationError("Expected an absolute http(s) URL - at `$.base_url`")
    try:
        msgspec.convert(provider.quirks, quirks[provider.wire])
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(str(error).replace("$", "$.quirks")) from None
    return provider


def _merge(into: dict[str, Any], own: Mapping[str, Any], path: str, origin: str, origins: dict[str, str]) -> None:
    for key, value in own.items():
        origins[f"{path}.{key}"] = origin
        if isinstance(value, dict):
            _merge(into.setdefault(key, {}), value, f"{path}.{key}", origin, origins)
        else:
            into[key] = value


def _origin(path: str, origins: Mapping[str, str]) -> str:
    """The last layer that said anything below a path: the user's, where both did."""
    return [origin for key, origin in origins.items() if key.startswith(path + ".")][-1]


def _salvage(table: dict[str, Any]) -> _File:
    """What still fits of a file whose top level has a mistake."""
    fitting = {}
    for key, value in table.items():
        try:
            msgspec.convert({key: value}, _File)
        except msgspec.ValidationError:
            continue
        fitting[key] = value
    return msgspec.convert(fitting, _File)


def _syntax(layer: Layer, error: tomllib.TOMLDecodeError) -> Problem:
    found = re.search(r"\(at line (\d+)", str(error))
    line = int(found[1]) if found else layer.text.count("\n") + 1
    return Problem(
        layer.origin, f"Not valid TOML: {error}.", "Mend that line; nothing else in the file is read until then.", line
    )


def _misfit(origin: str, text: str, table: str, error: str, struct: type[Struct]) -> Problem:
    """Turns msgspec's message into one for people, with the line of the key that it names."""
    message, _, path = error.partition(" - at `$")
    key = path.strip(".`").split(".")[0].split("[")[0]
    hint = "See docs/configuration.md for what belongs here."
    if unknown := re.search(r"unknown field `(\w+)`", message):
        key = unknown[1]
        near = nearest(key, struct.__struct_fields__)
        hint = f"Did you mean `{near[0]}`?" if near else f"Known here: {', '.join(struct.__struct_fields__)}."
    where = f"[{table}] " if table else ""
    name = f"`{key}`: " if key and not unknown else ""
    return Problem(origin, f"{where}{name}{message}.", hint, _line(text, table, key))


def _line(text: str, table: str, key: str) -> int | None:
    """The line of a key below a table's header, else that of the header; by text, good enough to jump to."""
    header = None
    inside = not table
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip().startswith("["):
            name = line.strip().strip("[]").replace('"', "")
            inside = name == table or name.startswith(f"{table}.") or (not table and name == key)
            if inside and header is None:
                header = number
        if inside and key and re.match(rf"\s*\[?\"?{re.escape(key)}\b", line):
            return number
    return header
