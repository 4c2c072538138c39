"""Labels of metrics: bounded, and never what may be a secret."""

from __future__ import annotations

from typing import Any

from pointsman.core import metrics
from pointsman.core.chat import Message, Usage
from pointsman.core.ledger import Entry
from pointsman.core.metrics import ALL, LONGEST_LABEL, MOST_MODELS, OTHER, Labels, Measured, measured
from pointsman.core.receipt import Attempt, ChatResult, Timing
from pointsman.core.secret import Secret
from tests.each import each

PRIVATE = {"account", "client", "workspace", "key", "path", "chat", "window", "conversation", "title", "user"}
FAKE = Secret("not-a-real-key-0123456789")


def chat(model: str = "m", provider: str = "p", **more: Any) -> Measured:
    fields: dict[str, Any] = {
        "outcome": "end",
        "seconds": 0.1,
        "first_token": None,
        "attempts": 1,
        "tokens": {"input": 3},
        "usd": None,
    }
    return Measured(provider=provider, model=model, **(fields | more))


ENTRY = Entry(
    chat_id="c",
    at=0.0,
    provider="p",
    model="m",
    client="tests",
    outcome="end",
    input_tokens=3,
    output_tokens=0,
    exact=True,
    usd=None,
    total_ms=1500,
    attempts=1,
    cached_input_tokens=2,
    cache_write_tokens=0,
)
SKIPPED = Attempt("s", "skipped", "skipped", reason="no key")


def result(*attempts: Attempt, first: int | None = None) -> ChatResult:
    return ChatResult(
        chat_id="c",
        stop_reason="end",
        message=Message("assistant", ""),
        model=None,
        provider=None,
        usage=Usage(9, 9, True),
        attempts=attempts,
        timing=Timing(first, 1500),
    )


def test_each_series_is_named_once_and_as_its_kind_is() -> None:
    assert len({each.name for each in ALL}) == len(ALL)
    for series in ALL:
        assert series.name.endswith("_total") == (series.kind == "counter")
        assert bool(series.buckets) == (series.kind == "histogram")
        assert list(series.buckets) == sorted(series.buckets)
        assert not PRIVATE & set(series.labels)


@each(
    ("model", "label"),
    [
        ("qwen/qwen3-32b:free", "qwen/qwen3-32b:free"),
        ("sk-fake0123456789abcdef", OTHER),
        (f"m {FAKE.reveal()}", OTHER),
        ("x" * LONGEST_LABEL, "x" * LONGEST_LABEL),
        ("x" * (LONGEST_LABEL + 1), OTHER),
    ],
)
def test_a_label_is_a_model_or_nothing(model: str, label: str) -> None:
    assert Labels().of("p", model) == ("p", label)
    assert Labels().of(model, "m") == (label, "m")


def test_models_are_bounded() -> None:
    labels = Labels()
    found = {labels.of("p", f"m{number}")[1] for number in range(MOST_MODELS + 5)}
    assert len(found) == MOST_MODELS + 1
    assert labels.of("p", "m0") == ("p", "m0"), "those that have one keep it"
    assert labels.of("p", f"m{MOST_MODELS}") == ("p", OTHER)


def test_a_chat_counts_for_whom_the_ledger_names() -> None:
    seen = result(Attempt("m", "p", "failed"), Attempt("m", "p", "answered"), SKIPPED, first=300)
    assert measured(seen, "length", ENTRY) == Measured("p", "m", "length", 1.5, 0.3, 2, {"input": 3, "cached": 2}, None)


@each(
    ("attempts", "who", "count"),
    [
        ([Attempt("a", "x", "failed"), Attempt("b", "y", "failed"), SKIPPED], ("y", "b"), 2),
        ([SKIPPED], ("skipped", "s"), 0),
        ([], (OTHER, OTHER), 0),
    ],
)
def test_one_that_reached_nobody_counts_for_the_last_that_was_tried(
    attempts: list[Attempt], who: tuple[str, str], count: int
) -> None:
    assert measured(result(*attempts), "error", None) == Measured(*who, "error", 1.5, None, count, {}, 0.0)


def test_the_gauges_of_a_moment() -> None:
    found = metrics.gauges("1.2", 3, 4, ["fine", "sk-fake0123456789abcdef"], {"troubled"})
    assert found == {
        metrics.RUNNING: {(): 3},
        metrics.QUEUE: {(): 4},
        metrics.BREAKER: {("fine",): 0.0, (OTHER,): 0.0, ("troubled",): 1.0},
        metrics.BUILD: {("1.2",): 1.0},
    }
