"""The `ollama-chat` dialect: Ollama's own `/api/chat`, lines of JSON.

Must never know whether it talks to a server on this machine or to the cloud: what differs is in the provider's TOML.
Source: https://github.com/ollama/ollama/blob/main/docs/api.md and docs/capabilities, and recorded streams.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec
from msgspec import Raw, Struct, UnsetType

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Conversation,
    ImagePart,
    Message,
    Notice,
    Options,
    Part,
    Reading,
    ReasoningDelta,
    ReasoningPart,
    StopReason,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolCallPart,
    ToolResultPart,
    Usage,
    UsageReport,
)
from pointsman.core.errors import UNREADABLE, BadReply, PointsmanError
from pointsman.core.http import Head, Request
from pointsman.core.models import Model, ModelPage
from pointsman.core.stream import LineSplitter
from pointsman.wire import carrying, error_bodies, loose
from pointsman.wire.event_reader import AnswerReader
from pointsman.wire.halves import Halves
from pointsman.wire.model_facts import fitting

LONGEST_LINE = 16 * 2**20
"""Bytes that one line of a stream may have before the stream is given up."""
AFTER_DONE = 0.2
"""Seconds that the end of the body is worth waiting for after the last line."""
CARRIED = {
    "temperature",
    "topP",
    "maxOutputTokens",
    "stop",
    "seed",
    "reasoningEffort",
    "responseFormat",
    "topK",
    "frequencyPenalty",
    "presencePenalty",
}
THINK = {"minimal": "low", "low": "low", "medium": "medium", "high": "high"}
"""What `reasoningEffort` is called here, where it is a word."""


class Quirks(Struct, frozen=True, forbid_unknown_fields=True):
    """Patterns of models. `thinking`: that can be told to think. `thinking_words`: those of them that are told how hard
    by a word.
    """

    thinking: tuple[str, ...] = (
        "gpt-oss*",
        "qwen3",
        "qwen3:*",
        "qwen3.[5-9]*",
        "deepseek-r1*",
        "deepseek-v3.[1-9]*",
        "magistral*",
        "*thinking*",
    )
    thinking_words: tuple[str, ...] = ("gpt-oss*",)


def request(provider: Provider, model: str, conversation: Conversation) -> tuple[Request, Sequence[Notice]]:
    """A POST to `/api/chat`; the stream is the default there, and asked for all the same."""
    notices = carrying.options_left_out(conversation, CARRIED, "Ollama") + carrying.unused_form(conversation)
    notices += _told(conversation)
    think = _think(conversation.options, model, msgspec.convert(provider.quirks, Quirks), notices)
    messages: list[dict[str, Any]] = []
    if conversation.system:
        messages.append({"role": "system", "content": conversation.system})
    names = {p.id: p.name for m in conversation.messages for p in m.parts if isinstance(p, ToolCallPart)}
    for message in conversation.messages:
        messages += _messages(message, names, notices)
    body: dict[str, Any] = {"model": model, "messages": messages, "stream": True, **_options(conversation), **think}
    if conversation.tools:
        body["tools"] = [_tool(tool.name, tool.description, tool.parameters) for tool in conversation.tools]
    headers = {"content-type": "application/json", "accept": "application/x-ndjson", **provider.headers}
    return Request("POST", _url(provider, "chat"), headers, msgspec.json.encode(body)), carrying.once(notices)


def _told(conversation: Conversation) -> list[Notice]:
    """Notices for what goes with the messages and has no place here."""
    notices: list[Notice] = []
    options = conversation.options
    form = options.response_format
    if not isinstance(form, UnsetType) and form.type == "jsonSchema" and form.name is not None:
        notices.append(Notice("responseFormat", "Ollama takes a schema without a name; the name was left out."))
    if any(tool.strict is not None for tool in conversation.tools):
        notices.append(
            Notice("tools", "Ollama can't be told how strictly to keep to a tool's schema; it was left out.")
        )
    if conversation.tool_choice is not None and (conversation.tool_choice != "auto" or not conversation.tools):
        notices.append(Notice("toolChoice", "Ollama leaves the choice of a tool to the model; yours was left out."))
    if any(message.cache for message in conversation.messages):
        notices.append(Notice("cache", "Ollama decides itself what to cache; the hint was left out."))
    return notices


def _options(conversation: Conversation) -> dict[str, Any]:
    options = conversation.options
    sampling = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "num_predict": options.max_output_tokens,
        "stop": options.stop,
        "seed": options.seed,
        "top_k": options.top_k,
        "frequency_penalty": options.frequency_penalty,
        "presence_penalty": options.presence_penalty,
    }
    fields: dict[str, Any] = {}
    if given := {name: value for name, value in sampling.items() if not isinstance(value, UnsetType)}:
        fields["options"] = given
    form = options.response_format
    if not isinstance(form, UnsetType) and form.type != "text":
        fields["format"] = form.schema if form.type == "jsonSchema" and form.schema else "json"
    return fields


def _think(options: Options, model: str, quirks: Quirks, notices: list[Notice]) -> dict[str, Any]:
    """Whether to think, and how hard. Models that can't think refuse to be told to; not to is no matter to them."""
    effort, own = options.reasoning_effort, model.rpartition("/")[2].lower()
    if isinstance(effort, UnsetType):
        return {}
    think: bool | str
    if any(fnmatchcase(own, pattern) for pattern in quirks.thinking_words):
        think = THINK.get(effort, "low" if effort == "none" else "high")
        if think != effort:
            text = f"{model[:200]} can't think as `{effort[:50]}` says; `{think}` was asked for."
            notices.append(Notice("reasoningEffort", text))
    elif effort == "none":
        think = False
    elif any(fnmatchcase(own, pattern) for pattern in quirks.thinking):
        think = True
        text = f"{model[:200]} can be told to think, but not how hard; `{effort[:50]}` was left out."
        notices.append(Notice("reasoningEffort", text))
    else:
        text = f"{model[:200]} is not known to think; `reasoningEffort` was left out."
        notices.append(Notice("reasoningEffort", f"{text} If it does, name it in the quirk `thinking`."))
        return {}
    return {"think": think}


def _tool(name: str, description: str | None, parameters: dict[str, Any]) -> dict[str, Any]:
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": {key: value for key, value in function.items() if value is not None}}


def _messages(message: Message, names: dict[str, str], notices: list[Notice]) -> list[dict[str, Any]]:
    """One message of ours is one of theirs, but for tool results: each of those is a message of its own."""
    own: dict[str, Any] = {"role": message.role, "content": ""}
    results: list[dict[str, Any]] = []
    for given in message.parts:
        part = carrying.unpacked(given) if isinstance(given, ImagePart) else given
        match part:
            case TextPart(text):
                own["content"] += text
            case ReasoningPart():
                own["thinking"] = own.get("thinking", "") + part.text
                notices += _unsigned(part)
            case ImagePart() if part.data is not None:
                own.setdefault("images", []).append(part.data)
                notices += carrying.unsent(part, "data")
            case ToolCallPart():
                own.setdefault("tool_calls", []).append(_call(part, notices))
            case ToolResultPart():
                results.append(_result(part, names, notices))
            case _:
                notices.append(_left_out(part))
    empty = own.keys() == {"role", "content"} and not own["content"]
    return results if empty else [*results, own]


def _call(part: ToolCallPart, notices: list[Notice]) -> dict[str, Any]:
    if part.invalid_arguments:
        notices.append(Notice("toolCall", f"The arguments of {part.name} were no JSON object; they were left out."))
    if carrying.is_sealed(part):
        notices.append(Notice("toolCall", "Ollama has no place for the signature of a tool call; it was left out."))
    return {"id": part.id, "function": {"name": part.name, "arguments": part.arguments}}


def _result(part: ToolResultPart, names: dict[str, str], notices: list[Notice]) -> dict[str, Any]:
    pieces = (TextPart(part.content),) if isinstance(part.content, str) else part.content
    texts = [piece.text for piece in pieces if isinstance(piece, TextPart)]
    if len(texts) < len(pieces):
        notices.append(Notice("toolResult", "Ollama takes only text from a tool; its images were left out."))
    if part.is_error:
        notices.append(Notice("toolResult", "Ollama can't say that a tool failed; the words of the result have to."))
    name = names.get(part.tool_call_id, part.tool_call_id)
    return {"role": "tool", "content": "\n".join(texts), "tool_name": name, "tool_call_id": part.tool_call_id}


def _unsigned(part: ReasoningPart) -> list[Notice]:
    if not carrying.is_sealed(part):
        return []
    return [Notice("reasoning", "Ollama takes earlier reasoning as text; its signature was left out.")]


def _left_out(part: Part) -> Notice:
    kind = type(part).__name__.removesuffix("Part").lower()
    where = (getattr(part, "url", None) or getattr(part, "name", None) or "one")[:200]
    return Notice(kind, f"Ollama takes images as data and no files; {where} was left out.")


def _url(provider: Provider, path: str) -> str:
    """Ollama's own pages give the base URL of its cloud with `/api` and that of a local server without."""
    return provider.url(path if provider.base_url.rstrip("/").endswith("/api") else f"api/{path}")


class _Function(Struct):
    name: str = ""
    arguments: dict[str, Any] | str | None = None


class _ToolCall(Struct):
    function: _Function
    id: str | None = None


class _Said(Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Line(Struct):
    message: _Said | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: Raw = Raw()
    eval_count: Raw = Raw()
    error: Any = None


_LINE = msgspec.json.Decoder(_Line)


def reader(provider: Provider) -> Reader:
    """A reader for one answer."""
    return Reader(provider)


class Reader(AnswerReader):
    """Lines of JSON in, readings out."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._halves = Halves()
        self._lines = LineSplitter()
        self._calls = 0

    def feed(self, chunk: bytes) -> list[Reading]:
        """What this chunk completes."""
        readings: list[Reading] = []
        for line in self._lines.feed(chunk):
            self._read(line, readings)
        if self._lines.pending > LONGEST_LINE:
            self._lines = LineSplitter()
            self.fail(self._unreadable("sent a line of more than 16 MiB"), readings)
        if not self._spoke:
            self.listen(readings)
        return readings

    @property
    def linger(self) -> float | None:
        """Nothing follows the line that is `done` but the end of the body."""
        return AFTER_DONE if self.stopped else None

    def close(self) -> list[Reading]:
        """What the end of the body completes."""
        readings: list[Reading] = []
        for line in self._lines.close():
            self._read(line, readings)
        self.end(readings)
        return readings

    def _read(self, text: bytes, readings: list[Reading]) -> None:
        try:
            try:
                line = _LINE.decode(text)
            except UNREADABLE:  # rare, so that only then it is looked for what can be mended
                line = _LINE.decode(self._halves.mend(text))
        except UNREADABLE as error:
            self.fail(self._unreadable(f"sent a line that can't be read ({error})"), readings)
            return
        if line.error is not None:
            self.fail(error_bodies.in_stream(self.provider, line.error), readings)
        if line.message is not None:
            self._read_message(line.message, readings)
        if line.done and not self.stopped:
            asked, output = loose.count(loose.value(line.prompt_eval_count)), loose.count(loose.value(line.eval_count))
            # What was in the cache may not be counted at all: better an estimate than a prompt of nothing.
            if asked is not None and output is not None:
                readings.append(UsageReport(Usage(input_tokens=asked, output_tokens=output, exact=True)))
            self.stop(self._stop_reason(line.done_reason), readings)

    def _read_message(self, said: _Said, readings: list[Reading]) -> None:
        if said.thinking:
            readings.append(ReasoningDelta(said.thinking))
        if said.content:
            readings.append(TextDelta(said.content))
        for call in said.tool_calls or ():
            arguments = call.function.arguments or {}
            text = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
            id = call.id or f"call_{self._calls}"  # most servers of this dialect give none
            readings.append(ToolCallDelta(self._calls, text, id, call.function.name))
            self._calls += 1

    def _stop_reason(self, said: str | None) -> StopReason:
        """Ours for theirs; they say `stop` for tool calls too."""
        if said == "length":
            return "length"
        return "toolCalls" if self._calls else "end"

    def _unreadable(self, what: str) -> PointsmanError:
        return BadReply(f"{self.provider.title} {what}.", provider=self.provider.id)


def error(provider: Provider, head: Head, body: bytes) -> PointsmanError:
    """What a response whose status is not 2xx means."""
    return error_bodies.from_response(provider, head, body)


class _Details(Struct):
    context_length: int | None = None


class _ListedModel(Struct):
    name: str
    details: _Details | None = None


class _ModelList(Struct):
    models: list[Any]


def models_request(provider: Provider, page: str | None = None) -> Request | None:
    """A GET of `/api/tags`."""
    return Request("GET", _url(provider, "tags"), {"accept": "application/json", **provider.headers})


def models(provider: Provider, body: bytes) -> ModelPage:
    """The models that the server has. Raises BadReply when the body is no such list."""
    try:
        listed = fitting(msgspec.json.decode(body, type=_ModelList).models, _ListedModel)
    except UNREADABLE as error:
        text = f"{provider.title} gave a list of models that can't be read ({error})."
        raise BadReply(text, provider=provider.id) from None
    listing = [
        Model(
            model=f"{provider.id}:{name}",
            provider=provider.id,
            id=name,
            name=name,
            capabilities=(),
            source="live",
            context_window=model.details.context_length if model.details else None,
        )
        for model in listed
        for name in [model.name.removesuffix(":latest")]
    ]
    return ModelPage(listing)
