"""The counterparts themselves: each starts, streams a chat to a plain HTTP client, and sees what it must.

It must never import Pointsman: what fails here is not Pointsman's fault.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.counterparts.aimock import AImock
from tests.counterparts.llama import Llama, serving
from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream

NOTICED_WITHIN = 0.1  # seconds


Asked = tuple[HTTPConnection, HTTPResponse]
"""A chat that has begun; whoever asked closes the connection."""


def ask(base_url: str, model: str, text: str = "say hello", **options: Any) -> Asked:
    """Begin a streamed chat."""
    url = urlsplit(base_url)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=10)
    chat = {"model": model, "stream": True, "messages": [{"role": "user", "content": text}], **options}
    headers = {"Content-Type": "application/json", "Authorization": "Bearer key-1"}
    connection.request("POST", f"{url.path}/chat/completions", json.dumps(chat), headers)
    return connection, connection.getresponse()


def events(answer: HTTPResponse) -> Iterator[dict[str, Any]]:
    """The JSON of each server-sent event, up to `[DONE]`."""
    for line in answer:
        if line.startswith(b"data: {"):
            yield json.loads(line.removeprefix(b"data: "))
        elif line.startswith(b"data: [DONE]"):
            return
    raise EOFError("the stream has no [DONE]")


def said(answer: HTTPResponse, kind: str = "content") -> str:
    """All text of that kind in a stream."""
    deltas = (choice["delta"] for event in events(answer) for choice in event["choices"])
    return "".join(delta.get(kind) or "" for delta in deltas)


def test_llama_streams_and_counts(llama: Llama) -> None:
    options: dict[str, Any] = {"max_tokens": 20, "stream_options": {"include_usage": True}}
    connection, answer = ask(llama.base_url, llama.model, **options)
    with closing(connection):
        assert answer.status == 200
        *_, last = events(answer)
    assert 0 < last["usage"]["completion_tokens"] <= 20
    assert llama.busy() == 0


def test_llama_stops_when_the_client_goes(llama: Llama) -> None:
    connection, answer = ask(llama.base_url, llama.model, ignore_eos=True)
    with closing(connection), closing(answer):
        answer.readline()
        assert llama.busy() == 1
    deadline = time.monotonic() + 5
    while llama.busy():
        assert time.monotonic() < deadline


def test_llama_thinks_when_its_template_does(tmp_path: Path) -> None:
    with serving(tmp_path, thinks=True) as llama:
        connection, answer = ask(llama.base_url, llama.model, max_tokens=20)
        with closing(connection):
            assert said(answer, "reasoning_content")


def test_aimock_streams_and_remembers(aimock: AImock) -> None:
    connection, answer = ask(aimock.base_url, "gpt-4o")
    with closing(connection):
        assert said(answer) == "Hello! This is aimock."
    (entry,) = aimock.journal()
    assert (entry["path"], entry["body"]["model"]) == ("/v1/chat/completions", "gpt-4o")


@pytest.mark.parametrize("run", [1, 2])
def test_aimock_starts_over_for_each_test(aimock: AImock, run: int) -> None:
    for status in (503, 200):
        connection, answer = ask(aimock.base_url, "gpt-4o", "second time lucky")
        with closing(connection):
            assert answer.status == status
    assert len(aimock.journal()) == 2


def test_aimock_asks_to_wait(aimock: AImock) -> None:
    connection, answer = ask(aimock.base_url, "gpt-4o", "too often")
    with closing(connection):
        assert (answer.status, answer.getheader("retry-after")) == (429, "3")


def test_aimock_refuses_what_is_not_written(aimock: AImock) -> None:
    connection, answer = ask(aimock.base_url, "gpt-4o", "what nobody wrote down")
    with closing(connection):
        assert answer.status >= 400


def test_upstream_counts(upstream: Upstream) -> None:
    connection, answer = ask(upstream.base_url, "count:1234")
    with closing(connection):
        assert said(answer).split() == [str(n) for n in range(1234)]
    request = upstream.request(0)
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.header("Authorization") == "Bearer key-1"
    assert request.json["messages"] == [{"role": "user", "content": "say hello"}]
    upstream.closed_at(0)


def test_upstream_is_fast_enough_to_measure_others(upstream: Upstream) -> None:
    began = time.monotonic()
    connection, answer = ask(upstream.base_url, "count:200000")
    with closing(connection):
        size = len(answer.read())
    assert size > 200_000 * 100
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("model", ["drip:1000:0.02", "silent:60", "late:60", "stall", "count:10000000"])
def test_upstream_sees_the_client_go(upstream: Upstream, model: str) -> None:
    url = urlsplit(upstream.base_url)
    connection = HTTPConnection(url.hostname or "", url.port)
    chat = {"model": model, "stream": True}
    connection.request("POST", f"{url.path}/chat/completions", json.dumps(chat))
    upstream.request(0)
    closed = time.monotonic()
    connection.close()
    assert 0 <= upstream.closed_at(0) - closed < NOTICED_WITHIN


def test_upstream_does_not_see_what_did_not_happen(upstream: Upstream) -> None:
    connection, answer = ask(upstream.base_url, "count:3")
    with closing(connection):
        said(answer)
        answer.read()
        with pytest.raises(TimeoutError):
            upstream.closed_at(0, within=0.05)


def test_upstream_keeps_connections(upstream: Upstream) -> None:
    url = urlsplit(upstream.base_url)
    with closing(HTTPConnection(url.hostname or "", url.port)) as connection:
        for _ in range(2):
            connection.request("GET", f"{url.path}/models")
            assert json.load(connection.getresponse())["object"] == "list"
    assert [request.connection for request in upstream.requests] == [0, 0]
    assert upstream.closed_at(0) == upstream.closed_at(1)


def test_upstream_breaks_off(upstream: Upstream) -> None:
    connection, answer = ask(upstream.base_url, "cut:5")
    with closing(connection):
        received = answer.read1(10_000) + answer.read1(10_000)
        assert received.count(b"data: ") == 6
        assert answer.readline() == b""
    with pytest.raises(TimeoutError):
        upstream.closed_at(0, within=0.05)


def test_upstream_refuses(upstream: Upstream) -> None:
    connection, answer = ask(upstream.base_url, 'status:429:{"Retry-After": "7"}')
    with closing(connection):
        assert (answer.status, answer.getheader("retry-after")) == (429, "7")
        assert "429" in json.load(answer)["error"]["message"]


def test_upstream_replays(upstream: Upstream) -> None:
    body = "data: é\n\n".encode() * 3
    replies = [Reply(status=503), Reply(body, chunk=1), Reply(body, chunk=4, cut=9)]
    upstream.script("/v1/chat/completions", *replies)
    received = []
    for _ in range(3):
        connection, answer = ask(upstream.base_url, "any")
        with closing(connection):
            received.append((answer.status, b"".join(answer)))
    assert received == [(503, b""), (200, body), (200, body[:9])]


async def test_upstream_serves_300_streams_at_once(upstream: Upstream) -> None:
    url = urlsplit(upstream.base_url)
    chat = json.dumps({"model": "drip:5:0.02", "stream": True})
    head = f"POST {url.path}/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(chat)}"

    async def one() -> bytes:
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(f"{head}\r\n\r\n{chat}".encode())
        answer = await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        return answer

    async with asyncio.TaskGroup() as group:
        streams = [group.create_task(one()) for _ in range(300)]
    assert all(b'"content":"4 "' in stream.result() for stream in streams)


def test_transcripts_say_what_to_expect(transcripts: Path) -> None:
    assert json.loads((transcripts / "expect.json").read_bytes())
