"""How the outcomes are shown: a table for people, JSON for programs. Must never measure anything."""

from __future__ import annotations

import os
import platform
from typing import Any

from rich.table import Table

from tests.bench.figures import OURS, RELAYS, Figure, Outcome, Samples

HEADINGS = {"pointsman": "Pointsman", "bare": "(a) bare", "httpx": "(b) httpx"}


def table(outcomes: list[Outcome], samples: Samples) -> Table:
    """One line a figure."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("figure", no_wrap=True)
    for relay in RELAYS:
        shown.add_column(HEADINGS[relay], justify="right", no_wrap=True)
    shown.add_column("÷(a)", justify="right")
    shown.add_column("÷(b)", justify="right")
    shown.add_column("target", no_wrap=True)
    shown.add_column("holds")
    for outcome in outcomes:
        cells = [_cell(outcome, relay, (outcome.figure.key, relay) in samples.bounded) for relay in RELAYS]
        ratios = [
            f"{outcome.ratios[relay]:.2f}" if relay in outcome.ratios else "" for relay in RELAYS if relay != OURS
        ]
        verdict = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[outcome.holds]
        shown.add_row(outcome.figure.title, *cells, *ratios, target(outcome.figure), verdict)
    return shown


def target(figure: Figure) -> str:
    """What the figure should be, in words."""
    if figure.at_most is None:
        return ""
    if figure.than:
        return f"≤ {figure.at_most:g} × ({'a' if figure.than == 'bare' else 'b'})"
    return f"≤ {figure.at_most:g} {figure.unit}".rstrip()


def as_json(outcomes: list[Outcome], samples: Samples) -> dict[str, Any]:
    """Everything, with every number of every run."""
    return {
        "format": 1,
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "figures": [
            {
                "key": outcome.figure.key,
                "title": outcome.figure.title,
                "unit": outcome.figure.unit,
                "median": dict(outcome.medians),
                "ratio": dict(outcome.ratios),
                "target": target(outcome.figure),
                "holds": outcome.holds,
                "samples": {relay: list(found) for relay, found in outcome.samples.items()},
                "boundByMachine": [relay for relay in RELAYS if (outcome.figure.key, relay) in samples.bounded],
            }
            for outcome in outcomes
        ],
    }


def _cell(outcome: Outcome, relay: str, bounded: bool) -> str:
    if relay not in outcome.medians:
        return ""
    value, unit = outcome.medians[relay], outcome.figure.unit
    number = f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return f"{'≥ ' if bounded else ''}{number} {unit}".rstrip()
