"""How a base URL names a program."""

from __future__ import annotations

from pointsman.core.program import program_of
from tests.each import each


@each(
    ("url", "name"),
    [
        ("program://claude", "claude"),
        ("program:///opt/it", "/opt/it"),
        ("program:///a%20b", "/a b"),
        ("program:it", "it"),
    ],
)
def test_a_base_url_names_a_program(url: str, name: str) -> None:
    assert program_of(url) == name
