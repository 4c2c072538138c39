"""Google Cloud's application default credentials: a file with a service account or a person's sign-in, and its tokens.

The only file that imports google.auth, and only when a token is wanted, in a thread. What it asks goes through our own
HTTP. Must never read the environment or the home of the daemon for a connection that brought its own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pointsman.core.catalogue import Provider
from pointsman.core.errors import MissingExtra, Overloaded, PointsmanError, SignInNeeded, TimedOut
from pointsman.core.http import Request
from pointsman.core.secret import Secret
from pointsman.edge.credential import Fetch
from pointsman.edge.files import LARGEST, Stamp, read_regular, stamp
from pointsman.edge.in_thread import InThread

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
WITHIN = 20.0
"""Seconds that a token may take."""
CONNECT = 10.0

Ask = Callable[..., "_Answer"]
"""How google.auth sends a request: with a URL, a method, a body and headers, and it waits for the answer."""


@dataclass(frozen=True)
class _Answer:
    """An answer as google.auth reads it."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class Source(Protocol):
    """What google.auth makes of a file: a service account, or a person's sign-in."""

    @property
    def token(self) -> str | None:
        """What goes onto requests."""
        ...

    @property
    def valid(self) -> bool:
        """Whether there is a token that does not end soon."""
        ...

    def refresh(self, request: Ask) -> None:
        """Gets a token."""
        ...

    def apply(self, headers: dict[str, str]) -> None:
        """Puts it on a request, with the project that pays."""
        ...


@dataclass(eq=False)
class GoogleAccount:
    """The account in one file, read anew when it changes; a token is kept until shortly before it ends."""

    file: str
    signs: ClassVar[bool] = False
    _source: Source | None = field(default=None, repr=False)
    _read_at: Stamp | None = field(default=None, repr=False)
    _name: str | None = field(default=None, repr=False)
    _tokens: tuple[Secret, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        self._look_up = InThread[Source]()

    @property
    def account(self) -> str | None:
        """The beginning of the account's name, once the file has been read."""
        return Secret(self._name).mask() if self._name else None

    @property
    def secrets(self) -> Sequence[Secret]:
        """What must never be read in an error: the token, and the one before, which a request may still carry."""
        return self._tokens

    def is_there(self) -> bool:
        """Whether the file is."""
        return stamp(self.file) is not None

    async def authorise(self, request: Request, provider: Provider, fetch: Fetch) -> Request:
        """The request with a token. Raises MissingExtra, SignInNeeded, Overloaded or TransportError."""
        if (source := self._ready()) is None:
            ask = _asker(fetch, asyncio.get_running_loop())
            try:
                async with asyncio.timeout(WITHIN):
                    source = await self._look_up.run(partial(self._renew, ask))
            except TimeoutError:
                raise TimedOut(f"Google gave no token for {self.file} within {WITHIN:g} seconds.") from None
        headers: dict[str, str] = {}
        source.apply(headers)
        return replace(request, headers={**request.headers, **headers})

    def _ready(self) -> Source | None:
        """The account, if its token still holds and the file is as it was read."""
        source = self._source
        return source if source is not None and source.valid and stamp(self.file) == self._read_at else None

    def _renew(self, ask: Ask) -> Source:
        """Gets a token. In a thread: google.auth waits for what it asks."""
        try:
            from google.auth.exceptions import RefreshError, TransportError
        except ImportError as error:
            raise MissingExtra(
                "To ask Google Cloud, Pointsman needs google-auth, which is not installed beside it.",
                "Run `pip install 'pointsman[gcp]'` where Pointsman is installed, then `pointsman restart`.",
            ) from error
        try:
            now = stamp(self.file)
            if self._source is None or now != self._read_at:
                self._source, self._name = self._load()
                self._read_at = now
            self._source.refresh(ask)
        except PointsmanError:
            raise
        except TransportError as error:
            if isinstance(error.__cause__, PointsmanError):
                raise error.__cause__ from error
            raise Overloaded(f"Google gave no token for {self.file}: {_reason(error)}.") from error
        except RefreshError as error:
            raise self._refused(error) from error
        except Exception:  # whatever it is, it is never quoted: it may be a piece of a key
            raise SignInNeeded(f"{self.file} holds no credentials that can be used here.", ADVICE) from None
        if token := self._source.token:
            self._tokens = tuple(dict.fromkeys((Secret(token), *self._tokens)))[:2]
        return self._source

    def _load(self) -> tuple[Source, str | None]:
        from google.oauth2.credentials import Credentials as Person
        from google.oauth2.service_account import Credentials as Service

        info = json.loads(read_regular(Path(self.file), LARGEST))
        kind = info.get("type") if isinstance(info, dict) else None
        if kind == "service_account":
            return Service.from_service_account_info(info, scopes=[SCOPE]), str(info["client_email"])
        if kind == "authorized_user":
            return Person.from_authorized_user_info(info), str(info.get("account") or info["client_id"])
        raise SignInNeeded(f"{self.file} holds credentials of the type {kind!r}, which can't be used here.", ADVICE)

    def _refused(self, error: Exception) -> PointsmanError:
        reason = _reason(error)
        if getattr(error, "retryable", False):
            return Overloaded(f"Google gave no token for {self.file}: {reason}.")
        return SignInNeeded(f"Google refused the account in {self.file}: {reason}.", ADVICE)


def _reason(error: Exception) -> str:
    return str(error.args[0]) if error.args else "no reason given"


def _asker(fetch: Fetch, loop: asyncio.AbstractEventLoop) -> Ask:
    """What google.auth asks with, from its thread: our own HTTP, on the loop."""

    def ask(
        url: str, method: str = "GET", body: Any = None, headers: Mapping[str, str] | None = None, **_: object
    ) -> _Answer:
        from google.auth.exceptions import TransportError

        content = body.encode() if isinstance(body, str) else body or b""
        asked = asyncio.run_coroutine_threadsafe(_asked(fetch, Request(method, url, headers or {}, content)), loop)
        try:
            return asked.result(WITHIN)
        except PointsmanError as error:
            raise TransportError(error.message) from error
        except TimeoutError as error:
            asked.cancel()
            raise TransportError("no answer") from error

    return ask


async def _asked(fetch: Fetch, request: Request) -> _Answer:
    head, body = await fetch(request, CONNECT)
    return _Answer(head.status, head.headers, body)


ADVICE = (
    "Run `gcloud auth application-default login`, or let GOOGLE_APPLICATION_CREDENTIALS name the key file of a service "
    "account that may use the service."
)
