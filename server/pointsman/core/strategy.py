"""Which target of a chain goes first. Must never know why a target could not be asked at all.

Every strategy only changes the order: what comes behind is still there to fall back to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pointsman.core.catalogue import Strategy
from pointsman.core.chat import Usage
from pointsman.core.pricing import Price, cost
from pointsman.core.routing import Target

TYPICAL_ANSWER = 500
"""Tokens of an answer, where none has been seen yet."""


@dataclass(frozen=True)
class Outlook:
    """What a strategy decides by.

    `prices` and `first_tokens` (seconds to the first visible event, as observed) know some of the targets. `turn`
    counts the chats of this chain. `stays` is the target that answered this conversation last; `tokens` are about
    those of the conversation, of which `stays` has `cached` in its prompt cache; `answer` are those of its last answer.
    """

    prices: Mapping[Target, Price]
    first_tokens: Mapping[Target, float]
    turn: int = 0
    stays: Target | None = None
    tokens: int = 0
    cached: int = 0
    answer: int = TYPICAL_ANSWER


Order = tuple[tuple[Target, ...], str]
"""Targets, and in words why they are in this order."""


def order(strategy: Strategy, targets: Sequence[Target], outlook: Outlook) -> Order:
    """The targets in the order in which they are tried."""
    return _STRATEGIES[strategy](tuple(targets), outlook)


def _ordered(targets: tuple[Target, ...], outlook: Outlook) -> Order:
    return targets, "in the order of the chain"


def _cheapest(targets: tuple[Target, ...], outlook: Outlook) -> Order:
    costs = {target: _cost(target, outlook, 0) for target in targets}
    first = _by(targets, costs)
    cheapest = costs[first[0]] if first else None
    said = "" if cheapest is None else f", about {_dollars(cheapest)}" if cheapest else ", which asks nothing a token"
    return first, f"cheapest first{said}; unknown prices last"


def _fastest(targets: tuple[Target, ...], outlook: Outlook) -> Order:
    first = _by(targets, outlook.first_tokens)
    seen = outlook.first_tokens.get(first[0]) if first else None
    return first, f"fastest first{'' if seen is None else f', {seen:.2f} s to its first word'}; untried ones last"


def _round_robin(targets: tuple[Target, ...], outlook: Outlook) -> Order:
    start = outlook.turn % len(targets) if targets else 0
    return targets[start:] + targets[:start], "by turns"


def _sticky(targets: tuple[Target, ...], outlook: Outlook) -> Order:
    """Stays where the prompt cache is, unless moving to a target that the chain prefers is cheaper than staying.

    What comes behind in the chain is there for when the others fail, however cheap it is.
    """
    stays = outlook.stays
    if stays is None or stays not in targets:
        return targets, "in the order of the chain; this conversation has no prompt cache yet"
    rest = tuple(target for target in targets if target != stays)
    preferred = targets[: targets.index(stays)]
    costs = {target: usd for target in preferred if (usd := _cost(target, outlook, 0)) is not None}
    staying = _cost(stays, outlook, outlook.cached)
    if staying is None or not costs:
        why = "whose prompt cache has this conversation" if outlook.cached else "which answered it last"
        return (stays, *rest), f"stays with {stays}, {why}"
    to = next((target for target, usd in costs.items() if usd < staying), next(iter(costs)))
    said = f"staying with {stays} costs about {_dollars(staying)}, moving to {to} about {_dollars(costs[to])}"
    if costs[to] < staying:
        return (to, *(target for target in targets if target != to)), f"moves: {said}"
    return (stays, *rest), f"stays: {said}"


def _dollars(usd: float) -> str:
    return f"${usd:.4f}"


def _cost(target: Target, outlook: Outlook, cached: int) -> float | None:
    """US dollars of the next answer; None where no price is known."""
    price = outlook.prices.get(target)
    if price is None:
        return None
    usage = Usage(
        input_tokens=outlook.tokens,
        output_tokens=outlook.answer,
        exact=False,
        cached_input_tokens=min(cached, outlook.tokens),
    )
    return cost(usage, price).usd


def _by(
    targets: tuple[Target, ...], figures: Mapping[Target, float | None] | Mapping[Target, float]
) -> tuple[Target, ...]:
    """The smallest figure first, those without one last, each in the order of the chain."""

    def figure(target: Target) -> float:
        found = figures.get(target)
        return float("inf") if found is None else found

    return tuple(sorted(targets, key=figure))


_STRATEGIES: Mapping[Strategy, Callable[[tuple[Target, ...], Outlook], Order]] = {
    "ordered": _ordered,
    "cheapest": _cheapest,
    "fastest": _fastest,
    "round-robin": _round_robin,
    "sticky": _sticky,
}
