"""One connection: frames in, exactly one reply for each request out, and everything that is told to this client.

Must never know what a method does. A rude client costs itself, never another: whatever it sends, the daemon lives.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from pointsman.core.environment import Environment
from pointsman.core.errors import UNREADABLE, PointsmanError, ShuttingDown, TooManyRequests
from pointsman.endpoint import PROTOCOL, VERSION, EndpointError, skew
from pointsman.rpc import commands, replies
from pointsman.rpc.framing import Framer, TooLarge, frame
from pointsman.rpc.identity import identify
from pointsman.rpc.language import Language
from pointsman.rpc.methods import METHODS, NOTIFICATIONS
from pointsman.rpc.open_request import OpenRequest
from pointsman.rpc.replies import Envelope, Problem
from pointsman.rpc.table import Call
from pointsman.rpc.types import HelloParams, HelloResult, ServerOptions
from pointsman.service.app import App
from pointsman.service.catalogues import Problems
from pointsman.service.chats import Chat
from pointsman.service.clients import Client
from pointsman.service.tasks import Tasks
from pointsman.service.trials import SessionsChanged

log = logging.getLogger(__name__)

HELLO = "pointsman/hello"
MOST_OPEN = 1000
"""Requests that one connection may have open."""
OUTPUT_BOUND = 256 * 1024
"""Bytes that may wait for a client before the daemon stops reading from it."""
PATIENCE = 30.0
"""Seconds that output may stay above its bound before the connection is closed."""
GREETING = 10.0
"""Seconds that a new connection has to say hello."""
LAST_WORDS = 5.0
"""Seconds that open requests have to be answered after the client has said that it will send no more."""


class Session(asyncio.Protocol):
    """A connection from its `hello` to its end.

    `admit` looks at the peer first, and raises for one that is not ours.
    """

    def __init__(self, app: App, admit: Callable[[Any], None]) -> None:
        self._app, self._admit = app, admit
        self._framer = Framer()
        self._open: dict[OpenRequest, None] = {}
        self._tasks = Tasks()
        self.followed: set[str] = set()
        self._language = Language(self._send, self._opened)
        self._client: Client | None = None
        self._stage = "new"  # new → greeted → initialized → shutdown
        self._writable = asyncio.Event()
        self._writable.set()
        self._stuck: asyncio.TimerHandle | None = None

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer has connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=OUTPUT_BOUND)
        try:
            self._admit(transport.get_extra_info("socket"))
        except EndpointError as error:
            log.warning("a connection was refused: %s", error)
            transport.abort()
        self._silent = asyncio.get_running_loop().call_later(GREETING, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        for body in self._framer.feed(data):
            if self._transport.is_closing():
                return
            if isinstance(body, TooLarge):
                self.reply_error(None, replies.too_large(body.size))
            else:
                self._receive_safely(body)
        if self._framer.broken:
            log.warning("a connection was closed: %s", self._framer.broken, extra=self._log_fields)
            self.hang_up()

    def eof_received(self) -> bool:
        """The client will send no more. Chats end as if it had gone; what else is open may still be answered."""
        for open in list(self._open):
            if open.follows:
                open.task.cancel()
        self._tasks.spawn(self._close_after_last_words(), "last words")
        return True

    def pause_writing(self) -> None:
        """More waits for the client than the bound: it is heard again when it has caught up, or given up."""
        self._writable.clear()
        self._transport.pause_reading()
        self._stuck = asyncio.get_running_loop().call_later(PATIENCE, self._give_up)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._writable.set()
        if self._stuck:
            self._stuck.cancel()
            self._stuck = None
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection has ended: its requests end, and its chats live on as long as they were asked to."""
        self._writable.set()
        self._silent.cancel()
        if self._stuck:
            self._stuck.cancel()
        self._tasks.cancel()
        if self._client is not None:
            log.info("disconnected", extra=self._log_fields)
            self._app.clients.leave(self._client)

    # Messages in.

    def _receive_safely(self, body: bytes) -> None:
        try:
            self._receive(body)
        except Exception as mistake:
            log.exception("a message failed for a reason of our own", extra=self._log_fields)
            id, _ = replies.salvage(body, mistake)
            self.reply_error(id, replies.internal())

    def _receive(self, body: bytes) -> None:
        try:
            message = replies.ENVELOPE.decode(body)
        except UNREADABLE as error:
            self.reply_error(*replies.salvage(body, error))
            return
        if message.method is msgspec.UNSET:
            self._receive_response(message, body)
        elif message.id is msgspec.UNSET:
            self._receive_notification(message.method, message, body)
        elif problem := self._out_of_order(message.method):
            self.reply_error(message.id, problem)
            if self._stage == "new":
                self.hang_up()
        else:
            self._receive_request(message.id, message.method, message, body)

    def _receive_request(self, id: replies.Id, name: str, message: Envelope, body: bytes) -> None:
        if name == HELLO:
            self._greet(id, message.params)
        elif name in METHODS:
            self._begin(id, METHODS[name].call, METHODS[name].decode, message.params)
        elif name == "workspace/executeCommand":
            self._begin(id, self._execute, commands.decode, message.params)
        elif not self._language.knows(name):
            self.reply_error(id, replies.unknown_method(name, METHODS))
        elif problem := self._to_language(body):
            self.reply_error(id, replies.invalid_params(problem))
        elif name == "shutdown":
            self._stage = "shutdown"

    def _receive_notification(self, name: str, message: Envelope, body: bytes) -> None:
        if name == "exit":
            self.hang_up()
        elif name == "$/cancelRequest":
            id = replies.cancelled_id(message.params)
            for open in [open for open in self._open if open.id == id]:
                open.cancel()
        elif self._stage == "initialized":
            if name == "initialized":
                self._welcome()
            if problem := self._to_language(body):
                log.info("a notification was passed over: %s", problem, extra=self._log_fields)

    def _receive_response(self, message: Envelope, body: bytes) -> None:
        if message.result is msgspec.UNSET and message.error is msgspec.UNSET:
            id = None if message.id is msgspec.UNSET else message.id
            self.reply_error(id, replies.invalid_request("It has neither a method nor a result."))
        else:
            self._to_language(body)

    def _to_language(self, body: bytes) -> str | None:
        try:
            message = msgspec.json.decode(body)
            if "method" in message:  # pygls would take it for a response, and the request would get none
                message = {name: value for name, value in message.items() if name not in {"result", "error"}}
            return self._language.receive(message)
        except UNREADABLE as error:
            return f"The message can't be read: {error}."

    def _out_of_order(self, name: str) -> Problem | None:
        """What is wrong with a request that comes at the wrong time."""
        match self._stage:
            case "new" if name != HELLO:
                return replies.not_greeted()
            case "greeted" if name not in {"initialize", HELLO}:
                return replies.not_initialized()
            case "greeted" | "initialized" if name == HELLO:
                return replies.invalid_request("This connection has been greeted already.")
            case "initialized" if name == "initialize":
                return replies.invalid_request("This connection has been initialized already.")
            case "shutdown":
                return replies.invalid_request("This connection has been shut down; only `exit` may follow.")
            case _:
                return None

    def _greet(self, id: replies.Id, params: bytes) -> None:
        if self._app.draining:
            self.reply_error(id, replies.problem_of(ShuttingDown("The daemon is shutting down.")))
            self.hang_up()
            return
        try:
            hello = msgspec.json.decode(params, type=HelloParams)
        except UNREADABLE as error:
            self.reply_error(id, replies.invalid_params(str(error)))
            self.hang_up()
            return
        self._client = self._app.clients.join(hello.version, hello.cwd, Environment(hello.environment), self)
        self._stage = "greeted"
        self._silent.cancel()
        self.reply(id, HelloResult(VERSION, PROTOCOL, os.getpid()))

    def _opened(self, params: Any) -> tuple[list[str], ServerOptions]:
        assert self._client is not None
        taken = not identify(self._app.clients, self._client, params)
        self._app.arrived(self._client)
        self._stage, self._client.ready = "initialized", True
        log.info("connected", extra=self._log_fields)
        announced = [] if self._client.ours else list(commands.NAMES)
        return announced, ServerOptions(VERSION, PROTOCOL, self._client.window or "", taken)

    def _welcome(self) -> None:
        """What a client should know from the start: a daemon of another version, lost state, wrong configuration."""
        assert self._client is not None
        if words := skew(client=self._client.version, daemon=VERSION):
            self._language.show(words, warning=True)
        for text in self._app.remarks(self._client):
            self._language.show(text, warning=True)
        self._app.look_again()
        for problems in self._app.problems(self._client):
            self.tell(problems)

    # Requests.

    def _begin(self, id: replies.Id, call: Call, decode: Callable[[bytes], Any], params: bytes) -> None:
        if len(self._open) >= MOST_OPEN:
            error = TooManyRequests(f"This connection has {MOST_OPEN} requests open.")
            self.reply_error(id, replies.problem_of(error))
            return
        try:
            decoded = decode(b"{}" if bytes(params) in {b"", b"null"} else params)
        except UNREADABLE as error:
            self.reply_error(id, replies.invalid_params(str(error)))
            return
        assert self._client is not None
        open = OpenRequest(self, self._app, self._client, id)
        self._open[open] = None
        open.task = self._tasks.spawn(self._answer(open, call, decoded), "request")
        open.task.add_done_callback(lambda _: self._ended(open))

    async def _answer(self, open: OpenRequest, call: Call, params: Any) -> None:
        open.begun = True
        try:
            result = await call(open, params)
            while not self._writable.is_set():  # one by one: a thousand long answers would not fit into the memory
                await self.drained()
            open.reply(result)
        except PointsmanError as error:
            open.refuse(replies.problem_of(error))
        except replies.Refused as error:
            open.refuse(error.problem)
        except Exception:
            log.exception("a request failed for a reason of our own", extra=self._log_fields)
            open.refuse(replies.internal())

    def _ended(self, open: OpenRequest) -> None:
        """Answers a request that was cancelled, even one that was cancelled before it began."""
        del self._open[open]
        del open.task  # a cancelled one refers back through its traceback, and keeps a whole chat alive
        open.refuse(replies.cancelled())

    async def _execute(self, open: OpenRequest, given: commands.ExecuteCommandParams) -> Any:
        return await commands.run(open, given, self._language, self._tasks)

    async def _close_after_last_words(self) -> None:
        waiting = [open.task for open in self._open]
        if waiting:
            await asyncio.wait(waiting, timeout=LAST_WORDS)
        self.hang_up()

    def _give_up(self) -> None:
        log.warning("a client has not read for %g seconds; its connection was closed", PATIENCE, extra=self._log_fields)
        self._transport.abort()

    # Messages out.

    def write_events(self, chat: Chat, first: int, events: Sequence[bytes]) -> None:
        """Sends events that were encoded when they were logged: once for all who watch."""
        id = msgspec.json.encode(chat.id)
        self._send(b'%b{"chatId":%b,"from":%d,"events":[%b]}}' % (_EVENTS_HEAD, id, first, b",".join(events)))

    def reply(self, id: replies.Id, result: Any) -> None:
        """Answers a request."""
        self._send(replies.result(id, result))

    def reply_error(self, id: replies.Id, problem: Problem) -> None:
        """Answers a request, or what could not be read as one, with an error."""
        self._send(replies.error(id, problem))

    async def drained(self) -> None:
        """Returns when the client has room for more."""
        await self._writable.wait()

    def hang_up(self) -> None:
        """Closes the connection once all has been sent; a client that does not read is not waited for long."""
        self._transport.close()
        if self._stuck is None:
            self._stuck = asyncio.get_running_loop().call_later(PATIENCE, self._transport.abort)

    def tell(self, notification: Any) -> None:
        """Sends a notification. What is wrong with a file is shown where the file is open, too."""
        if isinstance(notification, Problems):
            self._tell_problems(notification)
            return
        self._send(replies.notification(NOTIFICATIONS[type(notification)], notification))
        if isinstance(notification, SessionsChanged) and (ended := notification.ended):
            self._language.show(ended.message)

    def show(self, text: str, *, warning: bool = False) -> None:
        """Shows a message to the person at the editor."""
        if not self._transport.is_closing():
            self._language.show(text, warning=warning)

    async def ask(self, text: str, choices: Sequence[str]) -> str | None:
        """Asks the person to pick one; None when they pick nothing. Raises LookupError where that can't be asked."""
        return await self._tasks.spawn(self._language.ask(text, choices), "question")  # type: ignore[no-any-return]

    async def open_page(self, url: str) -> bool:
        """Opens a page in the person's browser; says whether that could be done."""
        return await self._tasks.spawn(self._language.open_page(url), "page")  # type: ignore[no-any-return]

    def _tell_problems(self, found: Problems) -> None:
        assert self._client is not None
        self._language.diagnose(found.file, found.problems)
        for problem in found.problems:
            if self._client.ours:
                self.tell(problem)
            else:
                line = f" line {problem.line}" if problem.line else ""
                self._language.show(f"{problem.file}{line}: {problem.message} {problem.hint}", warning=True)

    def _send(self, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(frame(body))

    @property
    def _log_fields(self) -> dict[str, object]:
        return {"client": self._client.name, "connection": self._client.number} if self._client else {}


_EVENTS_HEAD = b'{"jsonrpc":"2.0","method":"pointsman/chatEvents","params":'
