"""Does anything hold the daemon's loop up? Runs it in asyncio's debug mode, uses it, and reads its log.

The daemon logs each callback above 10 ms. Debug mode itself makes everything slower, so none is a strong word.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from tests.bench.links import RpcLink, Window
from tests.bench.relays import Daemon

NOTICED_WITHIN = 5.0
_TOOK = re.compile(r"^Executing (.*) took (\d+\.\d+) seconds$", re.DOTALL)
_COROUTINE = re.compile(r"coro=<([\w.<>]+\(\)).*?(pointsman/[\w/]+\.py:\d+)", re.DOTALL)
_HANDLE = re.compile(r"<\w+ (\S+)")
_START = "_serve_and_end()"


@dataclass(frozen=True)
class Slow:
    """One callback: what it was, its milliseconds, and whether it was before the daemon could be reached."""

    what: str
    milliseconds: float
    starting: bool


async def slow_callbacks(folder: Path, port: int, chats: int) -> list[Slow]:
    """What held the loop up in a daemon that clients used for chats and changes of its configuration."""
    daemon = Daemon(folder, port, debug=True)
    daemon.start()
    try:
        links = [await daemon.link() for _ in range(3)]
        await asyncio.gather(*(_use(link, chats // 3 + (number < chats % 3)) for number, link in enumerate(links)))
        await _edit(daemon, links[0])
        crowd = [await daemon.link() for _ in range(4)]
        for link in crowd:
            link.watch("paced", Window())
        await asyncio.sleep(0.5)
        for link in (*links, *crowd):
            link.close()
        await asyncio.sleep(0.2)
    finally:
        daemon.end()
    return read_log(daemon.log())


def read_log(text: str) -> list[Slow]:
    """The slow callbacks that a log tells of."""
    records = [json.loads(line) for line in text.splitlines()]
    found = [_TOOK.match(record["message"]) for record in records if record["logger"] == "asyncio"]
    named = [(_name(match[1]), float(match[2]) * 1000) for match in found if match]
    return [Slow(name, milliseconds, name.startswith(_START)) for name, milliseconds in named]


def _name(callback: str) -> str:
    """What ran, and where it waits now: the line after the one that took so long."""
    if found := _COROUTINE.search(callback):
        return f"{found[1]}, up to {found[2]}"
    return found[1] if (found := _HANDLE.match(callback)) else callback


async def _use(link: RpcLink, chats: int) -> None:
    await link.listing()
    await link.call("pointsman/currentModel", {})
    await link.call("pointsman/switchModel", {"model": "bench:first", "scope": "window"})
    for number in range(chats):
        await link.answer("first" if number % 3 else "burst:2000:8")
    await link.call("pointsman/listModels", {})
    await link.call("pointsman/listChats", {})
    await link.call("pointsman/status", {})


async def _edit(daemon: Daemon, link: RpcLink) -> None:
    """Edits the configuration behind the daemon's back, waits until it has noticed, and edits through the daemon."""
    before = len((await link.call("pointsman/listProviders", {}))["providers"])
    daemon.configure(f'\n[providers.other]\nbase_url = "http://127.0.0.1:{daemon.port}/v1"\n')
    until = monotonic() + NOTICED_WITHIN
    while len((await link.call("pointsman/listProviders", {}))["providers"]) == before:
        if monotonic() > until:
            raise RuntimeError("The daemon did not notice that its configuration was edited.")
        await asyncio.sleep(0.05)
    await link.call("pointsman/setAlias", {"alias": "quick", "model": "bench:first"})
