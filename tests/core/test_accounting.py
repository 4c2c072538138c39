"""What the user writes about money: read from pointsman.toml alone, and what is wrong is told on its line."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, inspect

from pointsman.core.accounting import Recording, WrittenPrice
from pointsman.core.budget import Budget, Budgets
from pointsman.core.catalogue import Catalogue, Provider
from pointsman.core.configuration import parse
from pointsman.core.layers import File, Layer, LayerKind
from tests.each import each

MINE = '[providers.mine]\nbase_url = "http://mine.example"\n'


def read(text: str, kind: LayerKind = "user") -> Catalogue:
    return parse([Layer("pointsman.toml", MINE), Layer("the file", text, kind)], {"openai-chat": Struct})


def test_what_may_be_said() -> None:
    found = read("""\
[budgets]
all = { day = 5, month = 50 }
providers.mine = { day = 1, when_reached = "next" }
workspaces."/home/me/x" = { month = 3.5 }
workspaces."~/y/" = { day = 1 }
[ledger]
workspaces = false
keep_days = 30
[providers.mine.prices]
"a/b.c" = { input = 3, output = 15.0, cached_input = 0.3 }
""")
    assert found.problems == ()
    assert found.budgets == Budgets(
        Budget(5, 50),
        {"mine": Budget(1, when_reached="next")},
        {"/home/me/x": Budget(month=3.5), "~/y/": Budget(1)},
    )
    assert found.ledger == Recording(workspaces=False, keep_days=30)
    assert found.providers["mine"].prices == {"a/b.c": WrittenPrice(3.0, 15.0, 0.3)}


@each(
    ("text", "line", "message", "hint"),
    [
        ("[budgets]\nal = { day = 5 }", 2, "unknown field `al`", "Did you mean `all`?"),
        ("[budgets]\nall = { dya = 5 }", 2, "unknown field `dya`", "Did you mean `day`?"),
        ("\n[budgets.providers.mine]\ndya = 5", 2, "unknown field `dya`", "Did you mean `day`?"),
        ("[budgets]\nall.day = -1", 2, "`budgets.all.day`: Expected a number, at least 0", "docs/configuration.md"),
        ("\n[budgets]\nworkspaces.x.day = 1", 2, "matching regex '^(/|~/)'", "docs/configuration.md"),
        ('[budgets]\nall.when_reached = "stop"', 2, "Invalid enum value 'stop'", "docs/configuration.md"),
        ("[budgets]\nproviders.mina.day = 1", 2, "a provider that is not there", "Did you mean `mine`?"),
        ("[budgets]\nproviders.zzzzz.day = 1", 2, "a provider that is not there", "`pointsman providers` lists"),
        ("[ledger]\nkeep = 3", 2, "unknown field `keep`", "Did you mean `keep_days`?"),
        ("[ledger]\nkeep_days = 0", 2, "Expected a whole number, at least 1", "docs/configuration.md"),
        (
            "[budgets]\nall.day = inf",
            2,
            "`budgets.all.day`: Expected a number, at most 1,000,000,000",
            "docs/configuration.md",
        ),
        (
            "[budgets]\nall.month = nan",
            2,
            "`budgets.all.month`: Expected a number, at least 0",
            "docs/configuration.md",
        ),
        (
            "[budgets]\nproviders.mine.day = 1e10",
            2,
            "Expected a number, at most 1,000,000,000",
            "docs/configuration.md",
        ),
        ("[providers.mine]\nprices.m = { inpt = 1, output = 1 }", 2, "unknown field `inpt`", "Did you mean `input`?"),
        (
            "[providers.mine]\nprices.m = { input = -1, output = 1 }",
            2,
            "Expected a number, at least 0",
            "docs/configuration",
        ),
        (
            '[providers.mine.prices]\n"a.b" = { input = 1, output = 1 }\nm = { input = inf, output = 1 }',
            3,
            "[providers.mine] `prices.m.input`: Expected a number, at most 1,000,000,000",
            "docs/configuration.md",
        ),
        (
            "[providers.mine.prices.m]\ninput = 1\noutput = 1\nrequest = 1e308",
            4,
            "[providers.mine] `prices.m.request`: Expected a number, at most 1,000,000,000",
            "docs/configuration.md",
        ),
        (
            "[providers.mine]\nprices.m = 3",
            2,
            "`prices.m`: Expected a table, got a whole number",
            "docs/configuration.md",
        ),
    ],
)
def test_what_is_wrong(text: str, line: int, message: str, hint: str) -> None:
    (problem,) = read(text).problems
    assert message in problem.message
    assert hint in problem.hint
    assert (problem.file, problem.line) == ("the file", line)


def test_no_number_of_the_configuration_is_without_bounds() -> None:
    """Neither `inf` nor `nan` fits anywhere: JSON has no words for them, and no sum survives them."""
    found = set(unbounded(inspect.type_info(File), "File")) | set(unbounded(inspect.type_info(Provider), "Provider"))
    assert found == set()


def unbounded(kind: inspect.Type, path: str) -> Iterator[str]:
    """The paths of floats that may be as large as they like, in all that a type consists of."""
    match kind:
        case inspect.FloatType():
            if (kind.ge is None and kind.gt is None) or (kind.le is None and kind.lt is None):
                yield path
        case inspect.StructType(fields=fields):
            for field in fields:
                yield from unbounded(field.type, f"{path}.{field.name}")
        case inspect.UnionType(types=types):
            for each in types:
                yield from unbounded(each, path)
        case inspect.DictType(value_type=inner) | inspect.VarTupleType(item_type=inner):
            yield from unbounded(inner, path)
        case inspect.Metadata(type=inner):
            yield from unbounded(inner, path)


@each("text", ["[budgets]\nall.day = 1000", "[ledger]\nrecord = false", "[providers.mine.prices]"])
def test_a_project_says_nothing_about_money(text: str) -> None:
    found = read(text, "project")
    assert "can't be set by a project" in found.problems[0].message
    assert (found.budgets, found.ledger) == (Budgets(), Recording())
