"""What the user writes about money: read from pointsman.toml alone, and what is wrong is told on its line."""

from __future__ import annotations

import pytest
from msgspec import Struct

from pointsman.core.accounting import Recording, WrittenPrice
from pointsman.core.budget import Budget, Budgets
from pointsman.core.catalogue import Catalogue
from pointsman.core.configuration import parse
from pointsman.core.layers import Layer, LayerKind

MINE = '[providers.mine]\nbase_url = "http://mine.example"\n'


def read(text: str, kind: LayerKind = "user") -> Catalogue:
    return parse([Layer("pointsman.toml", MINE), Layer("the file", text, kind)], {"openai-chat": Struct})


def test_what_may_be_said() -> None:
    found = read("""\
[budgets]
all = { day = 5, month = 50 }
providers.mine = { day = 1, when_reached = "next" }
workspaces."/home/me/x" = { month = 3.5 }
[ledger]
workspaces = false
keep_days = 30
[providers.mine.prices]
"a/b.c" = { input = 3, output = 15.0, cached_input = 0.3 }
""")
    assert found.problems == ()
    assert found.budgets == Budgets(
        Budget(5, 50), {"mine": Budget(1, when_reached="next")}, {"/home/me/x": Budget(month=3.5)}
    )
    assert found.ledger == Recording(workspaces=False, keep_days=30)
    assert found.providers["mine"].prices == {"a/b.c": WrittenPrice(3.0, 15.0, 0.3)}


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("[budgets]\nal = { day = 5 }", 2, "unknown field `al`", "Did you mean `all`?"),
        ("[budgets]\nall = { dya = 5 }", 2, "unknown field `dya`", "Did you mean `day`?"),
        ("\n[budgets.providers.mine]\ndya = 5", 2, "unknown field `dya`", "Did you mean `day`?"),
        ("[budgets]\nall.day = -1", 2, "`budgets.all.day`: Expected `float` >= 0.0", "docs/configuration.md"),
        ("\n[budgets]\nworkspaces.x.day = 1", 2, "matching regex '^/'", "docs/configuration.md"),
        ('[budgets]\nall.when_reached = "stop"', 2, "Invalid enum value 'stop'", "docs/configuration.md"),
        ("[budgets]\nproviders.mina.day = 1", 2, "a provider that is not there", "Did you mean `mine`?"),
        ("[budgets]\nproviders.zzzzz.day = 1", 2, "a provider that is not there", "`pointsman providers` lists"),
        ("[ledger]\nkeep = 3", 2, "unknown field `keep`", "Did you mean `keep_days`?"),
        ("[ledger]\nkeep_days = 0", 2, "Expected `int` >= 1", "docs/configuration.md"),
        ("[providers.mine]\nprices.m = { inpt = 1, output = 1 }", 1, "unknown field `inpt`", "Did you mean `input`?"),
        ("[providers.mine]\nprices.m = { input = -1, output = 1 }", 2, "Expected `float` >= 0", "docs/configuration"),
    ],
)
def test_what_is_wrong(text: str, line: int, message: str, hint: str) -> None:
    (problem,) = read(text).problems
    assert message in problem.message
    assert hint in problem.hint
    assert (problem.file, problem.line) == ("the file", line)


@pytest.mark.parametrize("text", ["[budgets]\nall.day = 1000", "[ledger]\nrecord = false", "[providers.mine.prices]"])
def test_a_project_says_nothing_about_money(text: str) -> None:
    found = read(text, "project")
    assert "can't be set by a project" in found.problems[0].message
    assert (found.budgets, found.ledger) == (Budgets(), Recording())
