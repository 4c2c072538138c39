"""What others than the provider say of a model: looked up once for all, kept, and merged into the lists of models."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import cast

import msgspec
import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation, ImagePart, Message
from pointsman.core.environment import Environment
from pointsman.core.models import Facts, Model
from pointsman.core.pricing import Price
from pointsman.core.receipt import ChatResult
from pointsman.core.routing import Route, Target
from pointsman.edge.prices import Found, Wanted
from pointsman.edge.store import Store
from pointsman.edge.transport import Transports
from pointsman.service import models as lists
from pointsman.service import prices as module
from pointsman.service.credentials import Credentials
from pointsman.service.health import Health
from pointsman.service.models import Models
from pointsman.service.prices import Prices
from pointsman.service.reasons import Reasons
from tests.service.bench import Bench, NoLists, Play, Scripted, catalogue, events, provider, refuses, says

PRICE = Price(2.0, 10.0, "genai-prices")
FACTS = Facts("genai-prices", 128_000, PRICE)
URL = "https://up.example/v1"
UP = Provider(id="up", base_url=URL, kind="direct-api")


class Book:
    """A list of prices in which everything is found; it counts how often it was opened."""

    def __init__(self, *, broken: bool = False, slow: bool = False) -> None:
        self.wanted: list[Wanted] = []
        self.broken = broken
        self.hold = asyncio.Event()
        if not slow:
            self.hold.set()

    async def __call__(self, wanted: Wanted) -> Found | None:
        self.wanted.append(wanted)
        await self.hold.wait()
        if self.broken:
            return None
        return {url: {id: FACTS for id in ids if id != "odd"} for url, ids in wanted.items()}


async def test_all_that_is_wanted_at_once_is_looked_up_at_once() -> None:
    book = Book()
    prices = Prices(book)
    other = Provider(id="other", base_url="https://other.example")
    assert prices.want(UP, ("a", "b"))
    assert prices.want(other, ("a",))
    assert prices.of(UP, "a") is None
    await prices.settled()
    assert book.wanted == [{URL: ["a", "b"], "https://other.example": ["a"]}]
    assert prices.of(UP, "a") == FACTS
    assert not prices.want(UP, ("a", "b"))
    await prices.settled()
    assert len(book.wanted) == 1


async def test_a_gateway_has_the_prices_of_whom_it_passes_on_to() -> None:
    book = Book()
    prices = Prices(book)
    gateway = Provider(id="gateway", base_url="http://127.0.0.1:9/v1", kind="direct-api", prices_at=URL)
    assert prices.want(gateway, ("a",))
    await prices.settled()
    assert book.wanted == [{URL: ["a"]}]
    assert prices.of(gateway, "a") == FACTS


async def test_what_is_not_found_is_not_looked_up_again() -> None:
    book = Book()
    prices = Prices(book)
    assert prices.want(UP, ("odd",))
    await prices.settled()
    assert prices.of(UP, "odd") is None
    assert not prices.want(UP, ("odd",))
    assert len(book.wanted) == 1


async def test_old_facts_are_looked_up_again_and_used_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book()
    prices = Prices(book)
    prices.want(UP, ("a",))
    await prices.settled()
    monkeypatch.setattr(module, "FRESH_FOR", -1.0)
    book.broken = True
    assert not prices.want(UP, ("a",)), "nobody has to wait"
    await prices.settled()
    assert len(book.wanted) == 2
    assert prices.of(UP, "a") == FACTS, "what was known stays known"


async def test_a_price_is_not_waited_for_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORTH_WAITING", 0.01)
    book = Book(slow=True)
    prices = Prices(book)
    assert prices.want(UP, ("a",))
    await asyncio.wait_for(prices.settled(), 5)
    assert prices.of(UP, "a") is None
    assert prices.want(UP, ("b",)), "it is wanted while the first is looked up"
    book.hold.set()
    await prices.settled()
    assert (prices.of(UP, "a"), prices.of(UP, "b")) == (FACTS, FACTS)
    await prices.close()


@pytest.mark.parametrize(
    "nobody",
    [
        Provider(id="here", base_url=URL, kind="local"),
        Provider(id="plan", base_url=URL, kind="plan-based"),
        Provider(id="plain", base_url="http://up.example/v1"),
        Provider(id="echo", base_url="echo://localhost"),
    ],
)
async def test_for_whom_no_price_is_looked_up(nobody: Provider) -> None:
    book = Book()
    prices = Prices(book)
    assert not prices.want(nobody, ("a",))
    await prices.settled()
    assert book.wanted == []


class Lists:
    """Models over a scripted transport and a book of prices."""

    def __init__(self, book: Book, *plays: Play | Exception, text: str = "") -> None:
        self.transport = Scripted(*plays)
        self.catalogue = catalogue(text or provider("up", base_url=URL, aliases={"short": "a"}))
        out = Transports({"https": self.transport, "http": self.transport})
        self.models = Models(Credentials(), out, cast("Store", NoLists()), Prices(book))
        self.up = self.catalogue.providers["up"]

    async def all(self, *, refresh: bool = False) -> dict[str, Model]:
        found, _ = await self.models.listed(self.catalogue, Environment(), self.up, refresh)
        return {model.name: model for model in found}


def listing(*items: Mapping[str, object]) -> Play:
    return Play((json.dumps({"data": items}).encode(),))


OWN = {"id": "b", "context_length": 1000, "pricing": {"prompt": "0.000001", "completion": "0.000002"}}


async def test_a_list_says_what_a_model_costs_and_who_says_so() -> None:
    book = Book()
    lists = Lists(book, listing({"id": "a"}, OWN, {"id": "odd"}))
    found = await lists.all()
    assert (found["short"].price, found["short"].context_window) == (PRICE, 128_000)
    assert (found["short"].context_source, found["short"].source) == ("genai-prices", "config")
    assert found["b"].price == Price(1.0, 2.0, "up")
    assert (found["b"].context_window, found["b"].context_source) == (1000, None)
    assert (found["odd"].price, found["odd"].context_window) == (None, None)
    assert found["b"].listed_at
    assert book.wanted == [{URL: ["a", "m", "odd"]}], "who says all himself is not looked up"
    assert await lists.all() == found
    assert len(book.wanted) == 1


async def test_a_model_whose_list_says_that_it_reads_text_alone_is_left_out_for_a_picture() -> None:
    lists = Lists(Book(), listing({"id": "text", "input_modalities": ["text"]}, {"id": "eyes"}))
    await lists.all()
    picture = Conversation((Message("user", (ImagePart(media_type="image/png", data="AAAA"),)),))
    chain = Route("chain:x", (Target("up", "text"), Target("up", "eyes")), "chain x")
    reasons = Reasons(Credentials(), Health(), lists.models, lists.catalogue, Environment({"UP_API_KEY": "k"}))
    plan = reasons.plan(chain, picture)
    assert plan.skipped == ((Target("up", "text"), "it cannot carry images"),)
    assert plan.targets == (Target("up", "eyes"),)


async def test_a_list_is_put_together_once() -> None:
    lists = Lists(Book(), listing({"id": "a"}), listing({"id": "c"}))
    first = await lists.all()
    again = await lists.all()
    assert all(again[name] is first[name] for name in first)
    assert "c" in await lists.all(refresh=True)


async def test_two_thousand_models_are_told_from_memory_in_no_time() -> None:
    many = Lists(Book(), listing(*({"id": f"org/model-{n}", "owned_by": None} for n in range(2000))))
    assert len(await many.all()) == 2002
    took, found = [], list[Model]()
    for _ in range(15):
        began = time.perf_counter()
        found, _ = await many.models.listed(many.catalogue, Environment(), many.up, False)
        assert len(msgspec.json.encode(found)) > 300_000
        took.append(time.perf_counter() - began)
    assert found[-1].price == PRICE
    assert min(took) < 0.005, took


async def test_a_model_on_this_machine_has_no_price_whatever_is_said() -> None:
    book = Book()
    text = provider("up", base_url=URL, kind="local", auto_detect=False)
    lists = Lists(book, listing(OWN), text=text)
    assert (await lists.all())["b"].price is None
    assert lists.models.price(lists.up, "b") is None
    assert await lists.models.price_known(lists.up, "b") is None
    assert book.wanted == []


async def test_old_lists_are_asked_for_again_while_somebody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Lists(Book(), listing({"id": "a"}), listing({"id": "new"}), refuses(503), listing({"id": "newer"}))
    wanted = [(asked.up, Environment())] * 3
    await asked.models.refresh(wanted)
    assert asked.transport.requests == [], "a list that nobody ever wanted is not asked for"
    await asked.all()
    await asked.models.refresh(wanted)
    assert len(asked.transport.requests) == 1, "it is not old"
    monkeypatch.setattr(lists, "FRESH_FOR", -1.0)
    await asked.models.refresh([])
    assert len(asked.transport.requests) == 1, "nobody is there"
    await asked.models.refresh(wanted)
    assert len(asked.transport.requests) == 2, "once for all who have it"
    assert asked.models.known(asked.catalogue)["up"] == {"new"}
    await asked.models.refresh(wanted)
    assert len(asked.transport.requests) == 2, "not again so soon"
    monkeypatch.setattr(lists, "TRY_AGAIN_AFTER", 0.0)
    await asked.models.refresh(wanted)
    assert asked.models.known(asked.catalogue)["up"] == {"new"}, "the last list stays when the next does not come"
    await asked.models.refresh(wanted)
    assert asked.models.known(asked.catalogue)["up"] == {"newer"}


async def test_looking_for_old_lists_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "LOOK_EVERY", 0.0)
    asked, looks = Lists(Book()), asyncio.Event()
    times = 0

    def wanted() -> list[tuple[Provider, Environment]]:
        nonlocal times
        times += 1
        if times == 3:
            looks.set()
        return []

    task = asyncio.get_running_loop().create_task(asked.models.keep_fresh(wanted))
    await asyncio.wait_for(looks.wait(), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asked.models.close()


async def chatted(bench: Bench, model: str) -> ChatResult:
    chat = bench.begin(model)
    await events(chat)
    assert chat.result is not None
    return chat.result


async def test_a_chat_costs_what_its_tokens_cost() -> None:
    book = Book()
    bench = Bench(Scripted(says("one", "two")), provider("up", base_url=URL), prices=Prices(book))
    result = await chatted(bench, "up:m")
    assert result.cost is not None
    assert result.cost.usd == (result.usage.input_tokens * 2 + result.usage.output_tokens * 10) / 1e6
    assert (result.cost.exact, result.cost.source) == (False, "genai-prices")
    assert book.wanted == [{URL: ["m"]}]


async def test_an_unknown_price_is_no_cost() -> None:
    bench = Bench(Scripted(says("one", "two")), provider("up", base_url=URL), prices=Prices(Book()))
    assert (await chatted(bench, "up:odd")).cost is None
    local = Bench(Scripted(says("one", "two")), provider("up", base_url=URL, kind="local"), prices=Prices(Book()))
    assert (await chatted(local, "up:m")).cost is None
