"""How much of a plan is used, as clients are told. Names are camelCase on the wire."""

from __future__ import annotations

from msgspec import Struct

from pointsman.core.windows import Window


class PlanInfo(Struct, rename="camel", omit_defaults=True):
    """How much of a provider's plan is used, as `listProviders` says it too. `name` is the one for people."""

    provider: str
    name: str
    windows: list[Window]
    remaining: int | None = None
    resets_at: str | None = None
