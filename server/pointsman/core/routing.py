"""From the name of a model to the targets that may answer, in order, with reasons.

Must never know a credential, a clock or how a request is sent. The grammar of names is §5 of the design:
`[provider:]model`, an alias, a provider alone, or `chain:name`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from pointsman.core.catalogue import Catalogue, Provider, Strategy, nearest
from pointsman.core.errors import ConfigError, PointsmanError, RouteError, UnknownChain, UnknownModel, UnknownProvider

CHAIN = "chain:"
STANDS_IN = "fallback"
"""What a notice is about that tells of somebody who is asked and whom nobody named."""
DEEPEST = 20
"""How often a name may lead to another."""
Known = Mapping[str, Set[str]]
"""Model names that the providers themselves have listed, by provider id."""


Usable = Callable[[str], bool]
"""Whether a provider, by its id, can be asked at all."""


class Target(NamedTuple):
    """One provider and the id that it knows the model by."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"


@dataclass(frozen=True)
class Route:
    """Where a name leads. `spec` is the name made independent of who asks; `rule` says how it was understood.

    `strategy` and `on_break` are those of the `chain` that the name leads to, if it does. `fallback` are the last of
    the targets: those that nobody named, and that stand in for the others. `notice` is what whoever asks has to be
    told before anybody is asked. `lost` are the links of a chain that lead nowhere now, with the reason.
    """

    spec: str
    targets: tuple[Target, ...]
    rule: str
    strategy: Strategy = "ordered"
    on_break: Literal["stop", "continue"] = "stop"
    chain: str | None = None
    fallback: tuple[Target, ...] = ()
    notice: str | None = None
    lost: tuple[tuple[Target, str], ...] = ()


@dataclass(frozen=True)
class Plan:
    """The targets to try in order, with the reason for it, and those that were left out with theirs.

    `held` are those of the left out that might answer all the same: only what happened before speaks against them.
    `last_resort`: so it does against the targets, and they are asked as there is nobody else.
    """

    route: Route
    targets: tuple[Target, ...]
    skipped: tuple[tuple[Target, str], ...]
    order: str | None = None
    held: tuple[Target, ...] = ()
    last_resort: bool = False

    @property
    def left_out(self) -> tuple[tuple[Target, str], ...]:
        """All that is not asked, with the reason: what leads nowhere, and what is skipped."""
        return (*self.route.lost, *self.skipped)

    def aloud(self, target: Target) -> str | None:
        """What has to be said when a target is asked that nobody named; None for one that was named."""
        if target not in self.route.fallback:
            return self.route.notice
        return f"{target} stands in for {self.route.spec}, as your `fallback` says."


@dataclass(frozen=True)
class _Asker:
    """Who asks: how the provider in use is found out, what the providers have listed, and which of them can be asked.

    `strict`: a chain must not have a link that leads nowhere.
    """

    current: Callable[[], str | None] = lambda: None
    known: Known = field(default_factory=dict)
    usable: Usable = lambda _: True
    strict: bool = False


Reason = Callable[[Target], str | None]
"""Why a target should not be asked, for people; None where nothing speaks against it."""


def plan(route: Route, hindrance: Reason, unfit: Reason = lambda _: None, held: Reason = lambda _: None) -> Plan:
    """Sorts a route's targets into those to try and those that something speaks against.

    `hindrance` is what nothing helps against (no key, …). Who is `unfit` for the conversation is asked if there is
    nobody else, since what is known of models may be wrong; so are those `held` back for what happened before.
    """
    targets, skipped, misfits, back = list[Target](), list[tuple[Target, str]](), list[Target](), list[Target]()
    for target in route.targets:
        if (reason := hindrance(target)) is not None:
            skipped.append((target, reason))
        elif (reason := unfit(target)) is not None:
            skipped.append((target, reason))
            misfits.append(target)
        elif (reason := held(target)) is not None:
            skipped.append((target, reason))
            back.append(target)
        else:
            targets.append(target)
    if not targets and not back and misfits:
        targets, skipped = misfits, [each for each in skipped if each[0] not in misfits]
    return Plan(route, tuple(targets), tuple(skipped), held=tuple(back))


def resolve(
    catalogue: Catalogue,
    spec: str,
    current: str | Callable[[], str | None] | None = None,
    known: Known | None = None,
    usable: Usable = lambda _: True,
    *,
    strict: bool = False,
) -> Route:
    """Understands a name. `current` is the id of the provider that a bare model name is looked up in first, or
    a function that gives it, called for a bare name alone.

    A pattern leads only to a provider that is `usable`. A link of a chain that leads nowhere is `lost`, and only where
    all are, or if `strict`, is that an error.

    Raises UnknownModel, UnknownProvider or UnknownChain with the nearest names, ConfigError for aliases that go in
    a circle.
    """
    find = current if callable(current) else lambda: current
    return _resolve(catalogue, spec.strip(), _Asker(find, known or {}, usable, strict), ())


def with_fallback(catalogue: Catalogue, route: Route, fallback: Route) -> Route:
    """A route with another behind it, for when none of its own targets answers.

    A chain names all of its ways itself, and gets no other; what was meant for servers on this machine stays on it.
    """
    if route.chain is not None:
        return route
    local = all(catalogue.providers[target.provider].kind == "local" for target in route.targets)
    more = tuple(
        target
        for target in fallback.targets
        if target not in route.targets and not (local and catalogue.providers[target.provider].kind != "local")
    )
    return replace(route, targets=route.targets + more, fallback=more)


def dead_ends(catalogue: Catalogue) -> list[tuple[str, ConfigError]]:
    """Aliases and chains, by their path in the configuration, that can lead to no model, whatever there is."""
    empty = {f"chains.{name}": name for name, chain in catalogue.chains.items() if not chain.targets}
    found = [(path, _empty(name)) for path, name in empty.items()]
    return found + [(path, error) for path, error in _ends(catalogue) if isinstance(error, ConfigError)]


def loose_ends(catalogue: Catalogue) -> list[tuple[str, RouteError]]:
    """Aliases and links of chains, by their path in the configuration, that lead nowhere as long as there is no such
    provider, chain or alias.

    A name without a provider in it may be that of a model that nobody has listed yet, and is none of them.
    """
    return [(path, error) for path, error in _ends(catalogue) if isinstance(error, RouteError)]


def _ends(catalogue: Catalogue) -> Iterator[tuple[str, PointsmanError]]:
    links = [(f"aliases.{name}", (name,), spec) for name, spec in catalogue.aliases.items()]
    for name, chain in catalogue.chains.items():
        links += [(f"chains.{name}", (CHAIN + name,), spec) for spec in chain.targets]
    for path, seen, spec in links:
        try:
            _resolve(catalogue, spec.strip(), _Asker(strict=True), seen)
        except ConfigError as error:
            yield path, error
        except RouteError as error:
            leads_on = spec in catalogue.aliases or spec.removeprefix(CHAIN) in catalogue.chains
            if ":" in spec and not leads_on:
                yield path, error


def _resolve(catalogue: Catalogue, spec: str, asker: _Asker, seen: tuple[str, ...]) -> Route:
    if len(seen) > DEEPEST:
        raise ConfigError(f"{seen[0]!r} leads from name to name more than {DEEPEST} times.", "Name the model itself.")
    if spec in seen:
        path = " → ".join((*seen, spec))
        raise ConfigError(f"The names go in a circle: {path}.", "Let one of them name a model instead.")
    if spec in catalogue.aliases:
        inner = _resolve(catalogue, catalogue.aliases[spec], asker, (*seen, spec))
        return replace(inner, spec=spec, rule=f"alias {spec}")
    if target := _named(catalogue, spec):
        return Route(spec, (target,), f"provider {target.provider} is named")
    if spec.startswith(CHAIN):
        return _chain(catalogue, spec, asker, seen)
    if provider := catalogue.providers.get(spec):
        return Route(spec, (_default_target(provider),), f"default model of {spec}")
    return _bare(catalogue, spec, asker)


def _named(catalogue: Catalogue, spec: str) -> Target | None:
    """The target of a name that says whose model it is."""
    head, colon, tail = spec.partition(":")
    provider = catalogue.providers.get(head) if colon else None
    if provider is None:
        return None
    if not tail:
        raise UnknownModel(
            f"No model is named after {head}: in {spec!r}.", f"Write `{head}` alone for its default model."
        )
    return Target(head, provider.model(tail))


def _chain(catalogue: Catalogue, spec: str, asker: _Asker, seen: tuple[str, ...]) -> Route:
    name = spec.removeprefix(CHAIN)
    chain = catalogue.chains.get(name)
    if chain is None:
        raise UnknownChain(f"There is no chain {name!r}.", _suggest(name, catalogue.chains, "chain"))
    if not chain.targets:
        raise _empty(name)
    targets, lost, errors = list[Target](), list[tuple[Target, str]](), list[PointsmanError]()
    for link in chain.targets:
        try:
            # As most links are: a route of its own for each would take as long as all the rest of a plan.
            if len(seen) < DEEPEST and link not in catalogue.aliases and (target := _named(catalogue, link)):
                targets.append(target)
                continue
            inner = _resolve(catalogue, link, asker, (*seen, spec))
        except (ConfigError, RouteError) as error:
            if asker.strict:
                raise
            errors.append(error)
            lost.append((_as_target(link), error.message))
        else:
            targets += inner.targets
            lost += inner.lost
    if not targets:
        raise errors[0]
    return Route(
        spec, tuple(dict.fromkeys(targets)), f"chain {name}", chain.strategy, chain.on_break, name, lost=tuple(lost)
    )


def _empty(name: str) -> ConfigError:
    return ConfigError(f"The chain {name!r} is empty.", "Name the models that it should try, in order.")


def _as_target(link: str) -> Target:
    """A name that leads nowhere, for a list of what is left out."""
    head, colon, tail = link.partition(":")
    return Target(head, tail) if colon else Target("unknown", link)


def _bare(catalogue: Catalogue, name: str, asker: _Asker) -> Route:
    current, known = asker.current(), asker.known
    if (found := _of(catalogue, current, name, known)) is not None:
        return replace(found, rule=f"model of the current provider {current}")
    for provider in catalogue.providers.values():
        for pattern in provider.patterns:
            if fnmatchcase(name, pattern) and asker.usable(provider.id):
                rule = f"{pattern} is a pattern of {provider.id}"
                return Route(f"{provider.id}:{name}", (Target(provider.id, provider.model(name)),), rule)
    default = _unaliased(catalogue, catalogue.default or "").partition(":")[0]
    if (found := _of(catalogue, default, name, known)) is not None:
        return replace(found, rule=f"model of the default provider {default}")
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


def _of(catalogue: Catalogue, id: str | None, name: str, known: Known) -> Route | None:
    """The route to a model of one provider, if it has one of that name."""
    provider = catalogue.providers.get(id or "")
    if provider is None or name not in provider.names | known.get(provider.id, set()):
        return None
    return Route(f"{provider.id}:{name}", (Target(provider.id, provider.model(name)),), "")


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
