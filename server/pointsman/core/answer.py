"""The answer as it grows: events in, one message with usage out. Must never know who listens or who answers."""

from __future__ import annotations

import msgspec

from pointsman.core.chat import (
    Conversation,
    Cost,
    Event,
    Message,
    Part,
    ReasoningDelta,
    ReasoningPart,
    Seal,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolCallPart,
    Usage,
    UsageReport,
)
from pointsman.core.errors import UNREADABLE
from pointsman.core.pricing import credible

BYTES_PER_TOKEN = 4
"""The usual rule of thumb for an estimate (https://help.openai.com, "What are tokens and how to count them")."""
COMPACT_AFTER = 4096


class Answer:
    """Gathers the visible events of one chat, in order."""

    def __init__(self) -> None:
        self._runs: list[_Run | _Call] = []
        self._calls: dict[int, _Call] = {}
        self._output_bytes = 0
        self._usage: Usage | None = None
        self.cost: Cost | None = None

    def add(self, event: Event | Seal) -> None:
        """Takes one event in; those that say nothing about the answer are passed over."""
        match event:
            case TextDelta(text):
                self._say(TextPart, text)
            case ReasoningDelta(text):
                self._say(ReasoningPart, text)
            case ToolCallDelta():
                self._call(event)
            case Seal():
                self._seal(event)
            case UsageReport(usage, cost):
                self._usage, self.cost = usage, credible(cost) or self.cost
            case _:
                pass

    @property
    def text(self) -> str:
        """What was said in words so far."""
        return "".join(part.text for part in self.message().parts if isinstance(part, TextPart))

    @property
    def calls(self) -> bool:
        """Whether a tool has been called, or was about to be."""
        return bool(self._calls)

    def next_part(self) -> None:
        """Somebody else goes on: what comes is theirs, and what was reported so far was of those before."""
        self._usage, self.cost, self._output_bytes = None, None, 0

    def message(self) -> Message:
        """The answer so far as an assistant message."""
        return Message(role="assistant", content=tuple(run.part() for run in self._runs))

    def usage(self, conversation: Conversation) -> Usage:
        """What the provider reported, else an estimate from the bytes of the conversation and the answer.

        A report that is not exact and knows of no input has not counted it: that part is estimated, then.
        """
        if self._usage is not None and (self._usage.exact or self._usage.input_tokens):
            return self._usage
        asked = _tokens(len(msgspec.json.encode((conversation.system, conversation.messages, conversation.tools))))
        if self._usage is not None:
            return msgspec.structs.replace(self._usage, input_tokens=asked)
        return Usage(input_tokens=asked, output_tokens=_tokens(self._output_bytes), exact=False)

    def take_report(self) -> tuple[Usage, Cost | None] | None:
        """What the provider reported so far, for an attempt that has come to nothing: it is no part of the answer."""
        if self._usage is None:
            return None
        taken, self._usage, self.cost = (self._usage, self.cost), None, None
        return taken

    def _say(self, kind: type[TextPart | ReasoningPart], text: str) -> None:
        self._output_bytes += len(text.encode("utf-8", "replace"))
        last = self._runs[-1] if self._runs else None
        if not isinstance(last, _Run) or last.kind is not kind or last.seal is not None:
            self._runs.append(last := _Run(kind))
        last.pieces.append(text)
        if len(last.pieces) > COMPACT_AFTER:
            last.pieces[:] = ["".join(last.pieces)]

    def _seal(self, seal: Seal) -> None:
        if seal.index is not None:
            self._call(ToolCallDelta(seal.index, ""))
            self._calls[seal.index].signature = seal.signature
            return
        last = self._runs[-1] if self._runs else None
        if not isinstance(last, _Run) or last.kind is not ReasoningPart or last.seal is not None:
            self._runs.append(last := _Run(ReasoningPart))
        last.seal = seal

    def _call(self, delta: ToolCallDelta) -> None:
        self._output_bytes += len(delta.arguments)
        call = self._calls.get(delta.index)
        if call is None:
            call = self._calls[delta.index] = _Call()
            self._runs.append(call)
        call.id = call.id or delta.id or ""
        call.name = call.name or delta.name or ""
        call.arguments.append(delta.arguments)


class _Run:
    """Text, or reasoning, in the making."""

    def __init__(self, kind: type[TextPart | ReasoningPart]) -> None:
        self.kind = kind
        self.pieces: list[str] = []
        self.seal: Seal | None = None

    def part(self) -> Part:
        text = "".join(self.pieces)
        return ReasoningPart(text, self.seal.signature, self.seal.opaque) if self.seal else self.kind(text)


class _Call:
    """One tool call in the making."""

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []
        self.signature: str | None = None

    def part(self) -> ToolCallPart:
        text = "".join(self.arguments)
        try:
            arguments = msgspec.json.decode(text or "{}", type=dict)
        except UNREADABLE:
            return ToolCallPart(self.id, self.name, {}, text, self.signature)
        return ToolCallPart(self.id, self.name, arguments, signature=self.signature)


def together(one: Usage, other: Usage) -> Usage:
    """The tokens of two parts of an answer."""

    def added(first: int | None, second: int | None) -> int | None:
        return None if first is None and second is None else (first or 0) + (second or 0)

    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        exact=one.exact and other.exact,
        cached_input_tokens=added(one.cached_input_tokens, other.cached_input_tokens),
        cache_write_tokens=added(one.cache_write_tokens, other.cache_write_tokens),
        reasoning_tokens=added(one.reasoning_tokens, other.reasoning_tokens),
    )


def _tokens(size: int) -> int:
    return -(-size // BYTES_PER_TOKEN)
