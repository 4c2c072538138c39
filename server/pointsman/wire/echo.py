"""The built-in offline dialect: the request's body is the answer, line by line, and `echo:` sends it straight back.

Must never need a network. It is there to try everything without a key, and it says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Conversation,
    ErrorSeen,
    Message,
    Notice,
    Reading,
    StopReason,
    StopSeen,
    TextDelta,
    TextPart,
    Usage,
    UsageReport,
)
from pointsman.core.errors import UNREADABLE, BadReply, Interrupted, PointsmanError
from pointsman.core.http import Head, Request
from pointsman.core.models import ModelPage
from pointsman.core.stream import LineSplitter

PACES = {"echo": 0.02, "slow": 0.25}
"""Seconds between two words, by model; others speak as fast as they can."""


class Quirks(Struct, frozen=True, forbid_unknown_fields=True):
    """`pace`: seconds between two words, instead of the model's own."""

    pace: Annotated[float, Meta(ge=0, le=60)] | None = None


class _Line(Struct, omit_defaults=True):
    text: str = ""
    stop: StopReason | None = None
    usage: Usage | None = None


_LINE = msgspec.json.Decoder(_Line)


def request(provider: Provider, model: str, conversation: Conversation) -> tuple[Request, Sequence[Notice]]:
    """The answer itself, as lines; the header `pace` says how slowly they come back."""
    said = _last_words(conversation)
    text = (
        f"This is Pointsman's offline model. You said: {said}"
        if said
        else "This is Pointsman's offline model. Say something!"
    )
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1][:-1]
    limit = conversation.options.max_output_tokens
    cut = words if isinstance(limit, msgspec.UnsetType) else words[:limit]
    asked = sum(len(part.text.split()) for m in conversation.messages for part in m.parts if isinstance(part, TextPart))
    usage = Usage(input_tokens=asked, output_tokens=len(cut), exact=True)
    end = _Line(stop="end" if len(cut) == len(words) else "length", usage=usage)
    quirks = msgspec.convert(provider.quirks, Quirks)
    pace = PACES.get(model, 0.0) if quirks.pace is None else quirks.pace
    body = b"".join(msgspec.json.encode(line) + b"\n" for line in [*(_Line(text=word) for word in cut), end])
    return Request("POST", f"{provider.base_url}/{model}", {"pace": str(pace)}, body), _left_out(conversation)


def reader(provider: Provider) -> Reader:
    """A reader for one answer."""
    return Reader()


class Reader:
    """Lines of JSON in, readings out."""

    def __init__(self) -> None:
        self._lines = LineSplitter()
        self._stopped = False

    def feed(self, chunk: bytes) -> list[Reading]:
        """What this chunk completes."""
        readings: list[Reading] = []
        for encoded in self._lines.feed(chunk):
            try:
                line = _LINE.decode(encoded)
            except UNREADABLE as error:
                readings.append(ErrorSeen(BadReply(f"The offline model sent a line that can't be read ({error}).")))
                continue
            if line.text:
                readings.append(TextDelta(line.text))
            if line.usage:
                readings.append(UsageReport(line.usage))
            if line.stop:
                self._stopped = True
                readings.append(StopSeen(line.stop))
        return readings

    @property
    def linger(self) -> float | None:
        """Nothing follows the end."""
        return 0.0 if self._stopped else None

    def close(self) -> list[Reading]:
        """Nothing, unless the end was never said."""
        return [] if self._stopped else [ErrorSeen(Interrupted("The offline model's answer broke off."))]


def error(provider: Provider, head: Head, body: bytes) -> PointsmanError:
    """The offline transport always answers 200; anything else was not it."""
    return BadReply(f"{provider.title} answered HTTP {head.status}.", provider=provider.id, status_code=head.status)


def models_request(provider: Provider, page: str | None = None) -> Request | None:
    """None: its models are in its definition."""
    return None


def models(provider: Provider, body: bytes) -> ModelPage:
    """Nothing: there is no list to read."""
    return ModelPage(())


def _last(conversation: Conversation) -> Message | None:
    return next((message for message in reversed(conversation.messages) if message.role == "user"), None)


def _last_words(conversation: Conversation) -> str:
    """The text of the last user message."""
    last = _last(conversation)
    return " ".join(part.text for part in last.parts if isinstance(part, TextPart)).strip() if last else ""


_EARLIER = "The offline model repeats the last message of the user alone; what else was said was left out."
_TOOLS = "The offline model calls no tools; {} left out."


def _left_out(conversation: Conversation) -> list[Notice]:
    """A notice for each kind of thing that is neither said again nor obeyed."""
    last = _last(conversation)
    parts = [part for message in conversation.messages if message is not last for part in message.parts]
    parts += [part for part in (last.parts if last else ()) if not isinstance(part, TextPart)]
    told = {
        kind: _EARLIER if kind == "text" else f"The offline model can't use {_one(kind)}; it was left out."
        for kind in sorted({str(part.__struct_config__.tag) for part in parts})
    }
    if conversation.tools:
        told["tools"] = _TOOLS.format("their definitions were")
    unused = ["system"] if conversation.system is not None else []
    unused += ["cache"] if any(message.cache for message in conversation.messages) else []
    unused += [name for name in conversation.options.given if name != "maxOutputTokens"]
    told |= {name: f"The offline model has no use for {name}; it was left out." for name in unused}
    if conversation.tool_choice is not None:
        told["toolChoice"] = _TOOLS.format("the choice was")
    return [Notice(about, text) for about, text in told.items()]


def _one(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
