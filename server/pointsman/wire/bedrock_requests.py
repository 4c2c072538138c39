"""Requests of the `bedrock-converse` dialect: what goes with the messages, and what of it excludes what.

Must never know how an answer is read. Source:
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html, the service model of the
official SDK, and https://platform.claude.com/docs/en/build-with-claude/extended-thinking for Claude.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct, UnsetType

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation, NamedTool, Notice, Options
from pointsman.core.errors import BadRequest
from pointsman.core.http import Request
from pointsman.wire import claude_models
from pointsman.wire.bedrock_turns import Turns, tool_name
from pointsman.wire.carrying import once, options_left_out, unused_form

BUDGETS = {"minimal": 1024, "low": 1024, "medium": 4096, "high": 16384, "xhigh": 24576, "max": 32000}
"""Tokens of thought for a `reasoningEffort`; 1024 is the least that Claude takes."""
LEAST_BUDGET = 1024
EFFORTS = {name: name for name in ("low", "medium", "high", "xhigh", "max")} | {"minimal": "low"}
LEAST_TOP_P = 0.95
"""The least `topP` beside thinking."""
OPTIONS = {"temperature", "topP", "topK", "maxOutputTokens", "stop", "reasoningEffort", "responseFormat"}

NEW_CLAUDE = "*anthropic.claude-[a-z]*[a-z]-[5-9]*"


class Quirks(Struct, frozen=True, forbid_unknown_fields=True):
    """Patterns of models that differ from others. `thinking_budget`: that think within a budget of tokens.
    `thinking_effort`: that adapt their thinking to an effort. `refuses_sampling`: that refuse to be told how to sample.
    `top_k`: that take a `top_k` of that name. `cache_points`: that keep beginnings of prompts in a cache.
    """

    thinking_budget: tuple[str, ...] = (
        "*anthropic.claude-3-7-*",
        "*anthropic.claude-*-4-20*",
        "*anthropic.claude-*-4-[015]-*",
    )
    thinking_effort: tuple[str, ...] = ("*anthropic.claude-*-4-[6-9]*", NEW_CLAUDE)
    refuses_sampling: tuple[str, ...] = ("*anthropic.claude-*-4-[7-9]*", NEW_CLAUDE)
    top_k: tuple[str, ...] = ("*anthropic.claude-*",)
    cache_points: tuple[str, ...] = ("*anthropic.claude-*", "*amazon.nova-*")


def request(provider: Provider, model: str, conversation: Conversation) -> tuple[Request, Sequence[Notice]]:
    """A POST to `/model/{model}/converse-stream`."""
    quirks = msgspec.convert(provider.quirks, Quirks)
    turns = Turns(provider, _is_among(model, quirks.cache_points))
    if conversation.system and conversation.system.strip():
        turns.system.append({"text": conversation.system})
    for message in conversation.messages:
        turns.add(message)
    turns.finish()
    if not turns.messages or turns.messages[0]["role"] != "user":
        raise BadRequest(
            f"{provider.title} wants a conversation to begin with a message of the user.",
            "Say something in a message of the role `user` first, then ask again.",
            provider=provider.id,
        )
    if turns.messages[-1]["role"] == "assistant" and not claude_models.goes_on(model):
        raise BadRequest(
            f"{model[:200]} can't go on with an answer that has begun already.",
            "Let the conversation end with a message of the user.",
            provider=provider.id,
        )
    notices = turns.notices
    body: dict[str, Any] = {"messages": turns.messages}
    if turns.system:
        body["system"] = turns.system
    chosen = _Choice(conversation.options, model, quirks, turns, notices)
    body |= chosen.fields()
    free = chosen.thinks or claude_models.is_among(model, claude_models.CHOOSE_THEMSELVES)
    if config := _tool_config(provider, conversation, turns, free, notices):
        body["toolConfig"] = config
    notices += options_left_out(conversation, {*OPTIONS, "parallelToolCalls"}, "Converse") + unused_form(conversation)
    headers = {"content-type": "application/json", "accept": "application/vnd.amazon.eventstream", **provider.headers}
    address = provider.url(f"model/{quote(model, safe='')}/converse-stream")
    return Request("POST", address, headers, msgspec.json.encode(body)), once(notices)


def _is_among(model: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(model.lower(), pattern) for pattern in patterns)


class _Choice:
    """The options of one request, in order: how hard to think decides what else may be said."""

    def __init__(self, options: Options, model: str, quirks: Quirks, turns: Turns, notices: list[Notice]) -> None:
        self._options = options
        self._model = model
        self._quirks = quirks
        self._turns = turns
        self._notices = notices
        self._inference: dict[str, Any] = {}
        self._additional: dict[str, Any] = {}
        self._output: dict[str, Any] = {}

    def fields(self) -> dict[str, Any]:
        """What they come to, by the names of the request's fields."""
        if not isinstance(self._options.max_output_tokens, UnsetType):
            self._inference["maxTokens"] = self._options.max_output_tokens
        if not isinstance(self._options.reasoning_effort, UnsetType):
            self._think(self._options.reasoning_effort)
        self._sample()
        if not isinstance(self._options.stop, UnsetType):
            self._inference["stopSequences"] = self._options.stop
        self._form()
        if self._options.parallel_tool_calls is False:
            text = "Converse always may call several tools at once; `parallelToolCalls` was left out."
            self._tell("parallelToolCalls", text)
        fields = {
            "inferenceConfig": self._inference,
            "additionalModelRequestFields": self._additional,
            "outputConfig": self._output,
        }
        return {name: value for name, value in fields.items() if value}

    @property
    def thinks(self) -> bool:
        """Whether the model was asked to think."""
        return self._additional.get("thinking", {}).get("type") in {"enabled", "adaptive"}

    def _think(self, effort: str) -> None:
        budgets = _is_among(self._model, self._quirks.thinking_budget)
        efforts = _is_among(self._model, self._quirks.thinking_effort)
        if not budgets and not efforts:
            self._tell(
                "reasoningEffort", f"{self._model} can't be told how hard to think; `{effort[:50]}` was left out."
            )
        elif effort == "none" and claude_models.is_among(self._model, claude_models.ALWAYS_THINK):
            self._tell("reasoningEffort", f"{self._model} always thinks; the effort `none` was left out.")
        elif effort == "none":
            between = claude_models.is_among(self._model, claude_models.BETWEEN_TOOLS)
            self._additional["thinking"] = {"type": "between_tools" if between else "disabled"}
        elif effort not in EFFORTS:
            words = ", ".join(["none", *BUDGETS])
            text = f"Claude knows these words for an effort: {words}; {effort[:50]!r} was left out."
            self._tell("reasoningEffort", text)
        elif budgets:
            self._think_within(BUDGETS[effort])
        else:
            self._additional["thinking"] = {"type": "adaptive"}
            self._output["effort"] = EFFORTS[effort]

    def _think_within(self, budget: int) -> None:
        limit = self._options.max_output_tokens
        if _answers_what_was_called_without_thought(self._turns):
            text = "The tool call that this answers was made without thinking, so the model can't think now."
            self._tell("reasoningEffort", f"{text} `reasoningEffort` was left out.")
            return
        if not isinstance(limit, UnsetType) and limit <= budget:
            if limit <= LEAST_BUDGET:
                text = (
                    f"Thinking takes more than {LEAST_BUDGET} tokens, and {limit} are allowed in all; it was left out."
                )
                self._tell("reasoningEffort", text)
                return
            budget = max(LEAST_BUDGET, limit // 2)
            text = f"An effort that fits into {limit} tokens in all was asked for: {budget} of them for thinking."
            self._tell("reasoningEffort", text)
        self._additional["thinking"] = {"type": "enabled", "budget_tokens": budget}

    def _sample(self) -> None:
        options = self._options
        refuses = _is_among(self._model, self._quirks.refuses_sampling)
        values = (("temperature", options.temperature), ("topP", options.top_p), ("topK", options.top_k))
        for name, value in values:
            if isinstance(value, UnsetType):
                continue
            if refuses:
                self._tell(name, f"{self._model} takes no `{name}`; it was left out.")
            elif self.thinks and (name == "topK" or (value < LEAST_TOP_P if name == "topP" else value != 1)):
                self._tell(name, f"A model that thinks can't be told a `{name}`; it was left out.")
            elif name == "topK" and not _is_among(self._model, self._quirks.top_k):
                self._tell(name, f"{self._model} has no `{name}` that Converse knows; it was left out.")
            elif name == "topK":
                self._additional["top_k"] = value
            elif name == "temperature" and value > 1:
                self._inference[name] = 1.0
                self._tell(name, "Converse takes a `temperature` of 1 at most; 1 was sent.")
            else:
                self._inference[name] = value

    def _form(self) -> None:
        form = self._options.response_format
        if isinstance(form, UnsetType) or form.type == "text":
            return
        if form.type == "json":
            self._tell("responseFormat", "Converse keeps to a JSON Schema, but not to JSON as such; it was left out.")
            return
        schema: dict[str, Any] = {"schema": msgspec.json.encode(form.schema or {}).decode()}
        if form.name is not None:
            schema["name"] = form.name
        self._output["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}

    def _tell(self, about: str, text: str) -> None:
        self._notices.append(Notice(about, text))


def _answers_what_was_called_without_thought(turns: Turns) -> bool:
    """Within a budget, an answer to tool results goes on with thoughts that came before the calls, or has none."""
    match turns.messages:
        case [*_, {"content": [called, *_]}, {"content": [{"toolResult": _}, *_]}]:
            return "reasoningContent" not in called
        case _:
            return False


def _tool_config(
    provider: Provider, conversation: Conversation, turns: Turns, free: bool, notices: list[Notice]
) -> dict[str, Any]:
    """The tools to choose from, by a model that may be `free` to; there must be some where some were called."""
    choice = conversation.tool_choice
    if free and conversation.tools and (choice == "required" or isinstance(choice, NamedTool)):
        name = f" ({choice.name[:200]})" if isinstance(choice, NamedTool) else ""
        text = f"A model that thinks can't be made to call a tool{name}; it chooses itself."
        notices.append(Notice("toolChoice", text))
        choice = "auto"
    specs = []
    for tool in conversation.tools:
        spec: dict[str, Any] = {
            "name": tool_name(provider, tool.name),
            "inputSchema": {"json": {"type": "object"} | tool.parameters},
        }
        if tool.description:
            spec["description"] = tool.description
        if tool.strict is not None:
            spec["strict"] = tool.strict
        specs.append({"toolSpec": spec})
    if choice == "none" and specs:
        if not turns.called:
            names = ", ".join(tool.name for tool in conversation.tools)[:500]
            notices.append(Notice("toolChoice", "Converse can't forbid tools; they were left out instead."))
            notices.append(Notice("tools", f"As no tool may be called, these were left out: {names}."))
            return {}
        notices.append(Notice("toolChoice", "Converse can't forbid tools once some were called; `none` was left out."))
    elif choice is not None and not specs:
        notices.append(Notice("toolChoice", "There are no tools to choose from; the choice was left out."))
    if not specs and turns.called:
        text = "Converse wants a definition of each tool that was called; stand-ins were sent"
        notices.append(Notice("tools", f"{text}: {', '.join(turns.called)[:500]}."))
        specs = [{"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}} for name in turns.called]
        choice = None
    if not specs:
        return {}
    match choice:
        case None | "none":
            return {"tools": specs}
        case NamedTool(name):
            return {"tools": specs, "toolChoice": {"tool": {"name": tool_name(provider, name)}}}
        case _:
            return {"tools": specs, "toolChoice": {"any" if choice == "required" else "auto": {}}}
