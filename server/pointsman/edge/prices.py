"""Context windows and prices from genai-prices: the only file that knows it.

It is asked in a process of its own (`python -m pointsman.edge.prices`), which ends with the answer: loading it holds
Python's lock for up to a quarter of a second, also in a thread, and would keep 25 MB for good. It looks nothing up on
the network. Must never know a provider but by its address.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from pointsman.core.errors import UNREADABLE
from pointsman.core.models import Facts
from pointsman.core.pricing import Price, PriceTier

log = logging.getLogger(__name__)

SOURCE = "genai-prices"
WITHIN = 20.0
"""Seconds that it has to answer; it takes less than one."""

Wanted = Mapping[str, Sequence[str]]
"""Ids of models by the address of their provider."""
Found = dict[str, dict[str, Facts]]


async def look_up(wanted: Wanted) -> Found | None:
    """What is known of these models; None when it could not be found out."""
    command = [sys.executable, "-I", "-m", "pointsman.edge.prices"]
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, cwd="/")
    except OSError as error:
        log.warning("prices could not be looked up: %s", error)
        return None
    complaints = b""
    try:
        async with asyncio.timeout(WITHIN):
            out, complaints = await process.communicate(msgspec.json.encode(wanted))
        return msgspec.json.decode(out, type=Found)
    except TimeoutError:
        log.warning("prices were not found within %g seconds", WITHIN)
    except UNREADABLE:
        log.warning("prices could not be looked up: %s", complaints.decode(errors="replace")[-2000:])
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return None


def main() -> None:
    """Reads what is wanted from standard input, writes what is known to standard output."""
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=dict[str, list[str]])
    sys.stdout.buffer.write(msgspec.json.encode(known(wanted)))


def known(wanted: Wanted) -> Found:
    """What genai-prices knows of these models now. Slow the first time: it loads two thousand models."""
    from datetime import UTC, datetime  # noqa: PLC0415 - only that process needs it

    import genai_prices  # noqa: PLC0415
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415

    snapshot, now = get_snapshot(), datetime.now(UTC)
    found: Found = {}
    for url, ids in wanted.items():
        for id in ids:
            with suppress(LookupError):
                _, model = snapshot.find_provider_model(id, None, None, url)
                price = _price(model.get_prices(now), genai_prices.__version__)
                found.setdefault(url, {})[id] = Facts(SOURCE, model.context_window, price)
    return found


def _price(prices: Any, edition: str) -> Price | None:
    """A price in our terms; None where input or output has none, as with what is sold by the picture or the hour."""
    named = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "output_reasoning_mtok")
    said = [getattr(prices, name) for name in named]
    into, out, cached, written, thought = (_rate(each, 0) for each in said)
    if into is None or out is None:
        return None
    request = None if prices.requests_kcount is None else float(prices.requests_kcount) / 1000
    starts = sorted({tier.start for each in said for tier in getattr(each, "tiers", ())})
    tiers = []
    for start in starts:
        rates = [_rate(each, start + 1) for each in said]
        tiers.append(PriceTier(start, rates[0] or 0.0, rates[1] or 0.0, *rates[2:]))
    return Price(into, out, SOURCE, cached, written, edition, tuple(tiers), thought, request)


def _rate(said: Any, input_tokens: int) -> float | None:
    """US dollars a million tokens, in a request of so many input tokens."""
    if said is None:
        return None
    base = getattr(said, "base", said)
    for tier in getattr(said, "tiers", ()):
        if input_tokens > tier.start:
            base = tier.price
    return float(base)


if __name__ == "__main__":
    main()
