"""Background tasks that are neither lost nor forgotten. The only place that starts a bare task."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from pointsman.core.errors import PointsmanError

log = logging.getLogger(__name__)


class Tasks:
    """Keeps running tasks alive and reports what they raise; `close` cancels them and waits."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Runs a coroutine in the background."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def wait(self, timeout: float) -> None:
        """Lets the running tasks finish, for `timeout` seconds at most."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout)

    def cancel(self) -> None:
        """Cancels all."""
        for task in self._running:
            task.cancel()

    async def close(self) -> None:
        """Cancels all and waits until they have ended."""
        self.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, PointsmanError):  # ours are told to whoever asked
            log.error("task %s failed", task.get_name(), exc_info=error)
