"""Reads the streams of the `openai-responses` dialect: events of a response in, readings out.

Must never know which provider it reads: what differs is read from the bytes themselves.
Source: https://platform.openai.com/docs/api-reference/responses-streaming, and recorded streams of two servers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Cost,
    ErrorSeen,
    Reading,
    ReasoningDelta,
    Seal,
    StopReason,
    StopSeen,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from pointsman.wire import error_bodies
from pointsman.wire.event_reader import EventReader

AFTER_END = 0.2
"""Seconds that the end of the body is worth waiting for after the last event."""

INCOMPLETE: dict[str, StopReason] = {"": "length", "max_output_tokens": "length", "content_filter": "contentFilter"}
"""What ends an answer before its time; servers that give no reason (aimock, local ones) mean the length."""
OUR_FAULT = ("invalid_", "unsupported_", "image_", "empty_", "failed_to_download_")
"""How the codes begin of errors that are in the request, and not the server's trouble."""


class _Event(Struct):
    type: str = ""
    output_index: int = 0
    delta: Raw = Raw()
    arguments: Raw = Raw()
    item: Raw = Raw()
    response: Raw = Raw()
    error: Any = None
    code: Any = None
    message: Any = None


class _Block(Struct):
    text: str = ""
    refusal: str = ""


class _Item(Struct):
    type: str = ""
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    content: list[_Block] | None = None
    summary: list[_Block] | None = None


class _InputDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(Struct):
    reasoning_tokens: int | None = None


class _Usage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None
    cost: float | None = None


class _Incomplete(Struct):
    reason: str | None = None


class _Response(Struct):
    status: Any = None
    usage: _Usage | None = None
    error: Any = None
    incomplete_details: _Incomplete | None = None


_EVENT = msgspec.json.Decoder(_Event)
_ITEM = msgspec.json.Decoder(_Item)
_RESPONSE = msgspec.json.Decoder(_Response)
_TEXT = msgspec.json.Decoder(str)


class _Call:
    """A tool call on its way: which of them it is, and what of it was told already."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.named = self.argued = False


class Reader(EventReader):
    """Server-sent events in, readings out. What comes piece by piece and then as a whole is told once."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._calls: dict[int, _Call] = {}
        self._spoken: set[int] = set()
        self._over = False

    @property
    def linger(self) -> float | None:
        """Nothing follows the last event but the end of the body."""
        return AFTER_END if self._over else None

    def read(self, event: bytes, readings: list[Reading]) -> None:
        """Adds what one event says; those of unknown types say nothing."""
        if self._over or event == b"[DONE]":
            return
        decoded = _EVENT.decode(event)
        if decoded.type == "error" or (not decoded.type and decoded.error is not None):
            self._fail(decoded.error or {"code": decoded.code, "message": decoded.message}, readings)
        elif handler := HANDLERS.get(decoded.type):
            handler(self, decoded, readings)

    def ended(self, readings: list[Reading]) -> None:
        """An answer without its last event broke off."""
        if not self._over:
            readings.append(ErrorSeen(self.broken_off()))

    def say(self, event: _Event, readings: list[Reading]) -> None:
        """A piece of the answer, or of a refusal."""
        self._tell(TextDelta, event, readings)

    def think(self, event: _Event, readings: list[Reading]) -> None:
        """A piece of a thought, or of its summary."""
        self._tell(ReasoningDelta, event, readings)

    def argue(self, event: _Event, readings: list[Reading]) -> None:
        """A piece of a call's arguments."""
        call = self._call(event)
        if text := _TEXT.decode(event.delta):
            call.argued = True
            readings.append(ToolCallDelta(call.index, text))

    def argued(self, event: _Event, readings: list[Reading]) -> None:
        """All of a call's arguments."""
        self._argue_whole(self._call(event), _TEXT.decode(event.arguments), readings)

    def begin(self, event: _Event, readings: list[Reading]) -> None:
        """An item begins: of a call, the name comes first."""
        item = _ITEM.decode(event.item)
        if item.type == "function_call":
            self._name(self._call(event), item, readings)

    def finish(self, event: _Event, readings: list[Reading]) -> None:
        """An item is whole: what did not come in pieces is told now."""
        item = _ITEM.decode(event.item)
        blocks = [*(item.summary or ()), *(item.content or ())]
        whole = "" if event.output_index in self._spoken else "".join(b.text or b.refusal for b in blocks)
        match item.type:
            case "function_call":
                call = self._call(event)
                self._name(call, item, readings)
                self._argue_whole(call, item.arguments or "", readings)
            case "reasoning":
                readings += [ReasoningDelta(whole)] if whole else []
                readings.append(Seal(opaque=msgspec.json.decode(event.item)))
            case "message" if whole:
                readings.append(TextDelta(whole))

    def complete(self, event: _Event, readings: list[Reading]) -> None:
        """The answer is over: as its status says, complete, or complete but for the calls that it asks for."""
        response = _RESPONSE.decode(event.response)
        if how := ENDS.get(str(response.status)):
            how(self, event, readings)
        else:
            self._stop(response, "toolCalls" if self._calls else "end", readings)

    def cut_short(self, event: _Event, readings: list[Reading]) -> None:
        """The answer ends before it is complete, and says why."""
        response = _RESPONSE.decode(event.response)
        reason = (response.incomplete_details or _Incomplete()).reason or ""
        self._stop(response, INCOMPLETE.get(reason, "interrupted"), readings)

    def fail(self, event: _Event, readings: list[Reading]) -> None:
        """The answer ends with an error."""
        response = _RESPONSE.decode(event.response)
        self._report(response, readings)
        self._fail(response.error or {}, readings)

    def _fail(self, detail: Any, readings: list[Reading]) -> None:
        self._over = True
        if isinstance(detail, dict) and str(detail.get("code")).startswith(OUR_FAULT):
            detail = {"status_code": 400, **detail}
        readings.append(ErrorSeen(error_bodies.in_stream(self.provider, detail)))

    def _stop(self, response: _Response, reason: StopReason, readings: list[Reading]) -> None:
        self._over = True
        self._report(response, readings)
        readings.append(StopSeen(reason))

    def _report(self, response: _Response, readings: list[Reading]) -> None:
        if response.usage is not None and (report := _usage(response.usage, self.provider)):
            readings.append(report)

    def _tell(self, kind: type[TextDelta | ReasoningDelta], event: _Event, readings: list[Reading]) -> None:
        if text := _TEXT.decode(event.delta):
            self._spoken.add(event.output_index)
            readings.append(kind(text))

    def _call(self, event: _Event) -> _Call:
        return self._calls.setdefault(event.output_index, _Call(len(self._calls)))

    def _name(self, call: _Call, item: _Item, readings: list[Reading]) -> None:
        if not call.named and item.call_id and item.name:
            call.named = True
            readings.append(ToolCallDelta(call.index, "", item.call_id, item.name))

    def _argue_whole(self, call: _Call, arguments: str, readings: list[Reading]) -> None:
        if arguments and not call.argued:
            call.argued = True
            readings.append(ToolCallDelta(call.index, arguments))


ENDS: dict[str, Callable[[Reader, _Event, list[Reading]], None]] = {
    "incomplete": Reader.cut_short,
    "failed": Reader.fail,
    "cancelled": Reader.fail,
}
"""What a status means that contradicts an event that says `completed`; the official SDK believes the status, too."""

HANDLERS: dict[str, Callable[[Reader, _Event, list[Reading]], None]] = {
    "response.output_text.delta": Reader.say,
    "response.refusal.delta": Reader.say,
    "response.reasoning_summary_text.delta": Reader.think,
    "response.reasoning_text.delta": Reader.think,
    "response.function_call_arguments.delta": Reader.argue,
    "response.function_call_arguments.done": Reader.argued,
    "response.output_item.added": Reader.begin,
    "response.output_item.done": Reader.finish,
    "response.completed": Reader.complete,
    "response.incomplete": Reader.cut_short,
    "response.failed": Reader.fail,
}


def _usage(usage: _Usage, provider: Provider) -> UsageReport | None:
    """Usage in our terms. Should reasoning be counted beside the output, not in it, then the total gives that away."""
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    reasoning = (usage.output_tokens_details or _OutputDetails()).reasoning_tokens
    output = usage.output_tokens
    if reasoning and usage.total_tokens == usage.input_tokens + output + reasoning:
        output += reasoning
    details = usage.input_tokens_details or _InputDetails()
    return UsageReport(
        Usage(
            input_tokens=usage.input_tokens,
            output_tokens=output,
            exact=True,
            cached_input_tokens=details.cached_tokens,
            cache_write_tokens=details.cache_write_tokens,
            reasoning_tokens=reasoning,
        ),
        None if usage.cost is None else Cost(usd=usage.cost, exact=True, source=provider.id),
    )
