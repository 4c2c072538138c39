"""LSP's framing: the same bodies wherever the bytes are cut, and an end to what is not framed so."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.rpc import framing
from pointsman.rpc.framing import LARGEST_HEAD, Framer, TooLarge, frame

Found = tuple[list[bytes | TooLarge], str | None]

NO_LSP = "what arrived is not framed as LSP"
HEADER = "a header is not one of LSP's"
NUMBER = "the length of a frame is no number"
NO_LENGTH = "a frame has no length"

CASES: dict[str, tuple[bytes, list[bytes | TooLarge], str | None]] = {
    "nothing": (b"", [], None),
    "one": (b"Content-Length: 2\r\n\r\n{}", [b"{}"], None),
    "two": (frame(b"{}") + frame(b"[1]"), [b"{}", b"[1]"], None),
    "an empty body": (frame(b"") + frame(b"{}"), [b"", b"{}"], None),
    "a body that looks like a head": (frame(frame(b"x")), [frame(b"x")], None),
    "bytes that are no text": (frame(bytes(range(256))), [bytes(range(256))], None),
    "half a body": (frame(b"{}") + b"Content-Length: 5\r\n\r\n{", [b"{}"], None),
    "half a head": (b"Content-Length: 2\r\n", [], None),
    "another case": (b"content-length: 2\r\n\r\n{}CONTENT-LENGTH: 1\r\n\r\nx", [b"{}", b"x"], None),
    "no space, and more of it": (b"Content-Length:2\r\n\r\n{}Content-Length:   1  \r\n\r\nx", [b"{}", b"x"], None),
    "a type": (b"Content-Type: application/x; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}", [b"{}"], None),
    "a type after the length": (b"Content-Length: 2\r\nContent-Type: x\r\n\r\n{}", [b"{}"], None),
    "an HTTP request": (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", [], NO_LSP),
    "an HTTP request after a frame": (frame(b"{}") + b"GET / HTTP/1.1\r\n\r\n", [b"{}"], NO_LSP),
    "an HTTP request that hides": (b"Content-Length: 2\r\nHost: h\r\n\r\n{}", [], HEADER),
    "the beginning of TLS": (b"\x16\x03\x01\x02\x00\x01\x00", [], NO_LSP),
    "JSON without a head": (b'{"jsonrpc": "2.0"}\n', [], NO_LSP),
    "a header nearly right": (b"Content-Lengths: 2\r\n\r\n{}", [], NO_LSP),
    "space in odd places": (b" Content-Length : 2\r\n\r\n{}Content-Length\t: 1\r\n\r\nx", [b"{}", b"x"], None),
    "nothing but space": (b" " * LARGEST_HEAD, [], NO_LSP),
    "no header at all": (b"\r\n\r\n{}", [], NO_LSP),
    "no length": (b"Content-Type: x\r\n\r\n{}", [], NO_LENGTH),
    "no number": (b"Content-Length: two\r\n\r\n{}", [], NUMBER),
    "less than nothing": (b"Content-Length: -2\r\n\r\n{}", [], NUMBER),
    "an empty number": (b"Content-Length:\r\n\r\n{}", [], NUMBER),
    "a fraction": (b"Content-Length: 2.0\r\n\r\n{}", [], NUMBER),
    "a number without end": (b"Content-Length: " + b"9" * 99 + b"\r\n\r\n{}", [], NUMBER),
    "two lengths": (b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", [], NUMBER),
    "a line without a colon": (b"Content-Length: 2\r\nx\r\n\r\n{}", [], HEADER),
    "LF alone": (b"Content-Length: 2\n\n{}" + b" " * LARGEST_HEAD, [], NO_LSP),
    "a head without end": (b"Content-Type: " + b"x" * LARGEST_HEAD, [], NO_LSP),
    "too large": (b"Content-Length: 30\r\n\r\n" + b"x" * 30 + frame(b"{}"), [TooLarge(30), b"{}"], None),
    "too large, twice": ((b"Content-Length: 21\r\n\r\n" + b"x" * 21) * 2, [TooLarge(21), TooLarge(21)], None),
    "too large, and not yet there": (b"Content-Length: 999999999999\r\n\r\nxxx", [TooLarge(999999999999)], None),
    "as large as may be": (frame(b"x" * 20), [b"x" * 20], None),
}
SMALL = {"too large", "too large, twice", "as large as may be"}


def feed(*pieces: bytes) -> Found:
    framer = Framer()
    return [body for piece in pieces for body in framer.feed(piece)], framer.broken


@pytest.mark.parametrize("case", CASES)
def test_what_is_found_wherever_the_bytes_are_cut(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, bodies, broken = CASES[case]
    if case in SMALL:
        monkeypatch.setattr(framing, "LARGEST_BODY", 20)

    def check(*pieces: bytes) -> None:
        found, why = feed(*pieces)
        assert found == bodies
        assert (why is None) == (broken is None)

    assert feed(data) == (bodies, broken) or broken in {HEADER, NO_LSP}
    check(data)
    check(*(data[at : at + 1] for at in range(len(data))))
    for cut in range(0, len(data) + 1, 1 + len(data) // 500):
        check(data[:cut], data[cut:])


@settings(deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=5), st.lists(st.integers(0, 300), max_size=8))
def test_any_cutting_gives_the_same_bodies(bodies: list[bytes], cuts: list[int]) -> None:
    data = b"".join(map(frame, bodies))
    ends = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert feed(*(data[a:b] for a, b in pairwise(ends))) == (bodies, None)


@settings(deadline=None)
@given(st.lists(st.binary() | st.sampled_from([b"Content-Length: 3\r\n\r\n", b"\r\n", b"Content-Type: x\r\n"])))
def test_no_bytes_are_too_odd_and_what_is_broken_stays_so(pieces: list[bytes]) -> None:
    framer = Framer()
    for piece in pieces:
        was = framer.broken
        found = framer.feed(piece)
        assert was is None or (found == [] and framer.broken == was)


def test_a_frame_that_is_too_large_is_not_kept() -> None:
    framer = Framer()
    assert framer.feed(b"Content-Length: 100000000\r\n\r\n" + b"x" * 10**5) == [TooLarge(10**8)]
    for _ in range(999):
        assert framer.feed(b"x" * 10**5) == []
    assert framer.feed(frame(b"{}")) == [b"{}"]


def test_a_broken_connection_keeps_nothing_more() -> None:
    framer = Framer()
    framer.feed(b"GET / HTTP/1.1\r\n")
    assert framer.feed(frame(b"{}")) == []
    assert framer.broken == NO_LSP
