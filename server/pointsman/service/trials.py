"""Temporary sessions: keys that are tried for a while, in memory alone. Must never write one down, nor tell a token.

A token is what lets its holder use a session. It is said once, to whoever began the session; for everything else a
session goes by its short id.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

from msgspec import Struct

from pointsman.core.bounded import Bounded
from pointsman.core.catalogue import Catalogue, Provider
from pointsman.core.errors import CredentialError, RouteError, SessionExpired, UnknownSession, WrongOrigin
from pointsman.core.http import origin, spoken
from pointsman.core.secret import Secret
from pointsman.core.selection import Scope
from pointsman.core.session import Moment, Reason, Session, Then, fronted, holding, words
from pointsman.service.clients import Client
from pointsman.service.clock import rfc3339

log = logging.getLogger(__name__)

MOST = 100
"""Sessions at a time."""
MOST_REMEMBERED = 256
"""Sessions that have ended, of which it can be said how."""
LOOK_EVERY = 1.0
"""Seconds between two looks at the time of day, which may jump: the machine may have slept."""


class SessionInfo(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A temporary session. `account` is what may be seen of its key; its token is told to nobody but who began it.

    `scope` is where it is active, absent while it is not; `windowId` or `workspace` says for which. `inEffect`: it is
    what this connection's requests to the provider are asked with. `baseUrl` is there where it leads elsewhere.
    """

    id: str
    provider: str
    account: str
    expires_at: str
    seconds_left: int
    in_effect: bool
    created_by: str
    scope: Scope | None = None
    window_id: str | None = None
    workspace: str | None = None
    base_url: str | None = None


class EndedSession(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A session that is over. `message` says to a person what that means for this connection."""

    id: str
    provider: str
    account: str
    reason: Reason
    message: str


class SessionsChanged(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A temporary session was begun, put somewhere, or has ended: all that there are now, and the one that ended.

    The daemon shows the message of one that ended to the person by `window/showMessage`, too.
    """

    sessions: list[SessionInfo]
    ended: EndedSession | None = None


@dataclass(frozen=True)
class Ended:
    """How a session came to its end; `by` is the client that ended it."""

    session: Session
    reason: Reason
    by: Client | None = None


Change = Callable[[], Ended | None]


def clock() -> Moment:
    """Now."""
    return Moment(time.time(), time.monotonic())


class Trials:
    """All temporary sessions. `around` makes each change, and tells it; without one, changes are only made."""

    def __init__(self, clock: Callable[[], Moment] = clock) -> None:
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._ids: dict[str, str] = {}
        self._past: Bounded[str, UnknownSession] = Bounded(2 * MOST_REMEMBERED)
        self._views: WeakKeyDictionary[Client, tuple[Catalogue, dict[str, Session], Catalogue]] = WeakKeyDictionary()
        self._timer: asyncio.TimerHandle | None = None
        self.around: Callable[[Change], object] = lambda change: change()

    def __len__(self) -> int:
        return len(self._sessions)

    # What holds.

    def view(self, client: Client, catalogue: Catalogue) -> Catalogue:
        """What is configured for a connection as it is with the sessions that hold for it; the same while they do."""
        if not self._sessions:
            return catalogue
        held = holding(self._sessions.values(), client.place, catalogue)
        known = self._views.get(client)
        if known is None or known[0] is not catalogue or known[1] != held:
            known = self._views[client] = catalogue, held, fronted(catalogue, held)
        return known[2]

    def view_of_one(self, client: Client, catalogue: Catalogue, session: Session) -> Catalogue:
        """The same with one session before all others. Raises WrongOrigin where its key must not be sent."""
        _check_belongs(session, catalogue)
        held = holding(self._sessions.values(), client.place, catalogue)
        return fronted(catalogue, held | {session.provider: session})

    def keys(self, catalogue: Catalogue) -> dict[str, Secret]:
        """The keys of the sessions in whose view a catalogue is, by provider: what a chat that begins now keeps."""
        if not self._sessions:
            return {}
        marked = {id: provider.temporary.session for id, provider in catalogue.providers.items() if provider.temporary}
        return {id: self._sessions[session].key for id, session in marked.items() if session in self._sessions}

    def key(self, provider: Provider) -> Secret | None:
        """The key of the session in whose view a provider is; None once it is over, or for another origin."""
        session = self._sessions.get(provider.temporary.session) if provider.temporary else None
        if session is None or not session.left(self._clock()) or session.origin != origin(provider.base_url):
            return None
        return session.key

    def list(self, client: Client, catalogue: Catalogue) -> list[SessionInfo]:
        """All sessions as a connection sees them, the one that ends first at the top; `catalogue` is its view."""
        providers, now = catalogue.providers, self._clock()
        found = sorted(self._sessions.values(), key=lambda session: session.left(now))
        marks = {p.temporary.session for p in providers.values() if p.temporary}
        return [_info(session, now, in_effect=session.id in marks) for session in found]

    def info(self, id: str) -> SessionInfo | None:
        """A session that is in effect, for whoever sees its mark; None once it is over."""
        session = self._sessions.get(id)
        return _info(session, self._clock(), in_effect=True) if session else None

    # What changes it.

    def create(
        self, provider: Provider, key: Secret, minutes: float, base_url: str | None, by: Client
    ) -> tuple[str, Session]:
        """Begins a session, which does nothing yet; gives its token. Raises CredentialError when there are too many."""
        if len(self._sessions) >= MOST:
            raise CredentialError(
                f"There are {MOST} temporary sessions already.", "End one with `pointsman/clearSession`."
            )
        now, token = self._clock(), secrets.token_urlsafe(24)
        session = Session(
            id=self._free_id(),
            provider=provider.id,
            title=provider.title,
            key=key,
            origin=origin(base_url or provider.base_url),
            begun=now,
            seconds=minutes * 60,
            expires_at=rfc3339(now.wall + minutes * 60),
            author=by.name,
            base_url=base_url,
        )
        self._ids[token] = session.id
        self.around(lambda: self._put(session))
        log.info("a temporary session begins", extra={"provider": provider.id, "client": by.name})
        return token, session

    def activate(self, token: str, scope: Scope, base_url: str | None, client: Client, catalogue: Catalogue) -> Session:
        """Puts a session in front for a scope of this client; one that was there before rests.

        Raises UnknownSession, WrongOrigin, RouteError where the client has no such scope.
        """
        session = self.open(token)
        if base_url is not None and origin(base_url) != session.origin:
            text = f"The temporary key for {session.title} is for {spoken(session.origin)}, and goes nowhere else."
            raise WrongOrigin(text, f"Begin a session for {spoken(origin(base_url))}.", provider=session.provider)
        key = client.place.key(scope)
        if key is None:
            text = f"This connection has no {scope} that a session could be active for."
            raise RouteError(text, "Choose the window or `global` instead.")
        session = replace(session, at=(scope, key), base_url=base_url or session.base_url)
        _check_belongs(session, catalogue)
        self.around(lambda: self._put(session))
        return session

    def clear(self, named: str, by: Client) -> Session:
        """Ends a session by its id or its token. Raises UnknownSession."""
        session = self._find(self._ids.get(named, named), named)
        self.around(lambda: self._end(session, "cleared", by))
        return session

    def active(self, provider: str, scope: Scope | None, client: Client, catalogue: Catalogue) -> Session:
        """The session of a provider at a scope of this client; without one, that in effect. Raises UnknownSession."""
        if scope is None:
            found = holding(self._sessions.values(), client.place, catalogue).get(provider)
        else:
            at = scope, client.place.key(scope)
            found = next((s for s in self._sessions.values() if s.provider == provider and s.at == at), None)
        if found is None:
            where = f" for this {scope}" if scope in {"window", "workspace"} else " globally" if scope else " here"
            raise UnknownSession(f"No temporary session for {provider!r} is active{where}.", SEE)
        return found

    def open(self, token: str) -> Session:
        """The session of a token, for whoever holds it. Raises UnknownSession, SessionExpired."""
        return self._find(self._ids.get(token), token)

    def end_what_is_over(self) -> None:
        """Ends every session whose time is over, and looks again when the next one's is."""
        now = self._clock()
        for session in [each for each in self._sessions.values() if not each.left(now)]:
            self.around(lambda session=session: self._end(session, "expired"))  # type: ignore[misc]
        self._set_timer()

    def close(self) -> None:
        """Forgets every key."""
        self._sessions.clear()
        self._ids.clear()
        self._views.clear()
        self._set_timer()

    def _put(self, session: Session) -> None:
        """Takes a session in as it is now; what was active in its place rests."""
        for other in [each for each in self._sessions.values() if each.at and each.id != session.id]:
            if (other.provider, other.at) == (session.provider, session.at):
                self._sessions[other.id] = replace(other, at=None)
        self._sessions[session.id] = session
        self._set_timer()

    def _end(self, session: Session, reason: Reason, by: Client | None = None) -> Ended:
        del self._sessions[session.id]
        tokens = [token for token, id in self._ids.items() if id == session.id]
        for token in tokens:
            del self._ids[token]
        for name in (session.id, *tokens):
            self._past[name] = _gone(session, reason, by)
        self._views.clear()  # they hold the key
        self._set_timer()
        log.info("a temporary session ends: %s", reason, extra={"provider": session.provider})
        return Ended(session, reason, by)

    def _find(self, id: str | None, named: str) -> Session:
        session = self._sessions.get(id or "")
        if session is not None and session.left(self._clock()):
            return session
        if session is not None:
            self.end_what_is_over()
        if (past := self._past.get(named)) is not None:
            raise type(past)(past.message, past.advice, provider=past.provider)
        raise UnknownSession("No temporary session of that name is known: none outlives the daemon, nor its end.")

    def _free_id(self) -> str:
        while (id := secrets.token_hex(3)) in self._sessions or id in self._past:
            pass
        return id

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sessions:
            now = self._clock()
            wait = min(LOOK_EVERY, *(session.left(now) for session in self._sessions.values()))
            self._timer = asyncio.get_running_loop().call_later(wait, self.end_what_is_over)


SEE = "See those that there are with `pointsman/listSessions`."


def told(ended: Ended, client: Client, then: Then) -> EndedSession:
    """What one client hears of an end."""
    session, by = ended.session, ended.by
    who = None if by is None else "you" if by is client else by.name
    message = words(session, ended.reason, who, then)
    return EndedSession(session.id, session.provider, session.account, ended.reason, message)


def _info(session: Session, now: Moment, *, in_effect: bool) -> SessionInfo:
    scope, key = session.at or (None, None)
    return SessionInfo(
        id=session.id,
        provider=session.provider,
        account=session.account,
        expires_at=session.expires_at,
        seconds_left=math.ceil(session.left(now)),
        in_effect=in_effect,
        created_by=session.author,
        scope=scope,
        window_id=key if scope == "window" else None,
        workspace=key if scope == "workspace" else None,
        base_url=session.base_url,
    )


def _check_belongs(session: Session, catalogue: Catalogue) -> None:
    """Refuses a session whose key must not be sent where its provider is now."""
    provider = catalogue.providers.get(session.provider)
    if provider is None:
        raise UnknownSession(f"The session is for {session.provider!r}, and there is no such provider now.", SEE)
    if not session.belongs_to(provider):
        text = (
            f"The temporary key for {session.title} is for {spoken(session.origin)}, and {session.title} is at "
            f"{spoken(origin(provider.base_url))} now, where it is not sent."
        )
        raise WrongOrigin(text, "Begin a new session for this address, if it is the right one.", provider=provider.id)


def _gone(session: Session, reason: Reason, by: Client | None) -> UnknownSession:
    if reason == "expired":
        text = f"The temporary key for {session.title} has ended: its time was over at {session.expires_at}."
        return SessionExpired(text, provider=session.provider)
    who = by.name if by else "somebody"
    return UnknownSession(f"The temporary key for {session.title} was ended by {who}.", provider=session.provider)
