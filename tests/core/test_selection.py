"""Which choice holds: the narrowest scope that is set, and what one sentence says about it."""

from __future__ import annotations

from pointsman.core.selection import (
    Author,
    Choice,
    Choices,
    Decider,
    Place,
    Scope,
    applying,
    explain,
    revision_at,
)
from tests.each import each

HERE = Place("w1", "/home/me/code")
ME = Author("Neovim", "w1")
AT = "2026-11-20T10:00:00.000Z"


def choose(scope: Scope, key: str, model: str | None, revision: int = 1) -> Choice:
    return Choice(scope, key, model, revision, ME, AT)


def choices(*made: Choice) -> Choices:
    return {(choice.scope, choice.key): choice for choice in made}


WINDOW = choose("window", "w1", "p:window", 4)
WORKSPACE = choose("workspace", "/home/me/code", "p:workspace", 3)
GLOBAL = choose("global", "", "p:global", 2)
CLEARED = choose("window", "w1", None, 5)
ELSEWHERE = (choose("window", "w2", "p:x", 6), choose("workspace", "/home/me", "p:y", 7))

APPLYING: dict[str, tuple[list[Choice], Place, list[Choice]]] = {
    "nothing is set": ([], HERE, []),
    "the narrowest comes first": ([GLOBAL, WORKSPACE, WINDOW], HERE, [WINDOW, WORKSPACE, GLOBAL]),
    "only what is set": ([GLOBAL, WINDOW], HERE, [WINDOW, GLOBAL]),
    "a cleared scope counts as not set": ([GLOBAL, CLEARED], HERE, [GLOBAL]),
    "elsewhere does not matter": ([*ELSEWHERE, GLOBAL], HERE, [GLOBAL]),
    "without a workspace": ([GLOBAL, WORKSPACE, WINDOW], Place("w1", None), [WINDOW, GLOBAL]),
    "without a window": ([GLOBAL, WORKSPACE, WINDOW], Place(None, "/home/me/code"), [WORKSPACE, GLOBAL]),
    "without either": ([GLOBAL, WORKSPACE, WINDOW], Place(), [GLOBAL]),
}


@each("case", APPLYING)
def test_the_choices_that_apply(case: str) -> None:
    made, place, expected = APPLYING[case]
    assert applying(choices(*made), place) == expected


@each(("scope", "revision"), [("window", 5), ("workspace", 3), ("global", 0)])
def test_the_revision_of_a_scope(scope: Scope, revision: int) -> None:
    assert revision_at(choices(CLEARED, WORKSPACE), HERE, scope) == revision


def test_there_is_no_revision_where_there_is_no_place() -> None:
    assert revision_at(choices(WORKSPACE, *ELSEWHERE), Place("w1", None), "workspace") == 0


@each(
    ("decider", "choice", "hidden", "sentence"),
    [
        ("none", None, [], "Decided by nothing."),
        ("fallback", None, [], "Decided by the first configured provider."),
        ("default", None, [GLOBAL], "Decided by the default of pointsman.toml; it hides the global choice (p:global)."),
        ("global", GLOBAL, [], f"Decided by the global choice, made by Neovim at {AT}."),
        (
            "window",
            WINDOW,
            [WORKSPACE, GLOBAL],
            f"Decided by this window's choice, made by Neovim at {AT};"
            " it hides this workspace's choice (p:workspace) and the global choice (p:global).",
        ),
    ],
)
def test_one_sentence_says_why(decider: Decider, choice: Choice | None, hidden: list[Choice], sentence: str) -> None:
    assert explain(decider, choice, hidden) == sentence
