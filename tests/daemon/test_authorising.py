"""How requests prove who asks, seen from an editor: with keys of one chat, with AWS credentials, at its own address."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream, serving
from tests.daemon.client import Editor, Refused
from tests.living import Home, provider

KEY, CONFIGURED = "canary-key-of-a-chat-31f7", "canary-key-of-the-file-82c9"


async def provider_of(editor: Editor, id: str) -> dict[str, Any]:
    listed = (await editor.call("pointsman/listProviders"))["providers"]
    found: dict[str, Any] = next(each for each in listed if each["id"] == id)
    return found


async def test_a_key_of_one_chat_is_used_for_that_chat_and_its_provider_alone(home: Home, upstream: Upstream) -> None:
    given = provider("given", upstream.base_url, 'auth = { scheme = "passthrough" }', "max_retries = 0")
    other = provider("other", upstream.base_url, f'keys = ["{CONFIGURED}"]', "max_retries = 0")
    home.configure(f'{given}\n{other}\n[chains]\nboth = ["given:status:500", "other:count:1"]\n')
    editor, watcher = await home.connect(), await home.connect()
    result = await editor.chat("chain:both", credentials={"given": KEY}).answer()
    assert [attempt["account"] for attempt in result["attempts"]] == ["canary-k…", "canary-k…"]
    keys = [request.header("authorization") for request in upstream.requests]
    assert keys == [f"Bearer {KEY}", f"Bearer {CONFIGURED}"]
    await editor.chat("other:count:1", credentials={"other": KEY}).answer()
    assert upstream.request(2).header("authorization") == f"Bearer {KEY}"
    await editor.chat("other:count:1", credentials={"given": KEY}).answer()
    assert upstream.request(3).header("authorization") == f"Bearer {CONFIGURED}"
    for credentials in ({}, {"given": ""}, {"given": " \n"}):
        with pytest.raises(Refused) as refused:
            await editor.chat("given:count:1", credentials=credentials).answer()
        assert refused.value.code == "MissingKey"
        assert "`credentials`" in refused.value.data["advice"]
    await editor.chat("given:count:1", credentials={"given": f"{KEY}\r\n"}).answer()
    assert upstream.request(4).header("authorization") == f"Bearer {KEY}"
    with pytest.raises(Refused, match="What came for 'given' is no key: one is a single line") as refused:
        await editor.chat("given:count:1", credentials={"given": f"{KEY}\n{KEY}"}).answer()
    assert refused.value.code == "CredentialError"
    assert len(upstream.requests) == 5
    await watcher.call("pointsman/listChats")
    shown = [*editor.heard, *watcher.heard, *await home.whole_log()]
    assert not any(KEY in json.dumps(each) or CONFIGURED in json.dumps(each) for each in shown)
    assert not any(KEY.encode() in file.read_bytes() for file in home.data.iterdir() if file.is_file())


CLOUD = """
base_url = "{place}/model/x%3A0/{{region}}"
auth = {{ scheme = "aws", env = "CLOUD_BEARER" }}
default_model = "m"
max_retries = 0
parameters.region = {{ env = "CLOUD_REGION" }}
"""
AWS_KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE0123", "AWS_SECRET_ACCESS_KEY": "not-a-real-secret"}


async def test_requests_are_signed_with_the_credentials_and_for_the_region_of_the_connection(
    home: Home, upstream: Upstream
) -> None:
    home.configure("[providers.cloud]" + CLOUD.format(place=upstream.base_url))
    nobody = await home.connect()
    assert (await provider_of(nobody, "cloud"))["state"] == "unconfigured"
    with pytest.raises(Refused) as refused:
        await nobody.chat("cloud:m").answer()
    assert refused.value.code == "MissingSetting"
    assert "CLOUD_REGION" in refused.value.data["advice"]
    half = await home.connect(variables={"CLOUD_REGION": "eu-1"})
    with pytest.raises(Refused) as refused:
        await half.chat("cloud:m").answer()
    assert (refused.value.code, "AWS_ACCESS_KEY_ID" in refused.value.data["advice"]) == ("MissingKey", True)
    for region in ("eu-1", "us-2"):
        editor = await home.connect(variables={"CLOUD_REGION": region, **AWS_KEYS})
        listed = await provider_of(editor, "cloud")
        assert listed["baseUrl"] == f"{upstream.base_url}/model/x%3A0/{region}"
        assert (listed["state"], listed["auth"]["keys"]) == ("active", 1)
        result = await editor.chat("cloud:count:1").answer()
        assert result["account"] == "AKIDEXA…"
        request = upstream.requests[-1]
        assert request.target.startswith(f"/v1/model/x%3A0/{region}/")
        day = (request.header("x-amz-date") or "")[:8]
        signed = request.header("authorization") or ""
        assert f"Credential=AKIDEXAMPLE0123/{day}/{region}/bedrock/aws4_request" in signed
    editor = await home.connect(variables={"CLOUD_REGION": "eu-1", **AWS_KEYS})
    found = await editor.call("pointsman/getProvider", {"provider": "cloud"})
    assert found["origins"]["parameters.region.value"] == "environment"
    assert "template" not in found["values"]
    told = await editor.call("pointsman/testProvider", {"provider": "cloud", "key": "not-a-key"})
    assert "https alone" in told["error"]["message"]


async def test_a_variable_that_can_t_stand_in_a_url_is_told(home: Home, upstream: Upstream) -> None:
    home.configure("[providers.cloud]" + CLOUD.format(place=upstream.base_url))
    editor = await home.connect(variables={"CLOUD_REGION": "../evil", **AWS_KEYS})
    told = await editor.told("pointsman/configProblem", lambda params: params["file"] == "environment")
    assert "CLOUD_REGION" in str(told)
    with pytest.raises(Refused) as refused:
        await editor.chat("cloud:m").answer()
    assert refused.value.code in {"UnknownProvider", "UnknownModel"}
    assert upstream.requests == []


async def test_other_values_of_a_parameter_are_tried_before_they_are_saved(home: Home, upstream: Upstream) -> None:
    text = 'base_url = "{endpoint}/v1"\nauth.scheme = "none"\nparameters.endpoint = { format = "url" }'
    home.configure(f"[providers.office]\n{text}\n")
    editor = await home.connect()
    values = {"parameters": {"endpoint": {"value": upstream.base_url.removesuffix("/v1")}}}
    await editor.call("pointsman/setProvider", {"provider": "office", "values": values})
    assert (await provider_of(editor, "office"))["baseUrl"] == upstream.base_url
    await editor.chat("office:count:1").answer()


async def test_an_address_that_is_open_may_be_said_once_with_the_key(home: Home, upstream: Upstream) -> None:
    editor = await home.connect(variables={"AZURE_OPENAI_API_KEY": KEY})

    async def say(place: Upstream) -> Any:
        place.script("/openai/v1/models", Reply(b'{"data": [{"id": "m"}]}'))
        endpoint = {"endpoint": {"value": place.base_url.removesuffix("/v1")}}
        return await editor.call("pointsman/setProvider", {"provider": "azure", "values": {"parameters": endpoint}})

    await say(upstream)
    assert upstream.request(0).header("api-key") == KEY
    await editor.told("pointsman/providersChanged", lambda told: "azure" in told["changed"])
    with serving() as elsewhere:
        await say(elsewhere)
        assert elsewhere.request(0).header("api-key") is None


async def test_results_of_tools_go_where_each_provider_wants_them(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    editor = await home.connect()
    call = {"type": "toolCall", "id": "a", "name": "f", "arguments": {}}
    messages = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": "go on"},
    ]
    chat = editor.chat("up:count:1", messages=messages)
    await chat.answer()
    sent = json.loads(upstream.request(0).body)["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "user"]
    explained = await editor.call("pointsman/explainRoute", {"model": "up:count:1", "messages": messages})
    notices = explained["targets"][0]["notices"]
    assert notices[0]["about"] == "toolCall"
    assert [{"type": "notice", **notice} for notice in notices] == chat.all("notice")
