"""`each` calls a test with every case, and tells each that fails."""

import pytest

from tests.each import each


def test_every_case_is_tried_and_each_that_fails_is_told() -> None:
    tried = []

    @each("first", [1, 2])
    @each(("second", "third"), [("a", "b"), ("c", "d")])
    def some(first: int, second: str, third: str, fixture: object) -> None:
        tried.append((first, second, third, fixture))
        assert (first, second) != (2, "c")

    with pytest.raises(ExceptionGroup, match="1 of 2 cases failed") as failed:
        some(fixture=None)
    assert tried == [(1, "a", "b", None), (1, "c", "d", None), (2, "a", "b", None), (2, "c", "d", None)]
    assert failed.value.exceptions[0].__notes__ == ["with first=2"]
    [[inner]] = [group.exceptions for group in failed.value.exceptions if isinstance(group, ExceptionGroup)]
    assert inner.__notes__ == ["with second='c', third='d'"]


def test_a_table_without_cases_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="no case of first"):
        each("first", [])


def test_what_does_not_happen_is_told_with_its_case_and_ends_nothing() -> None:
    tried = []

    @each("number", [1, 0, 2])
    def some(number: int) -> None:
        tried.append(number)
        with pytest.raises(ZeroDivisionError):
            assert 1 / number

    with pytest.raises(ExceptionGroup, match="2 of 3 cases failed") as failed:
        some()
    assert tried == [1, 0, 2]
    assert [error.__notes__ for error in failed.value.exceptions] == [["with number=1"], ["with number=2"]]


def test_what_nobody_would_wait_for_is_a_mistake() -> None:
    async def waiting(first: int) -> None:
        assert first

    with pytest.raises(AssertionError, match="wait for it"):
        each("first", [1])(waiting)  # type: ignore[arg-type]
