"""An HTTP request and the head of its response as plain values. Must never know how they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from pointsman.core.resets import Reset, date, reset


@dataclass(frozen=True)
class Request:
    """One request. `url` is absolute; `headers` carry no credential before `edge.authorise` has seen it.

    `alone` sends it on a connection of its own: one that is kept open may be closed by the other side at that very
    moment, and then nobody knows whether the request was heard.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    alone: bool = field(default=False, repr=False)


@dataclass(frozen=True)
class Head:
    """Status and headers of a response; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


@lru_cache(512)
def origin(url: str) -> str:
    """Scheme, host and port of a URL, spelled out: what a stored credential is bound to (RFC 6454 §4)."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}" + (f":{port}" if port else "")


def spoken(origin: str) -> str:
    """An origin as people write it: without the port that goes without saying."""
    scheme, _, rest = origin.partition("://")
    return f"{scheme}://{rest.removesuffix({'http': ':80', 'https': ':443'}.get(scheme, ' '))}"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a response asks to wait before its request is sent again."""
    asked = again(headers)
    return asked.seconds if asked else None


def again(headers: Mapping[str, str]) -> Reset | None:
    """When a response says that its request may be sent again.

    By `retry-after-ms`, or by `Retry-After` in seconds, as a duration, or as a date against its own `Date`.

    Sources: RFC 9110 §10.2.3; `retry-after-ms` is what OpenAI's SDK honours.
    """
    now = date(headers)
    milliseconds = reset(f"{headers.get('retry-after-ms', '').strip()}ms", now)
    said = headers.get("retry-after", "")
    return milliseconds or reset(said, now) or _longest(said, now)


def _longest(said: str, now: float | None) -> Reset | None:
    """The last of several, where a header was sent more than once."""
    found = [reset(each, now) for each in said.split(",")]
    known = [each for each in found if each is not None and each.seconds is not None]
    return max(known, key=lambda each: each.seconds or 0.0) if len(known) == len(found) else None


@lru_cache(512)
def shown(url: str) -> str:
    """A URL as people may see it: without a name, a password, a query or a fragment, which may hold a key."""
    bare = url.partition("?")[0].partition("#")[0]
    scheme, slashes, rest = bare.partition("//")
    place, slash, path = rest.partition("/")
    return f"{scheme}//{place.rpartition('@')[2]}{slash}{path}" if slashes else bare
