"""The life of a chat: each failure leads to the right move, no bound is passed, and every life ends."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle, product
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.attempts import (
    FIRST_WAIT,
    IMPATIENCE,
    LONGEST_WAIT,
    PATIENCE,
    TABLE,
    Happening,
    Life,
    Move,
    Phase,
    judge,
    step,
    wait,
)
from pointsman.core.errors import (
    BadCertificate,
    BadRequest,
    ConfigError,
    ConnectFailed,
    ContextTooLong,
    Interrupted,
    InvalidKey,
    MissingKey,
    Overloaded,
    PointsmanError,
    QuotaExhausted,
    RateLimited,
    TimedOut,
)
from tests.each import each

PHASES: tuple[Phase, ...] = get_args(Phase)
HAPPENINGS: tuple[Happening, ...] = ("visible", "ended", "hopeless", "retry", "key", "target")
LEFT = Life(retries=2, keys_left=1, targets_left=1)
SPENT = Life(tries=2, retries=2)


def test_the_table_has_a_row_for_all_that_can_happen() -> None:
    assert set(TABLE) == {*product(PHASES, HAPPENINGS), ("speaking", "continue")}
    assert {move for _, move in TABLE.values()} == set(get_args(Move))


@each("happening", HAPPENINGS)
def test_an_answer_that_has_begun_is_never_begun_again(happening: Happening) -> None:
    phase, move = TABLE["speaking", happening]
    assert phase == "speaking"
    assert move in {"emit", "finish", "interrupt"}


@each("happening", HAPPENINGS)
def test_who_goes_on_with_an_answer_may_fail_like_the_first_but_what_was_said_stands(happening: Happening) -> None:
    phase, move = TABLE["seam", happening]
    instead = {"hopeless": "interrupt"}
    assert move == instead.get(happening, TABLE["quiet", happening][1])
    assert phase == ("speaking" if happening == "visible" else "seam")


@each("happening", HAPPENINGS)
def test_only_something_visible_begins_an_answer(happening: Happening) -> None:
    assert (TABLE["quiet", happening][0] == "speaking") == (happening == "visible")


@each(
    ("happening", "after"),
    [
        ("retry", Life(tries=2, retries=2, keys_left=1, targets_left=1)),
        ("key", Life(tries=0, retries=2, keys_left=0, targets_left=1)),
        ("target", Life(tries=0, retries=2, keys_left=1, targets_left=0)),
        ("visible", Life("speaking", tries=1, retries=2, keys_left=1, targets_left=1)),
        ("ended", Life(tries=1, retries=2, keys_left=1, targets_left=1)),
    ],
)
def test_a_step_counts_what_it_takes(happening: Happening, after: Life) -> None:
    assert step(Life(tries=1, retries=2, keys_left=1, targets_left=1), happening)[0] == after


@each(
    ("error", "life", "meaning"),
    [
        (Overloaded("o"), LEFT, "retry"),
        (Overloaded("o"), Life(tries=2, retries=2, targets_left=1), "target"),
        (Overloaded("o"), SPENT, "hopeless"),
        (Overloaded("o", retry_after=PATIENCE), LEFT, "retry"),
        (Overloaded("o", retry_after=PATIENCE + 1), LEFT, "target"),
        (Overloaded("o", retry_after=float("inf")), Life(retries=2), "hopeless"),
        (Overloaded("o", retry_after=IMPATIENCE), replace(LEFT, free=True), "retry"),
        (Overloaded("o", retry_after=IMPATIENCE + 0.1), replace(LEFT, free=True), "target"),
        (Overloaded("o", retry_after=IMPATIENCE + 0.1), LEFT, "retry"),
        (Overloaded("o"), Life(tries=5, retries=6, targets_left=1, free=True), "retry"),
        (TimedOut("t"), LEFT, "retry"),
        (ConnectFailed("c"), Life(retries=0, targets_left=1), "target"),
        (RateLimited("r"), LEFT, "key"),
        (RateLimited("r"), Life(targets_left=1), "target"),
        (RateLimited("r"), Life(retries=1), "retry"),
        (RateLimited("r"), SPENT, "hopeless"),
        (InvalidKey("i"), LEFT, "key"),
        (InvalidKey("i"), Life(targets_left=1), "target"),
        (InvalidKey("i"), Life(retries=2), "hopeless"),
        (QuotaExhausted("q"), Life(retries=2), "hopeless"),
        (MissingKey("m"), LEFT, "target"),
        (BadCertificate("b"), LEFT, "target"),
        (BadRequest("b"), LEFT, "hopeless"),
        (ConfigError("c"), LEFT, "hopeless"),
    ],
)
def test_a_failure_means_the_first_remedy_that_is_left(error: PointsmanError, life: Life, meaning: str) -> None:
    assert judge(life, error) == meaning


@each(("left", "meaning"), [(1, "target"), (0, "hopeless")])
def test_what_could_not_be_sent_may_be_sent_elsewhere(left: int, meaning: str) -> None:
    life = Life(keys_left=1, targets_left=left)
    assert judge(life, BadRequest("no"), sent=False) == meaning
    assert judge(life, BadRequest("no")) == "hopeless"


SPEAKS = Life("speaking", targets_left=1, continues=True)


@each(
    ("error", "life", "meaning"),
    [
        (Interrupted("broken"), SPEAKS, "continue"),
        (Overloaded("o"), SPEAKS, "continue"),
        (RateLimited("r"), SPEAKS, "continue"),
        (Interrupted("broken"), replace(SPEAKS, targets_left=0), "retry"),
        (Interrupted("broken"), replace(SPEAKS, continues=False), "retry"),
        (BadRequest("b"), SPEAKS, "hopeless"),
        (Interrupted("broken"), replace(SPEAKS, phase="seam"), "retry"),
        (Interrupted("broken"), replace(SPEAKS, phase="seam", retries=0), "target"),
    ],
)
def test_a_broken_answer_is_gone_on_with_where_that_is_wanted(error: PointsmanError, life: Life, meaning: str) -> None:
    assert judge(life, error) == meaning
    assert step(life, judge(life, error))[0].phase == ("seam" if meaning == "continue" else life.phase)


@each(("roomier", "meaning"), [(0, "hopeless"), (1, "target")])
def test_what_is_too_long_goes_only_where_more_fits(roomier: int, meaning: str) -> None:
    assert judge(Life(targets_left=2, keys_left=1, roomier=roomier), ContextTooLong("long")) == meaning


ERRORS = [Overloaded, RateLimited, InvalidKey, QuotaExhausted, MissingKey, BadRequest, ConnectFailed]
errors = st.builds(
    lambda kind, seconds: kind("e", retry_after=seconds),
    st.sampled_from(ERRORS),
    st.none() | st.floats(0, 100) | st.just(float("inf")),
)


@settings(deadline=None)
@given(
    st.lists(errors, min_size=1, max_size=6),
    st.integers(0, 10),
    st.integers(0, 5),
    st.integers(0, 5),
    st.none() | st.integers(0, 30),
)
def test_every_life_ends_within_its_bounds(
    failures: list[PointsmanError], retries: int, keys: int, targets: int, speaks_at: int | None
) -> None:
    life = Life(retries=retries, keys_left=keys, targets_left=targets)
    moves: list[Move] = []
    for number, error in enumerate(cycle(failures)):
        if number == speaks_at:
            life, move = step(life, "visible")
            assert move == "emit"
        life, move = step(life, judge(life, error))
        moves.append(move)
        assert 0 <= life.tries <= life.retries
        assert min(life.keys_left, life.targets_left) >= 0
        if move in {"fail", "interrupt"}:
            break
        assert speaks_at is None or number < speaks_at
    assert moves.count("key") <= keys
    assert moves.count("target") <= targets
    assert len(moves) <= (retries + 1) * (1 + keys + targets)


@given(errors, st.integers(0, 12), st.floats(0, 1))
def test_a_wait_is_never_shorter_than_asked_nor_longer_than_needed(
    error: PointsmanError, tries: int, jitter: float
) -> None:
    seconds = wait(Life(tries=tries), error, jitter)
    asked = error.retry_after or 0.0
    assert seconds >= max(asked, FIRST_WAIT / 2)
    assert seconds <= max(asked, LONGEST_WAIT)


def test_waits_double_up_to_the_longest() -> None:
    waits = [wait(Life(tries=tries), Overloaded("o"), 1.0) for tries in range(7)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert wait(Life(), Overloaded("o"), 0.0) == FIRST_WAIT / 2
