"""The pages in docs/ that are partly made: what only people can say stands in the files beside this one.

Must never know what a page is about, nor be needed by the daemon.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

PLACE = re.compile(r"\{\{([^{}\n]+)\}\}")


def template(name: str) -> str:
    """A page as people have written it, where `{{place}}` is left open for what the code says itself."""
    return Path(__file__).with_name(f"{name}.md").read_text("utf-8")


def fill(text: str, values: Mapping[str, str]) -> str:
    """A page with a value in each of its places. Raises ValueError for a place without a value, and the reverse."""
    places = set(PLACE.findall(text))
    if unknown := places - values.keys():
        raise ValueError(f"Nothing is known for these places: {', '.join(sorted(unknown))}.")
    if unused := values.keys() - places:
        raise ValueError(f"The page has no place for these: {', '.join(sorted(unused))}.")
    return PLACE.sub(lambda place: values[place[1]], text)
