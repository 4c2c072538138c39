"""What the official SDKs read from each recorded stream (`expect.json`), in our own terms.

It must never know how a dialect reads; the names of the streams stand here so that tests can be told apart by them
where the streams themselves are absent.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman.core.chat import Cost, StopReason, Usage

RECORDED = {
    "openai-chat": [
        "openai-chat.text.gpt4o.sse",
        "openai-chat.tool.gpt4omini.sse",
        "openai-chat.paralleltools.gpt4o.sse",
        "azure-chat.contentfilter.2024-02-01.sse",
        "openrouter.midstream-error.sse",
        "openrouter.reasoning.sonnet45.sse",
        "openrouter.text.comments.sse",
        "groq.tool.sse",
        "deepseek.reasoner.sse",
        "mistral.magistral-thinking.sse",
        "xai-chat.tool.grok3mini.sse",
        "qwen.tool.qwen3max.sse",
    ],
    "openai-responses": [
        "openai-responses.text.gpt55.sse",
        "openai-responses.tool.gpt55.sse",
        "openai-responses.reasoning-summary.gpt5.sse",
        "openai-responses.failed-quota.sse",
        "lmstudio-responses.tool.glm47flash.sse",
    ],
    "anthropic-messages": [
        "anthropic.text.sse",
        "anthropic.tools.sse",
        "anthropic.thinking.sse",
        "anthropic.tool-no-args.sse",
        "anthropic.refusal.sse",
    ],
    "gemini-generate": [
        "gemini.text.sse",
        "gemini.thinking.25pro.sse",
        "gemini.tool.sse",
        "gemini.tool-thoughtsignature.3pro.sse",
    ],
    "bedrock-converse": [
        "bedrock-converse.thinking.sonnet4.eventstream",
        "bedrock-converse.tool.novamicro.eventstream",
    ],
    "ollama-chat": ["ollama-chat.text.ndjson", "ollama-chat.tools.stub.ndjson"],
}
EACH = [(wire, name) for wire, names in RECORDED.items() for name in names]
SIZES = (1, 7, 4096)
"""Bytes a piece, of streams that are cut."""
WIRES = {
    "chat": "openai-chat",
    "responses": "openai-responses",
    "anthropic": "anthropic-messages",
    "gemini": "gemini-generate",
    "converse": "bedrock-converse",
    "ollama": "ollama-chat",
}
ERRORS = {"openrouter.midstream-error.sse": "BadRequest", "openai-responses.failed-quota.sse": "QuotaExhausted"}
"""What the errors in streams are; the SDKs know no kinds of them."""
CALLED: StopReason = "toolCalls"
STOPS: dict[str | None, StopReason | None] = {
    "stop": "end",
    "tool_calls": CALLED,
    "length": "length",
    "completed": "end",
    "end_turn": "end",
    "tool_use": CALLED,
    "refusal": "contentFilter",
    "STOP": "end",
    None: None,
}


@dataclass(frozen=True)
class Expected:
    """One stream. `calls` are id (None where the provider gives none), name and arguments."""

    text: str
    thought: str
    calls: list[tuple[str | None, str, dict[str, Any]]]
    stop: StopReason | None
    usage: Usage | None
    cost: Cost | None
    error: str | None
    message: str
    more: dict[str, Any]


def all_of(transcripts: Path) -> dict[str, dict[str, Any]]:
    """`expect.json` as it is."""
    entries: dict[str, dict[str, Any]] = json.loads((transcripts / "expect.json").read_bytes())
    return entries


def expected(transcripts: Path, name: str) -> Expected:
    """What a reader of ours has to find in the stream of that name."""
    entry = all_of(transcripts)[name]
    said, wire = entry["expect"], entry["wire"]
    calls = [(call.get("id"), call["name"], _arguments(call["arguments"])) for call in said["tool_calls"]]
    stop = STOPS[said["finish"]]
    if calls and stop == "end":  # three providers have no word for it
        assert wire in {"responses", "gemini", "ollama"}
        stop = CALLED
    used = said["usage"]
    error = ERRORS.get(name)
    assert (error is None) == (said["error"] is None)
    return Expected(
        said["text"],
        said["thinking"],
        calls,
        stop,
        None if used is None else _USAGE[wire](used),
        None if used is None or "cost" not in used else Cost(used["cost"], exact=True, source="acme"),
        error,
        (said["error"] or "").removeprefix("APIError: ").removeprefix("APIError:"),
        said,
    )


def _arguments(value: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = json.loads(value or "{}") if isinstance(value, str) else value
    return arguments


def _chat(used: dict[str, Any]) -> Usage:
    """Output includes reasoning for everybody: whatever is not input. (One host counts reasoning beside its output.)"""
    given, taken = used.get("prompt_tokens_details", {}), used.get("completion_tokens_details", {})
    return Usage(
        used["prompt_tokens"],
        used["total_tokens"] - used["prompt_tokens"],
        exact=True,
        cached_input_tokens=given.get("cached_tokens"),
        cache_write_tokens=given.get("cache_write_tokens"),
        reasoning_tokens=taken.get("reasoning_tokens"),
    )


def _responses(used: dict[str, Any]) -> Usage:
    cached, reasoned = used["input_tokens_details"]["cached_tokens"], used["output_tokens_details"]["reasoning_tokens"]
    return Usage(used["input_tokens"], used["output_tokens"], True, cached, reasoning_tokens=reasoned)


def _anthropic(used: dict[str, Any]) -> Usage:
    cached, written = used["cache_read_input_tokens"], used["cache_creation_input_tokens"]
    return Usage(used["input_tokens"] + cached + written, used["output_tokens"], True, cached, written)


def _gemini(used: dict[str, Any]) -> Usage:
    given, thought = used["prompt_token_count"], used.get("thoughts_token_count")
    return Usage(given, used["total_token_count"] - given, True, reasoning_tokens=thought)


_USAGE: dict[str, Callable[[dict[str, Any]], Usage]] = {
    "chat": _chat,
    "responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "converse": lambda used: Usage(used["inputTokens"], used["outputTokens"], exact=True),
    "ollama": lambda used: Usage(used["prompt_eval_count"], used["eval_count"], exact=True),
}
