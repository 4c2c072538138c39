"""What one chat takes and costs, attempt by attempt, until it is an entry of the ledger.

Must never know what was asked or answered, but by its tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Cost, Usage
from pointsman.core.errors import PointsmanError
from pointsman.core.ledger import LOCAL, PLAN, Entry, Outcome
from pointsman.core.pricing import Price, cost, credible
from pointsman.core.receipt import ChatResult
from pointsman.core.windows import UNREACHED

Prices = Callable[[Provider, str], Price | None]
FREE = {"local": LOCAL, "plan-based": PLAN}
"""What says that a chat costs nothing, by the kind of the provider."""
NOTHING = Usage(0, 0, True)


@dataclass(frozen=True)
class Asked:
    """Whom an attempt has reached; `account` is empty where none is needed, or where none may be remembered."""

    provider: Provider
    model: str
    account: str = ""


@dataclass(frozen=True)
class Ended:
    """When a chat ended (Unix time), and who began it, in which workspace."""

    at: float
    client: str
    workspace: str | None


class Bill:
    """The attempts of one chat so far."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._asked: Asked | None = None
        self._before: float | None = None
        self._unknown = False

    def attempt(self, asked: Asked, error: PointsmanError | None) -> None:
        """One that was sent, and has ended so; None is a good answer, or the end of the chat by its owner."""
        if not isinstance(error, UNREACHED):
            self._asked = asked

    def failed(self, error: PointsmanError, reported: tuple[Usage, Cost | None] | None) -> None:
        """The last attempt has come to nothing: `reported` is what its provider said of it all the same.

        A refusal costs nothing; of what broke off before a word came, only the provider knows.
        """
        if self._asked is None or isinstance(error, UNREACHED):
            return
        if reported:
            self._add(charged(self._asked, *reported, self._prices))
        elif error.status_code is None:
            self._unknown = True

    def part(self, usage: Usage, reported: Cost | None) -> None:
        """What the last attempt has said stands, and another goes on from there."""
        if self._asked is not None:
            self._add(charged(self._asked, usage, reported, self._prices))

    @property
    def reached(self) -> bool:
        """Whether anybody has been asked at all."""
        return self._asked is not None

    def entry(
        self, result: ChatResult, last: tuple[Usage, Cost | None], outcome: Outcome, ended: Ended
    ) -> Entry | None:
        """The chat in the ledger; None where nobody was reached. `last` is what the last attempt took, and what its
        provider says that it cost.
        """
        asked = self._asked
        if asked is None:
            return None
        failed = outcome == "error"
        usage = NOTHING if failed else result.usage
        usd, source = self._nothing(asked) if failed else self._usd(asked, last)
        return Entry(
            chat_id=result.chat_id,
            at=ended.at,
            provider=asked.provider.id,
            model=asked.model,
            client=ended.client,
            outcome=outcome,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            exact=usage.exact,
            usd=usd,
            total_ms=result.timing.total_ms,
            attempts=sum(attempt.outcome != "skipped" for attempt in result.attempts),
            account=asked.account or None,
            workspace=ended.workspace,
            cached_input_tokens=usage.cached_input_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            first_token_ms=result.timing.first_token_ms,
            source=source,
            failed_usd=self._before,
        )

    def _add(self, known: Cost | None) -> None:
        if known is None:
            self._unknown = True
        else:
            self._before = round((self._before or 0.0) + known.usd, 12)

    def _usd(self, asked: Asked, last: tuple[Usage, Cost | None]) -> tuple[float | None, str | None]:
        """What an answer cost in all, and who says so; what attempts before it cost, as far as that is known."""
        found = charged(asked, *last, self._prices)
        return (None, None) if found is None else (round(found.usd + (self._before or 0.0), 12), found.source)

    def _nothing(self, asked: Asked) -> tuple[float | None, str | None]:
        """What it cost that nobody answered."""
        free = FREE.get(asked.provider.kind)
        unknown = self._unknown and not free and self._before is None
        return None if unknown else self._before or 0.0, free


def charged(asked: Asked, usage: Usage, reported: Cost | None, prices: Prices) -> Cost | None:
    """What tokens cost: as the provider says, else by a price; None where nobody knows, or where it can't be.

    Nothing by a plan or on this machine, unless the user has put a price on it.
    """
    free = FREE.get(asked.provider.kind)
    if free is None and (said := credible(reported)) is not None:
        return said
    if (price := prices(asked.provider, asked.model)) is not None:
        return credible(cost(usage, price))
    return Cost(0.0, True, free) if free else None
