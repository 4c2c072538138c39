"""What an answer says, in the terms of the daemon's protocol, as each official SDK reads it and as the daemon tells it.

Each function asks one question of a server and waits for the end of the answer. Must never know what is expected.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anthropic
import openai

from tests.daemon.client import Editor
from tests.oracles.asked import NO_KEY

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from google import genai
    from google.genai import types


@dataclass(frozen=True)
class Question:
    """What is asked, of a model that is to answer without dice and within so many tokens."""

    words: str
    limit: int = 200


@dataclass
class Told:
    """An answer. `ids` are those of its calls, where the provider gives them any."""

    text: str = ""
    thought: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    stop: str = ""
    usage: tuple[int, int] | None = None

    def call(self, id: str | None, name: str | None, arguments: Any) -> None:
        """One more call."""
        self.calls.append((name or "", arguments))
        self.ids += [id] if id else []


STOPS = {
    "stop": "end",
    "completed": "end",
    "incomplete": "length",
    "failed": "interrupted",
    "content_filter": "contentFilter",
    "tool_calls": "toolCalls",
    "length": "length",
    "max_output_tokens": "length",
    "end_turn": "end",
    "tool_use": "toolCalls",
    "max_tokens": "length",
    "STOP": "end",
    "MAX_TOKENS": "length",
    "SAFETY": "contentFilter",
    "FUNCTION_CALL": "toolCalls",
}
"""Reasons to stop, of all of them, in our words. (Gemini says `STOP` for a call, too.)"""


def by_chat_completions(base_url: str, model: str, question: Question) -> Told:
    """OpenAI's SDK, `/chat/completions`."""
    told, calls = Told(), dict[int, list[str]]()
    with openai.OpenAI(api_key=NO_KEY, base_url=base_url, max_retries=0) as client:
        chunks: Any = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": question.words}],
            stream=True,
            stream_options={"include_usage": True},
            max_tokens=question.limit,
            temperature=0,
        )
        for chunk in chunks:
            if chunk.usage:
                told.usage = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
            for choice in chunk.choices:
                told.text += choice.delta.content or ""
                told.thought += getattr(choice.delta, "reasoning_content", None) or ""
                told.stop = STOPS.get(choice.finish_reason, told.stop)
                for piece in choice.delta.tool_calls or ():
                    call = calls.setdefault(piece.index, [piece.id, piece.function.name, ""])
                    call[2] += piece.function.arguments or ""
    for id, name, arguments in calls.values():
        told.call(id, name, json.loads(arguments))
    return told


def by_responses(base_url: str, model: str, question: Question) -> Told:
    """OpenAI's SDK, `/responses`."""
    told = Told()
    with openai.OpenAI(api_key=NO_KEY, base_url=base_url, max_retries=0) as client:
        events: Any = client.responses.create(
            model=model, input=question.words, stream=True, max_output_tokens=question.limit, temperature=0
        )
        (response,) = (e.response for e in events if e.type in {"response.completed", "response.incomplete"})
    told.text = response.output_text
    for item in response.output:
        if item.type == "function_call":
            told.call(item.call_id, item.name, json.loads(item.arguments))
        if item.type == "reasoning":
            told.thought += "".join(part.text for part in (item.summary or item.content))
    why = response.incomplete_details.reason if response.incomplete_details else ""
    told.stop = STOPS["tool_calls" if told.calls and response.status == "completed" else why or response.status]
    told.usage = response.usage.input_tokens, response.usage.output_tokens
    return told


def by_messages(base_url: str, model: str, question: Question) -> Told:
    """Anthropic's SDK, `/v1/messages`."""
    told = Told()
    with (
        anthropic.Anthropic(api_key=NO_KEY, base_url=base_url.removesuffix("/v1"), max_retries=0) as client,
        client.messages.stream(
            model=model,
            messages=[{"role": "user", "content": question.words}],
            max_tokens=question.limit,
            extra_body={"temperature": 0},
        ) as stream,
    ):
        message = stream.get_final_message()
    for block in message.content:
        match block.type:
            case "text":
                told.text += block.text
            case "thinking":
                told.thought += block.thinking
            case "tool_use":
                told.call(block.id, block.name, block.input)
    told.stop = STOPS[message.stop_reason or ""]
    used = message.usage
    cached = (used.cache_read_input_tokens or 0) + (used.cache_creation_input_tokens or 0)
    told.usage = used.input_tokens + cached, used.output_tokens
    return told


def by_gemini(base_url: str, model: str, question: Question) -> Told:
    """Google's SDK, `streamGenerateContent`."""
    told = Told()
    start, _, version = base_url.rpartition("/")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = genai.Client(api_key=NO_KEY, http_options=types.HttpOptions(base_url=start, api_version=version))
        config = types.GenerateContentConfig(max_output_tokens=question.limit, temperature=0)
        stream = client.models.generate_content_stream(model=model, contents=question.words, config=config)
        chunks = list(stream)
    for candidate in (candidate for chunk in chunks for candidate in chunk.candidates or ()):
        for part in (candidate.content and candidate.content.parts) or ():
            if part.function_call:
                told.call(part.function_call.id, part.function_call.name, part.function_call.args)
            elif part.thought:
                told.thought += part.text or ""
            else:
                told.text += part.text or ""
        told.stop = STOPS[candidate.finish_reason.value] if candidate.finish_reason else told.stop
    if told.calls and told.stop == "end":
        told.stop = "toolCalls"
    used = chunks[-1].usage_metadata
    assert used
    output = (used.candidates_token_count or 0) + (used.thoughts_token_count or 0)
    told.usage = used.prompt_token_count or 0, output
    return told


SDKS: dict[str, Callable[[str, str, Question], Told]] = {
    "openai-chat": by_chat_completions,
    "openai-responses": by_responses,
    "anthropic-messages": by_messages,
    "gemini-generate": by_gemini,
}
"""By dialect, how its official SDK reads an answer: where the API starts, the model, the question."""


async def by_daemon(editor: Editor, model: str, question: Question) -> Told:
    """The daemon, as an editor hears it: what its events say is what its result says."""
    told = Told()
    options = {"maxOutputTokens": question.limit, "temperature": 0}
    chat = editor.chat(model, question.words, options=options)
    result = await chat.answer()
    for part in result["message"]["content"]:
        match part["type"]:
            case "text":
                told.text += part["text"]
            case "reasoning":
                told.thought += part["text"]
            case "toolCall":
                told.call(part["id"], part["name"], part["arguments"])
    assert (chat.text, "".join(event["text"] for event in chat.all("reasoning"))) == (told.text, told.thought)
    told.stop = result["stopReason"]
    assert result["usage"]["exact"]
    told.usage = result["usage"]["inputTokens"], result["usage"]["outputTokens"]
    return told
