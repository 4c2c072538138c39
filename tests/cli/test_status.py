"""`pointsman status`: the dashboard in 80 columns, live on a terminal, once in a pipe."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.cells import cell_len

from pointsman.cli.dashboard import WIDTH, status_lines
from pointsman.cli.trace import trace_lines
from tests.cli.shell import Shell, ended
from tests.counterparts.upstream import Upstream
from tests.living import provider

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SELECTION = {"displayName": "Sonnet", "state": "ready", "why": "Decided by the global choice."}


def at(**ago: float) -> str:
    return (NOW - timedelta(**ago)).isoformat().replace("+00:00", "Z")


def line(id: str, **more: Any) -> dict[str, Any]:
    return {"provider": id, "name": id.title(), "state": "available", "models": 3, "costToday": 0.0, **more}


def status(*dashboard: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "version": "1.0",
        "pid": 4711,
        "uptimeSeconds": 7200.0,
        "draining": False,
        "runningChats": 1,
        "waitingChats": 0,
        "keptChats": 2,
        "memory": 50 * 2**20,
        "configFile": "/home/me/.config/pointsman/pointsman.toml",
        "logFile": "/home/me/.local/share/pointsman/daemon.log",
        "providers": 35,
        "problems": 0,
        "plugins": [],
        "clients": [],
        "dashboard": list(dashboard),
        "spentToday": 1.25,
        "spentMonth": 12.5,
        "unpricedToday": 0,
        **more,
    }


def rows(*dashboard: dict[str, Any], **more: Any) -> list[str]:
    return status_lines(status(*dashboard, **more), SELECTION, NOW)


@pytest.mark.parametrize(
    ("more", "cells"),
    [
        ({}, ["-", "never", "$0.00", "3"]),
        ({"credit": [{"amount": 74.5, "currency": "USD"}], "lastUsedAt": at(minutes=2)}, ["$74.50", "2 min ago"]),
        ({"credit": [{"amount": 1500.0, "currency": "POINTS"}], "lastUsedAt": at(seconds=0)}, ["1,500 points", "now"]),
        ({"credit": [{"amount": 3, "currency": ""}], "remaining": 7}, ["3.00, 7 req"]),
        ({"credit": [{"amount": 3, "currency": "SEK"}], "lastUsedAt": at(days=3)}, ["3.00 SEK", "3 d ago"]),
        ({"costToday": 0.0042}, ["$0.0042"]),
        ({"costToday": 2.5, "unpricedToday": 3}, ["$2.50 + 3?"]),
        ({"unpricedToday": 3}, ["unknown"]),
    ],
)
def test_a_line_a_provider(more: dict[str, Any], cells: list[str]) -> None:
    (found,) = [row for row in rows(line("acme", **more)) if row.startswith("acme")]
    assert re.split(" {2,}", found)[:2] == ["acme", "available"]
    for cell in cells:
        assert cell in found


def test_everything_fits_into_80_columns() -> None:
    reason = (
        "quota spent, resets 2026-11-23 09:00, tried again at 14:05 (QuotaExhausted), by what it said of this account"
    )
    credit = [{"amount": 12345.5, "currency": "USD"}] * 5
    wide = line(
        "a-provider-with-a-very-long-name-indeed",
        state="rate-limited",
        reason=reason,
        since=at(hours=1),
        waiting=3,
        credit=credit,
        remaining=225,
        costToday=1234.5,
        unpricedToday=123,
        lastUsedAt=at(minutes=59),
        models=31234,
        windows=[{"name": "5 hours", "usedPercent": 99.0, "used": 224, "limit": 225, "account": "me@example.com"}] * 2,
        resetsAt=at(hours=-3),
    )
    budgets = [
        {"about": "provider", "name": "x" * 30, "period": "month", "spent": 9.0, "budget": 10.0, "reached": False}
    ]
    metrics = {"page": "http://127.0.0.1:9464/metrics", "problem": "The file can't be written. " * 5}
    found = rows(line("short"), wide, line("other", waiting=1), budgets=budgets, metrics=metrics, unpricedToday=1)
    assert [row for row in found if cell_len(row) > WIDTH] == []
    text = " ".join(" ".join(found).split())
    assert f"{reason}, since" in text
    assert "3 chats wait for a limit of yours" in text
    assert "1 chat waits for a limit of yours" in text
    assert "spent to 90% ($9.00 of $10.00)" in text
    assert "and 1 chat of unknown price" in text
    assert "224 of 225 requests in 5 hours (me@example.com)" in text


def test_a_budget_that_has_room_is_not_worth_a_line() -> None:
    budget = {"about": "all", "period": "day", "spent": 7.9, "budget": 10.0, "reached": False}
    assert "Budget" not in " ".join(rows(budgets=[budget]))
    budget |= {"spent": 10.0, "reached": True}
    assert "that of all providers for this day is spent ($10.00 of $10.00)" in " ".join(rows(budgets=[budget]))


@pytest.mark.parametrize(
    ("today", "month", "words"),
    [
        (0, 0, "Spent $1.25 today; $12.50 this month"),
        (0, 7, "Spent $1.25 today; $12.50 this month, and 7 chats of unknown price"),
        (1, 1, "Spent $1.25 today, and 1 chat of unknown price; $12.50 this month, and 1 chat of unknown price"),
    ],
)
def test_each_sum_says_what_it_leaves_out(today: int, month: int, words: str) -> None:
    found = rows(unpricedToday=today, unpricedMonth=month)
    assert words in " ".join(" ".join(found).split())
    assert all(cell_len(row) <= WIDTH for row in found)
    assert "this month," not in " ".join(rows()), "an older daemon does not count them"


# Through the shell


def test_once_in_a_pipe_even_if_it_is_to_be_watched(shell: Shell, upstream: Upstream) -> None:
    shell.configure(provider("up", upstream.base_url) + provider("down", "http://127.0.0.1:9/v1"))
    shell.run("chat", "-m", "up:count:3", "hi")
    for words in (("status",), ("status", "--watch")):
        done = shell.run(*words)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(r"^up +available +- +.* 0?$|^up +available", done.stdout, re.MULTILINE)
        told = "Spent $0.00 today, and 1 chat of unknown price; $0.00 this month, and 1 chat of unknown price"
        assert told in " ".join(done.stdout.split())
        assert "\x1b" not in done.stdout
    said = shell.json("status", "--watch")
    assert [each["provider"] for each in said["dashboard"]] == ["up", "down"]
    assert json.dumps(said["selection"])


def test_nothing_to_watch_where_no_daemon_runs(shell: Shell) -> None:
    done = shell.run("status", "--watch")
    assert (done.returncode, done.stderr) == (3, "")
    assert not shell.home.daemons()


def test_it_is_watched_on_a_terminal(shell: Shell, upstream: Upstream) -> None:
    shell.configure(provider("up", upstream.base_url))
    shell.run("use", "up:count:3")
    terminal = shell.terminal("status", "--watch", columns=80)
    terminal.shows("never")
    terminal.shows("0 running, 0 kept")
    shell.run("chat", "hi")
    terminal.shows("0 running, 1 kept")
    terminal.shows("1 chat of unknown price")
    shell.run("use", "echo:echo")
    terminal.shows("Echo (offline) · echo (available)")
    assert terminal.ends_by("\x03") == 0
    assert "Traceback" not in terminal.seen
    assert "\x1b[2J" not in terminal.seen, "what is cleared before it is drawn flickers"
    assert terminal.seen.count("\x1b[?25h") == 1, "the cursor is there again"


def test_a_daemon_that_ends_while_it_is_watched_is_told(shell: Shell) -> None:
    shell.run("use")
    terminal = shell.terminal("status", "--watch", columns=80)
    terminal.shows("Spent")
    shell.run("stop")
    assert terminal.ends() == 1
    assert "The daemon went away" in " ".join(terminal.seen.split())


def test_a_reader_that_leaves_ends_it(shell: Shell) -> None:
    shell.run("use")
    done = ended(shell.begin("status", "--watch"))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_trace_of_a_chat_is_a_small_table(shell: Shell, upstream: Upstream) -> None:
    shell.configure(provider("up", upstream.base_url))
    done = shell.run("chat", "-m", "up:count:3", "--trace", "hi")
    assert (done.returncode, done.stdout) == (0, "0 1 2 \n")
    planned, heading, attempt = done.stderr.splitlines()[-3:]
    assert planned.startswith("planned after ")
    assert heading.split()[-1] == "in"
    assert re.fullmatch(r"up:count:3( +[\d.]+){5} +\d+ B +\d+ B", attempt), attempt
    assert "trace" not in shell.json("chat", "-m", "up:count:3", "hi")
    assert shell.json("chat", "-m", "up:count:3", "--trace", "hi")["trace"]["attempts"]


def test_waits_and_failures_stand_in_their_order() -> None:
    attempt = {"model": "m", "provider": "p" * 40, "begunMs": 700.0, "outcome": "answered", "connectedMs": 701.26}
    failed = {"model": "m", "provider": "p", "begunMs": 1.0, "outcome": "failed", "status": 429, "bytesIn": 20_000}
    wait = {"waitFor": "retry", "begunMs": 20.5, "endedMs": 699.0}
    lines = list(trace_lines({"plannedMs": 0.4, "endedMs": 900.0, "attempts": [failed, attempt], "waits": [wait]}))
    assert [each.split()[0] for each in lines[2:]] == ["p:m", "…", f"{'p' * 23}…"]
    assert "p:m failed 429" in lines[2]
    assert "20 kB" in lines[2]
    assert lines[3] == "… waits before it tries again: 20.5 to 699"
    assert "701" in lines[4]
    left = {"model": "m", "provider": "p", "begunMs": 1.0}
    assert "p:m cancelled" in "\n".join(
        trace_lines({"plannedMs": 0.4, "endedMs": 9.0, "attempts": [left], "waits": []})
    )
