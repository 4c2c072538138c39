"""`testProvider`, step by step: what was proved, what could not be, and for each failure its cause and its remedy."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.counterparts import scripts
from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream, serving
from tests.daemon.client import Editor, Refused
from tests.living import Home, provider

KEY = "canary-key-5f20"
CORP = 'auth = { scheme = "bearer", env = "CORP_LLM_KEY" }'
SAYS_YES = b'data: {"choices":[{"delta":{"content":"yes"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
LIST = Reply(b'{"data": [{"id": "count:2"}]}')


async def tried(editor: Editor, id: str = "corp", **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await editor.call("pointsman/testProvider", {"provider": id, **more}, within=20)
    assert KEY not in str(answer)
    return answer


async def corp(home: Home, base_url: str, *lines: str) -> Editor:
    """An editor with one provider that wants a key, and the key."""
    home.configure(provider("corp", base_url, CORP, *lines))
    return await home.connect(variables={"CORP_LLM_KEY": KEY})


def steps(answer: dict[str, Any]) -> list[tuple[str, str]]:
    assert all(step["milliseconds"] >= 0 for step in answer["steps"])
    return [(step["step"], step["outcome"]) for step in answer["steps"]]


GOOD = [("reach", "ok"), ("authenticate", "ok"), ("list", "ok")]


# What is proved


async def test_the_list_proves_the_key(home: Home, upstream: Upstream) -> None:
    answer = await tried(await corp(home, upstream.base_url))
    assert steps(answer) == GOOD
    assert len(upstream.requests) == 1


async def test_a_list_that_anybody_gets_proves_no_key(home: Home, upstream: Upstream) -> None:
    editor = await corp(home, upstream.base_url, 'model_list = "public"')
    answer = await tried(editor)
    assert steps(answer) == [("reach", "ok"), ("list", "ok"), ("authenticate", "skipped")]
    assert "its list of models is for anybody" in answer["steps"][-1]["detail"]
    answer = await tried(editor, model="count:1")
    assert steps(answer) == [("reach", "ok"), ("list", "ok"), ("authenticate", "ok"), ("say", "ok")]


async def test_a_health_check_of_its_own_proves_it(home: Home, upstream: Upstream) -> None:
    editor = await corp(home, upstream.base_url, 'model_list = "public"', 'health_check = "key"')
    upstream.script("/v1/key", Reply(b"{}"))
    assert steps(await tried(editor)) == GOOD
    assert [request.target for request in upstream.requests] == ["/v1/key", "/v1/models"]
    assert upstream.requests[0].header("authorization") == f"Bearer {KEY}"
    upstream.script("/v1/key", Reply(b"{}", status=401))
    answer = await tried(editor)
    assert steps(answer) == [("reach", "ok"), ("authenticate", "failed")]
    assert answer["error"]["code"] == "InvalidKey"
    upstream.script("/v1/key", Reply(status=404))
    assert "nothing at " in (await tried(editor))["error"]["message"]


async def test_one_without_a_list_and_without_a_key(home: Home, upstream: Upstream) -> None:
    lines = (CORP, 'model_list = "none"', 'models = ["count:1", "b"]')
    home.configure(provider("corp", upstream.base_url, *lines) + provider("open", upstream.base_url))
    editor = await home.connect(variables={"CORP_LLM_KEY": KEY})
    answer = await tried(editor)
    assert (answer["ok"], answer["models"]) == (True, 2)
    assert steps(answer) == [("reach", "ok"), ("list", "skipped"), ("authenticate", "skipped")]
    assert upstream.requests[0].header("authorization") is None, "a key is said where it is wanted, and nowhere else"
    answer = await tried(editor, say=True)
    assert steps(answer) == [("list", "skipped"), ("reach", "ok"), ("authenticate", "ok"), ("say", "ok")]
    assert len(upstream.requests) == 2
    answer = await tried(editor, "open")
    assert steps(answer) == [("reach", "ok"), ("list", "ok")], "where there is no key, none is spoken of"


async def test_a_model_says_a_word(home: Home, upstream: Upstream) -> None:
    editor = await corp(home, upstream.base_url, 'default_model = "short"', 'aliases = { short = "count:2" }')
    answer = await tried(editor, say=True)
    assert answer["steps"][-1]["detail"] == "short: 0 1"
    asked = upstream.requests[-1].json
    assert (asked["model"], len(asked["messages"])) == ("count:2", 1)
    assert 0 < asked["max_tokens"] <= 100
    answer = await tried(editor, model="count:1")
    assert answer["steps"][-1]["detail"] == "count:1: 0"
    for model, code in (("status:404", "ModelNotFound"), ("status:402", "QuotaExhausted"), ("cut:1", "Interrupted")):
        answer = await tried(editor, model=model)
        assert (answer["ok"], steps(answer)[-1]) == (False, ("say", "failed"))
        assert answer["error"]["code"] == code
    answer = await tried(editor, model="status:401")
    assert steps(answer)[-1] == ("authenticate", "failed")


async def test_a_word_of_a_model_ends_what_was_held_against_it(home: Home, upstream: Upstream) -> None:
    editor = await corp(home, upstream.base_url, "max_retries = 0", 'default_model = "count:1"')
    upstream.script("/v1/chat/completions", scripts.error(503, "Full.", {"retry-after": "100"}))
    with pytest.raises(Refused, match="Full"):
        await editor.chat("corp:count:1").answer()
    upstream.script("/v1/chat/completions", Reply(SAYS_YES, headers={"content-type": "text/event-stream"}))
    assert (await tried(editor))["ok"]
    with pytest.raises(Refused, match="cooling until"):
        await editor.chat("corp:count:1").answer()
    assert (await tried(editor, say=True))["ok"]
    assert (await editor.chat("corp:count:1").answer())["stopReason"] == "end"


async def test_the_first_listed_model_answers_where_none_is_configured(home: Home, upstream: Upstream) -> None:
    editor = await corp(home, upstream.base_url)
    upstream.script("/v1/models", LIST)
    assert (await tried(editor, say=True))["steps"][-1]["detail"] == "count:2: 0 1"
    upstream.script("/v1/models", Reply(f'{{"data": [{{"id": "{KEY}"}}, {{"id": "count:1"}}]}}'.encode()))
    answer = await tried(editor, say=True)
    assert (answer["models"], answer["steps"][-1]["detail"]) == (1, "count:1: 0")
    upstream.script("/v1/models", Reply(b'{"data": []}'))
    answer = await tried(editor, say=True)
    assert (answer["error"]["code"], "lists none" in answer["error"]["message"]) == ("ConfigError", True)


async def test_keys_may_come_as_for_a_chat(home: Home, upstream: Upstream) -> None:
    editor = await corp(home, upstream.base_url)
    await tried(editor, credentials={"corp": "canary-given", "other": "canary-other"})
    await tried(editor, credentials={"corp": " canary-trimmed\n"})
    await tried(editor, key=" \n", credentials={"corp": ""})
    keys = [request.header("authorization") for request in upstream.requests]
    assert keys == ["Bearer canary-given", "Bearer canary-trimmed", f"Bearer {KEY}"]


# What is wrong, and what to do


async def refused(editor: Editor, words: str, **more: Any) -> dict[str, Any]:
    """The answer of a test that failed, whose cause or remedy has these words."""
    answer = await tried(editor, **more)
    assert not answer["ok"]
    assert words in f"{answer['error']['message']} {answer['error']['advice']}"
    assert steps(answer)[-1][1] == "failed"
    return answer


@pytest.mark.parametrize("wrong", ["", "/v1/chat/completions", "/v1/models"])
async def test_a_wrong_base_url_is_put_right(home: Home, upstream: Upstream, wrong: str) -> None:
    origin = upstream.base_url.removesuffix("/v1")
    for path in ("/models", "/v1/chat/completions/models", "/v1/models/models"):
        upstream.script(path, Reply(status=404))
    editor = await corp(home, origin + wrong)
    await refused(editor, f"It answers at {upstream.base_url}: set `base_url` to that.")
    answer = await tried(editor, baseUrl=upstream.base_url)
    assert answer["ok"]


async def test_a_version_too_many(home: Home, upstream: Upstream) -> None:
    upstream.script("/v1/models", Reply(status=404))
    upstream.script("/models", LIST)
    await refused(await corp(home, upstream.base_url), f"answers at {upstream.base_url.removesuffix('/v1')}:")


async def test_a_base_url_that_nothing_is_like(home: Home, upstream: Upstream) -> None:
    for path in ("/v1/models", "/models"):
        upstream.script(path, Reply(b"<html>", status=404))
    lines = ('links = { docs = "https://corp.example/docs" }',)
    answer = await refused(await corp(home, upstream.base_url, *lines), "most end in a version, such as /v1")
    assert "https://corp.example/docs" in answer["error"]["advice"]
    assert steps(answer) == [("reach", "ok"), ("list", "failed")]
    upstream.script("/models", Reply(b"Welcome"))
    await refused(await home.connect(variables={"CORP_LLM_KEY": KEY}), "Check `wire` too, which is openai-chat")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed_and_says_where_to(home: Home, upstream: Upstream, status: int) -> None:
    with serving() as elsewhere:
        location = f"{elsewhere.base_url}/models?page=1"
        upstream.script("/v1/models", Reply(status=status, headers={"location": location}))
        editor = await corp(home, upstream.base_url)
        answer = await refused(editor, f"Set `base_url` to {elsewhere.base_url}, if you trust that address.")
        assert answer["error"]["statusCode"] == status
        upstream.script("/v1/models", Reply(status=status, headers={"location": "/sign-in"}))
        await refused(editor, f"it leads to {upstream.base_url.removesuffix('/v1')}/sign-in")
        upstream.script("/v1/models", Reply(status=status))
        await refused(editor, "does not name the other address")
        assert elsewhere.requests == []


async def test_a_redirect_of_one_without_a_list(home: Home, upstream: Upstream) -> None:
    upstream.script("/v1", Reply(status=308, headers={"location": "https://new.corp.example/v1"}))
    await refused(await corp(home, upstream.base_url, 'model_list = "none"'), "https://new.corp.example/v1")


async def test_a_service_that_is_no_more(home: Home, upstream: Upstream) -> None:
    upstream.script("/v1/models", Reply(b"{}", status=410))
    answer = await refused(await corp(home, upstream.base_url), "has withdrawn what was at")
    assert answer["error"]["statusCode"] == 410
    assert "another base URL or provider" in answer["error"]["advice"]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_of_another_region(home: Home, upstream: Upstream, status: int) -> None:
    upstream.script("/v1/models", Reply(b"{}", status=status))
    editor = await corp(home, upstream.base_url, 'key_hint = "Its keys are per region."')
    answer = await refused(editor, "Its keys are per region.")
    assert steps(answer) == [("reach", "ok"), ("authenticate", "failed")]


async def test_a_name_that_nobody_has(home: Home) -> None:
    answer = await refused(await corp(home, "http://no-such-host.invalid/v1"), "no address for the name no-such-host")
    assert "Check the spelling of `base_url`" in answer["error"]["advice"]
    assert steps(answer) == [("reach", "failed")]


@contextmanager
def saying(words: bytes) -> Iterator[str]:
    """A server that says that to everybody, whatever they say; gives its host and port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(words)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize(
    ("scheme", "words", "said"),
    [
        ("http", b"220 mail.example ESMTP\r\n", "is not HTTP"),
        ("http", b"", "closed the connection"),
        ("https", b"HTTP/1.1 400 Bad Request\r\n\r\n", "begin the provider's `base_url` with http://"),
    ],
)
async def test_whoever_speaks_something_else(home: Home, scheme: str, words: bytes, said: str) -> None:
    with saying(words) as where:
        answer = await refused(await corp(home, f"{scheme}://{where}/v1"), said)
    assert steps(answer) == [("reach", "failed")]


async def test_no_key_at_all(home: Home, upstream: Upstream) -> None:
    home.configure(provider("corp", upstream.base_url, CORP))
    answer = await refused(await home.connect(), "CORP_LLM_KEY")
    assert (steps(answer), upstream.requests) == ([("authenticate", "failed")], [])


async def test_a_model_that_says_nothing(home: Home, upstream: Upstream) -> None:
    home.configure(provider("corp", upstream.base_url, CORP))
    await home.serve("pointsman.service.testing.ANSWER_WITHIN = 0.3")
    answer = await refused(await home.connect(variables={"CORP_LLM_KEY": KEY}), "0.3 seconds", model="stall")
    assert (answer["error"]["code"], steps(answer)[-1]) == ("TimedOut", ("say", "failed"))


async def test_no_word_and_no_second_path_sends_a_key_elsewhere(home: Home, upstream: Upstream) -> None:
    """What looks for a better base URL, and what has a model answer, keep the rule as well."""
    editor = await corp(home, upstream.base_url, 'default_model = "count:1"')
    with serving() as elsewhere:
        origin = elsewhere.base_url.removesuffix("/v1")
        elsewhere.script("/models", Reply(status=404))
        await tried(editor, baseUrl=origin, say=True)
        await tried(editor, baseUrl=elsewhere.base_url, say=True)
        assert [request.path for request in elsewhere.requests][-1] == "/v1/chat/completions"
        assert KEY not in str([request.headers for request in elsewhere.requests])


async def test_many_are_tried_at_once(home: Home, upstream: Upstream) -> None:
    """One after the other, they would share a connection."""
    names = [f"p{number}" for number in range(6)]
    upstream.script("/v1/models", Reply(b'{"data": []}', chunk=6, delay=0.3))
    home.configure("".join(provider(name, upstream.base_url) for name in names))
    editor = await home.connect()
    for request in [editor.begin("pointsman/testProvider", {"provider": name}) for name in names]:
        assert (await request.answer())["ok"]
    assert len({request.connection for request in upstream.requests}) == len(names)
