"""Keys that are looked up when they are needed: in a file, or from a program that prints one.

Must never use the daemon's own environment or home: both are the connection's. Must never keep a key anywhere but in
memory, nor show what a program has printed.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, ClassVar, Protocol

from pointsman.core.catalogue import Provider
from pointsman.core.environment import Environment
from pointsman.core.errors import KeyUnreadable
from pointsman.core.http import Request
from pointsman.core.secret import Secret, hide_key_like
from pointsman.core.sources import FromCommand, FromFile, Looked
from pointsman.edge.authorise import with_key
from pointsman.edge.credential import Fetch
from pointsman.edge.files import Stamp, read_regular, stamp
from pointsman.edge.in_thread import InThread

LONGEST_KEY = 16 * 1024
"""Bytes of a key: those of a session may have thousands."""
MOST_SAID = 64 * 1024
"""Bytes of what a program prints that are read."""
LONGEST_LINE = 200
"""Characters of a program's complaint that are shown."""
WITHIN = 30.0
"""Seconds that a file or a program has: a person may have to unlock something."""
KEPT_FOR = 60.0
"""Seconds that what a program has printed is used again."""
LOOK_EVERY = 50
"""Milliseconds between two looks at whether a program has ended."""
JUST_NOW = 5.0
"""Seconds in which a key counts as fresh: when such a one is refused, running the program again would not help."""
OURS = "POINTSMAN_VAULT_KEY"
"""What no program of a user's configuration is shown."""
SECRET_NAME = re.compile("key|token|secret|passw", re.IGNORECASE)
"""Variables whose values are taken out of what a program complains of."""
AT_RANDOM = re.compile(r"(?<![\w/.])(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{16,}")
"""A long word of letters and digits: a program that fails may complain of the very key that it was to print."""


class LookedUp(Protocol):
    """A way to be known by a key that is looked up: a `Way`."""

    @property
    def account(self) -> str | None:
        """The mask of the key that was found last."""
        ...

    @property
    def secrets(self) -> Sequence[Secret]:
        """That key."""
        ...

    @property
    def signs(self) -> bool:
        """It does not: the key itself is sent."""
        ...

    async def authorise(self, request: Request, provider: Provider, fetch: Fetch) -> Request:
        """The request with the key. Raises KeyUnreadable."""
        ...

    async def key(self) -> Secret:
        """The key as it is now. Raises KeyUnreadable."""
        ...

    @property
    def trouble(self) -> str | None:
        """What is amiss with the source, although it may give a key."""
        ...

    def turned_down(self) -> bool:
        """The key was refused: gives whether looking it up anew may give another one."""
        ...


class _LookedUp:
    """What a file and a program have in common: a key that is found in a thread, once at a time."""

    signs: ClassVar[bool] = False

    def __init__(self) -> None:
        self._found: Secret | None = None
        self._lookup = InThread[Secret]()

    @property
    def account(self) -> str | None:
        return self._found.mask() if self._found else None

    @property
    def secrets(self) -> Sequence[Secret]:
        return (self._found,) if self._found else ()

    @property
    def trouble(self) -> str | None:
        return None

    async def authorise(self, request: Request, provider: Provider, fetch: Fetch) -> Request:
        return with_key(request, provider, await self.key())

    async def key(self) -> Secret:
        raise NotImplementedError


class KeyFile(_LookedUp):
    """A file that holds a key, read again when it has changed."""

    def __init__(self, path: str, home: str) -> None:
        super().__init__()
        self._path = _from_home(path, home)
        self._read_at: Stamp | None = None

    @property
    def distinct(self) -> str:
        """The file."""
        return self._path

    @property
    def trouble(self) -> str | None:
        """Whether others on this machine may read it."""
        with suppress(OSError, ValueError):
            if Path(self._path).stat().st_mode & 0o044:
                return f"Others on this machine may read {self._path}. Run `chmod 600 {self._path}`."
        return None

    async def key(self) -> Secret:
        """What it holds now. Raises KeyUnreadable."""
        try:
            async with asyncio.timeout(WITHIN):
                return await self._lookup.run(self._look)
        except TimeoutError:
            raise _unreadable(f"{self._path}, which should hold the key, can't be read: it takes too long.") from None

    def turned_down(self) -> bool:
        """Forgets what was read. It was looked at for this very request, so there is no other key in it yet."""
        self._read_at = None
        return False

    def _look(self) -> Secret:
        now = stamp(self._path)
        if self._found is None or now is None or now != self._read_at:
            self._found = None
            self._found, self._read_at = _in_file(self._path), now
        return self._found


class KeyProgram(_LookedUp):
    """A program that prints a key, run again when that has grown old or was refused."""

    def __init__(
        self, command: Sequence[str], variables: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        home = variables.get("HOME", "")
        self._command = (_from_home(command[0], home), *command[1:])
        self._variables, self._home, self._clock = variables, home, clock
        self._found_at = 0.0

    @property
    def distinct(self) -> str:
        """The command, and whose."""
        return "\n".join((self._home, *self._command))

    async def key(self) -> Secret:
        """What it prints, or has printed a moment ago. Raises KeyUnreadable."""
        if self._found is None or self._clock() - self._found_at >= KEPT_FOR:
            self._found = await self._lookup.run(partial(self._run, self._found))
            self._found_at = self._clock()
        return self._found

    def turned_down(self) -> bool:
        """Forgets the key, so that the program is run anew. Helps nothing if it has printed it only just now."""
        old = self._found is not None and self._clock() - self._found_at >= JUST_NOW
        self._found = None
        return old

    def _run(self, before: Secret | None) -> Secret:
        name = self._command[0]
        try:
            status, out, complaint = _ran(self._command, self._variables, self._home)
        except TimeoutError:  # an OSError, too, and so it comes first
            raise _failed(name, f"gave none within {WITHIN:g} seconds, and was ended") from None
        except (OSError, ValueError) as error:  # ValueError: a NUL in the command or in a variable
            reason = getattr(error, "strerror", None) or "the system does not say why"
            raise _failed(name, f"can't be run: {reason}") from None
        if status:
            how = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
            line = self._told(complaint, out, before)
            raise _failed(name, how + (f" and said: {line}" if line else ""))
        first = out.split(b"\n", 1)[0]
        return _key(first, lambda what: _failed(name, what), "printed nothing", "printed something that can be no key")

    def _told(self, complaint: bytes, out: bytes, before: Secret | None) -> str:
        """The last line of a complaint, without what nobody may read."""
        lines = [line for line in complaint.decode("utf-8", "replace").splitlines() if line.strip()]
        if not lines:
            return ""
        text = "".join(character for character in lines[-1].strip() if character.isprintable())
        hidden = [Secret(value) for name, value in self._variables.items() if SECRET_NAME.search(name)]
        hidden += [Secret(line.strip()) for line in out.decode("utf-8", "replace").splitlines()]
        for secret in (*hidden, *([before] if before else [])):
            if len(secret.reveal()) >= 4:
                text = text.replace(secret.reveal(), secret.mask())
        text = AT_RANDOM.sub(lambda found: Secret(found[0]).mask(), text)
        return hide_key_like(text)[:LONGEST_LINE].rstrip(".")


def looked_up(source: Looked, environment: Environment) -> LookedUp:
    """What looks a key up for one connection; it keeps nothing of the connection but its variables."""
    if isinstance(source, FromFile):
        return KeyFile(source.path, environment.setting("HOME") or "")
    assert isinstance(source, FromCommand)
    return KeyProgram(source.command, environment.for_program(OURS))


def _from_home(path: str, home: str) -> str:
    return f"{home.rstrip('/') or '/nonexistent'}{path[1:]}" if path.startswith("~/") else path


def _in_file(path: str) -> Secret:
    try:
        data = read_regular(Path(path), LONGEST_KEY + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "that is no name of a file"
        raise _unreadable(f"{path}, which should hold the key, can't be read: {reason}.") from None
    if len(data) > LONGEST_KEY:
        raise _unreadable(f"{path} holds no key: it has more than {LONGEST_KEY // 1024} KiB.")
    return _key(
        data,
        lambda what: _unreadable(f"{path}, which should hold the key, {what}."),
        "is empty",
        "holds more than a key, or something else: a key is one line of plain characters",
    )


def _key(data: bytes, error: Callable[[str], KeyUnreadable], empty: str, unfit: str) -> Secret:
    """A key that can stand in a header."""
    text = data.decode("utf-8", "replace").strip()
    if not text:
        raise error(empty)
    if fault(text):
        raise error(unfit)
    return Secret(text)


def fault(text: str) -> str | None:
    """Why a text can be no key, for people; None where it can be one."""
    if len(text) > LONGEST_KEY:
        return f"it has {len(text):,} characters, and a key has {LONGEST_KEY:,} at most"
    if not (text.isascii() and text.isprintable()):
        return "one is a single line of plain letters, digits and signs"
    return None


def _unreadable(text: str) -> KeyUnreadable:
    return KeyUnreadable(text)


def _failed(name: str, what: str) -> KeyUnreadable:
    advice = (
        "Run it in a terminal to see what it wants, then ask again. Here it runs without one, in the environment that "
        "your editor started from."
    )
    return KeyUnreadable(f"The program `{name}`, which should print the key, {what}.", advice)


def _ran(command: Sequence[str], variables: Mapping[str, str], home: str) -> tuple[int, bytes, bytes]:
    """Runs a program to its end: its status, what it printed, and what it complained of. In a thread.

    Raises OSError when it can't be started, TimeoutError when it does not end.
    """
    program = subprocess.Popen(
        command,
        env=variables,
        cwd=home if os.path.isdir(home) else "/",  # noqa: PTH112 - it may be no path at all
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert program.stdout
    assert program.stderr
    with program.stdout as out, program.stderr as complaint:
        said: dict[IO[bytes], bytes] = {out: b"", complaint: b""}
        keep = {out: slice(MOST_SAID), complaint: slice(-MOST_SAID, None)}
        try:
            _listen(program, said, keep, time.monotonic() + WITHIN)
        except BaseException:  # whatever it was: nobody reads any more, so it might never end by itself
            with suppress(OSError):
                os.killpg(program.pid, signal.SIGKILL)
            raise
        finally:
            program.wait()
    return program.returncode, said[out], said[complaint]


def _listen(
    program: subprocess.Popen[bytes], said: dict[IO[bytes], bytes], keep: Mapping[IO[bytes], slice], until: float
) -> None:
    """Reads what a program says until it has ended, whoever else may hold its output open by then."""
    waiting, pipes = select.poll(), {pipe.fileno(): pipe for pipe in said}  # select(2) knows no file above 1023
    for number in pipes:
        waiting.register(number, select.POLLIN)
    while True:
        over = program.poll() is not None
        ready = waiting.poll(0 if over else LOOK_EVERY)
        for number, _ in ready:
            pipe, data = pipes[number], os.read(number, 65536)
            said[pipe] = (said[pipe] + data)[keep[pipe]]
            if not data:
                waiting.unregister(number)
                del pipes[number]
        if over and (not ready or not pipes):
            return
        if time.monotonic() > until:
            raise TimeoutError
