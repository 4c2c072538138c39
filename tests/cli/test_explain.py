"""`pointsman explain`: who would be asked, who would not, and what would be lost on the way."""

from __future__ import annotations

import json

import pytest

from tests.cli.shell import Shell

CONFIGURED = """\
[chains]
both = ["openai:gpt-4", "echo:echo", "echo:slow"]
"""
REQUEST = json.dumps({"model": "echo:slow", "messages": [{"role": "user", "content": "hi"}], "options": {"seed": 7}})


def test_a_chain_is_told_in_order(shell: Shell) -> None:
    shell.configure(CONFIGURED)
    done = shell.run("explain", "chain:both")
    assert (done.returncode, done.stderr) == (0, "")
    said, order, first, second, skipped = done.stdout.splitlines()
    assert order == "In the order of the chain."
    assert said == "chain:both: chain both"
    assert first == "1\techo:echo\t"
    assert second == "2\techo:slow\t"
    assert skipped.startswith("skipped\topenai:gpt-4\tOpenAI has no key")
    assert shell.json("explain", "chain:both")["spec"] == "chain:both"


@pytest.mark.parametrize("given", ["-", "chat.json"])
def test_a_request_tells_what_would_be_lost(lasting_shell: Shell, given: str) -> None:
    (lasting_shell.home.workspace / "chat.json").write_text(REQUEST)
    done = lasting_shell.run("explain", "--request", given, given=REQUEST)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1].startswith("1\techo:slow\tThe offline model has no use for seed")
    named = lasting_shell.json("explain", "echo:echo", "--request", "chat.json")
    assert named["spec"] == "echo:echo", "a name on the command line wins"


def test_nobody_to_ask_is_a_failure(lasting_shell: Shell) -> None:
    done = lasting_shell.run("explain", "openai:gpt-4")
    assert (done.returncode, done.stderr) == (1, "")
    assert "skipped\topenai:gpt-4\t" in done.stdout


@pytest.mark.parametrize("text", ["", "[]", "{", '{"messages": 7}'])
def test_a_request_that_is_none(lasting_shell: Shell, text: str) -> None:
    done = lasting_shell.run("explain", "echo:echo", "--request", "-", given=text)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_a_name_that_leads_nowhere(lasting_shell: Shell) -> None:
    done = lasting_shell.run("explain", "ecko")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Did you mean echo" in done.stderr
