"""HTTP against real servers: bytes as they come, the connection closed at once, and no error but ours."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pointsman.core.errors import (
    BadCertificate,
    BadReply,
    ConnectFailed,
    Interrupted,
    PointsmanError,
    TimedOut,
)
from pointsman.core.http import Request
from pointsman.edge.http import HttpTransport
from tests.counterparts.certificates import Authority
from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.edge.http_asking import OK, answering, chat, refuse, transport, whole

__all__ = ["transport"]  # a fixture

NOTICED_WITHIN = 0.1  # seconds


# What goes out and comes back


async def test_a_request_goes_out_as_it_is(transport: HttpTransport, upstream: Upstream) -> None:
    upstream.script("/v1/x", Reply(b"yes", 201, {"X-Answer": "Blue"}))
    sent = Request("POST", f"{upstream.base_url}/x?a=b&c", {"x-key": "k", "accept": "x/y"}, b"\x00body")
    async with transport.stream(sent, 2.0) as response:
        assert response.head.status == 201
        assert response.head.headers["x-answer"] == "Blue"
        assert [chunk async for chunk in response.chunks] == [b"yes"]
    request = upstream.request(0)
    assert (request.method, request.target, request.body) == ("POST", "/v1/x?a=b&c", b"\x00body")
    assert (request.header("x-key"), request.header("accept")) == ("k", "x/y")


@pytest.mark.parametrize(
    "target", ["/model/us.anthropic.x%3A0/converse-stream", "/a%2Fb%2fc/%E2%82%AC%7e?d=%3A%2F+%20&e=:/", "/x%25y;z=1"]
)
async def test_a_url_goes_out_as_it_is_spelled(transport: HttpTransport, upstream: Upstream, target: str) -> None:
    await whole(transport.stream(Request("POST", upstream.base_url.removesuffix("/v1") + target, {}, b"body"), 2.0))
    assert upstream.request(0).target == target


async def test_bytes_are_given_as_they_come(transport: HttpTransport, upstream: Upstream) -> None:
    async with transport.stream(chat(upstream, "drip:4:0.03"), 2.0) as response:
        times = [time.monotonic() async for chunk in response.chunks if b'"content"' in chunk]
    assert len(times) >= 4
    assert times[-1] - times[0] >= 0.08


async def test_a_long_answer_comes_whole(transport: HttpTransport, upstream: Upstream) -> None:
    _, body = await whole(transport.stream(chat(upstream, "count:20000"), 2.0))
    assert body.count(b"data: ") == 20003  # with one that says who speaks, one that ends it, and [DONE]
    assert body.endswith(b"data: [DONE]\n\n")


async def test_a_packed_answer_is_unpacked(transport: HttpTransport, upstream: Upstream) -> None:
    upstream.script("/v1/x", Reply(gzip.compress(b"hello " * 50), headers={"content-encoding": "gzip"}, chunk=5))
    assert await whole(transport.stream(Request("GET", f"{upstream.base_url}/x"), 2.0)) == (200, b"hello " * 50)


async def test_a_redirect_is_an_answer(transport: HttpTransport, upstream: Upstream) -> None:
    upstream.script("/v1/x", Reply(b"over there", 307, {"location": f"{upstream.base_url}/models"}))
    assert await whole(transport.stream(Request("GET", f"{upstream.base_url}/x"), 2.0)) == (307, b"over there")
    assert [request.path for request in upstream.requests] == ["/v1/x"]


async def test_a_connection_is_kept_and_a_cookie_is_not(transport: HttpTransport, upstream: Upstream) -> None:
    upstream.script("/v1/x", Reply(b"", headers={"set-cookie": "a=b; Path=/"}))
    for _ in range(2):
        await whole(transport.stream(Request("GET", f"{upstream.base_url}/x"), 2.0))
    assert [request.connection for request in upstream.requests] == [0, 0]
    assert upstream.requests[1].header("cookie") is None


async def test_what_must_be_heard_once_has_a_connection_of_its_own(
    transport: HttpTransport, upstream: Upstream
) -> None:
    for alone in (False, True, True, False):
        await whole(transport.stream(Request("GET", f"{upstream.base_url}/models", alone=alone), 2.0))
    assert [request.connection for request in upstream.requests] == [0, 1, 2, 0]


async def test_a_proxy_of_the_environment_is_used(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", upstream.base_url.removesuffix("/v1"))
    monkeypatch.setenv("no_proxy", "")
    transport = HttpTransport()
    status, _ = await whole(transport.stream(Request("GET", "http://nonexistent.invalid/v1/models"), 2.0))
    await transport.close()
    assert status == 200
    assert upstream.request(0).target == "http://nonexistent.invalid/v1/models"


async def test_a_proxy_is_not_used_where_it_is_not_wanted(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    transport = HttpTransport()
    assert (await whole(transport.stream(Request("GET", f"{upstream.base_url}/models"), 2.0)))[0] == 200
    await refuse(transport, Request("GET", "http://elsewhere.invalid/"), ConnectFailed, "127.0.0.1:1")
    await transport.close()


async def test_a_proxy_of_an_unknown_kind_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5://user:secret@127.0.0.1:1080")
    transport = HttpTransport()
    error = await refuse(transport, Request("GET", "http://nowhere.invalid/"), ConnectFailed, "socks5", "no_proxy")
    assert "secret" not in str(error)
    await transport.close()


async def test_a_header_is_sent_once(transport: HttpTransport, upstream: Upstream) -> None:
    upstream.script("/v1/x", Reply(b""))
    sent = {"accept": "a/b", "Accept": "c/d", "User-Agent": "mine"}
    await whole(transport.stream(Request("GET", f"{upstream.base_url}/x", sent), 2.0))
    names = [name.lower() for name, _ in upstream.request(0).headers]
    assert len(names) == len(set(names))
    assert (upstream.request(0).header("accept"), upstream.request(0).header("user-agent")) == ("c/d", "mine")


async def test_150_streams_at_once(transport: HttpTransport, upstream: Upstream) -> None:
    all_are_open = asyncio.Barrier(150)

    async def one() -> bytes:
        async with transport.stream(chat(upstream, "drip:5:0.02"), 5.0) as response:
            await all_are_open.wait()
            return b"".join([chunk async for chunk in response.chunks])

    async with asyncio.TaskGroup() as group:
        streams = [group.create_task(one()) for _ in range(150)]
    assert all(b'"content":"4 "' in stream.result() for stream in streams)


async def test_closing_twice_or_unused_does_no_harm(upstream: Upstream) -> None:
    transport = HttpTransport()
    await transport.close()
    await whole(transport.stream(Request("GET", f"{upstream.base_url}/models"), 2.0))
    await transport.close()
    await transport.close()


# Leaving


async def noticed(upstream: Upstream, leave: Callable[[], Awaitable[float]]) -> None:
    """The server sees at once that the client has left; the best of three counts, for this machine may be busy."""
    delays = []
    for number in range(3):
        left = await leave()
        delays.append(await asyncio.to_thread(upstream.closed_at, number) - left)
    assert all(delay >= 0 for delay in delays)
    assert min(delays) < NOTICED_WITHIN


@pytest.mark.parametrize("model", ["drip:1000:0.02", "silent:60", "count:10000000"])
async def test_leaving_closes_the_connection_at_once(transport: HttpTransport, upstream: Upstream, model: str) -> None:
    async def leave() -> float:
        async with transport.stream(chat(upstream, model), 2.0) as response:
            if model != "silent:60":
                await anext(response.chunks)
            return time.monotonic()

    await noticed(upstream, leave)


@pytest.mark.parametrize("model", ["late:60", "stall", "silent:60", "drip:1000:0.02"])
async def test_being_cancelled_closes_it_too(transport: HttpTransport, upstream: Upstream, model: str) -> None:
    async def leave() -> float:
        number = len(upstream.requests)
        task = asyncio.get_running_loop().create_task(whole(transport.stream(chat(upstream, model), 2.0)))
        await asyncio.to_thread(upstream.request, number)
        left = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return left

    await noticed(upstream, leave)


async def test_what_fails_inside_is_passed_on_as_it_is(transport: HttpTransport, upstream: Upstream) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with transport.stream(chat(upstream, "silent:60"), 2.0):
            raise KeyError("mine")


# Errors: each is ours, and says what happened


async def test_nobody_listens(transport: HttpTransport) -> None:
    await refuse(transport, Request("GET", "http://127.0.0.1:1/"), ConnectFailed, "127.0.0.1:1", "Start the server")


async def test_no_such_name(transport: HttpTransport) -> None:
    await refuse(transport, Request("GET", "http://nonexistent.invalid/"), ConnectFailed, "nonexistent.invalid")


@pytest.mark.parametrize(
    "url", ["http://a..b/", f"http://{'a' * 70}.example/", "http:///x", "http://h:99999/", "http://h:port/"]
)
async def test_a_url_that_is_none(transport: HttpTransport, url: str) -> None:
    await refuse(transport, Request("GET", url), ConnectFailed, "provider's")


@pytest.mark.parametrize("value", ["secret\n", "secret\r\nx: y", "secret\0", "secreté", "日secret", "\udcff"])
async def test_a_header_that_can_not_be_sent(transport: HttpTransport, upstream: Upstream, value: str) -> None:
    url = f"{upstream.base_url}/models"
    error = await refuse(transport, Request("GET", url, {"authorization": f"Bearer {value}"}), ConnectFailed, "key")
    assert "secret" not in str(error)
    assert (await whole(transport.stream(Request("GET", url), 2.0)))[0] == 200
    assert [request.header("authorization") for request in upstream.requests] == [None]


async def test_no_connection_in_time(transport: HttpTransport) -> None:
    """A plain server that never says a word: the handshake of TLS waits for one."""
    async with answering(None) as port:
        began = time.monotonic()
        await refuse(transport, Request("GET", f"https://127.0.0.1:{port}/"), TimedOut, "within 0.2 s", connect=0.2)
        assert 0.2 <= time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"", Interrupted, "closed the connection without an answer"),
        (OK + b"x: y", Interrupted, "closed the connection without an answer"),
        (b"garbage\r\n\r\n", BadReply, "not HTTP"),
        (b"HTTP/1.1 9999 Odd\r\n\r\n", BadReply, "not HTTP"),
        (OK + b"x: " + b"a" * 100_000 + b"\r\n\r\n", BadReply, "not HTTP"),
        (OK + b"x: a\r\n" * 50_000 + b"\r\n", BadReply, "not HTTP"),
        (OK + b"content-length: 9\r\n\r\nabc", Interrupted, "in the middle of the answer"),
    ],
    ids=["nothing", "half a head", "garbage", "odd status", "long header", "many headers", "half a body"],
)
async def test_what_a_server_may_answer(
    transport: HttpTransport, answer: bytes, kind: type[PointsmanError], words: str
) -> None:
    async with answering(answer) as port:
        await refuse(transport, Request("GET", f"http://127.0.0.1:{port}/"), kind, f"127.0.0.1:{port}", words)


@pytest.mark.parametrize("model", ["cut:0", "cut:3"])
async def test_an_answer_that_breaks_off(transport: HttpTransport, upstream: Upstream, model: str) -> None:
    received = b""
    with pytest.raises(Interrupted, match="in the middle of the answer"):
        async with transport.stream(chat(upstream, model), 2.0) as response:
            async for chunk in response.chunks:
                received += chunk
    assert received.count(b"data: ") == 1 + int(model[-1])


async def test_a_chunk_that_is_none(transport: HttpTransport, upstream: Upstream) -> None:
    upstream.script("/v1/x", Reply(b"not packed", headers={"content-encoding": "gzip"}))
    await refuse(transport, Request("GET", f"{upstream.base_url}/x"), Interrupted, "in the middle of the answer")


async def test_tls_against_a_plain_port(transport: HttpTransport) -> None:
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        request = Request("GET", f"https://127.0.0.1:{port}/")
        await refuse(transport, request, ConnectFailed, "does not speak TLS", "http://")


async def test_plain_words_to_a_port_of_tls(transport: HttpTransport, tmp_path: Path) -> None:
    async with answering(OK + b"\r\n", Authority(tmp_path / "ca").server()) as port:
        with pytest.raises((Interrupted, BadReply)) as refused:
            await whole(transport.stream(Request("GET", f"http://127.0.0.1:{port}/"), 2.0))
        assert f"127.0.0.1:{port} may speak TLS: begin the provider's `base_url` with https://." in refused.value.advice


async def test_a_certificate_that_nobody_vouches_for(transport: HttpTransport, tmp_path: Path) -> None:
    async with answering(OK + b"\r\n", Authority(tmp_path / "ca").server()) as port:
        await refuse(transport, Request("GET", f"https://localhost:{port}/"), BadCertificate, "who it is", "CA")
