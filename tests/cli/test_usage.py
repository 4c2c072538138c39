"""`pointsman usage`: sums with bars for people, plain lines for pipes, and files."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pointsman.cli import spending
from pointsman.cli.spending import bar, cost, with_bars
from tests.cli.shell import Shell
from tests.counterparts.upstream import Upstream
from tests.living import provider

PRICED = ('auth = { scheme = "none" }', '[providers.up.prices]\n"count:3" = { input = 10000, output = 100000 }')


def total(usd: float = 0.0, **more: int) -> dict[str, object]:
    return {"name": "n", "chats": 2, "inputTokens": 10, "outputTokens": 1, "usd": usd, **more}


@contextmanager
def spent(shell: Shell, upstream: Upstream) -> Iterator[None]:
    """Two chats that cost, one that nobody knows the price of, and one that costs nothing."""
    shell.configure(provider("up", upstream.base_url, *PRICED) + "[budgets]\nall = { day = 50, month = 1000 }\n")
    for model in ("up:count:3", "up:count:3", "up:count:4", "echo:echo"):
        assert shell.run("chat", "-m", model, "hello").returncode == 0
    yield


def test_without_chats_there_is_nothing_to_see(lasting_shell: Shell) -> None:
    assert lasting_shell.run("usage").stdout == ""
    terminal = lasting_shell.terminal("usage", NO_COLOR="1")
    assert terminal.ends() == 0
    assert "No chats since " in terminal.seen
    assert lasting_shell.json("usage", "--since", "7d")["totals"] == []
    assert lasting_shell.run("usage", "--csv").stdout.startswith("name,chats,inputTokens,")


def test_what_was_spent(shell: Shell, upstream: Upstream) -> None:
    with spent(shell, upstream):
        result = shell.json("usage", "--by", "model", "--against", "up:count:3")
        found = {each["name"]: each for each in result["totals"]}
        assert found.keys() == {"up:count:3", "up:count:4", "echo:echo"}
        one = found["up:count:3"]
        usd = (one["inputTokens"] * 10_000 + one["outputTokens"] * 100_000) / 1e6
        assert (one["chats"], one["usd"]) == (2, pytest.approx(usd))
        assert one["againstUsd"] == pytest.approx(one["usd"])
        assert found["up:count:4"]["unpriced"] == 1
        rows = [line.split("\t") for line in shell.run("usage", "--by", "model").stdout.splitlines()]
        assert rows[0][:3] == ["up:count:3", str(one["usd"]), "2"]
        assert sorted(row[:3] for row in rows[1:]) == [["echo:echo", "0.0", "1"], ["up:count:4", "unknown", "1"]]
        terminal = shell.terminal("usage", "--by", "model", "--against", "up:count:3", NO_COLOR="1", columns=120)
        assert terminal.ends() == 0
        lines = [line.rstrip() for line in terminal.seen.splitlines()]
        assert f"${usd:.4f} + 1 unknown for 4 chats since " in lines[0] or f"${usd:.2f} + 1 unknown" in lines[0]
        drawn = {line.split()[0]: line for line in lines[2:5]}
        assert "█████" in drawn["up:count:3"]
        assert "█" not in drawn["up:count:4"] + drawn["echo:echo"]
        assert ("unknown" in drawn["up:count:4"], "$0.00" in drawn["echo:echo"]) == (True, True)
        assert any(line.startswith("Budget     all providers: $") and "of $50.00 this day" in line for line in lines)
        terminal = shell.terminal("usage", "--limit", "1", "--by", "model", NO_COLOR="1", columns=40)
        assert terminal.ends() == 0
        assert "2 more are left out." in terminal.seen
        assert all(len(line) <= 40 for line in terminal.seen.splitlines()[1:3]), "it fits, if need be without bars"


def test_what_is_left_of_budgets(capsys: pytest.CaptureFixture[str]) -> None:
    day = {"period": "day", "whenReached": "next", "resetsAt": "2026-11-22T00:00:00Z"}
    spending.show_budgets([day | {"budget": 4.0, "spent": 1.0, "reached": False}])
    spending.show_budgets([day | {"budget": 0.0, "spent": 0.0, "reached": True, "name": "poe"}])
    assert capsys.readouterr().out == (
        "Budget     all providers: $1.00 of $4.00 this day, 25%\nBudget     poe: $0.00 a day; other models answer\n"
    )


def test_files(shell: Shell, upstream: Upstream, tmp_path: Path) -> None:
    with spent(shell, upstream):
        file = tmp_path / "chats.csv"
        done = shell.run("usage", "--export", str(file))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", f"4 chats stand in {file}.\n")
        rows = list(csv.DictReader(file.read_text().splitlines()))
        assert [(row["provider"], row["model"], row["outcome"]) for row in rows] == [
            ("up", "count:3", "end"),
            ("up", "count:3", "end"),
            ("up", "count:4", "end"),
            ("echo", "echo", "end"),
        ]
        assert [bool(row["usd"]) for row in rows] == [True, True, False, True], "unknown stays empty"
        shell.run("usage", "--export", str(tmp_path / "chats.json"))
        chats = json.loads((tmp_path / "chats.json").read_text())
        assert [str(chat.get("usd", "")) for chat in chats] == [row["usd"] for row in rows]
        sums = list(csv.DictReader(io.StringIO(shell.run("usage", "--by", "client", "--csv").stdout)))
        assert [(row["name"], row["chats"], row["unpriced"]) for row in sums] == [("pointsman", "4", "1")]
        nowhere = shell.run("usage", "--export", str(tmp_path / "no" / "chats.csv"))
        assert (nowhere.returncode, "can't be written" in nowhere.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--since", "soon"), 2, "'soon' is no time. Say `7d`"),
        (("--by", "moon"), 2, "moon"),
        (("--json", "--csv"), 2, "either"),
        (("--export", "file.txt"), 2, "neither in .csv nor in .json"),
        (("--against", "nobody:x"), 1, "nobody"),
    ],
)
def test_what_is_wrong(lasting_shell: Shell, words: tuple[str, ...], status: int, said: str) -> None:
    done = lasting_shell.run("usage", *words)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (total(), "$0.00"),
        (total(unpriced=2), "unknown"),
        (total(0.25, unpriced=2), "$0.2500 + 2 unknown"),
        (total(1.5, unpriced=1), "$1.50 + 1 unknown"),
        (total(plan=2), "plan"),
        (total(plan=1), "$0.00"),
        (total(1234.5), "$1234.50"),
        ({**total(), "chats": 0}, "$0.00"),
    ],
)
def test_a_cost_in_words(of: dict[str, object], words: str) -> None:
    assert cost(of) == words


class Ascii(io.StringIO):
    encoding = "ascii"


def test_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [bar(share, 4) for share in (0.0, 0.001, 0.5, 0.53, 1.0)] == ["", "▏", "██", "██▏", "████"]
    heads, rows = with_bars(["day", "cost"], [("a", "$1"), ("b", "$2")], [total(1.0), total(2.0)], 30)
    assert heads == ["day", "", "cost"]
    assert [len(row[1]) for row in rows] == [10, 19]
    assert with_bars(["day", "cost"], [("a", "$1")], [total(1.0)], 12) == (["day", "cost"], [("a", "$1")])
    _, rows = with_bars(["d"], [("a",), ("b",)], [total(), {**total(), "inputTokens": 0, "outputTokens": 0}], 30)
    assert [bool(row[1]) for row in rows] == [True, False], "where nothing cost, tokens are drawn"
    monkeypatch.setattr(sys, "stdout", Ascii())
    assert [bar(share, 4) for share in (0.0, 0.001, 0.5, 1.0)] == ["", "#", "##", "####"]
    assert spending.EIGHTHS[-1] == "█"
