"""Chains as a person has them: the examples that are shown, run to their end, and those that editors write.

Behind each provider of an example stands a server of the test's own; its definition is the shipped one.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.counterparts.scripts import Reply, error
from tests.counterparts.upstream import Upstream, serving
from tests.daemon.client import Chat, Editor, Refused, text_of
from tests.living import Home, provider

EXAMPLE = Path(__file__).parent.parent.parent / "docs" / "examples" / "chains.toml"
CHAT = "/v1/chat/completions"
ASKED = {"ollama": "/api/chat", "ollama-cloud": "/api/chat"}
KEYS = {
    **{f"OPENROUTER_API_KEY_{number}": f"fake-router-{number}" for number in (1, 2, 3)},
    **{f"OLLAMA_API_KEY_{number}": f"fake-cloud-{number}" for number in (1, 2)},
    "OPENAI_API_KEY": "fake-openai-1",
}
SPENT = {"type": "result", "subtype": "success", "is_error": True, "result": "Claude AI usage limit reached|1800000000"}
DOWN = error(503, "no capacity")
SLOW_DOWN = error(429, "slow down", {"retry-after": "30"})


def says(id: str, text: str) -> Reply:
    """An answer in the dialect of that provider."""
    if id in ASKED:
        said: dict[str, Any] = {
            "model": "m",
            "created_at": "2026-11-21T00:00:00Z",
            "message": {"role": "assistant", "content": text},
        }
        end = {**said, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
        lines = [{**said, "done": False}, {**end, "prompt_eval_count": 3, "eval_count": 1}]
        return Reply("".join(json.dumps(line) + "\n" for line in lines).encode())
    body = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    pieces: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}},
    ]
    events = [*(f"data: {json.dumps(body | piece)}\n\n" for piece in pieces), "data: [DONE]\n\n"]
    return Reply("".join(events).encode(), headers={"content-type": "text/event-stream"})


class Street:
    """A server behind each provider of the example, and how each of them answers."""

    def __init__(self, servers: Mapping[str, Upstream]) -> None:
        self.servers = servers

    @property
    def variables(self) -> dict[str, str]:
        """What leads an editor there."""
        urls = {id: own.base_url.removesuffix("/v1" if id in ASKED else "") for id, own in self.servers.items()}
        return KEYS | {f"{id.upper().replace('-', '_')}_BASE_URL": url for id, url in urls.items()}

    def play(self, **replies: Reply) -> None:
        """From now on these answer so; the others with their own names."""
        for id, server in self.servers.items():
            reply = replies.get(id.replace("-", "_"), says(id, f"from {id}"))
            server.script(ASKED.get(id, CHAT), reply)

    def keys(self, id: str) -> list[str]:
        """The keys that chats were asked with, in order."""
        path = ASKED.get(id, CHAT)
        return [request.header("authorization") or "" for request in self.servers[id].requests if request.path == path]

    def models(self, id: str) -> list[str]:
        """The models that chats have asked for."""
        path = ASKED.get(id, CHAT)
        return [request.json["model"] for request in self.servers[id].requests if request.path == path]


@pytest.fixture
def street(home: Home, tmp_path: Path) -> Iterator[Street]:
    """The example as it is shown, with no retries that would take their time, and a plan whose quota is spent."""
    text = EXAMPLE.read_text("utf-8")
    for id in tomllib.loads(text)["providers"]:
        text = text.replace(f"[providers.{id}]\n", f"[providers.{id}]\nmax_retries = 0\n")
    home.configure(text)
    folder = tmp_path / "programs"
    folder.mkdir()
    program = folder / "claude"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\nprintf '%s\\n' '{json.dumps(SPENT)}'\n")
    program.chmod(0o755)
    home.environment["PATH"] = f"{folder}:{home.environment['PATH']}"
    with ExitStack() as stack:
        ids = ("openrouter", "openai", "ollama", "lmstudio", "ollama-cloud")
        found = Street({id: stack.enter_context(serving()) for id in ids})
        found.play()
        yield found


def tried(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Who was tried, and how it went."""
    return [(f"{each['provider']}:{each['model']}", each["outcome"]) for each in result["attempts"]]


# The examples

CODING = (
    "claude-code-max:claude-sonnet-4",
    "openrouter:anthropic/claude-sonnet-4",
    "openai:gpt-4",
    "ollama:qwen3-coder",
)
FREE = ("openrouter:qwen/qwen3-32b:free", "ollama:llama3.1", "lmstudio:local-model")


@pytest.mark.parametrize(
    ("chain", "targets", "down"),
    [
        ("coding", CODING, ()),
        ("coding", CODING, ("openrouter",)),
        ("coding", CODING, ("openrouter", "openai")),
        ("chat", FREE, ()),
        ("chat", FREE, ("openrouter",)),
        ("chat", FREE, ("openrouter", "ollama")),
    ],
)
async def test_the_next_one_answers(
    home: Home, street: Street, chain: str, targets: tuple[str, ...], down: tuple[str, ...]
) -> None:
    street.play(**dict.fromkeys(down, DOWN))
    editor = await home.connect(variables=street.variables)
    plan = await editor.call("pointsman/explainRoute", {"model": f"chain:{chain}"})
    assert tuple(f"{each['provider']}:{each['model']}" for each in plan["targets"]) == targets
    result = await editor.chat(f"chain:{chain}").answer()
    spent = (targets[0],) if chain == "coding" else ()
    behind = [target for target in targets if target not in spent and target.partition(":")[0] not in down]
    id, _, model = behind[0].partition(":")
    assert (text_of(result), result["provider"], result["model"]) == (f"from {id}", id, model)
    assert street.models(id) == [model]
    before = targets[: targets.index(behind[0])]
    outcomes = dict.fromkeys(before, "failed") | {behind[0]: "answered"}
    assert {target: outcome for target, outcome in tried(result) if outcome != "skipped"} == outcomes
    route = result["route"]
    assert {name: route[name] for name in ("spec", "rule", "order", "skipped")} == {
        name: plan[name] for name in ("spec", "rule", "order", "skipped")
    }
    assert (route["spec"], route["rule"], tuple(route["targets"])) == (f"chain:{chain}", f"chain {chain}", targets)
    assert route["order"] == "in the order of the chain"


async def test_three_free_keys_and_then_a_plan_with_two(home: Home, street: Street) -> None:
    editor = await home.connect(variables=street.variables)
    for _ in range(3):
        assert text_of(await editor.chat("chain:free-first").answer()) == "from openrouter"
    assert sorted(street.keys("openrouter")) == [f"Bearer fake-router-{number}" for number in (1, 2, 3)], "in turn"
    street.play(openrouter=SLOW_DOWN)
    chat = editor.chat("chain:free-first")
    result = await chat.answer()
    assert (text_of(result), result["model"]) == ("from ollama-cloud", "gpt-oss:120b")
    assert sorted(street.keys("openrouter")[3:]) == sorted(street.keys("openrouter")[:3]), "each was tried once more"
    assert tried(result) == [("openrouter:openrouter/free", "failed")] * 3 + [("ollama-cloud:gpt-oss:120b", "answered")]
    assert [event["error"]["code"] for event in chat.all("attemptFailed")] == ["RateLimited"] * 3
    result = await editor.chat("chain:free-first").answer()
    assert len(street.keys("openrouter")) == 6, "nobody asks again before the time that was told"
    (skipped,) = result["route"]["skipped"]
    assert (skipped["provider"], "cooling until" in skipped["reason"]) == ("openrouter", True)
    assert sorted(street.keys("ollama-cloud")) == [f"Bearer fake-cloud-{number}" for number in (1, 2)], "in turn, too"


async def test_without_its_keys_a_target_is_left_out_and_told(home: Home, street: Street) -> None:
    variables = {name: value for name, value in street.variables.items() if not name.startswith("OPENROUTER_API")}
    editor = await home.connect(variables=variables)
    result = await editor.chat("chain:free-first").answer()
    assert text_of(result) == "from ollama-cloud"
    (skipped,) = result["route"]["skipped"]
    assert (skipped["provider"], skipped["model"]) == ("openrouter", "openrouter/free")
    assert "key" in skipped["reason"]
    assert result["route"]["targets"] == ["ollama-cloud:gpt-oss:120b"]


# Strategies

STICKY = '[chains]\nc = { targets = ["a:count:1", "b:count:2"], strategy = "sticky" }\n'


async def test_a_conversation_stays_where_it_was_answered(home: Home) -> None:
    with serving() as one, serving() as other:
        home.configure(STICKY + provider("a", one.base_url) + provider("b", other.base_url))
        one.script(CHAT, DOWN, says("a", "from a"))
        editor = await home.connect()
        assert text_of(await editor.chat("chain:c", conversationId="talk").answer()) == "0 1 "
        result = await editor.chat("chain:c", conversationId="talk").answer()
        assert (result["provider"], result["route"]["order"]) == ("b", "stays with b:count:2, which answered it last")
        asked = {"model": "chain:c", "conversationId": "talk"}
        plan = await editor.call("pointsman/explainRoute", asked)
        assert plan["targets"][0]["provider"] == "b"
        assert plan["order"] == result["route"]["order"]
        plan = await editor.call("pointsman/explainRoute", asked | {"conversationId": "another"})
        assert plan["order"] == "in the order of the chain; this conversation has no prompt cache yet"


async def test_a_chain_takes_turns_and_a_look_takes_none(home: Home, upstream: Upstream) -> None:
    chain = '[chains]\nc = { targets = ["a:count:1", "b:count:1"], strategy = "round-robin" }\n'
    home.configure(chain + provider("a", upstream.base_url) + provider("b", upstream.base_url))
    editor = await home.connect()
    answered = []
    for _ in range(4):
        await editor.call("pointsman/explainRoute", {"model": "chain:c"})
        answered.append((await editor.chat("chain:c").answer())["provider"])
    assert answered == ["a", "b", "a", "b"]


async def test_the_fastest_so_far_goes_first(home: Home) -> None:
    with serving() as one, serving() as other:
        chain = '[chains]\nc = { targets = ["a:late:0.4", "b:count:2"], strategy = "fastest" }\n'
        home.configure(chain + provider("a", one.base_url) + provider("b", other.base_url))
        editor = await home.connect()
        await editor.chat("a:late:0.4").answer()
        await editor.chat("b:count:2").answer()
        result = await editor.chat("chain:c").answer()
        assert result["provider"] == "b"
        assert result["route"]["order"].startswith("fastest first, ")


# Who stands in


def notices(chat: Chat) -> list[str]:
    return [event["text"] for event in chat.all("notice") if event["about"] == "fallback"]


@pytest.mark.parametrize("fallback", ["b:count:2", "best", "chain:all"])
async def test_what_the_file_names_stands_in_and_is_told(home: Home, upstream: Upstream, fallback: str) -> None:
    names = f'fallback = "{fallback}"\n[aliases]\nbest = "b:count:2"\n[chains]\nall = ["b:count:2"]\n'
    home.configure(names + provider("a", upstream.base_url) + provider("b", upstream.base_url))
    editor = await home.connect()
    chat = editor.chat("a:status:503")
    result = await chat.answer()
    assert (result["provider"], text_of(result)) == ("b", "0 1 ")
    assert notices(chat) == ["b:count:2 stands in for a:status:503, as your `fallback` says."]
    assert result["route"]["targets"] == ["a:status:503", "b:count:2"]
    assert result["route"]["order"] == "what is named first, and your `fallback` behind it"
    plan = await editor.call("pointsman/explainRoute", {"model": "a:count:1"})
    assert [[each["about"] for each in target["notices"]] for target in plan["targets"]] == [[], ["fallback"]]
    chat = editor.chat("a:count:1")
    assert (await chat.answer())["provider"] == "a"
    assert notices(chat) == []


@pytest.mark.parametrize("model", ["a:status:400", "chain:alone"])
async def test_nobody_stands_in_where_that_would_not_help_or_was_not_wanted(
    home: Home, upstream: Upstream, model: str
) -> None:
    names = 'fallback = "b:count:2"\n[chains]\nalone = ["a:status:503"]\n'
    home.configure(names + provider("a", upstream.base_url) + provider("b", upstream.base_url))
    editor = await home.connect()
    with pytest.raises(Refused):
        await editor.chat(model).answer()
    assert {request.json["model"] for request in upstream.requests if request.path == CHAT} == {
        "status:400" if model.startswith("a:") else "status:503"
    }


async def test_a_chat_that_brings_its_own_key_is_asked_with_that_alone(home: Home, upstream: Upstream) -> None:
    home.configure(
        'fallback = "b:count:2"\n'
        + provider("a", upstream.base_url, "max_retries = 0")
        + provider("b", upstream.base_url)
    )
    editor = await home.connect()
    with pytest.raises(Refused):
        await editor.chat("a:status:503", credentials={"a": "fake-key-of-this-chat"}).answer()
    assert (await editor.chat("a:status:503").answer())["provider"] == "b"


async def test_the_first_that_is_configured_answers_for_a_default_without_a_key(home: Home, upstream: Upstream) -> None:
    locked = provider("locked", "https://locked.example/v1", 'auth = { scheme = "bearer", env = "LOCKED_KEY" }')
    model = 'auth = { scheme = "none" }\ndefault_model = "count:2"'
    home.configure('default = "locked:large"\n[providers.echo]\n' + locked + provider("mine", upstream.base_url, model))
    made = {"BY_VARIABLE_API_KEY": "fake-variable-1", "BY_VARIABLE_BASE_URL": upstream.base_url}
    editor = await home.connect(variables=made)
    selection = await editor.call("pointsman/currentModel")
    assert (selection["model"], selection["scope"]) == ("mine", "fallback"), "neither echo, nor one that variables made"
    chat = editor.chat(None)
    assert (await chat.answer())["provider"] == "mine"
    (said,) = notices(chat)
    assert said.startswith("Your default locked:large can't be asked: ")
    assert said in selection["why"]


# Patterns


async def test_a_family_that_only_one_serves_goes_straight_there(home: Home, street: Street) -> None:
    editor, other = await home.connect(variables=street.variables), await home.connect()
    await editor.call("pointsman/switchModel", {"model": "openai:gpt-4", "scope": "global"})
    plan = await editor.call("pointsman/explainRoute", {"model": "kimi-k2:1t"})
    assert (plan["spec"], plan["rule"]) == ("ollama-cloud:kimi-k2:1t", "kimi* is a pattern of ollama-cloud")
    result = await editor.chat("kimi-k2:1t").answer()
    assert (text_of(result), street.models("ollama-cloud")) == ("from ollama-cloud", ["kimi-k2:1t"])
    assert result["route"]["rule"] == "kimi* is a pattern of ollama-cloud"
    with pytest.raises(Refused) as caught:
        await other.chat("kimi-k2:1t").answer()
    assert caught.value.code == "UnknownModel"


# Writing chains


async def written(editor: Editor, **params: Any) -> dict[str, Any]:
    """What the daemon answers to a chain that is written."""
    answer: dict[str, Any] = await editor.call("pointsman/setChain", params)
    return answer


async def test_a_chain_is_written_as_briefly_as_it_can_be(home: Home) -> None:
    home.configure('# mine\n[chains]\nother = ["echo"]      # stays\n')
    editor = await home.connect()
    await written(editor, chain="c", targets=["echo:echo", "echo:slow"])
    assert home.file.read_text() == '# mine\n[chains]\nother = ["echo"]      # stays\nc = ["echo:echo", "echo:slow"]\n'
    await written(editor, chain="c", targets=["echo:slow"], strategy="sticky", onBreak="continue")
    table = 'c = { targets = ["echo:slow"], strategy = "sticky", on_break = "continue" }\n'
    assert home.file.read_text().endswith(table)
    values = (await editor.call("pointsman/getConfig"))["values"]["chains"]
    assert values["c"] == {"targets": ["echo:slow"], "strategy": "sticky", "on_break": "continue"}
    assert values["other"] == {"targets": ["echo"], "strategy": "ordered", "on_break": "stop"}
    await written(editor, chain="c", targets=["echo:echo"])
    assert 'targets = ["echo:echo"], strategy = "sticky"' in home.file.read_text(), "what is not named stays"
    await written(editor, chain="c", targets=["echo:echo"], strategy="ordered", onBreak="stop")
    assert tomllib.loads(home.file.read_text())["chains"]["c"] == {"targets": ["echo:echo"]}
    assert (await editor.chat("chain:c", "hi").answer())["route"]["rule"] == "chain c"
    await written(editor, chain="c", targets=None)
    assert home.file.read_text() == '# mine\n[chains]\nother = ["echo"]      # stays\n'


async def test_a_table_of_its_own_stays_one(home: Home) -> None:
    home.configure('[chains.c]\ntargets = ["echo"]   # one\nstrategy = "cheapest"\n')
    editor = await home.connect()
    await written(editor, chain="c", targets=["echo:echo", "echo:slow"], strategy="ordered")
    assert home.file.read_text() == '[chains.c]\ntargets = ["echo:echo", "echo:slow"]   # one\n'
    origins = (await editor.call("pointsman/getConfig"))["origins"]
    assert origins["chains.c.targets"] == str(home.file)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"chain": "c", "targets": ["ecko:slow"]}, "UnknownProvider"),
        ({"chain": "c", "targets": ["echo", "chain:none"]}, "UnknownChain"),
        ({"chain": "c", "targets": ["echo", "chain:c"]}, "ConfigError"),
        ({"chain": "c", "targets": ["chain:there"]}, "ConfigError"),
        ({"chain": "c", "targets": []}, "InvalidParams"),
        ({"chain": "", "targets": ["echo"]}, "InvalidParams"),
        ({"chain": "x\n", "targets": ["echo"]}, "ConfigError"),
        ({"chain": "chain:q", "targets": ["echo"]}, "ConfigError"),
        ({"chain": "c", "targets": ["echo"], "strategy": "luckiest"}, "InvalidParams"),
        ({"chain": "c", "targets": ["echo"], "ifRevision": "another"}, "ConfigConflict"),
    ],
)
async def test_what_would_lead_nowhere_is_not_written(home: Home, params: dict[str, Any], code: str) -> None:
    text = '[chains]\nthere = ["echo", "chain:c"]\n'
    home.configure(text)
    editor = await home.connect()
    with pytest.raises(Refused) as caught:
        await written(editor, **params)
    assert caught.value.code == code
    assert home.file.read_text() == text


async def test_what_a_project_names_is_not_ours_to_remove(home: Home) -> None:
    home.configure('[chains]\nc = { targets = ["echo:echo"], strategy = "sticky" }\n')
    (home.workspace / ".pointsman.toml").write_text('[chains]\nteam = ["echo:slow"]\nc = ["echo:slow"]\n')
    editor = await home.connect()
    await editor.call("pointsman/trustWorkspace", {"folder": str(home.workspace)})
    config = await editor.call("pointsman/getConfig")
    assert config["values"]["chains"]["c"] == {"targets": ["echo:slow"], "strategy": "ordered", "on_break": "stop"}
    assert config["origins"]["chains.c.targets"].endswith(".pointsman.toml")
    with pytest.raises(Refused) as caught:
        await written(editor, chain="team", targets=None)
    assert "not in your own file" in caught.value.message
    await written(editor, chain="c", targets=None)
    assert "c" in (await editor.call("pointsman/getConfig"))["values"]["chains"], "the project's own is still there"


async def test_a_chain_outlives_a_provider_that_is_taken_away(home: Home, upstream: Upstream) -> None:
    chain, up = '[chains]\nsafe = ["gone:m", "up:count:2"]\n', provider("up", upstream.base_url)
    home.configure(chain + up + provider("gone", "http://127.0.0.1:9/v1"))
    editor = await home.connect()
    home.configure(chain + up)
    told = await editor.told("pointsman/configProblem", lambda each: "'gone'" in each["message"])
    assert told["line"] == 2
    await editor.told("pointsman/providersChanged", lambda each: each["removed"] == ["gone"])
    result = await editor.chat("chain:safe").answer()
    assert text_of(result) == "0 1 "
    skipped, answered = result["attempts"]
    assert (skipped["provider"], skipped["model"], skipped["outcome"]) == ("gone", "m", "skipped")
    assert answered["outcome"] == "answered"
    assert home.run("config", "check").returncode == 1
