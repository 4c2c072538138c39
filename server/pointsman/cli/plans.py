"""How much of each plan is used, in words. Must never ask the daemon."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pointsman.cli.tables import local
from pointsman.cli.terminal import say


def show_plans(plans: Iterable[Mapping[str, Any]]) -> None:
    """One line a plan of which anything is used: its windows, and when some of it comes back."""
    for plan in plans:
        if any(window["usedPercent"] for window in plan.get("windows", ())):
            back = f"; more from {local(plan['resetsAt'])}" if "resetsAt" in plan else ""
            say(f"Plan       {plan['name']}: {', '.join(map(in_words, plan['windows']))}{back}")


def in_words(window: Mapping[str, Any]) -> str:
    """`3 of 225 requests in 5 hours`, or `40 % of 7 days` where the provider tells no more."""
    account = f" ({window['account']})" if "account" in window else ""
    if "limit" in window:
        return f"{window['used']} of {window['limit']} requests in {window['name']}{account}"
    return f"{window['usedPercent']:.3g} % of {window['name']}{account}"
