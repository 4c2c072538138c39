"""Server-sent events, and lines, from bytes: the same ones, wherever the network has cut them."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.stream import LineSplitter, SseSplitter
from tests.each import each

BOM = b"\xef\xbb\xbf"

CASES: dict[str, tuple[bytes, list[bytes]]] = {
    "nothing": (b"", []),
    "one event": (b"data: a\n\n", [b"a"]),
    "two events": (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    "CR LF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    "CR alone": (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    "all ends of lines mixed": (b"data: a\r\n\ndata: b\n\r\ndata: c\r\n\r\n", [b"a", b"b", b"c"]),
    "a byte order mark": (BOM + b"data: a\n\n", [b"a"]),
    "nothing but the mark": (BOM, []),
    "a mark that is none": (b"data: a\n\n" + BOM + b"data: b\n\n", [b"a"]),
    "the mark's beginning": (b"\xef\xbb", []),
    "no space after the colon": (b"data:a\n\n", [b"a"]),
    "only one space is taken": (b"data:  a \n\n", [b" a "]),
    "several lines of data": (b"data: a\ndata: b\ndata:\ndata: c\n\n", [b"a\nb\n\nc"]),
    "data without a colon": (b"data\n\ndata\ndata\n\n", [b"", b"\n"]),
    "comments": (b": busy\n\n:\n\ndata: a\n: busy\ndata: b\n\n", [b"a\nb"]),
    "other fields": (b"event: e\nid: 1\nretry: 5\ndata: a\nunknown\n\nevent: e\n\n", [b"a"]),
    "names that only begin alike": (b"database: x\nDATA: y\n data: z\n\n", []),
    "blank lines before and after": (b"\n\n\ndata: a\n\n\n\n", [b"a"]),
    "the last blank line is missing": (b"data: a\n\ndata: b\n", [b"a", b"b"]),
    "the last line has no end": (b"data: a\n\ndata: b", [b"a", b"b"]),
    "the last line ends in CR": (b"data: a\n\ndata: b\r", [b"a", b"b"]),
    "the last blank line is a CR": (b"data: a\r\n\r", [b"a"]),
    "what Python calls a line end, and the standard does not": (
        "data: a\x0b\x0c\x1c\x85\u2028b\n\n".encode(),
        ["a\x0b\x0c\x1c\x85\u2028b".encode()],
    ),
    "broken UTF-8": (b"data: \xff\xc3\n\n", [b"\xff\xc3"]),
}


def events(*chunks: bytes) -> list[bytes]:
    splitter = SseSplitter()
    return [event for chunk in chunks for event in splitter.feed(chunk)] + splitter.close()


def check(stream: bytes, expected: list[bytes]) -> None:
    assert events(stream) == expected
    assert events(*(stream[at : at + 1] for at in range(len(stream)))) == expected
    for cut in range(len(stream) + 1):
        assert events(stream[:cut], b"", stream[cut:]) == expected, f"cut at {cut}"


@each("case", CASES)
def test_the_events_of_a_stream(case: str) -> None:
    check(*CASES[case])


def by_the_standard(stream: bytes) -> list[bytes]:
    """The standard's algorithm, told as simply as it can be."""
    found: list[bytes] = []
    data: list[bytes] = []
    for line in [*re.split(rb"\r\n|\n|\r", stream.removeprefix(BOM)), b""]:
        field, _, value = line.partition(b":")
        if not line and data:
            found.append(b"\n".join(data))
            data = []
        elif field == b"data":
            data.append(value.removeprefix(b" "))
    return found


PIECES = [b"data: x", b"data:", b"data", b"data: \xc3\xa9", b"id: 1", b": c", b"\n", b"\r", b"\r\n", b"\n\n", BOM, b" "]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=3)), st.lists(st.integers(0, 80), max_size=9))
def test_any_cutting_gives_the_events_of_the_standard(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pieces)
    ends = [0, *sorted(cuts), len(stream)]
    assert events(*(stream[a:b] for a, b in pairwise(ends) if a <= b)) == by_the_standard(stream)


def test_events_come_as_soon_as_they_are_complete() -> None:
    splitter = SseSplitter()
    assert splitter.feed(b"data: a\n") == []
    assert splitter.feed(b"\ndata: b\r\n\r\ndata:") == [b"a", b"b"]
    assert splitter.feed(b" c\n\n") == [b"c"]


@each("piece", [b"x" * 10, b"data: ten bytes\n", b"data\n", b": no end of a comment"])
def test_what_is_kept_is_counted(piece: bytes) -> None:
    splitter = SseSplitter()
    for _ in range(1000):
        splitter.feed(piece)
    assert splitter.pending >= 1000
    splitter.feed(b"\n\n")
    assert splitter.pending == 0


# Lines

LINES: dict[str, tuple[bytes, list[bytes]]] = {
    "nothing": (b"", []),
    "two lines": (b"a\nb\n", [b"a", b"b"]),
    "the last line has no end": (b"a\nb", [b"a", b"b"]),
    "empty lines and blank ones": (b"\n\na\n \r\n\t\nb\n\n \n", [b"a", b"b"]),
    "an end of two bytes is JSON's business": (b"{}\r\n[]\r\n", [b"{}\r", b"[]\r"]),
    "what Python calls a line end, and nobody else does": (
        "a\x0b\x0c\x1c\x85\u2028b\rc\n".encode(),
        ["a\x0b\x0c\x1c\x85\u2028b\rc".encode()],
    ),
    "broken UTF-8": (b"\xff\xc3\n", [b"\xff\xc3"]),
}


def lines(*chunks: bytes) -> list[bytes]:
    splitter = LineSplitter()
    found = [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.close()
    assert splitter.close() == []
    return found


@each("case", LINES)
def test_the_lines_of_a_stream(case: str) -> None:
    stream, expected = LINES[case]
    assert lines(*(stream[at : at + 1] for at in range(len(stream)))) == expected
    for cut in range(len(stream) + 1):
        assert lines(stream[:cut], b"", stream[cut:]) == expected, f"cut at {cut}"


@settings(deadline=None)
@given(st.binary(max_size=40), st.lists(st.integers(0, 40), max_size=5))
def test_any_cutting_gives_the_same_lines(stream: bytes, cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(ends) if a <= b]
    assert lines(*chunks) == [line for line in stream.split(b"\n") if line.strip()]


def test_what_is_kept_of_a_line_is_counted() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"a\nbcd") == [b"a"]
    assert splitter.pending == 3
    splitter.feed(b"\n")
    assert splitter.pending == 0
