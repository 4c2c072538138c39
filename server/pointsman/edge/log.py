"""The log: JSON lines, rotated, written by a thread of its own. The one place where log records leave the process.

Must never write a message's body or a key: what looks like a key is masked here once more, whoever logged it.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import queue
import re
from datetime import UTC, datetime

LARGEST = 5 * 2**20
KEPT = 3
FIELDS = ("client", "connection", "chatId", "provider", "model")
"""What a record may carry besides its text, by `extra`."""
KEY_LIKE = re.compile(r"(?i)\b(?:(?:sk|pk|gsk|xai|key|rk)-|gsk_)[\w-]{8,}|\bAIza[\w-]{20,}|\bbearer\s+\S+")


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
        masked = {name: redact(value) if isinstance(value, str) else value for name, value in line.items()}
        return json.dumps(masked, ensure_ascii=False, default=str)


def redact(text: str) -> str:
    """The text with everything masked that looks like a key."""
    return KEY_LIKE.sub(lambda found: found[0][:4] + "…", text)


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
    root.setLevel(logging.getLevelNamesMapping().get(level.upper(), logging.INFO))
    for noisy in ("asyncio", "watchfiles", "httpx2", "httpcore2", "aiohttp"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("botocore").setLevel(logging.CRITICAL)  # its tracebacks quote what a credential_process said
    listener = logging.handlers.QueueListener(waiting, file)
    listener.start()
    return listener


class _Queue(logging.handlers.QueueHandler):
    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # upstream formats here and drops the traceback; the thread is ours and does it later


class _PrivateFile(logging.handlers.RotatingFileHandler):
    def _open(self):  # type: ignore[no-untyped-def]  # the stream's type is the base class's business
        os.close(os.open(self.baseFilename, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        return super()._open()
