"""Splits a byte stream into server-sent events, wherever the network cut it. Must never know what an event means.

Source: the event-stream format of the HTML standard, https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations


class SseSplitter:
    """Bytes in, payloads out: the joined `data:` lines of each complete event.

    Lines end in LF, CR LF or CR. Comments, `event:`, `id:` and `retry:` lines are passed over: the dialects that stream
    this way name the kind of event in the payload itself. An event is complete at its blank line, or at `close`.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._held = 0
        self._first = True

    @property
    def pending(self) -> int:
        """Bytes kept for an event that is not complete yet."""
        return len(self._rest) + self._held

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that this chunk completes."""
        rest = self._rest + chunk if self._rest else chunk
        if b"\r" in rest:
            held = b"\r" if rest.endswith(b"\r") else b""  # its LF may be in the next chunk
            rest = rest.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held
        if self._first and rest:
            if len(rest) < 3 and b"\xef\xbb\xbf".startswith(rest):
                self._rest = rest
                return []
            rest, self._first = rest.removeprefix(b"\xef\xbb\xbf"), False
        *lines, self._rest = rest.split(b"\n")
        return [event for line in lines if (event := self._line(line)) is not None]

    def close(self) -> list[bytes]:
        """The event that the end of the stream completes, if there is one: providers leave out the last blank line."""
        lines = self._rest.removesuffix(b"\r"), b""
        self._rest = b""
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, line: bytes) -> bytes | None:
        if line.startswith(b"data:") or line == b"data":
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            self._held += len(line)
        elif not line and self._data:
            event = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            self._data, self._held = [], 0
            return event
        return None
