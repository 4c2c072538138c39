"""The `openai-responses` dialect: OpenAI's Responses API, without anything stored at the provider.

Must never know which provider it talks to: what differs is in `Quirks`, or is read from the bytes themselves.
Source: https://platform.openai.com/docs/api-reference/responses, and what OpenAI's SDK sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal
from urllib.parse import urlencode

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
    Options,
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
from pointsman.wire.openai_responses_reader import Reader

models = openai_models.models

CARRIED = {"temperature", "topP", "maxOutputTokens", "reasoningEffort", "responseFormat"}
ENCRYPTED = "reasoning.encrypted_content"


class Quirks(Struct, frozen=True, forbid_unknown_fields=True):
    """`encrypted_reasoning`: whether reasoning may be asked for in a form that can be sent back, or of which models, by
    patterns of their names. `reasoning_summary`: what to ask for beside an effort, `none` for nothing. `refuses`:
    options that models refuse, by patterns of their names, as in `{ "o3*" = ["temperature"] }`. `models_query`: what
    is asked for with the list of models.
    """

    encrypted_reasoning: bool | tuple[str, ...] = True
    reasoning_summary: Literal["auto", "concise", "detailed", "none"] = "auto"
    refuses: dict[str, tuple[carrying.OptionName, ...]] = {}
    models_query: dict[str, str] = {}


def request(provider: Provider, model: str, conversation: Conversation) -> tuple[Request, Sequence[Notice]]:
    """A POST to `/responses` that asks for a stream, and to store nothing."""
    quirks = msgspec.convert(provider.quirks, Quirks)
    conversation, notices = carrying.without_refused(conversation, model, quirks.refuses)
    carried = CARRIED | ({"parallelToolCalls"} if conversation.tools else set())
    notices += carrying.options_left_out(conversation, carried, "The Responses API")
    notices += carrying.unused_form(conversation)
    items: list[dict[str, Any]] = []
    for message in conversation.messages:
        items += _Turn(message, provider, notices).items()
    body: dict[str, Any] = {"model": model, "input": items, "stream": True, "store": False}
    if _asks_for_encrypted(quirks, model):
        body["include"] = [ENCRYPTED]
    if conversation.system:
        body["instructions"] = conversation.system
    body |= _options(conversation.options, quirks) | _tools(conversation)
    if conversation.tool_choice is not None and not conversation.tools:
        notices.append(Notice("toolChoice", "There are no tools to choose from; the choice was left out."))
    headers = {"content-type": "application/json", "accept": "text/event-stream", **provider.headers}
    return Request("POST", provider.url("responses"), headers, msgspec.json.encode(body)), carrying.once(notices)


def models_request(provider: Provider, page: str | None = None) -> Request | None:
    """A GET of `/models`; None where there is no such list."""
    asked, query = openai_models.models_request(provider, page), msgspec.convert(provider.quirks, Quirks).models_query
    if asked is None or not query:
        return asked
    return replace(asked, url=f"{asked.url}{'&' if '?' in asked.url else '?'}{urlencode(query)}")


def reader(provider: Provider) -> Reader:
    """A reader for one answer."""
    return Reader(provider)


def error(provider: Provider, head: Head, body: bytes) -> PointsmanError:
    """What a response whose status is not 2xx means."""
    return error_bodies.from_response(provider, head, body)


def _asks_for_encrypted(quirks: Quirks, model: str) -> bool:
    asked = quirks.encrypted_reasoning
    return asked if isinstance(asked, bool) else any(fnmatchcase(model, pattern) for pattern in asked)


def _options(options: Options, quirks: Quirks) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "max_output_tokens": options.max_output_tokens,
    }
    effort = options.reasoning_effort
    if not isinstance(effort, UnsetType):
        fields["reasoning"] = {"effort": effort}
        if quirks.reasoning_summary != "none" and effort != "none":
            fields["reasoning"]["summary"] = quirks.reasoning_summary
    if isinstance(options.response_format, ResponseFormat):
        fields["text"] = {"format": _form(options.response_format)}
    return {name: value for name, value in fields.items() if value is not UNSET}


def _form(form: ResponseFormat) -> dict[str, Any]:
    if form.type == "jsonSchema":
        return {"type": "json_schema", "name": form.name or "answer", "schema": form.schema or {}, "strict": True}
    return {"type": "json_object" if form.type == "json" else "text"}


def _tools(conversation: Conversation) -> dict[str, Any]:
    if not conversation.tools:
        return {}
    fields: dict[str, Any] = {"tools": [_tool(tool) for tool in conversation.tools]}
    if isinstance(conversation.tool_choice, NamedTool):
        fields["tool_choice"] = {"type": "function", "name": conversation.tool_choice.name}
    elif conversation.tool_choice is not None:
        fields["tool_choice"] = conversation.tool_choice
    if conversation.options.parallel_tool_calls is not UNSET:
        fields["parallel_tool_calls"] = conversation.options.parallel_tool_calls
    return fields


def _tool(tool: Tool) -> dict[str, Any]:
    """Absent, `strict` would mean that the provider rewrites the schema, and asks for what was optional in it."""
    fields = {"type": "function", "name": tool.name, "parameters": tool.parameters, "strict": bool(tool.strict)}
    return fields if tool.description is None else fields | {"description": tool.description}


@dataclass(frozen=True)
class _Turn:
    """One message of ours on its way to be items of theirs; what gets lost on it is added to `notices`."""

    message: Message
    provider: Provider
    notices: list[Notice]

    def items(self) -> list[dict[str, Any]]:
        """Its parts in their order: neighbouring words and pictures are one item, and all else is an item each."""
        items: list[dict[str, Any]] = []
        for part in self.message.parts:
            if isinstance(part, TextPart | ImagePart | FilePart):
                if block := self._content(part):
                    if not items or "type" in items[-1]:  # all have one but messages
                        items.append({"role": self.message.role, "content": []})
                    items[-1]["content"].append(block)
            elif isinstance(part, ToolCallPart):
                items.append(self._call(part))
            elif isinstance(part, ToolResultPart):
                items.append(self._result(part))
            else:
                items += self._thought(part)
        if self.message.cache:
            text = "The Responses API decides itself what to cache; the hint was left out."
            self.notices.append(Notice("cache", text))
        return self._without_trailing_thoughts(items)

    def _without_trailing_thoughts(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Reasoning is refused without the item that it led to."""
        end = len(items)
        while end and items[end - 1].get("type") == "reasoning":
            end -= 1
        if end < len(items):
            text = "The Responses API takes no reasoning back that led to nothing; it was left out."
            self.notices.append(Notice("reasoning", text))
        return items[:end]

    def _thought(self, part: ReasoningPart) -> list[dict[str, Any]]:
        """The item as the provider made it: nothing is stored there, so it has to hold the thought itself."""
        item = part.opaque
        own = self.message.role == "assistant" and carrying.belongs_to(self.message, self.provider)
        if own and isinstance(item, dict) and item.get("type") == "reasoning" and _has_thought(item):
            if part.text in _text(item) and part.signature is None:
                return [item]
            sent = [item]
        else:
            sent = []
        text = "The Responses API takes earlier reasoning back only as its provider gave it; the rest was left out."
        self.notices.append(Notice("reasoning", text))
        return sent

    def _content(self, part: TextPart | ImagePart | FilePart) -> dict[str, Any] | None:
        if isinstance(part, TextPart):
            kind = "output_text" if self.message.role == "assistant" else "input_text"
            return {"type": kind, "text": part.text} if part.text else None
        if self.message.role == "assistant":
            kind = "image" if isinstance(part, ImagePart) else "file"
            text = f"The Responses API takes no {kind} from an assistant; it was left out."
            self.notices.append(Notice(kind, text))
            return None
        return self._image(part) if isinstance(part, ImagePart) else self._file(part)

    def _image(self, part: ImagePart) -> dict[str, Any]:
        self.notices.extend(carrying.unsent(part, "detail", *(["url"] if part.url else ["mediaType", "data"])))
        address = part.url or carrying.data_url(part.media_type or "image/png", part.data)
        image = {"type": "input_image", "image_url": address}
        return image | ({"detail": part.detail} if part.detail else {})

    def _file(self, part: FilePart) -> dict[str, Any]:
        part = carrying.unpacked(part)
        if part.data is None:
            self.notices.extend(carrying.unsent(part, "url"))
            return {"type": "input_file", "file_url": part.url}
        self.notices.extend(carrying.unsent(part, "mediaType", "data", "name"))
        data = carrying.data_url(part.media_type or "application/octet-stream", part.data)
        return {"type": "input_file", "filename": part.name or "file", "file_data": data}

    def _call(self, part: ToolCallPart) -> dict[str, Any]:
        if part.signature is not None:
            text = "The Responses API has no place for the signature of a tool call; it was left out."
            self.notices.append(Notice("toolCall", text))
        arguments = part.invalid_arguments or msgspec.json.encode(part.arguments).decode()
        return {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": arguments}

    def _result(self, part: ToolResultPart) -> dict[str, Any]:
        """A tool's answer, as plain text where it is nothing else: not every server takes blocks."""
        if part.is_error:
            text = "The Responses API can't say that a tool failed; only its words were sent."
            self.notices.append(Notice("toolResult", text))
        output: str | list[dict[str, Any]]
        if isinstance(part.content, str):
            output = part.content
        elif any(isinstance(piece, ImagePart) for piece in part.content):
            output = [
                self._image(piece) if isinstance(piece, ImagePart) else {"type": "input_text", "text": piece.text}
                for piece in part.content
            ]
        else:
            output = "\n".join(piece.text for piece in part.content if isinstance(piece, TextPart))
        return {"type": "function_call_output", "call_id": part.tool_call_id, "output": output}


def _has_thought(item: dict[str, Any]) -> bool:
    return bool(item.get("encrypted_content") or item.get("content"))


def _text(item: dict[str, Any]) -> str:
    """All that an item of reasoning says in the open."""
    blocks = [block for key in ("summary", "content") if isinstance(item.get(key), list | tuple) for block in item[key]]
    return "".join(str(block.get("text") or "") for block in blocks if isinstance(block, dict))
