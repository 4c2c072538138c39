"""Starts a program detached from us and waits for its one word on how it went.

Must never know what it starts, nor import anything before it is needed: most clients find a daemon running.
"""

from __future__ import annotations

import os
from select import POLLIN, poll
from subprocess import DEVNULL, Popen, TimeoutExpired
from time import monotonic

from pointsman.endpoint.layout import open_ours
from pointsman.endpoint.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WORD_LIMIT = 65536
"""Bytes of the line that a program says on its pipe."""


def spawn(
    command: Callable[[int], list[str]], environment: dict[str, str], complaints: str, until: float
) -> str | None:
    """Runs `command(fd)`, which detaches itself, and returns the line it writes to `fd`, its pipe.

    The line is empty if the program closed the pipe without a word, and None if it said nothing till the time
    `until` (monotonic). What it prints goes to the file `complaints`. Raises OSError if it can't be run.
    """
    log = open_ours(complaints, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    hear, speak = os.pipe()
    try:
        try:
            child = Popen(
                command(speak),
                env=environment,
                cwd="/",
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(speak,),
                start_new_session=True,  # a Ctrl-C meant for us must not reach it before it has detached
            )
        finally:
            os.close(log)
            os.close(speak)
        word = _hear_line(hear, until)
        _reap(child, word)
        return word
    finally:
        os.close(hear)


def last_line(path: str) -> str:
    """The last line in the file that says anything, or nothing."""
    try:
        with open(path, errors="replace") as file:
            lines = [line.strip() for line in file.read()[-4096:].splitlines() if line.strip()]
    except OSError:
        return ""
    return lines[-1] if lines else ""


def _hear_line(fd: int, until: float) -> str | None:
    heard = b""
    ready = poll()
    ready.register(fd, POLLIN)
    while b"\n" not in heard and len(heard) < WORD_LIMIT:
        if not ready.poll(max(0.0, until - monotonic()) * 1000):
            return None
        chunk = os.read(fd, 4096)
        if not chunk:
            break
        heard += chunk
    return heard.partition(b"\n")[0].decode(errors="replace")


def _reap(child: Popen[bytes], word: str | None) -> None:
    """Waits for the direct child, so that it is no zombie; one that never said its word is ended."""
    if not word:
        child.kill()
    try:
        child.wait(timeout=2)
    except TimeoutExpired:
        return  # it is up but did not detach: then it ends with us, which is its own business
