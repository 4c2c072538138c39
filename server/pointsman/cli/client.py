"""A small blocking JSON-RPC client for the command line. Must never know how an answer is shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from pointsman.endpoint import VERSION, EndpointError, connect
from pointsman.rpc.framing import Framer, frame

OnNotification = Callable[[str, Any], None]


class CallFailed(Exception):
    """The daemon answered with an error; `code`, `message` and `advice` are its own words."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(f"{data['message']} {data['advice']}")
        self.code: str = data["code"]
        self.message: str = data["message"]
        self.advice: str = data["advice"]


class Client:
    """An initialized connection; a context that ends it."""

    def __init__(self, *, may_start: bool = True, window: str | None = None) -> None:
        """Connects, and starts the daemon if it may. Raises EndpointError."""
        directory = _directory()
        connection = connect(os.environ, str(directory), may_start=may_start)
        self._socket = connection.sock
        self.hello = connection.hello
        self._framer = Framer()
        self._arrived: list[dict[str, Any]] = []
        self._number = 0
        options = {"client": "pointsman", "clientVersion": VERSION, "windowId": window}
        self.call(
            "initialize",
            {
                "processId": os.getpid(),
                "capabilities": {},
                "rootUri": directory.as_uri(),
                "initializationOptions": {"pointsman": options},
            },
        )
        self._send({"method": "initialized", "params": {}})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def call(self, method: str, params: Any = None, on_notification: OnNotification | None = None) -> Any:
        """Sends a request and waits for its result; what the daemon says meanwhile goes to `on_notification`.

        Raises CallFailed.
        """
        self._number += 1
        number = self._number
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._next()
            if "method" in message:
                if on_notification:
                    on_notification(message["method"], message.get("params"))
            elif message.get("id") == number:
                if "error" in message:
                    raise CallFailed(message["error"]["data"])
                return message["result"]

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._socket.sendall(frame(msgspec.json.encode({"jsonrpc": "2.0", **message})))
        except ConnectionError as error:
            raise _went_away() from error

    def _next(self) -> dict[str, Any]:
        while not self._arrived:
            try:
                data = self._socket.recv(65536)
            except ConnectionError as error:
                raise _went_away() from error
            if not data:
                raise _went_away()
            self._arrived = [msgspec.json.decode(body) for body in self._framer.feed(data) if isinstance(body, bytes)]
        return self._arrived.pop(0)


def _directory() -> Path:
    """The working directory; the root, where it was deleted under us."""
    try:
        return Path.cwd()
    except OSError:
        return Path("/")


def _went_away() -> EndpointError:
    text = "The daemon went away in the middle of it."
    return EndpointError("DaemonUnreachable", text, "Run the command again; a new daemon starts.")
