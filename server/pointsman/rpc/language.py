"""The LSP side of one connection: life cycle, documents, and asking the person at the editor, by pygls.

With `session.py` the only file that knows pygls. Must never know a method of ours; what pygls gets wrong for a
server with many clients is mended here (docs/decisions/0003-pygls-in-two-files.md).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, default_converter, lsp_method
from pygls.uris import from_fs_path

from pointsman.core.catalogue import Problem
from pointsman.endpoint import VERSION

logging.getLogger("pygls").setLevel(logging.CRITICAL + 1)  # it logs whole messages, prompts and all

CONVERTER = default_converter()  # type: ignore[no-untyped-call]
"""One for all connections: making one takes 20 ms and 300 KB."""

Send = Callable[[bytes], None]


@dataclass(frozen=True)
class Introduction:
    """What a client says of itself in `initialize`: `folder` is the URI of its first folder, `path` an old client's."""

    name: str | None
    version: str | None
    folder: str | None
    path: str | None
    options: Any


Opened = Callable[[Introduction], tuple[Sequence[str], Any]]
"""Told of `initialize`; gives the commands to announce, and `experimental.pointsman` of the answer."""


class _Protocol(LanguageServerProtocol):
    """pygls' protocol without what would end the process, leak, or show a traceback."""

    _server: _Server

    def get_message_type(self, method: str) -> Any:  # type: ignore[override]  # upstream's cache keeps dead connections alive
        return types.METHOD_TO_TYPES.get(method, (None,))[0]

    def get_result_type(self, method: str) -> Any:  # type: ignore[override]
        return types.METHOD_TO_TYPES.get(method, (None, None))[1]

    def _send_data(self, data: Any) -> None:
        if isinstance(error := getattr(data, "error", None), types.ResponseError):
            error.data = None  # upstream's is a traceback
        self._server.send(msgspec.json.encode(self._converter.unstructure(data)))

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        commands, experimental = self._server.opened(_introduction(params))
        self.fm.commands.update(dict.fromkeys(commands))
        result = yield from super().lsp_initialize(params)
        result.capabilities.experimental = {"pointsman": msgspec.to_builtins(experimental)}
        return result

    @lsp_method(types.EXIT)
    def lsp_exit(self, *args: Any) -> None:  # type: ignore[override]  # upstream ends the process
        """Nothing: the session closes its own connection."""


def _introduction(params: types.InitializeParams) -> Introduction:
    info = params.client_info
    folders = params.workspace_folders or ()
    return Introduction(
        name=info.name if info else None,
        version=info.version if info else None,
        folder=folders[0].uri if folders else params.root_uri,
        path=params.root_path,
        options=params.initialization_options,
    )


class _Server(LanguageServer):
    protocol: _Protocol

    def __init__(self, send: Send, opened: Opened) -> None:
        super().__init__(
            "pointsman",
            VERSION,
            protocol_cls=_Protocol,
            converter_factory=lambda: CONVERTER,
            text_document_sync_kind=types.TextDocumentSyncKind.None_,
        )
        self.send = send
        self.opened = opened

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Nothing: upstream shows it to the person at the editor."""


def warm_up() -> None:
    """Does once what the first `initialize` of all would wait for: how LSP's classes are read is only made by then."""
    nobody = Language(lambda _: None, lambda _: ([], {}))
    params = {"capabilities": {}, "clientInfo": {"name": ""}, "workspaceFolders": [{"uri": "file:///", "name": ""}]}
    nobody.receive({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})


class Language:
    """One client's LSP side. `send` takes the body of a message."""

    def __init__(self, send: Send, opened: Opened) -> None:
        self._server = _Server(send, opened)
        self._protocol = self._server.protocol

    def knows(self, method: str) -> bool:
        """Whether a request of this name would be answered here."""
        _, response, *_ = types.METHOD_TO_TYPES.get(method, (None, None))
        return response is not None and method in self._protocol.fm.builtin_features

    def receive(self, message: dict[str, Any]) -> str | None:
        """Handles a request (and answers it), a notification, or a response.

        Gives what is wrong with its parameters.
        """
        try:
            self._protocol.handle_message(self._protocol.structure_message(message))
        except (JsonRpcException, AttributeError, TypeError, ValueError, KeyError):
            name = str(message.get("method", "a response"))[:100]
            return f"The parameters of {name} are not what LSP says they are."
        return None

    def show(self, text: str, *, warning: bool = False) -> None:
        """Shows a message to the person at the editor."""
        kind = types.MessageType.Warning if warning else types.MessageType.Info
        self._server.window_show_message(types.ShowMessageParams(kind, text))

    def diagnose(self, file: str, problems: Sequence[Problem]) -> None:
        """Shows what is wrong with a file on its lines; none, that it has been mended.

        What is no file shows nothing.
        """
        if not file.startswith("/"):
            return
        found = [_diagnostic(problem) for problem in problems]
        params = types.PublishDiagnosticsParams(from_fs_path(file) or file, found)
        self._server.text_document_publish_diagnostics(params)

    async def ask(self, text: str, choices: Sequence[str]) -> str | None:
        """Asks the person to pick one; None when they pick nothing. Raises LookupError when the editor can't ask."""
        actions = [types.MessageActionItem(choice) for choice in choices]
        params = types.ShowMessageRequestParams(types.MessageType.Info, text, actions)
        try:
            picked = await self._server.window_show_message_request_async(params)
        except JsonRpcException as error:
            raise LookupError(str(error)) from error
        return picked.title if picked else None

    async def open_page(self, url: str) -> bool:
        """Opens a page in the person's browser, if the editor says that it can; whether it did."""
        window = self._server.client_capabilities.window
        if window is None or window.show_document is None or not window.show_document.support:
            return False
        try:
            opened = await self._server.window_show_document_async(types.ShowDocumentParams(url, external=True))
        except JsonRpcException:
            return False
        return bool(opened and opened.success)


def _diagnostic(problem: Problem) -> types.Diagnostic:
    line = (problem.line or 1) - 1
    whole = types.Range(types.Position(line, 0), types.Position(line, 1000))
    text = f"{problem.message} {problem.hint}"
    return types.Diagnostic(whole, text, severity=types.DiagnosticSeverity.Error, source="pointsman")
