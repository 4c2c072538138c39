"""Chats as logs: a cursor gets exactly what lies behind it, nobody waits for anybody, and what is kept has bounds."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.chat import LONGEST_PIECE, Event, Finished, ReasoningDelta, Started, TextDelta
from pointsman.core.errors import ChatGone, ChatInUse
from pointsman.service import chats as module
from pointsman.service.chats import LONGEST_NOTIFICATION, Chat, Chats, ChatsChanged, Starter
from pointsman.service.clients import Clients
from tests.service.bench import decode, events, heard, join, until

STARTER = Starter("Neovim", "w1", "/code")
END = Finished("end")


def begun(*words: str, id: str = "c1", detach: float = 60.0) -> Chat:
    """A chat that nobody drives, with a log of so many words."""
    chat = Chat(id, "p:m", "title", STARTER, detach)
    for word in words:
        chat.append(TextDelta(word))
    return chat


def finished(*words: str, id: str = "c1") -> Chat:
    chat = begun(*words, id=id)
    chat.finish(END, None, None)
    return chat


# Cursors


WORDS = [str(n) for n in range(7)]
LOG: list[Event] = [*map(TextDelta, WORDS), END]


@pytest.mark.parametrize("after", range(-1, len(LOG) + 2))
async def test_a_cursor_gets_exactly_the_rest_of_a_finished_chat(after: int) -> None:
    chat = finished(*WORDS)
    assert await events(chat, after) == LOG[after + 1 :]
    numbers = [first + n async for first, batch in chat.read(after) for n in range(len(batch))]
    assert numbers == list(range(after + 1, len(LOG)))


@pytest.mark.parametrize("after", range(-1, len(LOG)))
@pytest.mark.parametrize("there", range(len(WORDS) + 1))
async def test_a_cursor_gets_exactly_the_rest_of_a_running_chat(after: int, there: int) -> None:
    """The reader comes when so many events are there; the others come one by one."""
    chat = begun(*WORDS[:there])
    reader = asyncio.get_running_loop().create_task(events(chat, after))
    for word in WORDS[there:]:
        await asyncio.sleep(0)
        chat.append(TextDelta(word))
    await asyncio.sleep(0)
    chat.finish(END, None, None)
    assert await asyncio.wait_for(reader, 10) == LOG[after + 1 :]


async def test_what_has_piled_up_is_one_batch() -> None:
    chat = begun("a", "b")
    reader = chat.read(-1)
    assert len((await anext(reader))[1]) == 2
    chat.append(TextDelta("c"))
    chat.append(TextDelta("d"))
    chat.finish(END, None, None)
    first, batch = await anext(reader)
    assert (first, [decode(event) for event in batch]) == (2, [TextDelta("c"), TextDelta("d"), END])
    assert [batch async for batch in reader] == []


async def test_a_reader_that_does_not_read_holds_nobody_up() -> None:
    chat = begun("a")
    slow = chat.read(-1)
    await anext(slow)
    for word in WORDS:
        chat.append(TextDelta(word))
    quick = chat.read(-1)
    assert len((await anext(quick))[1]) == 1 + len(WORDS)
    await slow.aclose()
    await quick.aclose()
    chat.finish(END, None, None)
    assert len(await events(chat)) == 2 + len(WORDS)


async def test_a_reader_that_leaves_is_forgotten() -> None:
    chat = begun("a")
    for _ in range(3):
        reader = chat.read(-1)
        await anext(reader)
        await reader.aclose()
    waiting = asyncio.get_running_loop().create_task(events(chat, 5))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert chat._wakers == set()


pieces = st.builds(
    lambda letter, times: TextDelta(letter * times),
    st.sampled_from(["a", "é", "\0", "😀"]),
    st.integers(0, LONGEST_PIECE),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(pieces | st.just(ReasoningDelta("r")), max_size=30))
def test_a_batch_fits_into_a_notification(log: Sequence[TextDelta | ReasoningDelta]) -> None:
    async def batches() -> list[Sequence[bytes]]:
        chat = begun()
        for event in log:
            chat.append(event)
        chat.finish(END, None, None)
        return [batch async for _, batch in chat.read(-1)]

    read = asyncio.run(batches())
    assert [decode(event) for batch in read for event in batch] == [*log, END]
    envelope = len(msgspec.json.encode({"chatId": "c" * 128, "from": 2**31, "events": []})) + 100
    for batch in read:
        assert sum(map(len, batch)) + len(batch) + envelope <= LONGEST_NOTIFICATION


# Who watches


async def hung(chat: Chat) -> asyncio.Task[None]:
    """Gives a chat work that never ends by itself."""

    async def work() -> None:
        await asyncio.Event().wait()

    task = asyncio.get_running_loop().create_task(work())
    chat.driven_by(task)
    await asyncio.sleep(0)
    return task


async def ended(task: asyncio.Task[None], within: float = 10.0) -> bool:
    """Whether a task was cancelled in time."""
    await asyncio.wait([task], timeout=within)
    return task.cancelled()


async def test_a_chat_that_nobody_watches_any_more_ends_after_a_while() -> None:
    chat = begun(detach=0.02)
    work = await hung(chat)
    began = asyncio.get_running_loop().time()
    with chat.watched(), chat.watched():
        pass
    assert await ended(work)
    assert asyncio.get_running_loop().time() - began >= 0.02


async def test_a_chat_without_patience_ends_at_once() -> None:
    chat = begun(detach=0.0)
    work = await hung(chat)
    with chat.watched():
        pass
    assert await ended(work)


async def test_a_chat_goes_on_while_somebody_watches_or_has_come_back() -> None:
    chat = begun(detach=0.01)
    work = await hung(chat)
    with chat.watched():
        with chat.watched():
            pass
        assert not await ended(work, 0.03)
    with chat.watched():
        assert not await ended(work, 0.03)
        assert chat.summary().watchers == 1
    assert await ended(work)


async def test_a_chat_that_has_ended_needs_no_watching() -> None:
    chat = begun(detach=0.0)
    work = await hung(chat)
    with chat.watched():
        chat.finish(END, None, None)
    chat.cancel()
    assert not await ended(work, 0.01)
    work.cancel()


# What is kept


class Kept:
    """Chats, with a client that hears of them."""

    def __init__(self) -> None:
        clients = Clients()
        self.client = join(clients)
        self.chats = Chats(clients)

    def add(self, chat: Chat) -> Chat:
        """Takes a chat in."""
        self.chats.begin(chat)
        return chat

    def ids(self) -> list[str]:
        """Those that are kept, the latest first."""
        return [chat.chat_id for chat in self.chats.list()]


async def test_chats_are_found_by_their_id() -> None:
    kept = Kept()
    running, done = kept.add(begun(id="a")), kept.add(finished(id="b"))
    assert kept.chats.get("a") is running
    assert kept.chats.running == [running]
    assert kept.ids() == ["b", "a"]
    assert len(kept.chats) == 2
    for taken in (begun(id="a"), begun(id="b")):
        with pytest.raises(ChatInUse) as refused:
            kept.chats.begin(taken)
        assert "attachChat" in refused.value.advice
    with pytest.raises(ChatGone) as gone:
        kept.chats.get("c")
    assert "listChats" in gone.value.advice
    assert kept.chats.get("b") is done


async def test_a_summary_says_where_a_chat_stands() -> None:
    chat = begun("a")
    chat.append(Started("m2", "q"))
    summary = chat.summary()
    assert (summary.chat_id, summary.title, summary.client, summary.window_id) == ("c1", "title", "Neovim", "w1")
    assert (summary.state, summary.provider, summary.events, summary.reason) == ("running", "q", 2, None)
    chat.finish(END, None, None)
    assert (chat.summary().state, chat.summary().reason, chat.summary().events) == ("finished", "end", 3)
    assert begun().summary().model == "p:m"


async def test_everybody_hears_of_a_chat_but_those_that_are_not_ready() -> None:
    kept = Kept()
    chat = kept.add(begun())
    await until(module.TELL_AFTER)
    chat.finish(END, None, None)
    kept.chats.changed(chat)
    await until(module.TELL_AFTER)
    told = [note.chat.state for note in heard(kept.client) if isinstance(note, ChatsChanged)]
    assert told == ["running", "finished"]


async def test_a_finished_chat_is_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_FOR", 0.03)
    kept = Kept()
    kept.add(begun(id="running"))
    kept.add(finished(id="done"))
    assert kept.ids() == ["done", "running"]
    await until(0.03)
    assert kept.ids() == ["running"]


async def test_an_id_that_is_used_again_is_not_forgotten_with_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_FOR", 0.03)
    monkeypatch.setattr(module, "MOST_KEPT", 100)
    kept = Kept()
    kept.add(finished("x" * 1000, id="a"))
    assert kept.ids() == []
    second = kept.add(begun(id="a"))
    await until(0.03)
    assert kept.chats.get("a") is second


async def test_the_oldest_are_forgotten_first_and_running_ones_never(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    monkeypatch.setattr(module, "MOST_KEPT", 2 * finished("x" * 1000).size + 1)
    kept.add(begun("x" * 10_000, id="running"))
    for id in ("a", "b", "c", "d"):
        kept.add(finished("x" * 1000, id=id))
    assert kept.ids() == ["d", "c", "running"]
    kept.add(finished("x" * 10_000, id="huge"))
    assert kept.ids() == ["running"]


async def test_what_is_forgotten_leaves_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 100)
    kept = Kept()
    chat = begun("x" * 1000, detach=3600)
    with chat.watched():
        kept.chats.begin(chat)
    chat.finish(END, None, None)
    kept.chats.changed(chat)
    reference = weakref.ref(chat)
    del chat
    await until(module.TELL_AFTER)
    gc.collect()
    assert reference() is None


async def test_the_size_of_a_chat_counts_all_that_it_holds() -> None:
    small, large = begun("a"), begun("a" * 1000)
    assert large.size - small.size == 999
    many = begun(*"a" * 1000)
    assert many.size > 60 * 1000


def test_the_bounds_are_those_of_the_protocol() -> None:
    assert (LONGEST_NOTIFICATION, module.LONGEST_CHAT) == (64 * 1024, 16 * 2**20)
    assert (module.MOST_KEPT, module.KEPT_FOR) == (64 * 2**20, 600.0)
