"""What is measured, in which unit, and what it should be; medians and verdicts. Pure: numbers in, outcomes out.

Each run gives one number for each relay. A ratio is taken within a run, where all relays had the same machine at the
same time; what is reported is the median over the runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

OURS = "pointsman"
RELAYS = (OURS, "bare", "httpx")


@dataclass(frozen=True)
class Figure:
    """One line of the table. `at_most` is in the figure's unit, or times what the relay `than` needs.

    Not `comparable`: near zero, so that a ratio would say nothing.
    """

    key: str
    title: str
    unit: str
    at_most: float | None = None
    than: str | None = None
    comparable: bool = True


FIGURES = (
    Figure("first_token", "first token, p50", "ms", 6, "bare"),
    Figure("burst_cpu", "CPU a token in a burst", "µs", 0.35, "httpx"),
    Figure("paced_cpu", "CPU a token, 200 streams", "µs", 4.5, "bare"),
    Figure("paced_p50", "delay a token, 200 streams, p50", "ms", 3, "bare"),
    Figure("paced_p99", "delay a token, 200 streams, p99", "ms", 10),
    Figure("streams", "streams before p99 passes 50 ms", ""),
    Figure("list", "listProviders, p50", "ms", 0.3),
    Figure("ready", "start to ready", "s", 0.5),
    Figure("idle", "memory before the first chat", "MB", 60),
    Figure("idle_after", "memory after it", "MB", 85),
    Figure("connection", "memory of a further connection", "KB", 20),
    Figure("growth", "memory growth, second half of a long load", "MB", 3, comparable=False),
    Figure("blocked", "callbacks above 10 ms while serving", "", 0),
    Figure("blocked_start", "longest callback before it is ready", "ms"),
    Figure("connect", "`pointsman connect` until initialized", "ms"),
    Figure("forwarder_p50", "delay that the forwarder adds, p50", "ms"),
    Figure("forwarder_p99", "delay that the forwarder adds, p99", "ms"),
)


@dataclass
class Samples:
    """What the runs gave, by figure and by relay; and which numbers are a bound of the machine, not of the relay."""

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    bounded: set[tuple[str, str]] = field(default_factory=set)

    def add(self, key: str, relay: str, value: float) -> None:
        """One number of one run."""
        self.values.setdefault(key, {}).setdefault(relay, []).append(value)


@dataclass(frozen=True)
class Outcome:
    """A figure as it came out: the medians, ours as a multiple of each reference, and whether the target holds."""

    figure: Figure
    medians: Mapping[str, float]
    ratios: Mapping[str, float]
    holds: bool | None
    samples: Mapping[str, Sequence[float]]


def outcomes(samples: Samples) -> list[Outcome]:
    """All figures for which there are numbers."""
    return [_outcome(figure, samples.values[figure.key]) for figure in FIGURES if figure.key in samples.values]


def _outcome(figure: Figure, values: Mapping[str, Sequence[float]]) -> Outcome:
    medians = {relay: median(found) for relay, found in values.items()}
    ratios = {
        relay: median(one / other for one, other in zip(values[OURS], found, strict=True))
        for relay, found in values.items()
        if figure.comparable and relay != OURS and all(other > 0 for other in found)
    }
    if figure.at_most is None:
        holds = None
    else:
        holds = (ratios[figure.than] if figure.than else medians[OURS]) <= figure.at_most
    return Outcome(figure, medians, ratios, holds, values)
