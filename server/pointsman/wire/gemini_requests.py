"""Requests of the `gemini-generate` dialect: what goes with the contents.

Must never know how an answer is read. Source: https://ai.google.dev/api/generate-content, its pages on thinking,
structured output and function calling, and what the official SDK sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal
from urllib.parse import quote

import msgspec
from msgspec import Struct, UnsetType

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation, NamedTool, Notice, Options, ResponseFormat
from pointsman.core.errors import BadRequest
from pointsman.core.http import Request
from pointsman.wire.carrying import once, unused_form
from pointsman.wire.gemini_contents import Contents

BUDGETS = {"none": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24576}
"""Tokens of thought for a `reasoningEffort`: https://ai.google.dev/gemini-api/docs/openai gives the last three."""
LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH"}
STRONGER = {"xhigh", "max"}
LEAST_BUDGET = 128
"""Tokens of thought that a model takes at least that always thinks."""
Level = Literal["minimal", "low", "medium", "high"]
FEWER_LEVELS: dict[str, tuple[Level, ...]] = {
    "gemini-3-pro*": ("low", "high"),
    "gemini-[3-9].*-pro*": ("low", "medium", "high"),
}
COLLECTIONS = ("models", "tunedModels")
CHOICES = {"auto": "AUTO", "required": "ANY", "none": "NONE"}


class Quirks(Struct, frozen=True, forbid_unknown_fields=True):
    """`thinking_levels`: patterns of models that are told how hard to think by a level, not by a budget of tokens.
    `levels`: which of the levels (`low`, `medium`, `high`) a model takes that does not take all, by patterns of names.
    `always_thinking`: patterns of models that think within a budget, but not within none. `not_thinking`: patterns of
    models that don't think at all. `signed_calls`: patterns of models that refuse a tool call without a signature.
    """

    thinking_levels: tuple[str, ...] = ("gemini-[3-9]*",)
    levels: dict[str, tuple[Level, ...]] = msgspec.field(default_factory=lambda: dict(FEWER_LEVELS))
    always_thinking: tuple[str, ...] = ("gemini-2.5-pro*",)
    not_thinking: tuple[str, ...] = ("gemini-1.*", "gemini-2.0*")
    signed_calls: tuple[str, ...] = ("gemini-[3-9]*",)


def request(provider: Provider, model: str, conversation: Conversation) -> tuple[Request, Sequence[Notice]]:
    """A POST to `:streamGenerateContent` that asks for server-sent events."""
    quirks = msgspec.convert(provider.quirks, Quirks)
    contents = Contents(provider, is_among(model, quirks.signed_calls))
    if conversation.system:
        contents.system.append({"text": conversation.system})
    for message in conversation.messages:
        contents.add(message)
    contents.finish()
    if not contents.contents:
        raise BadRequest(
            f"There is nothing in the conversation that {provider.title} could answer.",
            "Say something in a message of the role `user`, then ask again.",
            provider=provider.id,
        )
    notices = contents.notices
    body: dict[str, Any] = {"contents": contents.contents}
    if contents.system:
        body["systemInstruction"] = {"role": "user", "parts": contents.system}
    body |= _tools(conversation, notices)
    if config := _config(conversation.options, model, quirks, notices):
        body["generationConfig"] = config
    notices += unused_form(conversation)
    headers = {"content-type": "application/json", "accept": "text/event-stream", **provider.headers}
    return Request("POST", url(provider, model), headers, msgspec.json.encode(body)), once(notices)


def url(provider: Provider, model: str) -> str:
    """The address that streams an answer of a model; `models/` before its name may be there or not."""
    collection, slash, name = model.partition("/")
    if not slash or collection not in COLLECTIONS:
        collection, name = "models", model
    address = provider.url(f"{collection}/{quote(name, safe='')}:streamGenerateContent")
    return f"{address}{'&' if '?' in address else '?'}alt=sse"


def is_among(model: str, patterns: Sequence[str]) -> bool:
    """Whether a model's own name fits one of the patterns, wherever it is kept."""
    return any(fnmatchcase(model.rpartition("/")[2], pattern) for pattern in patterns)


def _config(options: Options, model: str, quirks: Quirks, notices: list[Notice]) -> dict[str, Any]:
    given = {
        "temperature": options.temperature,
        "topP": options.top_p,
        "topK": options.top_k,
        "maxOutputTokens": options.max_output_tokens,
        "stopSequences": options.stop,
        "seed": options.seed,
        "presencePenalty": options.presence_penalty,
        "frequencyPenalty": options.frequency_penalty,
    }
    fields: dict[str, Any] = {name: value for name, value in given.items() if not isinstance(value, UnsetType)}
    if not isinstance(options.response_format, UnsetType):
        fields |= _form(options.response_format, notices)
    if not isinstance(options.reasoning_effort, UnsetType) and (
        thinking := _thinking(options.reasoning_effort, model, quirks, notices)
    ):
        fields["thinkingConfig"] = thinking
    if options.parallel_tool_calls is False:
        text = "Gemini always may call several tools at once; `parallelToolCalls` was left out."
        notices.append(Notice("parallelToolCalls", text))
    return fields


def _thinking(effort: str, model: str, quirks: Quirks, notices: list[Notice]) -> dict[str, Any]:
    """How hard to think, and the wish to see a summary of the thoughts, which is not sent unasked."""
    has_levels = is_among(model, quirks.thinking_levels)
    known: dict[str, Any] = LEVELS if has_levels else BUDGETS
    if is_among(model, quirks.not_thinking):
        notices.append(Notice("reasoningEffort", f"{model[:200]} does not think; `reasoningEffort` was left out."))
        return {}
    word = "high" if effort in STRONGER else "minimal" if effort == "none" and has_levels else effort
    if word not in known:
        words = ", ".join(dict.fromkeys(["none", *known, *sorted(STRONGER)]))
        text = f"Gemini knows these words for an effort: {words}; {effort[:50]!r} was left out."
        notices.append(Notice("reasoningEffort", text))
        return {}
    if has_levels:
        word = _level(word, model, quirks)
    elif word == "none" and is_among(model, quirks.always_thinking):
        text = f"{model[:200]} always thinks; the least was asked for, {LEAST_BUDGET} tokens."
        notices.append(Notice("reasoningEffort", text))
        return {"thinkingBudget": LEAST_BUDGET}
    if word != effort:
        notices.append(Notice("reasoningEffort", f"This model can't think as `{effort}` says; `{word}` was asked for."))
    field = "thinkingLevel" if has_levels else "thinkingBudget"
    return {field: known[word]} | ({} if effort == "none" else {"includeThoughts": True})


def _level(wanted: str, model: str, quirks: Quirks) -> str:
    """The level itself, or the next one above it that a model takes."""
    taken = next((levels for pattern, levels in quirks.levels.items() if is_among(model, [pattern])), ())
    order = list(LEVELS)
    return next((level for level in order[order.index(wanted) :] if level in taken), wanted)


def _form(form: ResponseFormat, notices: list[Notice]) -> dict[str, Any]:
    if form.type == "text":
        return {"responseMimeType": "text/plain"}
    fields: dict[str, Any] = {"responseMimeType": "application/json"}
    if form.type == "jsonSchema":
        schema = form.schema or {}
        if form.name is not None and schema.get("title") not in {None, form.name}:
            text = f"Gemini knows a schema by its title only; the name {form.name[:200]} was left out."
            notices.append(Notice("responseFormat", text))
        titled = {"title": form.name} | schema if form.name is not None else schema
        if titled:
            fields["responseJsonSchema"] = titled
    return fields


def _tools(conversation: Conversation, notices: list[Notice]) -> dict[str, Any]:
    choice = conversation.tool_choice
    if not conversation.tools:
        if choice is not None:
            notices.append(Notice("toolChoice", "There are no tools to choose from; the choice was left out."))
        return {}
    declarations = []
    for tool in conversation.tools:
        declaration: dict[str, Any] = {"name": tool.name, "parametersJsonSchema": tool.parameters}
        if tool.description is not None:
            declaration["description"] = tool.description
        if tool.strict:
            text = (
                f"Gemini can't be held to the schema of one tool exactly; `strict` of {tool.name[:200]} was left out."
            )
            notices.append(Notice("tools", text))
        declarations.append(declaration)
    fields: dict[str, Any] = {"tools": [{"functionDeclarations": declarations}]}
    match choice:
        case None:
            return fields
        case NamedTool(name):
            calling = {"mode": "ANY", "allowedFunctionNames": [name]}
        case _:
            calling = {"mode": CHOICES[choice]}
    return fields | {"toolConfig": {"functionCallingConfig": calling}}
