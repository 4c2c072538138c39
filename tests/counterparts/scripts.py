"""What the fixture `upstream` may answer, as steps: a head, pieces of the body, pauses, a sudden end.

Steps are values and do nothing by themselves: this file knows no socket and no clock.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

_EVENTS_A_PIECE = 50  # of a stream without pauses


@dataclass(frozen=True)
class Head:
    """The status line and the headers."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Pause:
    """Silence of so many seconds."""

    seconds: float


@dataclass(frozen=True)
class HangUp:
    """The end of the connection, whatever is still missing."""


Step = Head | Pause | HangUp | bytes
"""Bytes are a piece of the body: one HTTP chunk."""


@dataclass(frozen=True)
class Reply:
    """An answer with a fixed body, given in pieces."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)  # over `content-type: application/json`
    chunk: int | None = None  # bytes a piece; the whole body at once if None
    delay: float = 0.0  # seconds between two pieces
    cut: int | None = None  # hang up after so many bytes of the body

    def steps(self) -> Iterator[Step]:
        """The reply, step by step."""
        yield Head(self.status, {"content-type": "application/json"} | dict(self.headers))
        body = self.body[: self.cut]
        size = self.chunk or len(body) or 1
        for start in range(0, len(body), size):
            if start and self.delay:
                yield Pause(self.delay)
            yield body[start : start + size]
        if self.cut is not None:
            yield HangUp()


def error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """A refusal in OpenAI's form."""
    body = {"error": {"message": message, "type": "scripted", "code": None}}
    return Reply(json.dumps(body).encode(), status, headers or {})


def chat(asked: Mapping[str, Any]) -> Iterator[Step]:
    """Answer OpenAI's `POST /chat/completions`; the name of the model says how.

    count:N          N pieces of text, `0 ` to `N-1 `, as fast as the reader takes them
    drip:N:SECONDS   N pieces, one each so many seconds
    silent:SECONDS   the head at once, and after so many seconds three pieces
    late:SECONDS     not even the head before so many seconds, then three pieces
    stall            nothing at all, for ever
    cut:N            N pieces, then the connection breaks
    status:CODE:JSON an error with that status and with those headers, `{}` if left out
    """
    name, _, rest = str(asked.get("model")).partition(":")
    if name not in _CHATS:
        return error(404, f"The model `{name}` does not exist; there are {', '.join(_CHATS)}").steps()
    return _CHATS[name](asked, rest)


def models() -> Reply:
    """Answer OpenAI's `GET /models` with a few names that work."""
    names = ["count:10", "drip:50:0.02", "stall"]
    listed = [{"id": name, "object": "model"} for name in names]
    return Reply(json.dumps({"object": "list", "data": listed}).encode())


def _count(asked: Mapping[str, Any], rest: str) -> Iterator[Step]:
    return _answer(asked, int(rest))


def _drip(asked: Mapping[str, Any], rest: str) -> Iterator[Step]:
    pieces, _, seconds = rest.partition(":")
    return _answer(asked, int(pieces), between=float(seconds))


def _silent(asked: Mapping[str, Any], rest: str) -> Iterator[Step]:
    head, *pieces = _answer(asked, 3)
    return iter([head, Pause(float(rest)), *pieces])


def _late(asked: Mapping[str, Any], rest: str) -> Iterator[Step]:
    return iter([Pause(float(rest)), *_answer(asked, 3)])


def _stall(asked: Mapping[str, Any], rest: str) -> Iterator[Step]:
    return iter([Pause(math.inf)])


def _cut(asked: Mapping[str, Any], rest: str) -> Iterator[Step]:
    return chain(_answer(asked, int(rest), ends=False), [HangUp()])


def _status(asked: Mapping[str, Any], rest: str) -> Iterator[Step]:
    code, _, headers = rest.partition(":")
    return error(int(code), f"Refused with {code}, as asked", json.loads(headers or "{}")).steps()


_CHATS: dict[str, Callable[[Mapping[str, Any], str], Iterator[Step]]] = {
    "count": _count,
    "drip": _drip,
    "silent": _silent,
    "late": _late,
    "stall": _stall,
    "cut": _cut,
    "status": _status,
}


def _answer(asked: Mapping[str, Any], pieces: int, *, between: float = 0.0, ends: bool = True) -> Iterator[Step]:
    """A numbered answer, streamed if the request asks for that; without its end if not `ends`."""
    if not asked.get("stream"):
        yield Pause(between * pieces)
        yield from _whole(asked, pieces).steps()
        return
    yield Head(200, {"content-type": "text/event-stream"})
    model = json.dumps(asked["model"])
    frame = (
        'data: {"id":"chatcmpl-scripted","object":"chat.completion.chunk","created":0,"model":%s,'
        '"choices":[{"index":0,"delta":%s,"finish_reason":%s}]}\n\n'
    )
    yield (frame % (model, '{"role":"assistant","content":""}', "null")).encode()
    before, after = (frame % (model, '{"content":"@ "}', "null")).split("@")
    size = 1 if between else _EVENTS_A_PIECE
    for start in range(0, pieces, size):
        yield "".join(f"{before}{n}{after}" for n in range(start, min(start + size, pieces))).encode()
        if between:
            yield Pause(between)
    if ends:
        yield (frame % (model, "{}", '"stop"')).encode()
        if (asked.get("stream_options") or {}).get("include_usage"):
            yield f"data: {json.dumps({'choices': [], 'usage': _usage(pieces)})}\n\n".encode()
        yield b"data: [DONE]\n\n"


def _whole(asked: Mapping[str, Any], pieces: int) -> Reply:
    message = {"role": "assistant", "content": "".join(f"{n} " for n in range(pieces))}
    body = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 0,
        "model": asked["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _usage(pieces),
    }
    return Reply(json.dumps(body).encode())


def _usage(pieces: int) -> dict[str, int]:
    return {"prompt_tokens": 3, "completion_tokens": pieces, "total_tokens": 3 + pieces}
