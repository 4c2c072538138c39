"""A dict that keeps its newest entries."""

from __future__ import annotations

from pointsman.core.bounded import Bounded


def test_the_oldest_makes_room() -> None:
    kept = Bounded[int, str](2)
    kept[1], kept[2] = "a", "b"
    kept[1] = "c"
    assert kept == {1: "c", 2: "b"}
    kept[3] = "d"
    assert kept == {2: "b", 3: "d"}
