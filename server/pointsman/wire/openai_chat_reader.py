"""Reads the streams of the `openai-chat` dialect: chunks of chat completions in, readings out.

Must never know which provider it reads: what differs is read from the bytes themselves.
Source: https://platform.openai.com/docs/api-reference/chat-streaming, and recorded streams of nine providers.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Cost,
    Reading,
    ReasoningDelta,
    Seal,
    StopReason,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from pointsman.core.errors import Interrupted, Overloaded, PointsmanError, ProviderError
from pointsman.wire import error_bodies, loose
from pointsman.wire.event_reader import EventReader

AFTER_STOP, AFTER_DONE = 3.0, 0.2
"""Seconds that more is worth waiting for after the reason to stop, and after `[DONE]`."""

STOP_REASONS: dict[str, StopReason] = {
    "stop": "end",
    "length": "length",
    "model_length": "length",
    "tool_calls": "toolCalls",
    "function_call": "toolCalls",
    "content_filter": "contentFilter",
    "sensitive": "contentFilter",
}
FAILURES: dict[str, type[ProviderError]] = {
    "error": Interrupted,
    "abort": Interrupted,
    "network_error": Interrupted,
    "insufficient_system_resource": Overloaded,
}
"""Reasons to stop that are none: the answer is not complete. Others that nobody knows are taken for an end."""

CACHED = (("prompt_tokens_details", "cached_tokens"), ("cached_tokens",), ("prompt_cache_hit_tokens",))
"""Where it is said how much of the input was read from a cache."""


class _Block(Struct):
    type: str = "text"
    text: str = ""
    thinking: str | list[_Block] = ""


class _Function(Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _ToolCall(Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(Struct):
    content: str | list[_Block] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: Any = None
    images: Any = None
    audio: Any = None


class _Choice(Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None
    usage: Raw = Raw()


class _Chunk(Struct):
    object: Any = None
    choices: list[_Choice] | None = None
    usage: Raw = Raw()
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)


class Reader(EventReader):
    """Server-sent events in, readings out. Only the first choice is read; `n` is never asked for."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._done = self._failed = self._said = False
        self._details: list[dict[str, Any]] = []
        self._calls = _Calls()

    @property
    def linger(self) -> float | None:
        """Usage may follow the reason to stop; nothing follows `[DONE]` but the end of the body."""
        return AFTER_DONE if self._done else AFTER_STOP if self.stopped else None

    def read(self, event: bytes, readings: list[Reading]) -> None:
        """Adds what one chunk says."""
        if self._done:
            return
        if event == b"[DONE]":
            self._done = True
            self._seal(readings)
            return
        chunk = _CHUNK.decode(event)
        if chunk.error is not None:
            self._fail(error_bodies.in_stream(self.provider, chunk.error), readings)
        elif chunk.object == "error":
            self._fail(error_bodies.in_stream(self.provider, msgspec.json.decode(event)), readings)
        usage = loose.value(chunk.usage) if len(chunk.usage) > loose.NOTHING else None
        for choice in chunk.choices or ():
            if choice.index:
                continue
            if choice.delta is not None:
                before = len(readings)
                self._read_delta(choice.delta, readings)
                self._said = self._said or len(readings) > before or bool(self._details)
            if choice.finish_reason and not self.stopped:
                self._seal(readings)
                self._stop(choice.finish_reason, readings)
            if not usage and len(choice.usage) > loose.NOTHING:
                usage = loose.value(choice.usage)
        if usage and (report := _usage(usage, self.provider)):
            readings.append(report)

    def ended(self, readings: list[Reading]) -> None:
        """An answer that did not stop broke off; so did one that is done before a word of it came."""
        self._seal(readings)
        if not self.stopped and self._done and self._said:  # some give no reason
            self._stop("stop", readings)
        else:
            self.end(readings)

    def _stop(self, reason: str, readings: list[Reading]) -> None:
        """Why the answer ends; some say of calls only that it does."""
        if kind := FAILURES.get(reason):
            if not self._failed:
                text = f"{self.provider.title} broke the answer off, and says only `{reason}`."
                self._fail(kind(text, provider=self.provider.id), readings)
            self.stopped = True
            return
        stop = STOP_REASONS.get(reason, "end")
        self.stop("toolCalls" if stop == "end" and self._calls else stop, readings)

    def _fail(self, error: PointsmanError, readings: list[Reading]) -> None:
        self._failed = True
        self.fail(error, readings)

    def _read_delta(self, delta: _Delta, readings: list[Reading]) -> None:
        """What was thought comes first: its details are complete when words or calls follow."""
        if thought := delta.reasoning_content or delta.reasoning:
            readings.append(ReasoningDelta(thought))
        for detail in delta.reasoning_details or ():
            _collect(detail, self._details)
        spoken: list[Reading] = []
        _read_content(delta.content, spoken)
        if delta.refusal:
            spoken.append(TextDelta(delta.refusal))
        if delta.tool_calls:
            spoken += map(self._calls.read, delta.tool_calls)
        elif delta.function_call:
            spoken += map(self._calls.read, _old_call(delta.function_call))
        if spoken:
            self._seal(readings)
        readings += spoken
        if delta.images or delta.audio:
            self.leave_out("images" if delta.images else "audio", readings)

    def _seal(self, readings: list[Reading]) -> None:
        if self._details:
            readings.append(Seal(opaque=self._details))
            self._details = []


def _old_call(said: Any) -> list[_ToolCall]:
    """A piece of the one call that there could be before there were several; some send an empty one with every word."""
    try:
        function = msgspec.convert(said, _Function)
    except msgspec.ValidationError:
        return []
    return [_ToolCall(function=function)] if function.name or function.arguments else []


def _collect(detail: dict[str, Any], details: list[dict[str, Any]]) -> None:
    """Fragments of text and of summaries are joined by type and index; what is encrypted comes whole and stays so."""
    place = detail.get("type"), detail.get("index")
    known = next((one for one in details if (one.get("type"), one.get("index")) == place), None)
    if known is None or "data" in detail:
        details.append(detail)
        return
    for key, value in detail.items():
        if key in {"text", "summary"} and isinstance(value, str) and isinstance(known.get(key), str):
            known[key] += value
        elif value or key not in known:
            known[key] = value


def _read_content(content: str | list[_Block] | None, readings: list[Reading]) -> None:
    if isinstance(content, str):
        if content:
            readings.append(TextDelta(content))
        return
    for block in content or ():
        if thought := _thinking(block):
            readings.append(ReasoningDelta(thought))
        if block.text:
            readings.append(TextDelta(block.text))


class _Calls:
    """The tool calls of one answer, each at an index of its own.

    Some servers send whole calls that all have the index 0, or none: there a new id begins another call.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int | None, str], int] = {}
        self._last: dict[int | None, int] = {}
        self._without_id: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._last)

    def read(self, call: _ToolCall) -> ToolCallDelta:
        """A piece of a call. Later pieces may carry an empty id, which says nothing; a first one is given an id."""
        function = call.function or _Function()
        arguments = function.arguments or ""
        if isinstance(arguments, dict):
            arguments = msgspec.json.encode(arguments).decode()
        index = self._index(call, bool(function.name))
        id = call.id or None
        if index is None:
            index = self._begun(call)
            id = id or f"call_{index}"
        elif index in self._without_id:
            id = None
        return ToolCallDelta(index, arguments, id, function.name or None)

    def _index(self, call: _ToolCall, named: bool) -> int | None:
        """Where the call is that this is a piece of; None if it is the first piece."""
        last = self._last.get(call.index)
        if not call.id:
            return None if call.index is None and named else last
        if (call.index, call.id) in self._known:
            last = self._last[call.index] = self._known[call.index, call.id]
            return last
        return last if last in self._without_id and not named else None

    def _begun(self, call: _ToolCall) -> int:
        taken = self._without_id | set(self._known.values())
        index = max(taken, default=-1) + 1 if call.index is None or call.index in taken else call.index
        self._last[call.index] = index
        if call.id:
            self._known[call.index, call.id] = index
        else:
            self._without_id.add(index)
        return index


def _thinking(block: _Block) -> str:
    return block.thinking if isinstance(block.thinking, str) else "".join(inner.text for inner in block.thinking)


def _usage(said: Any, provider: Provider) -> UsageReport | None:
    """Usage in our terms. Some count reasoning beside the output, not in it: then the total gives them away."""
    asked, output = loose.count(said, "prompt_tokens"), loose.count(said, "completion_tokens")
    if asked is None or output is None:
        return None
    reasoning = loose.count(said, "completion_tokens_details", "reasoning_tokens")
    if reasoning and loose.count(said, "total_tokens") == asked + output + reasoning:
        output += reasoning
    cached = (loose.count(said, *path) for path in CACHED)
    usd = loose.dollars(said, "cost")
    return UsageReport(
        Usage(
            input_tokens=asked,
            output_tokens=output,
            exact=True,
            cached_input_tokens=next((count for count in cached if count is not None), None),
            cache_write_tokens=loose.count(said, "prompt_tokens_details", "cache_write_tokens"),
            reasoning_tokens=reasoning,
        ),
        None if usd is None else Cost(usd=usd, exact=True, source=provider.id),
    )
