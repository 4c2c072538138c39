"""The log: JSON lines, rotated, written by a thread of its own. The one place where log records leave the process.

Must never write a message's body or a key: each secret that is known, and whatever looks like a key, is masked here
once more, whoever logged it. What would be printed as the process breaks goes the same way.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import queue
import reprlib
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

from pointsman.core.secret import Secret, alive, hide_key_like

LARGEST = 5 * 2**20
KEPT = 3
FIELDS = ("client", "connection", "chatId", "provider", "model")
"""What a record may carry besides its text, by `extra`."""
OURS = "pointsman"
"""The logger whose level can be chosen; what others wrote says only what is wrong."""

log = logging.getLogger(__name__)


class JsonLines(logging.Formatter):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Time in UTC, level, logger, text, the known fields, and a traceback where there is one."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        secrets: list[Secret] = getattr(record, "secrets", [])
        masked = {name: _masked(value, secrets) for name, value in line.items()}
        return json.dumps(masked, ensure_ascii=False)


def start_log(path: str, level: str = "INFO") -> logging.handlers.QueueListener:
    """Sends all records to the file at `path`; `stop` on the result writes what waits.

    A full disk loses lines, not chats.
    """
    logging.raiseExceptions = False
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    file = _PrivateFile(path, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8", delay=True)
    file.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [_Queue(waiting)]
    root.setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(logging.getLevelNamesMapping().get(level.upper(), logging.INFO))
    logging.getLogger("botocore").setLevel(logging.CRITICAL)  # its tracebacks quote what a credential_process said
    listener = logging.handlers.QueueListener(waiting, file)
    listener.start()
    return listener


def guard_last_words() -> None:
    """Lets what the process says as it breaks leave as the log does: uncaught errors, and what anybody prints."""
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda it: _log_uncaught(it.exc_type, it.exc_value, it.exc_traceback, str(it.err_msg or ""))
    threading.excepthook = lambda it: _log_uncaught(it.exc_type, it.exc_value, it.exc_traceback, "in a thread")
    sys.stdout, sys.stderr = Masked(sys.stdout), Masked(sys.stderr)


class Masked:
    """A stream of text that masks what passes through it: what is written in one piece, as `print` does."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        """Writes it, with masks."""
        self._out.write(hide_key_like(text))
        return len(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._out, name)


class _Queue(logging.handlers.QueueHandler):
    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Upstream formats here and drops the traceback; the thread is ours and does it later.

        What is a secret now may be nobody's when the thread comes to it.
        """
        record.secrets = alive()
        return record


class _PrivateFile(logging.handlers.RotatingFileHandler):
    def _open(self):  # type: ignore[no-untyped-def]  # the stream's type is the base class's business
        os.close(os.open(self.baseFilename, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        return super()._open()


def _masked(value: object, secrets: list[Secret]) -> object:
    if isinstance(value, int | float):
        return value
    text = str(value)
    for secret in secrets if "..." in text else ():
        for whole in (secret.reveal(), secret.reveal().encode()):
            text = text.replace(reprlib.repr(whole), repr(secret.mask()))  # asyncio shows both ends of what is long
    return hide_key_like(text, secrets)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    _log_uncaught(kind, error, trace, "")
    print("pointsman: the daemon failed; its log says why.", file=sys.stderr)  # noqa: T201


def _log_uncaught(
    kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, about: str
) -> None:
    if kind is None or issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    info = (kind, error if error is not None else kind(), trace)
    log.error("nobody caught an error %s", about, exc_info=info)
