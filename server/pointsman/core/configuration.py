"""Builds the catalogue from what the layers say together.

Must never know where a text came from on disk. What is wrong is left out and told; what is right stays in force.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import Struct

from pointsman.core.catalogue import SCHEMES, Catalogue, Chain, Problem, Provider
from pointsman.core.elsewhere import left_behind, settled
from pointsman.core.errors import ConfigError
from pointsman.core.layers import SHIPPED, File, Layer, Reading, merge, origin_in, read
from pointsman.core.mistakes import ANYTHING, budgets_of_nobody, line_of, misfit
from pointsman.core.one_provider import STRUCTS, one_provider
from pointsman.core.routing import dead_ends, loose_ends
from pointsman.core.secret import hide_key_like
from pointsman.core.variables import ORIGIN, variable_of
from pointsman.core.written_secrets import written_secrets


def build(
    reading: Reading,
    quirks: Mapping[str, type[Struct]],
    variables: Mapping[str, Any] | None = None,
    schemes: Set[str] = SCHEMES,
) -> Catalogue:
    """The catalogue for one set of variables (`core.variables.overlay`), which win over every file.

    `quirks` gives, for each dialect there is, the struct that its quirks must fit; `schemes` are the ways to
    authenticate. A variable that says something wrong is left out, and told; but without its own base URL a provider
    is not there at all.
    """
    merged, origins = dict(reading.merged), dict(reading.origins)
    if variables:
        merged = copy.deepcopy(merged)
        merge(merged, variables, "", ORIGIN, origins)
    file = msgspec.convert(merged, File)
    problems = list(reading.problems)
    providers: dict[str, Provider] = {}
    wrong: dict[tuple[str, str], Problem] = {}
    for id, own in file.providers.items():
        before = reading.providers.get(id)
        try:
            set_here = {"configured_by_user": id in reading.by_user, "template": "", "written_for": None, "network": {}}
            home = reading.homes.get(id, own.get("base_url"))
            priced = {} if own.get("base_url") == home else {"prices_at": home}
            found = one_provider(id, priced | own | set_here | {"temporary": None}, quirks, schemes)
            _check_passthrough(found, origins)
        except msgspec.ValidationError as error:
            problem, variable = _told(error, id, own, reading, quirks, origins)
            problems.append(problem)
            if variable:
                wrong[id, variable] = problem
        else:
            found = msgspec.structs.replace(found, network=file.network)
            providers[id] = settled(found, before, origins if variables else {})
            problems += filter(None, [left_behind(providers[id], before)])
    if wrong and variables:
        mended = build(reading, quirks, _without(variables, wrong), schemes)
        return replace(mended, problems=(*mended.problems, *wrong.values()))
    catalogue = _catalogue(file, reading, providers, merged, origins)
    problems += _across(catalogue, reading)
    told = (msgspec.structs.replace(each, message=hide_key_like(each.message)) for each in problems)
    return replace(catalogue, problems=tuple(told))


def loose(catalogue: Catalogue, origin: str, text: str) -> list[Problem]:
    """What one file names that is not there: told, and no reason not to take the file as it is."""
    return [
        Problem(origin, hide_key_like(f"`{path}`: {error.message}"), hide_key_like(error.advice), line_of(text, path))
        for path, error in loose_ends(catalogue)
        if catalogue.origins[path] == origin
    ]


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


def _told(
    error: msgspec.ValidationError,
    id: str,
    own: Mapping[str, Any],
    reading: Reading,
    quirks: Mapping[str, type[Struct]],
    origins: Mapping[str, str],
) -> tuple[Problem, str | None]:
    """What is wrong with a provider, in words; and the setting to blame, if a variable says it that can be left out."""
    path, message, hint = misfit(error, STRUCTS | {"quirks": quirks.get(str(own.get("wire", "openai-chat")), Struct)})
    origin = origin_in(f"providers.{id}{path}", origins)
    blamed = None
    if origin == ORIGIN and path:
        key = path.split(".")[1]
        name = variable_of(id, path.strip("."), reading.parameter_variables.get(id, {}))
        message = f"{name}: {message.partition('`: ')[2] or message}"
        known = "" if hint == ANYTHING else f"{hint} "
        hint = f"{known}Correct {name} where your editor gets its environment from, and start the editor again."
        if key not in {"base_url", "parameters"}:  # another place than the one that was meant is none
            blamed = key
    line = _line(reading.texts.get(origin), id, path)
    return Problem(origin, f"[providers.{id}] {message}", hint, line), blamed


def _without(variables: Mapping[str, Any], wrong: Collection[tuple[str, str]]) -> dict[str, Any]:
    """What the variables say, but for what is wrong."""
    return {
        "providers": {
            id: {key: value for key, value in table.items() if (id, key) not in wrong}
            for id, table in variables["providers"].items()
        }
    }


def _catalogue(
    file: File,
    reading: Reading,
    providers: Mapping[str, Provider],
    merged: Mapping[str, Any],
    origins: Mapping[str, str],
) -> Catalogue:
    return Catalogue(
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


def _across(catalogue: Catalogue, reading: Reading) -> list[Problem]:
    """What is wrong between several parts, each of which is sound."""
    origins, found = catalogue.origins, []
    for path, dead_end in dead_ends(catalogue):
        line = line_of(reading.texts.get(origins[path], ""), path)
        found.append(Problem(origins[path], dead_end.message, dead_end.advice, line))
    return [*found, *budgets_of_nobody(catalogue, reading.providers, reading.texts)]


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


def _line(text: str | None, id: str, path: str) -> int | None:
    """The line of a provider's value; a file that defines one provider may do so without a table round it."""
    if text is None:
        return None
    return line_of(text, f"providers.{id}{path}") or line_of(text, path.strip(".")) or 1
