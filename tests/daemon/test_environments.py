"""What the variables of an editor's own environment say: it holds for that editor, and for nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Request, Upstream, serving
from tests.daemon.client import Editor, Refused, text_of
from tests.daemon.saving import in_place
from tests.living import Home, environment_of, provider

CORP = 'auth = { scheme = "bearer", env = "CORP_LLM_KEY" }'
ONE, TWO = "canary-key-of-one-31f7", "canary-key-of-two-82c9"
SAID = b'{"message":{"role":"assistant","content":"hello"},"done":true,"done_reason":"stop"}\n'


@pytest.fixture
def other() -> Iterator[Upstream]:
    """A second provider, elsewhere."""
    with serving() as server:
        yield server


async def provider_of(editor: Editor, id: str) -> dict[str, Any] | None:
    """What an editor is told of a provider."""
    listed = (await editor.call("pointsman/listProviders"))["providers"]
    return next((each for each in listed if each["id"] == id), None)


async def asked(editor: Editor, upstream: Upstream, model: str, **more: str) -> Request:
    """The request that comes of a chat."""
    number = len(upstream.requests)
    await editor.chat(model, **more).answer()
    return upstream.request(number)


# Each its own


async def test_two_editors_use_their_own_keys_and_addresses(home: Home, upstream: Upstream, other: Upstream) -> None:
    home.configure(provider("corp", "http://127.0.0.1:9/v1", CORP))
    one = await home.connect(variables={"CORP_LLM_KEY": ONE, "CORP_BASE_URL": upstream.base_url})
    two = await home.connect(variables={"CORP_LLM_KEY": TWO, "CORP_BASE_URL": other.base_url})
    for _ in range(2):
        for editor, server, key in ((one, upstream, ONE), (two, other, TWO)):
            request = await asked(editor, server, "corp:count:1")
            assert request.header("authorization") == f"Bearer {key}"
            listed = await provider_of(editor, "corp")
            assert listed is not None
            assert listed["baseUrl"] == server.base_url
            found = await editor.call("pointsman/getProvider", {"provider": "corp"})
            assert found["origins"]["base_url"] == "environment"
            await editor.call("pointsman/listModels", {"provider": "corp", "refresh": True})
        await in_place(home.file, home.file.read_text() + "\n# an edit\n")
        await one.call("pointsman/reloadConfig")
    assert {request.header("authorization") for request in upstream.requests} == {f"Bearer {ONE}"}
    assert {request.header("authorization") for request in other.requests} == {f"Bearer {TWO}"}
    for editor, foreign in ((one, (TWO, other.base_url)), (two, (ONE, upstream.base_url))):
        assert not any(each in str(editor.heard) for each in foreign)


async def test_the_daemon_holds_nobodys_environment(home: Home, upstream: Upstream, other: Upstream) -> None:
    home.configure(provider("corp", upstream.base_url, CORP))
    first = await home.connect(variables={"CORP_LLM_KEY": ONE, "FOO_API_KEY": TWO, "FOO_BASE_URL": other.base_url})
    assert await provider_of(first, "foo")
    second = await home.connect()
    with pytest.raises(Refused) as caught:
        await second.chat("corp:count:1").answer()
    assert caught.value.code == "MissingKey"
    held = environment_of(home.pid)
    assert held["POINTSMAN_HOME"]
    assert not {name for name in held if "CORP" in name or "FOO" in name}
    for key in (ONE, TWO, other.base_url):
        assert key not in str(held)
        assert key not in Path(f"/proc/{home.pid}/cmdline").read_text()
    await first.kill()
    await second.status(lambda status: len(status["clients"]) == 1)
    assert await provider_of(second, "foo") is None
    await home.end()
    for file in home.data.iterdir():
        assert not any(key.encode() in file.read_bytes() for key in (ONE, TWO)), file


async def test_a_key_with_an_address_makes_a_provider_for_that_editor_alone(home: Home, upstream: Upstream) -> None:
    home.configure("")
    one = await home.connect(variables={"FOO_API_KEY": ONE, "FOO_BASE_URL": upstream.base_url})
    two = await home.connect()
    listed = await provider_of(one, "foo")
    assert listed is not None
    assert (listed["wire"], listed["state"], listed["auth"]["state"]) == ("openai-chat", "available", "ready")
    assert await provider_of(two, "foo") is None
    assert (await asked(one, upstream, "foo:count:1")).header("authorization") == f"Bearer {ONE}"
    with pytest.raises(Refused) as caught:
        await two.chat("foo:count:1").answer()
    assert caught.value.code in {"UnknownProvider", "UnknownModel"}
    assert (await one.call("pointsman/currentModel"))["state"] == "unset", "nobody has chosen it"
    chosen = await one.call("pointsman/switchModel", {"model": "foo:count:2", "scope": "global"})
    assert chosen["state"] == "available"
    seen = await two.told("pointsman/selectionChanged")
    assert (seen["effective"]["model"], seen["effective"]["state"]) == ("foo:count:2", "unavailable")
    await in_place(home.file, provider("more", "http://127.0.0.1:9/v1"))
    await two.told("pointsman/providersChanged", lambda told: told["added"] == ["more"])
    assert text_of(await one.chat(None).answer()) == "0 1 ", "it is there after an edit, too"


async def test_several_keys_take_turns(home: Home, upstream: Upstream) -> None:
    keys = {"FOO_API_KEY": "zero", "FOO_API_KEY_1": "one", "FOO_API_KEY_2": "two", "FOO_API_KEY_4": "no"}
    editor = await home.connect(variables={**keys, "FOO_BASE_URL": upstream.base_url})
    sent = [(await asked(editor, upstream, "foo:count:1")).header("authorization") for _ in range(6)]
    assert sent == ["Bearer zero", "Bearer one", "Bearer two"] * 2


# What a variable does


async def corp(home: Home, upstream: Upstream, **variables: str) -> Editor:
    home.configure(provider("my-corp", upstream.base_url, CORP))
    return await home.connect(variables={"CORP_LLM_KEY": ONE, **variables})


async def test_headers(home: Home, upstream: Upstream) -> None:
    editor = await corp(home, upstream, MY_CORP_CUSTOM_HEADER_X_TEAM="blue", MY_CORP_CUSTOM_HEADER_TENANT="t-1")
    request = await asked(editor, upstream, "my-corp:count:1")
    assert (request.header("x-team"), request.header("tenant")) == ("blue", "t-1")
    found = await editor.call("pointsman/getProvider", {"provider": "my-corp"})
    assert found["values"]["headers"] == {"X-Team": "…", "Tenant": "…"}, "it may be a secret"


async def test_the_way_to_prove_who_asks(home: Home, upstream: Upstream) -> None:
    editor = await corp(home, upstream, MY_CORP_AUTH_MODE="header")
    request = await asked(editor, upstream, "my-corp:count:1")
    assert (request.header("x-api-key"), request.header("authorization")) == (ONE, None)
    nobody = await corp(home, upstream, MY_CORP_AUTH_MODE="none")
    request = await asked(nobody, upstream, "my-corp:count:1")
    assert (request.header("x-api-key"), request.header("authorization")) == (None, None)


async def test_the_version_of_the_api(home: Home, upstream: Upstream) -> None:
    editor = await corp(home, upstream, MY_CORP_API_VERSION="2026-10-21")
    request = await asked(editor, upstream, "my-corp:count:1")
    assert request.target == "/v1/chat/completions?api-version=2026-10-21"
    await editor.call("pointsman/listModels", {"provider": "my-corp", "refresh": True})
    assert upstream.requests[-1].target == "/v1/models?api-version=2026-10-21"


async def test_how_often_it_is_tried(home: Home, upstream: Upstream) -> None:
    upstream.script("/v1/chat/completions", Reply(b"{}", status=503, headers={"retry-after-ms": "1"}))
    for retries in (0, 2):
        before = len(upstream.requests)
        editor = await corp(home, upstream, MY_CORP_MAX_RETRIES=str(retries))
        with pytest.raises(Refused):
            await editor.chat("my-corp:any").answer()
        assert len(upstream.requests) - before == 1 + retries


async def test_how_long_it_is_waited_for(home: Home, upstream: Upstream) -> None:
    editor = await corp(home, upstream, MY_CORP_TIMEOUT="0.4", MY_CORP_MAX_RETRIES="0")
    for model in ("my-corp:stall", "my-corp:silent:60"):
        with pytest.raises(Refused) as caught:
            await editor.chat(model).answer(5)
        assert caught.value.code == "TimedOut"


def _names(variable: str, told: dict[str, Any]) -> bool:
    return variable in told["message"]


async def test_wrong_values_are_told_and_cost_nothing_else(home: Home, upstream: Upstream) -> None:
    wrong = {"MY_CORP_TIMEOUT": "soon", "MY_CORP_MAX_RETRIES": "many", "MY_CORP_AUTH_MODE": "magic"}
    editor = await corp(home, upstream, **wrong, MY_CORP_CUSTOM_HEADER_X_TEAM="blue")
    for name in wrong:
        told = await editor.told("pointsman/configProblem", partial(_names, name))
        assert told["file"] == "environment"
        assert name in told["hint"]
    request = await asked(editor, upstream, "my-corp:count:1")
    assert (request.header("x-team"), request.header("authorization")) == ("blue", f"Bearer {ONE}")
    assert (await editor.call("pointsman/status"))["problems"] == 3
    stock = await home.connect(stock=True, variables=wrong)
    shown = await stock.told("window/showMessage", lambda told: "MY_CORP_TIMEOUT" in told["message"])
    assert "magic" not in shown["message"]


async def test_a_wrong_address_is_told_and_nothing_goes_anywhere_else(home: Home, upstream: Upstream) -> None:
    editor = await corp(home, upstream, MY_CORP_BASE_URL="proxy.example/v1")
    await editor.told("pointsman/configProblem", lambda told: "MY_CORP_BASE_URL" in told["message"])
    with pytest.raises(Refused):
        await editor.chat("my-corp:count:1").answer()
    assert upstream.requests == []


# A name that looks like a provider's and is another's


@pytest.mark.parametrize("more", [{}, {"OLLAMA_AUTH_MODE": "bearer"}, {"OLLAMA_AUTH_MODE": "optional-key"}])
async def test_the_key_of_the_cloud_is_never_sent_to_the_local_server(
    home: Home, upstream: Upstream, other: Upstream, more: dict[str, str]
) -> None:
    for server in (upstream, other):
        server.script("/api/chat", Reply(SAID, headers={"content-type": "application/x-ndjson"}))
        server.script("/api/tags", Reply(json.dumps({"models": [{"name": "m"}]}).encode()))
    local, cloud = (server.base_url.removesuffix("/v1") for server in (upstream, other))
    urls = {"OLLAMA_BASE_URL": local, "OLLAMA_CLOUD_BASE_URL": cloud}
    editor = await home.connect(variables={"OLLAMA_API_KEY": ONE, **urls, **more})
    if more.get("OLLAMA_AUTH_MODE") != "bearer":
        assert text_of(await editor.chat("ollama:m").answer()) == "hello"
    await editor.call("pointsman/listModels", {"provider": "ollama", "refresh": True})
    await editor.call("pointsman/testProvider", {"provider": "ollama"})
    assert text_of(await editor.chat("ollama-cloud:m").answer()) == "hello"
    assert [request.header("authorization") for request in other.requests] == [f"Bearer {ONE}"]
    assert ONE not in str(upstream.requests)
