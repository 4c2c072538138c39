"""A tiny dialect: a line of text goes up, lines of text come back, and a line with a dot is the end."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation, ErrorSeen, Notice, Reading, StopSeen, TextDelta, TextPart
from pointsman.core.errors import BadRequest, Interrupted, Overloaded, PointsmanError
from pointsman.core.http import Head, Request
from pointsman.core.models import Model, ModelPage
from pointsman.core.stream import LineSplitter


class Quirks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`mark`: what stands at the end of what is shouted."""

    mark: str = "!"


def request(provider: Provider, model: str, conversation: Conversation) -> tuple[Request, Sequence[Notice]]:
    """What was said last, as one line; all else is told to be left out."""
    quirks = msgspec.convert(provider.quirks, Quirks)
    *earlier, last = conversation.messages
    words = " ".join(part.text for part in last.parts if isinstance(part, TextPart))
    if not words:
        raise BadRequest("There is nothing to shout.", "Say something.")
    left_out = [("system", conversation.system), ("tools", conversation.tools), ("messages", earlier)]
    notices = [Notice(name, f"Shouting has no {name}; it was left out.") for name, value in left_out if value]
    notices += [Notice(name, f"Shouting has no {name}; it was left out.") for name in conversation.options.given]
    headers = {"content-type": "text/plain", **provider.headers}
    return Request("POST", provider.url(f"shout/{model}"), headers, f"{words}{quirks.mark}\n".encode()), notices


class Reader:
    """Lines in, readings out."""

    def __init__(self) -> None:
        self._lines = LineSplitter()
        self._over = False

    def feed(self, chunk: bytes) -> list[Reading]:
        """What this chunk completes."""
        readings: list[Reading] = []
        for line in self._lines.feed(chunk):
            self._over = self._over or line == b"."
            readings.append(StopSeen("end") if line == b"." else TextDelta(line.decode("utf-8", "replace")))
        return readings

    @property
    def linger(self) -> float | None:
        """Nothing follows the dot."""
        return 0.0 if self._over else None

    def close(self) -> list[Reading]:
        """Nothing, unless the dot never came."""
        return [] if self._over else [ErrorSeen(Interrupted("The shout broke off."))]


def reader(provider: Provider) -> Reader:
    """A reader for one answer."""
    return Reader()


def error(provider: Provider, head: Head, body: bytes) -> PointsmanError:
    """Whatever it is, it may pass."""
    return Overloaded(f"{provider.title} answered HTTP {head.status}.", status_code=head.status)


def models_request(provider: Provider, page: str | None = None) -> Request | None:
    """The names of the voices, one a line."""
    return Request("GET", provider.url("voices"), provider.headers)


def models(provider: Provider, body: bytes) -> ModelPage:
    """Those names as models."""
    names = body.decode("utf-8", "replace").split()
    return ModelPage([Model(f"{provider.id}:{name}", provider.id, name, name, (), "live") for name in names])
