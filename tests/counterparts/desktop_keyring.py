"""The fixtures `desktop_keyring` and `desktop`: a desktop's keyring (a Secret Service) on a D-Bus of its own.

It speaks as much of both as libsecret's clients need: https://specifications.freedesktop.org/secret-service/latest/ and
https://dbus.freedesktop.org/doc/dbus-specification.html. Its owner is a test: locks it, unlocks it, dismisses a prompt
or leaves it unanswered.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest
from jeepney import HeaderFields, Message, MessageType, new_error, new_method_return, new_signal
from jeepney.low_level import Parser
from jeepney.wrappers import DBusAddress

LEAVES_ITS_SOCKET = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
"""To Python, where it finds the collection locked: keyring's own backend does, so such tests are marked."""
State = Literal["unlocked", "locked", "silent"]
SERVICE = "org.freedesktop.secrets"
ROOT = "/org/freedesktop/secrets"
PROMPT = f"{ROOT}/prompt/1"
Answer = tuple[str, tuple[Any, ...]]


class DesktopKeyring:
    """`items` are the secrets by their attributes. `locked` dismisses its prompt at once, `silent` leaves it open."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "bus"
        self.address = f"unix:path={self.socket}"
        self.state: State = "unlocked"
        self.items: dict[str, tuple[dict[str, str], bytes]] = {}
        self.asked = 0
        self.prompts = 0
        self._prompting: list[asyncio.StreamWriter] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._serials, self._numbers = itertools.count(1), itertools.count(1)
        self._server: asyncio.Server | None = None
        self._methods: dict[str, Callable[[Message], Answer | None]] = {
            "Hello": lambda _: ("s", (":1.1",)),
            "AddMatch": lambda _: ("", ()),
            "NameHasOwner": lambda message: ("b", (message.body[0] == SERVICE,)),
            "Get": lambda message: ("v", (self._property(message),)),
            "Unlock": self._unlock,
            "Prompt": lambda _: ("", ()),
            "SearchItems": self._search,
            "CreateItem": self._create,
            "GetSecret": lambda message: ("(oayays)", ((ROOT, b"", self.items[_path(message)][1], "text/plain"),)),
            "Delete": self._delete,
        }

    async def start(self) -> None:
        """Listens."""
        self._server = await asyncio.start_unix_server(self._serve, self.socket)

    async def stop(self) -> None:
        """Ends, as when the person logs out."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None
            self.socket.unlink(missing_ok=True)

    def unlock(self) -> None:
        """The owner types the password, also into the prompts that are open."""
        self.state = "unlocked"
        for writer in self._prompting:
            self._complete(writer, dismissed=False)
        self._prompting.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            assert (await reader.readuntil(b"\r\n")).startswith(b"\0AUTH EXTERNAL ")
            writer.write(b"OK 0123456789abcdef0123456789abcdef\r\n")
            assert await reader.readuntil(b"\r\n") == b"BEGIN\r\n"
            parser = Parser()
            while data := await reader.read(65536):
                for message in parser.feed(data):
                    self._answer(message, writer)
        self._writers.discard(writer)
        writer.close()

    def _answer(self, message: Message, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        name = message.header.fields[HeaderFields.member]
        if name == "OpenSession" and message.body[0] != "plain":
            self._send(writer, new_error(message, "org.freedesktop.DBus.Error.NotSupported"))
        elif name == "OpenSession":
            self._send(writer, new_method_return(message, "vo", (("s", ""), ROOT)))
        else:
            signature, body = self._methods[name](message) or ("", ())
            self._send(writer, new_method_return(message, signature, body))
        if name == "Prompt":
            self.prompts += 1
            if self.state == "silent":
                self._prompting.append(writer)
            else:
                self._complete(writer, dismissed=True)

    def _complete(self, writer: asyncio.StreamWriter, *, dismissed: bool) -> None:
        prompt = DBusAddress(PROMPT, SERVICE, "org.freedesktop.Secret.Prompt")
        self._send(writer, new_signal(prompt, "Completed", "bv", (dismissed, ("ao", []))))

    def _send(self, writer: asyncio.StreamWriter, message: Message) -> None:
        if message.header.message_type is not MessageType.signal:
            message.header.fields[HeaderFields.sender] = SERVICE
        writer.write(message.serialise(serial=next(self._serials)))

    def _property(self, message: Message) -> tuple[str, object]:
        return ("b", self.state != "unlocked") if message.body[1] == "Locked" else ("s", "of a test")

    def _unlock(self, message: Message) -> Answer:
        return "aoo", ((message.body[0], "/") if self.state == "unlocked" else ([], PROMPT))

    def _search(self, message: Message) -> Answer:
        wanted = message.body[0].items()
        return "ao", ([path for path, (attributes, _) in self.items.items() if wanted <= attributes.items()],)

    def _create(self, message: Message) -> Answer:
        properties, (_, _, secret, _), _ = message.body
        path = f"{ROOT}/item/{next(self._numbers)}"
        self.items[path] = (dict(properties["org.freedesktop.Secret.Item.Attributes"][1]), bytes(secret))
        return "oo", (path, "/")

    def _delete(self, message: Message) -> Answer:
        del self.items[_path(message)]
        return "o", ("/",)


def _path(message: Message) -> str:
    return str(message.header.fields[HeaderFields.path])


@pytest.fixture
async def desktop_keyring(tmp_path: Path) -> AsyncIterator[DesktopKeyring]:
    """An unlocked, empty keyring."""
    keyring = DesktopKeyring(tmp_path)
    await keyring.start()
    yield keyring
    await keyring.stop()


@pytest.fixture
def desktop(desktop_keyring: DesktopKeyring, monkeypatch: pytest.MonkeyPatch) -> Iterator[DesktopKeyring]:
    """The same, and this process finds it."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", desktop_keyring.address)
    yield desktop_keyring
    gc.collect()  # what keyring's backend has left is warned of with the test that is known to leave it
