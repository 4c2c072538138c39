"""What every reader of server-sent events does alike: split, count, give up, and say what can't be read.

Must never know what an event means: that is the dialect's `read`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import msgspec

from pointsman.core.catalogue import Provider
from pointsman.core.chat import ErrorSeen, Reading
from pointsman.core.errors import UNREADABLE, BadReply, Interrupted, PointsmanError
from pointsman.core.stream import SseSplitter
from pointsman.wire import error_bodies
from pointsman.wire.halves import Halves

LONGEST_ERROR = 2**16
"""Bytes of a body that are kept to see whether it is an error."""
BROKEN = "Ask again. If it comes back, whoever runs the server should know."
"""What to do where the beginning could be read: then neither the address nor the dialect is wrong."""
LONGEST_EVENT = 16 * 2**20
"""Bytes that one event of a stream may have before the stream is given up."""


class EventReader(ABC):
    """Bytes of a stream in, readings out; a dialect says what one event means, and what the end of the body does."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._events = SseSplitter()
        self._bytes = 0
        self._halves = Halves()
        self._seen = self._sound = False
        self._start = b""
        """The beginning of a body in which there was no event yet: it may be an error in JSON, with a status of 200."""

    def feed(self, chunk: bytes) -> list[Reading]:
        """What this chunk completes."""
        readings: list[Reading] = []
        self._bytes += len(chunk)
        if not self._seen and len(self._start) < LONGEST_ERROR:
            self._start += chunk
        for event in self._events.feed(chunk):
            self._read(event, readings)
        if self._events.pending > LONGEST_EVENT:
            readings.append(ErrorSeen(self.unreadable("sent an event of more than 16 MiB")))
        return readings

    def close(self) -> list[Reading]:
        """What the end of the body completes."""
        readings: list[Reading] = []
        for event in self._events.close():
            self._read(event, readings)
        if self._bytes and not self._seen:
            readings.append(ErrorSeen(self._no_stream()))
        else:
            self.ended(readings)
        return readings

    @abstractmethod
    def read(self, event: bytes, readings: list[Reading]) -> None:
        """Adds what one event says. May raise what msgspec raises for JSON that is not as it should be."""

    @abstractmethod
    def ended(self, readings: list[Reading]) -> None:
        """Adds what the end of the body says, once every event was read."""

    def broken_off(self) -> PointsmanError:
        """The error for a body that ends before the answer does."""
        text = f"{self.provider.title} closed the stream before the answer was complete."
        return Interrupted(text, provider=self.provider.id)

    def unreadable(self, what: str) -> PointsmanError:
        """The error for a body that is not of this dialect, or ceases to be in its middle."""
        return BadReply(f"{self.provider.title} {what}.", BROKEN if self._sound else None, provider=self.provider.id)

    def _no_stream(self) -> PointsmanError:
        """The error for a body without an event; one that is an error itself says more."""
        try:
            said = msgspec.json.decode(self._start, type=dict[str, Any])
        except UNREADABLE:
            said = {}
        if said.get("error"):
            return error_bodies.in_stream(self.provider, said)
        return self.unreadable("did not answer with an event stream")

    def _read(self, event: bytes, readings: list[Reading]) -> None:
        self._seen = True
        try:
            try:
                self.read(event, readings)
            except UNREADABLE:  # rare, so that only then it is looked for what can be mended
                self.read(self._halves.mend(event), readings)
        except UNREADABLE as error:
            readings.append(ErrorSeen(self.unreadable(f"sent a chunk that can't be read ({error})")))
        else:
            self._sound = True
