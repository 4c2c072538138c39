"""Splits AWS's binary event stream into its messages, wherever the network cut it. Must never know what one means.

A message is a prelude (length of all, length of the headers, CRC-32 of those two), headers, a payload, and a CRC-32 of
all before it. Source: https://docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html and botocore's limits.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

PRELUDE, TRAILER = 12, 4
LONGEST_HEADERS = 128 * 2**10
LONGEST_PAYLOAD = 24 * 2**20
"""Bytes; what says to be longer is no such stream."""
STRING = 7
SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by its type: true, false, byte, short, int, long, time, UUID."""
MEASURED = {6, STRING}
"""Types whose value says its own length, in two bytes: an array of bytes, a string."""


@dataclass(frozen=True)
class Frame:
    """One message. Only headers that are strings are kept; nobody sends others that matter."""

    headers: dict[str, str] = field(default_factory=dict)
    payload: bytes = b""


class EventStreamSplitter:
    """Bytes in, messages out. After bytes that are no message, `broken` says why, and nothing more is read."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self.broken: str | None = None

    @property
    def pending(self) -> int:
        """Bytes kept for a message that is not complete yet."""
        return len(self._rest)

    def feed(self, chunk: bytes) -> list[Frame]:
        """The messages that this chunk completes."""
        frames: list[Frame] = []
        if self.broken is not None:
            return frames
        self._rest += chunk
        try:
            while (frame := self._next()) is not None:
                frames.append(frame)
        except ValueError as error:
            self.broken = str(error)
            self._rest.clear()
        return frames

    def _next(self) -> Frame | None:
        rest = self._rest
        if len(rest) < PRELUDE:
            return None
        length, headers_length, checksum = struct.unpack_from(">III", rest)
        if zlib.crc32(rest[: PRELUDE - 4]) != checksum:
            raise ValueError("the checksum of a prelude is wrong")
        payload_length = length - headers_length - PRELUDE - TRAILER
        if headers_length > LONGEST_HEADERS or not 0 <= payload_length <= LONGEST_PAYLOAD:
            raise ValueError("a message has an impossible length")
        if len(rest) < length:
            return None
        message = bytes(rest[:length])
        del rest[:length]
        if zlib.crc32(message[:-TRAILER]) != int.from_bytes(message[-TRAILER:], "big"):
            raise ValueError("the checksum of a message is wrong")
        start = PRELUDE + headers_length
        return Frame(_headers(message[PRELUDE:start]), message[start:-TRAILER])


def _headers(data: bytes) -> dict[str, str]:
    """Headers by name. Raises ValueError for what is none."""
    headers: dict[str, str] = {}
    try:
        while data:
            size = data[0]
            name, kind, data = data[1 : 1 + size].decode(), data[1 + size], data[2 + size :]
            if kind in MEASURED:
                (length,) = struct.unpack_from(">H", data)
                data = data[2:]
            else:
                length = SIZES[kind]
            if length > len(data):
                raise ValueError("a header is cut short")
            value, data = data[:length], data[length:]
            if kind == STRING:
                headers[name] = value.decode()
    except (IndexError, KeyError, struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"a header can't be read ({type(error).__name__})") from None
    return headers
