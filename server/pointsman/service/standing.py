"""How a provider stands for one connection, in one word: what `listProviders` and the status say, and why.

Must never ask a provider.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from pointsman.core.catalogue import Provider
from pointsman.core.windows import Window
from pointsman.service.credentials import KEY_NOT_NEEDED, signed_out
from pointsman.service.neighbours import Neighbours
from pointsman.service.plans import Plans
from pointsman.service.reasons import Reasons

State = Literal["active", "available", "rate-limited", "error", "unconfigured", "signed-out", "offline"]


class Standing(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """How a provider stands. `keys` are those that it could be asked with, `usable` says whether it can be at all.

    `since` is when what is wrong began, `resetsAt` when it is over at the latest, RFC 3339 in UTC; `reason` says it in
    words. `remaining` are the requests that its plan still gives, `windows` what is known of that.
    """

    state: State
    usable: bool
    keys: int
    since: str | None = None
    resets_at: str | None = None
    remaining: int | None = None
    reason: str | None = None
    windows: tuple[Window, ...] = ()


def standing(
    provider: Provider, reasons: Reasons, neighbours: Neighbours, plans: Plans, *, active: bool = False
) -> Standing:
    """How a provider stands for whoever the reasons are for; `active`: their selection leads there."""
    found = reasons.keys(provider)
    free = provider.temporary is None and provider.auth.scheme in KEY_NOT_NEEDED
    usable = not provider.missing and (bool(found) or free)
    plan = plans.of(provider)
    left, resets, windows = (plan.left, plan.resets_at, tuple(plan.windows)) if plan else (None, None, ())
    if not usable:
        return Standing("unconfigured", usable, len(found), resets_at=resets, remaining=left, windows=windows)
    if neighbours.is_offline(provider):
        return Standing("offline", usable, len(found), resets_at=resets, remaining=left, windows=windows)
    if found and (ended := signed_out(found)):
        return Standing(
            "signed-out", usable, len(found), remaining=left, reason=f"sign in again: {ended}", windows=windows
        )
    seen = reasons.condition(provider)
    state: State = "active" if active and seen.state == "available" else seen.state
    return Standing(state, usable, len(found), seen.since, seen.resets_at or resets, left, seen.reason, windows)
