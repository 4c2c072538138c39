"""However a chat ends, it ends once: cancelled at any moment, or after whatever its providers did."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core import attempts
from pointsman.core.chat import AttemptFailed, Event, Finished, Started, TextDelta, TextPart, Visible
from pointsman.core.errors import ConnectFailed, Interrupted, PointsmanError
from pointsman.service.chats import Chat
from tests.service.bench import (
    HANG,
    STOP,
    Bench,
    Play,
    Scripted,
    Step,
    delta,
    events,
    outcomes,
    provider,
    refuses,
    says,
    told,
)

ONE = provider("one")


# Cancelling


async def cancelled(bench: Bench, chat: Chat) -> None:
    """Cancels, and sees to it that the chat ended so, once."""
    chat.cancel()
    chat.cancel()
    seen = await events(chat)
    assert told(seen)[-1] == ("cancelled", None)
    assert sum(isinstance(event, Finished) for event in seen) == 1
    assert chat.result is not None
    assert chat.result.stop_reason == "cancelled"
    await bench.tasks.wait(10)
    chat.cancel()
    assert len(await events(chat)) == len(seen)


async def test_cancelled_before_the_first_step() -> None:
    bench = Bench(Scripted(says("a")), ONE)
    chat = bench.begin("one:m")
    await cancelled(bench, chat)
    assert bench.transport.requests == []
    assert outcomes(chat) == []


async def test_cancelled_while_it_waits_for_the_first_word() -> None:
    bench = Bench(Scripted(Play((HANG,))), ONE)
    chat = bench.begin("one:m")
    await bench.transport.asked.wait()
    await cancelled(bench, chat)
    assert bench.transport.left == [0]
    assert outcomes(chat) == [("one", "cancelled", None)]


async def test_cancelled_in_the_middle_of_a_word() -> None:
    bench = Bench(Scripted(Play((delta(content="Hello, you!"), HANG))), ONE)
    chat = bench.begin("one:m")
    reader = chat.read(-1)
    assert [len(batch) for _, batch in [await anext(reader)]] == [2]
    await reader.aclose()
    await cancelled(bench, chat)
    assert bench.transport.left == [0]
    assert chat.result is not None
    assert chat.result.message.parts == (TextPart("Hello, you!"),)
    assert (chat.result.usage.output_tokens, chat.result.usage.exact) == (3, False)
    assert chat.result.cost is None
    assert chat.result.timing.first_token_ms is not None


async def test_cancelled_while_it_waits_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_WAIT", 60)
    monkeypatch.setattr(attempts, "LONGEST_WAIT", 20)
    bench = Bench(Scripted(refuses(503)), provider("one", max_retries=2))
    chat = bench.begin("one:m")
    reader = chat.read(-1)
    await anext(reader)
    await reader.aclose()
    await cancelled(bench, chat)
    assert outcomes(chat) == [("one", "failed", "Overloaded")]


async def test_all_are_cancelled_with_the_tasks() -> None:
    bench = Bench(Scripted(Play((HANG,))), ONE)
    chats = [bench.begin("one:m", id=f"c{n}") for n in range(3)]
    await bench.transport.asked.wait()
    await bench.tasks.close()
    assert [chat.finished for chat in chats] == [Finished("cancelled")] * 3


# Whatever happens

FAILURES: list[Play | Exception] = [
    *(refuses(status) for status in (400, 401, 404, 429, 503)),
    refuses(503, retry_after="30"),
    ConnectFailed("no line"),
    RuntimeError("a mistake"),
    Play((Interrupted("broken"),)),
    Play(()),
    Play((b"data: {\n\n",)),
]
ENDS: list[list[Step]] = [[STOP], [], [Interrupted("broken")], [b"data: {\n\n"], [HANG], [ConnectFailed("no line")]]


@st.composite
def answers(draw: st.DrawFn) -> Play | Exception:
    """A failure, or some words and then an end, a break or a failure."""
    if draw(st.booleans()):
        return draw(st.sampled_from(FAILURES))
    words = [delta(content=word) for word in draw(st.lists(st.sampled_from(["one", "two"]), min_size=1, max_size=3))]
    return Play((*words, *draw(st.sampled_from(ENDS))))


@settings(deadline=None, max_examples=200)
@given(
    st.lists(answers(), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=3),
    st.integers(0, 8),
)
def test_a_chat_ends_once_whatever_happens(
    plays: list[Play | Exception], shapes: list[tuple[int, int]], steps: int
) -> None:
    """Each provider has so many keys and retries; the chat is cancelled after so many steps of the loop."""

    async def live() -> None:
        ids = [f"p{n}" for n in range(len(shapes))]
        texts = [
            provider(id, *(f"{id}-key-{n}" for n in range(keys)), max_retries=retries)
            for id, (keys, retries) in zip(ids, shapes, strict=True)
        ]
        bench = Bench(Scripted(*plays), *texts)
        chat = bench.begin(*(f"{id}:m" for id in ids))
        for _ in range(steps * 5):
            await asyncio.sleep(0)
        if any(isinstance(play, Play) and HANG in play.steps for play in plays) or steps % 2:
            asyncio.get_running_loop().call_later(0.002, chat.cancel)
        check(bench, chat, await asyncio.wait_for(events(chat), 5), sum(max(k, 1) * (1 + r) for k, r in shapes))
        await bench.tasks.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attempts, "FIRST_WAIT", 0.0)
        asyncio.run(live())


def check(bench: Bench, chat: Chat, seen: list[Event], most: int) -> None:
    """The contract of a chat."""
    kinds = Counter(type(event) for event in seen)
    assert kinds[Finished] == 1
    assert isinstance(seen[-1], Finished)
    assert kinds[Started] <= 1
    first = next((n for n, event in enumerate(seen) if isinstance(event, Visible)), len(seen))
    assert Started not in [type(event) for event in seen[first:]]
    assert AttemptFailed not in [type(event) for event in seen[first:]], "no fallback after the first word"
    assert len(bench.transport.requests) <= most
    assert kinds[AttemptFailed] <= len(bench.transport.requests)
    assert chat.finished is not None
    if chat.finished.reason == "error":
        assert isinstance(chat.error, PointsmanError)
        assert chat.result is not None
        assert not chat.result.message.content
    else:
        assert chat.error is None
        assert chat.result is not None
        said = "".join(event.text for event in seen if isinstance(event, TextDelta))
        assert "".join(part.text for part in chat.result.message.parts if isinstance(part, TextPart)) == said
        tried = [attempt for attempt in chat.result.attempts if attempt.outcome != "skipped"]
        assert len(tried) == len(bench.transport.requests)
