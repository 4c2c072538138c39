"""What is configured, as one immutable value: providers, aliases, chains. Must never know how it was written down."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

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
    """One provider. `aliases` are its short names for models; `quirks` are checked by the dialect that `wire` names.

    `api_version` goes into the query of every request. `auto_detect` false: a local server is never looked for.
    """

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
    api_version: str | None = None
    auto_detect: bool = True
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


class Problem(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A mistake in a configuration file: where, what, and what to do. `line` counts from 1."""

    file: str
    message: str
    hint: str
    line: int | None = None


@dataclass(frozen=True)
class Catalogue:
    """What is configured for one connection.

    `origins` maps the path of a value (`providers.corp.base_url`) to its layer.

    `default` is the user's own, `project_default` that of a trusted project file.
    """

    providers: Mapping[str, Provider]
    aliases: Mapping[str, str] = field(default_factory=dict)
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default: str | None = None
    project_default: str | None = None
    daemon: Daemon = field(default_factory=Daemon)
    problems: tuple[Problem, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)


def nearest(name: str, valid: Iterable[str]) -> list[str]:
    """The valid names that look like the one given, the likeliest first; at most five."""
    return difflib.get_close_matches(name, sorted(valid), n=5, cutoff=0.5)
