"""Conversations in which every value can be told from all others, and the check that none of them is lost in silence.

What a dialect can't carry it names in a notice: by the kind of the part, or by the name of the option, that it is
about. A choice of tools that is `auto` says what no choice says, and is not looked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import UNSET

from pointsman.core.chat import (
    Conversation,
    FilePart,
    ImagePart,
    Message,
    NamedTool,
    Notice,
    Options,
    Part,
    ReasoningPart,
    ResponseFormat,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)

NUMBERS = itertools.count(10**6)
number = st.builds(lambda: next(NUMBERS))
word = number.map("w{}".format)
fraction = number.map("0.{}".format).map(float)

schemas = st.dictionaries(word, word | st.lists(word, max_size=2), max_size=2)
images = st.builds(
    ImagePart, st.none() | word, word, st.none() | word, st.sampled_from([None, "low", "high"])
) | st.builds(ImagePart, st.none() | word, st.none(), word, st.sampled_from([None, "auto"]))
files = st.builds(FilePart, st.none() | word, word, st.none() | word, st.none() | word) | st.builds(
    FilePart, st.none() | word, st.none(), word, st.none() | word
)
opaque = (
    st.none()
    | st.dictionaries(word, word, max_size=2)
    | st.lists(st.dictionaries(st.sampled_from(["text", "data"]), word, max_size=2), max_size=2)
    | st.fixed_dictionaries(
        {"type": st.just("reasoning"), "id": word},
        optional={
            "encrypted_content": word,
            "summary": st.lists(st.fixed_dictionaries({"type": st.just("summary_text"), "text": word}), max_size=2),
        },
    )
)
parts = (
    st.builds(TextPart, word)
    | images
    | files
    | st.builds(ReasoningPart, word | st.just(""), st.none() | word, opaque)
    | st.builds(ToolCallPart, word, word, schemas, st.none(), st.none() | word)
    | st.builds(ToolCallPart, word, word, st.just({}), word)
    | st.builds(
        ToolResultPart, word, word | st.lists(st.builds(TextPart, word) | images, max_size=2).map(tuple), st.booleans()
    )
)
makers = st.sampled_from([None, "acme", "other"])
messages = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    word | st.lists(parts, max_size=4).map(tuple),
    makers,
    st.booleans(),
)
sealed = st.tuples(
    st.builds(ReasoningPart, word, word, opaque),
    st.builds(ToolCallPart, word, word, schemas, st.none(), word),
)
options = st.builds(
    Options,
    st.just(UNSET) | fraction,
    st.just(UNSET) | fraction,
    st.just(UNSET) | number,
    st.just(UNSET) | st.lists(word, min_size=1, max_size=2).map(tuple),
    st.just(UNSET) | number,
    st.just(UNSET) | word,
    st.just(UNSET)
    | st.builds(ResponseFormat, st.sampled_from(["text", "json", "jsonSchema"]), st.none() | schemas, st.none() | word),
    st.just(UNSET) | number,
    st.just(UNSET) | fraction,
    st.just(UNSET) | fraction,
    st.just(UNSET) | st.booleans(),
)
conversations = st.builds(
    Conversation,
    st.lists(messages, max_size=4).map(tuple),
    st.none() | word,
    st.lists(st.builds(Tool, word, schemas, st.none() | word, st.sampled_from([None, True, False])), max_size=2).map(
        tuple
    ),
    st.sampled_from([None, "auto", "none", "required"]) | st.builds(NamedTool, word),
    options,
)


def _handed_on(turns: Sequence[tuple[str | None, tuple[ReasoningPart, ToolCallPart], str]]) -> tuple[Message, ...]:
    made = [Message("user", "Hello!")]
    for maker, answer, said in turns:
        made += [
            Message("assistant", answer, maker),
            Message("tool", (ToolResultPart(answer[1].id, said),)),
            Message("user", (TextPart(said), TextPart("Go on."))),
        ]
    return tuple(made)


handed_on = st.builds(
    lambda conversation, turns: msgspec.structs.replace(conversation, messages=(*turns, *conversation.messages)),
    conversations,
    st.lists(st.tuples(makers, sealed, word), min_size=2, max_size=4).map(_handed_on),
)
"""Conversations that change provider in the middle, each of which has sealed what it thought and called."""

OTHERWISE = {
    "anthropic-messages": {
        '"tool_choice":{"type":"any"': '"required"',
        '"disable_parallel_tool_use":true': '"parallel_tool_calls":false',
        '"disable_parallel_tool_use":false': '"parallel_tool_calls":true',
    },
    "gemini-generate": {
        '"response":{"error":': '"is_error":true',
        '"mode":"NONE"': '"none"',
        '"mode":"ANY"': '"required"',
        "{": '"strict":false "parallel_tool_calls":true "detail":"auto"',
    },
    "bedrock-converse": {
        '"status":"error"': '"is_error":true',
        '"cachePoint"': '"cache_control"',
        '"toolChoice":{"any"': '"required"',
        "{": '"parallel_tool_calls":true',
    },
}
"""By dialect, how it says what is looked for in other words; what is so anyway is in every request that has a `{`."""


def said_by(wire: str, body: bytes) -> str:
    """What a request says, in the words that are looked for."""
    text = body.decode()
    return " ".join([text, *(ours for theirs, ours in OTHERWISE.get(wire, {}).items() if theirs in text)])


def secrets(conversation: Conversation, maker: str) -> list[str]:
    """The words that only one provider understands."""
    parts = [part for message in conversation.messages if message.provider == maker for part in message.parts]
    kept = [part.signature for part in parts if isinstance(part, ReasoningPart | ToolCallPart)]
    kept += [part.opaque for part in parts if isinstance(part, ReasoningPart)]
    return [text for text, _ in _words(kept, "")]


Leaf = tuple[str, str]
"""How a value looks in a request, and the words that a notice of it may be about."""


def lost(conversation: Conversation, body: str, notices: Sequence[Notice]) -> list[Leaf]:
    """The values that are neither in the request nor named in a notice."""
    told = {notice.about for notice in notices}
    return [leaf for leaf in _leaves(conversation) if leaf[0] not in body and told.isdisjoint(leaf[1].split())]


def _leaves(conversation: Conversation) -> Iterator[Leaf]:
    yield from _words(conversation.system, "system")
    for message in conversation.messages:
        for part in message.parts:
            yield from _of_part(part)
        if message.cache:
            yield '"cache_control"', "cache"
    for tool in conversation.tools:
        yield from _words([tool.name, tool.description, tool.parameters], "tools")
        if tool.strict is not None:
            yield f'"strict":{str(tool.strict).lower()}', "tools"
    if isinstance(conversation.tool_choice, NamedTool):
        yield from _words(conversation.tool_choice.name, "toolChoice")
    elif conversation.tool_choice not in {None, "auto"}:
        yield f'"{conversation.tool_choice}"', "toolChoice"
    given = conversation.options
    for about, field in zip(Options.__struct_encode_fields__, Options.__struct_fields__, strict=True):
        value = getattr(given, field)
        if isinstance(value, bool):
            yield f'"parallel_tool_calls":{str(value).lower()}', about
        else:
            yield from _words(value, about)


def _of_part(part: Part) -> Iterator[Leaf]:
    match part:
        case ToolResultPart():
            yield from _words([part.tool_call_id, part.content], "toolResult image")
            if part.is_error:
                yield '"is_error":true', "toolResult"
        case _:
            about = type(part).__name__.removesuffix("Part")
            yield from _words(part, about[0].lower() + about[1:])


def _words(value: Any, about: str) -> Iterator[Leaf]:
    """The numbered words in a value, however deep, and what was chosen of a few."""
    match value:
        case str() if value[1:].isdigit():
            yield value, about
        case bool():
            return
        case int() | float():
            yield str(value), about
        case tuple() | list():
            for inner in value:
                yield from _words(inner, about)
        case dict():
            yield from _words(list(value.items()), about)
        case ImagePart(detail=str(detail)):
            yield f'"detail":"{detail}"', about
            yield from _words([value.media_type, value.data, value.url], about)
        case _ if hasattr(value, "__struct_fields__"):
            yield from _words([getattr(value, name) for name in value.__struct_fields__], about)
        case _:
            return
