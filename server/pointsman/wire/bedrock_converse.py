"""The `bedrock-converse` dialect: `ConverseStream` of Amazon Bedrock, in AWS's binary event stream.

Must never know a region or a key: the one is in the base URL, the other is the edge's. What is sent is in
`wire.bedrock_requests`. Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html,
the service model of the official SDK, and recorded streams.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Conversation,
    Notice,
    Reading,
    ReasoningDelta,
    Seal,
    StopReason,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from pointsman.core.errors import UNREADABLE, BadReply, PointsmanError
from pointsman.core.event_stream import EventStreamSplitter, Frame
from pointsman.core.http import Head, Request
from pointsman.core.models import ModelPage
from pointsman.wire import bedrock_requests, error_bodies, loose
from pointsman.wire.bedrock_turns import REDACTED
from pointsman.wire.event_reader import AnswerReader

AFTER_STOP, AFTER_USAGE = 3.0, 0.2
"""Seconds that more is worth waiting for after the reason to stop, and after the usage that follows it."""

STOP_REASONS: dict[str, StopReason] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "tool_use": "toolCalls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "contentFilter",
    "content_filtered": "contentFilter",
}
FAILURES = {"malformed_model_output", "malformed_tool_use"}
"""Reasons that mean that the model has failed at the answer."""
CACHED, WRITTEN = "cacheReadInputTokens", "cacheWriteInputTokens"

Quirks = bedrock_requests.Quirks


def request(provider: Provider, model: str, conversation: Conversation) -> tuple[Request, Sequence[Notice]]:
    """A POST to `/model/{model}/converse-stream`."""
    return bedrock_requests.request(provider, model, conversation)


class _ToolStart(Struct, rename="camel"):
    tool_use_id: str = ""
    name: str = ""


class _Start(Struct, rename="camel"):
    tool_use: _ToolStart | None = None


class _ToolDelta(Struct):
    input: str = ""


class _Reasoning(Struct, rename="camel"):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _Delta(Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolDelta | None = None
    reasoning_content: _Reasoning | None = None


class _Event(Struct, rename="camel"):
    """Any event's payload; its header says which, and so which fields it has."""

    content_block_index: int = 0
    start: _Start | None = None
    delta: _Delta | None = None
    stop_reason: str | None = None
    usage: Raw = Raw()


class _Exception(Struct):
    message: str | None = None


_EVENT = msgspec.json.Decoder(_Event)


def reader(provider: Provider) -> Reader:
    """A reader for one answer."""
    return Reader(provider)


class Reader(AnswerReader):
    """Frames in, readings out."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._frames = EventStreamSplitter()
        self._bytes = 0
        self._seen = self._counted = self._failed = False
        self._calls: dict[int, int] = {}
        self._signature = ""
        self._redacted = b""

    def feed(self, chunk: bytes) -> list[Reading]:
        """What this chunk completes."""
        readings: list[Reading] = []
        self._bytes += len(chunk)
        for frame in self._frames.feed(chunk):
            self._seen = True
            self._read(frame, readings)
        if self._frames.broken is not None and not self._failed:
            what = "sent a frame that can't be read" if self._seen else "did not answer with an event stream"
            self._give_up(f"{what} ({self._frames.broken})", readings)
        if not self._spoke:
            self.listen(readings)
        return readings

    @property
    def linger(self) -> float | None:
        """Usage follows the reason to stop; nothing follows that but the end of the body."""
        return AFTER_USAGE if self.stopped and self._counted else AFTER_STOP if self.stopped else None

    def close(self) -> list[Reading]:
        """What the end of the body completes."""
        readings: list[Reading] = []
        if self._bytes and not self._seen and not self._failed:
            self._give_up("did not answer with an event stream", readings)
        elif not self._failed:
            self.end(readings)
        return readings

    def _read(self, frame: Frame, readings: list[Reading]) -> None:
        if frame.headers.get(":message-type") in {"exception", "error"}:
            self._failed = True
            self.fail(error_bodies.in_stream(self.provider, _exception(frame)), readings)
            return
        try:
            event = _EVENT.decode(frame.payload or b"{}")
            redacted = event.delta and event.delta.reasoning_content and event.delta.reasoning_content.redacted_content
            self._redacted += base64.b64decode(redacted or "", validate=True)
        except (*UNREADABLE, ValueError) as error:
            self._give_up(f"sent an event that can't be read ({error})", readings)
            return
        match frame.headers.get(":event-type"):
            case "contentBlockStart" if event.start is not None and event.start.tool_use is not None:
                tool = event.start.tool_use
                readings.append(ToolCallDelta(self._call(event), "", tool.tool_use_id, tool.name))
            case "contentBlockDelta" if event.delta is not None:
                self._read_delta(event, event.delta, readings)
            case "contentBlockStop":
                self._seal(readings)
            case "messageStop":
                self._seal(readings)
                self._stop(event.stop_reason or "", readings)
            case "metadata" if event.usage:
                self._counted = True
                if report := _usage(loose.value(event.usage)):
                    readings.append(report)
            case _:
                pass

    def _read_delta(self, event: _Event, delta: _Delta, readings: list[Reading]) -> None:
        if delta.text:
            readings.append(TextDelta(delta.text))
        if delta.tool_use is not None:
            readings.append(ToolCallDelta(self._call(event), delta.tool_use.input))
        if delta.reasoning_content is not None:
            if delta.reasoning_content.text:
                readings.append(ReasoningDelta(delta.reasoning_content.text))
            self._signature += delta.reasoning_content.signature or ""

    def _call(self, event: _Event) -> int:
        """Calls are counted from 0; blocks are numbered with all others of the answer."""
        return self._calls.setdefault(event.content_block_index, len(self._calls))

    def _seal(self, readings: list[Reading]) -> None:
        """What seals the block that ends here, once it is whole."""
        redacted = {REDACTED: base64.b64encode(self._redacted).decode()} if self._redacted else None
        if self._signature or redacted:
            readings.append(Seal(self._signature or None, redacted))
        self._signature, self._redacted = "", b""

    def _stop(self, reason: str, readings: list[Reading]) -> None:
        if self.stopped or self._failed:
            return
        if reason in FAILURES:
            self._give_up(f"says that the model failed at the answer: {reason}", readings)
            return
        self.stop(STOP_REASONS.get(reason, "end"), readings)

    def _give_up(self, what: str, readings: list[Reading]) -> None:
        self._failed = True
        self.fail(BadReply(f"{self.provider.title} {what}.", provider=self.provider.id), readings)


def _exception(frame: Frame) -> dict[str, str]:
    """An exception as other APIs write an error: what the stream says of it in headers and what it says in JSON."""
    name = frame.headers.get(":exception-type") or frame.headers.get(":error-code") or "InternalFailure"
    try:
        message = msgspec.json.decode(frame.payload, type=_Exception).message
    except UNREADABLE:
        message = frame.headers.get(":error-message", "")
    return {"type": name, "message": message or name}


def _usage(said: Any) -> UsageReport | None:
    """Usage in our terms: what was read from a cache or written to it is counted beside the input there."""
    asked, output = loose.total(said, "inputTokens", CACHED, WRITTEN), loose.count(said, "outputTokens")
    if asked is None or output is None or loose.count(said, "inputTokens") is None:
        return None
    return UsageReport(
        Usage(
            input_tokens=asked,
            output_tokens=output,
            exact=True,
            cached_input_tokens=loose.count(said, CACHED),
            cache_write_tokens=loose.count(said, WRITTEN),
        )
    )


def error(provider: Provider, head: Head, body: bytes) -> PointsmanError:
    """What a response whose status is not 2xx means."""
    return error_bodies.from_response(provider, head, body)


def models_request(provider: Provider, page: str | None = None) -> Request | None:
    """None: the list of models is at another host, and of another service."""
    return None


def models(provider: Provider, body: bytes) -> ModelPage:
    """Nothing asks for it. Raises BadReply."""
    raise BadReply(f"{provider.title} has no list of models here.", provider=provider.id)
