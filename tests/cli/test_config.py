"""`pointsman config`: where the configuration is, what is wrong with it, and where each value comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import Shell

WRONG = """\
[providers.corp]
bse_url = "http://127.0.0.1:9/v1"
"""
RIGHT = WRONG.replace("bse_url", "base_url")


def test_the_path_is_there_to_be_used(lasting_shell: Shell) -> None:
    file = lasting_shell.home.places.config_file
    assert lasting_shell.run("config", "path").stdout == f"{file}\n"
    assert lasting_shell.json("config", "path") == {"configFile": file}
    elsewhere = lasting_shell.run(
        "config", "path", POINTSMAN_ENDPOINT=lasting_shell.home.places.socket, POINTSMAN_HOME="/x"
    )
    assert elsewhere.stdout == f"{file}\n", "the daemon that is named says where its own is"


def test_the_path_needs_no_daemon(shell: Shell) -> None:
    assert shell.run("config", "path").returncode == 0
    assert not shell.home.daemons()


def test_nothing_is_wrong_with_no_file(lasting_shell: Shell) -> None:
    done = lasting_shell.run("config", "check")
    assert (done.returncode, done.stdout) == (
        0,
        f"{lasting_shell.home.places.config_file} is not there; nothing is wrong.\n",
    )
    assert lasting_shell.json("config", "check") == {"problems": []}


def test_what_is_wrong_is_told_with_its_line_and_what_to_do(shell: Shell) -> None:
    shell.configure(WRONG)
    done = shell.run("config", "check")
    file = shell.home.places.config_file
    assert done.returncode == 1
    assert done.stdout.startswith(f"{file}:2: ")
    assert "Did you mean `base_url`?" in done.stderr
    (problem, *_) = shell.json("config", "check", status=1)["problems"]
    assert (problem["file"], problem["line"]) == (file, 2)


def test_what_was_just_mended_is_no_longer_told(shell: Shell) -> None:
    shell.configure(WRONG)
    assert shell.run("config", "check").returncode == 1
    shell.configure(RIGHT)
    done = shell.run("config", "check")
    assert (done.returncode, done.stdout) == (0, f"{shell.home.places.config_file} reads well.\n")


def test_a_projects_file_that_is_not_trusted_is_told(shell: Shell) -> None:
    (shell.home.workspace / ".pointsman.toml").write_text('default = "echo:slow"\n')
    done = shell.run("config", "check")
    assert done.returncode == 1
    assert "pointsman trust" in done.stderr


def test_each_value_is_shown_with_its_origin(shell: Shell) -> None:
    shell.configure('default = "echo:echo"\naliases."gpt-4.1" = "echo:slow"\n[providers.openai]\nmax_retries = 0\n')
    (shell.home.workspace / ".pointsman.toml").write_text('default = "echo:slow"\naliases.quick = "echo:slow"\n')
    shell.run("trust", "--yes")
    file = shell.home.places.config_file
    done = shell.run("config", "show", OPENAI_BASE_URL="http://127.0.0.1:9/v1", OPENAI_API_KEY="sk-very-secret-indeed")
    rows = {tuple(line.split("\t")) for line in done.stdout.splitlines()}
    assert ("default", "echo:echo", file) in rows
    assert ("project_default", "echo:slow", str(shell.home.workspace / ".pointsman.toml")) in rows
    assert ("aliases.gpt-4.1", "echo:slow", file) in rows
    assert ("aliases.quick", "echo:slow", str(shell.home.workspace / ".pointsman.toml")) in rows
    assert ("providers.openai.max_retries", "0", file) in rows
    assert ("providers.openai.base_url", "http://127.0.0.1:9/v1", "environment") in rows
    assert ("providers.openai.name", "OpenAI", "shipped:openai.toml") in rows
    assert "sk-very" not in done.stdout


def test_a_part_of_it_can_be_shown(lasting_shell: Shell) -> None:
    lines = lasting_shell.run("config", "show", "providers.echo").stdout.splitlines()
    assert lines
    assert all(line.startswith("providers.echo.") for line in lines)


@pytest.mark.parametrize(
    ("path", "advice"),
    [("providers.ecko", "Did you mean providers.echo"), ("q", "lists all"), ("provider", "Did you mean providers")],
)
def test_a_part_that_is_not_there_is_told(lasting_shell: Shell, path: str, advice: str) -> None:
    done = lasting_shell.run("config", "show", path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"Nothing that is configured is called {path!r}." in done.stderr
    assert advice in done.stderr


def test_a_program_gets_all_of_it(lasting_shell: Shell) -> None:
    found = lasting_shell.json("config", "show")
    assert found["values"]["daemon"]["drain"] == 10
    assert found["providers"]["echo"]["values"]["base_url"] == "echo://localhost"


def test_bad_input_gets_one_line(lasting_shell: Shell) -> None:
    for words in (("pahth",), ("show", "a", "b"), ("check", "--nope")):
        done = lasting_shell.run("config", *words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done


def test_a_mistake_that_cannot_be_read_is_told_too(shell: Shell) -> None:
    shell.configure("[[[")
    done = shell.run("config", "check")
    assert done.returncode == 1
    assert "Not valid TOML" in done.stdout
    assert Path(shell.home.places.config_file).read_text() == "[[["
