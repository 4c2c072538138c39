"""A small blocking JSON-RPC client for the command line. Must never know how an answer is shown."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from pointsman.endpoint import VERSION, EndpointError, connect
from pointsman.rpc.framing import Framer, frame

OnNotification = Callable[[str, Any], None]
STARTS_WITHIN = 20.0
"""Seconds in which a daemon has to be there, and be started if need be."""


class CallFailed(Exception):
    """The daemon answered with an error; `code`, `message` and `advice` are its own words, `data` is all of it."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(in_words(data))
        self.data = data
        self.code: str = data["code"]
        self.message: str = data["message"]
        self.advice: str = data["advice"]


def in_words(data: Mapping[str, Any]) -> str:
    """An error's message and advice as sentences: what a provider has said may have no end of its own."""
    message: str = data["message"].strip()
    ended = message.rstrip("\"'`)]}").endswith((".", "!", "?", "…"))
    return f"{message}{'' if ended else '.'} {data['advice']}"


class Client:
    """An initialized connection; a context that ends it."""

    def __init__(
        self,
        *,
        may_start: bool = True,
        window: str | None = None,
        within: float | None = None,
        folder: str | None = None,
        remote: bool = False,
        on_notification: OnNotification | None = None,
    ) -> None:
        """Connects, and starts the daemon if it may. Raises EndpointError.

        `within` is how many seconds the daemon has to be reached, and then for each answer; without it, an answer may
        take as long as it takes. `folder` is the workspace; without it, where we are. `remote`: the person's browser is
        on another machine.
        """
        folder = folder or current_folder()
        connection = connect(os.environ, folder or "/", may_start=may_start, deadline=within or STARTS_WITHIN)
        self._socket = connection.sock
        self._socket.settimeout(within)
        self.hello = connection.hello
        self._framer = Framer()
        self._arrived: list[dict[str, Any]] = []
        self._number = 0
        self._told = on_notification
        options = {"client": "pointsman", "clientVersion": VERSION, "windowId": window, "remote": remote}
        self.call(
            "initialize",
            {
                "processId": os.getpid(),
                "capabilities": {},
                "rootUri": Path(folder).as_uri() if folder else None,
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

    def call(
        self,
        method: str,
        params: Any = None,
        on_notification: OnNotification | None = None,
        *,
        cancellable: bool = False,
    ) -> Any:
        """Sends a request and waits for its result; what the daemon says meanwhile goes to `on_notification`.

        If `cancellable`, the first Ctrl-C cancels the request, whose result is still waited for; the second leaves.
        Raises CallFailed.
        """
        number = self._ask(method, params)
        with self._cancelled_by_interrupt(number) if cancellable else nullcontext():
            result = self._answers({number}, on_notification or self._told)[number]
        if isinstance(result, CallFailed):
            raise result
        return result

    def call_all(self, calls: Sequence[tuple[str, Any]]) -> list[Any]:
        """Sends several requests at once; gives each one's result, or its CallFailed, in their order."""
        numbers = [self._ask(method, params) for method, params in calls]
        found = self._answers(set(numbers), self._told)
        return [found[number] for number in numbers]

    def listen(self, within: float) -> None:
        """Hears the next that the daemon tells, if it does so within that many seconds."""
        if not self._arrived and not select.select([self._socket], [], [], max(within, 0.0))[0]:
            return
        message = self._next()
        if "method" in message and self._told:
            self._told(message["method"], message.get("params"))

    def _ask(self, method: str, params: Any) -> int:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        return self._number

    def _answers(self, numbers: set[int], on_notification: OnNotification | None) -> dict[int, Any]:
        found: dict[int, Any] = {}
        while numbers - found.keys():
            message = self._next()
            number = message.get("id")
            if "method" in message:
                if on_notification:
                    on_notification(message["method"], message.get("params"))
            elif "error" in message and number is None:
                raise CallFailed(message["error"]["data"])  # a request that could not even be read
            elif isinstance(number, int):
                found[number] = CallFailed(message["error"]["data"]) if "error" in message else message["result"]
        return found

    @contextmanager
    def _cancelled_by_interrupt(self, number: int) -> Iterator[None]:
        before = signal.getsignal(signal.SIGINT)
        if before in (signal.SIG_IGN, None):  # whoever started us wants no interrupts here
            yield
            return

        def cancel(_signal: int, _frame: object) -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._send({"method": "$/cancelRequest", "params": {"id": number}})

        signal.signal(signal.SIGINT, cancel)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _send(self, message: dict[str, Any]) -> None:
        body = msgspec.json.encode({"jsonrpc": "2.0", **message})
        try:
            self._socket.sendall(frame(body))
        except ConnectionError:
            raise _gone() from None

    def _next(self) -> dict[str, Any]:
        while not self._arrived:
            try:
                data = self._socket.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                raise _gone()
            self._arrived = [msgspec.json.decode(body) for body in self._framer.feed(data) if isinstance(body, bytes)]
        return self._arrived.pop(0)


def current_folder() -> str | None:
    """Where we are, as a real path; None when that folder has been removed."""
    try:
        return str(Path.cwd())
    except OSError:
        return None


def _gone() -> EndpointError:
    return EndpointError(
        "DaemonUnreachable", "The daemon went away in the middle of it.", "Run the command again; a new daemon starts."
    )
