"""The daemon's life: takes the lock, listens, serves until it is told to stop or nobody needs it, and leaves cleanly.

Must never know a method. What is slow to import is imported once the lock is ours: a daemon that lost the race ends
first.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from pointsman.endpoint import (
    NOT_WRITABLE,
    VERSION,
    EndpointError,
    Lock,
    Places,
    check_peer,
    listen,
    places,
    scrub,
)

if TYPE_CHECKING:
    from logging.handlers import QueueListener

    from pointsman.service.app import App

SCRUBBED = "POINTSMAN_SCRUBBED"
TICK = 30.0
"""Seconds between two looks at whether anybody still needs the daemon, at the most."""
END_WITHIN = 2.0
"""Seconds that what still runs has to end, once everything is closed."""
LAST_WORDS = 1.0
"""Seconds that clients have to read the last of what they were told."""


def main(*, detached: bool = False, ready_fd: int | None = None) -> int:
    """Runs the daemon in this process; returns its exit status. `ready_fd` is a pipe to tell how the start went."""
    clean = scrub(os.environ)
    if SCRUBBED not in os.environ and os.environ.keys() != clean.keys():
        clean[SCRUBBED] = "1"  # once: some systems put variables of their own into every process
        os.execve(sys.executable, [sys.executable, "-I", "-m", "pointsman", *sys.argv[1:]], clean)  # noqa: S606
    os.umask(0o077)
    from pointsman.edge.process import detach, harden

    if detached:
        detach()
    exposed = harden()  # before there is anything to be seen
    where, starter = places(os.environ), _Starter(ready_fd)
    try:
        lock = Lock.take(where)
    except EndpointError as error:
        return starter.tell_failure(error.code, error.message, error.advice)
    try:
        return _live(where, lock, starter, exposed)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(where.socket)  # still ours: the lock is
        lock.release()


def _live(where: Places, lock: Lock, starter: _Starter, exposed: str | None) -> int:
    """The daemon from its first log line to its last."""
    from pointsman.core.errors import PointsmanError, StorageError
    from pointsman.edge.log import guard_last_words, start_log

    log = start_log(where.log, os.environ.get("POINTSMAN_LOG_LEVEL", "INFO"))
    guard_last_words()
    if exposed:
        logging.getLogger(__name__).warning("%s", exposed)
    try:
        asyncio.run(_serve_and_end(where, lock, starter, log), debug=os.environ.get("POINTSMAN_DEBUG") == "1")
    except (EndpointError, PointsmanError) as error:
        return starter.tell_failure(error.code, error.message, error.advice)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NOT_WRITABLE:
            text = f"The daemon can't write in {where.data}: {error.strerror}."
            return starter.tell_failure(StorageError.__name__, text, StorageError.default_advice)
        logging.getLogger(__name__).exception("the daemon failed for a reason of our own")
        return starter.tell_failure("InternalError", "The daemon failed.", f"{where.log} says why.")
    finally:
        log.stop()
    return 0


async def _serve_and_end(where: Places, lock: Lock, starter: _Starter, log: QueueListener) -> None:
    """Serves; the process ends soon after, whatever a plugin's task or a foreign thread says to that."""
    await _serve(where, lock, starter)
    end = threading.Timer(END_WITHIN, _end, (log,))
    end.daemon = True
    end.start()


def _end(log: QueueListener) -> None:
    """Ends the process at once. That releases the lock; the socket may be another daemon's by now."""
    with suppress(Exception):  # nothing may keep it
        logging.getLogger(__name__).warning("something does not end by itself: it is left behind")
        log.stop()  # writes what waits; it may have been stopped already
    os._exit(0)


async def _serve(where: Places, lock: Lock, starter: _Starter) -> None:
    from pointsman.edge.process import notify_service_manager, raise_file_limit
    from pointsman.rpc.language import warm_up
    from pointsman.rpc.session import Session
    from pointsman.service.app import build

    raise_file_limit()
    log = logging.getLogger(__name__)
    app = build(where)
    loop = asyncio.get_running_loop()
    loop.slow_callback_duration = 0.01  # seconds; asyncio looks at it, and logs, in its debug mode alone
    warm_up()
    await app.vault.open()
    await app.middlewares.start()
    app.watch()
    server = await loop.create_unix_server(lambda: Session(app, check_peer), sock=listen(where))
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    gc.freeze()  # nearly all that is there now stays to the end, and needn't be looked through again and again
    lock.publish(where.socket)
    log.info("Pointsman %s listens at %s", VERSION, where.socket)
    starter.tell_ready(where)
    notify_service_manager("READY=1")
    await _until_unneeded(app, asked)
    log.info("leaving: %d chats run", len(app.chats.running))
    notify_service_manager("STOPPING=1")
    await app.drain()
    server.close()
    await app.clients.close(LAST_WORDS)
    await app.close()


async def _until_unneeded(app: App, asked: asyncio.Event) -> None:
    """Returns when a signal asks for it, or when nobody has needed it for as long as configured.

    Clients need it, and chats, and temporary sessions, which end with it.
    """
    limit = app.catalogues.base.daemon.idle_exit
    loop = asyncio.get_running_loop()
    quiet_since: float | None = None
    while not asked.is_set():
        if limit == "never" or len(app.clients) or app.chats.running or len(app.trials):
            quiet_since = None
        elif quiet_since is None:
            quiet_since = loop.time()
        elif loop.time() - quiet_since >= limit:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(asked.wait(), TICK if limit == "never" else min(TICK, limit / 10))


class _Starter:
    """Whoever started this daemon: a client that waits at a pipe, or a person at a terminal."""

    def __init__(self, ready_fd: int | None) -> None:
        self._fd = ready_fd

    def tell_ready(self, where: Places) -> None:
        """The daemon can be reached."""
        self._tell("ready", f"Pointsman {VERSION} is ready. Its log is {where.log}; Ctrl-C ends it.")

    def tell_failure(self, code: str, message: str, advice: str) -> int:
        """The daemon could not be started; gives the exit status for that."""
        said = json.dumps({"code": code, "message": message, "advice": advice})
        self._tell(f"error {said}", f"pointsman: {message} {advice}")
        return 1

    def _tell(self, to_client: str, to_person: str) -> None:
        if self._fd is None:
            print(to_person, file=sys.stderr, flush=True)  # noqa: T201
            return
        with suppress(OSError):
            os.write(self._fd, to_client.encode() + b"\n")
            os.close(self._fd)
        self._fd = None
