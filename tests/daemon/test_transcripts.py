"""Recorded streams of real providers, played to the running daemon: an editor gets what the official SDK reads."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation, Message
from pointsman.wire import WIRES
from tests.counterparts import upstream as scripted
from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Chat, Editor, Refused, text_of
from tests.living import Home, provider
from tests.wire.expected import EACH, ERRORS, RECORDED, SIZES, Expected, expected

TYPES = {
    ".sse": "text/event-stream",
    ".ndjson": "application/x-ndjson",
    ".eventstream": "application/vnd.amazon.eventstream",
}
REQUEST_FAILED = -32803


@pytest.fixture(scope="module")
def player() -> Iterator[Upstream]:
    with scripted.serving() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def listener(player: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose daemon knows one provider of each dialect, by the dialect's name."""
    home = Home(tmp_path_factory.mktemp("transcripts") / "home")
    no_key = ('auth = { scheme = "none" }', "max_retries = 0")
    home.configure("".join(provider(wire, player.base_url, f'wire = "{wire}"', *no_key) for wire in RECORDED))
    try:
        home.start()
        yield home
    finally:
        home.close()


@pytest.fixture
async def editor(listener: Home) -> AsyncIterator[Editor]:
    yield await listener.connect()
    await listener.leave()


async def played(player: Upstream, editor: Editor, wire: str, stream: Path, size: int | None) -> Chat:
    """A chat that is answered with a recorded stream, whole or in pieces of `size` bytes."""
    named = Provider(id=wire, wire=wire, base_url=player.base_url)
    request, _ = WIRES[wire].request(named, "recorded", Conversation((Message("user", "count"),)))
    headers = {"content-type": TYPES[stream.suffix]}
    player.script(urlsplit(request.url).path, Reply(stream.read_bytes(), 200, headers, size))
    return editor.chat(f"{wire}:recorded")


ANSWERED = [(wire, name) for wire, name in EACH if name not in ERRORS]
WHOLE_AND_CUT = (None, *SIZES)


@pytest.mark.parametrize(("wire", "name"), ANSWERED)
async def test_an_editor_gets_what_the_official_sdk_reads(
    player: Upstream, editor: Editor, wire: str, name: str, transcripts: Path
) -> None:
    said = expected(transcripts, name)
    for size in WHOLE_AND_CUT:
        chat = await played(player, editor, wire, transcripts / name, size)
        result = await chat.answer()
        check_what_was_said(chat, result, said)
        assert result["stopReason"] == said.stop
        assert (result["provider"], result["model"]) == (wire, "recorded")
        if said.usage:
            assert result["usage"] == msgspec.to_builtins(said.usage)
        else:
            assert not result["usage"]["exact"]
        if said.cost:
            assert result["cost"]["usd"] == said.cost.usd


def check_what_was_said(chat: Chat, result: dict[str, Any], said: Expected) -> None:
    """The text, the thoughts and the calls: in the events, and once more in the result."""
    content = result["message"]["content"]
    assert text_of(result) == chat.text == said.text
    thoughts = "".join(part["text"] for part in content if part["type"] == "reasoning")
    assert thoughts == "".join(event["text"] for event in chat.all("reasoning")) == said.thought
    calls = [part for part in content if part["type"] == "toolCall"]
    assert [(call["name"], call["arguments"]) for call in calls] == [(name, given) for _, name, given in said.calls]
    assert all(call["id"] for call in calls)
    assert all(id in {None, call["id"]} for call, (id, _, _) in zip(calls, said.calls, strict=True))
    streamed = dict[int, str]()
    for event in chat.all("toolCall"):
        streamed[event["index"]] = streamed.get(event["index"], "") + event["arguments"]
    assert [json.loads(text or "{}") for text in streamed.values()] == [call["arguments"] for call in calls]


async def test_an_error_before_a_word_is_the_answer(player: Upstream, editor: Editor, transcripts: Path) -> None:
    name = "openai-responses.failed-quota.sse"
    said = expected(transcripts, name)
    for size in WHOLE_AND_CUT:
        chat = await played(player, editor, "openai-responses", transcripts / name, size)
        with pytest.raises(Refused, match=re.escape(said.message)) as caught:
            await chat.answer()
        assert (caught.value.number, caught.value.code) == (REQUEST_FAILED, ERRORS[name])
        assert caught.value.data["provider"] == "openai-responses"
        assert caught.value.data["advice"]
        (finished,) = chat.all("finished")
        assert (finished["reason"], finished["error"]["code"]) == ("error", ERRORS[name])


async def test_an_error_after_some_words_interrupts_them(player: Upstream, editor: Editor, transcripts: Path) -> None:
    name = "openrouter.midstream-error.sse"
    said = expected(transcripts, name)
    for size in WHOLE_AND_CUT:
        chat = await played(player, editor, "openai-chat", transcripts / name, size)
        result = await chat.answer()
        check_what_was_said(chat, result, said)
        assert result["stopReason"] == "interrupted"
        assert result["error"]["code"] == ERRORS[name]
        assert said.message in result["error"]["message"]
        (finished,) = chat.all("finished")
        assert (finished["reason"], finished["error"]) == ("interrupted", result["error"])


def test_every_error_is_looked_at() -> None:
    assert set(ERRORS) == {"openai-responses.failed-quota.sse", "openrouter.midstream-error.sse"}
