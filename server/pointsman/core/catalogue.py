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

LONGEST_NAME = 200
"""Characters of a wrong name that are compared with right ones: a name of megabytes would take seconds."""

Seconds = Annotated[float, Meta(gt=0, le=366 * 86400)]
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
    """How the daemon lives.

    `idle_exit`: seconds without a client or a chat, or `never`. `drain`: seconds, 15 at most.
    """

    idle_exit: Seconds | Literal["never"] = 3600.0
    drain: Annotated[float, Meta(gt=0, le=15)] = 10.0


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


_STRUCTS: dict[str, type[Struct]] = {"": Provider, "auth": Auth, "timeout": Timeout, "links": Links}
"""What the tables within a provider's table must fit; its `quirks` are the dialect's business."""


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
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    problems: list[Problem] = []
    texts: dict[str, str] = {}
    users: set[str] = set()
    for layer in layers:
        texts[layer.origin] = layer.text
        table, mistakes = _read(layer)
        problems += mistakes
        _merge(merged, table, "", layer.origin, origins)
        users |= set() if layer.shipped else table.get("providers", {}).keys()
    file = msgspec.convert(merged, _File)
    providers = {}
    for id, own in file.providers.items():
        try:
            providers[id] = _provider(id, own | {"configured_by_user": id in users}, quirks)
        except msgspec.ValidationError as error:
            structs = _STRUCTS | {"quirks": quirks.get(str(own.get("wire", "openai-chat")), Struct)}
            path, message, hint = _misfit(error, structs)
            origin = _origin(f"providers.{id}{path}", origins)
            line = _line(texts[origin], f"providers.{id}{path}")
            problems.append(Problem(origin, f"[providers.{id}] {message}", hint, line))
    return Catalogue(
        providers=providers,
        aliases=file.aliases,
        chains=file.chains,
        default=file.default,
        daemon=file.daemon,
        problems=tuple(problems),
        origins=origins,
    )


def nearest(name: str, valid: Iterable[str]) -> list[str]:
    """The valid names that look like the one given, the likeliest first; at most five."""
    return difflib.get_close_matches(name[:LONGEST_NAME], sorted(valid), n=5, cutoff=0.5)


def _read(layer: Layer) -> tuple[dict[str, Any], list[Problem]]:
    """What fits of one layer, as a table, and what is wrong with the rest of it."""
    if layer.unreadable:
        hint = "Make it a readable file of TOML; until then it counts as empty."
        return {}, [Problem(layer.origin, f"The file can't be read: {layer.unreadable}.", hint)]
    try:
        table = tomllib.loads(layer.text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a plain ValueError
        return {}, [_syntax(layer, error)]
    if layer.shipped:
        table = {"providers": {table["id"]: {k: v for k, v in table.items() if k != "id"}}}
    return _fitting(layer, table)


def _fitting(layer: Layer, table: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Tries each entry on its own, so that one mistake costs one entry, and each mistake is told."""
    fitting: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in table.items():
        entries = [{name: inner} for name, inner in value.items()] if isinstance(value, dict) and value else [value]
        for entry in entries:
            try:
                msgspec.convert({key: entry}, _File)
            except msgspec.ValidationError as error:
                name = next(iter(entry), "") if isinstance(entry, dict) else ""
                path, message, hint = _misfit(error, {"": _File, "daemon": Daemon}, f".{key}.{name}")
                problem = Problem(layer.origin, message, hint, _line(layer.text, path.strip(".")))
                problems += [problem] if problem not in problems else []
            else:
                if isinstance(entry, dict):
                    fitting.setdefault(key, {}).update(entry)
                else:
                    fitting[key] = entry
    return fitting, problems


def _provider(id: str, table: dict[str, Any], quirks: Mapping[str, type[Struct]]) -> Provider:
    if not id or ":" in id:
        raise msgspec.ValidationError("A provider's name has at least one character and no colon")
    if "id" in table:
        raise msgspec.ValidationError("The name of the table is the id; leave it out here - at `$.id`")
    provider = msgspec.convert({"id": id, **table}, Provider)
    if provider.wire not in quirks:
        near = nearest(provider.wire, quirks) or sorted(quirks)
        raise msgspec.ValidationError(f"Unknown wire {provider.wire!r}; known: {', '.join(near)} - at `$.wire`")
    if not _is_absolute(provider.base_url):
        raise msgspec.ValidationError("Expected an absolute http(s) URL - at `$.base_url`")
    if "@" in urlsplit(provider.base_url).netloc:
        raise msgspec.ValidationError("A name or a password belongs into `auth` or `keys`, not here - at `$.base_url`")
    try:
        msgspec.convert(provider.quirks, quirks[provider.wire])
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise msgspec.ValidationError(f"{message} - at `$.quirks{path or '`'}") from None
    return provider


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
            into[key] = value


def _origin(path: str, origins: Mapping[str, str]) -> str:
    """The layer that set a value; where none did, the last that said anything about what holds it."""
    while path not in origins:
        path = path.rpartition(".")[0]
    return origins[path]


def _syntax(layer: Layer, error: Exception) -> Problem:
    found = re.search(r"\(at line (\d+)", str(error))
    line = int(found[1]) if found else None if isinstance(error, RecursionError) else layer.text.count("\n") + 1
    return Problem(
        layer.origin, f"Not valid TOML: {error}.", "Mend that line; nothing else in the file is read until then.", line
    )


def _misfit(
    error: msgspec.ValidationError, structs: Mapping[str, type[Struct]], entry: str = ""
) -> tuple[str, str, str]:
    """msgspec's words for people: the path to the value (`.auth.scheme`), what is wrong with it, and what to do.

    msgspec says `[...]` for the name of an entry; where it is known, `entry` is the path to it.
    """
    message, _, path = str(error).partition(" - at `$")
    path = entry if entry and "[...]" in path else path.rstrip("`").split("[")[0]
    unknown = re.search(r"unknown field `([^`]+)`", message)
    if unknown is None:
        name = f"`{path.strip('.')}`: " if path else ""
        return path, f"{name}{message}.", "See docs/configuration.md for what belongs here."
    names = [name for name in structs[path.strip(".")].__struct_fields__ if name not in {"id", "configured_by_user"}]
    near = nearest(unknown[1], names)
    hint = f"Did you mean `{near[0]}`?" if near else f"Known here: {', '.join(names)}."
    return f"{path}.{unknown[1]}", f"{message}.", hint


def _line(text: str, path: str) -> int | None:
    """The line of a value, else that of what holds it: found by text alone, and good enough to jump to."""
    wanted = _names(path)
    header: list[str] = []
    best, depth = None, 0
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.match(r"\s*\[+([^\]]+)\]", line):
            here = header = _names(found[1])
        elif found := re.match(r"\s*([^=#]+)=", line):
            here = header + _names(found[1])
        else:
            continue
        shorter = min(len(here), len(wanted))
        if here[:shorter] == wanted[:shorter] and shorter > depth:
            best, depth = number, shorter
    return best


def _names(path: str) -> list[str]:
    return [name.strip().strip("\"'") for name in path.split(".")]
