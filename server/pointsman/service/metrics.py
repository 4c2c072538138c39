"""Metrics for Prometheus, where somebody wants them: on a page of this machine, in a file, or both.

Must never fail a chat nor delay one: a chat is counted once, at its end. What goes wrong is kept to be told.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from pointsman.core.catalogue import MetricsSettings
from pointsman.core.errors import PointsmanError, StorageError
from pointsman.core.ledger import Entry
from pointsman.core.metrics import measured
from pointsman.core.receipt import ChatResult
from pointsman.edge.metrics import CONTENT_TYPE, Collected, Look, write
from pointsman.edge.page import Page
from pointsman.service.tasks import Tasks

log = logging.getLogger(__name__)

PATH = "/metrics"
WRITE_EVERY = 15.0
"""Seconds between two states of the file: how often Prometheus usually looks."""
ASK_EVERY = 5.0
"""Seconds between two tries to have a port that another program holds."""
NOWHERE = MetricsSettings()


class MetricsInfo(Struct, rename="camel", omit_defaults=True):
    """Where metrics can be read: a page of this machine, a file, or what keeps them from being there."""

    page: str | None = None
    textfile: str | None = None
    problem: str | None = None


class Metrics:
    """All that is measured, from the moment on that somebody wants it."""

    def __init__(self, gauges: Look) -> None:
        self._gauges = gauges
        self._collected: Collected | None = None
        self._page: Page | None = None
        self._writing: asyncio.Task[None] | None = None
        self._settings = NOWHERE
        self._problems: dict[str, str] = {}
        self._one_at_a_time = asyncio.Lock()
        self._tasks = Tasks()

    @property
    def info(self) -> MetricsInfo | None:
        """Where they are; None where nobody wants them."""
        if self._settings == NOWHERE:
            return None
        page = self._page.url if self._page else None
        problem = " ".join(self._problems.values()) or None
        return MetricsInfo(page, self._settings.textfile if self._writing else None, problem)

    async def apply(self, settings: MetricsSettings) -> str | None:
        """Opens and closes what the settings say; gives what went wrong, in words."""
        async with self._one_at_a_time:
            if settings == self._settings and not self._problems:
                return None
            await self._stop()
            self._settings = settings
            if settings == NOWHERE:
                return None
            try:
                if self._collected is None:
                    self._collected = await asyncio.to_thread(Collected, self._gauges)
                if settings.port is not None:
                    await self._open(settings.port, self._collected)
            except PointsmanError as error:
                self._tell("page", error)
                if settings.port is not None and self._collected is not None:
                    self._tasks.spawn(self._open_later(settings.port, self._collected), "page of metrics")
            if settings.textfile is not None and self._collected is not None:
                self._writing = self._tasks.spawn(self._write(_file(settings.textfile), self._collected), "metrics")
            return " ".join(self._problems.values()) or None

    def note(self, result: ChatResult, outcome: str, entry: Entry | None) -> None:
        """A chat has ended, with that entry in the ledger, if it has reached anybody. Never waits, never raises."""
        if self._collected is None:
            return
        try:
            self._collected.note(measured(result, outcome, entry))
        except Exception:  # a number that is missing is no reason for anything
            log.exception("a chat could not be measured")

    async def close(self) -> None:
        """Closes the page; the file stays as it was last written."""
        async with self._one_at_a_time:
            await self._stop()

    async def _stop(self) -> None:
        self._problems.clear()
        if self._page is not None:
            await self._page.close()
            self._page = None
        self._writing = None
        await self._tasks.close()

    async def _open(self, port: int, collected: Collected) -> None:
        """Raises StorageError."""
        page = Page(PATH, CONTENT_TYPE, collected.text)
        await page.open(port)
        self._page = page
        self._problems.pop("page", None)
        log.info("metrics stand at %s", page.url)

    async def _open_later(self, port: int, collected: Collected) -> None:
        """Tries again until the port can be had. It is ended only while it waits, so that nothing is left half open."""
        while self._page is None:
            await asyncio.sleep(ASK_EVERY)
            async with self._one_at_a_time:
                with suppress(StorageError):
                    await self._open(port, collected)

    async def _write(self, file: Path, collected: Collected) -> None:
        while True:
            try:
                await asyncio.to_thread(write, file, collected.text())
                self._problems.pop("file", None)
            except PointsmanError as error:
                self._tell("file", error)
            await asyncio.sleep(WRITE_EVERY)

    def _tell(self, about: str, error: PointsmanError) -> None:
        words = f"{error.message} {error.advice}"
        if self._problems.get(about) != words:
            log.warning("metrics: %s", words)
        self._problems[about] = words


def _file(named: str) -> Path:
    """The file that the configuration names; `~` is the home that the daemon was started with."""
    return Path(named).expanduser()
