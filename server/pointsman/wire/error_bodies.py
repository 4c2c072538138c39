"""What an error in JSON means, in a response or in a stream: `{"error": {message, type, code}}`, or a string for it.

Must never know a provider by name. Source: https://platform.openai.com/docs/guides/error-codes and recorded bodies.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pointsman.core.catalogue import Provider
from pointsman.core.errors import (
    UNREADABLE,
    BadReply,
    BadRequest,
    ContentRefused,
    ContextTooLong,
    InvalidKey,
    ModelNotFound,
    Overloaded,
    PointsmanError,
    ProviderError,
    QuotaExhausted,
    RateLimited,
)
from pointsman.core.http import Head, retry_after

BY_CODE: dict[str, type[ProviderError]] = {
    "model_not_found": ModelNotFound,
    "invalid_model": ModelNotFound,
    "context_length_exceeded": ContextTooLong,
    "exceed_context_size_error": ContextTooLong,
    "insufficient_quota": QuotaExhausted,
    "billing_hard_limit_reached": QuotaExhausted,
    "content_filter": ContentRefused,
    "content_policy_violation": ContentRefused,
    "invalid_api_key": InvalidKey,
    "authentication_error": InvalidKey,
    "rate_limit_exceeded": RateLimited,
    "rate_limit_error": RateLimited,
    "overloaded_error": Overloaded,
    "server_error": Overloaded,
}
BY_STATUS: dict[int, type[ProviderError]] = {
    401: InvalidKey,
    402: QuotaExhausted,
    403: InvalidKey,
    404: ModelNotFound,
    408: Overloaded,
    409: Overloaded,
    429: RateLimited,
}
CONTEXT_PHRASES = ("maximum context length", "context window", "context size", "context length")
LONGEST_QUOTE = 500


def from_response(provider: Provider, head: Head, body: bytes) -> PointsmanError:
    """The error of a response whose status is not 2xx."""
    try:
        reply = msgspec.json.decode(body)
        if isinstance(reply, list) and reply:
            reply = reply[0]
        detail = reply.get("error", reply) if isinstance(reply, dict) else None
    except UNREADABLE:
        detail = None
    if 300 <= head.status < 400:
        text = f"{provider.title} answers at another address than {provider.base_url} (HTTP {head.status})."
        advice = f"Check `base_url`; it points to {head.headers.get('location', 'an address that it did not name')}."
        return BadReply(text, advice, provider=provider.id, status_code=head.status)
    if detail is None and head.status == 404:
        text = f"{provider.title} has nothing at {provider.base_url} (HTTP 404)."
        return BadReply(text, provider=provider.id, status_code=404)
    return _classify(provider, head.status, detail, head)


def in_stream(provider: Provider, detail: Any) -> PointsmanError:
    """The error that a chunk of a stream carries; a numeric `code` in it is an HTTP status."""
    code = detail.get("status_code") or detail.get("code") if isinstance(detail, dict) else None
    return _classify(provider, code if isinstance(code, int) else 500, detail, Head(200))


def _classify(provider: Provider, status: int, detail: Any, head: Head) -> PointsmanError:
    fields = detail if isinstance(detail, dict) else {}
    said = fields.get("message") or fields.get("detail") or (detail if isinstance(detail, str) else "")
    message = str(said)[:LONGEST_QUOTE]
    kinds = [BY_CODE[word] for key in ("code", "type") if (word := str(fields.get(key))) in BY_CODE]
    kind = next(iter(kinds), None) or BY_STATUS.get(status) or (Overloaded if status >= 500 else BadRequest)
    if kind is BadRequest and any(phrase in message.lower() for phrase in CONTEXT_PHRASES):
        kind = ContextTooLong
    advice = None
    if kind is Overloaded and provider.links.status:
        advice = f"Try again in a moment, or look at {provider.links.status}."
    if kind is InvalidKey and provider.links.keys:
        advice = f"Check the key at {provider.links.keys} and where it is configured, or switch to another provider."
    text = (
        f"{provider.title} says: {message}" if message else f"{provider.title} answered HTTP {status} without a word."
    )
    return kind(text, advice, provider=provider.id, status_code=status, retry_after=retry_after(head.headers))
