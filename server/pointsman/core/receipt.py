"""What a chat came to: the result that its starter gets, and the summary that everybody sees. Values alone."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, structs

from pointsman.core.chat import Cost, Message, StopReason, Usage
from pointsman.core.errors import ErrorData
from pointsman.core.routing import Plan
from pointsman.core.trace import Trace


class Attempt(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One request that was sent, or one target that was skipped: to whom, how it went, and how long it took."""

    model: str
    provider: str
    outcome: Literal["answered", "failed", "cancelled", "skipped"]
    milliseconds: int = 0
    account: str | None = None
    error: ErrorData | None = None
    reason: str | None = None


class SkippedTarget(Struct, frozen=True, rename="camel"):
    """One way that is left out, and why."""

    model: str
    provider: str
    reason: str


class RouteTaken(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where a name leads: `spec` is the name made independent of who asks, `rule` how it was understood.

    `targets` are tried in this order (`provider:model`), the next when one fails; `order` says why in this one, where
    there are several. `skipped` are those that were left out.
    """

    spec: str
    rule: str
    targets: tuple[str, ...]
    skipped: tuple[SkippedTarget, ...]
    order: str | None = None


def route_taken(plan: Plan) -> RouteTaken:
    """A plan in words, the same for who asks what would happen and for who sees what has happened."""
    return RouteTaken(
        spec=plan.route.spec,
        rule=plan.route.rule,
        targets=tuple(map(str, plan.targets)),
        skipped=tuple(SkippedTarget(target.model, target.provider, reason) for target, reason in plan.left_out),
        order=plan.order,
    )


class Timing(Struct, frozen=True, rename="camel"):
    """Milliseconds from the chat's start to its first visible event (null when there was none) and to its end."""

    first_token_ms: int | None
    total_ms: int


class ChatResult(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """The end of a chat: the whole answer, who gave it, and what it took. `route` is the plan that it was begun with.
    `trace` is there for who asked for one.

    `error` and `resume` come with the stop reason `interrupted`: what broke the answer off, and models that could
    go on.
    """

    chat_id: str
    stop_reason: StopReason
    message: Message
    model: str | None
    provider: str | None
    usage: Usage
    attempts: tuple[Attempt, ...]
    timing: Timing
    route: RouteTaken | None = None
    trace: Trace | None = None
    account: str | None = None
    cost: Cost | None = None
    error: ErrorData | None = None
    resume: tuple[str, ...] = ()


class ChatFailure(ErrorData, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """The error of a chat that nobody answered: `attempts`, `route` and `trace` are those of a result.

    One that could not even begin has none of them.
    """

    attempts: tuple[Attempt, ...] = ()
    route: RouteTaken | None = None
    trace: Trace | None = None


def chat_failure(error: ErrorData, seen: ChatResult) -> ChatFailure:
    """An error, with what had been seen of its chat by then."""
    return ChatFailure(**structs.asdict(error), attempts=seen.attempts, route=seen.route, trace=seen.trace)


class ChatSummary(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """A chat in a list.

    `events` is how many it has so far; `watchers` how many connections follow it; times RFC 3339 UTC.
    """

    chat_id: str
    state: Literal["running", "finished"]
    model: str
    client: str
    started_at: str
    events: int
    watchers: int
    title: str
    window_id: str | None = None
    workspace: str | None = None
    conversation_id: str | None = None
    provider: str | None = None
    reason: str | None = None
