"""`pointsman models`: what there is to choose from, and why a provider's own list is missing."""

from __future__ import annotations

import pytest

from tests.cli.shell import Shell
from tests.counterparts import scripts
from tests.counterparts.upstream import Upstream
from tests.living import provider


def names(shell: Shell, *words: str) -> list[str]:
    return [line.split("\t")[0] for line in shell.run("models", *words).stdout.splitlines()]


def test_words_narrow_the_list(lasting_shell: Shell) -> None:
    everything = names(lasting_shell)
    assert {"echo:echo", "echo:slow", "openai:gpt-4"} <= set(everything)
    assert names(lasting_shell, "SLOW", "echo") == ["echo:slow"]
    assert [each["model"] for each in lasting_shell.json("models", "slow")["models"]] == ["echo:slow"]


def test_one_providers_models_alone(lasting_shell: Shell) -> None:
    assert names(lasting_shell, "--provider", "echo") == ["echo:echo", "echo:slow"]


def test_nothing_found_is_said_to_people_alone(lasting_shell: Shell) -> None:
    done = lasting_shell.run("models", "no-such-model")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No model matches.\n")
    assert lasting_shell.json("models", "no-such-model")["models"] == []


def test_a_provider_is_asked_for_its_own_list_and_anew_when_wanted(shell: Shell, upstream: Upstream) -> None:
    shell.configure(provider("up", upstream.base_url))
    assert names(shell, "--provider", "up") == ["up:count:10", "up:drip:50:0.02", "up:stall"]
    upstream.script("/v1/models", scripts.Reply(b'{"object": "list", "data": [{"id": "new", "object": "model"}]}'))
    assert names(shell, "--provider", "up")[0] == "up:count:10"
    assert names(shell, "--provider", "up", "--refresh") == ["up:new"]


def test_what_a_model_costs_and_holds(shell: Shell, upstream: Upstream) -> None:
    shell.configure(provider("up", upstream.base_url.replace("127.0.0.1", "localhost"), 'kind = "direct-api"'))
    body = b"""{"data": [
        {"id": "big", "context_length": 200000, "pricing": {"prompt": "0.000003", "completion": "0.000015"},
         "top_provider": {"max_completion_tokens": 64000}, "supported_parameters": ["tools"]},
        {"id": "free", "pricing": {"prompt": "0", "completion": "0"}}, {"id": "odd"}]}"""
    upstream.script("/v1/models", scripts.Reply(body))
    lines = shell.run("models", "--provider", "up").stdout.splitlines()
    assert [line.split("\t") for line in lines] == [
        ["up:big", "200000", "64000", "3", "15", "tools", "live"],
        ["up:free", "", "", "0", "0", "", "live"],
        ["up:odd", "", "", "", "", "", "live"],
    ]
    (model,) = shell.json("models", "--provider", "up", "big")["models"]
    assert model["price"] == {"inputUsdPerMillion": 3.0, "outputUsdPerMillion": 15.0, "source": "up"}
    assert model["listedAt"].endswith("Z")


def test_a_list_that_does_not_come_is_told(shell: Shell) -> None:
    shell.configure(provider("up", "http://127.0.0.1:9/v1"))
    done = shell.run("models", "slow")
    assert (done.returncode, done.stdout.split("\t")[0]) == (0, "echo:slow")
    assert "Nothing listens at 127.0.0.1:9" in done.stderr
    done = shell.run("models", "--provider", "up")
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize(("words", "status"), [(("--provider", "ecko"), 1), (("--provider",), 2), (("--nope",), 2)])
def test_bad_input_gets_one_line(lasting_shell: Shell, words: tuple[str, ...], status: int) -> None:
    done = lasting_shell.run("models", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1)
