"""Foreign code that may wait for ever, in a thread that keeps nobody: not the loop, not its pool, not the daemon's end.

Must never know what the work is.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")


class InThread(Generic[T]):
    """Work of which there is at most one at a time: whoever wants it meanwhile gets what comes of the one that runs."""

    def __init__(self) -> None:
        self._running: asyncio.Future[T] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """What the work gives or raises. Who gives up waiting leaves it running, for the next one."""
        if self._running is None or self._running.done():
            self._running = _begun(work)
        return await asyncio.shield(self._running)

    async def came_to_an_end(self) -> bool:
        """Waits for the work that runs; whether it gave something. False at once where none runs."""
        if self._running is None or self._running.done():
            return False
        await asyncio.wait({self._running})
        return not self._running.cancelled() and self._running.exception() is None


def _begun(work: Callable[[], T]) -> asyncio.Future[T]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())  # perhaps nobody waits any more

    def put(result: T) -> None:
        if not future.done():
            future.set_result(result)

    def fail(error: BaseException) -> None:
        if not future.done():
            future.set_exception(error)

    def run() -> None:
        try:
            give = partial(put, work())
        except BaseException as error:  # whoever waits has it
            give = partial(fail, error)
        with suppress(RuntimeError):  # the loop is closed: the daemon has left
            loop.call_soon_threadsafe(give)

    threading.Thread(target=run, name="foreign", daemon=True).start()
    return future
