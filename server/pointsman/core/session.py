"""A temporary session: a key that stands before whatever is configured, for a while and for one place.

Must never know a clock, a connection or who is told; that none of this is written down anywhere is its whole point.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from msgspec import structs

from pointsman.core.catalogue import Catalogue, Provider, TemporaryKey
from pointsman.core.http import origin
from pointsman.core.secret import Secret
from pointsman.core.selection import SCOPES, Place, Scope

Reason = Literal["expired", "cleared"]
Then = Literal["another", "usual", "keyless", "none", "unaffected"]
"""What the provider is asked with once a session has ended, as one connection sees it."""
THEN: Mapping[Then, str] = {
    "another": "another temporary key is used now.",
    "usual": "the usual key is used again.",
    "keyless": "it is asked without a key again.",
    "none": "there is no other key for it here.",
    "unaffected": "nothing changes here.",
}
SHIPPED = "shipped:"
"""How the origin of a value begins that came with Pointsman, and is nobody's secret."""


@dataclass(frozen=True)
class Moment:
    """A point in time by two clocks: the time of day (Unix seconds), and one that nobody can set but that may sleep."""

    wall: float
    steady: float


@dataclass(frozen=True)
class Session:
    """One temporary session.

    `origin` is the only place that its key is ever sent to: that of its `base_url`, else the provider's when it began.
    `at` is the scope it is active for, with the name of the place there; None until it is activated.
    """

    id: str
    provider: str
    title: str
    key: Secret = field(repr=False)
    origin: str
    begun: Moment
    seconds: float
    expires_at: str
    author: str
    base_url: str | None = None
    at: tuple[Scope, str] | None = None

    @property
    def account(self) -> str:
        """What people may see of its key."""
        return self.key.mask()

    def left(self, now: Moment) -> float:
        """Seconds until it ends, 0 when it is over: by whichever clock says so first, since a machine may sleep."""
        passed = max(now.wall - self.begun.wall, now.steady - self.begun.steady)
        return max(self.seconds - passed, 0.0)

    def belongs_to(self, provider: Provider) -> bool:
        """Whether its key may be sent where this provider, as it is configured now, would be asked."""
        return self.base_url is not None or origin(provider.base_url) == self.origin


def holding(sessions: Iterable[Session], place: Place, catalogue: Catalogue) -> dict[str, Session]:
    """The session in front of each provider for a place: the narrowest scope wins, of those that may be sent there."""
    active = {(session.provider, session.at): session for session in sessions if session.at}
    found: dict[str, Session] = {}
    for scope in SCOPES:
        key = place.key(scope)
        for (id, at), session in active.items():
            provider = catalogue.providers.get(id)
            if at == (scope, key) and provider and session.belongs_to(provider):
                found.setdefault(id, session)
    return found


def fronted(catalogue: Catalogue, held: Mapping[str, Session]) -> Catalogue:
    """The catalogue as it is while these sessions hold; itself where there are none."""
    if not held:
        return catalogue
    providers = dict(catalogue.providers)
    for id, session in held.items():
        providers[id] = _behind(providers[id], session, catalogue.origins)
    return replace(catalogue, providers=providers)


def _behind(provider: Provider, session: Session, origins: Mapping[str, str]) -> Provider:
    """The provider as a session has it: marked, so that no other key is looked up for it."""
    mark = TemporaryKey(session.id, session.account, session.expires_at)
    provider = structs.replace(provider, temporary=mark, configured_by_user=True)
    if session.base_url is None:
        return provider
    if session.origin != origin(provider.base_url):  # what was configured for one place may be a secret at another
        path = f"providers.{provider.id}.headers."
        shipped = {k: v for k, v in provider.headers.items() if origins.get(path + k, "").startswith(SHIPPED)}
        anonymous = structs.replace(provider.tls, certificate=None, key=None)
        provider = structs.replace(provider, headers=shipped, tls=anonymous)
    return structs.replace(provider, base_url=session.base_url, template="")


def words(session: Session, reason: Reason, by: str | None, then: Then) -> str:
    """One sentence for people: what has ended, and what is used from now on."""
    if reason == "expired":
        return f"The temporary key for {session.title} has ended after {_spoken(session.seconds)}; {THEN[then]}"
    return f"The temporary key for {session.title} was ended by {by}; {THEN[then]}"


def _spoken(seconds: float) -> str:
    """A time for people."""
    number, unit = (seconds / 60, "minute") if seconds >= 60 else (seconds, "second")
    return f"{number:.1f}".removesuffix(".0") + f" {unit}{'' if number == 1 else 's'}"
