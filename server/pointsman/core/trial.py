"""What came of trying a provider, step by step. Must never know how a step is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from pointsman.core.http import Request

Name = Literal["reach", "authenticate", "list", "say"]
Outcome = Literal["ok", "failed", "skipped"]


class Step(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One step of trying a provider: that it is there, takes the key, lists its models, and answers with a word.

    `skipped` says by `detail` why it could not be made, which is no failure. Of a `say`, `detail` is what was said.
    """

    step: Name
    outcome: Outcome
    milliseconds: int
    detail: str | None = None


@dataclass(frozen=True)
class Check:
    """A request that costs nothing and makes a step by itself; `detail` says in words what was answered."""

    step: Name
    request: Request
    detail: Callable[[bytes], str] = field(compare=False)
