"""What would become of a chat, target by target, without asking any.

Must never send anything, nor call a hook of a plugin.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from pointsman.core.catalogue import Catalogue, TemporaryKey
from pointsman.core.chat import Conversation, Notice
from pointsman.core.errors import ErrorData, PointsmanError
from pointsman.core.receipt import SkippedTarget, route_taken
from pointsman.core.routing import STANDS_IN, Plan, Target
from pointsman.core.turns import settled
from pointsman.wire import Wires


class ExplainedTarget(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One way that would be tried: what it could not carry over, or the error that would keep it from being asked.

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


def explain(catalogue: Catalogue, plan: Plan, wires: Wires, conversation: Conversation | None) -> Explanation:
    """A plan in words; with a conversation, what each of its targets would make of it."""
    route = route_taken(plan)
    return Explanation(
        spec=route.spec,
        rule=route.rule,
        targets=[_explained(catalogue, plan, target, wires, conversation) for target in plan.targets],
        skipped=list(route.skipped),
        order=route.order,
    )


def _explained(
    catalogue: Catalogue, plan: Plan, target: Target, wires: Wires, conversation: Conversation | None
) -> ExplainedTarget:
    provider, text = catalogue.providers[target.provider], plan.aloud(target)
    aloud = [Notice(STANDS_IN, text)] if text else []
    if conversation is None:
        return ExplainedTarget(target.model, target.provider, aloud, temporary=provider.temporary)
    try:
        conversation, mended = settled(conversation)
        _, notices = wires[provider.wire].request(provider, target.model, conversation)
    except PointsmanError as error:
        error.provider = error.provider or provider.id
        return ExplainedTarget(target.model, target.provider, aloud, error.data(), provider.temporary)
    return ExplainedTarget(target.model, target.provider, [*aloud, *mended, *notices], temporary=provider.temporary)
