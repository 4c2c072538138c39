"""A response that is still arriving, and who wants to know when its connection was there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from dataclasses import dataclass

from pointsman.core.http import Head


@dataclass(frozen=True)
class Response:
    """Status, headers, and the body as the network delivers it."""

    head: Head
    chunks: AsyncIterator[bytes]


connections: ContextVar[Callable[[], None] | None] = ContextVar("connections", default=None)
"""Called in a task that has set it, whenever one of its requests has got a connection, new or kept."""
