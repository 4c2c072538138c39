"""`testProvider`: that a provider is there, lets us in and speaks its dialect; and what a key is never sent to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.counterparts.aimock import AImock
from tests.counterparts.llama import Llama
from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream, serving
from tests.daemon.client import Editor, Refused
from tests.living import Home, provider

KEY, TYPED = "canary-key-0c44", "canary-typed-key-e1"
CORP = 'auth = { scheme = "bearer", env = "CORP_LLM_KEY" }'


@pytest.fixture
def elsewhere() -> Iterator[Upstream]:
    """A server that nobody has configured, and that remembers all that it is sent."""
    with serving() as server:
        yield server


async def tried(editor: Editor, id: str = "corp", **more: object) -> dict[str, Any]:
    answer: dict[str, Any] = await editor.call("pointsman/testProvider", {"provider": id, **more}, within=20)
    assert answer["ok"] == ("error" not in answer)
    if not answer["ok"]:
        assert answer["error"]["advice"]
        assert answer["error"]["provider"] == id
        assert not {KEY, TYPED} & set(str(answer).replace("'", " ").split())
        assert KEY not in str(answer)
        assert TYPED not in str(answer)
    return answer


# What it finds


async def test_one_that_works(home: Home, upstream: Upstream) -> None:
    home.configure(provider("corp", upstream.base_url, CORP))
    editor = await home.connect(variables={"CORP_LLM_KEY": KEY})
    answer = await tried(editor)
    assert (answer["ok"], answer["models"]) == (True, 3)
    assert 0 <= answer["milliseconds"] < 5000
    (request,) = upstream.requests
    assert (request.method, request.target) == ("GET", "/v1/models")
    assert request.header("authorization") == f"Bearer {KEY}"


async def test_a_real_model_server_and_an_imitation(home: Home, llama: Llama, aimock: AImock) -> None:
    home.configure(
        provider("llama", llama.base_url)
        + provider("mock", aimock.base_url)
        + provider("mock-ollama", aimock.origin, 'wire = "ollama-chat"', 'auth = { scheme = "none" }')
    )
    editor = await home.connect()
    for id in ("llama", "mock", "mock-ollama", "echo"):
        assert (await tried(editor, id))["ok"], id


FAILURES: dict[str, tuple[Reply | None, str, int | None, str]] = {
    "a wrong key": (
        Reply(b'{"error": {"message": "Bad key: %b"}}' % KEY.encode(), status=401), "InvalidKey", 401, "Bad key"),
    "no right to it": (Reply(b'{"error": "no"}', status=403), "InvalidKey", 403, "no"),
    "nothing there": (Reply(b"<html>404</html>", status=404), "BadReply", 404, "/v1/models (HTTP 404)"),
    "nothing there, in JSON": (Reply(b'{"detail": "Not Found"}', status=404), "BadReply", 404, "/v1/models (HTTP 404)"),
    "too often": (Reply(b"{}", status=429, headers={"retry-after": "7"}), "RateLimited", 429, "429"),
    "trouble": (Reply(b"oops", status=500), "Overloaded", 500, "500"),
    "a page for people": (Reply(b"<html>Welcome</html>"), "BadReply", None, "can't be read"),
    "another dialect": (Reply(b'{"tags": [{"name": "m"}]}'), "BadReply", None, "can't be read"),
    "half an answer": (Reply(b'{"data": []}' * 99, cut=5), "Interrupted", None, "broke"),
    "a way elsewhere": (Reply(status=302, headers={"location": "http://127.0.0.1:9/"}), "BadReply", 302, "302"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILURES)
async def test_what_is_wrong_is_named(home: Home, upstream: Upstream, case: str) -> None:
    reply, code, status, words = FAILURES[case]
    assert reply
    upstream.script("/v1/models", reply)
    home.configure(provider("corp", upstream.base_url, CORP))
    editor = await home.connect(variables={"CORP_LLM_KEY": KEY})
    error = (await tried(editor))["error"]
    assert (error["code"], error.get("statusCode")) == (code, status)
    assert words in error["message"]
    assert error.get("retryAfter") == (7.0 if code == "RateLimited" else None)


async def test_nobody_is_there(home: Home) -> None:
    home.configure(
        provider("corp", "http://127.0.0.1:9/v1")
        + provider("lost", "http://no-such-host.invalid/v1")
        + provider("keyless", "http://127.0.0.1:9/v1", CORP)
    )
    editor = await home.connect()
    for id, code, words in (
        ("corp", "ConnectFailed", "127.0.0.1:9"),
        ("lost", "ConnectFailed", "no-such-host.invalid"),
        ("keyless", "MissingKey", "no key"),
    ):
        error = (await tried(editor, id))["error"]
        assert error["code"] == code
        assert words in error["message"]
    with pytest.raises(Refused) as caught:
        await editor.call("pointsman/testProvider", {"provider": "copr"})
    assert caught.value.data["advice"]


async def test_one_that_nobody_has_defined(home: Home) -> None:
    editor = await home.connect()
    with pytest.raises(Refused, match="'nope'") as refused:
        await editor.call("pointsman/testProvider", {"provider": "nope"})
    assert refused.value.code == "UnknownProvider"


async def test_one_that_never_answers(home: Home, upstream: Upstream) -> None:
    upstream.script("/v1/models", Reply(b"{}" * 100, chunk=1, delay=0.2))
    home.configure(provider("corp", upstream.base_url))
    await home.serve("pointsman.service.testing.WITHIN = 0.5")
    editor = await home.connect()
    error = (await tried(editor))["error"]
    assert (error["code"], "0.5 seconds" in error["message"]) == ("TimedOut", True)


async def test_nothing_is_changed_by_it(home: Home, upstream: Upstream) -> None:
    home.configure(provider("corp", "http://127.0.0.1:9/v1", CORP))
    editor = await home.connect()
    before = home.file.read_bytes()
    assert (await tried(editor, baseUrl=upstream.base_url, key=TYPED))["ok"]
    assert home.file.read_bytes() == before
    assert not (await tried(editor))["ok"]
    await home.end()
    assert not any(TYPED.encode() in file.read_bytes() for file in home.data.iterdir())


# Where a key goes


async def test_a_typed_key_is_used_this_once(home: Home, upstream: Upstream, elsewhere: Upstream) -> None:
    home.configure(provider("corp", upstream.base_url, CORP))
    editor = await home.connect(variables={"CORP_LLM_KEY": KEY})
    await tried(editor, key=TYPED)
    await tried(editor, key=TYPED, baseUrl=elsewhere.base_url)
    await tried(editor)
    assert [r.header("authorization") for r in upstream.requests] == [f"Bearer {TYPED}", f"Bearer {KEY}"]
    assert [r.header("authorization") for r in elsewhere.requests] == [f"Bearer {TYPED}"]


SECRETS = {
    "by a variable": (CORP, {"CORP_LLM_KEY": KEY}),
    "by a list of keys": ('keys = ["env:A", "env:B"]', {"A": KEY, "B": KEY + "-b"}),
    "in the file": (f'keys = ["{KEY}"]', {}),
    "as a header of its own": ('auth = { scheme = "header", header = "x-corp", env = "A" }', {"A": KEY}),
    "as any header": (f'headers = {{ Authorization = "Basic {KEY}", Cookie = "{KEY}" }}', {}),
    "as any header by a variable": ("", {"CORP_CUSTOM_HEADER_X_SECRET": KEY}),
}


@pytest.mark.parametrize("case", SECRETS)
async def test_a_configured_key_never_goes_to_another_origin(
    home: Home, upstream: Upstream, elsewhere: Upstream, case: str
) -> None:
    line, variables = SECRETS[case]
    home.configure(provider("corp", upstream.base_url, *([line] if line else ["max_retries = 0"])))
    editor = await home.connect(variables=variables)
    assert (await tried(editor))["ok"]
    assert KEY in str(upstream.requests[0].headers), "where it belongs, it goes"
    port = elsewhere.base_url.rpartition(":")[2].removesuffix("/v1")
    for url in (elsewhere.base_url, f"http://localhost:{port}/v1"):
        await tried(editor, baseUrl=url)
    assert elsewhere.requests
    assert KEY not in str([request.headers for request in elsewhere.requests])
    same = upstream.base_url.removesuffix("/v1") + "/other"
    upstream.script("/other/models", Reply(json.dumps({"data": []}).encode()))
    await tried(editor, baseUrl=same)
    assert KEY in str(upstream.requests[-1].headers), "the same origin, elsewhere on it"


async def test_to_save_another_origin_sends_no_key_there(home: Home, upstream: Upstream, elsewhere: Upstream) -> None:
    home.configure(provider("corp", upstream.base_url, CORP, 'headers = { X-Secret = "canary-header" }'))
    editor = await home.connect(variables={"CORP_LLM_KEY": KEY})
    values = {"base_url": elsewhere.base_url, "headers": {"X-New": "typed"}}
    await editor.call("pointsman/setProvider", {"provider": "corp", "values": values})
    (request,) = elsewhere.requests
    assert (request.header("authorization"), request.header("x-secret")) == (None, None)
    assert request.header("x-new") == "typed"


async def test_a_new_provider_is_tried_with_the_key_that_it_names(home: Home, upstream: Upstream) -> None:
    editor = await home.connect(variables={"CORP_LLM_KEY": KEY})
    values = {"base_url": upstream.base_url, "auth": {"scheme": "bearer", "env": "CORP_LLM_KEY"}}
    await editor.call("pointsman/setProvider", {"provider": "corp", "values": values})
    (request,) = upstream.requests
    assert request.header("authorization") == f"Bearer {KEY}"
    assert KEY not in home.file.read_text()
