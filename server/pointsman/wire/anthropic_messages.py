"""The `anthropic-messages` dialect: Anthropic's Messages API, by server-sent events, also as others serve it.

Must never know which provider it speaks to: what differs is in the provider's TOML or in the bytes.
Source: https://platform.claude.com/docs/en/build-with-claude/streaming, https://platform.claude.com/docs/en/api/errors,
and recorded streams. What is sent is in `wire.anthropic_requests`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

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
from pointsman.core.http import Head, Request
from pointsman.core.models import Model, ModelPage
from pointsman.wire import anthropic_requests, error_bodies, loose
from pointsman.wire.event_reader import EventReader
from pointsman.wire.model_facts import fitting

AFTER_STOP = 0.2
"""Seconds that the end of the body is worth waiting for after `message_stop`."""
MODELS_AT_ONCE = 1000
LONGEST_QUOTE = 500

STOP_REASONS: dict[str, StopReason] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "pause_turn": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "toolCalls",
    "refusal": "contentFilter",
    "content_filter": "contentFilter",
}
"""Why an answer ends; the last one is what servers say that translate from another API."""
ERROR_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The status that an error would have had, had it come before the stream."""
CAPABILITIES = {
    "image_input": "images",
    "pdf_input": "files",
    "thinking": "reasoning",
    "structured_outputs": "json",
}
DETAILS = "output_tokens_details"
ASKED = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
"""What the input is counted in: what was read from a cache and what was written to it are no part of the rest."""
EVENTS = {
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "error",
}

Quirks = anthropic_requests.Quirks


def request(provider: Provider, model: str, conversation: Conversation) -> tuple[Request, Sequence[Notice]]:
    """A POST to `/v1/messages` that asks for a stream."""
    return anthropic_requests.request(provider, model, conversation)


class _Block(Struct):
    type: str = ""
    id: str | None = None
    name: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    input: Any = None


class _StopDetails(Struct):
    explanation: str | None = None


class _Delta(Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_details: _StopDetails | None = None


class _Message(Struct):
    usage: Raw = Raw()


class _Event(Struct):
    type: str = ""
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: Raw = Raw()
    error: Any = None


class _Kind(Struct):
    type: str


_EVENT = msgspec.json.Decoder(_Event)
_KIND = msgspec.json.Decoder(_Kind)


class _Call:
    """A tool call that is being read."""

    def __init__(self, number: int, whole: Any) -> None:
        self.number = number
        self.whole = whole
        """The arguments, where they came at once instead of in pieces."""


def reader(provider: Provider) -> Reader:
    """A reader for one answer."""
    return Reader(provider)


class Reader(EventReader):
    """Server-sent events in, readings out. An answer is complete at `message_stop`, and not before."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._calls: dict[int, _Call] = {}
        self._signature = ""
        self._usage: dict[str, Any] = {}
        self._reported = False
        self._reason = ""

    @property
    def linger(self) -> float | None:
        """Nothing follows `message_stop` but the end of the body."""
        return AFTER_STOP if self.stopped else None

    def ended(self, readings: list[Reading]) -> None:
        """Only what was said to be complete is."""
        if not self.stopped:
            self._say_what_it_took(readings)
            self.end(readings)

    def read(self, event: bytes, readings: list[Reading]) -> None:
        """Adds what one event says, of those before `message_stop`."""
        if self.stopped:
            return
        try:
            known = _EVENT.decode(event)
        except msgspec.ValidationError:
            if _is_of_tomorrow(event):
                return
            raise
        if known.error is not None:
            self._say_what_it_took(readings)
            self.fail(error_bodies.in_stream(self.provider, _with_status(known.error)), readings)
        self._take(known, readings)

    def _take(self, event: _Event, readings: list[Reading]) -> None:
        match event:
            case _Event("message_start", message=_Message(usage)):
                self._count(usage)
            case _Event("content_block_start", index, content_block=_Block() as block):
                self._begin(index, block, readings)
            case _Event("content_block_delta", index, delta=_Delta() as delta):
                self._go_on(index, delta, readings)
            case _Event("content_block_stop", index):
                self._end(index, readings)
            case _Event("message_delta"):
                self._say_why(event, readings)
            case _Event("message_stop"):
                self.stop(STOP_REASONS.get(self._reason, "end"), readings)
            case _:
                pass  # `ping`, and what is not known yet: the API asks for both to be passed over

    def _begin(self, index: int, block: _Block, readings: list[Reading]) -> None:
        match block.type:
            case "text" | "thinking":
                self._piece(block.text, block.thinking, readings)
                self._signature = block.signature or ""
            case "redacted_thinking":
                readings.append(Seal(opaque={"type": "redacted_thinking", "data": block.data or ""}))
            case "tool_use":
                call = self._calls[index] = _Call(len(self._calls), block.input)
                readings.append(ToolCallDelta(call.number, "", block.id, block.name))
            case kind:
                self.leave_out(kind, readings)

    def _go_on(self, index: int, delta: _Delta, readings: list[Reading]) -> None:
        match delta.type:
            case "text_delta" | "thinking_delta":
                self._piece(delta.text, delta.thinking, readings)
            case "signature_delta":
                self._signature += delta.signature or ""
            case "input_json_delta":
                if delta.partial_json and (call := self._calls.get(index)):
                    call.whole = None
                    readings.append(ToolCallDelta(call.number, delta.partial_json))
            case kind:
                self.leave_out(kind, readings)

    def _end(self, index: int, readings: list[Reading]) -> None:
        if self._signature:
            readings.append(Seal(signature=self._signature))
            self._signature = ""
        if (call := self._calls.get(index)) and call.whole:
            readings.append(ToolCallDelta(call.number, msgspec.json.encode(call.whole).decode()))
            call.whole = None

    def _say_why(self, event: _Event, readings: list[Reading]) -> None:
        delta = event.delta or _Delta()
        self._reason = delta.stop_reason or self._reason
        if delta.stop_reason == "pause_turn":
            text = f"{self.provider.title} paused in the middle of its turn; say something like `go on` for the rest."
            readings.append(Notice("answer", text))
        if delta.stop_details is not None and delta.stop_details.explanation:
            readings.append(Notice("answer", delta.stop_details.explanation[:LONGEST_QUOTE]))
        if self._count(event.usage) and (report := reported(self._usage)):
            self._reported = True
            readings.append(report)

    def _say_what_it_took(self, readings: list[Reading]) -> None:
        """Usage of an answer that breaks off: its input is known, and its output only so far as it was at the start."""
        if not self._reported and (report := reported(self._usage, exact=False)):
            self._reported = True
            readings.append(report)

    def _count(self, usage: Raw) -> bool:
        """Takes in what is said of usage; whether that can be read."""
        said = loose.value(usage)
        if isinstance(said, dict):
            self._usage = _whole(self._usage, said)
        return isinstance(said, dict)

    def _piece(self, text: str | None, thinking: str | None, readings: list[Reading]) -> None:
        if thinking:
            readings.append(ReasoningDelta(thinking))
        if text:
            readings.append(TextDelta(text))


def _is_of_tomorrow(text: bytes) -> bool:
    """Whether an event is of a kind that is not known yet, and of another shape than those that are."""
    try:
        return _KIND.decode(text).type not in EVENTS
    except UNREADABLE:
        return False


def _with_status(error: Any) -> Any:
    if isinstance(error, dict) and (status := ERROR_STATUS.get(str(error.get("type")))):
        return {"status_code": status} | error
    return error


def _whole(before: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Usage by all that was said of it: later counts are those of the whole. What they leave out was said before, and
    no count is taken back by something that is none.
    """
    whole = before | _counted(before, said)
    former, details = before.get(DETAILS), said.get(DETAILS)
    if isinstance(former, dict) and isinstance(details, dict):
        whole[DETAILS] = former | _counted(former, details)
    return whole


def _counted(before: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in said.items() if before.get(name) is None or loose.count(said, name) is not None
    }


def reported(said: Any, exact: bool = True) -> UsageReport | None:
    """Usage in our terms: theirs counts what was read from the cache and written to it beside the input.

    Where nobody has counted the input, the whole is not exact. None where nobody has counted the output.
    """
    output, asked = loose.count(said, "output_tokens"), loose.total(said, *ASKED)
    if output is None:
        return None
    return UsageReport(
        Usage(
            input_tokens=asked or 0,
            output_tokens=output,
            exact=exact and asked is not None and said.get("input_tokens") is not None,
            cached_input_tokens=loose.count(said, "cache_read_input_tokens"),
            cache_write_tokens=loose.count(said, "cache_creation_input_tokens"),
            reasoning_tokens=loose.count(said, DETAILS, "thinking_tokens"),
        )
    )


def error(provider: Provider, head: Head, body: bytes) -> PointsmanError:
    """What a response whose status is not 2xx means."""
    return error_bodies.from_response(provider, head, body)


class _ListedModel(Struct):
    id: str
    display_name: str | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    capabilities: dict[str, Any] | None = None
    lifecycle: str | None = None


class _ModelList(Struct):
    data: list[Any]
    has_more: bool = False
    last_id: str | None = None


def models_request(provider: Provider, page: str | None = None) -> Request | None:
    """A GET of `/v1/models`, from the model after `page` on."""
    if provider.model_list == "none":
        return None
    quirks = msgspec.convert(provider.quirks, Quirks)
    query = {"limit": MODELS_AT_ONCE} | ({"after_id": page} if page else {})
    version = provider.api_version or anthropic_requests.VERSIONS[quirks.platform]
    headers = {"accept": "application/json", "anthropic-version": version, **provider.headers}
    return Request("GET", f"{anthropic_requests.url(provider, 'models')}?{urlencode(query)}", headers)


def models(provider: Provider, body: bytes) -> ModelPage:
    """The provider's own list, without models that are no longer served. Raises BadReply when it is not one."""
    try:
        page = msgspec.json.decode(body, type=_ModelList)
        listed = fitting(page.data, _ListedModel)
    except UNREADABLE as error:
        text = f"{provider.title} gave a list of models that can't be read ({error})."
        raise BadReply(text, provider=provider.id) from None
    listing = [
        Model(
            model=f"{provider.id}:{model.id}",
            provider=provider.id,
            id=model.id,
            name=model.display_name or model.id,
            capabilities=_capabilities(model.capabilities or {}),
            source="live",
            context_window=model.max_input_tokens,
            max_output_tokens=model.max_tokens,
        )
        for model in listed
        if model.lifecycle != "retired"
    ]
    return ModelPage(listing, page.last_id if page.has_more else None)


def _capabilities(told: dict[str, Any]) -> tuple[str, ...]:
    return tuple(
        ours
        for theirs, ours in CAPABILITIES.items()
        if isinstance(told.get(theirs), dict) and told[theirs].get("supported")
    )
