"""The page that a browser lands on: only its own path, only while a sign-in runs, and nothing said back."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from html.parser import HTMLParser

import msgspec
import pytest

from pointsman.core.errors import SignInFailed
from pointsman.core.oauth import OAuth
from pointsman.edge import landing as edge
from pointsman.edge.landing import landing

PLACE = "https://login.corp.example"
OAUTH = msgspec.convert({"client_id": "us", "authorize_url": f"{PLACE}/a", "token_url": f"{PLACE}/t"}, OAuth)


async def take(query: Mapping[str, str]) -> str:
    """A sign-in that takes the code `good`."""
    if query.get("code") != "good":
        raise SignInFailed(f"It came with <{query.get('code')}>.", "Try again & again.")
    return "Me <me@example.com>"


def port_of(redirect: str) -> int:
    """The port of a redirect."""
    return int(redirect.split("/")[2].rpartition(":")[2])


async def said(port: int, request: bytes, host: str = "127.0.0.1") -> bytes:
    """All that is answered to a request."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def get(redirect: str, target: str = "/callback?code=good") -> tuple[int, str, str]:
    """Status, headers and page."""
    answer = await said(port_of(redirect), f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, page = answer.decode().partition("\r\n\r\n")
    return int(head.split()[1]), head.lower(), page


class Words(HTMLParser):
    """The text of a page, and the elements in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags = "", set[str]()
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)


async def test_who_has_signed_in_is_welcomed_also_when_the_page_is_loaded_again() -> None:
    async with landing(OAUTH, take) as redirect:
        assert redirect.startswith("http://127.0.0.1:")
        assert redirect.endswith("/callback")
        status, head, page = await get(redirect)
        assert await get(redirect, "/callback?code=good&state=again") == (status, head, page)
    words = Words(page)
    assert status == 200
    assert "You are signed in" in words.text
    assert "Me <me@example.com>" in words.text
    assert "close this tab" in words.text
    assert "script" not in words.tags
    for line in ("cache-control: no-store", "referrer-policy: no-referrer", "default-src 'none'", "connection: close"):
        assert line in head


async def test_what_went_wrong_is_told_without_repeating_anything_as_it_came() -> None:
    async with landing(OAUTH, take) as redirect:
        status, _, page = await get(redirect, "/callback?code=%3Cscript%3Ealert(1)%3C/script%3E")
        assert (await get(redirect))[0] == 200  # one that failed ends nothing
    words = Words(page)
    assert status == 400
    assert "It came with <<script>alert(1)</script>>. Try again & again. You may close this tab." in words.text
    assert "script" not in words.tags


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET / HTTP/1.1", 404),
        (b"GET /favicon.ico HTTP/1.1", 404),
        (b"GET /callback/ HTTP/1.1", 404),
        (b"GET http://evil.example/callback?code=good HTTP/1.1", 404),
        (b"POST /callback?code=good HTTP/1.1", 405),
        (b"HEAD /callback?code=good HTTP/1.1", 405),
        (b"GET /callback?" + b"&".join(b"a=1" for _ in range(60)) + b" HTTP/1.1", None),
        (b"GET /callback", None),
        (b"\xff\xfe\x00", None),
        (b"GET /callback?code=good HTTP/1.1\r\nx: " + b"x" * 20_000, None),
    ],
)
async def test_nothing_else_is_answered(request_line: bytes, status: int | None) -> None:
    taken: list[Mapping[str, str]] = []

    async def never(query: Mapping[str, str]) -> str:
        taken.append(query)
        return "nobody"

    async with landing(OAUTH, never) as redirect:
        answer = await said(port_of(redirect), request_line + b"\r\nHost: x\r\n\r\n")
    assert not taken
    assert answer[9:12] == (str(status).encode() if status else b"")


async def test_nobody_listens_before_or_after() -> None:
    async with landing(OAUTH, take) as redirect:
        pass
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port_of(redirect))


async def test_a_page_on_its_way_is_finished_first() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(query: Mapping[str, str]) -> str:
        begun.set()
        await go_on.wait()
        return "me"

    async with asyncio.TaskGroup() as group, landing(OAUTH, slow) as redirect:
        page = group.create_task(get(redirect))
        await begun.wait()
        go_on.set()
    assert "signed in" in page.result()[2]


async def test_who_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "PATIENCE", 0.05)
    async with landing(OAUTH, take) as redirect:
        assert await said(port_of(redirect), b"GET /callback?code=good HTTP/1.1\r\n") == b""


async def test_a_connection_that_a_browser_opened_in_case_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(edge.PATIENCE / 2):
        async with landing(OAUTH, take) as redirect:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(redirect))
            assert (await get(redirect))[0] == 200
        assert await reader.read() == b""
    writer.close()
    assert caplog.records == []


async def test_too_many_at_once_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "MOST_AT_ONCE", 0)
    async with landing(OAUTH, take) as redirect:
        assert await said(port_of(redirect), b"GET /callback?code=good HTTP/1.1\r\n\r\n") == b""


def listening(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Somebody else's listener."""
    taken = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind((host, port))
    taken.listen()
    return taken


async def test_the_first_port_that_is_free_is_taken() -> None:
    with listening() as first, listening() as free:
        ports = (first.getsockname()[1], free.getsockname()[1])
        oauth = msgspec.structs.replace(OAUTH, redirect_ports=ports)
        with pytest.raises(SignInFailed, match=f"{ports[0]} and {ports[1]}"):
            async with landing(oauth, take):
                pass
        free.close()
        async with landing(oauth, take) as redirect:
            assert port_of(redirect) == ports[1]


async def test_localhost_is_both_addresses_and_nobody_else_on_either() -> None:
    oauth = msgspec.structs.replace(OAUTH, redirect_host="localhost")
    async with landing(oauth, take) as redirect:
        port = port_of(redirect)
        for host in ("127.0.0.1", "::1"):
            assert b"200 OK" in await said(port, b"GET /callback?code=good HTTP/1.1\r\n\r\n", host)
    with listening("::1", port):
        fixed = msgspec.structs.replace(oauth, redirect_ports=(port,))
        with pytest.raises(SignInFailed):
            async with landing(fixed, take):
                pass


async def test_the_redirect_may_be_by_ipv6() -> None:
    async with landing(msgspec.structs.replace(OAUTH, redirect_host="[::1]"), take) as redirect:
        assert redirect.startswith("http://[::1]:")
        assert b"200 OK" in await said(port_of(redirect), b"GET /callback?code=good HTTP/1.1\r\n\r\n", "::1")
