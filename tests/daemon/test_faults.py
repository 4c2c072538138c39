"""Every fault, at every place of a chain, with one key or three: who is asked, what is told, and how it ends.

What is expected follows from the tables of docs/routing.md. The faulty provider may be asked once again (`max_retries`
is 1); those before it in the chain refuse the connection, those behind it answer. All cells run side by side, against
one daemon and one server, and each has providers of its own, so that none sees what another has done.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import pairwise, product
from typing import Any, Literal

import pytest

from tests.counterparts.certificates import Authority
from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Request, Upstream, serving
from tests.daemon.client import Chat, Editor, Refused
from tests.living import Home, provider

Helps = Literal["retry", "key", "limit", "target", "nothing", "broken", "fine"]
"""What can help: the same again, another key, another key and then a wait, another target, nothing; or the answer is
broken after its first word, or there is nothing wrong."""

AT_ONCE = 20
PLACES = ("first", "middle", "last")
SSE = {"content-type": "text/event-stream"}
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"0 "}}]}\n\n'
WHOLE = b'data: {"choices":[{"index":0,"delta":{"content":"0 1 2 "},"finish_reason":"stop"}]}\n\n'
ODD = b'data: {"choices":[],"usage":{"prompt_tokens":9223372036854775808,"completion_tokens":[],"cost":-0.4}}\n\n'
FIRST_EVENT = 1.5


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong: what helps, the error's code, and what the provider does.

    `reply` is what it answers to each request, `model` one of those that the scripted server knows. `url` is where it
    is instead. `waits` is how many seconds it asks for.
    """

    helps: Helps
    code: str = ""
    reply: Reply | None = None
    model: str = "m"
    url: str = ""
    waits: float = 0.0
    more: dict[str, Any] = field(default_factory=dict)


def says(status: int, body: str = '{"error": {"message": "no"}}', **headers: str) -> Reply:
    return Reply(body.encode(), status, {name.replace("_", "-"): value for name, value in headers.items()})


def stream(*pieces: bytes, cut: int | None = None) -> Reply:
    return Reply(b"".join(pieces), headers=SSE, cut=cut)


def broken_off(error: dict[str, object]) -> bytes:
    return b"data: " + json.dumps({"error": error}).encode() + b"\n\n"


SPENT = '{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}'
HTML = "<!DOCTYPE html><html><body>Hello!</body></html>"
FAULTS: dict[str, Fault] = {
    "nothing wrong": Fault("fine", model="count:3"),
    "refused": Fault("retry", "ConnectFailed", url="http://127.0.0.1:{dead}/v1"),
    "no such name": Fault("retry", "ConnectFailed", url="http://nowhere.invalid/v1"),
    "not vouched for": Fault("target", "BadCertificate", url="{tls}"),
    "no TLS, nor a word": Fault("retry", "TimedOut", url="https://127.0.0.1:{port}/v1"),
    "400": Fault("nothing", "BadRequest", says(400)),
    "401": Fault("key", "InvalidKey", says(401)),
    "402": Fault("key", "QuotaExhausted", says(402)),
    "403": Fault("key", "InvalidKey", says(403)),
    "404": Fault(
        "target", "ModelNotFound", says(404, '{"error": {"message": "no such model", "code": "model_not_found"}}')
    ),
    "404 in HTML": Fault("target", "BadReply", says(404, HTML, content_type="text/html")),
    "408": Fault("retry", "Overloaded", says(408)),
    "400, too long": Fault("target", "ContextTooLong", says(400, '{"error": {"code": "context_length_exceeded"}}')),
    "413 in HTML": Fault("target", "ContextTooLong", says(413, HTML, content_type="text/html")),
    "429": Fault("limit", "RateLimited", says(429)),
    "429 in seconds": Fault("limit", "RateLimited", says(429, retry_after="1"), waits=1),
    "429 in milliseconds": Fault("limit", "RateLimited", says(429, retry_after_ms="1200"), waits=1.2),
    "429 by its windows": Fault(
        "limit",
        "RateLimited",
        says(429, x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="1.1s"),
        waits=1.1,
    ),
    "429 in words": Fault(
        "limit", "RateLimited", says(429, '{"error": {"message": "Please try again in 1.3s."}}'), waits=1.3
    ),
    "429 in its body": Fault(
        "limit", "RateLimited", says(429, '{"error": {"message": "no", "metadata": {"retry_after": 1}}}'), waits=1
    ),
    "429 for too long": Fault("key", "RateLimited", says(429, retry_after="107")),
    "429 until a date": Fault(
        "key",
        "RateLimited",
        says(429, retry_after=formatdate(time.time() + 900, usegmt=True), date=formatdate(usegmt=True)),
    ),
    "429, the quota": Fault("key", "QuotaExhausted", says(429, SPENT)),
    "500": Fault("retry", "Overloaded", says(500)),
    "502 in HTML": Fault("retry", "Overloaded", says(502, HTML, content_type="text/html")),
    "503": Fault("retry", "Overloaded", says(503)),
    "503 in seconds": Fault("retry", "Overloaded", says(503, retry_after="1"), waits=1),
    "503 for too long": Fault("target", "Overloaded", says(503, retry_after="107")),
    "529": Fault("retry", "Overloaded", says(529)),
    "an empty 200": Fault("retry", "Interrupted", stream()),
    "a 200 that is done at once": Fault("retry", "Interrupted", stream(b"data: [DONE]\n\n")),
    "HTML with 200": Fault("target", "BadReply", says(200, HTML, content_type="text/html")),
    "wrong JSON": Fault("target", "BadReply", stream(b"data: {\n\n")),
    "cut before the first word": Fault("retry", "Interrupted", stream(WORD, cut=0)),
    "cut after the first word": Fault("broken", "Interrupted", model="cut:1"),
    "ended after the first word": Fault("broken", "Interrupted", stream(WORD)),
    "an error before the first word": Fault("retry", "Overloaded", stream(broken_off({"message": "m", "code": 502}))),
    "an error after the first word": Fault(
        "broken", "Overloaded", stream(WORD, broken_off({"message": "m", "code": 502}))
    ),
    "a refusal after the first word": Fault(
        "broken", "BadRequest", stream(WORD, broken_off({"message": "m", "code": 400}))
    ),
    "odd counts after the end": Fault("fine", reply=stream(WHOLE, ODD)),
    "wrong JSON after the end": Fault("fine", reply=stream(WHOLE, b"data: {oops\n\n")),
    "an error after the end": Fault("fine", reply=stream(WHOLE, broken_off({"message": "m", "code": 502}))),
    "comments alone": Fault("retry", "Interrupted", stream(b": busy\n\n")),
    "a stall": Fault("retry", "TimedOut", model="stall"),
    "a stall after the first word": Fault("broken", "TimedOut", model="drip:3:30"),
    "a slow drip": Fault("fine", model="drip:4:0.3"),
    "a drip without end": Fault("broken", "TimedOut", model="drip:99:0.3", more={"whole": 1.5}),
}


@dataclass
class Cell:
    """One fault at one place with so many keys, and what came of it."""

    number: int
    fault: str
    place: str
    keys: int
    events: list[dict[str, Any]] = field(default_factory=list)
    result: dict[str, Any] | None = None
    error: Any = None

    @property
    def path(self) -> str:
        return f"/c{self.number}/v1/chat/completions"

    @property
    def what(self) -> Fault:
        return FAULTS[self.fault]

    @property
    def position(self) -> int:
        return PLACES.index(self.place)

    @property
    def links(self) -> list[str]:
        """The chain: what refuses the connection, the fault, what answers."""
        before = [f"dead{self.number}-{n}:m" for n in range(self.position)]
        behind = [f"fine{self.number}-{n}:count:3" for n in range(2 - self.position)]
        return [*before, f"faulty{self.number}:{self.what.model}", *behind]

    def toml(self, upstream: Upstream, places: dict[str, object]) -> str:
        """The providers of this cell, and its chain."""
        mine = upstream.base_url.replace("/v1", f"/c{self.number}/v1")
        url = self.what.url.format(**places) if self.what.url else mine
        limits = {"connect": 5.0, "first_event": FIRST_EVENT, "between_events": FIRST_EVENT} | self.what.more
        keys = [f"not-a-real-key-{self.number}-{n}" for n in range(self.keys)]
        lines = [f"[chains.c{self.number}]", f"targets = {json.dumps(self.links)}"]
        lines += [f"[providers.faulty{self.number}]", f'base_url = "{url}"', "max_retries = 1"]
        lines += [f"keys = {json.dumps(keys)}", 'auth = { scheme = "bearer" }']
        lines += ["timeout = { " + ", ".join(f"{name} = {value}" for name, value in limits.items()) + " }"]
        for link in self.links:
            id = link.partition(":")[0]
            if not id.startswith("faulty"):
                where = mine if id.startswith("fine") else f"http://127.0.0.1:{places['dead']}/v1"
                lines += [
                    f"[providers.{id}]",
                    f'base_url = "{where}/x"',
                    'auth = { scheme = "none" }',
                    "max_retries = 0",
                ]
        return "\n".join(lines) + "\n"

    async def run(self, editor: Editor) -> None:
        """Has the chat, to its end."""
        chat: Chat = editor.chat(f"chain:c{self.number}")
        try:
            self.result = await chat.answer(within=30)
        except Refused as refused:
            self.error = refused
        self.events = [event for _, event in editor.events[chat.chat_id]]


CELLS = [Cell(n, *each) for n, each in enumerate(product(FAULTS, PLACES, (1, 3)))]


@dataclass
class Ran:
    """What the cells have left behind."""

    cells: list[Cell]
    requests: list[Request]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """All cells, run."""
    folder = tmp_path_factory.mktemp("faults")
    with ExitStack() as stack:
        upstream = stack.enter_context(serving())
        unknown = stack.enter_context(serving(Authority(folder / "ca").server()))
        dead = stack.enter_context(socket.socket())
        dead.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else can
        ports = {"dead": dead.getsockname()[1], "port": upstream.base_url.split(":")[2].partition("/")[0]}
        places: dict[str, object] = {**ports, "tls": unknown.base_url}
        home = Home(folder / "home")
        stack.callback(home.close)
        home.configure(provider("warm", upstream.base_url) + "".join(cell.toml(upstream, places) for cell in CELLS))
        for cell in CELLS:
            if cell.what.reply is not None:
                upstream.script(cell.path, cell.what.reply)
        asyncio.run(_run(home))
        yield Ran(CELLS, list(upstream.requests))


async def _run(home: Home) -> None:
    editor = await home.connect()
    await editor.chat("warm:count:1").answer(within=30)  # whatever is loaded once
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(cell: Cell) -> None:
        async with gate:
            await cell.run(editor)

    await asyncio.gather(*(one(cell) for cell in CELLS))
    await home.leave()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.fault}, {cell.place}, {cell.keys} keys")
def test_a_fault(ran: Ran, cell: Cell) -> None:
    helps, last = cell.what.helps, cell.place == "last"
    asked = [request for request in ran.requests if request.path == cell.path]
    failures = [event for event in cell.events if event["type"] == "attemptFailed"]
    told = [(failure["model"], failure["error"]["code"], failure.get("next")) for failure in failures]

    # What is told, event by event.
    mine, tries = cell.links[cell.position], _tries(cell)
    chain = cell.links[: cell.position] + [mine] * tries + cell.links[cell.position + 1 :]
    codes = ["ConnectFailed"] * cell.position + [cell.what.code] * tries
    if helps == "fine":
        codes = codes[: cell.position]
    if helps == "broken":
        codes = codes[:-1]
    following: list[str | None] = [*chain[1:], None]
    if helps == "nothing":
        following[cell.position] = None
    assert told == list(zip(chain, codes, following, strict=False))

    # How it ends, and that it ends once.
    finished = [event for event in cell.events if event["type"] == "finished"]
    assert len(finished) == 1
    assert cell.events[-1] == finished[0]
    text = "".join(event["text"] for event in cell.events if event["type"] == "text")
    started = [event["provider"] for event in cell.events if event["type"] == "started"]
    if helps == "fine" or (helps in {"retry", "key", "limit", "target"} and not last):
        assert finished[0]["reason"] == "end"
        assert cell.result is not None
        assert text == ("0 1 2 3 " if cell.what.model == "drip:4:0.3" and helps == "fine" else "0 1 2 ")
        assert cell.result["provider"] == started[0] == chain[len(codes)].partition(":")[0]
        assert [each["outcome"] for each in cell.result["attempts"]] == ["failed"] * len(codes) + ["answered"]
    elif helps == "broken":
        assert finished[0]["reason"] == "interrupted"
        assert finished[0]["error"]["code"] == cell.what.code
        left = [] if cell.what.code == "BadRequest" else cell.links[cell.position :]
        assert finished[0].get("resume", []) == left
        assert text.startswith("0 ")
        assert started == [mine.partition(":")[0]]
    else:
        assert finished[0]["reason"] == "error"
        assert (text, started) == ("", [])
        assert cell.error.code == "NoTargetLeft"
        assert [cause["code"] for cause in cell.error.data["causes"]] == codes

    # Which keys were shown, and when.
    if not cell.what.url:
        assert len(asked) == tries
        keys = [request.header("authorization") for request in asked]
        if helps in {"key", "limit"}:
            assert len(set(keys)) == cell.keys, "each has had its turn"
        else:
            assert len(set(keys)) == 1
        for key in set(keys):
            at = [request.at for request in asked if request.header("authorization") == key]
            assert all(later - earlier >= cell.what.waits for earlier, later in pairwise(at))


def _tries(cell: Cell) -> int:
    """How often the faulty provider is asked."""
    match cell.what.helps:
        case "retry":
            return 2
        case "key":
            return cell.keys
        case "limit":
            return cell.keys + (cell.place == "last")
        case _:
            return 1
