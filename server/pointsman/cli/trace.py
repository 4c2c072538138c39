"""Where the time of one chat went, as lines of text. Must never ask the daemon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

COLUMNS = ("", "connect", "byte 1", "event 1", "last", "end", "out", "in")
TIMES = ("connectedMs", "firstByteMs", "firstEventMs", "lastEventMs", "endedMs")
WAITS = {
    "limit": "waits for a limit of yours",
    "retry": "waits before it tries again",
    "provider": "waits until it may be asked",
}
MOST_NAME = 24


def trace_lines(trace: Mapping[str, Any]) -> Iterator[str]:
    """A small table: milliseconds since the chat was asked for, and bytes each way."""
    yield f"planned after {_time(trace['plannedMs'])} ms; all times are milliseconds from the start"
    steps = [(wait["begunMs"], _wait(wait)) for wait in trace["waits"]]
    steps += [(attempt["begunMs"], _attempt(attempt)) for attempt in trace["attempts"]]
    rows = [row for _, row in sorted(steps, key=lambda step: step[0])]
    widths = [max((len(row[number]) for row in (COLUMNS, *rows) if len(row) > 1), default=0) for number in range(8)]
    yield _joined(COLUMNS, widths)
    for row in rows:
        yield _joined(row, widths) if len(row) > 1 else row[0]


def _attempt(attempt: Mapping[str, Any]) -> Sequence[str]:
    name = f"{attempt['provider']}:{attempt['model']}"
    outcome = attempt.get("outcome", "cancelled")
    ending = "" if outcome == "answered" else f" {outcome}"
    if outcome == "failed" and "status" in attempt:
        ending = f" {outcome} {attempt['status']}"
    name = name if len(name) <= MOST_NAME else f"{name[: MOST_NAME - 1]}…"
    times = [_time(attempt[each]) if each in attempt else "-" for each in TIMES]
    return (
        f"{name}{ending}",
        *times,
        _size(attempt.get("bytesOut", 0)),
        _size(attempt.get("bytesIn", 0)),
    )


def _wait(wait: Mapping[str, Any]) -> Sequence[str]:
    begun, ended = wait["begunMs"], wait["endedMs"]
    return (f"… {WAITS[wait['waitFor']]}: {_time(begun)} to {_time(ended)}",)


def _joined(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (value.rjust(width) for value, width in zip(row, widths, strict=True))
    return "  ".join((first.lstrip().ljust(widths[0]), *others)).rstrip()


def _time(milliseconds: float) -> str:
    return f"{milliseconds:.1f}" if milliseconds < 100 else f"{milliseconds:.0f}"


def _size(count: int) -> str:
    return f"{count} B" if count < 10_000 else f"{count / 1000:.0f} kB"
