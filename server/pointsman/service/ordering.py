"""In which order a chain's targets are tried: what a strategy decides by, kept in memory within bounds.

Must never know why a target can't be asked, nor ask one. What is forgotten here costs a worse order, never an answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pointsman.core.bounded import Bounded
from pointsman.core.catalogue import Catalogue, Provider
from pointsman.core.chat import Conversation, Usage
from pointsman.core.fitness import needs
from pointsman.core.pricing import Price
from pointsman.core.receipt import ChatResult
from pointsman.core.routing import Plan, Target
from pointsman.core.strategy import TYPICAL_ANSWER, Outlook, order
from pointsman.service.prices import sells_tokens

MOST_CONVERSATIONS = 4096
MOST_CHAINS = 512
"""Conversations and chains that are remembered: what clients and projects name may be anything."""
CACHE_LASTS = 300.0
"""Seconds that a prompt cache is counted on: five minutes at Anthropic, five to ten at OpenAI
(https://docs.claude.com/en/docs/build-with-claude/prompt-caching,
https://platform.openai.com/docs/guides/prompt-caching)."""
FREE = Price(0.0, 0.0, "no price a token")
"""Of a server on this machine, and of a plan."""

Prices = Callable[[Provider, str], Price | None]


@dataclass(frozen=True)
class _Turn:
    """The last answer of a conversation: whose it was, its tokens, and when it ended (monotonic seconds)."""

    target: Target
    usage: Usage
    at: float


class Orders:
    """Puts the targets of chains into their order.

    `price` says what a model costs, as far as is known, and `want_price` has that looked up for the next time.
    `first_tokens` gives the seconds to the first visible event, as observed.
    """

    def __init__(
        self,
        price: Prices = lambda _provider, _model: None,
        want_price: Callable[[Provider, str], None] = lambda _provider, _model: None,
        first_tokens: Callable[[], Mapping[Target, float]] = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._price, self._want_price = price, want_price
        self._first_tokens, self._clock = first_tokens, clock
        self._turns: Bounded[tuple[str, tuple[Target, ...]], int] = Bounded(MOST_CHAINS)
        self._last: Bounded[str, _Turn] = Bounded(MOST_CONVERSATIONS)

    def ordered(
        self,
        plan: Plan,
        catalogue: Catalogue,
        conversation: Conversation | None,
        conversation_id: str | None,
        *,
        begins: bool,
    ) -> Plan:
        """The plan with its targets in their order, and why; those that stand in for all others stay the last.

        A chat that `begins` takes a turn; who only asks what would happen takes none.
        """
        named = tuple(target for target in plan.targets if target not in plan.route.fallback)
        behind = tuple(target for target in plan.targets if target in plan.route.fallback)
        if plan.route.chain is None:
            return replace(plan, order="what is named first, and your `fallback` behind it") if behind else plan
        outlook = self._outlook(plan, named, catalogue, conversation, conversation_id)
        if begins and plan.route.strategy == "round-robin":
            self._turns[_key(plan)] = outlook.turn + 1
        targets, words = order(plan.route.strategy, named, outlook)
        return replace(plan, targets=targets + behind, order=words)

    def ended(self, conversation_id: str | None, result: ChatResult) -> None:
        """An answer has come to its end; the next chat of its conversation may be better off where that came from."""
        if conversation_id is None or result.provider is None or result.model is None:
            return
        self._last.pop(conversation_id, None)  # as a new one, it is the last to be forgotten
        self._last[conversation_id] = _Turn(Target(result.provider, result.model), result.usage, self._clock())

    def _outlook(
        self,
        plan: Plan,
        targets: tuple[Target, ...],
        catalogue: Catalogue,
        conversation: Conversation | None,
        conversation_id: str | None,
    ) -> Outlook:
        """What the chain's strategy decides by, and nothing that it does not look at: an estimate takes its time."""
        match plan.route.strategy:
            case "ordered":
                return Outlook({}, {})
            case "fastest":
                return Outlook({}, self._first_tokens())
            case "round-robin":
                return Outlook({}, {}, turn=self._turns.get(_key(plan), 0))
        last = self._last.get(conversation_id) if conversation_id is not None else None
        tokens = needs(conversation).tokens if conversation else 0
        prices = self._prices(targets, catalogue)
        if last is None:
            return Outlook(prices, {}, tokens=tokens)
        fresh = self._clock() - last.at < CACHE_LASTS
        return Outlook(
            prices,
            {},
            stays=last.target,
            tokens=tokens or last.usage.input_tokens + last.usage.output_tokens,
            cached=_cached(last.usage) if fresh else 0,
            answer=last.usage.output_tokens or TYPICAL_ANSWER,
        )

    def _prices(self, targets: tuple[Target, ...], catalogue: Catalogue) -> dict[Target, Price]:
        found = {}
        for target in targets:
            provider = catalogue.providers[target.provider]
            price = self._price(provider, target.model) if sells_tokens(provider) else FREE
            if price is None:
                self._want_price(provider, target.model)
            else:
                found[target] = price
        return found


def _key(plan: Plan) -> tuple[str, tuple[Target, ...]]:
    """What tells one chain from another of the same name, as two projects may have."""
    return plan.route.chain or "", plan.route.targets


def _cached(usage: Usage) -> int:
    """Tokens that lie in a prompt cache after an answer.

    Who reports what was written to it has them all told. Who only reports what was read from it caches by itself, and
    has by now what was asked. Who says nothing of a cache is not counted on to have one.
    """
    if usage.cache_write_tokens is not None:
        return usage.cache_write_tokens + (usage.cached_input_tokens or 0)
    return 0 if usage.cached_input_tokens is None else usage.input_tokens
