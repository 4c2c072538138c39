"""A credential that is kept: what it holds, and where it belongs. Must never know how it is sealed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pointsman.core.errors import BadRequest
from pointsman.core.secret import Secret

Kind = Literal["key", "oauth"]


@dataclass(frozen=True)
class Tokens:
    """What an account by OAuth holds. Times are Unix seconds; `expires_at` is None where the provider does not say.

    `account` is its name at the provider, `subject` the person who signed in (`sub` of the ID token): several may share
    an account.

    `token_origin` is the only place that the refresh token is ever sent to. `refresh_begun_at` is set, durably, before
    a refresh is asked for, and gone once its answer is durable: an account that carries it after a start may have been
    rotated by an answer that never arrived. `refused` is why the provider wants a new sign-in, None while it does not.
    """

    access: Secret
    refresh: Secret | None
    expires_at: float | None
    obtained_at: float
    token_origin: str
    account: str | None = None
    subject: str | None = None
    scope: str | None = None
    refresh_begun_at: float | None = None
    refused: str | None = None


@dataclass(frozen=True)
class Record:
    """One stored credential.

    `id` is random and stays through every change; `version` counts the changes. `origin` (scheme, host, port) is the
    only place that it is ever shown to. `label` is for people: their own word, or the account's e-mail address; it is
    unique among a provider's records. `added_at` is RFC 3339 in UTC.
    """

    id: str
    provider: str
    origin: str
    label: str
    holds: Secret | Tokens = field(repr=False)
    added_at: str
    version: int = 1

    @property
    def kind(self) -> Kind:
        """What sort of credential it is."""
        return "key" if isinstance(self.holds, Secret) else "oauth"

    @property
    def account(self) -> str:
        """What people may see of it: a key's mask, or the account's label."""
        return self.holds.mask() if isinstance(self.holds, Secret) else self.label

    def ended(self, now: float) -> str | None:
        """Why an account needs a new sign-in at that Unix time; None where it needs none, and for a key."""
        if isinstance(self.holds, Secret):
            return None
        if self.holds.refused is not None:
            return self.holds.refused
        over = self.holds.refresh is None and self.holds.expires_at is not None and self.holds.expires_at <= now
        return "it has expired, and the provider gave nothing to renew it with" if over else None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All that must never be read anywhere."""
        if isinstance(self.holds, Secret):
            return (self.holds,)
        return (self.holds.access, *([self.holds.refresh] if self.holds.refresh else []))


def check_label(label: str | None) -> None:
    """Refuses a label that looks like another one, or that a terminal would take for a command. Raises BadRequest."""
    if label is not None and (not label.isprintable() or label != label.strip() or not label):
        text = "That can't be a label: it is empty, or has characters that nobody sees."
        raise BadRequest(text, "Take letters, digits, signs, and spaces between them. Nothing was stored.")
