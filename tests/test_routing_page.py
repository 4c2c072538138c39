"""The page about routing says what the code does: its table of attempts is that of the code."""

from __future__ import annotations

import re
from pathlib import Path

from pointsman.core import health
from pointsman.core.attempts import FIRST_WAIT, IMPATIENCE, LONGEST_WAIT, PATIENCE, TABLE
from pointsman.core.errors import PointsmanError

PAGE = (Path(__file__).parent.parent / "docs" / "routing.md").read_text("utf-8")


def test_the_table_of_attempts() -> None:
    rows = re.findall(r"^\| (quiet|speaking|seam) \| (\w+) \| (\w+) \| (\w+) \|$", PAGE, re.MULTILINE)
    assert {(phase, happening): (then, move) for phase, happening, move, then in rows} == TABLE
    assert len(rows) == len(TABLE)


def test_what_each_error_leads_to() -> None:
    words = {"the next key": "key", "the next target": "target", "the same request again": "retry"}
    kinds = {kind.__name__: kind for kind in _all(PointsmanError)}
    rows = re.findall(r"^\| (`[A-Z].*?) \| (the (?:next|same)[^|]*) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for names, helps in rows:
        for name in re.findall(r"`(\w+)`", names):
            assert list(kinds[name].remedies) == [words[way] for way in helps.split(", ")], name


def test_the_seconds() -> None:
    assert (FIRST_WAIT, LONGEST_WAIT, PATIENCE, IMPATIENCE) == (0.5, 8.0, 20.0, 2.0)
    assert health.Policy(3, 30.0, 600.0) == health.TROUBLE
    assert health.Policy(1, 1.0, 60.0) == health.LIMITED
    assert health.Policy(1, 10.0, 1800.0) == health.SPENT
    assert health.Policy(1, 60.0, 3600.0) == health.REFUSED
    assert (health.LONGEST_FLOOR, health.LONGEST_OF_QUOTA) == (86400.0, 3600.0)


def _all(kind: type[PointsmanError]) -> list[type[PointsmanError]]:
    return [kind, *(found for sub in kind.__subclasses__() for found in _all(sub))]
