"""`pointsman providers`: who there is, and what is written into the user's file for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.counterparts.upstream import Upstream
from tests.living import provider

NOBODY = "http://127.0.0.1:9/v1"


def file(shell: Shell) -> str:
    path = Path(shell.home.places.config_file)
    return path.read_text() if path.exists() else ""


def test_a_pipe_gets_a_line_a_provider(lasting_shell: Shell) -> None:
    lines = lasting_shell.run("providers").stdout.splitlines()
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in lines}
    assert rows["echo"][0] == "Echo (offline)"
    assert rows["echo"][1] in {"active", "available"}
    assert rows["echo"][2:] == ["echo, slow", "echo://localhost"]
    assert rows["openai"][1] == "unconfigured"
    assert len({line.count("\t") for line in lines}) == 1


def test_a_terminal_gets_a_table(lasting_shell: Shell) -> None:
    terminal = lasting_shell.terminal("providers", columns=160, NO_COLOR="1")
    assert terminal.ends() == 0
    head, *rows = terminal.seen.splitlines()
    assert head.split() == ["id", "name", "state", "models", "where"]
    addresses = {row.split()[0]: row.split()[-1] for row in rows if "://" in row}
    assert addresses["openrouter"] == "https://openrouter.ai/api/v1"
    assert addresses["vertex"].endswith("…"), "what is too long is cut, never broken"
    assert any(row.split()[:3] == ["echo", "Echo", "(offline)"] for row in rows)
    assert "gemini-2.5-pro, 2 more" in " ".join(terminal.seen.split()), "a long list of names is cut"


def test_a_program_gets_the_daemons_result(lasting_shell: Shell) -> None:
    found = {each["id"]: each for each in lasting_shell.json("providers")["providers"]}
    assert found["echo"]["auth"] == {"scheme": "none", "state": "ready", "oauth": False, "keys": 0}


def test_one_can_be_added(shell: Shell, upstream: Upstream) -> None:
    done = shell.run(
        "providers", "add", "corp", "--base-url", upstream.base_url, "--auth", "none", "--model", "count:3"
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.startswith("corp is saved.")
    assert upstream.request(0).path == "/v1/models", "it was tried first"
    assert shell.run("chat", "-m", "corp", "hi").stdout == "0 1 2 \n"


def test_a_key_comes_from_a_variable(shell: Shell, upstream: Upstream) -> None:
    words = ("providers", "add", "corp", "--base-url", upstream.base_url, "--env", "CORP_KEY", "--name", "Corp")
    assert shell.run(*words, CORP_KEY="key-of-mine").returncode == 0
    assert dict(upstream.request(0).headers)["authorization"] == "Bearer key-of-mine"
    assert "key-of-mine" not in file(shell)
    assert shell.json("providers", CORP_KEY="key-of-mine")["providers"][-1]["state"] == "available"


def test_one_that_does_not_answer_is_not_saved_unless_that_is_wanted(shell: Shell) -> None:
    words = ("providers", "add", "corp", "--base-url", NOBODY, "--auth", "none")
    done = shell.run(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Nothing was saved" in done.stderr
    assert "add `--no-test`" in done.stderr
    assert file(shell) == ""
    assert shell.json(*words, "--no-test")["revision"]
    assert NOBODY in file(shell)


def test_one_that_is_there_is_not_added_again(lasting_shell: Shell) -> None:
    done = lasting_shell.run("providers", "add", "openai", "--base-url", NOBODY)
    assert done.returncode == 1
    assert "pointsman providers edit openai" in done.stderr


def test_values_can_be_changed_and_taken_back(shell: Shell, upstream: Upstream) -> None:
    shell.configure(provider("corp", upstream.base_url, 'auth = { scheme = "header", header = "x-key" }'))
    changes = ("timeout.connect=5", "headers.X-Team=blue", "auth.env=CORP_KEY", 'default_model="4"', "max_retries=0")
    done = shell.run("providers", "edit", "corp", *changes, CORP_KEY="secret-1")
    assert (done.returncode, done.stderr) == (0, "")
    tried = dict(upstream.request(0).headers)
    assert (tried["x-key"], tried["x-team"]) == ("secret-1", "blue"), "tried with what was there, and what is new"
    about = shell.json("config", "show")["providers"]["corp"]
    assert about["values"]["timeout"]["connect"] == 5
    assert about["values"]["auth"] == {"scheme": "header", "header": "x-key", "env": "CORP_KEY"}
    assert about["values"]["default_model"] == "4"
    assert about["origins"]["timeout.connect"] == shell.home.places.config_file
    assert shell.run("providers", "edit", "corp", "timeout.connect=", CORP_KEY="secret-1").returncode == 0
    assert "timeout.connect" not in shell.json("config", "show")["providers"]["corp"]["origins"]


@pytest.mark.parametrize(
    "words",
    [
        ("keys=sk-1234567890",),
        ('keys=["env:A", "sk-1234567890"]',),
        ("keys=env:sk-1234567890",),
        ("api_key=sk-1234567890",),
        ("headers.X-Api-Key=sk-1234567890",),
        ("headers.authorization=Bearer sk-1234567890",),
        ("headers.Proxy-Authorization=sk-1234567890",),
        ("headers.Cookie=sk-1234567890",),
        ('headers={ "X-Auth-Token" = "sk-1234567890" }',),
        ("headers.X-Corp-Secret=sk-1234567890",),
        ("auth.header=X-Corp", "headers.x-corp=sk-1234567890"),
        ("auth.env=sk-1234567890",),
        ('auth.env=["A", "sk-1234567890"]',),
        ('auth={ env = "sk-1234567890" }',),
    ],
)
def test_a_key_is_not_taken_from_the_command_line(lasting_shell: Shell, words: tuple[str, ...]) -> None:
    done = lasting_shell.run("providers", "edit", "openai", *words, "--no-test")
    assert done.returncode == 2
    assert "can be read by every program of yours" in done.stderr
    assert "sk-1234567890" not in done.stderr
    assert file(lasting_shell) == ""


def test_a_key_is_not_taken_for_the_name_of_a_variable(lasting_shell: Shell) -> None:
    words = ("--base-url", NOBODY, "--env", "sk-1234567890", "--no-test")
    done = lasting_shell.run("providers", "add", "corp", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "can be read by every program of yours" in done.stderr
    assert "sk-1234567890" not in done.stderr
    assert file(lasting_shell) == ""


def test_the_header_that_carries_the_key_is_not_taken_either(shell: Shell) -> None:
    shell.configure(provider("corp", NOBODY, 'auth = { scheme = "header", header = "X-Corp" }'))
    done = shell.run("providers", "edit", "corp", "headers.x-corp=sk-1234567890", "--no-test")
    assert (done.returncode, done.stdout) == (2, "")
    assert "sk-1234567890" not in done.stderr + file(shell)
    assert shell.run("providers", "edit", "corp", "headers.X-Api-Key=", "--no-test").returncode == 0, "it may go"


def test_keys_may_be_named_by_their_variables(shell: Shell) -> None:
    assert shell.run("providers", "edit", "openai", 'keys=["env:A", "env:B"]', "--no-test").returncode == 0
    assert 'keys = ["env:A", "env:B"]' in file(shell)


def test_a_key_that_stays_behind_is_told(shell: Shell, upstream: Upstream) -> None:
    shell.home.configure(provider("corp", upstream.base_url, 'auth = { scheme = "bearer" }'))
    assert shell.run("keys", "add", "corp", "--no-test", "-", given="fake-key-of-corp\n").returncode == 0
    done = shell.run("providers", "edit", "corp", "base_url=http://127.0.0.1:9/v1", "--no-test")
    assert "Its stored 'key' stays behind." in done.stdout
    assert "`pointsman keys add corp`" in done.stdout
    assert "stays behind" not in shell.run("providers", "edit", "corp", "timeout.connect=5", "--no-test").stdout


def test_one_can_be_removed(shell: Shell) -> None:
    shell.configure(provider("corp", NOBODY) + provider("openai", NOBODY))
    assert shell.run("providers", "remove", "corp").stdout == "corp is removed.\n"
    assert shell.run("providers", "remove", "openai").stdout == "openai is as it came with Pointsman.\n"
    assert NOBODY not in file(shell)


def test_one_can_be_tried(shell: Shell, upstream: Upstream) -> None:
    shell.configure(provider("good", upstream.base_url) + provider("bad", NOBODY))
    done = shell.run("providers", "test", "good")
    assert done.returncode == 0
    assert done.stdout.startswith("ok   good: 3 models, ")
    assert shell.json("providers", "test", "good")["models"] == 3
    done = shell.run("providers", "test", "bad")
    assert (done.returncode, done.stdout.startswith("BAD  bad: ")) == (1, True)
    assert "→ " in done.stderr
    assert shell.json("providers", "test", "bad", status=1)["ok"] is False


def test_all_that_are_configured_can_be_tried(shell: Shell, upstream: Upstream) -> None:
    local = '[providers.lmstudio]\nbase_url = "http://127.0.0.1:9/v1"\n'  # whatever runs on this machine
    shell.configure(provider("good", upstream.base_url) + provider("bad", NOBODY) + local)
    found = shell.json("providers", "test", "--all", status=1)
    assert {id: found[id]["ok"] for id in ("good", "bad", "echo")} == {"good": True, "bad": False, "echo": True}
    assert "openai" not in found, "there is no key for it"
    assert shell.run("providers", "remove", "bad").returncode == 0
    done = shell.run("providers", "test", "--all")
    assert done.returncode == 0, "a local server that does not run is no failure"
    rows = {row.split("\t")[1]: row.split("\t") for row in done.stdout.splitlines()}
    assert rows["lmstudio"][0] == "off"
    assert rows["lmstudio"][6].startswith("Nothing listens at ")
    assert (rows["good"][0], rows["good"][2].endswith(" ms"), rows["good"][4:]) == ("ok", True, ["3", "", ""])
    assert done.stderr == "", "what need not run needs no advice"


def test_each_that_failed_gets_its_advice(shell: Shell, upstream: Upstream) -> None:
    local = '[providers.lmstudio]\nbase_url = "http://127.0.0.1:9/v1"\n'
    shell.configure(provider("one", upstream.base_url) + provider("two", NOBODY) + provider("three", NOBODY) + local)
    done = shell.run("providers", "test", "--all")
    assert done.returncode == 1
    assert [line.split(" ")[0] for line in done.stderr.splitlines()] == ["two", "three"]
    assert all(" → Start the server at " in line for line in done.stderr.splitlines())
    terminal = shell.terminal("providers", "test", "--all", NO_COLOR="1")
    assert terminal.ends() == 1
    assert terminal.seen.split()[:4] == ["provider", "there", "models", "what"]


def test_a_model_can_be_asked_for_a_word(shell: Shell, upstream: Upstream) -> None:
    shell.configure(provider("good", upstream.base_url, 'default_model = "count:2"', "max_retries = 0"))
    steps = [line.split() for line in shell.run("providers", "test", "good", "--say").stdout.splitlines()[1:]]
    assert [step[:2] for step in steps] == [["is", "there"], ["lists", "models"], ["answers", steps[2][1]]]
    assert steps[2][-3:] == ["count:2:", "0", "1"]
    found = shell.json("providers", "test", "good", "--model", "count:1")
    assert [(step["step"], step["outcome"]) for step in found["steps"]][-1] == ("say", "ok")
    done = shell.run("providers", "test", "good", "--model", "status:404")
    assert (done.returncode, done.stdout.splitlines()[-1].split()) == (1, ["answers", "no"])


def test_a_provider_may_be_unknown_for_a_mistake_in_the_file(shell: Shell) -> None:
    shell.configure('[providers.corp]\nbase_url = "http://h"\nwire = "openai-caht"\n')
    done = shell.run("providers", "test", "corp")
    assert (done.returncode, done.stdout) == (1, "")
    assert "pointsman.toml; mend them first." in done.stderr


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("add", "corp"), 2, "Missing option '--base-url'"),
        (("add", "Corp!", "--base-url", NOBODY, "--no-test"), 2, "Take small letters"),
        (("add", "", "--base-url", NOBODY, "--no-test"), 2, "Take small letters"),
        (("add", "chain", "--base-url", NOBODY, "--no-test"), 2, "`chain:` begins the name of a chain"),
        (("add", "corp", "--base-url", "nonsense", "--no-test"), 1, "absolute http(s) URL"),
        (("add", "corp", "--base-url", NOBODY, "--auth", "magic"), 2, "'magic' is not one of"),
        (("add", "corp", "--base-url", NOBODY, "--wire", "openai-caht"), 1, "openai-chat"),
        (("edit", "corp", "name=x"), 1, "There is no provider 'corp'. Did you mean "),
        (("edit", "echo"), 2, "Missing argument"),
        (("edit", "echo", "name"), 2, "Write it as `key=value`"),
        (("edit", "echo", "=x"), 2, "Write it as `key=value`"),
        (("edit", "echo", "auth=x", "auth.env=X"), 2, "both a value and a table"),
        (("edit", "echo", "nmae=x"), 1, "Did you mean `name`?"),
        (("edit", "echo", "base_url.x=1"), 1, "base_url"),
        (("remove", "ecko"), 1, "There is no provider 'ecko'. Did you mean echo"),
        (("remove", "zzzzzzz"), 1, "There is no provider 'zzzzzzz'. `pointsman providers` says which there are."),
        (("test",), 2, "Say which one, or `--all`"),
        (("test", "echo", "--all"), 2, "Say which one, or `--all`"),
        (("test", "--all", "--model", "x"), 2, "`--model` belongs to one provider"),
        (("test", "ecko"), 1, "There is no provider 'ecko'. Did you mean echo"),
        (("--json", "test", "echo"), 2, "Put `--json` behind `test`"),
        (("tset",), 2, "No such command 'tset'"),
    ],
)
def test_bad_input_gets_one_line(lasting_shell: Shell, words: tuple[str, ...], status: int, said: str) -> None:
    done = lasting_shell.run("providers", *words)
    assert (done.returncode, done.stdout) == (status, ""), done
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert file(lasting_shell) == ""
