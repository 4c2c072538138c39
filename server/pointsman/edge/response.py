"""A response that is still arriving."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from pointsman.core.http import Head


@dataclass(frozen=True)
class Response:
    """Status, headers, and the body as the network delivers it."""

    head: Head
    chunks: AsyncIterator[bytes]
