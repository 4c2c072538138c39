"""What is configured, as one immutable value: providers, aliases, chains. Must never know how it was written down."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated as Says
from typing import Any, Literal
from urllib.parse import urlencode

from msgspec import Meta, Struct

LONGEST_NAME = 200
"""Characters of a wrong name that are compared with right ones: a name of megabytes would take seconds."""

Seconds = Says[float, Meta(gt=0, le=366 * 86400)]
Kind = Literal["universal-gateway", "direct-api", "plan-based", "local", "custom"]
Scheme = Literal["none", "optional-key", "bearer", "header"]


class Auth(Struct, frozen=True, forbid_unknown_fields=True):
    """How a request proves who asks."""

    scheme: Says[Scheme, Meta(description="`optional-key` sends a key only if there is one")] = "bearer"
    env: Says[str | tuple[str, ...], Meta(description="variables that may hold a key, also as `NAME_1`, …")] = ()
    header: Says[str, Meta(description="the header that carries the key, for the scheme `header`")] = "x-api-key"

    @property
    def variables(self) -> tuple[str, ...]:
        """The names in `env`, whichever way they were written."""
        return (self.env,) if isinstance(self.env, str) else self.env


class Timeout(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of patience, in seconds."""

    connect: Says[Seconds, Meta(description="until there is a connection")] = 10.0
    first_event: Says[Seconds, Meta(description="until the first sign of an answer, the connection included")] = 120.0
    between_events: Says[Seconds, Meta(description="between two signs of one")] = 120.0


class Links(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Pages for people, named where they help."""

    docs: Says[str | None, Meta(description="the provider's documentation")] = None
    keys: Says[str | None, Meta(description="where keys are made")] = None
    status: Says[str | None, Meta(description="whether it has trouble of its own")] = None


class Provider(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One provider: where it is, what it speaks, and how it is asked."""

    id: str
    name: Says[str, Meta(description="the name for people; the id where it is absent")] = ""
    kind: Says[Kind, Meta(description="its sort; `local` ones are looked for")] = "custom"
    wire: Says[str, Meta(description="the dialect it speaks")] = "openai-chat"
    base_url: Says[str, Meta(description="where it is, up to what the dialect adds")]
    auth: Says[Auth, Meta(description="how a request proves who asks")] = Auth(scheme="optional-key")
    keys: Says[tuple[str, ...], Meta(description="keys to take turns with: `env:NAME`, or a key itself")] = ()
    headers: Says[dict[str, str], Meta(description="headers of every request")] = {}
    default_model: Says[str | None, Meta(description="the model that the provider's name alone stands for")] = None
    models: Says[tuple[str, ...], Meta(description="models to list besides those that it lists itself")] = ()
    aliases: Says[dict[str, str], Meta(description="its own short names for models")] = {}
    api_version: Says[str | None, Meta(description="goes into the query of every request, as `api-version`")] = None
    auto_detect: Says[bool, Meta(description="whether a local server may be looked for")] = True
    timeout: Says[Timeout, Meta(description="limits of patience")] = Timeout()
    max_retries: Says[int, Meta(ge=0, le=10, description="how often the same request may be sent again")] = 2
    quirks: Says[dict[str, Any], Meta(description="what it does differently from others of its dialect")] = {}
    links: Says[Links, Meta(description="pages for people")] = Links()
    configured_by_user: bool = False

    @property
    def title(self) -> str:
        """The name for people."""
        return self.name or self.id

    def url(self, path: str) -> str:
        """The address of one of its paths."""
        version = f"?{urlencode({'api-version': self.api_version})}" if self.api_version else ""
        return f"{self.base_url.rstrip('/')}/{path}{version}"

    def model(self, name: str) -> str:
        """The provider's own id for one of its short names; any other name is taken as an id."""
        return self.aliases.get(name, name)

    @property
    def names(self) -> set[str]:
        """All model names that the configuration knows for this provider."""
        return {*self.aliases, *self.models, *([self.default_model] if self.default_model else [])}


class Daemon(Struct, frozen=True, forbid_unknown_fields=True):
    """How the daemon lives."""

    idle_exit: Says[
        Seconds | Literal["never"],
        Meta(description="seconds without a client or a chat until it ends, or `never`"),
    ] = 3600.0
    drain: Says[
        float, Meta(gt=0, le=15, description="seconds that chats have to finish, 15 at most, when it stops")
    ] = 10.0


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
    return difflib.get_close_matches(name[:LONGEST_NAME], sorted(valid), n=5, cutoff=0.5)
