"""A client of the tests' own: it frames and reads by itself, keeps what it hears, and waits for what it wants to hear.

Must never use the code that it tests, and never waits without a bound.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
import uuid
from asyncio.subprocess import Process
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

WITHIN = 10.0
"""Seconds that a test waits for what should come at once."""
SHOWN = 20
"""Messages that a failure shows."""

Message = dict[str, Any]
Found = TypeVar("Found")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Refused(Exception):
    """The daemon has answered a request with an error: its JSON-RPC `number`, our `code`, and all of `data`."""

    def __init__(self, error: Message) -> None:
        super().__init__(f"{error['code']} {error['message']} {error.get('data')}")
        self.number: int = error["code"]
        self.message: str = error["message"]
        self.data: Message = error.get("data") or {}
        self.code: str | None = self.data.get("code")


def frame(body: bytes) -> bytes:
    """A body with its head."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def request(id: object, method: str, params: object = None) -> bytes:
    """A framed request."""
    return frame(_encode({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))


class Editor:
    """One connection. `replies` are by id, each in the order of arrival; `events` by chat, with their numbers.

    `times` says for each message when its last byte had come (monotonic).
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, process: Process | None = None
    ) -> None:
        self.process = process
        self.server: Message = {}
        self.heard: list[Message] = []
        self.times: list[float] = []
        self.replies: defaultdict[object, list[Message]] = defaultdict(list)
        self.events: defaultdict[str, list[tuple[int, Message]]] = defaultdict(list)
        self.ended = False
        self.stderr = ""
        self._reader, self._writer = reader, writer
        self._numbers = itertools.count(1)
        self._news = asyncio.Event()
        self._reading = asyncio.get_running_loop().create_task(self._read())

    # What it says.

    def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self._writer.write(data)

    async def drained(self, within: float = WITHIN) -> None:
        """Waits until all has been sent but what fits into a buffer."""
        await asyncio.wait_for(self._writer.drain(), within)

    def begin(self, method: str, params: object = None, id: object = None) -> Request:
        """Sends a request and does not wait."""
        number = next(self._numbers) if id is None else id
        self.send(request(number, method, params))
        return Request(self, number)

    async def call(self, method: str, params: object = None, within: float = WITHIN) -> Any:
        """Sends a request and gives its result; raises Refused."""
        return await self.begin(method, params).answer(within)

    def notify(self, method: str, params: object = None) -> None:
        """Sends a notification."""
        self.send(frame(_encode({"jsonrpc": "2.0", "method": method, "params": params})))

    def answer(self, id: object, result: object) -> None:
        """Answers a request of the daemon."""
        self.send(frame(_encode({"jsonrpc": "2.0", "id": id, "result": result})))

    async def initialize(
        self,
        *,
        window: str | None = None,
        client: str = "tests",
        workspace: Path | None = None,
        capabilities: Mapping[str, object] | None = None,
        stock: bool = False,
    ) -> Message:
        """Introduces itself. A `stock` client says nothing of Pointsman."""
        options = {"pointsman": {"client": client, "clientVersion": "1.0", "windowId": window}}
        params = {
            "processId": os.getpid(),
            "clientInfo": {"name": client, "version": "1.0"},
            "capabilities": capabilities or {},
            "workspaceFolders": [{"uri": workspace.as_uri(), "name": workspace.name}] if workspace else None,
            "rootUri": None,
            "initializationOptions": None if stock else options,
        }
        self.server = await self.call("initialize", params, within=30)
        self.notify("initialized", {})
        return self.server

    @property
    def window(self) -> str:
        """The window that the daemon has given it."""
        window: str = self.server["capabilities"]["experimental"]["pointsman"]["windowId"]
        return window

    # Chats.

    def chat(self, model: str | None, text: str = "count", **more: Any) -> Chat:
        """Begins a chat."""
        id = str(more.pop("chatId", None) or uuid.uuid4())
        params = {"chatId": id, "messages": [{"role": "user", "content": text}], "model": model, **more}
        return Chat(self, self.begin("pointsman/chat", params).id, id)

    def attach(self, chat_id: str, after: int = -1) -> Chat:
        """Follows a chat."""
        return Chat(self, self.begin("pointsman/attachChat", {"chatId": chat_id, "after": after}).id, chat_id)

    # What it hears.

    async def until(self, find: Callable[[], Found | None], within: float = WITHIN) -> Found:
        """Waits for news until `find` finds something in it. Raises ConnectionError once nothing more can come."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while not (found := find()):
            if self.ended:
                raise ConnectionError(f"The connection has ended. {self._told()}")
            news = self._news
            try:
                await asyncio.wait_for(news.wait(), deadline - loop.time())
            except TimeoutError:
                raise TimeoutError(f"It did not come within {within:g} s. {self._told()}") from None
        return found

    def notifications(self, method: str) -> list[Message]:
        """The parameters of what it was told or asked under that name."""
        return [message["params"] for message in self.heard if message.get("method") == method]

    def forget(self) -> None:
        """Forgets all that it was told so far."""
        self.heard.clear()
        self.times.clear()

    async def told(
        self, method: str, fits: Callable[[Message], object] = lambda _: True, within: float = WITHIN
    ) -> Message:
        """The first notification of that name that fits, as soon as it is there: its parameters."""
        return await self.until(lambda: next((p for p in self.notifications(method) if fits(p)), None), within)

    async def asked(self, method: str, within: float = WITHIN) -> Message:
        """The first request of the daemon under that name, whole."""
        return await self.until(lambda: next((m for m in self.heard if m.get("method") == method), None), within)

    async def hung_up(self, within: float = WITHIN) -> None:
        """Waits until the other side has ended the connection."""
        await self.until(lambda: self.ended, within)

    async def status(self, fits: Callable[[Message], object] = lambda _: True, within: float = WITHIN) -> Message:
        """The daemon's status, as soon as it fits."""
        async with asyncio.timeout(within):
            while not fits(status := await self.call("pointsman/status")):
                pass
        return status  # type: ignore[no-any-return]

    def stop_reading(self) -> None:
        """From now on it takes nothing any more."""
        self._reading.cancel()

    # Its end.

    def say_no_more(self) -> None:
        """Closes its side, and still listens."""
        self._writer.write_eof()

    async def kill(self) -> None:
        """Ends at once and without a word, as if it had crashed."""
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading
        if self.process is None:
            self._writer.transport.abort()
        else:
            await self._kill(self.process)
        self._end()

    async def _kill(self, process: Process) -> None:
        with suppress(ProcessLookupError):
            process.kill()
        assert process.stderr
        self.stderr += (await process.stderr.read()).decode()
        while await self._reader.read(1 << 16):  # else the pipe would stay open
            pass
        await process.wait()
        self._writer.close()

    async def _read(self) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await self._reader.readuntil(b"\r\n\r\n")
                name, _, length = head.partition(b":")
                assert name == b"Content-Length"
                body = await self._reader.readexactly(int(length))
                at = time.monotonic()
                self._take(_decode(body), at)
        self._end()

    def _take(self, message: Message, at: float) -> None:
        self.heard.append(message)
        self.times.append(at)
        if "method" not in message:
            self.replies[message["id"]].append(message)
        elif message["method"] == "pointsman/chatEvents":
            params = message["params"]
            self.events[params["chatId"]] += enumerate(params["events"], params["from"])
        self._wake()

    def _end(self) -> None:
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _told(self) -> str:
        last = "\n".join(str(message)[:300] for message in self.heard[-SHOWN:])
        return f"stderr: {self.stderr!r}; the last of {len(self.heard)} messages:\n{last}"


class Request:
    """A request that waits for its answer, or has it."""

    def __init__(self, editor: Editor, id: object) -> None:
        self.editor, self.id = editor, id

    async def answer(self, within: float = WITHIN) -> Any:
        """The result. Raises Refused."""
        (reply,) = await self.editor.until(lambda: self.editor.replies.get(self.id), within)
        if "error" in reply:
            raise Refused(reply["error"])
        return reply["result"]

    def cancel(self) -> float:
        """Cancels it the way of LSP; gives the time of that, by `time.monotonic`."""
        self.editor.notify("$/cancelRequest", {"id": self.id})
        return time.monotonic()


class Chat(Request):
    """A chat that an editor follows, as it sees it."""

    def __init__(self, editor: Editor, id: object, chat_id: str) -> None:
        super().__init__(editor, id)
        self.chat_id = chat_id

    @property
    def numbers(self) -> list[int]:
        """The numbers of the events that have come, in the order of their arrival."""
        return [number for number, _ in self.editor.events[self.chat_id]]

    def all(self, kind: str) -> list[Message]:
        """The events of one kind that have come."""
        return [event for _, event in self.editor.events[self.chat_id] if event["type"] == kind]

    @property
    def text(self) -> str:
        """What the model has said."""
        return "".join(event["text"] for event in self.all("text"))

    async def seen(self, kind: str, count: int = 1, within: float = WITHIN) -> Message:
        """The event of that kind with that count, as soon as it is there."""
        return (await self.editor.until(lambda: self.all(kind)[count - 1 :], within))[0]


def text_of(result: Message) -> str:
    """The text of a chat's result."""
    return "".join(part["text"] for part in result["message"]["content"] if part["type"] == "text")
