"""The log: JSON lines in private files that are rotated, and nothing in them that looks like a key."""

from __future__ import annotations

import json
import logging
import reprlib
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pointsman.core.secret import Secret, hide_key_like
from pointsman.edge import log
from pointsman.edge.log import start_log


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Logging is the process's own: it is left as it was found."""
    root, raises = logging.getLogger(), logging.raiseExceptions
    handlers, level = root.handlers, root.level
    yield
    root.handlers, logging.raiseExceptions = handlers, raises
    root.setLevel(level)
    for name in ("pointsman", "botocore"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def logged(path: Path, act: Callable[[logging.Logger], object], level: str = "INFO") -> list[dict[str, Any]]:
    """What stands in the log after something was done."""
    listener = start_log(str(path), level)
    try:
        act(logging.getLogger("pointsman.test"))
    finally:
        listener.stop()
        for handler in listener.handlers:
            handler.close()
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_record_is_one_line_of_json(tmp_path: Path) -> None:
    def act(logger: logging.Logger) -> None:
        logger.info("é %s\nnext line", 3, extra={"chatId": "c1", "client": "Neovim", "unknown": "u", "provider": None})

    (line,) = logged(tmp_path / "log", act)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "logger": "pointsman.test",
        "message": "é 3\nnext line",
        "client": "Neovim",
        "chatId": "c1",
    }


def test_a_traceback_goes_with_its_record(tmp_path: Path) -> None:
    def act(logger: logging.Logger) -> None:
        try:
            raise ValueError("with sk-abcdefghijkl in it")
        except ValueError:
            logger.exception("it broke")

    (line,) = logged(tmp_path / "log", act)
    assert line["traceback"].endswith("ValueError: with sk-a… in it")


def test_the_level(tmp_path: Path) -> None:
    def act(logger: logging.Logger) -> None:
        logger.debug("d")
        logger.warning("w")
        logging.getLogger("asyncio").info("noise")
        logging.getLogger("httpx2").warning("no noise")

    assert [line["message"] for line in logged(tmp_path / "info", act)] == ["w", "no noise"]
    assert [line["message"] for line in logged(tmp_path / "debug", act, "debug")] == ["d", "w", "no noise"]
    assert [line["message"] for line in logged(tmp_path / "odd", act, "odd")] == ["w", "no noise"]


def test_a_record_that_is_no_good_costs_only_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def act(logger: logging.Logger) -> None:
        logger.info("%d", "no number")
        logger.info("half a letter: \ud800")
        logger.info("fine", extra={"model": object()})

    messages = [line["message"] for line in logged(tmp_path / "log", act)]
    assert messages[-1] == "fine"
    assert capsys.readouterr().err == ""


SHOWN = "abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    "key",
    [
        f"sk-{SHOWN}",
        f"sk-proj-{SHOWN}",
        f"sk-or-v1-{SHOWN}",
        f"sk-ant-api03-{SHOWN}_-AA",
        f"SK-{SHOWN}",
        f"pk-{SHOWN}",
        f"gsk_{SHOWN}",
        f"xai-{SHOWN}",
        f"AIza{SHOWN}",
        f"Bearer {SHOWN}",
        f"bearer\t{SHOWN}",
    ],
)
@pytest.mark.parametrize("around", ["{}", "key={},", '"{}"', "line\n{}\nline", "({})", "\t{}", "é {}"])
def test_what_looks_like_a_key_is_masked(key: str, around: str, tmp_path: Path) -> None:
    assert SHOWN not in hide_key_like(around.format(key))
    (line,) = logged(tmp_path / "log", lambda logger: logger.info("%s", around.format(key), extra={"model": key}))
    assert SHOWN not in str(line)
    assert key[:4] in line["message"]


@pytest.mark.parametrize("text", ["a sky-blue desk-lamp", "task-management-of-long-names", "sk-short", "the bearer"])
def test_what_does_not_look_like_a_key_stays(text: str) -> None:
    assert hide_key_like(text) == text


def test_files_are_private_and_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "LARGEST", 1000)

    def act(logger: logging.Logger) -> None:
        for number in range(200):
            logger.info("%s", number)

    logged(tmp_path / "log", act)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["log", *(f"log.{n}" for n in range(1, log.KEPT + 1))]
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.stat().st_size <= 1000
    last = json.loads(files[0].read_text().splitlines()[-1])
    assert last["message"] == "199"


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    logged(tmp_path / "log", lambda logger: logger.info("one"))
    assert [line["message"] for line in logged(tmp_path / "log", lambda logger: logger.info("two"))] == ["one", "two"]


def test_a_log_that_can_not_be_written_disturbs_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listener = start_log(str(tmp_path / "no" / "folder" / "log"))
    logging.getLogger("pointsman.test").error("lost")
    listener.stop()
    assert capsys.readouterr().err == ""


def test_botocore_says_nothing(tmp_path: Path) -> None:
    """Its warnings come with a traceback that quotes what a credential_process said."""

    def act(logger: logging.Logger) -> None:
        logging.getLogger("botocore.credentials").warning("canary")
        logger.warning("ours")

    assert [line["message"] for line in logged(tmp_path / "log", act)] == ["ours"]


# Secrets that are known, whatever they look like

PLAIN = "an odd key, that looks like none"


@pytest.mark.parametrize(
    "say",
    [
        lambda logger: logger.info("%s", PLAIN),
        lambda logger: logger.info(f"<{PLAIN}>"),
        lambda logger: logger.info("%r", {"key": [PLAIN]}),
        lambda logger: logger.info("%s", PLAIN.encode()),
        lambda logger: logger.info("x", extra={"model": PLAIN}),
        lambda logger: logger.info("x", extra={"model": {"of": PLAIN}}),
        lambda logger: logger.info("x", extra={"provider": ValueError(PLAIN)}),
        lambda logger: logger.error("x", exc_info=ValueError(PLAIN)),
    ],
)
def test_a_secret_that_is_known_is_masked(tmp_path: Path, say: Callable[[logging.Logger], object]) -> None:
    secret = Secret(PLAIN)
    (line,) = logged(tmp_path / "log", say)
    assert PLAIN not in json.dumps(line, ensure_ascii=False)
    assert secret.mask() in json.dumps(line, ensure_ascii=False)


def test_a_chain_of_errors_is_masked(tmp_path: Path) -> None:
    secret = Secret(PLAIN)

    def act(logger: logging.Logger) -> None:
        try:
            try:
                raise ValueError(secret.reveal())
            except ValueError as error:
                raise RuntimeError(f"because of {secret.reveal()}") from error
        except RuntimeError:
            logger.exception("it broke")

    (line,) = logged(tmp_path / "log", act)
    assert "because of" in line["traceback"]
    assert PLAIN not in line["traceback"]


def test_a_secret_that_is_gone_when_the_line_is_written_is_masked_all_the_same(tmp_path: Path) -> None:
    def act(logger: logging.Logger) -> None:
        secret = Secret(PLAIN)
        logger.info("%s", secret.reveal())
        del secret

    assert PLAIN not in str(logged(tmp_path / "log", act))


def test_what_others_wrote_says_only_what_is_wrong(tmp_path: Path) -> None:
    def act(logger: logging.Logger) -> None:
        for name in ("some.library", "asyncio", "leaky"):
            logging.getLogger(name).debug("d")
            logging.getLogger(name).info("i")
            logging.getLogger(name).warning("w of %s", name)
        logger.debug("ours")

    lines = logged(tmp_path / "log", act, "DEBUG")
    assert [line["message"] for line in lines] == ["w of some.library", "w of asyncio", "w of leaky", "ours"]


LAST_WORDS = """
import sys, threading, logging
from pointsman.core.secret import Secret
from pointsman.edge.log import guard_last_words, start_log
listener = start_log(sys.argv[1])
guard_last_words()
secret = Secret("an odd key, that looks like none")
def fall(): raise ValueError(secret.reveal())
class Unraisable:
    def __del__(self): fall()
thread = threading.Thread(target=fall)
thread.start()
thread.join()
Unraisable()
print("printed", [secret.reveal()])
print(secret.reveal(), file=sys.stderr, end=".\\n")
sys.stdout.flush()
try:
    %s
finally:
    listener.stop()
"""


@pytest.mark.parametrize(("end", "status"), [("fall()", 1), ("sys.exit(3)", 3)])
def test_last_words_leave_masked(tmp_path: Path, end: str, status: int) -> None:
    command = [sys.executable, "-c", LAST_WORDS % end, str(tmp_path / "log")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    log = (tmp_path / "log").read_text()
    assert done.returncode == status
    assert PLAIN not in done.stdout + done.stderr + log
    assert "printed ['an odd k…']" in done.stdout
    assert "an odd k…." in done.stderr
    assert log.count("ValueError: an odd k…") == 2, "of the thread, and of what could not be raised"
    assert ("its log says why" in done.stderr) is (end == "fall()")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("wrap", [str, str.encode])
def test_both_ends_of_a_secret_that_was_cut_in_the_middle_are_masked(
    tmp_path: Path, wrap: Callable[[str], object]
) -> None:
    """So asyncio shows what it was given."""
    secret = Secret("begin-of-a-long-key-in-two-halves-and-end")
    (line,) = logged(tmp_path / "log", lambda logger: logger.error("in f(%s)", reprlib.repr(wrap(secret.reveal()))))
    assert line["message"] == "in f('begin-of…')"
