"""The configuration that holds for each connection: variables over the project's file over the user's own over ours.

The user's own are pointsman.toml, and below it the definitions of providers in the folder beside it.

Must never lose what worked: a file that has become wrong is told, and what it said before stays in force.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import tomllib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary, WeakValueDictionary

import msgspec
from msgspec import Struct

from pointsman.core.bounded import Bounded
from pointsman.core.catalogue import SCHEMES, Catalogue, Problem, named_files
from pointsman.core.configuration import build, loose
from pointsman.core.errors import ConfigError
from pointsman.core.layers import Layer, LayerKind, Reading, read
from pointsman.core.mistakes import line_of
from pointsman.core.variables import overlay
from pointsman.edge.files import FOLDER, definitions, layer, shipped
from pointsman.edge.store import Store
from pointsman.edge.tls import fault
from pointsman.service.clients import Client
from pointsman.service.trials import Trials
from pointsman.wire import QUIRKS

log = logging.getLogger(__name__)

PROJECT_FILE = ".pointsman.toml"
SETTLED = 0.08
"""Seconds that a doubtful file must stay as it is before it counts: its writer may be slow."""
LOOKS = 4
"""How often it is looked at in that time."""


class ProvidersChanged(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What this connection can choose from has changed: the ids of the providers that came, differ, or went, and in
    `names` the aliases and chains (`chain:NAME`) that did.
    """

    added: list[str]
    changed: list[str]
    removed: list[str]
    names: list[str] = []


@dataclass(frozen=True)
class Problems:
    """All that is wrong with one file now; none, when it has been mended."""

    file: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class _File:
    """One file as it was last read, and the last of its versions that had no mistake."""

    now: Layer | None
    good: Layer | None
    problems: tuple[Problem, ...] = ()


class Catalogues:
    """Catalogues by connection, made when first asked for, and anew when a file has changed."""

    def __init__(
        self,
        config_file: Path,
        store: Store,
        quirks: Mapping[str, type[Struct]] = QUIRKS,
        schemes: Set[str] = SCHEMES,
        trials: Trials | None = None,
    ) -> None:
        self._store = store
        self._trials = Trials() if trials is None else trials
        self._quirks, self._schemes = quirks, schemes
        self._config_file = config_file
        self._shipped = shipped()
        self._files: dict[Path, _File] = {}
        self._trusted = store.trusted()
        self._readings: dict[str | None, Reading] = {}
        self._base: Catalogue | None = None
        self._built: Bounded[tuple[Layer, ...], Catalogue] = Bounded(2)
        self._by_content: WeakValueDictionary[bytes, Catalogue] = WeakValueDictionary()
        self._of: WeakKeyDictionary[Client, Catalogue] = WeakKeyDictionary()
        self.folder = config_file.parent / FOLDER
        for path in definitions(self.folder):
            self._look(path)
        self._look(config_file)

    def of(self, client: Client) -> Catalogue:
        """What holds for a connection, immutable: what is configured, behind its temporary sessions."""
        return self._trials.view(client, self.configured(client))

    def configured(self, client: Client) -> Catalogue:
        """What is configured for a connection, whatever session holds for it."""
        if (found := self._of.get(client)) is None:
            found = self._make(client)
            if client.ready:  # before that, nobody knows its workspace
                self._of[client] = found
        return found

    @property
    def base(self) -> Catalogue:
        """What is configured for a connection without variables and without a project."""
        if self._base is None:
            self._base = build(self._reading(None), self._quirks, schemes=self._schemes)
        return self._base

    def files(self, workspaces: Iterable[str]) -> list[Path]:
        """The files whose changes matter, with clients in these workspaces."""
        projects = (Path(folder) / PROJECT_FILE for folder in dict.fromkeys(workspaces))
        return [*self._dropped, self._config_file, *projects]

    def look_anew(self, workspace: str) -> None:
        """A workspace is opened in which nobody was: what its file said when somebody was there may be past."""
        self._files.pop(Path(workspace) / PROJECT_FILE, None)
        self._readings.pop(workspace, None)
        self._by_content.clear()

    def problems(self, client: Client) -> list[Problems]:
        """What is wrong with the files that count for a connection."""
        catalogue = self.configured(client)  # first: with it the project's file has been read
        paths = self.files([client.workspace] if client.workspace else [])
        found = [Problems(str(path), self._mistakes(path)) for path in paths]
        variables = [p for p in catalogue.problems if p.file == "environment"]
        return [each for each in [*found, Problems("environment", tuple(variables))] if each.problems]

    async def refresh(self, workspaces: Iterable[str]) -> list[Problems]:
        """Reads the files again; gives, for each that changed, what is wrong with it. `of` is new after `forget`."""
        told = []
        for path in await asyncio.to_thread(definitions, self.folder):
            self._files.setdefault(path, _File(None, None))
        for path in self.files(workspaces):
            before = self._files.get(path)
            if await asyncio.to_thread(layer, path, self._kind(path)) == (before.now if before else None):
                continue
            await self._settle(path)
            log.info("configuration read again: %s, %d problems", path, len(self._files[path].problems))
            told.append(Problems(str(path), self._mistakes(path)))
        return told + self._undermined([problems.file for problems in told])

    def _undermined(self, changed: Sequence[str]) -> list[Problems]:
        """What is wrong with pointsman.toml since a definition below it has changed, or is no longer."""
        path = self._config_file
        before = self._files[path]
        if str(path) in changed or not any(Path(file).parent == self.folder for file in changed):
            return []
        self._take(path, before.now)
        return [Problems(str(path), self._mistakes(path))] if self._files[path].problems != before.problems else []

    def forget(self) -> None:
        """Lets what was read last be in force: until then, what clients have seen holds."""
        self._readings.clear()
        self._by_content.clear()
        self._of.clear()
        self._base = None

    async def trust(self, folder: str, *, wanted: bool) -> Problems:
        """Trusts a folder's project file as it is now, or no more; gives what is wrong with it. As for `refresh`.

        Raises ConfigError where there is none, StorageError.
        """
        if not Path(folder).is_absolute():
            raise ConfigError(f"{folder!r} is not an absolute path.", "Name the folder from the root.")
        path = (await asyncio.to_thread(Path(folder).resolve)) / PROJECT_FILE
        found = await asyncio.to_thread(layer, path, "project")
        if found is None and wanted:
            raise ConfigError(f"There is no {PROJECT_FILE} in {path.parent}.", "Write it first; then trust it.")
        hash = _hash(found) if found and wanted else None
        await self._store.put_trusted(str(path), hash)
        if hash is None:
            self._trusted.pop(str(path), None)
        else:
            self._trusted[str(path)] = hash
        self._take(path, found)
        return Problems(str(path), self._mistakes(path))

    async def _settle(self, path: Path) -> None:
        """Takes a changed file in; one that is wrong or looks half written, once it has stayed so for a moment."""
        new = await asyncio.to_thread(layer, path, self._kind(path))
        unchanged, doubtful = 0, self._is_doubtful(path, new)
        while doubtful and unchanged < LOOKS:
            await asyncio.sleep(SETTLED / LOOKS)
            again = await asyncio.to_thread(layer, path, self._kind(path))
            unchanged += 1
            if again != new:
                new, unchanged, doubtful = again, 0, self._is_doubtful(path, again)
        self._take(path, new)

    def _is_doubtful(self, path: Path, new: Layer | None) -> bool:
        old = self._files.get(path)
        return bool(self._problems_in(new)) or _half_written(old.good if old else None, new)

    @property
    def _dropped(self) -> list[Path]:
        """The files of the folder, also such as have gone: that nothing is wrong with them any more is news."""
        return sorted(path for path in self._files if path.parent == self.folder)

    @property
    def _below(self) -> list[Layer]:
        """What lies below pointsman.toml."""
        dropped = (self._files[path].good for path in self._dropped)
        return [*self._shipped, *(each for each in dropped if each is not None)]

    def _make(self, client: Client) -> Catalogue:
        reading = self._reading(client.workspace)
        variables = overlay(
            client.environment,
            reading.providers.keys(),
            reading.owned_variables,
            reading.parameter_variables,
            reading.key_variables,
        )
        place = client.workspace if self._project(client.workspace) else None
        key = msgspec.json.encode((place, variables), order="sorted")
        if (found := self._by_content.get(key)) is None:
            found = self._by_content[key] = build(reading, self._quirks, variables, self._schemes)
        return found

    def _reading(self, workspace: str | None) -> Reading:
        project = self._project(workspace)
        place = workspace if project else None
        if place not in self._readings:
            self._readings[place] = read(self._layers(project))
        return self._readings[place]

    def _layers(self, project: Layer | None) -> list[Layer]:
        """All files that count now, with that of a project."""
        user = self._files[self._config_file].good
        return [*self._below, *(each for each in (user, project) if each is not None)]

    def _project(self, workspace: str | None) -> Layer | None:
        """A workspace's own file, if it is there and trusted."""
        if workspace is None:
            return None
        path = Path(workspace) / PROJECT_FILE
        if path not in self._files:
            self._look(path)
        found = self._files[path].good
        return found if found and self._is_trusted(found) else None

    def _look(self, path: Path) -> None:
        self._take(path, layer(path, self._kind(path)))

    def _take(self, path: Path, now: Layer | None) -> None:
        """Takes in what a file says: in force if it has no mistake, or if nothing better was there before."""
        before, problems = self._files.get(path), self._problems_in(now)
        better = before is not None and before.good is not None and not (before.problems and before.good == before.now)
        good = before.good if before and better and problems else now
        self._files[path] = _File(now, good, problems)

    def _problems_in(self, found: Layer | None) -> tuple[Problem, ...]:
        if found is None:
            return ()
        below = self._shipped if found.kind == "dropped" else self._below
        return self._built_from([*below, found]).problems

    def _mistakes(self, path: Path) -> tuple[Problem, ...]:
        file = self._files.get(path)
        if file is None or file.now is None:
            return ()
        if file.now.kind == "project" and not self._is_trusted(file.now):
            text = "This project's file is not read: you have not trusted it, or it has changed since."
            hint = f"Look at it, then run `pointsman trust {path.parent}`."
            return (Problem(str(path), text, hint, 1),)
        return (*file.problems, *self._unusable(file.now), *self._loose(file.now))

    def _loose(self, found: Layer) -> Iterable[Problem]:
        """What a file's names lead to that is not there, with all that holds where the file does."""
        catalogue = self._built_from(self._layers(found if found.kind == "project" else None))
        return loose(catalogue, found.origin, found.text)

    def _built_from(self, layers: Iterable[Layer]) -> Catalogue:
        """What files come to for a connection without variables, in force or not: of one change, all ask the same."""
        key = tuple(layers)
        if (found := self._built.get(key)) is None:
            found = self._built[key] = build(read(key), self._quirks, schemes=self._schemes)
        return found

    def _unusable(self, found: Layer) -> Iterable[Problem]:
        """What a file names for TLS that can't be used now: told, and yet no reason not to take the file as it is."""
        if found.kind == "project":
            return
        for path, field, named in named_files(self._built_from(self._layers(None)), found.origin):
            if wrong := fault(field, named):
                hint = "Correct the path, or put there what belongs there; until then, what needs it fails."
                yield Problem(found.origin, f"`{path}`: {wrong}.", hint, line_of(found.text, path))

    def _is_trusted(self, found: Layer) -> bool:
        return self._trusted.get(found.origin) == _hash(found)

    def _kind(self, path: Path) -> LayerKind:
        if path.parent == self.folder:
            return "dropped"
        return "user" if path == self._config_file else "project"


def difference(before: Catalogue, after: Catalogue) -> ProvidersChanged | None:
    """What a client should hear of a change; None when all that it can choose from is as it was."""
    old, new = before.providers, after.providers
    named, renamed = _shortcuts(before), _shortcuts(after)
    found = ProvidersChanged(
        added=sorted(new.keys() - old.keys()),
        changed=sorted(id for id in new.keys() & old.keys() if new[id] != old[id]),
        removed=sorted(old.keys() - new.keys()),
        names=sorted(name for name in named.keys() | renamed.keys() if named.get(name) != renamed.get(name)),
    )
    return found if found.added or found.changed or found.removed or found.names else None


def _shortcuts(catalogue: Catalogue) -> dict[str, object]:
    """What each alias and each chain leads to, by the name that a user gives it."""
    return {**catalogue.aliases, **{f"chain:{name}": chain for name, chain in catalogue.chains.items()}}


def _half_written(old: Layer | None, new: Layer | None) -> bool:
    """Whether a file looks as if its writer were in the middle of it: something is missing that was there."""
    if old is None or old == new:
        return False
    return new is None or (old.text.endswith("\n") > new.text.endswith("\n")) or bool(_names(old) - _names(new))


def _names(found: Layer) -> set[str]:
    """The paths of all that a file says."""

    def walk(table: dict[str, object], at: str) -> Iterable[str]:
        for key, value in table.items():
            yield f"{at}.{key}"
            if isinstance(value, dict):
                yield from walk(value, f"{at}.{key}")

    try:
        return set(walk(tomllib.loads(found.text), ""))
    except (ValueError, RecursionError):
        return set()


def _hash(found: Layer) -> str:
    return hashlib.sha256(found.text.encode()).hexdigest()
