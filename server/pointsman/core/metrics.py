"""What is measured, and what of it may be told: names, labels and bounds. Must never know how a number is exposed.

The names of series are a contract with boards and alerts (docs/metrics.md, docs/grafana/pointsman.json): one is added
lightly, and renamed never. A label is a provider, a model, an outcome, a kind or a version; never a key, an account, a
client, a path, nor anything of a conversation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pointsman.core.ledger import Entry
from pointsman.core.receipt import ChatResult
from pointsman.core.secret import hide_key_like

MOST_MODELS = 500
"""Models that have series of their own: names of models come from anybody who asks, and a series lives for ever."""
LONGEST_LABEL = 120
OTHER = "other"
"""What the models beyond that are counted as."""


@dataclass(frozen=True)
class Series:
    """One metric. Histograms have `buckets`, in seconds."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


WHO = ("provider", "model")
REQUESTS = Series("llm_requests_total", "counter", "Chats that have ended, by outcome", (*WHO, "outcome"))
DURATION = Series(
    "llm_request_duration_seconds",
    "histogram",
    "Seconds from the start of a chat to its end",
    WHO,
    (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0),
)
FIRST_TOKEN = Series(
    "llm_first_token_seconds",
    "histogram",
    "Seconds from the start of a chat to the first that could be seen of its answer",
    WHO,
    (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 60.0),
)
TOKENS = Series(
    "llm_tokens_total",
    "counter",
    "Tokens, by kind; `input` includes `cached` and `cache_write`, and `output` includes `reasoning`",
    (*WHO, "kind"),
)
COST = Series("llm_cost_usd_total", "counter", "US dollars, as far as prices are known", WHO)
UNPRICED = Series("llm_unpriced_requests_total", "counter", "Chats whose cost nobody knows", WHO)
ATTEMPTS = Series("llm_attempts_total", "counter", "Attempts that chats took, with those that failed", WHO)
BREAKER = Series(
    "llm_breaker_open",
    "gauge",
    "1 while a provider, or a key or a model of it, is left alone because of what it answered",
    WHO[:1],
)
QUEUE = Series("llm_queue_length", "gauge", "Chats that wait for a limit")
RUNNING = Series("llm_chats_running", "gauge", "Chats that have not ended")
BUILD = Series("pointsman_info", "gauge", "1, with the version as a label", ("version",))
ALL = (REQUESTS, DURATION, FIRST_TOKEN, TOKENS, COST, UNPRICED, ATTEMPTS, BREAKER, QUEUE, RUNNING, BUILD)


Gauges = Mapping[Series, Mapping[tuple[str, ...], float]]
"""What is so now, by series and the values of its labels."""


def gauges(version: str, running: int, waiting: int, providers: Iterable[str], troubled: Collection[str]) -> Gauges:
    """The gauges of this moment; each provider that is known has one that says whether it is in trouble."""
    return {
        RUNNING: {(): running},
        QUEUE: {(): waiting},
        BREAKER: {(_safe(id),): float(id in troubled) for id in {*providers, *troubled}},
        BUILD: {(version,): 1.0},
    }


@dataclass(frozen=True)
class Measured:
    """One chat at its end, as numbers. `usd` is None where nobody knows; times are seconds."""

    provider: str
    model: str
    outcome: str
    seconds: float
    first_token: float | None
    attempts: int
    tokens: Mapping[str, int]
    usd: float | None


def measured(result: ChatResult, outcome: str, entry: Entry | None) -> Measured:
    """A chat with its entry in the ledger, which is None where nobody was reached: then it has cost nothing.

    It counts for whom the ledger names, else for the last that was tried, or was skipped.
    """
    timing = result.timing
    first = None if timing.first_token_ms is None else timing.first_token_ms / 1000
    tried = [attempt for attempt in result.attempts if attempt.outcome != "skipped"]
    last = (tried or result.attempts or (None,))[-1]
    return Measured(
        provider=entry.provider if entry else last.provider if last else OTHER,
        model=entry.model if entry else last.model if last else OTHER,
        outcome=outcome,
        seconds=timing.total_ms / 1000,
        first_token=first,
        attempts=len(tried),
        tokens=_tokens(entry) if entry else {},
        usd=entry.usd if entry else 0.0,
    )


class Labels:
    """Gives models their labels: bounded in number and in length, and without what may be a secret."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def of(self, provider: str, model: str) -> tuple[str, str]:
        """The labels of a provider and of its model."""
        if (label := self._known.get((provider, model))) is None:
            if len(self._known) >= MOST_MODELS:
                return _safe(provider), OTHER
            label = self._known[provider, model] = _safe(model)
        return _safe(provider), label


def _tokens(entry: Entry) -> Mapping[str, int]:
    """The tokens of a chat by kind, those that were told."""
    kinds = {
        "input": entry.input_tokens,
        "output": entry.output_tokens,
        "cached": entry.cached_input_tokens,
        "cache_write": entry.cache_write_tokens,
        "reasoning": entry.reasoning_tokens,
    }
    return {kind: count for kind, count in kinds.items() if count}


def _safe(text: str) -> str:
    """A name as a label; one that has what may be a key in it, written there by mistake, is not told at all."""
    return OTHER if hide_key_like(text) != text or len(text) > LONGEST_LABEL else text
