"""A conversation's messages as Bedrock's Converse takes them: a system prompt, and turns of user and assistant.

Must never know an option, a tool's definition, or how a request is sent.
Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html and the service model of
the official SDK.
"""

from __future__ import annotations

import re
from typing import Any

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
from pointsman.core.errors import BadRequest
from pointsman.wire.call_ids import CallIds
from pointsman.wire.carrying import belongs_to, unpacked

CACHE_POINT = {"cachePoint": {"type": "default"}}
CACHE_POINTS = 4
"""Cache points that one request may have."""
IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/markdown": "md",
}
"""Formats by media type; any other text is `txt`."""
TOOL_NAME = re.compile("[a-zA-Z0-9_-]{1,64}")
REDACTED = "redactedContent"
LONGEST_QUOTE = 200
_UNFIT_IN_NAME = re.compile(r"[^a-zA-Z0-9\s()\[\]-]|(?<=\s)\s")

Block = dict[str, Any]


class Turns:
    """Takes messages in order; `system`, `messages` and `notices` are complete after `finish`."""

    def __init__(self, provider: Provider, caches: bool) -> None:
        self.system: list[Block] = []
        self.messages: list[dict[str, Any]] = []
        self.notices: list[Notice] = []
        self._provider = provider
        self._caches = caches
        self._ids = CallIds("[^a-zA-Z0-9_.:-]", 64)
        self._documents: set[str] = set()
        self._hints = 0

    @property
    def called(self) -> list[str]:
        """The names of the tools that were called, each once."""
        blocks = [block for message in self.messages for block in message["content"]]
        return list(dict.fromkeys(block["toolUse"]["name"] for block in blocks if "toolUse" in block))

    def add(self, message: Message) -> None:
        """One message. What a tool answered stands in the user's turn, wherever it was said."""
        said: list[Block] = []
        results: list[Block] = []
        for part in message.parts:
            if isinstance(part, ToolResultPart):
                results.append(self._result(part))
            else:
                said += self._blocks(part, message)
        if message.cache and self._may_cache(said or results):
            (said or results).append(dict(CACHE_POINT))
        self._say("user", results)
        if message.role == "system":
            if said and self.messages:
                self._tell("system", "takes system prompts before the conversation only; one in its middle was moved")
            self.system += said
        else:
            self._say("assistant" if message.role == "assistant" else "user", said)

    def finish(self) -> None:
        """Puts results first in their turn, keeps the latest cache points, and tells of ids that were changed."""
        for message in self.messages:
            if message["role"] == "user":
                _results_first(message["content"])
                self._put_into_words(message["content"])
        superfluous = self._hints - CACHE_POINTS
        for content in (self.system, *(message["content"] for message in self.messages)):
            for block in [block for block in content if block == CACHE_POINT][: max(0, superfluous)]:
                content[:] = [other for other in content if other is not block]
                superfluous -= 1
        if self._hints > CACHE_POINTS:
            self._tell("cache", f"takes {CACHE_POINTS} cache hints; the earlier ones were left out")
        for id, sent in self._ids.changed.items():
            self._tell("toolCall", f"wants other ids of tool calls; {id[:LONGEST_QUOTE]} was sent as {sent}")

    def _put_into_words(self, content: list[Block]) -> None:
        """A document needs text beside it: where there is none, its name."""
        at = next((at for at, block in enumerate(content) if "document" in block), None)
        if at is not None and not any("text" in block for block in content):
            name = content[at]["document"]["name"]
            self._tell("file", f"takes a file only beside text; its name was sent as text: {name}")
            content.insert(at, {"text": name})

    def _may_cache(self, blocks: list[Block]) -> bool:
        if not self._caches or not blocks:
            why = "the message is empty" if self._caches else "this model has no cache"
            self._tell("cache", f"can't keep this beginning in a cache, as {why}; the hint was left out")
            return False
        self._hints += 1
        return True

    def _say(self, role: str, blocks: list[Block]) -> None:
        if blocks and self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"] += blocks
        elif blocks:
            self.messages.append({"role": role, "content": blocks})

    def _blocks(self, part: Part, message: Message) -> list[Block]:
        asking = message.role in {"user", "tool"}
        match part:
            case TextPart(text):
                return [{"text": text}] if text.strip() else []  # blank ones are refused
            case ImagePart() if asking:
                return self._image(part)
            case FilePart() if asking:
                return self._file(part)
            case ReasoningPart() if message.role == "assistant":
                return self._reasoning(part, message)
            case ToolCallPart() if message.role == "assistant":
                return [self._call(part)]
            case _:
                kind = _kind(part)
                self._tell(kind, f"takes no {kind} in a message of role `{message.role}`; {_named(part)} was left out")
                return []

    def _reasoning(self, part: ReasoningPart, message: Message) -> list[Block]:
        """What was sealed goes back as it came, to whoever sealed it."""
        blocks: list[Block] = []
        if belongs_to(message, self._provider):
            if part.signature is not None:
                text = {"text": part.text, "signature": part.signature}
                blocks.append({"reasoningContent": {"reasoningText": text}})
            if isinstance(part.opaque, dict) and part.opaque.keys() == {REDACTED}:
                blocks.append({"reasoningContent": part.opaque})
        lost_text = part.text and part.signature is None
        if lost_text or len(blocks) < (part.signature is not None) + (part.opaque is not None):
            self._tell("reasoning", "takes back only reasoning that it sealed itself; other reasoning was left out")
        return blocks

    def _call(self, part: ToolCallPart) -> Block:
        if part.invalid_arguments is not None:
            name = part.name[:LONGEST_QUOTE]
            self.notices.append(Notice("toolCall", f"The arguments of {name} were no JSON object; they were left out."))
        if part.signature is not None:
            self._tell("toolCall", "has no signatures of tool calls; one was left out")
        name = tool_name(self._provider, part.name)
        return {"toolUse": {"toolUseId": self._ids.of_call(part.id), "name": name, "input": part.arguments}}

    def _result(self, part: ToolResultPart) -> Block:
        content: list[Block] = []
        for piece in (TextPart(part.content),) if isinstance(part.content, str) else part.content:
            content += [{"text": piece.text}] if isinstance(piece, TextPart) else self._image(piece)
        result: Block = {"toolUseId": self._ids.of_result(part.tool_call_id), "content": content}
        return {"toolResult": result | {"status": "error"} if part.is_error else result}

    def _image(self, part: ImagePart) -> list[Block]:
        part = unpacked(part)
        if part.detail is not None:
            self._tell("image", "can't be told how closely to look at an image; `detail` was left out")
        if part.data is None:
            self._tell("image", f"takes images as data only, not by URL; {_named(part)} was left out")
            return []
        format = IMAGES.get(part.media_type or "image/png")
        if format is None:
            kind = str(part.media_type)[:LONGEST_QUOTE]
            self._tell("image", f"takes PNG, JPEG, GIF and WebP; an image of {kind} was left out")
            return []
        if part.url is not None:
            self._tell("image", f"takes images as data only; the data was sent, and {_named(part)} was left out")
        return [{"image": {"format": format, "source": {"bytes": part.data}}}]

    def _file(self, part: FilePart) -> list[Block]:
        part = unpacked(part)
        kind = (part.media_type or "").partition(";")[0].strip().lower()
        if part.data is None:
            self._tell("file", f"takes files as data only, not by URL; {_named(part)} was left out")
            if part.url is not None and part.name is not None:
                self._tell("file", f"takes files as data only; {part.url[:LONGEST_QUOTE]} was left out")
            return []
        if kind in IMAGES:
            if part.name is not None:
                self._tell("file", f"has no names of images; {_named(part)} was sent without")
            return self._image(ImagePart(kind, part.data, part.url))
        format = DOCUMENTS.get(kind) or ("txt" if kind.startswith("text/") else None)
        if format is None:
            known = ", ".join(sorted({*DOCUMENTS.values(), "txt"}))
            kind = kind[:LONGEST_QUOTE] or "of no `mediaType`"
            self._tell("file", f"takes these kinds of files: {known}; {_named(part)} ({kind}) was left out")
            return []
        if part.url is not None:
            text = f"takes files as data only; the data was sent, and {part.url[:LONGEST_QUOTE]} was left out"
            self._tell("file", text)
        return [{"document": {"format": format, "name": self._document_name(part), "source": {"bytes": part.data}}}]

    def _document_name(self, part: FilePart) -> str:
        """A name of the characters that are taken, and another one for each document."""
        plain = _UNFIT_IN_NAME.sub("-", part.name or "document").strip()[:LONGEST_QUOTE] or "document"
        name, number = plain, 1
        while name in self._documents:
            number += 1
            name = f"{plain} ({number})"
        self._documents.add(name)
        if part.name is not None and name != part.name:
            self._tell("file", f"wants other names of files; {_named(part)} was sent as {name}")
        return name

    def _tell(self, about: str, what: str) -> None:
        self.notices.append(Notice(about, f"Bedrock {what}."))


def tool_name(provider: Provider, name: str) -> str:
    """The name of a tool, if it is one that Bedrock takes. Raises BadRequest."""
    if TOOL_NAME.fullmatch(name):
        return name
    raise BadRequest(
        f"{provider.title} takes no tool of the name {name[:LONGEST_QUOTE]!r}.",
        "Name tools with up to 64 letters, digits, hyphens and underscores.",
        provider=provider.id,
    )


def _results_first(content: list[Block]) -> None:
    """The results of tools before all else, each cache point after what it followed."""
    runs: list[list[Block]] = []
    for block in content:
        if block == CACHE_POINT:
            runs[-1].append(block)
        else:
            runs.append([block])
    runs.sort(key=lambda run: "toolResult" not in run[0])
    content[:] = [block for run in runs for block in run]


def _kind(part: Part) -> str:
    return {ImagePart: "image", FilePart: "file", ReasoningPart: "reasoning"}.get(type(part), "toolCall")


def _named(part: Part) -> str:
    return str(getattr(part, "name", None) or getattr(part, "url", None) or f"the {_kind(part)}")[:LONGEST_QUOTE]
