"""`pointsman completion`: what shells complete, from the daemon if it runs, which is never started for that."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.shell import Shell

BASH = 'eval "$(pointsman completion bash)"; COMP_WORDS=({}); COMP_CWORD={}; _pointsman_completion pointsman; {}'
SHOW = 'printf "%s\\n" "${COMPREPLY[@]}"'


def bash(shell: Shell, *words: str) -> list[str]:
    """What bash would offer, for words as it parts them, the last of which is being typed."""
    quoted = " ".join(f"'{word}'" for word in words)
    done = subprocess.run(
        ["/bin/bash", "--norc", "-c", BASH.format(quoted, len(words) - 1, SHOW)],
        env=shell.home.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


def asked(shell: Shell, kind: str, *words: str) -> str:
    """What the program tells the script of a shell."""
    typed, at = " ".join(("pointsman", *words)), words[-1] if kind == "fish" else str(len(words))
    done = shell.run(_POINTSMAN_COMPLETE=f"{kind}_complete", COMP_WORDS=typed, COMP_CWORD=at)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(lasting_shell: Shell, kind: str) -> None:
    done = lasting_shell.run("completion", kind)
    assert done.returncode == 0
    assert f"_POINTSMAN_COMPLETE={kind}_complete" in done.stdout


def test_bash_completes_commands_providers_and_models(lasting_shell: Shell) -> None:
    assert bash(lasting_shell, "pointsman", "provid") == ["providers"]
    assert bash(lasting_shell, "pointsman", "providers", "te") == ["test"]
    assert bash(lasting_shell, "pointsman", "providers", "test", "ech") == ["echo"]
    assert bash(lasting_shell, "pointsman", "use", "echo") == ["echo", "echo:echo", "echo:slow"]
    assert "openai:gpt-4" not in bash(lasting_shell, "pointsman", "use", ""), "what could not be used is not offered"
    assert bash(lasting_shell, "pointsman", "use", "--sc") == ["--scope"]


def test_bash_parts_words_at_colons(lasting_shell: Shell) -> None:
    assert bash(lasting_shell, "pointsman", "use", "echo", ":") == ["echo", "slow"]
    assert bash(lasting_shell, "pointsman", "use", "echo", ":", "sl") == ["slow"]
    assert bash(lasting_shell, "pointsman", "chat", "--model", "echo", ":", "e") == ["echo"]
    assert bash(lasting_shell, "pointsman", "use", "echo:sl") == ["echo:slow"], "where it does not, all is the word"


def test_the_others_complete_too(lasting_shell: Shell) -> None:
    assert asked(lasting_shell, "fish", "use", "echo:s") == "plain,echo:slow\n"
    assert asked(lasting_shell, "zsh", "models", "--provider", "ech") == "plain\necho\nEcho (offline)\n"


def test_aliases_chains_and_chats_are_completed(shell: Shell) -> None:
    shell.configure('aliases.quick = "echo:echo"\nchains.both = ["echo:echo", "echo:slow"]\n')
    shell.run("chat", "-m", "echo:echo", "hello there")
    assert asked(shell, "fish", "use", "q") == "plain,quick\techo:echo\n"
    assert asked(shell, "fish", "chat", "-m", "ch") == "plain,chain:both\techo:echo, echo:slow\n"
    assert asked(shell, "fish", "alias", "qu") == "plain,quick\techo:echo\n"
    (chat,) = shell.json("chats")["chats"]
    assert asked(shell, "fish", "chats", "attach", chat["chatId"][:4]) == f"plain,{chat['chatId']}\thello there\n"


def test_the_daemon_is_never_started_for_it(shell: Shell) -> None:
    assert asked(shell, "fish", "use", "e") == "\n"
    assert asked(shell, "fish", "provi").startswith("plain,providers\tList the providers, and whether")
    assert not shell.home.daemons()


def test_bad_input_gets_one_line(lasting_shell: Shell) -> None:
    for words in ((), ("tcsh",)):
        done = lasting_shell.run("completion", *words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
