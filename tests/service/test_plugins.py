"""How plugins are found, what keeps one out, and how what they do wrong is told."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from importlib import metadata
from types import SimpleNamespace
from typing import Any

import pytest

from pointsman.core.catalogue import Auth, Provider
from pointsman.core.chat import Conversation, Message
from pointsman.core.environment import Environment
from pointsman.core.errors import MissingKey, PluginFailed
from pointsman.core.http import Request
from pointsman.core.plugin import PluginInfo
from pointsman.core.secret import Secret
from pointsman.edge.plugin_way import PluginWay
from pointsman.service.credentials import Credentials
from pointsman.service.plugins import GROUPS, Plugin, Plugins, TooSlow, load, where
from pointsman.wire import WIRES, echo
from pointsman.wire.guarded import Misfit

CANARY = "canary-words-1184"
ASKED = Conversation((Message("user", CANARY),))
PROVIDER = Provider(id="p", base_url="http://h/v1")


@dataclass
class Entry:
    """An entry point; `value` is what it loads, or what loading it raises."""

    name: str
    value: Any
    package: str = "pkg"

    @property
    def dist(self) -> Any:
        """Its package; None for one that is in none."""
        return SimpleNamespace(name=self.package, version="1") if self.package else None

    def load(self) -> Any:
        """Imports it."""
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value() if isinstance(self.value, type(lambda: 0)) else self.value


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says what is installed: entries by group."""

    def install(**groups: list[Entry]) -> None:
        by_name = {name: groups.get(group, []) for name, group in GROUPS.items()}
        monkeypatch.setattr(metadata, "entry_points", lambda group: by_name[group])

    return install


ODD: dict[str, Any] = {"bracket": "http://[", "port": "http://h:x/", "number": 7, "bytes": b"http://h/v1", "list": []}
"""URLs that are none."""


async def authorise(request: Request, provider: Provider, variable: Any) -> Any:
    """Gives back what the provider's name says."""
    if provider.id == "raises":
        raise ValueError(variable("MINE"))
    if provider.id == "refuses":
        raise MissingKey("None here.")
    if provider.id in ODD:
        return Request("GET", ODD[provider.id])
    return request if provider.id == "p" else "nonsense"


class Hooked:
    """A middleware."""

    def on_stop(self) -> None:
        """Does nothing."""


def states(plugins: Plugins) -> dict[str, str]:
    return {plugin.name: plugin.info.state for plugin in plugins.found}


def test_without_any_all_is_as_if_there_were_no_such_thing(installed: Any) -> None:
    installed()
    plugins = load()
    assert (dict(plugins.wires), dict(plugins.schemes), list(plugins.middleware)) == (WIRES, {}, [])
    assert plugins.problems == ()


def test_what_is_found_is_added_to_ours(installed: Any) -> None:
    installed(
        wires=[Entry("shout", lambda: echo)],
        auth=[Entry("stamp", lambda: authorise)],
        middleware=[Entry("b", Hooked), Entry("a", Hooked())],
    )
    plugins = load()
    assert plugins.wires.keys() == {*WIRES, "shout"}
    assert plugins.schemes.keys() == {"stamp"}
    assert [plugin.name for plugin in plugins.middleware] == ["a", "b"], "by name, however the disk lists them"
    assert all(isinstance(plugin.value, Hooked) for plugin in plugins.middleware), "a class is made one of"
    assert plugins.found[0].info == PluginInfo("stamp", "auth", "pkg", "1", "ready")


LEFT_OUT: dict[str, tuple[str, Entry, str]] = {
    "can't be imported": ("wires", Entry("x", ImportError("no module named y")), "ImportError: no module named y"),
    "ends the process": ("wires", Entry("x", SystemExit(3)), "SystemExit: 3"),
    "is no dialect": ("wires", Entry("x", 7), "it has no function `request`"),
    "has one of our names": ("wires", Entry("openai-chat", 7), "Pointsman has 'openai-chat' itself"),
    "has the name of a scheme of ours": ("auth", Entry("bearer", 7), "Pointsman has 'bearer' itself"),
    "can't be called": ("auth", Entry("x", 7), "it can't be called"),
    "has no hooks": ("middleware", Entry("x", 7), "it has none of on_start"),
    "has a hook that is none": ("middleware", Entry("x", SimpleNamespace(on_stop=7)), "its `on_stop` can't be called"),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_keeps_a_plugin_out(case: str, installed: Any) -> None:
    group, entry, reason = LEFT_OUT[case]
    installed(**{group: [entry]})
    plugins = load()
    assert states(plugins) == {entry.name: "off"}
    (problem,) = plugins.problems
    assert problem.file == f"plugin {entry.name}"
    assert "(of pkg 1) is left out: " in problem.message
    assert reason in problem.message
    assert plugins.found[0].info.problem == problem.message
    assert (plugins.wires.keys(), plugins.schemes, plugins.middleware) == (WIRES.keys(), {}, [])


def test_of_two_with_one_name_the_first_package_has_it(installed: Any) -> None:
    installed(
        wires=[Entry("x", lambda: echo, "zebra"), Entry("x", lambda: echo, "ant")], middleware=[Entry("x", Hooked, "")]
    )
    plugins = load()
    assert [(plugin.package, plugin.off) for plugin in plugins.found] == [
        ("unknown", False),
        ("ant", False),
        ("zebra", True),
    ]
    assert "ant has one of the same name" in plugins.problems[0].message


def test_one_that_takes_for_ever_to_import_is_not_waited_for(installed: Any) -> None:
    go_on = threading.Event()

    def slow() -> Any:
        go_on.wait()
        return echo

    installed(wires=[Entry("slow", slow), Entry("quick", lambda: echo)])
    try:
        plugins = load(within=0.05)
    finally:
        go_on.set()
    assert states(plugins) == {"slow": "off", "quick": "ready"}
    assert "could not be imported within 0.05 seconds" in plugins.problems[0].message
    assert "slow" not in plugins.wires


def test_people_are_told_once_and_never_what_was_asked() -> None:
    def request(*_: Any) -> Any:
        raise ValueError(CANARY)

    broken = SimpleNamespace(**{**{n: getattr(echo, n) for n in dir(echo) if n[0] != "_"}, "request": request})
    plugin = Plugin("wires", "broken", "pkg", "1", broken)
    plugins, told = Plugins([plugin]), list[Any]()
    plugins.on_problem = told.append
    for _ in range(2):
        with pytest.raises(PluginFailed) as caught:
            plugins.wires["broken"].request(PROVIDER, "m", ASKED)
        assert "ValueError at line" in caught.value.message
        assert CANARY not in caught.value.message
    assert len(told) == 1
    assert told == list(plugins.problems)
    assert plugin.info.state == "ready", "a dialect stays in use: it is asked only by who names it"


def test_where_something_went_wrong() -> None:
    assert where(ValueError("x")) == "ValueError", "one that was never raised is nowhere"
    assert where(Misfit("it gave back list")) == "it gave back list"
    assert where(TooSlow("too slow")) == "too slow"


def asked(plugins: Plugins, provider: Provider, *variables: tuple[str, Secret]) -> Any:
    way = PluginWay(plugins.schemes["stamp"], variables)

    async def nobody(*_: Any) -> Any:
        raise AssertionError

    return way.authorise(Request("GET", "http://h/v1"), provider, nobody)


async def test_a_way_to_authenticate_is_walled_off_as_well() -> None:
    plugins = Plugins([Plugin("auth", "stamp", "pkg", "1", authorise)])
    mine = ("MINE", Secret("canary-secret-456789"))
    assert await asked(plugins, PROVIDER, mine) == Request("GET", "http://h/v1")
    with pytest.raises(PluginFailed, match="ValueError at line") as caught:
        await asked(plugins, Provider(id="raises", base_url="http://h"), mine)
    assert "canary" not in caught.value.message
    with pytest.raises(PluginFailed, match="it gave back str"):
        await asked(plugins, Provider(id="other", base_url="http://h"), mine)
    with pytest.raises(MissingKey):
        await asked(plugins, Provider(id="refuses", base_url="http://h"), mine)


@pytest.mark.parametrize("id", ODD)
async def test_a_url_that_is_none_is_the_plugin_s_mistake(id: str) -> None:
    plugins = Plugins([Plugin("auth", "stamp", "pkg", "1", authorise)])
    with pytest.raises(PluginFailed, match="it gave back a URL that is none"):
        await asked(plugins, Provider(id=id, base_url="http://h"))
    assert plugins.problems


@pytest.mark.parametrize(
    ("env", "variables", "seen"),
    [
        ((), {"MINE": "canary-secret-456789"}, []),
        ("MINE", {"MINE": "canary-secret-456789", "OTHER": "x"}, ["MINE"]),
        (("MINE", "MORE"), {"MORE": "canary-secret-456789"}, ["MORE"]),
        ("MINE", {"OTHER": "x"}, None),
    ],
)
def test_which_variables_a_way_may_see(env: Any, variables: dict[str, str], seen: list[str] | None) -> None:
    plugins = Plugins([Plugin("auth", "stamp", "pkg", "1", authorise)])
    credentials = Credentials(plugins.schemes)
    provider = Provider(id="p", base_url="http://h", auth=Auth(scheme="stamp", env=env), keys=("a-key-in-a-file",))
    found = credentials.all(provider, Environment(variables), {"p": Secret("given")})
    assert credentials.usable(provider, Environment(variables)) == (seen is not None)
    if seen is None:
        assert found == []
        assert "MINE" in credentials.missing(Provider(id="p", base_url="http://h", auth=provider.auth)).advice
    else:
        (credential,) = found
        assert isinstance(credential.way, PluginWay)
        assert ([name for name, _ in credential.way.variables], credential.key) == (seen, None)


async def test_a_call_that_is_cancelled_takes_the_plugin_with_it() -> None:
    begun, over = asyncio.Event(), list[str]()

    async def waits() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            over.append("cancelled")

    plugin = Plugin("middleware", "m", "pkg", "1")
    plugins = Plugins([plugin])
    async with asyncio.TaskGroup() as group:
        calling = group.create_task(plugins.call(plugin, "on_stop", waits, within=30))
        await begun.wait()
        calling.cancel()
    await plugins._tasks.wait(5)
    assert (over, plugins.problems) == (["cancelled"], ())
