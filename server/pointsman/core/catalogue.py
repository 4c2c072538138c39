"""What is configured, as one immutable value: providers, aliases, chains. Must never know how it was written down."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated as Says
from typing import Any, Literal, get_args
from urllib.parse import urlencode, urljoin

from msgspec import Meta, Struct

from pointsman.core.accounting import Recording, WrittenPrice
from pointsman.core.budget import Budgets
from pointsman.core.credit import Credit
from pointsman.core.network import PROXY, Egress, Network, Tls, egress, named
from pointsman.core.oauth import OAuth
from pointsman.core.parameters import Parameter, places, said
from pointsman.core.secret import Secret
from pointsman.core.sources import Source, Written, sources

LONGEST_NAME = 200
"""Characters of a wrong name that are compared with right ones: a name of megabytes would take seconds."""

Seconds = Says[float, Meta(gt=0, le=366 * 86400)]
Count = Says[int, Meta(ge=1)]
Kind = Literal["universal-gateway", "direct-api", "plan-based", "local", "custom"]
Scheme = Literal["none", "optional-key", "bearer", "header", "oauth", "passthrough", "aws", "gcp", "program"]
Strategy = Literal["ordered", "cheapest", "fastest", "round-robin", "sticky"]
SCHEMES: frozenset[str] = frozenset(get_args(Scheme))
"""Those that are ours; a plugin may add another."""
Feature = Literal["streaming", "tools", "images", "files", "reasoning", "json", "caching", "search"]
"""What a provider's dialect and service can do at all; a model of it may do less."""


COMPUTED = frozenset({"id", "configured_by_user", "template", "written_for", "network", "temporary"})
"""Fields of a provider that no file says."""


class Auth(Struct, frozen=True, forbid_unknown_fields=True):
    """How a request proves who asks."""

    scheme: Says[
        str,
        Meta(
            extra_json_schema={"enum": list(get_args(Scheme))},
            description="`optional-key` sends a key only if there is one; `oauth` wants a sign-in; `passthrough` takes "
            "the key that comes with each chat; `aws` signs with AWS credentials; `gcp` is Google's application "
            "default; `program` leaves it to the program that is run; a plugin may add another",
        ),
    ] = "bearer"
    env: Says[str | tuple[str, ...], Meta(description="variables that may hold a key, also as `NAME_1`, …")] = ()
    header: Says[str, Meta(description="the header that carries the key, for the scheme `header`")] = "x-api-key"
    oauth: Says[OAuth | None, Meta(description="how an account signs in; the scheme `oauth` uses it")] = None

    @property
    def variables(self) -> tuple[str, ...]:
        """The names in `env`, whichever way they were written."""
        return (self.env,) if isinstance(self.env, str) else self.env


class Timeout(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of patience, in seconds."""

    connect: Says[Seconds, Meta(description="until there is a connection")] = 10.0
    first_event: Says[Seconds, Meta(description="until the first sign of an answer, the connection included")] = 120.0
    between_events: Says[Seconds, Meta(description="between two signs of one")] = 120.0
    whole: Says[Seconds | None, Meta(description="until an answer is complete; no limit where it is absent")] = None


class Links(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Pages for people, named where they help."""

    docs: Says[str | None, Meta(description="the provider's documentation")] = None
    keys: Says[str | None, Meta(description="where keys are made")] = None
    status: Says[str | None, Meta(description="whether it has trouble of its own")] = None


class Limits(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How many requests may be sent, and how many a plan gives. Beyond the first two, chats wait for their turn
    (docs/limits.md); the others are shown, and stop nothing."""

    requests_per_minute: Says[Count | None, Meta(description="requests a minute that chats may send, in all")] = None
    concurrency: Says[Count | None, Meta(description="answers that may be under way at once")] = None
    weekly: Says[Count | None, Meta(description="requests in seven days")] = None
    rolling: Says[Count | None, Meta(description="requests in any `window_hours`")] = None
    window_hours: Says[float, Meta(gt=0, le=744, description="the length of that window, in hours")] = 5.0
    headers: Says[
        Says[str, Meta(pattern="^[A-Za-z][A-Za-z0-9-]*$")] | None,
        Meta(
            description="how the names of headers begin in which answers say how much of the plan is used: "
            "`…-primary-used-percent`, `…-primary-window-minutes`, `…-primary-reset-at`, and `…-secondary-…`",
        ),
    ] = None


class OverallLimits(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How many requests all chats together may send, whichever provider they go to. Beyond that they wait for their
    turn (docs/limits.md). Without these there is no limit. Only your own pointsman.toml may say them."""

    per_client_per_minute: Says[Count | None, Meta(description="requests a minute from one window of an editor")] = None
    per_minute: Says[Count | None, Meta(description="requests a minute from all of them")] = None
    concurrency: Says[Count | None, Meta(description="answers that may be under way at once")] = None


class TemporaryKey(Struct, frozen=True, rename="camel"):
    """A temporary session that stands before what is configured for a provider.

    `session` is its short id, `account` what people may see of its key; `expiresAt` is RFC 3339 in UTC.
    """

    session: str
    account: str
    expires_at: str


class Provider(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """One provider: where it is, what it speaks, and how it is asked."""

    id: str
    name: Says[str, Meta(description="the name for people; the id where it is absent")] = ""
    kind: Says[Kind, Meta(description="its sort; `local` ones are looked for")] = "custom"
    wire: Says[str, Meta(description="the dialect it speaks")] = "openai-chat"
    base_url: Says[str, Meta(description="where it is, up to what the dialect adds; may contain `{PARAMETER}`")]
    parameters: Says[dict[str, Parameter], Meta(description="what stands in `base_url` for each `{PARAMETER}`")] = {}
    auth: Says[Auth, Meta(description="how a request proves who asks")] = Auth(scheme="optional-key")
    keys: Says[
        tuple[Written, ...],
        Meta(
            description="where keys to take turns with come from: `env:NAME`, `file:PATH`, `{ command = […] }` that "
            "prints one, `!OAUTH` for a signed-in account, or a key itself"
        ),
    ] = ()
    api_key: Says[Written | None, Meta(description="short for one of `keys`")] = None
    headers: Says[dict[str, str], Meta(description="headers of every request")] = {}
    proxy: Says[str | None, Meta(description=f"{PROXY}; over `network.proxy`, also for this machine's own")] = None
    tls: Says[Tls, Meta(description="certificates for TLS")] = Tls()
    default_model: Says[str | None, Meta(description="the model that the provider's name alone stands for")] = None
    models: Says[tuple[str, ...], Meta(description="models to list besides those that it lists itself")] = ()
    aliases: Says[dict[str, str], Meta(description="its own short names for models")] = {}
    prices: Says[
        dict[str, WrittenPrice],
        Meta(description="what its models cost, by their names, over what it or genai-prices says"),
    ] = {}
    prices_at: Says[
        str,
        Meta(
            description="the address of a vendor whose prices hold here, as where a gateway passes on to it; what "
            "comes with Pointsman keeps its own prices when it is led elsewhere"
        ),
    ] = ""
    patterns: Says[
        tuple[str, ...], Meta(description="names, with `*` for any letters, that are its models if nobody else's")
    ] = ()
    api_version: Says[
        str | None,
        Meta(description="its version of the API: in the query, as `api-version`, or where the dialect puts it"),
    ] = None
    auto_detect: Says[bool, Meta(description="whether a local server may be looked for")] = True
    stands_in: Says[
        bool, Meta(description="whether it may be asked where nobody named it, since the default has no key")
    ] = True
    timeout: Says[Timeout, Meta(description="limits of patience")] = Timeout()
    max_retries: Says[int, Meta(ge=0, le=10, description="how often the same request may be sent again")] = 2
    quirks: Says[dict[str, Any], Meta(description="what it does differently from others of its dialect")] = {}
    links: Says[Links, Meta(description="pages for people")] = Links()
    features: Says[tuple[Feature, ...], Meta(description="what it can do; a model of it may do less")] = ()
    limits: Says[Limits, Meta(description="how much its plan gives")] = Limits()
    model_list: Says[
        Literal["with-key", "public", "none"],
        Meta(description="who gets its list of models; a `public` one says nothing about a key"),
    ] = "with-key"
    health_check: Says[
        str | None, Meta(description="a path to GET that calls no model, and is refused to a wrong key")
    ] = None
    credit: Says[Credit | None, Meta(description="where it says what is left of the money on an account")] = None
    key_hint: Says[str | None, Meta(description="what else to look at when a right key is refused")] = None
    configured_by_user: bool = False
    template: str = ""
    """The `base_url` as it was written, where parameters have been filled into it."""
    written_for: str | None = None
    """The origin that the files name, where the connection's environment leads to another; empty if they name none.
    What is written in them is shown nowhere else."""
    network: Network = Network()
    """The way to all providers."""

    @property
    def egress(self) -> Egress:
        """The way that its requests take."""
        return egress(self.network, self.proxy, self.tls)

    temporary: TemporaryKey | None = None
    """The session in whose view it stands: then its key alone is sent, and no other is looked up."""

    @property
    def sold_at(self) -> str:
        """The address that its prices are known by."""
        return self.prices_at or self.base_url

    @property
    def title(self) -> str:
        """The name for people."""
        return self.name or self.id

    @cached_property  # read for every target of every plan
    def sources(self) -> tuple[Source, ...]:
        """Where its keys come from, as far as that is configured."""
        return sources((self.api_key, *self.keys))

    @property
    def missing(self) -> tuple[str, ...]:
        """The parameters that nobody has said yet, without which it can't be asked."""
        if not self.parameters:
            return ()
        wanted = places(self.base_url) + (["region"] if self.auth.scheme == "aws" and not self.region else [])
        roots = {name: own.of for name, own in self.parameters.items() if own.of}
        return tuple(dict.fromkeys(roots.get(name, name) for name in wanted))

    @property
    def region(self) -> str | None:
        """The region that a request is signed for."""
        return said(self.parameters, "region") if "region" in self.parameters else None

    def url(self, path: str) -> str:
        """The address of one of its paths."""
        version = f"?{urlencode({'api-version': self.api_version})}" if self.api_version else ""
        return f"{self.base_url.rstrip('/')}/{path}{version}"

    @property
    def health_url(self) -> str | None:
        """The address of its health check; a path that begins with a slash counts from the host."""
        return urljoin(self.url(""), self.health_check) if self.health_check else None

    @property
    def credit_url(self) -> str | None:
        """The address that says what is left; a path that begins with a slash counts from the host."""
        return urljoin(self.url(""), self.credit.path) if self.credit else None

    def model(self, name: str) -> str:
        """The provider's own id for one of its short names; any other name is taken as an id."""
        return self.aliases.get(name, name)

    @property
    def names(self) -> set[str]:
        """All model names that the configuration knows for this provider."""
        return {*self.aliases, *self.models, *([self.default_model] if self.default_model else [])}


class Chain(Struct, frozen=True, forbid_unknown_fields=True):
    """Several ways to an answer, under one name."""

    targets: Says[tuple[str, ...], Meta(description="names of models, as everywhere; also of other chains")]
    strategy: Says[
        Strategy,
        Meta(
            description="which goes first: `ordered` as written, the `cheapest` for this conversation, the `fastest` "
            "to its first word so far, `round-robin` by turns, or `sticky` where the conversation's prompt cache is"
        ),
    ] = "ordered"
    on_break: Says[
        Literal["stop", "continue"],
        Meta(description="what a broken answer does: it stops, or the next target goes on from its text so far"),
    ] = "stop"


class Daemon(Struct, frozen=True, forbid_unknown_fields=True):
    """How the daemon lives."""

    idle_exit: Says[
        Seconds | Literal["never"],
        Meta(description="seconds without a client or a chat until it ends, or `never`"),
    ] = 3600.0
    drain: Says[
        float, Meta(gt=0, le=15, description="seconds that chats have to finish, 15 at most, when it stops")
    ] = 10.0


class MetricsSettings(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where metrics for Prometheus are told; nowhere if nothing is said. They need the extra `metrics`."""

    port: Says[
        Says[int, Meta(ge=1, le=65535)] | None,
        Meta(description="a port of this machine's loopback address alone, with the page /metrics"),
    ] = None
    textfile: Says[
        Says[str, Meta(pattern=r"^(/|~/).*\.prom$")] | None,
        Meta(description="a file that is written each 15 seconds, for node_exporter's textfile collector"),
    ] = None


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

    `default` is the user's own, `project_default` that of a trusted project file. `fallback` is asked where what was
    named gives no answer. `by_user` are the ids of the providers that the user's own files name, in their order.
    `secrets` are all that stand in the files themselves: while the catalogue lives, nobody reads them anywhere.
    """

    providers: Mapping[str, Provider]
    aliases: Mapping[str, str] = field(default_factory=dict)
    chains: Mapping[str, Chain] = field(default_factory=dict)
    default: str | None = None
    project_default: str | None = None
    fallback: str | None = None
    by_user: tuple[str, ...] = ()
    daemon: Daemon = field(default_factory=Daemon)
    limits: OverallLimits = field(default_factory=OverallLimits)
    network: Network = field(default_factory=Network)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    budgets: Budgets = field(default_factory=Budgets)
    ledger: Recording = field(default_factory=Recording)
    problems: tuple[Problem, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()


def named_files(catalogue: Catalogue, origin: str) -> Iterator[tuple[str, str, str]]:
    """The files for TLS that a layer names: the path of the value, the field, and the file."""
    tables: list[tuple[str, Tls | Network]] = [("network", catalogue.network)]
    tables += [(f"providers.{id}.tls", provider.tls) for id, provider in catalogue.providers.items()]
    for at, table in tables:
        for name, file in named(table):
            if catalogue.origins.get(f"{at}.{name}") == origin:
                yield f"{at}.{name}", name, file


def nearest(name: str, valid: Iterable[str]) -> list[str]:
    """The valid names that look like the one given, the likeliest first; at most five."""
    name, names = name[:LONGEST_NAME], sorted(valid)
    best = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    likeness = [difflib.SequenceMatcher(None, found, name).ratio() for found in best]
    return difflib.get_close_matches(name, names, n=5, cutoff=0.8 * likeness[0]) if likeness else []
