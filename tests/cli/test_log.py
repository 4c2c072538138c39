"""`pointsman log`: the daemon's log in plain lines, also when the daemon has gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.shell import Shell, ended, first


def line(number: int, **more: object) -> str:
    record = {"time": "2026-01-02T03:04:05.678+00:00", "level": "INFO", "logger": "x", "message": f"line {number}"}
    return json.dumps(record | more)


def write(shell: Shell, *lines: str) -> Path:
    shell.home.may_complain = True  # what stands there is ours
    path = Path(shell.home.places.log)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text("".join(f"{each}\n" for each in lines))
    return path


def stop(begun: subprocess.Popen[bytes]) -> None:
    begun.send_signal(signal.SIGINT)
    done = ended(begun)
    assert (done.returncode, done.stderr) == (130, "\n")


def test_lines_are_plain(shell: Shell) -> None:
    write(shell, line(1, client="helix", connection=3), "not of ours", line(2, level="ERROR", traceback="a\n  b"))
    done = shell.run("log", TZ="UTC")
    assert done.stdout == (
        "2026-01-02 03:04:05  INFO     line 1  (client helix, connection 3)\n"
        "not of ours\n"
        "2026-01-02 03:04:05  ERROR    line 2\n"
        "    a\n"
        "      b\n"
    )
    assert not shell.home.daemons(), "the log needs no daemon"


def test_the_last_lines_are_shown_and_those_of_the_file_before(shell: Shell) -> None:
    path = write(shell, *map(line, range(30)))
    assert len(shell.run("log").stdout.splitlines()) == 20
    assert "line 29" in shell.run("log", "-n", "1").stdout
    assert shell.run("log", "-n", "0").stdout == ""
    path.rename(path.with_name("daemon.log.1"))
    write(shell, line(30))
    shown = shell.run("log", "-n", "2").stdout.splitlines()
    assert [row.split()[-1] for row in shown] == ["29", "30"]


def test_a_program_gets_the_lines_as_they_stand(shell: Shell) -> None:
    write(shell, line(1), line(2))
    assert shell.run("log", "--json").stdout == f"{line(1)}\n{line(2)}\n"


def test_new_lines_are_followed_also_into_a_new_file(shell: Shell) -> None:
    path = write(shell, line(1), line(2))
    begun = shell.begin("log", "--follow", "-n", "1")
    assert b"line 1" not in first(begun.stdout, b"line 2")
    with path.open("a") as file:
        file.write(line(3)[:20])
        file.flush()
        file.write(line(3)[20:] + "\n")
    assert first(begun.stdout, b"line 3").count(b"\n") == 1
    path.rename(path.with_name("daemon.log.1"))
    write(shell, line(4))
    first(begun.stdout, b"line 4")
    stop(begun)


def test_a_log_that_is_not_there_yet_is_waited_for(shell: Shell) -> None:
    begun = shell.begin("log", "-f", "--json")
    write(shell, line(1))
    first(begun.stdout, b"line 1")
    stop(begun)


def test_the_daemons_own_log_reads_well(lasting_shell: Shell) -> None:
    lasting_shell.run("use")
    shown = lasting_shell.run("log").stdout
    assert "connected  (client pointsman, connection" in shown
    assert "{" not in shown


def test_a_log_that_is_elsewhere_or_nowhere_is_told(shell: Shell) -> None:
    done = shell.run("log")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "Any command" not in done.stderr, "there are some that start none"
    assert "`pointsman use` starts one" in done.stderr
    assert shell.run("log", POINTSMAN_ENDPOINT="/x").returncode == 1
    assert shell.run("log", "-n", "many").returncode == 2


@pytest.mark.parametrize("words", [("log",), ("log", "-f")])
def test_a_log_that_is_no_file_is_told(shell: Shell, words: tuple[str, ...]) -> None:
    path = Path(shell.home.places.log)
    path.parent.mkdir(mode=0o700, parents=True)
    for make in (Path.mkdir, os.mkfifo):
        make(path)
        done = shell.run(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert (
            done.stderr == f"pointsman: {path} is not a file. Move it away; then `pointsman restart` makes a new one.\n"
        )
        doctor = shell.run("doctor")
        assert f"BAD  log: {path} is not a file.\n" in doctor.stdout
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_log_that_can_not_be_read_is_told(shell: Shell) -> None:
    path = write(shell, line(1))
    path.chmod(0o200)
    done = shell.run("log")
    path.chmod(0o600)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "chmod u+r" in done.stderr
