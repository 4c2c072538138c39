"""An HTTP request and the head of its response as plain values. Must never know how they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Request:
    """One request. `url` is absolute; `headers` carry no credential before `edge.authorise` has seen it."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Head:
    """Status and headers of a response; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


def origin(url: str) -> str:
    """Scheme, host and port of a URL, spelled out: what a stored credential is bound to (RFC 6454 §4)."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}" + (f":{port}" if port else "")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a response asks to wait:

    `retry-after-ms`, `Retry-After` in seconds, or as a date against its own `Date`.

    Sources: RFC 9110 §10.2.3; `retry-after-ms` is what OpenAI's SDK honours.
    """
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        if not (value := headers.get("retry-after")):
            return None
        if value.strip().replace(".", "", 1).isdigit():
            return float(value)
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers["date"])
        return max(0.0, wait.total_seconds())
    except (ValueError, KeyError, TypeError):
        return None
