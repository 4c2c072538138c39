"""Requests of the `anthropic-messages` dialect: what goes with the messages, and what of it excludes what.

Must never know how an answer is read. Source: https://platform.claude.com/docs/en/api/messages and its pages on
thinking, structured outputs, tool use and API version 2026-10-21, and the official SDK.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation, NamedTool, Notice, Options, Tool, ToolChoice
from pointsman.core.errors import BadRequest
from pointsman.core.http import Request
from pointsman.wire import claude_models
from pointsman.wire.anthropic_turns import THOUGHTS, Turns
from pointsman.wire.carrying import once, options_left_out, unused_form

FEWER_OPTIONS = "2026-10-21"
"""The version from which on sampling is refused, and documents in answers are."""
VERSIONS = {"own": "2023-06-01", "google-cloud": "vertex-2023-10-16"}
BUDGET_MODELS = claude_models.PREFILLED
"""Claude's models that think within a budget; those after them adapt by themselves."""
SAMPLING_MODELS = (*BUDGET_MODELS, "*claude-*-4[-.]6", "*claude-*-4[-.]6[-@]*")
"""Claude's models that can be told how to sample; those after them refuse it in every version of the API."""
BUDGETS = {"minimal": 1024, "low": 1024, "medium": 4096, "high": 16384, "xhigh": 24576, "max": 32000}
"""Tokens of thought for a `reasoningEffort`; 1024 is the least that the API takes."""
LEAST_BUDGET = 1024
ROOM_FOR_WORDS = 4096
"""Tokens of output beside a budget that is more than the usual limit."""
EFFORTS = {"minimal": "low"} | {word: word for word in ("low", "medium", "high", "xhigh", "max")}
LEAST_TOP_P = 0.95
"""The least `top_p` beside thinking."""
OPTIONS = {
    "temperature",
    "topP",
    "topK",
    "maxOutputTokens",
    "stop",
    "reasoningEffort",
    "responseFormat",
    "parallelToolCalls",
}


class Quirks(Struct, frozen=True, forbid_unknown_fields=True):
    """`platform`: who serves it, `google-cloud` wants the model in the path. `thinking`: whether models think within a
    `budget` or are `adaptive`; by the names of Claude's models else. `default_max_tokens`: the limit of output where
    none is given, as the API wants one. `structured_outputs`: whether it keeps to JSON Schemas.
    """

    platform: Literal["own", "google-cloud"] = "own"
    thinking: Literal["by-model", "budget", "adaptive"] = "by-model"
    default_max_tokens: Annotated[int, Meta(ge=1)] = 8192
    structured_outputs: bool = True


def request(provider: Provider, model: str, conversation: Conversation) -> tuple[Request, Sequence[Notice]]:
    """A POST to `/v1/messages` that asks for a stream.

    `api_version` of the provider is the version in the header (on Vertex in the body), not in the query.
    """
    quirks = msgspec.convert(provider.quirks, Quirks)
    version = provider.api_version or VERSIONS[quirks.platform]
    fewer_options = version.removeprefix("vertex-") >= FEWER_OPTIONS
    turns = Turns(provider, documents_in_answers=not fewer_options)
    if conversation.system and conversation.system.strip():
        turns.system.append({"type": "text", "text": conversation.system})
    for message in conversation.messages:
        turns.add(message)
    turns.finish()
    if not turns.messages:
        raise BadRequest(
            f"There is nothing in the conversation that {provider.title} could answer.",
            "Say something in a message of the role `user`, then ask again.",
            provider=provider.id,
        )
    if turns.messages[-1]["role"] == "assistant" and not claude_models.goes_on(model):
        raise BadRequest(
            f"{model[:200]} can't go on with an answer that has begun already.",
            "Let the conversation end with a message of the user.",
            provider=provider.id,
        )
    notices = turns.notices
    head: dict[str, Any] = {"anthropic_version": version} if quirks.platform == "google-cloud" else {"model": model}
    fields = _limits(conversation.options, model.lower(), quirks, turns, notices)
    thinking = fields.get("thinking", {}).get("type") in {"enabled", "adaptive"}
    if thinking and turns.messages[-1]["role"] == "assistant":
        raise BadRequest(
            f"{provider.title} can't think about an answer that has begun already.",
            "Leave out `reasoningEffort`, or let the conversation end with a message of the user.",
            provider=provider.id,
        )
    body = head | {"messages": turns.messages, "stream": True} | fields | _system(turns)
    sampling = _sampling(conversation.options, model.lower(), fewer_options, thinking, notices)
    free = thinking or claude_models.is_among(model, claude_models.CHOOSE_THEMSELVES)
    body |= sampling | _tools(conversation, quirks, free, notices) | _stop(conversation.options, notices)
    if form := _form(conversation.options, quirks, notices):
        body["output_config"] = body.get("output_config", {}) | {"format": form}
    notices += options_left_out(conversation, OPTIONS, "The Messages API") + unused_form(conversation)
    headers = {"content-type": "application/json", "accept": "text/event-stream"}
    address = url(provider, "messages")
    if quirks.platform == "google-cloud":
        path = f"publishers/anthropic/models/{quote(model, safe='@')}:streamRawPredict"
        address = f"{provider.base_url.rstrip('/')}/{path}"
    else:
        headers["anthropic-version"] = version
    return Request("POST", address, headers | provider.headers, msgspec.json.encode(body)), once(notices)


def url(provider: Provider, path: str) -> str:
    """An address below `/v1`, which the base URL may have or not: Anthropic's SDKs are given one without."""
    base = provider.base_url.rstrip("/")
    return f"{base}/{path}" if base.endswith("/v1") else f"{base}/v1/{path}"


def _system(turns: Turns) -> dict[str, Any]:
    match turns.system:
        case []:
            return {}
        case [block] if block.keys() == {"type", "text"}:
            return {"system": block["text"]}
        case blocks:
            return {"system": blocks}


def _limits(options: Options, model: str, quirks: Quirks, turns: Turns, notices: list[Notice]) -> dict[str, Any]:
    """`max_tokens`, which counts thoughts too, and how much to think."""
    limit, effort = options.max_output_tokens, options.reasoning_effort
    fields: dict[str, Any] = {"max_tokens": quirks.default_max_tokens if isinstance(limit, UnsetType) else limit}
    if isinstance(effort, UnsetType):
        return fields
    if effort == "none":
        return fields | _without_thinking(model, notices)
    if effort not in EFFORTS:
        words = ", ".join(["none", *EFFORTS])
        text = f"The Messages API knows these words for an effort: {words}; {effort[:50]!r} was left out."
        notices.append(Notice("reasoningEffort", text))
        return fields
    if quirks.thinking == "adaptive" or (quirks.thinking == "by-model" and not _is_among(model, BUDGET_MODELS)):
        # The newest models keep their thoughts to themselves unless they are asked for a summary.
        thinking = {"type": "adaptive", "display": "summarized"}
        return fields | {"thinking": thinking, "output_config": {"effort": EFFORTS[effort]}}
    budget, most = BUDGETS[effort], quirks.default_max_tokens
    if budget >= most:
        most = budget + ROOM_FOR_WORDS
    if most > claude_models.SHORT_LIMIT and claude_models.is_among(model, claude_models.SHORT):
        most = claude_models.SHORT_LIMIT
        budget = min(budget, most - ROOM_FOR_WORDS)
    return fields | _within_budget(budget, most, limit, turns, notices)


def _without_thinking(model: str, notices: list[Notice]) -> dict[str, Any]:
    """As little thinking as a model can do with."""
    if claude_models.is_among(model, claude_models.ALWAYS_THINK):
        notices.append(Notice("reasoningEffort", f"{model[:200]} always thinks; the effort `none` was left out."))
        return {}
    between = claude_models.is_among(model, claude_models.BETWEEN_TOOLS)
    return {"thinking": {"type": "between_tools" if between else "disabled"}}


def _within_budget(
    budget: int, most: int, limit: int | UnsetType, turns: Turns, notices: list[Notice]
) -> dict[str, Any]:
    """Thinking of so many tokens, or of as many as fit; `max_tokens` too, where it has to be more than usual."""
    thinking: dict[str, Any] = {"type": "enabled", "budget_tokens": budget}
    reason = None
    if _answers_what_was_called_without_thought(turns):
        reason = "the tool call that this answers was made without"
    elif isinstance(limit, UnsetType):
        return {"max_tokens": most, "thinking": thinking}
    elif limit <= LEAST_BUDGET:
        reason = f"it takes more than {LEAST_BUDGET} tokens, and {limit} are allowed in all"
    elif limit <= budget:
        thinking["budget_tokens"] = max(LEAST_BUDGET, limit // 2)
        text = f"The effort was made to fit into {limit} tokens: {thinking['budget_tokens']} of them are for thinking."
        notices.append(Notice("reasoningEffort", text))
    if reason is not None:
        notices.append(Notice("reasoningEffort", f"The model can't think now: {reason}. The effort was left out."))
        return {}
    return {"thinking": thinking}


def _answers_what_was_called_without_thought(turns: Turns) -> bool:
    """Within a budget, an answer to tool results goes on with thoughts that came before the calls, or has none."""
    match turns.messages:
        case [*_, {"content": [{"type": called}, *_]}, {"content": [{"type": "tool_result"}, *_]}]:
            return called not in THOUGHTS
        case _:
            return False


def _is_among(model: str, patterns: Sequence[str]) -> bool:
    """Whether a model is one of these, or not one of Claude's: those serve what was usual before."""
    return "claude" not in model or any(fnmatchcase(model, pattern) for pattern in patterns)


def _sampling(
    options: Options, model: str, fewer_options: bool, thinking: bool, notices: list[Notice]
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    values = (("temperature", "temperature", options.temperature), ("top_p", "topP", options.top_p))
    for field, name, value in (*values, ("top_k", "topK", options.top_k)):
        reason = None
        if isinstance(value, UnsetType):
            continue
        if fewer_options:
            reason = f"from version {FEWER_OPTIONS} on it is refused"
        elif not _is_among(model, SAMPLING_MODELS):
            reason = f"{model[:200]} refuses it"
        elif thinking and (field == "top_k" or (value < LEAST_TOP_P if field == "top_p" else value != 1)):
            reason = "it can't be told to a model that thinks"
        elif field == "top_p" and "temperature" in fields and "claude" in model:
            reason = "newer models refuse it beside `temperature`"
        if reason is not None:
            notices.append(Notice(name, f"`{name}` was left out of the request to the Messages API: {reason}."))
            continue
        fields[field] = value
        if field == "temperature" and value > 1:
            fields[field] = 1.0
            notices.append(Notice(name, f"The Messages API takes a `temperature` of 1 at most; {value} was sent as 1."))
    return fields


def _stop(options: Options, notices: list[Notice]) -> dict[str, Any]:
    if isinstance(options.stop, UnsetType):
        return {}
    stop = [sequence for sequence in options.stop if sequence.strip()]
    if len(stop) < len(options.stop):
        notices.append(Notice("stop", "The Messages API can't stop at white space alone; such a `stop` was left out."))
    return {"stop_sequences": stop} if stop else {}


def _form(options: Options, quirks: Quirks, notices: list[Notice]) -> dict[str, Any] | None:
    form = options.response_format
    if isinstance(form, UnsetType) or form.type == "text":
        return None
    if form.schema is None or form.type == "json" or not quirks.structured_outputs:
        text = "It gives JSON only by a schema that it was told; say it in the prompt instead."
        notices.append(Notice("responseFormat", f"The form of the answer was left out of the request. {text}"))
        return None
    schema = {"title": form.name, **form.schema} if form.name else form.schema
    if form.name and schema["title"] != form.name:
        notices.append(
            Notice("responseFormat", f"The schema has a title of its own, so {form.name[:200]!r} was left out.")
        )
    return {"type": "json_schema", "schema": schema}


def _tools(conversation: Conversation, quirks: Quirks, free: bool, notices: list[Notice]) -> dict[str, Any]:
    choice, parallel = conversation.tool_choice, conversation.options.parallel_tool_calls
    if not conversation.tools:
        if choice is not None:
            notices.append(Notice("toolChoice", "There are no tools to choose from; the choice was left out."))
        if parallel is not UNSET:
            notices.append(Notice("parallelToolCalls", "There are no tools to call; `parallelToolCalls` was left out."))
        return {}
    tools = [_tool(tool, quirks, notices) for tool in conversation.tools]
    chosen = _choice(choice, parallel, free, notices)
    return {"tools": tools} if chosen is None else {"tools": tools, "tool_choice": chosen}


def _tool(tool: Tool, quirks: Quirks, notices: list[Notice]) -> dict[str, Any]:
    own: dict[str, Any] = {"name": tool.name, "input_schema": {"type": "object"} | tool.parameters}
    if tool.description is not None:
        own["description"] = tool.description
    if tool.strict is not None and quirks.structured_outputs:
        own["strict"] = tool.strict
    elif tool.strict is not None:
        notices.append(Notice("tools", f"`strict` of {tool.name[:200]} was left out: no schema is enforced here."))
    return own


def _choice(
    choice: ToolChoice | None, parallel: bool | UnsetType, free: bool, notices: list[Notice]
) -> dict[str, Any] | None:
    if free and (choice == "required" or isinstance(choice, NamedTool)):
        name = f" ({choice.name[:200]})" if isinstance(choice, NamedTool) else ""
        text = f"A model that thinks can't be made to call a tool{name}; it chooses itself."
        notices.append(Notice("toolChoice", text))
        choice = "auto"
    chosen: dict[str, Any] | None
    match choice:
        case None:
            chosen = None if parallel is UNSET else {"type": "auto"}
        case NamedTool(name):
            chosen = {"type": "tool", "name": name}
        case _:
            chosen = {"type": {"auto": "auto", "none": "none", "required": "any"}[choice]}
    if choice == "none" and parallel is not UNSET:
        notices.append(Notice("parallelToolCalls", "No tool is to be called; `parallelToolCalls` was left out."))
    elif chosen is not None and not isinstance(parallel, UnsetType):
        chosen["disable_parallel_tool_use"] = not parallel
    return chosen
