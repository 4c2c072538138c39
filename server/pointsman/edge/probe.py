"""Asks whether anything listens at a URL, without saying a word to it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit


async def listens(url: str, within: float) -> bool:
    """Whether a connection to the URL's host and port succeeds in so many seconds."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        async with asyncio.timeout(within):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, ValueError):  # ValueError: a name that can't be one of a host
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
