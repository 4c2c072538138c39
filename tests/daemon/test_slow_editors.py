"""An editor that reads nothing: it must not slow anybody down, nor make the daemon grow."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from statistics import median

import pytest

from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, text_of
from tests.living import Home, provider, resident

MEBIBYTE = 2**20
CHUNKS, TEXT = 200_000, "x" * 49 + " "
MOST_GROWTH = 64 * MEBIBYTE
MOST_LEFT = 24 * MEBIBYTE


@pytest.fixture(scope="module")
def long_answer() -> Reply:
    """10 MB in 200,000 chunks, more than all buffers on the way can hold; for a second or two."""
    chunk = '{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{%s},"finish_reason":%s}]}'
    piece, end = chunk % (f'"content":"{TEXT}"', "null"), chunk % ("", '"stop"')
    body = f"data: {piece}\n\n" * CHUNKS + f"data: {end}\n\ndata: [DONE]\n\n"
    return Reply(body.encode(), headers={"content-type": "text/event-stream"}, chunk=1 << 16, delay=0.001)


async def never_reading(home: Home, way: str) -> Editor:
    """An editor that takes nothing once it has introduced itself."""
    editor = await (home.connect() if way == "behind connect" else home.knock())
    if way == "on the socket":
        await editor.initialize()
    editor.stop_reading()
    return editor


@pytest.mark.parametrize("way", ["behind connect", "on the socket"])
@pytest.mark.parametrize("role", ["begins", "attaches"])
async def test_an_editor_that_never_reads_harms_nobody(
    home: Home, upstream: Upstream, long_answer: Reply, way: str, role: str
) -> None:
    home.configure(provider("up", upstream.base_url))
    await home.serve("pointsman.service.chats.KEPT_FOR = 1.0")
    reading, watching = await home.connect(), await home.connect()
    await reading.chat("up:count:1000").answer()  # whatever is loaded once
    upstream.script("/v1/chat/completions", long_answer)
    deaf = [await never_reading(home, way) for _ in range(1 if role == "begins" else 8)]
    pid = home.pid
    before = largest = resident(pid)
    chat = (deaf[0] if role == "begins" else reading).chat("up:any", chatId="the-long-one", detach=60)
    if role == "attaches":
        await chat.seen("started")
        for one in deaf:
            one.attach(chat.chat_id)
    trips: list[float] = []
    while not ended(watching, chat.chat_id):
        began = time.monotonic()
        await watching.call("pointsman/currentModel")
        trips.append(time.monotonic() - began)
        largest = max(largest, resident(pid))
        await asyncio.sleep(0.005)  # a pause between two measurements
    assert len(trips) > 20, "there was something to be flat under"
    assert median(trips) < 0.05, trips
    assert sorted(trips)[len(trips) * 9 // 10] < 0.1, trips
    late = watching.attach(chat.chat_id)
    assert text_of(await late.answer(30)) == TEXT * CHUNKS, "the deaf one has cost the others nothing"
    assert largest - before < MOST_GROWTH
    for one in deaf:
        await one.kill()
    await watching.status(lambda status: status["memory"] - before < MOST_LEFT)
    assert not (await watching.status())["keptChats"]


@pytest.mark.parametrize("way", ["behind connect", "on the socket"])
async def test_an_editor_that_never_reads_is_given_up(
    home: Home, upstream: Upstream, long_answer: Reply, way: str
) -> None:
    home.configure(provider("up", upstream.base_url))
    await home.serve("pointsman.rpc.session.PATIENCE = 0.5")
    watching, deaf = await home.connect(), await never_reading(home, way)
    upstream.script("/v1/chat/completions", long_answer)
    deaf.chat("up:any")
    await watching.status(lambda status: len(status["clients"]) == 1 and not status["runningChats"])
    assert any("has not read" in line["message"] for line in await home.whole_log())


async def test_long_replies_wait_for_their_reader(home: Home, upstream: Upstream, long_answer: Reply) -> None:
    home.configure(provider("up", upstream.base_url))
    editor, watching = await home.connect(), await home.connect()
    upstream.script("/v1/chat/completions", replace(long_answer, delay=0))
    begun = (await watching.status())["memory"]
    chat = editor.chat("up:any", stream=False)
    await chat.answer()
    await watching.status(lambda status: status["memory"] - begun < 48 * MEBIBYTE)
    deaf = await never_reading(home, "on the socket")
    before = resident(home.pid)
    for number in range(100):
        deaf.begin("pointsman/cancelChat", {"chatId": chat.chat_id}, id=number)
    await deaf.drained()
    for _ in range(20):
        assert (await watching.status())["memory"] - before < MOST_GROWTH


async def test_what_has_been_said_does_not_pile_up(home: Home, upstream: Upstream, long_answer: Reply) -> None:
    home.configure(provider("up", upstream.base_url))
    await home.serve(f"pointsman.service.chats.MOST_KEPT = {16 * MEBIBYTE}")
    editor = await home.connect()
    await editor.chat("up:count:1000").answer()
    before = resident(home.pid)
    upstream.script("/v1/chat/completions", replace(long_answer, delay=0))
    for _ in range(5):
        assert len(text_of(await editor.chat("up:any", stream=False).answer())) == len(TEXT) * CHUNKS
    await editor.status(lambda status: status["memory"] - before < MOST_LEFT)
    assert (await editor.status())["keptChats"] == 0, "even one is too much here"


def ended(editor: Editor, chat_id: str) -> bool:
    """Whether the editor has been told that the chat is over."""
    told = (params["chat"] for params in editor.notifications("pointsman/chatsChanged"))
    return any(chat["chatId"] == chat_id and chat["state"] == "finished" for chat in told)
