"""The command `usage`: what chats took and cost, with bars, against another price, and as files. Must never reckon a
cost: the daemon's ledger has it.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from pointsman.cli.client import Client
from pointsman.cli.examples import WithExamples
from pointsman.cli.failures import Failure
from pointsman.cli.parameters import as_json, complete_model
from pointsman.cli.spending import columns, cost, count, dollars, show_budgets, with_bars
from pointsman.cli.tables import local
from pointsman.cli.terminal import console, is_terminal, note, print_json, print_table, say

BY = ("day", "provider", "model", "account", "workspace", "client")
PAGE = 1000
"""Chats that the daemon is asked for at once."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for a formula, if a text began with it."""
TOTALS = (
    *("name", "chats", "inputTokens", "cachedInputTokens", "cacheWriteTokens", "outputTokens", "reasoningTokens"),
    *("usd", "unpriced", "estimated", "cancelled", "plan", "againstUsd"),
)
CHATS = (
    *("endedAt", "chatId", "provider", "model", "account", "client", "workspace", "outcome"),
    *("inputTokens", "cachedInputTokens", "cacheWriteTokens", "outputTokens", "reasoningTokens", "exact"),
    *("usd", "source", "failedUsd", "attempts", "firstTokenMs", "totalMs"),
)


@click.command(cls=WithExamples)
@click.option(
    "--since",
    metavar="TIME",
    default="month",
    show_default=True,
    help="`7d`, `24h`, today, yesterday, week, month, year, all, or a date.",
)
@click.option("--until", metavar="TIME", default="now", help="A date, that day included.")
@click.option("--by", type=click.Choice(BY), default="day", show_default=True, help="What is summed up.")
@click.option(
    "--against",
    metavar="MODEL",
    shell_complete=complete_model,
    help="What the same tokens would have cost with this model.",
)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many lines: the latest days, else the largest.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the sums as CSV.")
@click.option(
    "--export",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the chats themselves into a file: `.csv` or `.json`.",
)
@as_json
def usage(as_json: bool, as_csv: bool, file: Path | None, **asked: Any) -> None:
    """Show what chats took and cost.

    Chats that were cancelled, broke off or failed are in it. Where nobody knows a price, it says so, and counts none.
    """
    if as_json and as_csv:
        raise click.UsageError("It is either --json or --csv.")
    if file is not None and file.suffix not in {".csv", ".json"}:
        raise click.UsageError(f"{file} ends neither in .csv nor in .json.")
    params = {name: value for name, value in asked.items() if value is not None}
    with Client() as client:
        if file is not None:
            written = _export(client, file, {name: params[name] for name in ("since", "until")})
            note(f"{written} chats stand in {file}.")
            return
        result = client.call("pointsman/usage", params)
    if as_json:
        print_json(result)
    elif as_csv:
        _write_csv(sys.stdout, TOTALS, result["totals"])
    else:
        _show(result)


def _show(result: Mapping[str, Any]) -> None:
    """Lines of values in a pipe; for people a headline, bars, and what is left of budgets."""
    against = "against" in result
    rows = [columns(total, result["by"], against=against) for total in result["totals"]]
    heads = [result["by"], "cost", "chats", "tokens in", "cached", "out", *([result["against"]] if against else ())]
    if not is_terminal(sys.stdout):
        print_table(heads, rows)
        return
    say(_headline(result))
    if rows:
        heads, rows = with_bars(heads, rows, result["totals"], console().width)
        print_table(heads, rows)
    if left := result.get("leftOut"):
        say(f"{left} more are left out.")
    show_budgets(result.get("budgets", ()))
    if not result["recording"]:
        note("Nothing new is written down: `record` is false under [ledger] in pointsman.toml.")


def _headline(result: Mapping[str, Any]) -> str:
    grand = result["grand"]
    if not grand["chats"]:
        return f"No chats since {local(result['since'])}."
    facts = [f"{cost(grand)} for {count(grand['chats'], 'chat')} since {local(result['since'])}"]
    if "againstUsd" in grand:
        facts.append(f"with {result['against']} it would have been {dollars(grand['againstUsd'])}")
    if cut := grand.get("cancelled"):
        facts.append(f"{cut} cut short")
    if about := grand.get("estimated"):
        facts.append(f"{about} by estimated tokens")
    return ", ".join(facts) + "."


def _export(client: Client, file: Path, params: Mapping[str, Any]) -> int:
    """Writes all chats of that time into a file; says how many they are. Raises Failure."""
    chats = list(_pages(client, params))
    text = io.StringIO()
    if file.suffix == ".csv":
        _write_csv(text, CHATS, chats)
    else:
        json.dump(chats, text, indent=2, ensure_ascii=False)
        text.write("\n")
    try:
        file.write_text(text.getvalue(), "utf-8")
    except OSError as error:
        raise Failure(f"{file} can't be written: {error.strerror}. Name another one.") from None
    return len(chats)


def _pages(client: Client, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    after: int | None = 0
    while after is not None:
        page = client.call("pointsman/exportUsage", {**params, "after": after, "limit": PAGE})
        yield from page["chats"]
        after = page.get("next")


def _write_csv(out: TextIO, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """A heading, and a line a row; what is unknown stays empty."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
