"""The `openai-chat` dialect: OpenAI's chat completions, as spoken by OpenAI and by most who copied them.

Must never know which provider it talks to: what differs is in `Quirks`, or is read from the bytes themselves.
Source: https://platform.openai.com/docs/api-reference/chat, and recorded streams of nine providers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Conversation,
    Cost,
    ErrorSeen,
    FilePart,
    ImagePart,
    Message,
    NamedTool,
    Notice,
    Part,
    Reading,
    ReasoningDelta,
    ReasoningPart,
    StopReason,
    StopSeen,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolCallPart,
    ToolResultPart,
    Usage,
    UsageReport,
)
from pointsman.core.errors import UNREADABLE, BadReply, Interrupted, PointsmanError
from pointsman.core.http import Head, Request
from pointsman.core.models import Model
from pointsman.core.stream import SseSplitter
from pointsman.wire import error_bodies

LONGEST_EVENT = 16 * 2**20
"""Bytes that one event of a stream may have before the stream is given up."""
AFTER_STOP, AFTER_DONE = 3.0, 0.2
"""Seconds that more is worth waiting for after the reason to stop, and after `[DONE]`."""

STOP_REASONS: dict[str, StopReason] = {
    "stop": "end",
    "length": "length",
    "tool_calls": "toolCalls",
    "function_call": "toolCalls",
    "content_filter": "contentFilter",
}


class Quirks(Struct, frozen=True, forbid_unknown_fields=True):
    """`max_tokens_field`: how the limit of output is called. `stream_usage`: whether `stream_options` may be sent."""

    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    stream_usage: bool = True


def request(provider: Provider, model: str, conversation: Conversation) -> tuple[Request, Sequence[Notice]]:
    """A POST to `/chat/completions` that asks for a stream with usage."""
    quirks = msgspec.convert(provider.quirks, Quirks)
    notices: list[Notice] = []
    messages = [{"role": "system", "content": conversation.system}] if conversation.system else []
    for message in conversation.messages:
        messages += _messages(message, notices)
    body: dict[str, Any] = {"model": model, "messages": messages, "stream": True}
    if quirks.stream_usage:
        body["stream_options"] = {"include_usage": True}
    body |= _options(conversation, quirks) | _tools(conversation)
    if conversation.tool_choice is not None and not conversation.tools:
        notices.append(Notice("toolChoice", "There are no tools to choose from; the choice was left out."))
    headers = {"content-type": "application/json", "accept": "text/event-stream", **provider.headers}
    return Request("POST", provider.url("chat/completions"), headers, msgspec.json.encode(body)), notices


def _options(conversation: Conversation, quirks: Quirks) -> dict[str, Any]:
    options = conversation.options
    fields: dict[str, Any] = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        quirks.max_tokens_field: options.max_output_tokens,
        "stop": options.stop,
        "seed": options.seed,
        "reasoning_effort": options.reasoning_effort,
    }
    match options.response_format:
        case msgspec.UnsetType():
            pass
        case form if form.type == "jsonSchema":
            schema = {"name": form.name or "answer", "schema": form.schema or {}, "strict": True}
            fields["response_format"] = {"type": "json_schema", "json_schema": schema}
        case form:
            fields["response_format"] = {"type": "json_object" if form.type == "json" else "text"}
    return {name: value for name, value in fields.items() if value is not UNSET}


def _tools(conversation: Conversation) -> dict[str, Any]:
    if not conversation.tools:
        return {}
    tools = []
    for tool in conversation.tools:
        function = {"name": tool.name, "parameters": tool.parameters}
        if tool.description is not None:
            function["description"] = tool.description
        tools.append({"type": "function", "function": function})
    match conversation.tool_choice:
        case None:
            return {"tools": tools}
        case NamedTool(name):
            return {"tools": tools, "tool_choice": {"type": "function", "function": {"name": name}}}
        case choice:
            return {"tools": tools, "tool_choice": choice}


def _messages(message: Message, notices: list[Notice]) -> list[dict[str, Any]]:
    """One message of ours is one of theirs, but for tool results: each of those is a message of its own."""
    content: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for part in message.parts:
        match part:
            case ToolCallPart():
                arguments = part.invalid_arguments or msgspec.json.encode(part.arguments).decode()
                calls.append(
                    {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": arguments}}
                )
            case ToolResultPart():
                results.append({"role": "tool", "tool_call_id": part.tool_call_id, "content": _result(part, notices)})
            case _:
                content += _content(part, notices)
    if not content and not calls:
        return results
    if all(block["type"] == "text" for block in content):
        said: Any = "".join(block["text"] for block in content) or (None if calls else "")
    else:
        said = content
    own: dict[str, Any] = {"role": message.role, "content": said}
    if calls:
        own["tool_calls"] = calls
    return [*results, own]


def _content(part: Part, notices: list[Notice]) -> list[dict[str, Any]]:
    match part:
        case TextPart(text):
            return [{"type": "text", "text": text}]
        case ImagePart():
            return [
                {
                    "type": "image_url",
                    "image_url": {"url": part.url or _data_url(part.media_type or "image/png", part.data)},
                }
            ]
        case FilePart() if part.data is not None:
            data = _data_url(part.media_type or "application/octet-stream", part.data)
            return [{"type": "file", "file": {"filename": part.name or "file", "file_data": data}}]
        case FilePart():
            notices.append(
                Notice("file", f"Chat completions take no file by URL; {(part.url or '')[:200]} was left out.")
            )
        case ReasoningPart():
            notices.append(Notice("reasoning", "Chat completions take no earlier reasoning back; it was left out."))
        case _:
            pass
    return []


def _result(part: ToolResultPart, notices: list[Notice]) -> str:
    """A tool's answer as text: the only form that every server of this dialect takes."""
    if part.is_error:
        notices.append(Notice("toolResult", "Chat completions can't say that a tool failed; only its words were sent."))
    if isinstance(part.content, str):
        return part.content
    texts = [piece.text for piece in part.content if isinstance(piece, TextPart)]
    if len(texts) < len(part.content):
        notices.append(Notice("toolResult", "Chat completions take only text from a tool; its images were left out."))
    return "\n".join(texts)


def _data_url(media_type: str, data: str | None) -> str:
    return f"data:{media_type};base64,{data or ''}"


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
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _InputDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(Struct):
    reasoning_tokens: int | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    cost: float | None = None


class _Chunk(Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)


def reader(provider: Provider) -> Reader:
    """A reader for one answer."""
    return Reader(provider)


class Reader:
    """Server-sent events in, readings out. Only the first choice is read; `n` is never asked for."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._events = SseSplitter()
        self._bytes = 0
        self._seen = self._stopped = self._done = False

    def feed(self, chunk: bytes) -> list[Reading]:
        """What this chunk completes."""
        readings: list[Reading] = []
        self._bytes += len(chunk)
        for event in self._events.feed(chunk):
            self._read(event, readings)
        if self._events.pending > LONGEST_EVENT:
            readings.append(ErrorSeen(self._unreadable("sent an event of more than 16 MiB")))
        return readings

    @property
    def linger(self) -> float | None:
        """Usage may follow the reason to stop; nothing follows `[DONE]` but the end of the body."""
        return AFTER_DONE if self._done else AFTER_STOP if self._stopped else None

    def close(self) -> list[Reading]:
        """What the end of the body completes."""
        readings: list[Reading] = []
        for event in self._events.close():
            self._read(event, readings)
        if self._bytes and not self._seen:
            readings.append(ErrorSeen(self._unreadable("did not answer with an event stream")))
        elif not (self._stopped or self._done):
            text = f"{self._provider.title} closed the stream before the answer was complete."
            readings.append(ErrorSeen(Interrupted(text, provider=self._provider.id)))
        elif not self._stopped:
            readings.append(StopSeen("end"))
        return readings

    def _read(self, event: bytes, readings: list[Reading]) -> None:
        self._seen = True
        if self._done:
            return
        if event == b"[DONE]":
            self._done = True
            return
        try:
            chunk = _CHUNK.decode(event)
        except UNREADABLE as error:
            readings.append(ErrorSeen(self._unreadable(f"sent a chunk that can't be read ({error})")))
            return
        if chunk.error is not None:
            readings.append(ErrorSeen(error_bodies.in_stream(self._provider, chunk.error)))
        for choice in chunk.choices or ():
            if choice.index:
                continue
            if choice.delta is not None:
                _read_delta(choice.delta, readings)
            if choice.finish_reason and not self._stopped:
                self._stopped = True
                readings.append(StopSeen(STOP_REASONS.get(choice.finish_reason, "end")))
        if chunk.usage is not None and (report := _usage(chunk.usage, self._provider)):
            readings.append(report)

    def _unreadable(self, what: str) -> PointsmanError:
        return BadReply(f"{self._provider.title} {what}.", provider=self._provider.id)


def _read_delta(delta: _Delta, readings: list[Reading]) -> None:
    if thought := delta.reasoning_content or delta.reasoning:
        readings.append(ReasoningDelta(thought))
    if isinstance(delta.content, str):
        if delta.content:
            readings.append(TextDelta(delta.content))
    elif delta.content:
        for block in delta.content:
            if thought := _thinking(block):
                readings.append(ReasoningDelta(thought))
            if block.text:
                readings.append(TextDelta(block.text))
    if delta.refusal:
        readings.append(TextDelta(delta.refusal))
    for position, call in enumerate(delta.tool_calls or ()):
        function = call.function or _Function()
        arguments = function.arguments or ""
        if isinstance(arguments, dict):
            arguments = msgspec.json.encode(arguments).decode()
        index = position if call.index is None else call.index
        readings.append(ToolCallDelta(index, arguments, call.id or None, function.name or None))


def _thinking(block: _Block) -> str:
    return block.thinking if isinstance(block.thinking, str) else "".join(inner.text for inner in block.thinking)


def _usage(usage: _Usage, provider: Provider) -> UsageReport | None:
    """Usage in our terms. Some count reasoning beside the output, not in it: then the total gives them away."""
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    reasoning = (usage.completion_tokens_details or _OutputDetails()).reasoning_tokens
    output = usage.completion_tokens
    if reasoning and usage.total_tokens == usage.prompt_tokens + output + reasoning:
        output += reasoning
    details = usage.prompt_tokens_details or _InputDetails()
    return UsageReport(
        Usage(
            input_tokens=usage.prompt_tokens,
            output_tokens=output,
            exact=True,
            cached_input_tokens=details.cached_tokens,
            cache_write_tokens=details.cache_write_tokens,
            reasoning_tokens=reasoning,
        ),
        None if usage.cost is None else Cost(usd=usage.cost, exact=True, source=provider.id),
    )


def error(provider: Provider, head: Head, body: bytes) -> PointsmanError:
    """What a response whose status is not 2xx means."""
    return error_bodies.from_response(provider, head, body)


class _ListedModel(Struct):
    id: str
    name: str | None = None
    context_length: int | None = None
    context_window: int | None = None


class _ModelList(Struct):
    data: list[_ListedModel]


def models_request(provider: Provider) -> Request | None:
    """A GET of `/models`."""
    return Request("GET", provider.url("models"), {"accept": "application/json", **provider.headers})


def models(provider: Provider, body: bytes) -> Sequence[Model]:
    """The provider's own list. Raises BadReply when it is not one."""
    try:
        listed = msgspec.json.decode(body, type=_ModelList).data
    except UNREADABLE as error:
        raise BadReply(
            f"{provider.title} gave a list of models that can't be read ({error}).", provider=provider.id
        ) from None
    return [
        Model(
            model=f"{provider.id}:{model.id}",
            provider=provider.id,
            id=model.id,
            name=model.name or model.id,
            capabilities=(),
            source="live",
            context_window=model.context_length or model.context_window,
        )
        for model in listed
    ]
