"""How money and tokens look on a terminal and in a pipe: costs in words, bars, budgets. Must never ask the daemon."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pointsman.cli.tables import local
from pointsman.cli.terminal import is_terminal, say

EIGHTHS = "▏▎▍▌▋▊▉█"
WIDEST, NARROWEST = 40, 4
"""Columns of a bar."""
NOBODY = {"workspace": "(no workspace)"}
"""What stands for a name that is not there."""


def cost(total: Mapping[str, Any]) -> str:
    """What a sum cost: what is known of it, and of how many chats nobody knows it."""
    unpriced, plan = total.get("unpriced", 0), total.get("plan", 0)
    if unpriced == total["chats"] and not total["usd"]:
        return "unknown" if unpriced else "$0.00"
    if plan == total["chats"] and not total["usd"]:
        return "plan"
    known = dollars(total["usd"])
    return f"{known} + {unpriced} unknown" if unpriced else known


def dollars(usd: float) -> str:
    """US dollars to the cent; less than a dollar to a hundredth of one."""
    return f"${usd:.2f}" if usd >= 1 or usd == 0 else f"${usd:.4f}"


def count(number: int, what: str) -> str:
    """`1 chat`, `1,200 chats`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def columns(total: Mapping[str, Any], by: str, *, against: bool) -> tuple[str, ...]:
    """One line of the table: its name, its cost, its chats and tokens, and what they would have cost elsewhere."""
    watched = is_terminal(sys.stdout)
    tokens = (total["inputTokens"], total.get("cachedInputTokens", 0), total["outputTokens"])
    elsewhere = total.get("againstUsd", 0.0)
    return (
        total["name"] or NOBODY.get(by, ""),
        cost(total) if watched else _plain_cost(total),
        f"{total['chats']:,}" if watched else str(total["chats"]),
        *(f"{number:,}" if watched else str(number) for number in tokens),
        *([dollars(elsewhere) if watched else str(elsewhere)] if against else ()),
    )


def with_bars(
    heads: Sequence[str], rows: Sequence[tuple[str, ...]], totals: Sequence[Mapping[str, Any]], width: int
) -> tuple[list[str], list[tuple[str, ...]]]:
    """The table with bars behind the names, as long as there is room for: of the cost, or of tokens if nothing cost."""
    paid = any(total["usd"] for total in totals)
    sizes = [total["usd"] if paid else total["inputTokens"] + total["outputTokens"] for total in totals]
    taken = sum(max(len(head), *(len(row[number]) for row in rows)) + 2 for number, head in enumerate(heads))
    room = min(WIDEST, width - taken)
    if room < NARROWEST:
        return list(heads), list(rows)
    most = max(sizes) or 1
    bars = [bar(size / most, room) for size in sizes]
    return [heads[0], "", *heads[1:]], [(row[0], drawn, *row[1:]) for row, drawn in zip(rows, bars, strict=True)]


def bar(share: float, width: int) -> str:
    """A bar of a share (0 to 1) of a width; whatever is more than nothing is seen."""
    if "utf" not in (sys.stdout.encoding or "").lower():
        return "#" * max(round(share * width), int(share > 0))
    eighths = max(round(share * width * 8), int(share > 0))
    whole, rest = divmod(eighths, 8)
    return EIGHTHS[-1] * whole + (EIGHTHS[rest - 1] if rest else "")


def show_budgets(budgets: Iterable[Mapping[str, Any]]) -> None:
    """One line a budget: how much of it is spent, and until when it holds."""
    for each in budgets:
        name, most = each.get("name", "all providers"), each["budget"]
        then = {"refuse": "chats that cost are refused", "next": "other models answer"}[each["whenReached"]]
        if not most:
            say(f"Budget     {name}: {dollars(most)} a {each['period']}; {then}")
            continue
        words = f"{dollars(each['spent'])} of {dollars(most)} this {each['period']}, {each['spent'] / most:.0%}"
        spent = f"; spent: {then} until {local(each['resetsAt'])}" if each["reached"] else ""
        say(f"Budget     {name}: {words}{spent}")


def _plain_cost(total: Mapping[str, Any]) -> str:
    """What a pipe gets: a number, or `unknown` or `plan`."""
    words = cost(total)
    return words if words in {"unknown", "plan"} else str(total["usd"])
