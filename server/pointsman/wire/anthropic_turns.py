"""A conversation's messages as the Messages API takes them: a system prompt, and turns of user and assistant.

Must never know an option, a tool's definition, or how a request is sent.
Source: https://platform.claude.com/docs/en/api/messages, and `types/*_param.py` of the official SDK.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    FilePart,
    ImagePart,
    Message,
    Notice,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from pointsman.wire.call_ids import CallIds
from pointsman.wire.carrying import belongs_to, unsent

CACHE_POINTS = 4
"""Blocks of one request that may end a cached beginning (docs, "Prompt caching")."""
IMAGE_TYPES = {"/9j/": "image/jpeg", "iVBOR": "image/png", "R0lGOD": "image/gif", "UklGR": "image/webp"}
"""The kinds of image that are taken, by how their base64 begins."""
PDF, PDF_BEGINS = "application/pdf", "JVBERi0"
THOUGHTS = {"thinking", "redacted_thinking"}
LONGEST_QUOTE = 200
UNFIT_FOR_ID, LONGEST_ID = "[^a-zA-Z0-9_-]", 256
"""The API says which characters an id has (`^[a-zA-Z0-9_-]+$`), and not how many; these are ours."""

_KINDS = {ImagePart: "image", FilePart: "file", ReasoningPart: "reasoning", ToolCallPart: "toolCall"}

Block = dict[str, Any]
_Attached = TypeVar("_Attached", ImagePart, FilePart)


class Turns:
    """Takes messages in order; `system`, `messages` and `notices` are complete after `finish`."""

    def __init__(self, provider: Provider, documents_in_answers: bool) -> None:
        self.system: list[Block] = []
        self.messages: list[dict[str, Any]] = []
        self.notices: list[Notice] = []
        self._provider = provider
        self._documents_in_answers = documents_in_answers
        self._cached: list[Block] = []
        self._ids = CallIds(UNFIT_FOR_ID, LONGEST_ID)

    def add(self, message: Message) -> None:
        """One message. What a tool answered stands in the user's turn, wherever it was said."""
        own_words = belongs_to(message, self._provider)
        blocks = [block for part in message.parts for block in self._blocks(part, message.role, own_words)]
        results = [block for block in blocks if block["type"] == "tool_result"]
        own = [block for block in blocks if block["type"] != "tool_result"]
        match message.role:
            case "system":
                self.system += own
                if own and self.messages:
                    self._tell("system", "takes system prompts only before all else; one from further down was moved")
            case "assistant":
                self._say("assistant", own)
            case _:
                results += own
        self._say("user", results)
        if message.cache:
            marks = [block for block in blocks if block["type"] not in THOUGHTS]
            if marks:
                self._cached.append(marks[-1])
            else:
                self._tell("cache", "can't end a cached beginning at a message without content; the hint was left out")

    def finish(self) -> None:
        """Puts the blocks of each turn in order, and marks what is to be cached: the latest, as they cover the most."""
        for turn in self.messages:
            if turn["role"] == "user":
                turn["content"].sort(key=lambda block: block["type"] != "tool_result")
        for block in self._cached[-CACHE_POINTS:]:
            block["cache_control"] = {"type": "ephemeral"}
        if len(self._cached) > CACHE_POINTS:
            self._tell("cache", f"takes {CACHE_POINTS} cache hints; the earlier ones were left out")
        for id, sent in self._ids.changed.items():
            change = f"{id[:LONGEST_QUOTE]!r} was sent as {sent[:LONGEST_QUOTE]!r}"
            self._tell("toolCall", f"wants other ids of tool calls; {change}")
        last = self.messages[-1]["content"][-1] if self.messages and self.messages[-1]["role"] == "assistant" else {}
        if (text := last.get("text", "")) != text.rstrip():
            last["text"] = text.rstrip()
            self._tell("text", "refuses an answer to go on with that ends in white space; the space was left out")

    def _say(self, role: str, blocks: list[Block]) -> None:
        if blocks and self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"] += blocks
        elif blocks:
            self.messages.append({"role": role, "content": list(blocks)})

    def _blocks(self, part: Part, role: str, own: bool = True) -> Sequence[Block]:
        """A part as blocks, where its kind may stand in a message of that role."""
        blocks: Sequence[Block] | None = None
        asking = role in {"user", "tool"}
        match part:
            case TextPart(text):
                blocks = [{"type": "text", "text": text}] if text.strip() else []  # blank ones are refused
            case ToolResultPart():
                blocks = [self._result(part)]
            case ReasoningPart() if role == "assistant":
                blocks = self._thoughts(part, own)
            case ToolCallPart() if role == "assistant":
                blocks = [self._call(part)]
            case ImagePart() if asking:
                blocks = self._image(_unpacked(part))
            case FilePart() if asking or (role == "assistant" and self._documents_in_answers):
                blocks = self._document(_unpacked(part))
            case _:
                kind = _KINDS[type(part)]
                self._tell(kind, f"takes no {kind} in a message of the role `{role}`; {_named(part)} was left out")
        return blocks or ()

    def _thoughts(self, part: ReasoningPart, own: bool) -> list[Block]:
        """What was sealed goes back as it came, to whoever sealed it."""
        blocks: list[Block] = []
        redacted = isinstance(part.opaque, dict) and part.opaque.get("type") == "redacted_thinking"
        if own:
            if part.signature is not None:
                blocks.append({"type": "thinking", "thinking": part.text, "signature": part.signature})
            if redacted:
                blocks.append(part.opaque)
        lost_text = part.text and not (blocks and blocks[0]["type"] == "thinking")
        lost_seal = (part.signature is not None) + (part.opaque is not None) > len(blocks)
        if lost_text or lost_seal:
            self._tell("reasoning", "takes back only what it signed itself; other reasoning was left out")
        return blocks

    def _call(self, part: ToolCallPart) -> Block:
        if part.invalid_arguments is not None:
            text = f"The arguments of {part.name[:LONGEST_QUOTE]} were no JSON object; they were left out."
            self.notices.append(Notice("toolCall", text))
        if part.signature is not None:
            self._tell("toolCall", "has no signatures of tool calls; one was left out")
        return {"type": "tool_use", "id": self._ids.of_call(part.id), "name": part.name, "input": part.arguments}

    def _result(self, part: ToolResultPart) -> Block:
        content: str | list[Block]
        if isinstance(part.content, str):
            content = part.content
        else:
            content = [block for piece in part.content for block in self._blocks(piece, "user")]
        block = {"type": "tool_result", "tool_use_id": self._ids.of_result(part.tool_call_id), "content": content}
        return block | {"is_error": True} if part.is_error else block

    def _image(self, part: ImagePart) -> list[Block]:
        kind = part.media_type or next((k for begins, k in IMAGE_TYPES.items() if _begins(part, begins)), "image/png")
        if part.data is None:
            self.notices += unsent(part, "url")
            return [{"type": "image", "source": {"type": "url", "url": part.url}}]
        if kind not in IMAGE_TYPES.values():
            self._tell("image", f"takes JPEG, PNG, GIF and WebP; an image of {kind[:LONGEST_QUOTE]} was left out")
            return []
        self.notices += unsent(part, "mediaType", "data")
        return [{"type": "image", "source": {"type": "base64", "media_type": kind, "data": part.data}}]

    def _document(self, part: FilePart) -> list[Block]:
        kind = part.media_type or (PDF if part.data is None or _begins(part, PDF_BEGINS) else "text/plain")
        source: Block | None = None
        if kind.startswith("image/"):
            if part.name is not None:
                self._tell("file", f"has no names of images; {_named(part)} was sent without")
            return self._image(ImagePart(part.media_type, part.data, part.url))
        if part.data is None:
            source = {"type": "url", "url": part.url} if kind == PDF else None
        elif kind == PDF:
            source = {"type": "base64", "media_type": PDF, "data": part.data}
        elif text := _text(part.data):
            source = {"type": "text", "media_type": "text/plain", "data": text}
            if kind != "text/plain":
                self._tell(
                    "file", f"takes text as text/plain only; {_named(part)} was sent so, not as {kind[:LONGEST_QUOTE]}"
                )
        if source is None:
            self._tell("file", f"takes PDF, and text as data; {_named(part)} ({kind[:LONGEST_QUOTE]}) was left out")
            return []
        self.notices += unsent(part, "mediaType", "name", "url" if source["type"] == "url" else "data")
        return [{"type": "document", "source": source} | ({"title": part.name} if part.name else {})]

    def _tell(self, about: str, what: str) -> None:
        self.notices.append(Notice(about, f"The Messages API {what}."))


def _unpacked(part: _Attached) -> _Attached:
    """Data that stands in a `data:` URL, which the API would not fetch, as data."""
    if part.data is not None or part.url is None or not part.url.startswith("data:"):
        return part
    head, _, data = part.url.removeprefix("data:").partition(",")
    if not head.endswith(";base64"):
        return part
    kind = head.removesuffix(";base64").partition(";")[0]
    return msgspec.structs.replace(part, media_type=kind or part.media_type, data=data, url=None)


def _begins(part: ImagePart | FilePart, beginning: str) -> bool:
    return part.data is not None and part.data.startswith(beginning)


def _text(data: str) -> str | None:
    try:
        return base64.b64decode(data, validate=True).decode()
    except ValueError:
        return None


def _named(part: Part) -> str:
    return str(getattr(part, "name", None) or getattr(part, "url", None) or "one")[:LONGEST_QUOTE]
