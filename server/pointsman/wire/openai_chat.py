"""The `openai-chat` dialect: OpenAI's chat completions, as spoken by OpenAI and by most who copied them.

Must never know which provider it talks to: what differs is in `Quirks`, or is read from the bytes themselves.
Source: https://platform.openai.com/docs/api-reference/chat, and what OpenAI's SDK sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Conversation,
    FilePart,
    ImagePart,
    Message,
    NamedTool,
    Notice,
    ReasoningPart,
    ResponseFormat,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from pointsman.core.errors import PointsmanError
from pointsman.core.http import Head, Request
from pointsman.wire import carrying, error_bodies, openai_models
from pointsman.wire.call_ids import HashedCallIds
from pointsman.wire.openai_chat_reader import Reader

models_request, models = openai_models.models_request, openai_models.models

CARRIED = {
    "temperature",
    "topP",
    "maxOutputTokens",
    "stop",
    "seed",
    "reasoningEffort",
    "responseFormat",
    "frequencyPenalty",
    "presencePenalty",
}


class Quirks(Struct, frozen=True, forbid_unknown_fields=True):
    """`max_tokens_field`: how the limit of output is called. `stream_usage`: whether `stream_options` may be sent.
    `system_role`: the role of a system prompt. `refuses`: options that models refuse, by patterns of their names, as in
    `{ "o3*" = ["temperature"] }`. `top_k`: whether it is taken. `reasoning_details`, `reasoning_content`: whether
    earlier reasoning is wanted back in that field. `cache_control`: whether a cache hint is marked on its text.
    `call_ids`: which ids of tool calls are taken, `alnum9` means nine letters and digits. `seed_field`: how the seed is
    called. `response_formats`: the forms of an answer that are taken. `named_tool`: whether a choice may name a tool.
    """

    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    stream_usage: bool = True
    system_role: Literal["system", "developer"] = "system"
    refuses: dict[str, tuple[carrying.OptionName, ...]] = {}
    top_k: bool = False
    reasoning_details: bool = False
    reasoning_content: bool = False
    cache_control: bool = False
    call_ids: Literal["any", "alnum9"] = "any"
    seed_field: Literal["seed", "random_seed"] = "seed"
    response_formats: tuple[Literal["text", "json", "jsonSchema"], ...] = ("text", "json", "jsonSchema")
    named_tool: bool = True


def request(provider: Provider, model: str, conversation: Conversation) -> tuple[Request, Sequence[Notice]]:
    """A POST to `/chat/completions` that asks for a stream with usage."""
    quirks = msgspec.convert(provider.quirks, Quirks)
    conversation, notices = carrying.without_refused(conversation, model, quirks.refuses)
    carried = CARRIED | ({"topK"} if quirks.top_k else set()) | ({"parallelToolCalls"} if conversation.tools else set())
    notices += carrying.options_left_out(conversation, carried, "This chat")
    notices += carrying.unused_form(conversation)
    conversation = _without_form(conversation, quirks, notices)
    conversation = conversation if quirks.named_tool else _without_name(conversation, notices)
    ids = HashedCallIds(9) if quirks.call_ids == "alnum9" else None
    messages: list[dict[str, Any]] = []
    if conversation.system:
        messages.append({"role": quirks.system_role, "content": conversation.system})
    for message in conversation.messages:
        messages += _Turn(message, provider, quirks, ids, notices).messages()
    body: dict[str, Any] = {"model": model, "messages": messages, "stream": True}
    if quirks.stream_usage:
        body["stream_options"] = {"include_usage": True}
    body |= _options(conversation, quirks) | _tools(conversation)
    if conversation.tool_choice is not None and not conversation.tools:
        notices.append(Notice("toolChoice", "There are no tools to choose from; the choice was left out."))
    if ids and ids.changed:
        text = "This chat takes only ids of nine letters and digits; those of tool calls were changed."
        notices += [Notice("toolCall", text), Notice("toolResult", text)]
    headers = {"content-type": "application/json", "accept": "text/event-stream", **provider.headers}
    address = provider.url("chat/completions")
    return Request("POST", address, headers, msgspec.json.encode(body)), carrying.once(notices)


def reader(provider: Provider) -> Reader:
    """A reader for one answer."""
    return Reader(provider)


def error(provider: Provider, head: Head, body: bytes) -> PointsmanError:
    """What a response whose status is not 2xx means."""
    return error_bodies.from_response(provider, head, body)


def _options(conversation: Conversation, quirks: Quirks) -> dict[str, Any]:
    options = conversation.options
    fields: dict[str, Any] = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k if quirks.top_k else UNSET,
        quirks.max_tokens_field: options.max_output_tokens,
        "stop": options.stop,
        quirks.seed_field: options.seed,
        "reasoning_effort": options.reasoning_effort,
        "frequency_penalty": options.frequency_penalty,
        "presence_penalty": options.presence_penalty,
        "parallel_tool_calls": options.parallel_tool_calls if conversation.tools else UNSET,
    }
    if isinstance(options.response_format, ResponseFormat):
        fields["response_format"] = _form(options.response_format)
    return {name: value for name, value in fields.items() if value is not UNSET}


def _without_form(conversation: Conversation, quirks: Quirks, notices: list[Notice]) -> Conversation:
    """The conversation with a form of the answer that is taken, the nearest to the one that was asked for."""
    form = conversation.options.response_format
    if not isinstance(form, ResponseFormat) or form.type in quirks.response_formats:
        return conversation
    nearest: ResponseFormat | UnsetType = UNSET
    if form.type == "json" and "jsonSchema" in quirks.response_formats:
        nearest = ResponseFormat("jsonSchema", {"type": "object"})  # the same in other words: nothing to tell
    elif form.type == "jsonSchema" and "json" in quirks.response_formats:
        nearest = ResponseFormat("json")
        notices.append(Notice("responseFormat", "This chat takes no JSON Schema; any JSON object was asked for."))
    else:
        notices.append(Notice("responseFormat", f"This chat can't be held to `{form.type}`; it was left out."))
    options = msgspec.structs.replace(conversation.options, response_format=nearest)
    return msgspec.structs.replace(conversation, options=options)


def _without_name(conversation: Conversation, notices: list[Notice]) -> Conversation:
    """The conversation with the one tool that has to be called, in place of its name."""
    choice = conversation.tool_choice
    if not isinstance(choice, NamedTool) or not conversation.tools:
        return conversation
    chosen = tuple(tool for tool in conversation.tools if tool.name == choice.name) or conversation.tools
    notices.append(
        Notice("toolChoice", "This chat takes no name of a tool as a choice; it has to call one it is sent.")
    )
    if len(chosen) < len(conversation.tools):
        notices.append(Notice("tools", f"Only `{choice.name[:200]}` was sent, so that no other tool is called."))
    return msgspec.structs.replace(conversation, tools=chosen, tool_choice="required")


def _form(form: ResponseFormat) -> dict[str, Any]:
    if form.type == "jsonSchema":
        schema = {"name": form.name or "answer", "schema": form.schema or {}, "strict": True}
        return {"type": "json_schema", "json_schema": schema}
    return {"type": "json_object" if form.type == "json" else "text"}


def _tools(conversation: Conversation) -> dict[str, Any]:
    if not conversation.tools:
        return {}
    tools = [{"type": "function", "function": _function(tool)} for tool in conversation.tools]
    match conversation.tool_choice:
        case None:
            return {"tools": tools}
        case NamedTool(name):
            return {"tools": tools, "tool_choice": {"type": "function", "function": {"name": name}}}
        case choice:
            return {"tools": tools, "tool_choice": choice}


def _function(tool: Tool) -> dict[str, Any]:
    fields = {"name": tool.name, "parameters": tool.parameters, "description": tool.description, "strict": tool.strict}
    return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True)
class _Turn:
    """One message of ours on its way to be messages of theirs; what gets lost on it is added to `notices`."""

    message: Message
    provider: Provider
    quirks: Quirks
    ids: HashedCallIds | None
    notices: list[Notice]

    def messages(self) -> list[dict[str, Any]]:
        """One of theirs, but for tool results: each of those is a message of its own, before it."""
        content: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        results: list[dict[str, Any]] = []
        thoughts: list[ReasoningPart] = []
        for part in self.message.parts:
            match part:
                case ToolCallPart():
                    calls.append(self._call(part))
                case ToolResultPart():
                    id = self.ids.of_result(part.tool_call_id) if self.ids else part.tool_call_id
                    results.append({"role": "tool", "tool_call_id": id, "content": self._result(part)})
                case ReasoningPart():
                    thoughts.append(part)
                case _:
                    content += self._content(part)
        said = self._said(content)
        thought = self._thought(thoughts)
        if calls and self.quirks.reasoning_content and self.message.role == "assistant":
            thought = {"reasoning_content": "", **thought}  # a turn that calls is refused without it, whoever made it
        if not content and not calls and not thought:
            return results
        role = self.quirks.system_role if self.message.role == "system" else self.message.role
        own = {"role": role, "content": (said or None) if calls else said, **thought}
        return [*results, own | ({"tool_calls": calls} if calls else {})]

    def _said(self, content: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
        """The content, as plain text where it is nothing else: not every server takes blocks."""
        if self.message.cache and self._marked(content):
            return content
        if all(block["type"] == "text" for block in content):
            return "".join(block["text"] for block in content)
        return content

    def _marked(self, content: list[dict[str, Any]]) -> bool:
        """Whether the cache hint could be put on the last text."""
        texts = [block for block in content if block["type"] == "text" and block["text"]]
        if not self.quirks.cache_control:
            text = "This provider's chat takes no hint on what to cache; it was left out."
        elif not texts:
            text = "A cache hint goes with a text, and there is none in its message; it was left out."
        else:
            texts[-1]["cache_control"] = {"type": "ephemeral"}
            return True
        self.notices.append(Notice("cache", text))
        return False

    def _thought(self, parts: list[ReasoningPart]) -> dict[str, Any]:
        """Earlier reasoning, in the field that the provider wants it back in."""
        details: list[Any] = []
        texts: list[str] = []
        own = self.message.role == "assistant" and carrying.belongs_to(self.message, self.provider)
        for part in parts:
            if own and self.quirks.reasoning_details and _is_details(part.opaque):
                details += part.opaque
                known = "".join(str(detail.get(key) or "") for detail in part.opaque for key in ("text", "summary"))
                whole = part.text in known and part.signature is None
            elif own and self.quirks.reasoning_content:
                texts.append(part.text)
                whole = not carrying.is_sealed(part)
            else:
                whole = False
            if not whole:
                self.notices.append(Notice("reasoning", self._why_not()))
        fields = {"reasoning_details": details, "reasoning_content": "".join(texts)}
        return {name: value for name, value in fields.items() if value}

    def _why_not(self) -> str:
        if self.quirks.reasoning_details or self.quirks.reasoning_content:
            return "This chat takes earlier reasoning back only as its provider gave it; the rest was left out."
        return "Chat completions take no earlier reasoning back; it was left out."

    def _content(self, part: TextPart | ImagePart | FilePart) -> list[dict[str, Any]]:
        if not isinstance(part, TextPart) and self.message.role != "user":
            kind = "image" if isinstance(part, ImagePart) else "file"
            text = f"Chat completions take no {kind} but from a user; it was left out."
            self.notices.append(Notice(kind, text))
            return []
        match part:
            case TextPart(text):
                return [{"type": "text", "text": text}]
            case ImagePart():
                sent = ["url"] if part.url else ["mediaType", "data"]
                self.notices.extend(carrying.unsent(part, "detail", *sent))
                image = {"url": part.url or carrying.data_url(part.media_type or "image/png", part.data)}
                return [{"type": "image_url", "image_url": image | ({"detail": part.detail} if part.detail else {})}]
            case FilePart() if (part := carrying.unpacked(part)).data is not None:
                self.notices.extend(carrying.unsent(part, "mediaType", "data", "name"))
                data = carrying.data_url(part.media_type or "application/octet-stream", part.data)
                return [{"type": "file", "file": {"filename": part.name or "file", "file_data": data}}]
        text = f"Chat completions take no file by URL; {(part.url or '')[:200]} was left out."
        self.notices.append(Notice("file", text))
        return []

    def _call(self, part: ToolCallPart) -> dict[str, Any]:
        if part.signature is not None:
            text = "Chat completions have no place for the signature of a tool call; it was left out."
            self.notices.append(Notice("toolCall", text))
        arguments = part.invalid_arguments or msgspec.json.encode(part.arguments).decode()
        id = self.ids.of_call(part.id) if self.ids else part.id
        return {"id": id, "type": "function", "function": {"name": part.name, "arguments": arguments}}

    def _result(self, part: ToolResultPart) -> str:
        """A tool's answer as text: the only form that every server of this dialect takes."""
        if part.is_error:
            text = "Chat completions can't say that a tool failed; only its words were sent."
            self.notices.append(Notice("toolResult", text))
        if isinstance(part.content, str):
            return part.content
        texts = [piece.text for piece in part.content if isinstance(piece, TextPart)]
        if len(texts) < len(part.content):
            text = "Chat completions take only text from a tool; its images were left out."
            self.notices.append(Notice("toolResult", text))
        return "\n".join(texts)


def _is_details(opaque: Any) -> bool:
    """Whether something opaque can be `reasoning_details`, and is not another dialect's."""
    return isinstance(opaque, list | tuple) and bool(opaque) and all(isinstance(one, dict) for one in opaque)
