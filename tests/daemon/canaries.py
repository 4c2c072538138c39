"""Canaries: keys that exist nowhere else, from every source that a key can have, and the search for where they went.

A new source is one entry of `SOURCES`. What may hold a canary is listed here, with the reason, and nowhere else.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor
from tests.living import Home

BEARER = 'auth = {{ scheme = "bearer", env = "{NAME}_SOME_VARIABLE" }}'


@dataclass(frozen=True)
class Source:
    """One way in. `table` is what the provider's table says, `variables` are those of the connection, `file` is the
    content of a file of the user's, `prepare` is done once by an editor; `with_chat` and `with_test` go along.

    In all of them `{KEY}` is the canary, `{NAME}` the provider's name in capitals, `{FILE}` the path of the file.
    `may_stand` says in which files of the user's own it may be read, because the user has written it there.
    """

    table: str = BEARER
    variables: Mapping[str, str] = field(default_factory=dict)
    file: str | None = None
    prepare: Callable[[Editor, str, str], Awaitable[object]] | None = None
    with_chat: Mapping[str, Any] = field(default_factory=dict)
    with_test: Mapping[str, Any] = field(default_factory=dict)
    may_stand: tuple[str, ...] = ()


async def store(editor: Editor, provider: str, key: str) -> None:
    """Puts a key into the vault, and a second one that is replaced and removed."""
    for label, test in (("first", True), ("gone", False), ("first", False)):
        with suppress(Exception):
            await editor.call("pointsman/setKey", {"provider": provider, "key": key, "label": label, "test": test})
    await editor.call("pointsman/removeKey", {"provider": provider, "label": "gone"})


async def try_for_a_while(editor: Editor, provider: str, key: str) -> None:
    """Begins a temporary session, and activates it."""
    made = await editor.call("pointsman/createSession", {"provider": provider, "credentials": key, "minutes": 5})
    await editor.call("pointsman/activateSession", {"token": made["token"], "scope": "global"})


USERS_FILE = "pointsman.toml"
SOURCES: dict[str, Source] = {
    "variable": Source(variables={"{NAME}_SOME_VARIABLE": "{KEY}"}),
    "numbered": Source(variables={"{NAME}_SOME_VARIABLE_1": "{KEY}"}),
    "named": Source('keys = ["env:{NAME}_VAR"]', variables={"{NAME}_VAR": "{KEY}"}),
    "plain": Source('keys = ["{KEY}"]', may_stand=(USERS_FILE,)),
    "short": Source('api_key = "{KEY}"', may_stand=(USERS_FILE,)),
    "own-header": Source(
        'auth = {{ scheme = "header", header = "x-mine", env = "{NAME}_VAR" }}', variables={"{NAME}_VAR": "{KEY}"}
    ),
    "file": Source('keys = ["file:{FILE}"]', file="{KEY}\n", may_stand=("file.key",)),
    "command": Source('keys = [{{ command = ["cat", "{FILE}"] }}]', file="{KEY}\n", may_stand=("command.key",)),
    "failing-command": Source(
        'keys = [{{ command = ["sh", "-c", "cat {FILE} >&2; exit 3"] }}]',
        file="{KEY}\n",
        may_stand=("failing-command.key",),
    ),
    "stored": Source(prepare=store),
    "session": Source(prepare=try_for_a_while),
    "chat": Source(with_chat={"credentials": {"chat": "{KEY}"}}),
    "passthrough": Source('auth = {{ scheme = "passthrough" }}', with_chat={"credentials": {"passthrough": "{KEY}"}}),
    "typed": Source(with_test={"key": "{KEY}"}),
    "header": Source('headers = {{ "X-Corp" = "{KEY}" }}\nauth = {{ scheme = "none" }}', may_stand=(USERS_FILE,)),
    "bearer-header": Source(
        'headers = {{ Authorization = "Bearer {KEY}" }}\nauth = {{ scheme = "none" }}', may_stand=(USERS_FILE,)
    ),
    "variable-header": Source('auth = {{ scheme = "none" }}', variables={"{NAME}_CUSTOM_HEADER_X_CORP": "{KEY}"}),
    "proxy": Source('proxy = "http://me:{KEY}@127.0.0.1:1"\nauth = {{ scheme = "none" }}', may_stand=(USERS_FILE,)),
    "plugin": Source('auth = {{ scheme = "leaky", env = "{NAME}_VAR" }}', variables={"{NAME}_VAR": "{KEY}"}),
}


@dataclass
class Canary:
    """One key of one source. Its end is looked for as well: masks show eight characters of its beginning."""

    name: str
    source: Source
    folder: Path
    key: str = ""

    def __post_init__(self) -> None:
        self.key = self.key or f"canary-{self.name}-{secrets.token_hex(12)}"

    @property
    def traces(self) -> list[bytes]:
        """What would give it away."""
        whole = [self.key, quote(self.key, safe=""), json.dumps(self.key)[1:-1], self.key[-12:]]
        packed = [b64encode(self.key.encode()).rstrip(b"=").decode(), b64encode(f"me:{self.key}".encode()).decode()]
        return [text.encode() for text in dict.fromkeys(whole + packed)]

    def fill(self, what: Any) -> Any:
        """A value with this canary in it."""
        if isinstance(what, Mapping):
            return {self.fill(name): self.fill(value) for name, value in what.items()}
        name = self.name.upper().replace("-", "_")
        return what.format(KEY=self.key, NAME=name, FILE=self.file) if isinstance(what, str) else what

    @property
    def file(self) -> Path:
        """The user's file with it, for a source that has one."""
        return self.folder / f"{self.name}.key"

    def definition(self, base_url: str) -> str:
        """Its provider, for pointsman.toml."""
        place = f"{base_url.removesuffix('/v1')}/{self.name}"
        return f'[providers.{self.name}]\nbase_url = "{place}"\nmax_retries = 0\n{self.fill(self.source.table)}\n'

    def put_in_place(self) -> None:
        """Writes the user's file."""
        if self.source.file is not None:
            self.file.touch(0o600)
            self.file.write_text(self.fill(self.source.file))


def canaries(folder: Path) -> list[Canary]:
    """One of each source."""
    return [Canary(name, source, folder) for name, source in SOURCES.items()]


def answers(key: str) -> list[Reply]:
    """What a provider may answer that has seen a key, and says so in every way; the last one stays."""
    quoting = f"Incorrect API key provided: {key}. You can find your API key at https://example.test."
    stream = {"content-type": "text/event-stream"}

    def told(message: str) -> bytes:
        return json.dumps({"error": {"message": message, "type": "t", "code": None, "param": {"key": key}}}).encode()

    piece = b'data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n'
    return [
        Reply(told(quoting), 401, {"x-echo": key, "www-authenticate": f'Bearer error="{key}"'}),
        Reply(told("é" * (500 - len(key) // 2) + key), 401),  # where it is cut
        Reply(told(f"Slow down, {key}"), 429, {"retry-after": "0"}),
        Reply(f"<html><title>500</title><p>{quoting}</p></html>".encode(), 500, {"content-type": "text/html"}),
        Reply(f"{quoting}".encode(), 503, {"content-type": "text/plain"}),
        Reply(told(f"No model; {key}"), 404),
        Reply(b"", 307, {"location": f"https://elsewhere.test/v1?key={key}"}),
        Reply(told(f"bad {{'authorization': 'Bearer {key}'}}"), 400),
        Reply(told(f"bad /v1/{key.replace('-', '%2D')} and {key.replace('-', '%252d')}"), 400),
        Reply(told(f"bad {b64encode(key.encode()).decode()}, Basic {b64encode(f'me:{key}'.encode()).decode()}"), 400),
        Reply(piece + f'data: {{"{key}": nonsense\n\n'.encode(), 200, stream),
        Reply(
            piece + b'data: {"error": ' + json.dumps({"message": quoting, "code": 401}).encode() + b"}\n\n", 200, stream
        ),
        Reply(piece + f": {key}\n\n".encode(), 200, stream, cut=len(piece) + 8),
        Reply(f"{key} is not packed".encode(), 200, {"content-encoding": "gzip"}),
        Reply(f'{{"{key}": [1, 2'.encode(), 200),
        Reply(piece + b"data: [DONE]\n\n", 200, stream),
    ]


def script(upstream: Upstream, canary: Canary) -> int:
    """Lets the provider of a canary answer in every way; gives how many there are."""
    moved = {"location": f"https://elsewhere.test/v1/{canary.key.replace('-', '%2D')}/models"}
    scripted = [Reply(b"", 307, moved), *answers(canary.key)]
    upstream.script(f"/{canary.name}/chat/completions", *scripted)
    listed = Reply(json.dumps({"data": [{"id": "m"}, {"id": canary.key}, {"id": f"of/{canary.key}"}]}).encode())
    upstream.script(f"/{canary.name}/models", listed, *[reply for reply in scripted if reply.cut is None], listed)
    return len(scripted)


def unasked(folder: Path, keys: Mapping[str, str], *may_stand: str) -> list[Canary]:
    """Canaries that no provider is asked with: what seals, and what others have issued."""
    return [Canary(name, Source(may_stand=may_stand), folder, key) for name, key in keys.items()]


# The search


@contextmanager
def watching(home: Home) -> Iterator[dict[str, bytes]]:
    """All command lines of the machine, and the environments of this home's processes, as they are seen meanwhile."""
    seen: dict[str, bytes] = {}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            for process in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    command = (process / "cmdline").read_bytes()
                    seen[f"the command line of {process.name}: {command[:60]!r}"] = command
                    if b"daemon" in command and int(process.name) != os.getpid():
                        seen[f"the environment of {process.name}"] = (process / "environ").read_bytes()

    thread = threading.Thread(target=watch, name="watch")
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def files(home: Home) -> dict[str, bytes]:
    """Every file of a home."""
    found = [path for path in home.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path.relative_to(home.folder)): path.read_bytes() for path in found}


def heard(*editors: Editor) -> dict[str, bytes]:
    """Every message that editors have received, and what their forwarders have said."""
    said = {
        f"message {number} of editor {which}: {str(message)[:80]}": json.dumps(message, ensure_ascii=False).encode()
        for which, editor in enumerate(editors)
        for number, message in enumerate(editor.heard)
    }
    return said | {f"stderr of editor {which}": editor.stderr.encode() for which, editor in enumerate(editors)}


def leaks(canaries: list[Canary], places: Mapping[str, bytes]) -> list[str]:
    """Where something of a canary stands, and must not."""
    everything = re.compile(b"|".join(re.escape(trace) for canary in canaries for trace in canary.traces))
    suspects = {where: content for where, content in places.items() if everything.search(content)}
    found = []
    for where, content in suspects.items():
        for canary in canaries:
            if canary.source.may_stand and (
                where.endswith(canary.source.may_stand) or where.startswith(canary.source.may_stand)
            ):
                continue
            for trace in canary.traces:
                if (at := content.find(trace)) >= 0:
                    around = content[max(0, at - 80) : at + len(trace) + 40]
                    found.append(f"{canary.name} in {where}: …{around!r}…")
                    break
    return found
