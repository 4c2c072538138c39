"""What dialects share to carry a conversation over."""

from __future__ import annotations

from typing import Any

from pointsman.core.chat import FilePart, ImagePart
from pointsman.wire.carrying import unpacked
from tests.each import each


@each(
    ("given", "expected"),
    [
        (ImagePart(url="data:image/gif;base64,R0lG"), ImagePart("image/gif", "R0lG")),
        (ImagePart("image/png", url="data:;base64,R0lG", detail="low"), ImagePart("image/png", "R0lG", detail="low")),
        (FilePart(url="data:text/csv;charset=utf-8;base64,AA==", name="a"), FilePart("text/csv", "AA==", name="a")),
        (FilePart(url="data:text/plain,words"), FilePart(url="data:text/plain,words")),
        (ImagePart(url="https://h/a"), ImagePart(url="https://h/a")),
        (ImagePart(data="AA==", url="data:;base64,BB=="), ImagePart(data="AA==", url="data:;base64,BB==")),
        (ImagePart(), ImagePart()),
    ],
)
def test_data_in_a_url_is_data(given: Any, expected: Any) -> None:
    assert unpacked(given) == expected
