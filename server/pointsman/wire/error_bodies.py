"""What an error in JSON means, in a response or in a stream.

It is read by its shape: whatever lies around a message, at any depth, may say a code and a time. Must never know a
provider by name. What the words mean is in `wire.error_words`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pointsman.core.catalogue import Provider
from pointsman.core.errors import (
    UNREADABLE,
    BadReply,
    BadRequest,
    ContextTooLong,
    InvalidKey,
    ModelNotFound,
    NotAllowed,
    Overloaded,
    PointsmanError,
    ProviderError,
    QuotaExhausted,
    RateLimited,
)
from pointsman.core.http import Head, again, shown
from pointsman.core.resets import Reset, date, end_in_words, in_words, reset, used_up
from pointsman.core.secret import hide
from pointsman.wire.error_words import NOWHERE, TOO_LARGE, by_phrase, by_the_day, by_word

BY_STATUS: dict[int, type[ProviderError]] = {
    401: InvalidKey,
    402: QuotaExhausted,
    403: InvalidKey,
    404: ModelNotFound,
    408: Overloaded,
    409: Overloaded,
    413: ContextTooLong,
    424: Overloaded,
    429: RateLimited,
    498: InvalidKey,
}
HEARD = {(QuotaExhausted, InvalidKey), (QuotaExhausted, RateLimited), (NotAllowed, InvalidKey)}
"""Phrases that say more than a word does: what is left to spend, and that it is not the key."""
LONGEST_QUOTE = 500
CUT = re.compile(rb'"(?:message|msg|detail)"\s*:\s*"((?:[^"\\]|\\.)+)')
"""The sentence for people in JSON that is cut short, or is none."""
LONGEST_BODY = 2**16
DEEPEST = 6
"""Objects within objects that are looked into."""
INNER = ("innererror", "raw", "error", "message", "details", "detail", "metadata", "violations", "headers")
"""Fields that may hold more about an error, the most telling first."""
SAYS_WHAT = ("code", "type", "status", "reason", "error_code", "error_type", "__type")
SAYS_HOW_LONG = ("retryDelay", "retry_after", "retryAfter", "estimated_time")
SAYS_WHEN = ("resets_in_seconds", "resets_at")
"""A wait is asked for; a date is only told."""
LONGEST_LIMIT = 3600.0
"""A limit that is full again only after so many seconds is a quota."""
LONGEST_WAIT = 86400.0
"""So is one for which such a wait is asked for."""
STATUSES = ("status_code", "code", "status")
PER_DAY = ("quotaId", "quota_limit")
"""Where Google names the quota that is used up; one that counts by the day does not come back in a minute."""


def from_response(provider: Provider, head: Head, body: bytes) -> PointsmanError:
    """The error of a response whose status is not 2xx."""
    reply = _decoded(body)
    if isinstance(reply, list) and reply:
        reply = reply[0]
    if 300 <= head.status < 400:
        text = f"{provider.title} answers at another address than {shown(provider.base_url)} (HTTP {head.status})."
        elsewhere = shown(head.headers.get("location", "an address that it did not name"))
        advice = f"Check `base_url`; it points to {elsewhere}."
        return BadReply(text, advice, provider=provider.id, status_code=head.status)
    if head.status == 404 and (not isinstance(reply, dict) or _message(reply).strip(". ").lower() in NOWHERE):
        text = f"{provider.title} has nothing at {shown(provider.base_url)} (HTTP 404)."
        return BadReply(text, provider=provider.id, status_code=404)
    return _classify(provider, head.status, reply if isinstance(reply, dict) else _beginning(body), head)


def in_stream(provider: Provider, detail: Any) -> PointsmanError:
    """The error that a chunk of a stream carries; a numeric `code` in it is an HTTP status."""
    layers = list(_layers(detail))
    said = (_status(layer.get(name)) for layer in reversed(layers) for name in STATUSES)
    return _classify(provider, next(filter(None, said), None), detail, Head(200))


def worded(
    provider: Provider, kind: type[ProviderError], message: str, status: int, wait: float | None
) -> PointsmanError:
    """An error of this kind as people read it, with the page of the provider that helps; `wait` is in seconds."""
    return _worded(provider, kind, message, status, None if wait is None else Reset(wait))


def _classify(provider: Provider, status: int | None, detail: Any, head: Head) -> PointsmanError:
    """`status` is None where an error came without one, in a stream."""
    layers = list(_layers(detail))
    message, words, headers = _message(detail), _words(layers, head), _limits(layers, head)
    now = date(head.headers)
    kind = _kind(status, words, message)
    if status == 402 and again(headers):  # whoever says when does not want money
        kind = RateLimited
    limits = used_up(headers, now) if kind in {QuotaExhausted, RateLimited} else None
    asked = again(headers) or _said(SAYS_HOW_LONG, layers, now) or in_words(message, now)
    ends = _said(SAYS_WHEN, layers, now) or end_in_words(message, now) or limits
    by_day = by_the_day(words, message) and by_phrase(message) is not QuotaExhausted
    if (kind is RateLimited and (by_day or _far(asked, ends))) or (kind is InvalidKey and status == 403 and by_day):
        kind, by_day = QuotaExhausted, True
    error = _worded(provider, kind, message, status or 500, *_when(kind, asked, ends))
    error.of_model = kind is QuotaExhausted and by_day
    if limits is not None:
        error.limit, error.remaining = limits.limit, limits.left
    return error


def _when(kind: type[ProviderError], asked: Reset | None, ends: Reset | None) -> tuple[Reset | None, str | None]:
    """The wait and the time that an error tells, and when what is spent comes back, as far as that is known.

    The date of a quota is no wait: it may be back before.
    """
    if kind is QuotaExhausted:
        comes = ends or Reset()
        wait = asked.seconds if asked else None if comes.at is not None else comes.seconds
        at = comes.at if comes.at is not None or asked is None else asked.at
        return Reset(wait, at), comes.time
    if "retry" in kind.remedies:
        return asked or ends, None
    return (asked, None) if kind is InvalidKey else (None, None)


def _far(asked: Reset | None, ends: Reset | None) -> bool:
    """Whether a limit is one that no chat should wait for."""
    if asked is not None:
        return (asked.seconds or 0.0) > LONGEST_WAIT
    return ends is not None and (ends.seconds or 0.0) > LONGEST_LIMIT


def _kind(status: int | None, words: list[str], message: str) -> type[ProviderError]:
    """Words weigh more than phrases, and these more than the status; but a status of 5xx hears no phrase.

    Only that nothing is left to spend is heard where a limit or a refusal is told as well, and that one request is over
    a limit by itself: waiting does not make it smaller.
    """
    word = by_word(words) or (RateLimited if status == 429 else None)
    if word is RateLimited and TOO_LARGE in message.lower():
        return ContextTooLong
    phrase = by_phrase(message) if status is None or status < 500 else None
    if phrase and (word in {None, BadRequest} or (phrase, word) in HEARD):
        return phrase
    if word is not None and word is not BadRequest:
        return word
    if status is None:
        return word or Overloaded
    return BY_STATUS.get(status) or (Overloaded if status >= 500 else BadRequest)


def _worded(
    provider: Provider,
    kind: type[ProviderError],
    message: str,
    status: int,
    when: Reset | None,
    comes_back: str | None = None,
) -> PointsmanError:
    message = hide(message[:LONGEST_BODY])[:LONGEST_QUOTE]  # before the quote is cut, perhaps in the middle of a key
    advice = None
    if kind is Overloaded and provider.links.status:
        advice = f"Try again in a moment, or look at {provider.links.status}."
    if kind is InvalidKey and provider.links.keys:
        advice = f"Check the key at {provider.links.keys} and where it is configured, or switch to another provider."
    when = when or Reset()
    if kind is RateLimited and when.seconds and when.seconds >= 1:
        advice = f"Ask again in {when.seconds:.0f} s, or switch to another model."
    if comes_back:
        advice = f"It comes back at {comes_back}; until then switch to another provider."
    text = (
        f"{provider.title} says: {message}" if message else f"{provider.title} answered HTTP {status} without a word."
    )
    return kind(text, advice, provider=provider.id, status_code=status, retry_after=when.seconds, resets_at=when.time)


def _beginning(body: bytes) -> str:
    """The words of a body that is no JSON, or too long to be read to its end; a web page has none that help."""
    found = CUT.search(body[:LONGEST_BODY])
    text = (found[1] if found else body[:LONGEST_QUOTE]).decode("utf-8", "ignore").strip()
    return "" if " " not in text or text[0] in '<[{"' else text.replace('\\"', '"')


def _layers(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The objects of an error, the innermost first; JSON in a string is looked into as well."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        value = _decoded(value.encode("utf-8", "replace"))
    if depth >= DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            yield from _layers(each, depth + 1)
    elif isinstance(value, dict):
        for name in INNER:
            if name in value:
                yield from _layers(value[name], depth + 1)
        yield value


def _words(layers: list[Mapping[str, Any]], head: Head) -> list[str]:
    words = [word for layer in layers for name in SAYS_WHAT if isinstance(word := layer.get(name), str)]
    if any("perday" in str(layer.get(name)).lower() for layer in layers for name in PER_DAY):
        words.insert(0, "per_day_quota")
    words += ["flagged_input" for layer in layers if "flagged_input" in layer]
    return [*words, head.headers.get("x-amzn-errortype", "")]


def _said(names: Sequence[str], layers: list[Mapping[str, Any]], now: float | None) -> Reset | None:
    """What the body says of when; one that says it as a time as well as in seconds is asked for both."""
    found = [each for layer in layers for name in names if (each := reset(layer.get(name), now))]
    seconds = next((each.seconds for each in found if each.seconds is not None), None)
    at = next((each.at for each in found if each.at is not None), None)
    return Reset(seconds, at) if found else None


def _limits(layers: list[Mapping[str, Any]], head: Head) -> dict[str, str]:
    """The headers, and those that a body quotes: a gateway passes them on like that."""
    quoted = (layer["headers"] for layer in layers if isinstance(layer.get("headers"), dict))
    limits = {name.lower(): str(value) for headers in quoted for name, value in headers.items()}
    return {**limits, **head.headers}


def _message(detail: Any, depth: int = 0) -> str:
    """The sentence for people, that of the innermost error of all."""
    if isinstance(detail, str):
        inner = _decoded(detail.encode("utf-8", "replace")) if detail[:1] in {"{", "["} else None
        return (_message(inner, depth + 1) if isinstance(inner, dict | list) else "") or detail
    if depth >= DEEPEST:
        return ""
    if isinstance(detail, list):
        return "; ".join(filter(None, (_message(each, depth + 1) for each in detail)))
    if not isinstance(detail, dict):
        return ""
    metadata = detail.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    for value in (raw, detail.get("error"), detail.get("message"), detail.get("detail"), detail.get("msg")):
        if text := _message(value, depth + 1):
            where, written = detail.get("loc"), detail.get("failed_generation")
            text = f"{'.'.join(map(str, where))}: {text}" if isinstance(where, list) else text
            return f"{text} It had written: {written}" if written else text
    return ""


def _status(said: Any) -> int | None:
    """An HTTP status of a refusal, as a number or as its digits."""
    text = str(said) if isinstance(said, int | str) else ""
    return int(text) if len(text) == 3 and text.isdecimal() and "400" <= text <= "599" else None


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except UNREADABLE:
        return None
