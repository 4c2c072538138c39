"""An answer that goes on when the test says so, whatever else the machine has to do meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

from tests.counterparts.scripts import Head, Pause, Step
from tests.counterparts.upstream import Upstream

LOOK = 0.01  # seconds between two looks at whether it may go on


class Held:
    """Numbers up to `held` at once, and those up to `count` after `go_on`."""

    def __init__(self, upstream: Upstream, held: int, count: int) -> None:
        self.first, self.whole = _numbers(0, held), _numbers(0, count)
        self._rest = _numbers(held, count)
        self._may = threading.Event()
        upstream.script("/v1/chat/completions", self)

    def go_on(self) -> None:
        """Sends the rest, also of every later answer."""
        self._may.set()

    def steps(self) -> Iterator[Step]:
        """The reply, step by step."""
        yield Head(200, {"content-type": "text/event-stream"})
        yield _piece({"role": "assistant", "content": self.first})
        while not self._may.is_set():
            yield Pause(LOOK)
        yield _piece({"content": self._rest})
        yield _piece({}, "stop") + b"data: [DONE]\n\n"


def _numbers(start: int, end: int) -> str:
    return "".join(f"{n} " for n in range(start, end))


def _piece(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return b"data: %b\n\n" % json.dumps({"id": "held", "model": "held", "choices": [choice]}).encode()
