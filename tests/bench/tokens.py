"""How a token looks on its way: what upstream writes, and what the client finds again. Pure.

Each is an SSE event of chat completions in an HTTP chunk of its own. Its text is a mark, followed by the time at which
it was sent: sixteen digits of `time.monotonic_ns()`, which all processes of one machine share.
"""

from __future__ import annotations

import re

MARK = b"@"
DIGITS = 16
_STAMP = re.compile(rb"@(\d{%d})" % DIGITS)
_EVENT = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":0,"model":"bench","choices":[%b]}\n\n'
)
_CHOICE = b'{"index":0,"delta":%b,"finish_reason":%b}'

LAST_CHUNK = b"0\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(body: bytes) -> bytes:
    """A piece of a body as an HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(body), body)


def token(text: bytes) -> bytes:
    """A piece of an answer, as a chunk."""
    return chunk(_EVENT % (_CHOICE % (b'{"content":"%b"}' % text, b"null")))


BEGINNING = HEAD + chunk(_EVENT % (_CHOICE % (b'{"role":"assistant","content":""}', b"null")))
ENDING = chunk(_EVENT % (_CHOICE % (b"{}", b'"stop"'))) + chunk(b"data: [DONE]\n\n") + LAST_CHUNK

_BEFORE, _, _AFTER = token(MARK + b"0" * DIGITS).partition(b"0" * DIGITS)


def stamped(now: int) -> bytes:
    """A token that says when it was sent."""
    return b"%b%016d%b" % (_BEFORE, now, _AFTER)


def burst(tokens: int, characters: int) -> bytes:
    """So many tokens, each of so many characters, without stamps."""
    return token(MARK + b"x" * (characters - 1)) * tokens


class Stamps:
    """Finds the stamps in a stream, wherever it was cut and whatever stands around them."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[int]:
        """The times that these bytes complete."""
        data = self._rest + data
        last = data.rfind(MARK)
        self._rest = data[last:] if last >= 0 and len(data) - last <= DIGITS else b""
        return [int(found) for found in _STAMP.findall(data)]
