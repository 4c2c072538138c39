"""Temporary sessions in the daemon's memory: who may use one, what it is in front of, and that it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from pointsman.core.catalogue import Catalogue
from pointsman.core.environment import Environment
from pointsman.core.errors import CredentialError, RouteError, SessionExpired, UnknownSession, WrongOrigin
from pointsman.core.secret import Secret
from pointsman.core.session import Moment, Session
from pointsman.service import trials as module
from pointsman.service.clients import Client, Clients
from pointsman.service.credentials import Credentials
from pointsman.service.trials import LOOK_EVERY, MOST, Change, Ended, SessionInfo, Trials, told
from tests.service.bench import catalogue, join, provider, until

KEY = Secret("tried-key-not-real-0123")
CORP = provider("corp", "configured-key-0123")
NOBODYS = Environment()


class Clock:
    """Two clocks that a test sets."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_000_000.0, 50.0

    def __call__(self) -> Moment:
        return Moment(self.wall, self.steady)

    def pass_by(self, seconds: float, *, asleep: float = 0.0) -> None:
        """Time passes; of it, so many seconds in which the machine slept."""
        self.wall, self.steady = self.wall + seconds, self.steady + seconds - asleep


class House:
    """Sessions of one provider, with two clients; `ended` is what has come to its end."""

    def __init__(self) -> None:
        self.clock, self.clients = Clock(), Clients()
        self.trials = Trials(self.clock)
        self.trials.around = self._around
        self.ended: list[Ended] = []
        self.changes = 0
        self.configured = catalogue(CORP)
        self.credentials = Credentials(trials=self.trials)
        self.one, self.two = join(self.clients, "w-1", "/work"), join(self.clients, "w-2")

    def _around(self, change: Change) -> None:
        self.changes += 1
        if ended := change():
            self.ended.append(ended)

    def begin(self, minutes: float = 30, key: Secret = KEY, base_url: str | None = None) -> tuple[str, Session]:
        return self.trials.create(self.configured.providers["corp"], key, minutes, base_url, self.one)

    def activate(self, token: str, scope: Any = "window", client: Client | None = None, **more: Any) -> Session:
        client = client or self.one
        return self.trials.activate(token, scope, more.get("base_url"), client, self.configured)

    def view(self, client: Client | None = None) -> Catalogue:
        return self.trials.view(client or self.one, self.configured)

    def key(self, client: Client | None = None) -> str | None:
        """What a client asks the provider with; None where it can't be asked."""
        provider = self.view(client).providers["corp"]
        found = self.credentials.all(provider, NOBODYS)
        return found[0].key.reveal() if found and found[0].key else None

    def listed(self, client: Client | None = None) -> list[SessionInfo]:
        client = client or self.one
        return self.trials.list(client, self.view(client))


@pytest_asyncio.fixture
async def house() -> Any:
    house = House()
    yield house
    house.trials.close()


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


async def test_it_is_in_front_once_it_is_active(house: House) -> None:
    token, _ = house.begin()
    assert house.view() is house.configured
    assert house.key() == "configured-key-0123"
    house.activate(token)
    assert (house.key(), house.key(house.two)) == (KEY.reveal(), "configured-key-0123")
    (found,) = house.credentials.in_turn(house.view().providers["corp"], NOBODYS)
    assert (found.account, found.record, found.secrets) == ("temporary tried-ke…", None, (KEY,))
    assert house.view() is house.view(), "others keep what belongs to it"
    assert house.view(house.two) is house.configured
    assert house.changes == 2


async def test_it_moves_and_others_rest(house: House) -> None:
    first, one = house.begin()
    second, two = house.begin(key=Secret("second-key-not-real"))
    house.activate(first)
    house.activate(second)
    assert house.key() == "second-key-not-real"
    assert {info.id: info.scope for info in house.listed()} == {one.id: None, two.id: "window"}
    house.activate(second, "global")
    assert house.key() == house.key(house.two) == "second-key-not-real"
    house.activate(first, "workspace")
    assert (house.key(), house.key(house.two)) == (KEY.reveal(), "second-key-not-real")


async def test_the_list_shows_no_key_and_no_token(house: House) -> None:
    token, session = house.begin(0.5)
    house.activate(token, "workspace")
    house.clock.pass_by(0.4)
    (info,) = house.listed()
    assert info == SessionInfo(
        id=session.id,
        provider="corp",
        account="tried-ke…",
        expires_at="1970-01-12T13:47:10Z",
        seconds_left=30,
        in_effect=True,
        created_by="editor 1",
        scope="workspace",
        workspace="/work",
    )
    assert house.trials.info(session.id) == info
    assert house.trials.info("other") is None
    encoded = msgspec.json.encode([info, told(Ended(session, "expired"), house.one, "usual")]).decode()
    assert KEY.reveal() not in encoded
    assert token not in encoded
    assert session.id not in token
    assert not house.listed(house.two)[0].in_effect


@pytest.mark.parametrize(("seconds", "asleep"), [(1800, 0.0), (1800, 1795.0), (90_000, 90_000.0)])
async def test_it_ends_when_its_time_is_over(house: House, seconds: float, asleep: float) -> None:
    token, session = house.begin(30)
    house.activate(token, "global")
    house.clock.pass_by(seconds - 1, asleep=asleep)
    if seconds == 1800:
        house.trials.end_what_is_over()
        assert (house.ended, house.key()) == ([], KEY.reveal())
    house.clock.pass_by(1)
    front = house.view()
    assert house.credentials.all(front.providers["corp"], NOBODYS) == [], "it is over, whether or not that was noticed"
    assert not house.credentials.usable(front.providers["corp"], NOBODYS)
    with pytest.raises(SessionExpired):
        house.credentials.in_turn(front.providers["corp"], NOBODYS)
    house.trials.end_what_is_over()
    assert [(ended.session.id, ended.reason, ended.by) for ended in house.ended] == [(session.id, "expired", None)]
    assert house.key() == "configured-key-0123"
    assert len(house.trials) == 0
    with pytest.raises(SessionExpired, match="its time was over at 1970"):
        house.trials.open(token)


async def test_it_is_noticed_by_itself(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Trials()
    ends: list[Ended | None] = []
    over = asyncio.Event()

    def around(change: Change) -> None:
        if ended := change():
            ends.append(ended)
            over.set()

    real.around = around
    for minutes in (0.001, 0.0005, 10.0):
        real.create(house.configured.providers["corp"], KEY, minutes, None, house.one)
    loop, begun = asyncio.get_running_loop(), asyncio.get_running_loop().time()
    while len(ends) < 2:
        await asyncio.wait_for(over.wait(), 5)
        over.clear()
    assert [ended.session.seconds for ended in ends if ended] == [0.03, 0.06]
    assert 0.06 <= loop.time() - begun < 1.0
    assert len(real) == 1
    real.close()
    assert len(real) == 0


async def test_a_machine_that_has_slept_is_noticed_within_a_second(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LOOK_EVERY <= 1.0
    monkeypatch.setattr(module, "LOOK_EVERY", 0.02)
    house.begin(30)
    house.clock.pass_by(7200, asleep=7200)
    await until(0.03)
    assert [ended.reason for ended in house.ended] == ["expired"]


async def test_whoever_comes_first_notices_it(house: House) -> None:
    token, _ = house.begin(1)
    house.clock.pass_by(60)
    with pytest.raises(SessionExpired):
        house.trials.open(token)
    assert [ended.reason for ended in house.ended] == ["expired"]


async def test_it_is_ended_by_id_or_token_once(house: House) -> None:
    for way in (0, 1):
        token, session = house.begin()
        names = (session.id, token)
        assert house.trials.clear(names[way], house.two).id == session.id
        assert house.ended[-1].by is house.two
        for name in names:
            with pytest.raises(UnknownSession, match="was ended by editor 2") as twice:
                house.trials.clear(name, house.one)
            assert twice.value.code == "UnknownSession"
    with pytest.raises(UnknownSession, match="none outlives the daemon"):
        house.trials.clear("whatever", house.one)


async def test_an_id_is_not_enough_to_use_it(house: House) -> None:
    _, session = house.begin()
    with pytest.raises(UnknownSession):
        house.activate(session.id)


async def test_a_chat_that_runs_keeps_the_key(house: House) -> None:
    token, session = house.begin()
    house.activate(token)
    front = house.view()
    keys = house.trials.keys(front)
    house.trials.clear(session.id, house.one)
    (found,) = house.credentials.in_turn(front.providers["corp"], NOBODYS, keys)
    assert (found.key, found.account) == (KEY, "temporary tried-ke…")
    assert house.trials.keys(front) == house.trials.keys(house.view()) == {}


async def test_no_other_key_goes_to_its_address(house: House) -> None:
    token, session = house.begin(base_url="http://elsewhere.example/v1")
    house.activate(token)
    front = house.view().providers["corp"]
    assert (front.base_url, house.key()) == ("http://elsewhere.example/v1", KEY.reveal())
    house.trials.clear(session.id, house.one)
    assert house.credentials.all(front, Environment({"CORP_API_KEY": "k"})) == []


async def test_its_key_goes_to_no_other_address(house: House) -> None:
    token, _ = house.begin()
    house.activate(token)
    front = house.view()
    house.configured = catalogue(provider("corp", "configured-key-0123", base_url="http://moved.example/v1"))
    assert house.key() == "configured-key-0123"
    (info,) = house.listed()
    assert (info.in_effect, info.scope) == (False, "window")
    with pytest.raises(WrongOrigin, match=r"is for http://corp\.example, and"):
        house.activate(token)
    with pytest.raises(WrongOrigin):
        house.trials.view_of_one(house.one, house.configured, house.trials.open(token))
    moved = msgspec.structs.replace(front.providers["corp"], base_url="http://moved.example/v1")
    assert house.trials.key(moved) is None


async def test_another_address_of_the_same_origin(house: House) -> None:
    token, _ = house.begin()
    house.activate(token, base_url="http://corp.example/v2")
    assert house.view().providers["corp"].base_url == "http://corp.example/v2"
    with pytest.raises(WrongOrigin, match="goes nowhere else"):
        house.activate(token, base_url="http://elsewhere.example/v2")


async def test_what_it_can_not_be_active_for(house: House) -> None:
    token, _ = house.begin()
    with pytest.raises(RouteError, match="no workspace"):
        house.activate(token, "workspace", house.two)
    house.configured = catalogue("")
    with pytest.raises(UnknownSession, match="no such provider"):
        house.activate(token)


async def test_one_for_a_chat_alone_is_before_all_others(house: House) -> None:
    token, session = house.begin()
    other, _ = house.begin(key=Secret("second-key-not-real"))
    house.activate(other)
    front = house.trials.view_of_one(house.one, house.configured, house.trials.open(token))
    assert house.trials.keys(front) == {"corp": KEY}
    assert front.providers["corp"].temporary is not None
    assert front.providers["corp"].temporary.session == session.id
    assert house.key() == "second-key-not-real"


async def test_there_is_a_most(house: House) -> None:
    ids = {house.begin()[1].id for _ in range(MOST)}
    assert len(ids) == MOST
    with pytest.raises(CredentialError, match=f"{MOST} temporary sessions"):
        house.begin()
    house.trials.clear(ids.pop(), house.one)
    house.begin()


async def test_the_log_tells_neither_key_nor_token(
    house: House, logged: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    token, session = house.begin(1)
    house.activate(token)
    house.clock.pass_by(61)
    house.trials.end_what_is_over()
    lines = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in logged.records)
    assert "a temporary session begins" in lines
    assert "a temporary session ends: expired" in lines
    for secret in (token, KEY.reveal(), KEY.mask().rstrip("…")):
        assert secret not in lines
    assert session.key.mask() not in lines
