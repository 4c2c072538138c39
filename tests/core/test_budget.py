"""Budgets: told at four fifths, reached when spent."""

from __future__ import annotations

from pointsman.core.budget import EVERYTHING, Budget, Budgets, Spent, budget_of, every, limits, placed, title
from tests.each import each


@each(
    ("budget", "spent", "words"),
    [
        (Budget(), Spent(100, 100), []),
        (Budget(day=5), Spent(3.99, 90), []),
        (Budget(day=0), Spent(), ["the budget of p for this day is $0"]),
        (Budget(day=5), Spent(4, 90), ["the budget of p for this day is spent to 80% ($4.00 of $5.00)"]),
        (
            Budget(day=5, month=50, when_reached="next"),
            Spent(4.5, 50.5),
            [
                "the budget of p for this month is spent ($50.50 of $50.00)",
                "the budget of p for this day is spent to 90% ($4.50 of $5.00)",
            ],
        ),
    ],
)
def test_what_is_nearly_spent_is_told_and_what_is_spent_comes_first(
    budget: Budget, spent: Spent, words: list[str]
) -> None:
    found = limits("p", budget, spent)
    assert [limit.words for limit in found] == words
    assert {limit.action for limit in found} <= {budget.when_reached}


def test_budgets_of_folders_hold_where_those_really_are_and_the_strictest_of_several_does() -> None:
    budgets = Budgets(
        Budget(day=9),
        {"p": Budget(day=8)},
        {
            "/w/": Budget(day=1, month=50, when_reached="next"),
            "/link": Budget(day=2, month=40),
            "/w": Budget(when_reached="next"),
            "/v": Budget(month=3, when_reached="next"),
        },
    )
    found = placed(budgets, lambda path: {"/w/": "/w", "/link": "/w"}.get(path, path))
    assert found == Budgets(
        Budget(day=9),
        {"p": Budget(day=8)},
        {"/w": Budget(day=1, month=40), "/v": Budget(month=3, when_reached="next")},
    )
    assert placed(found, lambda path: path) == found


def test_budgets_by_what_they_are_about() -> None:
    one, two = Budget(day=1), Budget(month=2)
    budgets = Budgets(providers={"p": one, "none": Budget(when_reached="next")}, workspaces={"/w": two})
    assert list(every(budgets)) == [(("provider", "p"), one), (("workspace", "/w"), two)]
    assert list(every(Budgets(all_=one))) == [(EVERYTHING, one)]
    assert budget_of(budgets, EVERYTHING) == Budget()
    assert budget_of(budgets, ("provider", "p")) is one
    assert budget_of(budgets, ("workspace", "/w")) is two
    assert budget_of(budgets, ("workspace", "p")) is None
    assert [title(about) for about in (EVERYTHING, ("provider", "p"), ("workspace", "/w"))] == [
        "all providers",
        "p",
        "/w",
    ]
