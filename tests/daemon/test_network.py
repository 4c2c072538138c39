"""The way through the network as a person configures it: CAs, client certificates, proxies; changed while it runs."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.counterparts.certificates import Authority
from tests.counterparts.proxy import proxying
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, Refused, text_of
from tests.edge.http_asking import answering
from tests.living import Home, provider

CANARY = "canary-of-a-proxys-password"
BODY = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"


@asynccontextmanager
async def secure(context: ssl.SSLContext) -> AsyncIterator[str]:
    """A provider behind TLS; gives its base URL."""
    async with answering(HEAD % len(BODY) + BODY, context) as port:
        yield f"https://localhost:{port}/v1"


async def says(editor: Editor, model: str = "corp:m") -> str:
    return text_of(await editor.chat(model).answer())


async def refusal(editor: Editor, model: str = "corp:m") -> Refused:
    with pytest.raises(Refused) as refused:
        await editor.chat(model).answer()
    return refused.value


async def reconfigured(home: Home, editor: Editor, toml: str) -> None:
    home.configure(toml)
    await editor.call("pointsman/reloadConfig")


async def test_a_corporate_ca_is_trusted_once_it_is_configured(home: Home) -> None:
    authority = Authority(home.folder / "ca")
    async with secure(authority.server()) as url:
        home.configure(provider("corp", url))
        editor = await home.connect()
        refused = await refusal(editor)
        assert (refused.code, "[network]" in refused.data["advice"]) == ("BadCertificate", True)
        await reconfigured(home, editor, f'[network]\nca = "{authority.file}"\n' + provider("corp", url))
        assert await says(editor) == "hi"
        own = f'tls = {{ ca = "~/ca/{authority.file.name}" }}'
        await reconfigured(home, editor, provider("corp", url, 'auth = { scheme = "none" }', own))
        assert await says(editor) == "hi"
        await reconfigured(home, editor, provider("corp", url))
        assert (await refusal(editor)).code == "BadCertificate"
        tested = await editor.call("pointsman/testProvider", {"provider": "corp"})
        assert tested["error"]["code"] == "BadCertificate"


async def test_a_client_certificate(home: Home) -> None:
    authority = Authority(home.folder / "ca")
    mine = authority.pair("me")
    async with secure(authority.server(authority)) as url:
        both = f'tls = {{ ca = "{authority.file}", certificate = "{mine.certificate}", key = "{mine.key}" }}'
        home.configure(provider("corp", url, 'auth = { scheme = "none" }', both))
        editor = await home.connect()
        assert await says(editor) == "hi"
        shown = await editor.call("pointsman/getProvider", {"provider": "corp"})
        assert shown["values"]["tls"] == {
            "ca": str(authority.file),
            "certificate": str(mine.certificate),
            "key": str(mine.key),
        }
        assert "network" not in shown["values"]


async def test_a_file_that_is_not_there_is_told_with_its_line(home: Home) -> None:
    file = home.folder / "ca.pem"
    toml = f'\n[network]\nca = "{file}"\n' + provider("corp", "https://localhost:1/v1", "max_retries = 0")
    home.configure(toml)
    editor = await home.connect()
    problem = await editor.told("pointsman/configProblem")
    assert (problem["file"], problem["line"]) == (str(home.file), 3)
    assert f"`network.ca`: {file} can't be read: No such file" in problem["message"]
    refused = await refusal(editor)
    assert (refused.code, str(file) in refused.message) == ("BadCertificate", True)
    file.write_bytes(Authority(home.folder / "ca").file.read_bytes())
    assert (await refusal(editor)).code == "ConnectFailed", "it counts as soon as it is there"
    other = await home.connect()
    await other.status()
    assert not other.notifications("pointsman/configProblem")


async def test_a_proxy_with_a_password_that_nobody_reads(home: Home, upstream: Upstream) -> None:
    home.environment["POINTSMAN_LOG_LEVEL"] = "DEBUG"
    port = int(upstream.base_url.split(":")[2].split("/")[0])
    async with proxying(port, f"me:{CANARY}") as proxy:
        url, place = proxy.url.replace("//", f"//me:{CANARY}@"), "http://llm.invalid/v1"
        home.configure(f'[network]\nproxy = "{url}"\n' + provider("corp", place))
        editor = await home.connect()
        assert await says(editor, "corp:count:2") == "0 1 "
        assert proxy.asked[0].startswith("POST http://llm.invalid/v1/chat/completions HTTP/1.1\r\n")
        assert upstream.request(0).header("proxy-authorization"), "this one passes on all that it is told"
        config = await editor.call("pointsman/getConfig")
        assert config["values"]["network"]["proxy"] == proxy.url.replace("//", "//…@")
        await reconfigured(home, editor, f'[network]\nproxy = "{url}x"\n' + provider("corp", place))
        wrong = url.replace("//me:", "//them:")
        await reconfigured(home, editor, provider("corp", place, f'proxy = "{wrong}"', 'auth = { scheme = "none" }'))
        refused = await refusal(editor, "corp:count:2")
        assert (refused.code, "HTTP 407" in refused.message) == ("ConnectFailed", True)
        shown = await editor.call("pointsman/getProvider", {"provider": "corp"})
        assert shown["values"]["proxy"] == proxy.url.replace("//", "//…@")
        await reconfigured(
            home, editor, f'[network]\nproxy = "{url}"\nno_proxy = ["invalid"]\n' + provider("corp", place)
        )
        assert "no address for the name llm.invalid" in (await refusal(editor)).message
    assert CANARY not in str([*editor.heard, *await home.whole_log()])


async def test_a_stream_goes_on_when_its_way_is_changed(home: Home, upstream: Upstream) -> None:
    async with proxying(int(upstream.base_url.split(":")[2].split("/")[0])) as proxy:
        lines = ('auth = { scheme = "none" }', f'proxy = "{proxy.url}"')
        home.configure(provider("up", upstream.base_url, *lines))
        editor = await home.connect()
        chat = editor.chat("up:drip:20:0.02")
        await chat.seen("text")
        await reconfigured(home, editor, provider("up", upstream.base_url))
        assert await says(editor, "up:count:1") == "0 "
        assert len(proxy.asked) == 1, "the second went straight"
        await chat.answer()
        assert chat.text.split() == [str(number) for number in range(20)]


async def test_a_project_can_not_lead_anywhere(home: Home, upstream: Upstream) -> None:
    home.configure(provider("up", upstream.base_url))
    async with proxying(1) as proxy:
        (home.workspace / ".pointsman.toml").write_text(f'[network]\nproxy = "{proxy.url}"\nca = "/x.pem"\n')
        home.run("trust", "--yes", str(home.workspace))
        editor = await home.connect()
        problem = await editor.told("pointsman/configProblem")
        assert "`network` can't be set by a project" in problem["message"] or "not trusted" in problem["message"]
        assert await says(editor, "up:count:1") == "0 "
        assert (await editor.call("pointsman/getConfig"))["values"]["network"] == {}
        assert proxy.asked == []


async def test_a_client_certificate_is_not_shown_at_an_address_that_is_only_tried(home: Home) -> None:
    authority = Authority(home.folder / "ca")
    both = authority.pair("me").both
    lines = ('auth = { scheme = "none" }', f'tls = {{ ca = "{authority.file}", certificate = "{both}" }}')
    async with secure(authority.server(authority)) as own, secure(authority.server(authority)) as other:
        home.configure(provider("corp", own, *lines))
        editor = await home.connect()
        assert await says(editor) == "hi"
        tried = {"provider": "corp", "say": True, "model": "m"}
        tested = await editor.call("pointsman/testProvider", tried | {"baseUrl": other})
        reached = [step["outcome"] for step in tested["steps"] if step["step"] == "reach"]
        assert reached != ["ok"]
        assert not tested["ok"]
