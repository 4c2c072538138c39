"""AWS's event stream from bytes: the same messages, wherever the network has cut them, and never an exception."""

from __future__ import annotations

import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.event_stream import LONGEST_HEADERS, LONGEST_PAYLOAD, EventStreamSplitter, Frame
from tests.each import each


def prelude(length: int, headers: int) -> bytes:
    head = struct.pack(">II", length, headers)
    return head + struct.pack(">I", zlib.crc32(head))


def message(headers: bytes, payload: bytes) -> bytes:
    body = prelude(16 + len(headers) + len(payload), len(headers)) + headers + payload
    return body + struct.pack(">I", zlib.crc32(body))


def header(name: str, kind: int, value: bytes) -> bytes:
    return bytes([len(name.encode())]) + name.encode() + bytes([kind]) + value


def text(name: str, value: str) -> bytes:
    return header(name, 7, struct.pack(">H", len(value.encode())) + value.encode())


EVENT = message(text(":event-type", "messageStop") + text(":message-type", "event"), b'{"stopReason":"end_turn"}')
READ = Frame({":event-type": "messageStop", ":message-type": "event"}, b'{"stopReason":"end_turn"}')

CASES: dict[str, tuple[bytes, list[Frame], str | None]] = {
    "nothing": (b"", [], None),
    "one message": (EVENT, [READ], None),
    "two messages": (EVENT + EVENT, [READ, READ], None),
    "an empty message": (message(b"", b""), [Frame()], None),
    "one that is not complete": (EVENT + EVENT[:-1], [READ], None),
    "letters of the world": (message(text("é", "日本"), "👍".encode()), [Frame({"é": "日本"}, "👍".encode())], None),
    "headers of all types": (
        message(
            b"".join(
                [
                    header("true", 0, b""),
                    header("false", 1, b""),
                    header("byte", 2, b"1"),
                    header("short", 3, b"12"),
                    header("int", 4, b"1234"),
                    header("long", 5, b"12345678"),
                    header("bytes", 6, b"\x00\x0312\x07"),
                    text("string", "s"),
                    header("time", 8, b"12345678"),
                    header("uuid", 9, b"1234567890123456"),
                    text("last", "l"),
                ]
            ),
            b"p",
        ),
        [Frame({"string": "s", "last": "l"}, b"p")],
        None,
    ),
    "JSON": (b'{"message":"no such model"}' + EVENT, [], "the checksum of a prelude is wrong"),
    "a wrong prelude after a message": (EVENT + b"x" * 12, [READ], "the checksum of a prelude is wrong"),
    "a wrong payload": (EVENT[:-6] + b"?" + EVENT[-5:], [], "the checksum of a message is wrong"),
    "shorter than itself": (prelude(15, 0), [], "a message has an impossible length"),
    "headers longer than the message": (prelude(100, 90), [], "a message has an impossible length"),
    "too long": (prelude(17 + LONGEST_PAYLOAD, 0), [], "a message has an impossible length"),
    "too many headers": (prelude(17 + LONGEST_HEADERS, 1 + LONGEST_HEADERS), [], "a message has an impossible length"),
    "the longest": (prelude(16 + LONGEST_PAYLOAD, 0) + b"x", [], None),
    "a header without a type": (message(b"\x01a", b""), [], "a header can't be read (IndexError)"),
    "a header of an unknown type": (message(header("a", 10, b""), b""), [], "a header can't be read (KeyError)"),
    "a header without its length": (message(header("a", 7, b"\x00"), b""), [], "a header can't be read (error)"),
    "a header that is cut short": (message(header("a", 7, b"\x00\x02x"), b""), [], "a header is cut short"),
    "a header that is no text": (
        message(header("a", 7, b"\x00\x01\xff"), b""),
        [],
        "a header can't be read (UnicodeDecodeError)",
    ),
}


def split(*chunks: bytes) -> tuple[list[Frame], str | None]:
    splitter = EventStreamSplitter()
    return [frame for chunk in chunks for frame in splitter.feed(chunk)], splitter.broken


@each("case", CASES)
def test_the_messages_of_a_stream(case: str) -> None:
    stream, *expected = CASES[case]
    assert split(stream) == tuple(expected)
    assert split(*(stream[at : at + 1] for at in range(len(stream)))) == tuple(expected)
    for cut in range(len(stream) + 1):
        assert split(stream[:cut], b"", stream[cut:]) == tuple(expected), f"cut at {cut}"


def test_what_is_kept() -> None:
    splitter = EventStreamSplitter()
    splitter.feed(EVENT + b"abc")
    assert (splitter.pending, splitter.broken) == (3, None)
    splitter.feed(b"x" * 20)
    assert (splitter.pending, splitter.broken) == (0, "the checksum of a prelude is wrong")
    assert splitter.feed(EVENT) == []


@given(st.lists(st.binary(max_size=30) | st.builds(message, st.binary(max_size=30), st.binary(max_size=5))))
def test_no_bytes_whatever_are_too_odd(chunks: list[bytes]) -> None:
    assert split(*chunks) == split(b"".join(chunks))
