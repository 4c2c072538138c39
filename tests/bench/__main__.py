"""`make bench`: measures, prints a table, and writes JSON if asked for. Noise is no failure, unless `--strict`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from time import monotonic

from rich.console import Console

from tests.bench.figures import outcomes
from tests.bench.report import as_json, table
from tests.bench.run import FULL, QUICK, Bench

WIDTH = 130
"""Columns that the table needs."""
LOUD = 0.2
"""Cores at work for others above which the table comes with a caution."""


def main() -> int:
    """Runs the benchmark; the exit status is 1 if a target was missed and `--strict` was given."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Pointsman beside two plain relays.")
    parser.add_argument(
        "--quick", action="store_true", help="one run, in half a minute, without the search for streams"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every number of every run to FILE")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a target is missed")
    given = parser.parse_args()
    begun, terminal = monotonic(), Console(stderr=True, highlight=False)
    console = Console(width=max(WIDTH, terminal.width))
    with tempfile.TemporaryDirectory(prefix="pointsman-bench-") as folder:
        bench = Bench(QUICK if given.quick else FULL, Path(folder), lambda doing: terminal.print(f"{doing} …"))
        asyncio.run(bench.all())
    found = outcomes(bench.samples)
    console.print(table(found, bench.samples))
    for slow in bench.slow:
        when = "before it was ready" if slow.starting else "while serving"
        console.print(f"{slow.milliseconds:.0f} ms {when}: {slow.what}", markup=False, highlight=False)
    load = median(bench.other_load)
    console.print(f"{bench.sizes.runs} runs, {monotonic() - begun:.0f} s; others kept {load:.2f} cores busy meanwhile.")
    if load > LOUD:
        console.print("That is too much for the times above to mean anything; ratios suffer less.")
    if given.json:
        report = as_json(found, bench.samples) | {"runs": bench.sizes.runs, "otherLoad": bench.other_load}
        report["slowCallbacks"] = [asdict(slow) for slow in bench.slow]
        given.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return int(given.strict and any(outcome.holds is False for outcome in found))


if __name__ == "__main__":
    sys.exit(main())
