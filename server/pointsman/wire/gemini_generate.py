"""The `gemini-generate` dialect: Google's `streamGenerateContent`, as the Gemini API and Vertex AI speak it.

Must never know which of them it talks to: what differs is in `Quirks`. What is sent is in `wire.gemini_requests`.
Source: https://ai.google.dev/api/generate-content, and recorded streams.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Raw, Struct

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Conversation,
    ErrorSeen,
    Notice,
    Reading,
    ReasoningDelta,
    Seal,
    StopReason,
    StopSeen,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from pointsman.core.errors import UNREADABLE, BadReply, PointsmanError
from pointsman.core.http import Head, Request
from pointsman.core.models import Model, ModelPage
from pointsman.wire import error_bodies, gemini_requests, loose
from pointsman.wire.event_reader import LONGEST_EVENT, EventReader
from pointsman.wire.gemini_contents import THOUGHT
from pointsman.wire.model_facts import fitting

AFTER_STOP = 1.0
"""Seconds that the end of the body is worth waiting for after a reason to stop; nothing else says that it is over."""
MODELS_AT_ONCE = 1000
LONGEST_ID = 30

STOP_REASONS: dict[str, StopReason] = {"STOP": "end", "MAX_TOKENS": "length", "OTHER": "end"}
REFUSALS = {
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
}
FAILURES = {
    "MALFORMED_FUNCTION_CALL",
    "MALFORMED_RESPONSE",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
}
"""Reasons that mean that the model has failed at the answer."""
LEFT_OUT = ("executable_code", "code_execution_result", "file_data")
"""Parts of an answer that have no place in ours."""

Quirks = gemini_requests.Quirks


def request(provider: Provider, model: str, conversation: Conversation) -> tuple[Request, Sequence[Notice]]:
    """A POST to `:streamGenerateContent` that asks for server-sent events."""
    return gemini_requests.request(provider, model, conversation)


class _Call(Struct):
    name: str = ""
    id: str | None = None
    args: dict[str, Any] | None = None


class _Blob(Struct, rename="camel"):
    mime_type: str = "a file"


class _Part(Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _Call | None = None
    inline_data: _Blob | None = None
    executable_code: Any = None
    code_execution_result: Any = None
    file_data: Any = None


class _Content(Struct):
    parts: list[_Part] | None = None


class _Candidate(Struct, rename="camel"):
    index: int | None = None
    content: _Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None


class _Feedback(Struct, rename="camel"):
    block_reason: str | None = None


class _Chunk(Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: Raw = Raw()
    response_id: str | None = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)


def reader(provider: Provider) -> Reader:
    """A reader for one answer."""
    return Reader(provider)


class Reader(EventReader):
    """Chunks in, readings out, from server-sent events or, where a gateway forgets to ask for those, from one list."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._list: bytearray | None = None
        self._counts: dict[str, Any] = {}
        self._used: UsageReport | None = None
        """Usage so far, as it was told last: it comes with every chunk, and only the last that can be read counts."""
        self._calls = 0

    def feed(self, chunk: bytes) -> list[Reading]:
        """What this chunk completes; of a list, nothing before its end."""
        if self._list is None and not self._bytes:
            chunk = chunk.lstrip(b"\r\n")
            self._list = bytearray() if chunk.startswith(b"[") else None
        if self._list is None:
            return super().feed(chunk)
        if len(self._list) > LONGEST_EVENT:
            return []
        self._list += chunk
        return (
            [ErrorSeen(self.unreadable("sent a list of more than 16 MiB"))] if len(self._list) > LONGEST_EVENT else []
        )

    @property
    def linger(self) -> float | None:
        """Nothing follows the reason to stop but the end of the body."""
        return AFTER_STOP if self.stopped else None

    def close(self) -> list[Reading]:
        """What the end of the body completes."""
        if self._list is None:
            return super().close()
        readings: list[Reading] = []
        try:
            for chunk in msgspec.json.decode(self._list, type=list[_Chunk]):
                self._read_chunk(chunk, readings)
        except UNREADABLE as error:
            self.fail(self.unreadable(f"sent a list that can't be read ({error})"), readings)
        self.ended(readings)
        return readings

    def read(self, event: bytes, readings: list[Reading]) -> None:
        """Adds what one event says."""
        self._read_chunk(_CHUNK.decode(event), readings)

    def ended(self, readings: list[Reading]) -> None:
        """Adds what was used so far, and that the answer broke off, where no reason to stop has come."""
        if not self.stopped:
            self._report(readings)
            self.end(readings)

    def _read_chunk(self, chunk: _Chunk, readings: list[Reading]) -> None:
        if len(chunk.usage_metadata) > loose.NOTHING:
            before = self._used
            self._count(loose.value(chunk.usage_metadata))
            if self.stopped and self._used != before:  # some count only once they are done
                self._report(readings)
        if chunk.error is not None and not self.stopped:
            self._stop(ErrorSeen(error_bodies.in_stream(self.provider, chunk.error)), readings)
        candidate = next((one for one in chunk.candidates or () if not one.index), None)
        if candidate is not None and candidate.content is not None:
            for part in candidate.content.parts or ():
                self._read_part(part, chunk.response_id, readings)
        if self.stopped:
            return
        if chunk.prompt_feedback is not None and (blocked := chunk.prompt_feedback.block_reason):
            text = f"{self.provider.title} refused the prompt: {blocked}."
            self._stop(StopSeen("contentFilter"), readings, Notice("contentFilter", text))
        elif candidate is not None and candidate.finish_reason:
            self._finish(candidate.finish_reason, candidate.finish_message, readings)

    def _read_part(self, part: _Part, response: str | None, readings: list[Reading]) -> None:
        """One part. A signature on text comes before it, as it seals the thoughts that led there."""
        call = part.function_call
        if part.thought and part.text:
            readings.append(ReasoningDelta(part.text))
        if part.thought_signature and call is None:
            readings.append(Seal(part.thought_signature, THOUGHT if part.thought else None))
        if part.text and not part.thought:
            readings.append(TextDelta(part.text))
        if part.inline_data is not None:
            text = f"The model answered with {part.inline_data.mime_type}, which can't be shown; it was left out."
            readings.append(Notice("answer", text))
        for name in LEFT_OUT:
            if getattr(part, name) is not None:
                self.leave_out(name.replace("_", " "), readings)
        if call is None:
            return
        # Ids are not always given: this one is the same each time, and another one in each answer.
        own = f"call_{response}_{self._calls}" if response and len(response) <= LONGEST_ID else f"call_{self._calls}"
        arguments = msgspec.json.encode(call.args or {}).decode()
        readings.append(ToolCallDelta(self._calls, arguments, call.id or own, call.name))
        if part.thought_signature:
            readings.append(Seal(part.thought_signature, index=self._calls))
        self._calls += 1

    def _finish(self, reason: str, message: str | None, readings: list[Reading]) -> None:
        if reason in FAILURES:
            text = f"failed at the answer: {reason}" + (f" ({message[:200]})" if message else "")
            error = BadReply(
                f"{self.provider.title} {text}.",
                "Ask again; if it comes back, look at the tools' schemas or switch to another model.",
                provider=self.provider.id,
            )
            self._stop(ErrorSeen(error), readings)
        elif reason in REFUSALS:
            text = f"{self.provider.title} stopped the answer: {reason}."
            self._stop(StopSeen("contentFilter"), readings, Notice("contentFilter", text))
        else:
            stop = STOP_REASONS.get(reason, "end")
            self._stop(StopSeen("toolCalls" if stop == "end" and self._calls else stop), readings)

    def _stop(self, stop: StopSeen | ErrorSeen, readings: list[Reading], notice: Notice | None = None) -> None:
        self.stopped = True
        readings += [notice] if notice else []
        self._report(readings)
        readings.append(stop)

    def _count(self, said: Any) -> None:
        """Counts so far: none gets less, so that one which is left out is what it was before."""
        if not isinstance(said, dict):
            return
        counts = self._counts | {name: value for name, value in said.items() if value is not None}
        if report := _usage(counts):
            self._counts, self._used = counts, report

    def _report(self, readings: list[Reading]) -> None:
        if self._used is not None:
            readings.append(self._used)


def _usage(said: Any) -> UsageReport | None:
    """Usage so far in our terms: thoughts are counted beside the answer there, and a count of 0 is left out."""
    asked = loose.total(said, "promptTokenCount", "toolUsePromptTokenCount")
    output = loose.total(said, "candidatesTokenCount", "thoughtsTokenCount")
    if asked is None or output is None or loose.count(said, "promptTokenCount") is None:
        return None
    return UsageReport(
        Usage(
            input_tokens=asked,
            output_tokens=output,
            exact=True,
            cached_input_tokens=loose.count(said, "cachedContentTokenCount"),
            reasoning_tokens=loose.count(said, "thoughtsTokenCount"),
        )
    )


def error(provider: Provider, head: Head, body: bytes) -> PointsmanError:
    """What a response whose status is not 2xx means."""
    return error_bodies.from_response(provider, head, body)


class _ListedModel(Struct, rename="camel"):
    name: str
    display_name: str | None = None
    input_token_limit: int | None = None
    output_token_limit: int | None = None
    supported_generation_methods: list[str] = []
    thinking: bool | None = None


class _ModelList(Struct, rename="camel"):
    models: list[Any] = []
    next_page_token: str | None = None


def models_request(provider: Provider, page: str | None = None) -> Request | None:
    """A GET of `/models`."""
    if provider.model_list == "none":
        return None
    query = {"pageSize": MODELS_AT_ONCE} | ({"pageToken": page} if page else {})
    address = provider.url("models")
    address += f"{'&' if '?' in address else '?'}{urlencode(query)}"
    return Request("GET", address, {"accept": "application/json", **provider.headers})


def models(provider: Provider, body: bytes) -> ModelPage:
    """The models that answer a prompt. Raises BadReply when the body is no such list."""
    try:
        page = msgspec.json.decode(body, type=_ModelList)
        listed = fitting(page.models, _ListedModel)
    except UNREADABLE as error:
        text = f"{provider.title} gave a list of models that can't be read ({error})."
        raise BadReply(text, provider=provider.id) from None
    listing = [
        Model(
            model=f"{provider.id}:{id}",
            provider=provider.id,
            id=id,
            name=model.display_name or id,
            capabilities=("reasoning",) if model.thinking else (),
            source="live",
            context_window=model.input_token_limit,
            max_output_tokens=model.output_token_limit,
        )
        for model in listed
        if "generateContent" in model.supported_generation_methods
        for id in [model.name.removeprefix("models/")]
    ]
    return ModelPage(listing, page.next_page_token or None)
