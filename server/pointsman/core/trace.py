"""When what happened in one chat, without a word of what was said. Values alone: the clock is whoever fills them in.

All times are milliseconds since the chat was asked for; null is what never came.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

WaitFor = Literal["limit", "retry", "provider"]


class TracedAttempt(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """One request to one model.

    `connectedMs` is when it had its connection (absent for what needs none), `firstByteMs` when the answer's head had
    come, `firstEventMs` and `lastEventMs` when the first and the last that could be read of it had. `status` is that of
    HTTP; bytes are those of bodies.
    """

    model: str
    provider: str
    begun_ms: float
    outcome: str = "cancelled"
    account: str | None = None
    status: int | None = None
    sent_ms: float | None = None
    connected_ms: float | None = None
    first_byte_ms: float | None = None
    first_event_ms: float | None = None
    last_event_ms: float | None = None
    ended_ms: float | None = None
    bytes_out: int = 0
    bytes_in: int = 0


class TracedWait(Struct, rename="camel"):
    """A wait before an attempt: for a limit, before a retry, or until a provider wants to be asked again."""

    wait_for: WaitFor
    begun_ms: float
    ended_ms: float


class Trace(Struct, rename="camel"):
    """A chat as its daemon saw it: planned, then attempts and waits in their order."""

    planned_ms: float
    ended_ms: float
    attempts: list[TracedAttempt]
    waits: list[TracedWait]
