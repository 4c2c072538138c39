"""Pages with places that the code fills in: each place gets its value, and each value has its place."""

from __future__ import annotations

import pytest

from pointsman.rpc import pages, schema


def test_each_place_gets_its_value() -> None:
    text = 'Up to {{most}} of {{most}}, as `auth = { scheme = "{scheme}" }` in {{a table}}.'
    values = {"most": "{{3}}", "a table": r"| \\1 |"}
    filled = 'Up to {{3}} of {{3}}, as `auth = { scheme = "{scheme}" }` in | \\\\1 |.'
    assert pages.fill(text, values) == filled


def test_a_place_that_nothing_is_known_for_is_told() -> None:
    with pytest.raises(ValueError, match="Nothing is known for these places: leats, moist"):
        pages.fill("{{moist}}, {{leats}} and {{most}}", {"most": "3"})


def test_a_value_without_a_place_is_told() -> None:
    with pytest.raises(ValueError, match="The page has no place for these: least, mean"):
        pages.fill("{{most}}", {"most": "3", "mean": "2", "least": "1"})


def test_each_template_is_of_a_page_that_is_made() -> None:
    templates = {path.name for path in (schema.ROOT / "server/pointsman/rpc/pages").glob("*.md")}
    assert templates == {path.removeprefix("docs/") for path in schema.FILES if path.endswith(".md")}
