"""The conversation that goes in and the events that come out, as values.

Must never know a provider, a dialect or an editor. Names are camelCase on the wire; unions are told apart by `type`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from pointsman.core.errors import ErrorData, PointsmanError
from pointsman.core.windows import Window

StopReason = Literal["end", "length", "toolCalls", "contentFilter", "cancelled", "interrupted"]


class TextPart(Struct, tag="text", frozen=True, rename="camel"):
    """Plain text."""

    text: str


class ImagePart(Struct, tag="image", frozen=True, rename="camel", omit_defaults=True):
    """An image: `data` in base64 with its `mediaType`, or a `url`. `detail` is how closely it is to be looked at."""

    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    detail: Literal["auto", "low", "high"] | None = None


class FilePart(Struct, tag="file", frozen=True, rename="camel", omit_defaults=True):
    """A document: `data` in base64 with its `mediaType` and perhaps a `name`, or a `url`."""

    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    name: str | None = None


class ReasoningPart(Struct, tag="reasoning", frozen=True, rename="camel", omit_defaults=True):
    """What a model thought. `signature` and `opaque` are the provider's own and go back to it unchanged."""

    text: str
    signature: str | None = None
    opaque: Any = None


class ToolCallPart(Struct, tag="toolCall", frozen=True, rename="camel", omit_defaults=True):
    """The model asks for a tool.

    `invalidArguments` keeps the text when it is not a JSON object; `arguments` is then empty. `signature` is the
    provider's own and goes back to it unchanged.
    """

    id: str
    name: str
    arguments: dict[str, Any]
    invalid_arguments: str | None = None
    signature: str | None = None


class ToolResultPart(Struct, tag="toolResult", frozen=True, rename="camel", omit_defaults=True):
    """What a tool answered."""

    tool_call_id: str
    content: str | tuple[TextPart | ImagePart, ...]
    is_error: bool = False


Part = TextPart | ImagePart | FilePart | ReasoningPart | ToolCallPart | ToolResultPart


class Message(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One turn. A string stands for a single text part.

    `provider` is whose answer it is: what is opaque in it goes back to nobody else; absent, it goes to whoever is
    asked. `cache` marks the end of a beginning that is worth keeping in the provider's cache of prompts.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str | tuple[Part, ...]
    provider: str | None = None
    cache: bool = False

    @property
    def parts(self) -> tuple[Part, ...]:
        """The content as parts, whichever way it was given."""
        return (TextPart(self.content),) if isinstance(self.content, str) else self.content


class Tool(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A function that the model may ask for; `parameters` is a JSON Schema, kept to exactly where `strict` is true."""

    name: str
    parameters: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class NamedTool(Struct, frozen=True, rename="camel"):
    """A tool choice that names the one tool to call."""

    name: str


ToolChoice = Literal["auto", "none", "required"] | NamedTool


class ResponseFormat(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The form of the answer: `text`, any JSON object, or JSON that fits a `schema`."""

    type: Literal["text", "json", "jsonSchema"]
    schema: dict[str, Any] | None = None
    name: str | None = None


class Options(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How to sample. Absent means the provider's own default; `maxOutputTokens` counts reasoning too."""

    temperature: Annotated[float, Meta(ge=0)] | UnsetType = UNSET
    top_p: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET
    max_output_tokens: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    stop: tuple[str, ...] | UnsetType = UNSET
    seed: int | UnsetType = UNSET
    reasoning_effort: str | UnsetType = UNSET
    response_format: ResponseFormat | UnsetType = UNSET
    top_k: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | UnsetType = UNSET
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET

    @property
    def given(self) -> list[str]:
        """The names, on the wire, of the options that were given."""
        return list(msgspec.to_builtins(self))


class Conversation(Struct, frozen=True):
    """All that a dialect turns into a request, besides the target."""

    messages: tuple[Message, ...]
    system: str | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    options: Options = Options()

    @property
    def mistake(self) -> str | None:
        """What makes this a conversation that no provider can answer; None when nothing does."""
        for message in self.messages:
            if message.role == "tool" and not all(isinstance(part, ToolResultPart) for part in message.parts):
                return "A message of the role `tool` holds `toolResult` parts only."
            for part in message.parts:
                if isinstance(part, ImagePart | FilePart) and part.data is None and part.url is None:
                    return "An image or a file has neither `data` nor a `url`."
        return None

    @property
    def title(self) -> str:
        """The beginning of the last thing that the user said, for lists."""
        said = (p.text for m in reversed(self.messages) if m.role == "user" for p in m.parts if isinstance(p, TextPart))
        return " ".join(next(said, "").split())[:80]


class Usage(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Tokens of one chat. `inputTokens` includes cached and cache-write tokens, `outputTokens` includes reasoning.

    `exact` is false when the provider has not said and the numbers are estimated from the text.
    """

    input_tokens: int
    output_tokens: int
    exact: bool
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class Cost(Struct, frozen=True, rename="camel"):
    """What a chat cost in US dollars; `source` says who says so. An unknown cost is absent, never 0."""

    usd: float
    exact: bool
    source: str


class Started(Struct, tag="started", frozen=True, rename="camel", omit_defaults=True):
    """The provider that answers, and its model. Comes once, before anything visible. `account` is masked."""

    model: str
    provider: str
    account: str | None = None


class TextDelta(Struct, tag="text", frozen=True):
    """A piece of the answer."""

    text: str


class ReasoningDelta(Struct, tag="reasoning", frozen=True):
    """A piece of the model's thinking."""

    text: str


class ToolCallDelta(Struct, tag="toolCall", frozen=True, rename="camel", omit_defaults=True):
    """A piece of a tool call: fragments of one `index` belong together; `arguments` is a fragment of JSON text."""

    index: int
    arguments: str
    id: str | None = None
    name: str | None = None


class AttemptFailed(Struct, tag="attemptFailed", frozen=True, rename="camel", omit_defaults=True):
    """One way did not lead to an answer. `next` is the model tried now, absent when there is none left."""

    model: str
    error: ErrorData
    next: str | None = None


class Notice(Struct, tag="notice", frozen=True, rename="camel"):
    """Something the user should know: what could not be carried over to this provider, or what was estimated."""

    about: str
    text: str


class Waiting(Struct, tag="waiting", frozen=True, rename="camel", omit_defaults=True):
    """A heartbeat: the model has been silent for so many seconds.

    With a `place`, 1 for the next, nothing has been sent yet: the chat waits for its turn within your own limits
    (docs/limits.md). `queue` then names the provider, where the limit is for that one alone. With `left`, nobody is
    asked just now: in so many seconds somebody is, who may not be asked sooner.
    """

    seconds: float
    place: int | None = None
    queue: str | None = None
    left: float | None = None


class UsageReport(Struct, tag="usage", frozen=True, rename="camel", omit_defaults=True):
    """Tokens so far, and the cost where the provider reports it."""

    usage: Usage
    cost: Cost | None = None


class Finished(Struct, tag="finished", frozen=True, rename="camel", omit_defaults=True):
    """The last event of every chat. `resume` names models that could go on from an interrupted answer."""

    reason: StopReason | Literal["error"]
    error: ErrorData | None = None
    resume: tuple[str, ...] = ()


Event = Started | TextDelta | ReasoningDelta | ToolCallDelta | AttemptFailed | Notice | Waiting | UsageReport | Finished
Visible = TextDelta | ReasoningDelta | ToolCallDelta
"""After the first of these an answer is bound to the provider that gave it."""


class StopSeen(Struct, frozen=True):
    """A dialect's word that the provider has ended the answer, and why.

    Never on the wire: `Finished` follows from it.
    """

    reason: StopReason


class ErrorSeen(Struct, frozen=True):
    """A dialect's word that the provider broke the answer off. Never on the wire."""

    error: PointsmanError


class Seal(Struct, frozen=True):
    """A dialect's word of what must go back to this provider unchanged: with the tool call of that `index`, else with
    the reasoning so far, which it ends. Where there was none it stands for itself.

    Never on the wire: it is in the message of the result.
    """

    signature: str | None = None
    opaque: Any = None
    index: int | None = None


class WindowsSeen(Struct, frozen=True):
    """A dialect's word of how much of the plan is used, as the provider says. Never on the wire."""

    windows: tuple[Window, ...]


Reading = TextDelta | ReasoningDelta | ToolCallDelta | Notice | UsageReport | Seal | WindowsSeen | StopSeen | ErrorSeen
"""What a dialect reads out of a stream."""


LONGEST_PIECE = 8192
"""Characters that one event has at most: at six bytes each (`\\u0000`) it still fits into one notification."""


def coalesce(readings: list[Reading]) -> list[Reading]:
    """Joins neighbouring pieces of text, and of reasoning, that arrived together, and cuts pieces that are too long."""
    joined: list[Reading] = []
    run: list[str] = []
    kind: type[TextDelta | ReasoningDelta] = TextDelta
    for reading in readings:
        if isinstance(reading, TextDelta | ReasoningDelta):
            if run and type(reading) is not kind:
                joined += map(kind, _pieces("".join(run)))
                run = []
            kind = type(reading)
            run.append(reading.text)
            continue
        if run:
            joined += map(kind, _pieces("".join(run)))
            run = []
        joined += _call_pieces(reading) if isinstance(reading, ToolCallDelta) else (reading,)
    return joined + [kind(piece) for piece in _pieces("".join(run))] if run else joined


def _call_pieces(delta: ToolCallDelta) -> list[ToolCallDelta]:
    first, *more = _pieces(delta.arguments)
    return [
        ToolCallDelta(delta.index, first, delta.id, delta.name),
        *(ToolCallDelta(delta.index, piece) for piece in more),
    ]


def _pieces(text: str) -> list[str]:
    return [text[i : i + LONGEST_PIECE] for i in range(0, len(text), LONGEST_PIECE)] or [""]
