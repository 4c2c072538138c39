"""What would become of a chat, target by target, without asking any.

Must never send anything, nor call a hook of a plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from pointsman.core.catalogue import Catalogue, Provider, TemporaryKey
from pointsman.core.chat import Conversation, Notice
from pointsman.core.errors import ErrorData, PointsmanError, RateLimited
from pointsman.core.receipt import SkippedTarget, route_taken
from pointsman.core.routing import STANDS_IN, Plan, Target
from pointsman.core.turns import settled
from pointsman.wire import Wires

WAITING = "waiting"
"""What a notice is about that tells of a wait within the user's own limits."""


class ExplainedTarget(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One way that would be tried: what it could not carry over, or the error that would keep it from being asked.
    A notice about `waiting` says that it would wait for its turn within your own limits.

    `temporary` is the session whose key it would be asked with, where one is in front.
    """

    model: str
    provider: str
    notices: Sequence[Notice]
    error: ErrorData | None = None
    temporary: TemporaryKey | None = None


class Explanation(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where a name leads: `spec` is the name made independent of who asks, `rule` how it was understood.

    `targets` would be tried in this order, the next when one fails; none left means that a chat would end at once.
    `order` says why in this order, where there are several. It is what the `route` of a chat's result says, too.
    """

    spec: str
    rule: str
    targets: list[ExplainedTarget]
    skipped: list[SkippedTarget]
    order: str | None = None


Full = Callable[[Provider], RateLimited | str | None]
"""What a limit of the user's own would do to a request to a provider: keep it waiting, in words, or from being sent."""


def explain(
    catalogue: Catalogue,
    plan: Plan,
    wires: Wires,
    conversation: Conversation | None,
    full: Full = lambda _: None,
) -> Explanation:
    """A plan in words; with a conversation, what each of its targets would make of it."""
    route = route_taken(plan)
    return Explanation(
        spec=route.spec,
        rule=route.rule,
        targets=[_explained(catalogue, plan, target, wires, conversation, full) for target in plan.targets],
        skipped=list(route.skipped),
        order=route.order,
    )


def _explained(
    catalogue: Catalogue, plan: Plan, target: Target, wires: Wires, conversation: Conversation | None, full: Full
) -> ExplainedTarget:
    provider, text = catalogue.providers[target.provider], plan.aloud(target)
    aloud = [Notice(STANDS_IN, text)] if text else []
    limit = full(provider)
    if isinstance(limit, RateLimited):
        return ExplainedTarget(target.model, target.provider, aloud, limit.data(), provider.temporary)
    if limit is not None:
        aloud.append(Notice(WAITING, limit))
    if conversation is None:
        return ExplainedTarget(target.model, target.provider, aloud, temporary=provider.temporary)
    try:
        conversation, mended = settled(conversation)
        _, notices = wires[provider.wire].request(provider, target.model, conversation)
    except PointsmanError as error:
        error.provider = error.provider or provider.id
        return ExplainedTarget(target.model, target.provider, aloud, error.data(), provider.temporary)
    return ExplainedTarget(target.model, target.provider, [*aloud, *mended, *notices], temporary=provider.temporary)
