"""LSP's framing without a socket: bytes in, bodies out. Must never look into a body.

Source: the base protocol of the Language Server Protocol 3.17. Stricter in one thing: a header that the protocol
does not have ends the connection, so that an HTTP request that finds its way to the socket runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

LARGEST_BODY = 64 * 2**20
LARGEST_HEAD = 4096
HEADERS = {b"content-length", b"content-type"}


@dataclass(frozen=True)
class TooLarge:
    """A frame whose body was skipped, unbuffered, because of its size in bytes."""

    size: int


class Framer:
    """Splits what arrives into bodies. After `broken` is set, nothing more can be read from this connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body: int | None = None
        self._skip = 0
        self.broken: str | None = None

    def feed(self, data: bytes) -> list[bytes | TooLarge]:
        """The bodies that these bytes complete, in order."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        self._buffer += data
        found: list[bytes | TooLarge] = []
        while self.broken is None and (self._body is not None or self._head(found)):
            if self._body is None:
                continue
            if len(self._buffer) < self._body:
                break
            found.append(bytes(self._buffer[: self._body]))
            del self._buffer[: self._body]
            self._body = None
        return found

    def _head(self, found: list[bytes | TooLarge]) -> bool:
        """Reads one head. False when it is not complete yet."""
        end = self._buffer.find(b"\r\n\r\n", 0, LARGEST_HEAD)
        if end < 0:
            if len(self._buffer) >= LARGEST_HEAD or not self._plausible():
                self.broken = "what arrived is not framed as LSP"
            return False
        length: int | None = None
        for line in bytes(self._buffer[:end]).split(b"\r\n"):
            name, colon, value = line.partition(b":")
            name = name.strip().lower()
            if not colon or name not in HEADERS:
                self.broken = "a header is not one of LSP's"
                return False
            if name == b"content-length":
                if not value.strip().isdigit() or len(value) > 20 or length is not None:
                    self.broken = "the length of a frame is no number"
                    return False
                length = int(value)
        del self._buffer[: end + 4]
        if length is None:
            self.broken = "a frame has no length"
            return False
        if length > LARGEST_BODY:
            found.append(TooLarge(length))
            here = min(length, len(self._buffer))
            del self._buffer[:here]
            self._skip = length - here
            return self._skip == 0
        self._body = length
        return True

    def _plausible(self) -> bool:
        """Whether an incomplete head could still become one of ours: its first bytes begin a known header."""
        name = bytes(self._buffer[:16]).split(b":")[0].strip().lower()
        return any(header.startswith(name) or name == header for header in HEADERS)


def frame(body: bytes) -> bytes:
    """A body with its head."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
