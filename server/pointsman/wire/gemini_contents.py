"""A conversation's messages as Gemini takes them: a system instruction, and contents of user and model.

Must never know an option, a tool's definition, or how a request is sent.
Source: https://ai.google.dev/api/caching#Content, https://ai.google.dev/gemini-api/docs/thought-signatures, and what
the official SDK sends.
"""

from __future__ import annotations

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
from pointsman.wire.carrying import belongs_to, unpacked

THOUGHT = {"thought": True}
"""What a seal holds besides its signature where the signature stood on a thought, and not on a part of its own."""
UNSIGNED = "skip_thought_signature_validator"
"""The documented stand-in for the signature of a call that another model made; without one Gemini 3 answers 400."""
LONGEST_QUOTE = 200

Piece = dict[str, Any]


class Contents:
    """Takes messages in order; `system`, `contents` and `notices` are complete after `finish`."""

    def __init__(self, provider: Provider, wants_signatures: bool) -> None:
        self.system: list[Piece] = []
        self.contents: list[dict[str, Any]] = []
        self.notices: list[Notice] = []
        self._provider = provider
        self._wants_signatures = wants_signatures
        self._names: dict[str, str] = {}

    def add(self, message: Message) -> None:
        """One message. What a tool answered stands in the user's turn, wherever it was said."""
        if message.cache:
            self._tell("cache", "keeps beginnings in its cache by itself; the hint was left out")
        for part in message.parts:
            if isinstance(part, ToolResultPart):
                self._say("user", self._result(part))
            elif message.role == "system":
                self._instruct(part)
            else:
                self._say("model" if message.role == "assistant" else "user", self._pieces(part, message))

    def finish(self) -> None:
        """Puts the answers of tools first in their turn, and stands in for signatures that are wanted and missing."""
        for content in self.contents:
            if content["role"] == "user":
                content["parts"].sort(key=lambda piece: "functionResponse" not in piece)
        if self._wants_signatures:
            for content in self.contents[self._current_turn() :]:
                self._sign(content["parts"])

    def _current_turn(self) -> int:
        """Where the last thing that the user said stands: signatures are checked from there on."""
        asked = (
            n for n, c in enumerate(self.contents) if c["role"] == "user" and "functionResponse" not in c["parts"][0]
        )
        return max(asked, default=0)

    def _sign(self, pieces: list[Piece]) -> None:
        """Of several calls at once only the first one is signed."""
        calls = [piece for piece in pieces if "functionCall" in piece]
        if calls and not any("thoughtSignature" in call for call in calls):
            calls[0]["thoughtSignature"] = UNSIGNED
            name = calls[0]["functionCall"]["name"][:LONGEST_QUOTE]
            self._tell(
                "toolCall", f"wants its own signature on a call; {name} was called without, so a stand-in was sent"
            )

    def _say(self, role: str, pieces: list[Piece]) -> None:
        if pieces and self.contents and self.contents[-1]["role"] == role:
            self.contents[-1]["parts"] += pieces
        elif pieces:
            self.contents.append({"role": role, "parts": pieces})

    def _instruct(self, part: Part) -> None:
        if not isinstance(part, TextPart):
            self._tell(_kind(part), f"takes only text in a system prompt; {_named(part)} was left out")
            return
        if self.contents:
            self._tell("system", "takes system prompts before the conversation only; one in its middle was moved")
        self.system.append({"text": part.text})

    def _pieces(self, part: Part, message: Message) -> list[Piece]:
        match part:
            case TextPart(text):
                return [{"text": text}] if text else []
            case ImagePart():
                return self._image(part)
            case FilePart():
                return self._file(part)
            case ReasoningPart():
                return self._thought(part, message)
            case ToolCallPart() if message.role == "assistant":
                return [self._call(part, message)]
            case _:
                text = f"takes calls of tools from an assistant only; one of role `{message.role}` was left out"
                self._tell("toolCall", f"{text}: {_named(part)}")
                return []

    def _thought(self, part: ReasoningPart, message: Message) -> list[Piece]:
        """Thoughts and their signatures go back to whoever made them, each on a part such as it came on."""
        if message.role != "assistant" or not belongs_to(message, self._provider):
            self._tell("reasoning", "takes back only its own reasoning; that of others was left out")
            return []
        if part.opaque not in (None, THOUGHT):
            self._tell("reasoning", "does not know a seal of this kind; it was left out")
        if part.opaque == THOUGHT and part.signature is not None:
            return [{"text": part.text, **THOUGHT, "thoughtSignature": part.signature}]
        thought = [{"text": part.text, **THOUGHT}] if part.text else []
        return [*thought, {"text": "", "thoughtSignature": part.signature}] if part.signature is not None else thought

    def _call(self, part: ToolCallPart, message: Message) -> Piece:
        self._names[part.id] = part.name
        if part.invalid_arguments is not None:
            name = part.name[:LONGEST_QUOTE]
            self.notices.append(Notice("toolCall", f"The arguments of {name} were no JSON object; they were left out."))
        call: Piece = {"functionCall": {"id": part.id, "name": part.name, "args": part.arguments}}
        if part.signature is None:
            return call
        if belongs_to(message, self._provider):
            return call | {"thoughtSignature": part.signature}
        self._tell("toolCall", "takes back only its own signatures of tool calls; that of another was left out")
        return call

    def _result(self, part: ToolResultPart) -> list[Piece]:
        """A tool's answer under the name of the tool; what is no text stands beside it, which all models take."""
        pieces: list[Piece] = []
        texts: list[str] = []
        for piece in (TextPart(part.content),) if isinstance(part.content, str) else part.content:
            if isinstance(piece, TextPart):
                texts.append(piece.text)
            else:
                pieces += self._image(piece)
        name = self._names.get(part.tool_call_id, part.tool_call_id)
        response = {"error" if part.is_error else "result": "\n".join(texts)}
        return [{"functionResponse": {"id": part.tool_call_id, "name": name, "response": response}}, *pieces]

    def _image(self, part: ImagePart) -> list[Piece]:
        part = unpacked(part)
        if part.detail not in {None, "auto"}:
            self._tell("image", f"is not told here how closely to look at an image; `{part.detail}` was left out")
        return self._media(part, part.media_type or (None if part.data is None else "image/png"))

    def _file(self, part: FilePart) -> list[Piece]:
        part = unpacked(part)
        if part.data is not None and part.media_type is None:
            self._tell("file", f"takes no file without a `mediaType`; {_named(part)} was left out")
            return []
        if part.name is not None:
            self._tell("file", f"has no names of files; {_named(part)} was sent without")
        return self._media(part, part.media_type)

    def _media(self, part: ImagePart | FilePart, media_type: str | None) -> list[Piece]:
        kind = {"mimeType": media_type} if media_type else {}
        if part.data is None:
            return [{"fileData": {**kind, "fileUri": part.url}}]
        if part.url is not None:
            about = "image" if isinstance(part, ImagePart) else "file"
            self._tell(about, f"takes data or a URL; the data was sent, {part.url[:LONGEST_QUOTE]} was left out")
        return [{"inlineData": {**kind, "data": part.data}}]

    def _tell(self, about: str, what: str) -> None:
        self.notices.append(Notice(about, f"Gemini {what}."))


def _kind(part: Part) -> str:
    return {ImagePart: "image", FilePart: "file", ReasoningPart: "reasoning"}.get(type(part), "toolCall")


def _named(part: Part) -> str:
    return str(getattr(part, "name", None) or getattr(part, "url", None) or f"the {_kind(part)}")[:LONGEST_QUOTE]
