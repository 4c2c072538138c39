"""Stock editors, with the capabilities of Neovim, VS Code and Emacs, and nothing of ours but `pointsman connect`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

from tests.counterparts import upstream
from tests.daemon.client import WITHIN
from tests.living import POINTSMAN, Home, provider

EDITORS = ["neovim@v0.11", "visual_studio_code", "emacs"]
COMMANDS = {
    "chat",
    "switchModel",
    "currentModel",
    "listModels",
    "listProviders",
    "listChats",
    "attachChat",
    "cancelChat",
}

Answer = Callable[[types.ShowMessageRequestParams], types.MessageActionItem | None]


class Stock:
    """A stock editor with a person before it, who reads messages and picks from what is asked."""

    def __init__(self, client: LanguageClient) -> None:
        self.client = client
        self.questions: list[types.ShowMessageRequestParams] = []
        self.server: Any = None

    def picks(self, choose: Answer) -> None:
        """From now on the editor can ask, and this is what the person picks."""

        @self.client.feature(types.WINDOW_SHOW_MESSAGE_REQUEST)  # type: ignore[untyped-decorator]
        def ask(params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
            self.questions.append(params)
            return choose(params)

    async def run(self, command: str, *arguments: object) -> Any:
        """Runs a command; what comes back is turned into plain values."""
        params = types.ExecuteCommandParams(f"pointsman.{command}", list(arguments) or None)
        result = await asyncio.wait_for(self.client.workspace_execute_command_async(params), WITHIN)
        return plain(result)

    async def message(self, text: str) -> types.ShowMessageParams:
        """The message with that text in it, as soon as it is there."""
        async with asyncio.timeout(WITHIN):
            while True:
                for message in self.client.messages:
                    if text in message.message:
                        return message
                await self.client.wait_for_notification(types.WINDOW_SHOW_MESSAGE)


def plain(value: Any) -> Any:
    """pygls' own objects as the JSON that they were."""
    if isinstance(value, list | tuple) and not hasattr(value, "_asdict"):
        return [plain(inner) for inner in value]
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return value


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home for all editors, with a provider besides the built-in one."""
    home = Home(tmp_path_factory.mktemp("stock") / "home")
    with upstream.serving() as up:
        home.configure(
            '[aliases]\nquick = "up:count:3"\n'
            + provider("up", up.base_url, 'default_model = "count:5"', 'auth = { scheme = "none" }')
        )
        try:
            home.start()
            yield home
        finally:
            home.close()


@pytest.fixture(params=EDITORS)
async def stock(served: Home, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Stock]:
    """A stock editor in a folder of its own, initialized."""
    config = ClientServerConfig(server_command=[str(POINTSMAN), "connect"], server_env=served.environment)
    client = await config.start()
    assert isinstance(client, LanguageClient)
    editor = Stock(client)
    params = types.InitializeParams(
        capabilities=client_capabilities(request.param),
        client_info=types.ClientInfo(request.param, "1"),
        workspace_folders=[types.WorkspaceFolder(tmp_path.as_uri(), "workspace")],
    )
    try:
        editor.server = await asyncio.wait_for(client.initialize_session(params), WITHIN)
        yield editor
        await asyncio.wait_for(client.shutdown_session(), WITHIN)
    finally:
        await client.stop()  # type: ignore[no-untyped-call]


async def test_it_switches_and_lists(stock: Stock) -> None:
    announced = stock.server.capabilities.execute_command_provider.commands
    assert {f"pointsman.{name}" for name in COMMANDS} <= set(announced)
    providers = (await stock.run("listProviders"))["providers"]
    assert {provider["id"] for provider in providers} >= {"up", "echo"}
    models = (await stock.run("listModels", "up"))["models"]
    assert "up:count:5" in [model["model"] for model in models]
    assert (await stock.run("switchModel", "quick", "workspace"))["scope"] == "workspace"
    assert (await stock.run("switchModel", {"model": "up:count:4", "scope": "global"}))["model"] == "quick"
    selection = await stock.run("currentModel")
    assert (selection["model"], selection["target"]) == ("quick", "up:count:3")
    assert "global choice (up:count:4)" in selection["why"]
    assert (await stock.message("count:3")).type == types.MessageType.Info


async def test_it_chats(stock: Stock) -> None:
    result = await stock.run("chat", "count", "up:count:4")
    assert result["message"]["content"][0]["text"] == "0 1 2 3 "
    assert "up:count:4" in (await stock.message("0 1 2 3")).message
    chats = (await stock.run("listChats"))["chats"]
    assert result["chatId"] in [chat["chatId"] for chat in chats]
    again = await stock.run("attachChat", result["chatId"])
    assert again["message"] == result["message"]


async def test_without_arguments_the_person_is_asked(stock: Stock) -> None:
    stock.picks(lambda asked: next(action for action in asked.actions or [] if action.title == "quick"))
    assert await stock.run("switchModel") is None
    await stock.message("count:3")
    assert (await stock.run("currentModel"))["model"] == "quick"
    (question,) = stock.questions
    titles = [action.title for action in question.actions or []]
    assert {"quick", "echo:echo", "up:count:5"} <= set(titles)
    assert len(titles) <= 9


async def test_a_person_who_picks_nothing_changes_nothing(stock: Stock) -> None:
    stock.picks(lambda asked: None)
    before = await stock.run("currentModel")
    assert await stock.run("switchModel") is None
    async with asyncio.timeout(WITHIN):
        while not stock.questions:
            await stock.run("status")
    assert await stock.run("currentModel") == before


async def test_an_editor_that_cannot_ask_is_told_what_to_do(stock: Stock) -> None:
    assert await stock.run("switchModel") is None
    message = await stock.message("can't ask")
    assert "pointsman use" in message.message
    assert await stock.run("cancelChat") is None
    await stock.message("nothing to choose from")


async def test_a_mistake_is_told_with_advice(stock: Stock) -> None:
    with pytest.raises(Exception, match="ecko") as caught:
        await stock.run("switchModel", "ecko:echo")
    assert "Traceback" not in str(caught.value)
    with pytest.raises(Exception, match=r"pointsman\.switchModel") as caught:
        await stock.run("swichModel")
    assert "Traceback" not in str(caught.value)


async def test_its_own_documents_and_settings_are_no_matter(stock: Stock) -> None:
    client = stock.client
    item = types.TextDocumentItem("file:///a.py", types.LanguageKind.Python, 1, "print()\n")
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    client.workspace_did_change_configuration(types.DidChangeConfigurationParams({"pointsman": {"model": "x"}}))
    changed = types.FileEvent("file:///a.py", types.FileChangeType.Changed)
    client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([changed]))
    client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier("file:///a.py")))
    assert (await stock.run("status"))["clients"]
    assert client.error is None
