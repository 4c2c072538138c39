"""`pointsman chat`: the answer and nothing else on standard output, and no token that nobody waits for."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.shell import Shell, ended, first
from tests.counterparts.upstream import Upstream
from tests.living import provider

ECHO = ("chat", "--model", "echo:echo")
SLOW = ("chat", "--model", "echo:slow")
LONG = " ".join(f"word{number}" for number in range(100))
"""It takes half a minute to be said slowly: whoever waits for its end has failed."""
SAYS = "This is Pointsman's offline model. You said: "
PNG = b"\x89PNG\r\n\x1a\n and so on"
WEBP = b"RIFF\x10\0\0\0WEBP and so on"


def last_chat(shell: Shell) -> dict[str, object]:
    found: dict[str, object] = shell.json("chats")["chats"][0]
    return found


def test_a_pipe_gets_the_answer_alone(lasting_shell: Shell) -> None:
    done = lasting_shell.run(*ECHO, "Why", "is the sky blue?")
    assert (done.returncode, done.stdout) == (0, f"{SAYS}Why is the sky blue?\n")
    who, receipt = done.stderr.splitlines()
    assert who == "→ echo:echo"
    assert receipt.startswith("— echo:echo · 5 tokens in, 12 out · first after ")


@pytest.mark.parametrize(
    ("words", "asked"),
    [((), "from the pipe"), (("-",), "from the pipe"), (("Look:", "-", "Well?"), "Look: \n\nfrom the pipe\n\n Well?")],
)
def test_a_question_comes_from_standard_input(lasting_shell: Shell, words: tuple[str, ...], asked: str) -> None:
    assert lasting_shell.run(*ECHO, *words, given="from the pipe").stdout == f"{SAYS}{asked}\n"


def test_a_pipe_that_is_not_asked_for_is_not_read(lasting_shell: Shell) -> None:
    assert lasting_shell.run(*ECHO, "hello", given="something else").stdout == f"{SAYS}hello\n"


def test_standard_input_need_not_be_text(lasting_shell: Shell) -> None:
    assert lasting_shell.run(*ECHO, given=b"caf\xe9 \xe2\x82\xac").stdout == f"{SAYS}caf\N{REPLACEMENT CHARACTER} €\n"


def test_a_person_types_the_question(lasting_shell: Shell) -> None:
    terminal = lasting_shell.terminal(*ECHO)
    terminal.shows("Type your question")
    terminal.types("hello there\n\x04")
    assert terminal.ends() == 0
    assert f"{SAYS}hello there" in terminal.seen


def test_not_streamed_it_comes_at_once(lasting_shell: Shell) -> None:
    done = lasting_shell.run(*ECHO, "--no-stream", "hello")
    assert done.stdout == f"{SAYS}hello\n"
    assert done.stderr.startswith("— echo:echo · ")


def test_a_program_gets_the_daemons_result(lasting_shell: Shell) -> None:
    done = lasting_shell.run(*ECHO, "--json", "hello")
    assert done.stderr == ""
    result = lasting_shell.json(*ECHO, "hello")
    assert result["message"]["content"][0]["text"] == f"{SAYS}hello"
    assert result["stopReason"] == "end"
    assert result["usage"]["exact"] is True


def test_all_that_is_given_reaches_the_provider(shell: Shell, upstream: Upstream) -> None:
    shell.configure(provider("up", upstream.base_url))
    for name, data in (("one.png", PNG), ("two.webp", WEBP)):
        (shell.home.workspace / name).write_bytes(data)
    done = shell.run(
        *("chat", "-m", "up:count:3", "-s", "Be brief.", "--image", "one.png", "--image", "two.webp", "What is this?")
    )
    assert done.stdout == "0 1 2 \n"
    system, user = upstream.request(0).json["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    assert user["content"][0]["text"] == "What is this?"
    pictures = [part["image_url"]["url"] for part in user["content"][1:]]
    assert pictures == [
        f"data:image/png;base64,{base64.b64encode(PNG).decode()}",
        f"data:image/webp;base64,{base64.b64encode(WEBP).decode()}",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "There is nothing to ask."),
        (("  ",), "There is nothing to ask."),
        (("hi", "--image", "missing.png"), "missing.png"),
        (("hi", "--image", "notes.txt"), "is no PNG, JPEG, GIF or WebP"),
        (("hi", "--image", "huge.png"), "is larger than 20 MiB"),
        (("hi", "--modle", "x"), "No such option"),
    ],
)
def test_bad_input_gets_one_line(lasting_shell: Shell, words: tuple[str, ...], said: str) -> None:
    (lasting_shell.home.workspace / "notes.txt").write_text("no picture")
    with (lasting_shell.home.workspace / "huge.png").open("wb") as file:
        file.truncate(21 * 2**20)
    done = lasting_shell.run(*ECHO, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_word_that_is_no_text_gets_one_line(lasting_shell: Shell) -> None:
    done = lasting_shell.run(*ECHO, os.fsdecode(b"caf\xe9"))
    assert done.returncode == 2
    assert "not UTF-8" in done.stderr


def test_a_question_that_is_too_long_is_refused(lasting_shell: Shell) -> None:
    done = lasting_shell.run(*ECHO, given=b"x" * (64 * 2**20 + 1))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "64 MiB is the most" in done.stderr


def test_a_failure_is_one_line_with_what_to_do(shell: Shell, upstream: Upstream) -> None:
    shell.configure(provider("up", upstream.base_url))
    done = shell.run("chat", "-m", "up:status:401", "hi")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("pointsman: ")
    assert "Refused with 401" in done.stderr
    assert "Check the key" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_is_not_there_is_told_with_those_that_are(lasting_shell: Shell) -> None:
    done = lasting_shell.run("chat", "-m", "echo:nothing:", "hi")
    assert done.returncode == 0, "a provider that is named takes any model"
    done = lasting_shell.run("chat", "-m", "ecko", "hi")
    assert done.returncode == 1
    assert "Did you mean echo" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_broken_answer_says_how_to_go_on(shell: Shell, upstream: Upstream) -> None:
    shell.configure(provider("up", upstream.base_url))
    done = shell.run("chat", "-m", "up:cut:3", "hi")
    assert (done.returncode, done.stdout) == (1, "0 1 2 \n")
    assert "broken off" in done.stderr
    assert "Go on with: --model up:cut:3" in done.stderr


def test_a_fallback_is_told(shell: Shell, upstream: Upstream) -> None:
    chain = 'chains.safe = ["up:status:500", "echo:echo"]\n'
    shell.configure(chain + provider("up", upstream.base_url))
    done = shell.run("chat", "-m", "chain:safe", "hi")
    assert (done.returncode, done.stdout) == (0, f"{SAYS}hi\n")
    assert "up:status:500 failed: " in done.stderr
    assert "Trying echo:echo." in done.stderr
    assert "1 failed attempt" in done.stderr


def test_what_a_model_can_not_use_is_told(lasting_shell: Shell) -> None:
    (lasting_shell.home.workspace / "one.png").write_bytes(PNG)
    done = lasting_shell.run(*ECHO, "--image", "one.png", "hi")
    assert done.stdout == f"{SAYS}hi\n"
    assert "The offline model can't use an image" in done.stderr


def test_silence_is_told_in_a_pipe_and_in_a_terminal(shell: Shell, upstream: Upstream) -> None:
    shell.configure(provider("up", upstream.base_url))
    terminal = shell.terminal("chat", "-m", "up:silent:2.4", "hi")
    done = shell.run("chat", "-m", "up:silent:2.4", "hi")
    assert done.stdout == "0 1 2 \n"
    assert "… silent for 2 s\n" in done.stderr
    assert terminal.ends() == 0
    assert "… silent for 2 s" in terminal.seen
    assert f"\r{' ' * len('… silent for 2 s')}\r" in terminal.seen, "it is wiped before the answer"


def test_ctrl_c_cancels_and_prints_the_receipt(shell: Shell) -> None:
    begun = shell.begin(*SLOW, LONG)
    heard = first(begun.stdout, b"is ")
    assert begun.poll() is None, "the answer comes as it is made"
    begun.send_signal(signal.SIGINT)
    done = ended(begun)
    assert done.returncode == 130
    assert (SAYS + LONG).startswith((heard.decode() + done.stdout).rstrip("\n"))
    assert "cancelled" in done.stderr.splitlines()[-1]
    assert " out · " in done.stderr.splitlines()[-1]
    chat = last_chat(shell)
    assert (chat["state"], chat["reason"]) == ("finished", "cancelled")


def test_ctrl_c_in_a_terminal_cancels_too(lasting_shell: Shell) -> None:
    terminal = lasting_shell.terminal(*SLOW, LONG)
    terminal.shows("Pointsman's")
    terminal.types("\x03")
    assert terminal.ends() == 130
    assert "cancelled" in terminal.seen
    assert "word99" not in terminal.seen
    assert last_chat(lasting_shell)["reason"] == "cancelled"


def test_ctrl_c_leaves_a_program_with_the_result(lasting_shell: Shell) -> None:
    begun = lasting_shell.begin(*SLOW, "--json", LONG)
    lasting_shell.eventually(lambda: last_chat(lasting_shell)["state"] == "running")
    begun.send_signal(signal.SIGINT)
    done = ended(begun)
    assert done.returncode == 130
    assert '"stopReason": "cancelled"' in done.stdout


def interrupted(begun: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended, now that Ctrl-C is pressed once more."""
    begun.send_signal(signal.SIGINT)
    try:
        begun.wait(0.2)
    except subprocess.TimeoutExpired:
        return False
    return True


def test_ctrl_c_twice_leaves_whatever_the_daemon_does(shell: Shell) -> None:
    begun = shell.begin(*SLOW, LONG)
    first(begun.stdout, b"is ")
    os.kill(shell.home.pid, signal.SIGSTOP)
    try:
        shell.eventually(lambda: interrupted(begun))
        done = ended(begun)
    finally:
        os.kill(shell.home.pid, signal.SIGCONT)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    shell.eventually(lambda: last_chat(shell)["reason"] == "cancelled")


def test_a_reader_that_leaves_ends_the_chat_quietly(shell: Shell) -> None:
    begun = shell.begin(*SLOW, LONG)
    assert begun.stdout
    first(begun.stdout, b"This ")
    begun.stdout.close()
    begun.stdout = None
    done = ended(begun)
    assert done.stderr == "→ echo:slow\n"
    shell.eventually(lambda: last_chat(shell).get("reason") == "cancelled")


def test_what_a_model_says_does_not_drive_the_terminal(lasting_shell: Shell) -> None:
    nasty = "a\x1b[31mred\x07 \N{RIGHT-TO-LEFT OVERRIDE}b\tü \N{MAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}"
    terminal = lasting_shell.terminal(*ECHO, nasty)
    assert terminal.ends() == 0
    shown = nasty.replace("\x1b", r"\x1b").replace("\x07", r"\x07").replace("\N{RIGHT-TO-LEFT OVERRIDE}", r"\u202e")
    assert SAYS + shown in terminal.seen
    assert lasting_shell.run(*ECHO, nasty).stdout == f"{SAYS}{nasty}\n", "a pipe gets what was said"


def test_no_colour_means_none(lasting_shell: Shell) -> None:
    coloured = lasting_shell.terminal(*ECHO, "hi")
    assert coloured.ends() == 0
    assert "\x1b[2m→ echo:echo" in coloured.seen
    plain = lasting_shell.terminal(*ECHO, "hi", NO_COLOR="1")
    assert plain.ends() == 0
    assert "\x1b" not in plain.seen


def test_a_daemon_that_can_not_be_reached_is_told(lasting_shell: Shell, tmp_path: Path) -> None:
    done = lasting_shell.run(*ECHO, "hi", POINTSMAN_ENDPOINT=str(tmp_path / "nothing"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "POINTSMAN_ENDPOINT" in done.stderr


def test_a_folder_that_is_gone_is_no_reason_not_to_answer(lasting_shell: Shell, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"cd {gone} && rmdir {gone} && pointsman chat -m echo:echo hi"
    done = subprocess.run(
        ["/bin/bash", "-c", command], env=lasting_shell.home.environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"{SAYS}hi\n"), done.stderr
