"""What the tests of the service put together: a scripted transport at the real seam, clients that listen, and SSE.

No test stands here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from pointsman.core.catalogue import Catalogue
from pointsman.core.chat import AttemptFailed, Conversation, Event, Finished, Message, Started, TextDelta
from pointsman.core.configuration import parse
from pointsman.core.environment import Environment
from pointsman.core.errors import PointsmanError
from pointsman.core.http import Head, Request
from pointsman.core.layers import Layer
from pointsman.core.routing import Plan, Route, Target
from pointsman.edge.prices import Found, Wanted
from pointsman.edge.response import Response
from pointsman.edge.store import Store
from pointsman.edge.transport import Transports
from pointsman.service.chats import Chat, Chats, Starter
from pointsman.service.clients import Client, Clients
from pointsman.service.credentials import Credentials
from pointsman.service.driver import start
from pointsman.service.health import Health
from pointsman.service.job import Job, Tools
from pointsman.service.middleware import Middlewares
from pointsman.service.models import Models
from pointsman.service.prices import Prices
from pointsman.service.tasks import Tasks
from pointsman.wire import QUIRKS, WIRES, Wires

HELLO = Conversation((Message("user", "Hello!"),))
HANG = asyncio.Event
"""In a play: nothing more comes. An event of its own: nothing more until it is set."""

Step = bytes | Exception | asyncio.Event | type[asyncio.Event]


@dataclass(frozen=True)
class Play:
    """One answer: its head, then bytes, an exception, or a wait."""

    steps: tuple[Step, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def delta(finish: str | None = None, **fields: Any) -> bytes:
    """One chunk of chat completions."""
    return sse({"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]})


def sse(value: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


STOP = delta("stop")


def says(*words: str, finish: str | None = "stop") -> Play:
    """An answer in so many pieces, one chunk each."""
    end = [delta(finish)] if finish else []
    return Play((*(delta(content=word) for word in words), *end))


def refuses(status: int, message: str = "no", **headers: str) -> Play:
    """An error in OpenAI's form."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Play((json.dumps({"error": {"message": message}}).encode(),), status, named)


class Scripted:
    """A transport that gives a play or raises an error for each request in turn; the last one stays."""

    def __init__(self, *plays: Play | Exception) -> None:
        self.plays = list(plays)
        self.requests: list[Request] = []
        self.left: list[int] = []
        self.asked = asyncio.Event()

    @property
    def keys(self) -> list[str | None]:
        """The key that each request came with."""
        found = (request.headers.get("authorization") for request in self.requests)
        return [value and value.removeprefix("Bearer ") for value in found]

    @asynccontextmanager
    async def stream(self, request: Request, connect: float, *along: object) -> AsyncIterator[Response]:
        """Plays."""
        number = len(self.requests)
        self.requests.append(request)
        self.asked.set()
        play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
        if isinstance(play, Exception):
            raise play
        try:
            yield Response(Head(play.status, play.headers), _played(play.steps))
        finally:
            self.left.append(number)

    async def close(self) -> None:
        """Nothing is open."""


async def _played(steps: Iterable[Step]) -> AsyncIterator[bytes]:
    for step in steps:
        if isinstance(step, bytes):
            yield step
        elif isinstance(step, Exception):
            raise step
        else:
            await (step if isinstance(step, asyncio.Event) else step()).wait()


class Ear:
    """A client's line that keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.hung_up = False

    def tell(self, notification: Any) -> None:
        """Keeps it."""
        self.heard.append(notification)

    def show(self, text: str, *, warning: bool = False) -> None:
        """Keeps it."""
        self.heard.append(text)

    async def ask(self, text: str, choices: Sequence[str]) -> str | None:
        """Nobody is there to answer."""
        self.heard.append(text)
        return None

    async def open_page(self, url: str) -> bool:
        """There is no browser."""
        return False

    def hang_up(self) -> None:
        """Remembers that."""
        self.hung_up = True


def join(clients: Clients, window: str | None = None, workspace: str | None = None, **environment: str) -> Client:
    """A client that has been greeted and initialized, with an ear as its line."""
    client = clients.join("0", "/", Environment(environment), Ear())
    client.name, client.workspace, client.ready = f"editor {client.number}", workspace, True
    clients.assign_window(client, window)
    return client


def heard(client: Client) -> list[Any]:
    """What a client was told so far."""
    assert isinstance(client.line, Ear)
    return client.line.heard


def catalogue(text: str, *shipped: str) -> Catalogue:
    """A catalogue of a user's file over shipped ones, without mistakes but names that go in a circle."""
    layers = [Layer(f"shipped:{n}.toml", below, kind="shipped") for n, below in enumerate(shipped)]
    read = parse([*layers, Layer("pointsman.toml", text)], QUIRKS)
    assert all("circle" in problem.message for problem in read.problems)
    return read


def provider(id: str, *keys: str, **more: Any) -> str:
    """A provider in TOML that tries each request once; without keys it needs none."""
    auth = {"scheme": "bearer" if keys else "none"}
    fields = {"base_url": f"http://{id}.example/v1", "default_model": "m", "max_retries": 0, "keys": keys, "auth": auth}
    return f"[providers.{id}]\n" + "".join(f"{name} = {toml(value)}\n" for name, value in (fields | more).items())


def toml(value: Any) -> str:
    """A value in one line of TOML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)


async def unpriced(_: Wanted) -> Found:
    """Prices that nobody knows."""
    return {}


class Bench:
    """Chats over a scripted transport, as the composition root puts them together."""

    def __init__(self, transport: Scripted, *providers: str, prices: Prices | None = None) -> None:
        self.transport = transport
        self.out = Transports({"http": transport, "https": transport})
        self.models = Models(Credentials(), self.out, cast("Store", NoLists()), prices or Prices(unpriced))
        self.catalogue = catalogue("\n".join(providers))
        self.clients = Clients()
        self.chats = Chats(self.clients)
        self.tasks = Tasks()
        self.environment = Environment()
        self.credentials, self.health = Credentials(), Health(dice=lambda: 0.0)

    def begin(
        self,
        *targets: str,
        conversation: Conversation = HELLO,
        skipped: Sequence[tuple[Target, str]] = (),
        id: str = "c1",
        wires: Wires = WIRES,
        middlewares: Middlewares | None = None,
    ) -> Chat:
        """A chat that is under way."""
        named = tuple(Target(*target.split(":", 1)) for target in targets)
        plan = Plan(Route(targets[0], named, "test"), named, tuple(skipped))
        return self.drive(plan, conversation, id, wires, middlewares)

    def drive(
        self,
        plan: Plan,
        conversation: Conversation = HELLO,
        id: str = "c1",
        wires: Wires = WIRES,
        middlewares: Middlewares | None = None,
    ) -> Chat:
        """A chat along a plan."""
        chat = Chat(id, plan.route.spec, conversation.title, Starter("editor", None, None), 60.0)
        self.chats.begin(chat)
        tools = Tools(self.catalogue, self.credentials, self.out, self.chats, self.models, wires, health=self.health)
        along = middlewares.along(chat) if middlewares else None
        start(Job(chat, conversation, self.environment, plan, companions=along), tools, self.tasks)
        return chat


async def events(chat: Chat, after: int = -1) -> list[Event]:
    """All events of a chat behind a cursor, once it has ended."""
    return [decode(encoded) async for _, batch in chat.read(after) for encoded in batch]


def told(events: list[Event]) -> list[Any]:
    """Events in short, for tables: failures by their error and what is tried next, the end by its reason."""
    short: list[Any] = []
    for event in events:
        match event:
            case AttemptFailed(model, error, next):
                short.append((model, error.code, next))
            case Finished(reason, error, resume):
                short.append((reason, error.code if error else None, *resume))
            case Started():
                short.append(f"{event.provider}:{event.model}")
            case TextDelta(text):
                short.append(text)
            case _:
                short.append(event)
    return short


def outcomes(chat: Chat) -> list[tuple[str, str, str | None]]:
    """The receipt's attempts in short."""
    assert chat.result is not None
    return [(a.provider, a.outcome, a.error.code if a.error else None) for a in chat.result.attempts]


def decode(encoded: bytes) -> Event:
    """One event as a client reads it."""
    event: Event = msgspec.json.decode(encoded, type=Event)
    return event


def ours(error: PointsmanError | None) -> str | None:
    """The code of an error, for tables."""
    return error.code if error else None


class NoLists:
    """A store that keeps no lists of models."""

    def model_lists(self) -> list[tuple[str, str, float, str]]:
        """Nothing was kept."""
        return []

    async def put_model_list(self, provider: str, base_url: str, at: float, models: str) -> None:
        """Nothing is kept."""


class Fixed:
    """One catalogue for every client."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def of(self, client: Client) -> Catalogue:
        """The same for all."""
        return self.catalogue


async def until(seconds: float) -> None:
    """Lets the loop's timers of so many seconds fire: this one comes after them."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds + 0.005, over.set)
    await over.wait()
