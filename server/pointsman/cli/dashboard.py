"""The status of the daemon and of its providers as lines of text, at most 80 columns wide. Must never ask the daemon.

The same lines are printed once, drawn again and again, or sent into a pipe.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pointsman.cli.plans import in_words
from pointsman.cli.tables import chosen, in_local_time, local

WIDTH = 80
COLUMNS = ("provider", "state", "left", "used", "today", "models")
NUMBERS = {"left", "today", "models"}
GAP = "  "
SHORTENED = {"left": 8, "provider": 12}
"""What gives way where a line is too long, in this order, and how much of it stays: others have named it."""
SIGNS = {"USD": "$", "EUR": "€", "CNY": "¥"}
NEARLY = 0.8
"""The part of a budget from which on it is shown."""
UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))

Row = tuple[str, ...]


def status_lines(status: Mapping[str, Any], selection: Mapping[str, Any], now: datetime | None = None) -> list[str]:
    """All of it: the daemon, the money, the providers, and who is connected."""
    now = now or datetime.now(UTC)
    return [
        *_daemon(status, selection),
        *_money(status),
        "",
        *_providers(status["dashboard"], now),
        *_plans(status["dashboard"]),
        "",
        *_clients(status["clients"]),
    ]


def _daemon(status: Mapping[str, Any], selection: Mapping[str, Any]) -> Iterator[str]:
    leaving = ", shutting down" if status["draining"] else ""
    up = _span(status["uptimeSeconds"])
    yield f"Pointsman {status['version']}, process {status['pid']}, up {up}{leaving}"
    yield from _field("Model", chosen(selection))
    waiting = f", {status['waitingChats']} waiting" if status["waitingChats"] else ""
    memory = f"{status['memory'] / 2**20:.0f} MiB"
    yield f"Chats      {status['runningChats']} running{waiting}, {status['keptChats']} kept; memory {memory}"
    config = f"{status['configFile']}, {status['providers']} providers, {status['problems']} problems"
    yield from _field("Config", config)
    yield from _field("Log", status["logFile"])
    for plugin in status["plugins"]:
        wrong = f": {plugin['problem']}" if "problem" in plugin else ""
        about = f"{plugin['name']} ({plugin['package']} {plugin['version']}) is {plugin['state']}{wrong}"
        yield from _field("Plugin", about)
    if metrics := status.get("metrics"):
        places = [metrics[name] for name in ("page", "textfile", "problem") if name in metrics]
        yield from _field("Metrics", ", ".join(places))


def _money(status: Mapping[str, Any]) -> Iterator[str]:
    today = f"{_dollars(status['spentToday'])} today{_left_out(status['unpricedToday'])}"
    month = f"{_dollars(status['spentMonth'])} this month{_left_out(status.get('unpricedMonth', 0))}"
    yield from _field("Spent", f"{today}; {month}")
    for budget in status.get("budgets", ()):
        if budget["spent"] >= NEARLY * budget["budget"]:
            of = budget.get("name", "all providers")
            sums = f"{_dollars(budget['spent'])} of {_dollars(budget['budget'])}"
            share = "spent" if budget["reached"] else f"spent to {budget['spent'] / budget['budget']:.0%}"
            state = f"{share} ({sums})" if budget["budget"] else "$0, and what costs is not asked"
            yield from _field("Budget", f"that of {of} for this {budget['period']} is {state}")


def _left_out(unpriced: int) -> str:
    """What a sum leaves out."""
    return f", and {_chats(unpriced)} of unknown price" if unpriced else ""


def _providers(dashboard: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[str]:
    """A line a provider, and below it what is held against it."""
    rows = [_row(provider, now) for provider in dashboard]
    widths = [max(len(row[number]) for row in (COLUMNS, *rows)) for number in range(len(COLUMNS))]
    for name, least in SHORTENED.items():
        number = COLUMNS.index(name)
        widths[number] = min(widths[number], max(least, widths[number] + WIDTH - _width(widths)))
    yield _joined(COLUMNS, widths)
    for provider, row in zip(dashboard, rows, strict=True):
        yield _joined(row, widths)
        for text in _notes(provider):
            yield from textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")


def _row(provider: Mapping[str, Any], now: datetime) -> Row:
    unknown = provider.get("unpricedToday", 0)
    cost = _dollars(provider["costToday"]) if provider["costToday"] or not unknown else "unknown"
    return (
        provider["provider"],
        provider["state"],
        _left(provider),
        _ago(provider["lastUsedAt"], now) if "lastUsedAt" in provider else "never",
        f"{cost} + {unknown}?" if provider["costToday"] and unknown else cost,
        str(provider["models"]),
    )


def _left(provider: Mapping[str, Any]) -> str:
    """Money, then requests of a plan; nothing where nobody says it."""
    found = [_money_of(each) for each in provider.get("credit", ())]
    if "remaining" in provider:
        found.append(f"{provider['remaining']} req")
    return ", ".join(found) or "-"


def _money_of(amount: Mapping[str, Any]) -> str:
    currency, number = amount["currency"], amount["amount"]
    if currency == "POINTS":
        return f"{number:,.0f} points"
    return f"{SIGNS[currency]}{number:,.2f}" if currency in SIGNS else f"{number:,.2f} {currency}".strip()


def _notes(provider: Mapping[str, Any]) -> Iterator[str]:
    since = f", since {_time(provider['since'])}" if "since" in provider else ""
    if reason := provider.get("reason"):
        yield f"{in_local_time(reason)}{since}"
    elif "resetsAt" in provider and provider["state"] == "rate-limited":
        yield f"back at {_time(provider['resetsAt'])}{since}"
    if waiting := provider.get("waiting"):
        yield f"{_chats(waiting)} {'waits' if waiting == 1 else 'wait'} for a limit of yours"


def _plans(dashboard: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line a plan of which anything is used: its windows, and when some of it comes back."""
    for provider in dashboard:
        windows = provider.get("windows", ())
        if any(window["usedPercent"] for window in windows):
            back = f"; more from {_time(provider['resetsAt'])}" if "resetsAt" in provider else ""
            yield from _field("Plan", f"{provider['name']}: {', '.join(map(in_words, windows))}{back}")


def _clients(clients: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for client in clients:
        name = f"{client['client']} {client.get('clientVersion', '')}".strip()
        where = f" in {client['workspace']}" if "workspace" in client else ""
        since = _time(client["connectedAt"])
        yield from _field(
            "Connected", f"{name} ({client['version']}){where}, window {client['windowId']}, since {since}"
        )


def _field(name: str, text: str) -> list[str]:
    """A named value, on as many lines as it takes; a word is never cut."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"{name:11}",
        subsequent_indent=" " * 11,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _joined(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        _cut(value, width).rjust(width) if name in NUMBERS else _cut(value, width).ljust(width)
        for name, value, width in zip(COLUMNS, row, widths, strict=True)
    ]
    return GAP.join(cells).rstrip()


def _width(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _ago(time: str, now: datetime) -> str:
    seconds = (now - datetime.fromisoformat(time)).total_seconds()
    return f"{_span(seconds)} ago" if seconds >= 1 else "now"


def _span(seconds: float) -> str:
    size, unit = next((each for each in UNITS if seconds >= each[0]), UNITS[-1])
    return f"{seconds / size:.0f} {unit}"


def _time(time: str) -> str:
    """A time of the daemon's on the clock on the wall, without the date where that is today's."""
    said = local(time)
    return said[11:16] if said[:10] == datetime.now(UTC).astimezone().strftime("%Y-%m-%d") else said[:16]


def _dollars(usd: float) -> str:
    """Cents, and of less than ten of them as much as says anything."""
    return f"${usd:,.2f}" if usd >= 0.1 or not usd else f"${usd:.4f}"


def _chats(count: int) -> str:
    return "1 chat" if count == 1 else f"{count} chats"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
