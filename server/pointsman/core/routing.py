"""From the name of a model to the targets that may answer, in order, with reasons.

Must never know a credential, a clock or how a request is sent. The grammar of names is §5 of the design:
`[provider:]model`, an alias, a provider alone, or `chain:name`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass

from pointsman.core.catalogue import Catalogue, Provider, nearest
from pointsman.core.errors import ConfigError, RouteError, UnknownChain, UnknownModel, UnknownProvider

CHAIN = "chain:"
DEEPEST = 20
"""How often a name may lead to another."""
Known = Mapping[str, Set[str]]
"""Model names that the providers themselves have listed, by provider id."""


@dataclass(frozen=True)
class Target:
    """One provider and the id that it knows the model by."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"


@dataclass(frozen=True)
class Route:
    """Where a name leads. `spec` is the name made independent of who asks; `rule` says how it was understood."""

    spec: str
    targets: tuple[Target, ...]
    rule: str


@dataclass(frozen=True)
class Plan:
    """The targets to try in order, and those that were left out with the reason."""

    route: Route
    targets: tuple[Target, ...]
    skipped: tuple[tuple[Target, str], ...]


def plan(route: Route, hindrance: Callable[[Target], str | None]) -> Plan:
    """Sorts a route's targets into those to try and those with a hindrance (no key, …)."""
    reasons = [(target, hindrance(target)) for target in route.targets]
    return Plan(
        route,
        tuple(target for target, reason in reasons if reason is None),
        tuple((target, reason) for target, reason in reasons if reason is not None),
    )


def resolve(catalogue: Catalogue, spec: str, current: str | None = None, known: Known | None = None) -> Route:
    """Understands a name. `current` is the id of the provider that a bare model name is looked up in first.

    Raises UnknownModel, UnknownProvider or UnknownChain with the nearest names, ConfigError for aliases that go in
    a circle.
    """
    return _resolve(catalogue, spec.strip(), current, known or {}, ())


def dead_ends(catalogue: Catalogue) -> list[tuple[str, ConfigError]]:
    """Aliases and chains, by their path in the configuration, that can lead to no model, whatever there is."""
    found = []
    names = {f"aliases.{name}": name for name in catalogue.aliases}
    for path, name in (names | {f"chains.{name}": CHAIN + name for name in catalogue.chains}).items():
        try:
            resolve(catalogue, name)
        except ConfigError as error:
            found.append((path, error))
        except RouteError:
            pass  # a model that nobody has listed yet
    return found


def _resolve(catalogue: Catalogue, spec: str, current: str | None, known: Known, seen: tuple[str, ...]) -> Route:
    if len(seen) > DEEPEST:
        raise ConfigError(f"{seen[0]!r} leads from name to name more than {DEEPEST} times.", "Name the model itself.")
    if spec in seen:
        path = " → ".join((*seen, spec))
        raise ConfigError(f"The names go in a circle: {path}.", "Let one of them name a model instead.")
    if spec in catalogue.aliases:
        inner = _resolve(catalogue, catalogue.aliases[spec], current, known, (*seen, spec))
        return Route(spec, inner.targets, f"alias {spec}")
    head, colon, tail = spec.partition(":")
    if colon and (provider := catalogue.providers.get(head)):
        if not tail:
            raise UnknownModel(
                f"No model is named after {head}: in {spec!r}.", f"Write `{head}` alone for its default model."
            )
        return Route(spec, (Target(head, provider.model(tail)),), f"provider {head} is named")
    if spec.startswith(CHAIN):
        return _chain(catalogue, spec, current, known, seen)
    if provider := catalogue.providers.get(spec):
        return Route(spec, (_default_target(provider),), f"default model of {spec}")
    return _bare(catalogue, spec, current, known)


def _chain(catalogue: Catalogue, spec: str, current: str | None, known: Known, seen: tuple[str, ...]) -> Route:
    name = spec.removeprefix(CHAIN)
    links = catalogue.chains.get(name)
    if links == ():
        raise ConfigError(f"The chain {name!r} is empty.", "Name the models that it should try, in order.")
    if links is None:
        raise UnknownChain(f"There is no chain {name!r}.", _suggest(name, catalogue.chains, "chain"))
    targets: list[Target] = []
    for link in links:
        targets += _resolve(catalogue, link, current, known, (*seen, spec)).targets
    return Route(spec, tuple(dict.fromkeys(targets)), f"chain {name}")


def _bare(catalogue: Catalogue, name: str, current: str | None, known: Known) -> Route:
    default = _unaliased(catalogue, catalogue.default or "").partition(":")[0]
    for id, rule in ((current, "model of the current provider"), (default, "model of the default provider")):
        provider = catalogue.providers.get(id or "")
        if provider and name in provider.names | known.get(provider.id, set()):
            return Route(f"{provider.id}:{name}", (Target(provider.id, provider.model(name)),), f"{rule} {provider.id}")
    full = {f"{p.id}:{m}" for p in catalogue.providers.values() for m in p.names | known.get(p.id, set())}
    same = sorted(spec for spec in full if spec.partition(":")[2] == name)
    if same:
        raise UnknownModel(
            f"{name!r} is not a model of the current provider.", f"Say whose it should be: {', '.join(same[:5])}."
        )
    head, colon, _ = name.partition(":")
    if colon and (near := nearest(head, catalogue.providers)):
        raise UnknownProvider(f"There is no provider {head!r}.", f"Did you mean {', '.join(near)}?")
    names = full | set(catalogue.aliases) | set(catalogue.providers) | {spec.partition(":")[2] for spec in full}
    raise UnknownModel(
        f"No model, alias or provider is called {name!r}.",
        _suggest(name, names, "model")
        + " A model that nobody lists can be named with its provider in front: `provider:model`.",
    )


def _unaliased(catalogue: Catalogue, spec: str) -> str:
    """What an alias leads to, as far as aliases go."""
    for _ in catalogue.aliases:
        spec = catalogue.aliases.get(spec, spec)
    return spec


def _default_target(provider: Provider) -> Target:
    if provider.default_model is None:
        example = next(iter(sorted(provider.names)), "model-name")
        raise UnknownModel(
            f"{provider.title} has no default model.",
            f"Name one, for example `{provider.id}:{example}`, or set `default_model`.",
        )
    return Target(provider.id, provider.model(provider.default_model))


def _suggest(name: str, valid: Iterable[str], what: str) -> str:
    names = list(valid)
    if near := nearest(name, names):
        return f"Did you mean {', '.join(near)}?"
    if not names:
        return f"No {what} is configured yet."
    return f"There are: {', '.join(sorted(names)[:12])}."
