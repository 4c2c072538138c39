"""The official SDK and the daemon, side by side, before the same servers of others: both read the same answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.counterparts import llama as llama_cpp
from tests.counterparts.aimock import AImock
from tests.counterparts.llama import Llama
from tests.daemon.client import Editor
from tests.living import Home, provider
from tests.oracles.asked import NO_KEY, started_at
from tests.oracles.told import SDKS, Question, Told, by_daemon

LOCAL = [wire for wire in SDKS if wire != "gemini-generate"]
"""The dialects that llama.cpp's server speaks, too."""
LIKELY_TO_END = {"<|im_end|>": 2.0}


@dataclass(frozen=True)
class Servers:
    """A home whose daemon knows each server by each dialect, as `SERVER-DIALECT:MODEL`."""

    home: Home
    base_urls: dict[str, str]
    llama: Llama


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, running_aimock: AImock) -> Iterator[Servers]:
    with (
        llama_cpp.serving(tmp_path_factory.mktemp("plain"), bias=LIKELY_TO_END) as plain,
        llama_cpp.serving(tmp_path_factory.mktemp("thinks"), thinks=True) as thinks,
    ):
        base_urls = {f"aimock-{wire}": started_at(wire, running_aimock) for wire in SDKS}
        base_urls |= {f"plain-{wire}": plain.base_url for wire in LOCAL}
        base_urls |= {f"thinks-{wire}": thinks.base_url for wire in LOCAL}
        home = Home(tmp_path_factory.mktemp("side") / "home")
        home.environment["NO_KEY"] = NO_KEY
        key = 'auth = { scheme = "bearer", env = "NO_KEY" }'
        wires = {id: id.partition("-")[2] for id in base_urls}
        home.configure("\n".join(provider(id, base_urls[id], key, f'wire = "{wires[id]}"') for id in base_urls))
        try:
            home.start()
            yield Servers(home, base_urls, plain)
        finally:
            home.close()


@pytest.fixture
async def editor(servers: Servers) -> AsyncIterator[Editor]:
    yield await servers.home.connect()
    await servers.home.leave()


async def both(servers: Servers, editor: Editor, server: str, wire: str, question: Question) -> Told:
    """What both say, which is the same."""
    model = "some-model" if server == "aimock" else servers.llama.model
    ours = await by_daemon(editor, f"{server}-{wire}:{model}", question)
    theirs = SDKS[wire](servers.base_urls[f"{server}-{wire}"], model, question)
    if not theirs.ids:
        ours.ids.clear()
    assert ours == theirs
    return ours


@pytest.mark.parametrize("wire", SDKS)
@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("say hello", "Hello! This is aimock."),
        ("the weather", "Let me look."),
        ("think first", "The answer is 42."),
        ("until the length", "This answer stops in the"),
    ],
)
async def test_an_imitation_of_all(
    servers: Servers, editor: Editor, aimock: AImock, wire: str, words: str, text: str
) -> None:
    told = await both(servers, editor, "aimock", wire, Question(words))
    assert told.text == text
    assert [name for name, _ in told.calls] == (["get_weather", "get_time"] if words == "the weather" else [])
    assert (told.stop == "toolCalls") == bool(told.calls)
    assert told.thought == ("Six times seven is forty-two." if words == "think first" else "")
    assert {request["path"].partition("?")[0] for request in aimock.journal()} == {PATHS[wire]}


@pytest.mark.parametrize("wire", SDKS)
async def test_an_answer_that_does_not_end_well_says_so(
    servers: Servers, editor: Editor, aimock: AImock, wire: str
) -> None:
    """Of the Responses API it sends `completed` with another status, and of the others what stands for it there."""
    length = await both(servers, editor, "aimock", wire, Question("until the length"))
    assert length.stop == "length"
    forbidden = await both(servers, editor, "aimock", wire, Question("something forbidden"))
    assert forbidden.stop == ("interrupted" if wire == "openai-responses" else "contentFilter")


PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic-messages": "/v1/messages",
    "gemini-generate": "/v1beta/models/some-model:streamGenerateContent",
}


@pytest.mark.parametrize("wire", LOCAL)
@pytest.mark.parametrize(("server", "limit"), [("plain", 24), ("plain", 2000), ("thinks", 24)])
async def test_a_real_server_of_local_models(
    servers: Servers, editor: Editor, wire: str, server: str, limit: int
) -> None:
    """Its words are nonsense, without dice: the same each time, cut or ended by itself."""
    told = await both(servers, editor, server, wire, Question("say hello", limit))
    assert told.usage
    assert told.usage[1] <= limit
    assert bool(told.thought) == (server == "thinks")
    assert told.text or told.thought
