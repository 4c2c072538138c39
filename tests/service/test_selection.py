"""The choice of a model: durable before it is told, told to each client as it holds there, and never lost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from pointsman.core.catalogue import Problem
from pointsman.core.errors import (
    NoModelChosen,
    PointsmanError,
    RouteError,
    SelectionConflict,
    StorageError,
    UnknownModel,
)
from pointsman.core.selection import Decider, Scope, Selection
from pointsman.edge.store import Store
from pointsman.edge.transport import Transports
from pointsman.service.catalogues import Catalogues
from pointsman.service.clients import Client, Clients
from pointsman.service.credentials import Credentials
from pointsman.service.models import Models
from pointsman.service.selection import SelectionChanged, Selections
from tests.service.bench import Fixed, Scripted, catalogue, heard, join, provider, says

ECHO = 'id = "echo"\nwire = "echo"\nbase_url = "echo://localhost"\ndefault_model = "echo"\nauth = { scheme = "none" }\n'
SHIPPED = 'id = "shipped"\nbase_url = "http://shipped.example"\ndefault_model = "m"\nauth = { scheme = "none" }\n'
ALPHA = provider("alpha", models=["m", "n"])
KEYED = provider("keyed", "env:K")


class House:
    """Selections over a real store, with clients that listen."""

    def __init__(self, path: Path, *texts: str) -> None:
        self.store = Store(path)
        self.clients = Clients()
        self.catalogue = catalogue("\n".join(texts), ECHO, SHIPPED)
        self.fixed = Fixed(self.catalogue)
        models = Models(Credentials(), Transports({"http": Scripted(says("x"))}), self.store)
        self.selections = Selections(cast("Catalogues", self.fixed), Credentials(), models, self.clients, self.store)

    async def choose(
        self,
        client: Client,
        model: str | None,
        scope: Scope | None = None,
        temporary: bool = False,
        at: int | None = None,
    ) -> Selection:
        """Switches, on top of the revision `at` if it is given."""
        return await self.selections.switch(client, model, scope, temporary, at)

    def holds(self, client: Client) -> tuple[str | None, Decider, str]:
        """What holds for a client: the choice, what decides, and how it stands."""
        now = self.selections.current(client)
        return now.model, now.scope, now.state


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest_asyncio.fixture
async def house(path: Path) -> AsyncIterator[House]:
    names = 'default = "alpha"\naliases = { best = "alpha:n" }\nchains = { c = ["keyed:m", "alpha:n"] }'
    house = House(path, names, ALPHA, KEYED)
    yield house
    await house.store.close()


def rows(path: Path) -> list[tuple[Any, ...]]:
    """What is on disk now."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT scope, key, model, revision FROM choices ORDER BY revision").fetchall()


async def reopened(path: Path, *texts: str) -> House:
    """The daemon's next life."""
    house = House(path, *texts)
    await house.store.close()
    return house


# What holds


async def test_the_narrowest_scope_decides(house: House) -> None:
    here, same_workspace, elsewhere = (
        join(house.clients, "w1", "/code"),
        join(house.clients, "w2", "/code"),
        join(house.clients, "w3", "/other"),
    )
    assert house.holds(here) == ("alpha", "default", "available")
    await house.choose(here, "alpha:m", "global")
    await house.choose(here, "alpha:n", "workspace")
    await house.choose(here, "best", "window")
    assert house.holds(here) == ("best", "window", "available")
    assert house.holds(same_workspace) == ("alpha:n", "workspace", "available")
    assert house.holds(elsewhere) == ("alpha:m", "global", "available")
    await house.choose(here, None, "window")
    assert house.holds(here) == ("alpha:n", "workspace", "available")


async def test_a_selection_says_all_about_a_choice(house: House) -> None:
    client = join(house.clients, "w1", "/code")
    await house.choose(client, "alpha:m", "global")
    selection = await house.choose(client, "best", "window")
    assert (selection.model, selection.target, selection.provider) == ("best", "alpha:n", "alpha")
    assert (selection.display_name, selection.revision, selection.temporary) == ("alpha · n", 2, False)
    assert selection.changed_by is not None
    assert (selection.changed_by.client, selection.changed_by.window_id) == ("editor 1", "w1")
    assert selection.changed_at is not None
    assert selection.changed_at.endswith("Z")
    assert "this window's choice" in selection.why
    assert "hides the global choice (alpha:m)" in selection.why


@pytest.mark.parametrize(
    ("model", "chosen", "target"),
    [
        ("alpha:n", "alpha:n", "alpha:n"),
        ("n", "alpha:n", "alpha:n"),
        ("best", "best", "alpha:n"),
        ("alpha", "alpha", "alpha:m"),
        ("chain:c", "chain:c", "keyed:m"),
        ("echo", "echo", "echo:echo"),
    ],
)
async def test_a_choice_names_its_provider_or_stays_an_alias(
    house: House, model: str, chosen: str, target: str, path: Path
) -> None:
    selection = await house.choose(join(house.clients), model, "global")
    assert (selection.model, selection.target) == (chosen, target)
    assert rows(path) == [("global", "", chosen, 1)]


async def test_without_a_scope_the_one_that_decides_is_changed(house: House) -> None:
    client = join(house.clients, "w1", "/code")
    assert (await house.choose(client, "alpha:m")).scope == "global"
    await house.choose(client, "alpha:n", "workspace")
    assert (await house.choose(client, "alpha:m")).scope == "workspace"


FALLBACKS: dict[str, tuple[list[str], dict[str, str], tuple[str | None, Decider, str]]] = {
    "nothing is configured": ([], {}, (None, "none", "unset")),
    "the first that the user has configured": ([ALPHA, KEYED], {}, ("alpha", "fallback", "available")),
    "the first that has a key": ([KEYED, ALPHA], {}, ("alpha", "fallback", "available")),
    "a key of this connection": ([KEYED, ALPHA], {"K": "key"}, ("keyed", "fallback", "available")),
    "none has a key": ([KEYED], {}, (None, "none", "unset")),
    "the default": (['default = "alpha"', KEYED, ALPHA], {"K": "key"}, ("alpha", "default", "available")),
    "the default has no key": (['default = "keyed"', KEYED, ALPHA], {}, ("alpha", "fallback", "available")),
    "the default leads nowhere": (['default = "gone:m"', ALPHA], {}, ("alpha", "fallback", "available")),
    "the default, where nothing else is": (['default = "keyed"', KEYED], {}, ("keyed", "default", "unconfigured")),
    "a default that leads nowhere": (['default = "gone:m"'], {}, ("gone:m", "default", "unavailable")),
    "a default in a circle": (
        ['default = "a"\naliases = { a = "b", b = "a" }'],
        {},
        ("a", "default", "unavailable"),
    ),
    "the first in the user's file, whatever comes with Pointsman": (
        [ALPHA, "[providers.shipped]"],
        {},
        ("alpha", "fallback", "available"),
    ),
    "one that is not to stand in": (
        [provider("x", stands_in=False), ALPHA],
        {},
        ("alpha", "fallback", "available"),
    ),
    "no default model": ([provider("x").replace("default_model", "name")], {}, (None, "none", "unset")),
    "echo, if it is asked for": (['default = "echo"'], {}, ("echo", "default", "available")),
}


@pytest.mark.parametrize("case", FALLBACKS)
async def test_what_holds_where_nothing_is_chosen(case: str, path: Path) -> None:
    texts, environment, expected = FALLBACKS[case]
    house = await reopened(path, *texts)
    assert house.holds(join(house.clients, **environment)) == expected


async def test_another_than_the_default_is_told_and_says_why(path: Path) -> None:
    house = await reopened(path, 'default = "keyed"', KEYED, ALPHA)
    client, keyed = join(house.clients), join(house.clients, K="key")
    said = house.selections.route(client, None).notice
    assert said is not None
    assert said.startswith("Your default keyed can't be asked: keyed has no key")
    assert said.endswith(
        "alpha answers instead: it is the first of the providers that you have configured and that can be asked."
    )
    assert said in house.selections.current(client).why
    assert house.selections.route(client, "alpha:m").notice is None, "it was named"
    assert house.selections.route(keyed, None).notice is None
    assert house.selections.current(keyed).why == "Decided by the default of pointsman.toml."
    gone = await reopened(path, 'default = "gone:m"', ALPHA)
    assert "Your default gone:m leads nowhere. alpha answers" in gone.selections.current(join(gone.clients)).why
    without = await reopened(path, ALPHA)
    assert without.selections.route(join(without.clients), None).notice is None, "there is no default to miss"


async def test_a_provider_that_lacks_its_key_says_so_where_nothing_is_chosen(path: Path) -> None:
    house = await reopened(path, KEYED)
    with pytest.raises(NoModelChosen, match=r"No model is chosen\. keyed has no key") as refused:
        house.selections.route(join(house.clients), None)
    assert "pointsman keys add keyed" in refused.value.advice


async def test_a_model_of_a_provider_with_a_mistake_is_told_with_it(path: Path) -> None:
    house = await reopened(path, ALPHA)
    mistake = Problem("neg.toml", "[providers.neg] `max_retries`: Expected more.", "Mend it.")
    house.fixed.catalogue = replace(house.catalogue, problems=(mistake,))
    with pytest.raises(UnknownModel) as refused:
        house.selections.route(join(house.clients), "neg:m")
    assert refused.value.advice == f"There is a mistake in neg.toml: {mistake.message} Mend it."


async def test_a_stored_key_is_a_configured_provider(path: Path) -> None:
    class Keeps(Credentials):
        def stored(self, provider: str) -> bool:
            return provider == "shipped"

    house = House(path)
    models = Models(Credentials(), Transports({}), house.store)
    selections = Selections(cast("Catalogues", house.fixed), Keeps(), models, house.clients, house.store)
    assert selections.current(join(house.clients)).model == "shipped"
    assert house.selections.current(join(house.clients)).model is None
    await house.store.close()


async def test_a_pattern_leads_to_who_has_a_key(path: Path) -> None:
    cloud = provider("cloud", "env:K", patterns=["kimi*"])
    house = await reopened(path, 'default = "alpha"', ALPHA, cloud)
    route = house.selections.route(join(house.clients, K="key"), "kimi-k2")
    assert (route.spec, route.rule) == ("cloud:kimi-k2", "kimi* is a pattern of cloud")
    with pytest.raises(UnknownModel):
        house.selections.route(join(house.clients), "kimi-k2")


@pytest.mark.parametrize(
    ("fallback", "targets"),
    [("alpha:n", "keyed:m alpha:n"), ("gone:m", "keyed:m"), ("c", "keyed:m"), ("keyed", "keyed:m")],
    ids=["another", "one that leads nowhere", "one in a circle", "itself"],
)
async def test_what_stands_in_is_what_the_file_names(path: Path, fallback: str, targets: str) -> None:
    house = await reopened(path, f'fallback = "{fallback}"\naliases = {{ c = "d", d = "c" }}', ALPHA, KEYED)
    client = join(house.clients)
    route = house.selections.with_fallback(client, house.selections.route(client, "keyed:m"))
    assert " ".join(map(str, route.targets)) == targets
    assert len(route.fallback) == len(route.targets) - 1
    nowhere = fallback in {"gone:m", "c"}
    assert route.rule.endswith(f"; your `fallback` {fallback} leads nowhere now") == nowhere


async def test_nothing_is_asked_where_nothing_holds(path: Path) -> None:
    house = await reopened(path)
    with pytest.raises(NoModelChosen):
        house.selections.route(join(house.clients), None)


async def test_the_route_of_a_choice_says_why(house: House) -> None:
    client = join(house.clients)
    assert "default of pointsman.toml" in house.selections.route(client, None).rule
    await house.choose(client, "best", "global")
    route = house.selections.route(client, None)
    assert [str(target) for target in route.targets] == ["alpha:n"]
    assert route.rule.startswith("alias best; Decided by the global choice")
    assert house.selections.route(client, "m").spec == "alpha:m"


# Changing it


async def test_each_client_is_told_what_holds_for_it(house: House) -> None:
    chooser, narrower = join(house.clients, "w1"), join(house.clients, "w2", K="key")
    await house.choose(narrower, "alpha:n", "window")
    heard(chooser).clear()
    heard(narrower).clear()
    await house.choose(chooser, "keyed:m", "global")
    (told,) = heard(chooser)
    assert isinstance(told, SelectionChanged)
    assert (told.changed.model, told.changed.scope, told.changed.state) == ("keyed:m", "global", "unconfigured")
    assert (told.effective.model, told.effective.revision) == ("keyed:m", 2)
    (told,) = heard(narrower)
    assert (told.changed.model, told.changed.state) == ("keyed:m", "available")
    assert (told.effective.model, told.effective.scope) == ("alpha:n", "window")


async def test_it_is_on_disk_before_anybody_is_told(house: House, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = join(house.clients)
    seen: list[list[tuple[Any, ...]]] = []
    monkeypatch.setattr(client.line, "tell", lambda _: seen.append(rows(path)))
    await house.choose(client, "alpha:m", "global")
    await house.choose(client, None, "global")
    assert seen == [[("global", "", "alpha:m", 1)], [("global", "", None, 2)]]


async def refused(house: House, client: Client, kind: type[PointsmanError], *arguments: Any, **named: Any) -> str:
    """A change that does not happen: nothing holds, is stored or is told but what was before."""
    before, told = house.selections.current(client), len(heard(client))
    with pytest.raises(PointsmanError) as error:
        await house.choose(client, *arguments, **named)
    assert type(error.value) is kind
    assert house.selections.current(client) == before
    assert len(heard(client)) == told
    return str(error.value)


async def test_a_name_that_leads_nowhere_changes_nothing(house: House, path: Path) -> None:
    client = join(house.clients)
    await house.choose(client, "alpha:m", "global")
    assert "best" in await refused(house, client, UnknownModel, "bset", "global")
    await refused(house, client, RouteError, "alpha:m", "workspace")
    assert rows(path) == [("global", "", "alpha:m", 1)]


async def test_what_can_not_be_stored_does_not_hold(house: House, path: Path) -> None:
    client = join(house.clients)
    await house.choose(client, "alpha:m", "global")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE choices RENAME TO away")
    await refused(house, client, StorageError, "alpha:n", "global")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE away RENAME TO choices")
    assert (await house.choose(client, "alpha:n", "global")).revision == 2


async def test_a_change_on_top_of_what_was_not_seen_is_refused(house: House) -> None:
    first, second = join(house.clients, "w1", "/code"), join(house.clients, "w2", "/code")
    seen = (await house.choose(first, "alpha:m", "global")).revision
    await house.choose(first, "alpha:n", "global", at=seen)
    words = await refused(house, second, SelectionConflict, "alpha:m", "global", at=seen)
    assert "by editor 1" in words
    assert "alpha:n" in words
    await house.choose(second, "alpha:m", "global", at=2)


async def test_a_revision_is_that_of_the_scope_or_of_what_holds(house: House) -> None:
    client = join(house.clients, "w1", "/code")
    await house.choose(client, "alpha:m", "global", at=0)
    await house.choose(client, "alpha:n", "workspace", at=1)
    await house.choose(client, "alpha:n", "global", at=1)
    await house.choose(client, "alpha:m", "global", at=2)
    await refused(house, client, SelectionConflict, "alpha:n", "global", at=1)


async def test_who_leaves_before_it_is_done_leaves_nothing_half_done(house: House, path: Path) -> None:
    leaving, staying = join(house.clients, "w1"), join(house.clients, "w2")
    task = asyncio.get_running_loop().create_task(house.choose(leaving, "alpha:n", "global"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    house.clients.leave(leaving)
    assert (await house.choose(staying, "alpha:m", "window")).revision == 2
    assert [told.changed.model for told in heard(staying)] == ["alpha:n", "alpha:m"]
    assert rows(path) == [("global", "", "alpha:n", 1), ("window", "w2", "alpha:m", 2)]


async def test_changes_at_once_come_one_after_the_other(house: House, path: Path) -> None:
    clients = [join(house.clients, f"w{n}") for n in range(20)]
    made = await asyncio.gather(*(house.choose(client, "alpha:m", "global") for client in clients))
    assert sorted(selection.revision for selection in made) == list(range(1, 21))
    assert [told.changed.revision for told in heard(clients[0])] == list(range(1, 21))
    results = await asyncio.gather(
        *(house.choose(client, "alpha:n", "global", at=20) for client in clients), return_exceptions=True
    )
    assert sum(isinstance(result, Selection) for result in results) == 1
    assert rows(path) == [("global", "", "alpha:n", 21)]


# Keeping it


async def test_a_choice_outlives_the_daemon(house: House, path: Path) -> None:
    client = join(house.clients, "w1", "/code")
    await house.choose(client, "alpha:m", "global")
    await house.choose(client, "alpha:n", "window")
    await house.choose(client, None, "global")
    await house.store.close()
    later = House(path, ALPHA)
    returned, other = join(later.clients, "w1", "/code"), join(later.clients, "w2")
    assert later.holds(returned) == ("alpha:n", "window", "available")
    assert later.holds(other) == ("alpha", "fallback", "available")
    assert (await later.choose(other, "alpha:m", "global")).revision == 4
    await later.store.close()


async def test_a_choice_whose_provider_has_gone_stays(house: House, path: Path) -> None:
    await house.choose(join(house.clients, "w1"), "keyed:m", "global")
    later = await reopened(path, ALPHA)
    client = join(later.clients, "w1")
    assert later.holds(client) == ("keyed:m", "global", "unavailable")
    selection = later.selections.current(client)
    assert (selection.display_name, selection.provider, selection.target) == ("keyed:m", None, None)
    with pytest.raises(RouteError):
        later.selections.route(client, None)
    back = await reopened(path, ALPHA, KEYED)
    assert back.holds(join(back.clients)) == ("keyed:m", "global", "unconfigured")
    assert back.holds(join(back.clients, K="key")) == ("keyed:m", "global", "available")


async def test_a_chain_is_available_while_one_of_its_links_is(house: House) -> None:
    client = join(house.clients)
    await house.choose(client, "chain:c", "global")
    assert house.holds(client) == ("chain:c", "global", "available")


async def test_what_is_temporary_is_never_stored(house: House, path: Path) -> None:
    client = join(house.clients, "w1")
    await house.choose(client, "alpha:m", "global")
    selection = await house.choose(client, "alpha:n", "global", temporary=True)
    assert (selection.model, selection.temporary, selection.revision) == ("alpha:n", True, 2)
    assert house.holds(client) == ("alpha:n", "global", "available")
    assert rows(path) == [("global", "", "alpha:m", 1)]
    await house.store.close()
    later = House(path, ALPHA)
    assert later.holds(join(later.clients)) == ("alpha:m", "global", "available")
    assert (await later.choose(join(later.clients), "alpha:n", "global")).revision == 3, "no number comes twice"
    await later.store.close()


async def test_a_temporary_choice_lies_over_the_stored_one(house: House, path: Path) -> None:
    client = join(house.clients, "w1")
    await house.choose(client, "alpha:m", "global")
    await house.choose(client, "alpha:n", "global", temporary=True)
    await house.choose(client, None, "global", temporary=True)
    assert house.holds(client) == ("alpha:m", "global", "available")
    await house.choose(client, "alpha:n", "global", temporary=True)
    await house.choose(client, None, "global")
    assert house.holds(client) == ("alpha", "default", "available")
    assert rows(path) == [("global", "", None, 5)]


async def test_the_choice_of_a_window_that_can_not_come_back_is_not_stored(house: House, path: Path) -> None:
    client = join(house.clients)
    assert (await house.choose(client, "alpha:m", "window")).temporary
    assert house.holds(client) == ("alpha:m", "window", "available")
    assert rows(path) == []
