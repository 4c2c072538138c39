"""What every reader of an answer does alike: stop, fail, and leave out; and every one of server-sent events: split,
count, give up, and say what can't be read. Must never know what an event means: that is the dialect's `read`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import msgspec

from pointsman.core.catalogue import Provider
from pointsman.core.chat import ErrorSeen, Notice, Reading, StopReason, StopSeen, TextDelta, ToolCallDelta
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


class AnswerReader:
    """How an answer ends, well or not.

    Once words or calls have come and it has `stopped`, it is whole: whatever comes after that, and be it an error, does
    not undo it. An error that comes before, or with the reason to stop itself, does; so does one after an answer that
    says nothing, which may be all that there is to learn, and one that is told after an answer that was cut at its
    length: some say so first what has failed them.
    """

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.stopped = False
        self._spoke = self._cut = False
        self._left_out: set[str] = set()

    def stop(self, reason: StopReason, readings: list[Reading]) -> None:
        """The provider has ended the answer."""
        self.stopped, self._cut = True, reason == "length"
        readings.append(StopSeen(reason))

    def fail(self, error: PointsmanError, readings: list[Reading]) -> None:
        """The answer breaks off here, unless it is whole."""
        self.listen(readings)
        is_whole = self.stopped and self._spoke
        if not is_whole or (self._cut and not isinstance(error, BadReply)):
            readings.append(ErrorSeen(error))

    def listen(self, readings: list[Reading]) -> None:
        """Takes note of whether there are words or calls among what has been read."""
        self._spoke = self._spoke or any(isinstance(reading, TextDelta | ToolCallDelta) for reading in readings)

    def end(self, readings: list[Reading]) -> None:
        """The body is over; an answer that has not stopped broke off."""
        if not self.stopped:
            readings.append(ErrorSeen(self.broken_off()))

    def leave_out(self, kind: str, readings: list[Reading]) -> None:
        """Something came that can't be a part of an answer here; each kind is told once."""
        if kind not in self._left_out:
            self._left_out.add(kind)
            text = f"{self.provider.title} also sent what has no place here and was left out"
            readings.append(Notice("answer", f"{text}: {kind[:50] or 'something without a name'}."))

    def broken_off(self) -> PointsmanError:
        """The error for a body that ends before the answer does."""
        text = f"{self.provider.title} closed the stream before the answer was complete."
        return Interrupted(text, provider=self.provider.id)


class EventReader(AnswerReader, ABC):
    """Bytes of a stream in, readings out; a dialect says what one event means, and what the end of the body does."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
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
            self._events = SseSplitter()
            self.fail(self.unreadable("sent an event of more than 16 MiB"), readings)
        if not self._spoke:
            self.listen(readings)
        return readings

    def close(self) -> list[Reading]:
        """What the end of the body completes."""
        readings: list[Reading] = []
        for event in self._events.close():
            self._read(event, readings)
        if self._bytes and not self._seen and not self._is_kept_open():
            self.fail(self._no_stream(), readings)
        else:
            self.ended(readings)
        return readings

    @abstractmethod
    def read(self, event: bytes, readings: list[Reading]) -> None:
        """Adds what one event says. May raise what msgspec raises for JSON that is not as it should be."""

    @abstractmethod
    def ended(self, readings: list[Reading]) -> None:
        """Adds what the end of the body says, once every event was read."""

    def unreadable(self, what: str) -> PointsmanError:
        """The error for a body that is not of this dialect, or ceases to be in its middle."""
        return BadReply(f"{self.provider.title} {what}.", BROKEN if self._sound else None, provider=self.provider.id)

    def _is_kept_open(self) -> bool:
        """Whether nothing came but comments, by which a server keeps a connection open: a stream without an answer."""
        lines = [line for line in self._start.splitlines() if line]
        return bool(lines) and all(line.startswith(b":") for line in lines)

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
            self.fail(self.unreadable(f"sent a chunk that can't be read ({error})"), readings)
        else:
            self._sound = True
