"""Ten thousand frames that nobody thought of: each request gets one reply, and the daemon lives on as it was."""

from __future__ import annotations

import asyncio
import copy
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pointsman.rpc.examples import REQUESTS
from tests.daemon.client import Editor, frame
from tests.living import Home, provider, resident

EXAMPLES, FRAMES = 500, 20
MOST_LEFT = 16 * 2**20
WITHIN = 10.0
SETTINGS = settings(
    deadline=None,
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.generate],  # shrinking what takes a while to fail would take for ever
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large],
)

# What is sent

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20))
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ids = st.one_of(st.integers(0, 9), st.text(max_size=3), st.none(), st.floats(allow_nan=False), st.integers(), values)
words = st.sampled_from(["echo", "echo:fast", "echo:echo", "window", "global", "user", "text", "image", "x" * 5000])
requests = st.sampled_from([*((name, example.params) for name, example in REQUESTS.items())])
methods = st.one_of(
    st.sampled_from(
        [
            *REQUESTS,
            "workspace/executeCommand",
            "$/cancelRequest",
            "$/setTrace",
            "initialize",
            "initialized",
            "pointsman/hello",
            "shutdown",
            "textDocument/didOpen",
            "workspace/didChangeConfiguration",
            "window/workDoneProgress/cancel",
        ]
    ),
    st.text(max_size=20).filter(lambda name: name != "exit"),
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A good request with one or two of its values replaced, removed or added."""
    method, params = draw(requests)
    message = {"jsonrpc": "2.0", "id": draw(ids), "method": method, "params": copy.deepcopy(params)}
    for _ in range(draw(st.integers(0, 2))):
        place: Any = draw(st.sampled_from(list(containers(message))))
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys or draw(st.booleans()):
            if isinstance(place, dict):
                place[draw(st.text(max_size=8))] = draw(values)
            continue
        key = draw(st.sampled_from(keys))
        if draw(st.booleans()):
            del place[key]
        else:
            place[key] = draw(values | words)
    return message


def containers(value: Any) -> Iterator[dict[str, Any] | list[Any]]:
    """All objects and arrays in a message, itself included."""
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from containers(inner)


envelopes = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0")},
    optional={"id": ids, "method": methods, "params": values, "result": values, "error": values},
)
messages = st.one_of(mutated(), mutated(), envelopes, values)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """The body of a frame; in one of four, some bytes are others than they were."""
    body = json.dumps(draw(messages), ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 3)) or not body:
        return body
    at = draw(st.integers(0, len(body) - 1))
    return body[:at] + draw(st.binary(max_size=6)) + body[at + draw(st.integers(0, 6)) :]


# What has to come back


def answered(body: bytes) -> list[object] | None:
    """The ids of the replies that a body must get, by JSON-RPC's rules: none or one. None for a body that is no JSON.

    Such a body may get a reply under any id: the daemon does not read what it need not.
    """
    try:
        message = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(message, dict):
        return [None]
    id = message.get("id")
    sound = id is None or (isinstance(id, int | float | str) and not isinstance(id, bool))
    method = message.get("method", "")
    if message.get("jsonrpc") != "2.0" or not isinstance(method, str) or not sound:
        return [id if sound else None]
    if "method" in message:
        return [id] if "id" in message else []
    return [] if message.keys() & {"result", "error"} else [id]


def leaves(body: bytes) -> bool:
    """Whether a body is the notification that ends a connection: damage has made it so."""
    return b'"exit"' in body


async def exchange(home: Home, sent: list[bytes], cut: int) -> None:
    """Sends the bodies in pieces of `cut` bytes over a connection of their own; each reply that is due comes once."""
    editor = await home.knock()
    try:
        await editor.initialize()
        editor.replies.clear()
        expected = [answered(body) for body in sent]
        due = Counter(id for ids in expected for id in ids or ())
        stream = b"".join(map(frame, sent))
        for start in range(0, len(stream), cut):
            editor.send(stream[start : start + cut])
            await editor.drained()
        for id in due:
            editor.notify("$/cancelRequest", {"id": id})
        editor.begin("pointsman/status", id="the last")
        due["the last"] += 1
        with suppress(TimeoutError, ConnectionError):
            await editor.until(lambda: all(len(editor.replies[id]) >= count for id, count in due.items()), WITHIN)
        surplus = Counter({id: len(replies) for id, replies in editor.replies.items()})
        surplus.subtract(due)
        assert not -surplus, "some requests were not answered"
        assert surplus.total() <= expected.count(None), "some were answered more than once"
        assert not any("Something went wrong inside" in str(reply) for reply in editor.heard)
    finally:
        await editor.kill()


@pytest.fixture
def running(home: Home) -> Iterator[tuple[Home, asyncio.Runner]]:
    """A home whose daemon forgets finished chats soon, and a loop to talk to it."""
    home.configure(provider("gone", "http://127.0.0.1:1/v1"))
    with asyncio.Runner() as runner:
        runner.run(home.serve("pointsman.service.chats.KEPT_FOR = 0.5"))
        yield home, runner


@pytest.mark.timeout(180)
def test_ten_thousand_frames(running: tuple[Home, asyncio.Runner]) -> None:
    home, runner = running
    frames = 0
    harmless = bodies().filter(lambda body: not leaves(body))

    @SETTINGS
    @given(st.lists(harmless, min_size=FRAMES, max_size=FRAMES), st.sampled_from([50, 1000, 100_000]))
    def converse(sent: list[bytes], cut: int) -> None:
        nonlocal frames
        frames += len(sent)
        runner.run(exchange(home, sent, cut))

    runner.run(warmed_up(home))
    pid, before = home.pid, resident(home.pid)
    converse()
    assert frames >= EXAMPLES * FRAMES
    assert home.pid == pid, "it is still the same daemon"
    runner.run(memory_below(home, before + MOST_LEFT))


async def warmed_up(home: Home) -> None:
    """Has the daemon load all that it loads once, the HTTP client above all."""
    editor = await home.knock()
    await editor.initialize()
    assert (await editor.call("pointsman/listModels", {"provider": "gone"}))["failures"]
    await editor.chat("echo:fast").answer()
    await editor.kill()


async def memory_below(home: Home, most: int) -> None:
    """Waits until all chats are forgotten, and the memory has come back."""
    editor: Editor = await home.knock()
    await editor.initialize()
    await editor.status(lambda status: not status["keptChats"] and len(status["clients"]) == 1)
    await editor.status(lambda status: status["memory"] < most)
    await editor.kill()


@pytest.mark.timeout(180)
def test_streams_of_anything(running: tuple[Home, asyncio.Runner]) -> None:
    home, runner = running
    pieces = st.one_of(
        st.binary(max_size=40),
        bodies().map(frame),
        st.sampled_from(
            [b"Content-Length: ", b"Content-Length: 10\r\n\r\n", b"\r\n\r\n", b"Content-Type: x\r\n", b"\n", b": "]
        ),
    )

    @SETTINGS
    @given(st.booleans(), st.lists(pieces, max_size=8))
    def babble(greet: bool, said: list[bytes]) -> None:
        runner.run(one(greet, b"".join(said)))

    async def one(greet: bool, said: bytes) -> None:
        editor = await home.knock(greet=greet)
        editor.send(said)
        editor.say_no_more()
        await editor.hung_up(WITHIN)
        await editor.kill()

    pid, before = home.pid, resident(home.pid)
    babble()
    assert home.pid == pid
    runner.run(memory_below(home, before + MOST_LEFT))
