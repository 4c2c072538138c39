"""What other packages add: found by their entry points, loaded once, and walled off (docs/decisions/0011-plugins.md).

Must never let what a plugin does break a chat or the daemon: whatever it raises is logged, told once, and contained.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import PurePath
from typing import Any

from pointsman.core.catalogue import SCHEMES, Problem, Provider
from pointsman.core.errors import PluginFailed, PointsmanError
from pointsman.core.http import Request, origin
from pointsman.core.plugin import HOOKS, Authorise, EnvironmentGetter, Group, PluginInfo
from pointsman.service.tasks import Tasks
from pointsman.wire import WIRES, Wires
from pointsman.wire.guarded import Guarded, Misfit
from pointsman.wire.guarded import fault as wire_fault

log = logging.getLogger(__name__)

GROUPS: Mapping[str, Group] = {
    "pointsman.wires": "wires",
    "pointsman.auth": "auth",
    "pointsman.middleware": "middleware",
}
LOAD_WITHIN = 5.0
"""Seconds that all plugins together have to be imported; what is not there by then stays out."""
AUTHORISE_WITHIN = 10.0
"""Seconds that a way to authenticate has for one request: it may have to ask for a token."""


class TooSlow(Exception):
    """A plugin did not come to an end in its time. The text is ours."""


@dataclass(eq=False)
class Plugin:
    """One entry point of another package. `problem` is what went wrong with it last; `off` is for good."""

    group: Group
    name: str
    package: str
    version: str
    value: Any = None
    problem: str | None = None
    off: bool = False

    @property
    def info(self) -> PluginInfo:
        """What people may see of it."""
        return PluginInfo(
            name=self.name,
            group=self.group,
            package=self.package,
            version=self.version,
            state="off" if self.off else "ready",
            problem=self.problem,
        )

    @property
    def title(self) -> str:
        """It and its package, in words."""
        kinds = {"wires": "dialect", "auth": "way to authenticate", "middleware": "middleware"}
        return f"The {kinds[self.group]} {self.name} (of {self.package} {self.version})"


@dataclass(eq=False)
class Plugins:
    """All that were found, what they add, and what is wrong with them."""

    found: Sequence[Plugin] = ()
    on_problem: Callable[[Problem], None] = lambda _: None
    _tasks: Tasks = field(default_factory=Tasks)
    _told: dict[Plugin, Problem] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wires: Wires = {
            **WIRES,
            **{each.name: Guarded(each.value, self._reporter(each)) for each in self._of("wires")},
        }
        self.schemes: Mapping[str, Authorise] = {each.name: self._authoriser(each) for each in self._of("auth")}
        self.middleware: Sequence[Plugin] = self._of("middleware")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was wrong with them so far, one a plugin."""
        return tuple(self._told.values())

    def failed(self, plugin: Plugin, doing: str, error: BaseException) -> PluginFailed:
        """Notes what a plugin did wrong while `doing` something; people hear of each plugin once. Gives the error."""
        text = f"{plugin.title} failed in `{doing}`: {where(error)}."
        return self._note(plugin, text)

    def switch_off(self, plugin: Plugin) -> None:
        """Leaves a plugin out from now on, whose last mistake has been noted."""
        plugin.off = True
        plugin.problem = f"{plugin.problem} It is off until the daemon starts again."
        log.warning("%s", plugin.problem)

    def refuse(self, plugin: Plugin, reason: str) -> None:
        """Notes why a plugin stays out."""
        plugin.off = True
        self._note(plugin, f"{plugin.title} is left out: {reason}.")

    async def call(self, plugin: Plugin, doing: str, function: Any, *given: Any, within: float) -> Any:
        """Calls a function of a plugin and awaits what it gives, in a task of its own that may be left behind.

        Raises PluginFailed for whatever it raises or when it takes too long; errors of ours come out as they are.
        """
        work = self._tasks.spawn(_run(function, given), f"plugin {plugin.name}")
        try:
            await asyncio.wait({work}, timeout=within)
        finally:
            work.cancel()  # nothing happens to one that has ended
        if not work.done():
            raise self.failed(plugin, doing, TooSlow(f"it took longer than {within:g} seconds"))
        result = work.result()
        if isinstance(result, _Raised):
            if isinstance(result.error, PointsmanError):
                raise result.error
            raise self.failed(plugin, doing, result.error)
        return result

    async def close(self) -> None:
        """Leaves behind what still runs."""
        self._tasks.cancel()

    def _of(self, group: Group) -> list[Plugin]:
        return [each for each in self.found if each.group == group and not each.off]

    def _reporter(self, plugin: Plugin) -> Callable[[str, BaseException], PluginFailed]:
        return lambda doing, error: self.failed(plugin, doing, error)

    def _authoriser(self, plugin: Plugin) -> Authorise:
        async def authorise(request: Request, provider: Provider, variable: EnvironmentGetter) -> Request:
            given = (request, provider, variable)
            answer = await self.call(plugin, "authorise", plugin.value, *given, within=AUTHORISE_WITHIN)
            if not isinstance(answer, Request):
                raise self.failed(plugin, "authorise", Misfit(f"it gave back {type(answer).__name__}"))
            try:
                origin(answer.url)
                answer.url.encode()  # `origin` takes bytes as well
            except (ValueError, TypeError, AttributeError):
                raise self.failed(plugin, "authorise", Misfit("it gave back a URL that is none")) from None
            return answer

        return authorise

    def _note(self, plugin: Plugin, text: str) -> PluginFailed:
        log.warning("%s", text)
        plugin.problem = text
        failure = PluginFailed(text)
        if plugin not in self._told:
            self._told[plugin] = Problem(f"plugin {plugin.name}", text, failure.advice)
            self.on_problem(self._told[plugin])
        return failure


def load(within: float = LOAD_WITHIN) -> Plugins:
    """Finds and imports every plugin, each in a thread of its own; what has not come in time is left out."""
    refused: dict[Plugin, str] = {}
    found, loading = [], []
    for entry, plugin in _entries():
        found.append(plugin)
        if reason := _taken(plugin, found):
            refused[plugin] = reason
            continue
        thread = threading.Thread(
            target=_load, args=(entry, plugin, refused), name=f"plugin {plugin.name}", daemon=True
        )
        thread.start()
        loading.append((thread, plugin))
    until = time.monotonic() + within
    for thread, plugin in loading:
        thread.join(max(0.0, until - time.monotonic()))
        if thread.is_alive():
            refused.setdefault(plugin, f"it could not be imported within {within:g} seconds")
    for plugin in refused:
        plugin.off = True
    plugins = Plugins(found)
    for plugin, reason in list(refused.items()):
        plugins.refuse(plugin, reason)
    return plugins


def where(error: BaseException) -> str:
    """An exception in words: what it is, and where it was raised. What it says is left out: it may quote a chat."""
    if isinstance(error, Misfit | TooSlow):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at line {frames[-1].lineno} of {PurePath(frames[-1].filename).name}" if frames else ""
    return f"{type(error).__name__}{place}"


def _entries() -> Iterable[tuple[metadata.EntryPoint, Plugin]]:
    """The entry points of our groups, sorted, so that the order does not depend on how the disk lists them."""
    found = []
    for group, kind in GROUPS.items():
        for entry in metadata.entry_points(group=group):
            package = entry.dist.name if entry.dist else "unknown"
            version = entry.dist.version if entry.dist else ""
            found.append((entry, Plugin(kind, entry.name, package, version)))
    return sorted(found, key=lambda each: (each[1].group, each[1].name, each[1].package))


def _taken(plugin: Plugin, found: Sequence[Plugin]) -> str | None:
    """Why a plugin can't have its name; None when it can."""
    if plugin.group != "middleware" and plugin.name in {*WIRES, *SCHEMES}:
        return f"Pointsman has {plugin.name!r} itself, and nobody may stand in for it"
    before = [each for each in found[:-1] if (each.group, each.name) == (plugin.group, plugin.name)]
    return f"{before[0].package} has one of the same name" if before else None


def _load(entry: metadata.EntryPoint, plugin: Plugin, refused: dict[Plugin, str]) -> None:
    """Imports one plugin and looks whether it fits, in its thread."""
    try:
        value = entry.load()
        if plugin.group == "middleware" and isinstance(value, type):
            value = value()
        plugin.value, reason = value, _fault(plugin.group, value)
    except BaseException as error:  # a module's `sys.exit` as well: it ends no more than this thread
        reason = f"{type(error).__name__}: {error}"[:500]
    if reason:
        refused.setdefault(plugin, reason)


def _fault(group: Group, value: Any) -> str | None:
    """Why a value can't be a plugin of its group; None when it can."""
    if group == "wires":
        return wire_fault(value)
    if group == "auth":
        return None if callable(value) else "it can't be called"
    hooks = [name for name in HOOKS if hasattr(value, name)]
    if not hooks:
        return f"it has none of {', '.join(HOOKS)}"
    wrong = [name for name in hooks if not callable(getattr(value, name))]
    return f"its `{wrong[0]}` can't be called" if wrong else None


@dataclass(frozen=True)
class _Raised:
    error: BaseException


async def _run(function: Any, given: tuple[Any, ...]) -> Any:
    """What a function gives, awaited if it is to be. What it raises comes back as a value: `sys.exit` in a task would
    end the daemon."""
    try:
        answer = function(*given)
        return await answer if inspect.isawaitable(answer) else answer
    except BaseException as error:
        return _Raised(error)
