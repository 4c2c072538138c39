"""The ways that requests take: whose certificates count, who we say we are, and through which proxy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pointsman.core.errors import BadCertificate, ConnectFailed
from pointsman.core.http import Request
from pointsman.core.network import Egress
from pointsman.edge.http import HttpTransport
from tests.counterparts.certificates import Authority, turning_away
from tests.counterparts.proxy import Proxy, proxying
from tests.counterparts.upstream import Upstream
from tests.edge.http_asking import OK, answering, chat, refuse, transport, whole

__all__ = ["transport"]  # a fixture


# Whose certificates count, and who we are


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def secure(port: int) -> Request:
    return Request("GET", f"https://localhost:{port}/")


ANSWER = OK + b"content-length: 3\r\nconnection: close\r\n\r\nyes"


@pytest.mark.parametrize("by", ["file", "folder", "DER", "environment", "bundle"])
async def test_a_ca_of_ones_own_is_trusted(
    authority: Authority, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    egress = Egress(ca=(str(authority.file),))
    if by == "folder":
        (tmp_path / "cas").mkdir()
        (tmp_path / "cas" / "mine.crt").write_bytes(authority.file.read_bytes())
        (tmp_path / "cas" / "README.txt").write_text("no certificate")
        egress = Egress(ca=(str(tmp_path / "cas"),))
    elif by == "DER":
        (tmp_path / "ca.cer").write_bytes(authority.der)
        egress = Egress(ca=(str(tmp_path / "ca.cer"),))
    elif by == "bundle":
        other = Authority(tmp_path / "other", "Others").file.read_text()
        (tmp_path / "all.pem").write_text(f"# é: the others\n{other}\n# mine\n{authority.file.read_text()}")
        egress = Egress(ca=(str(tmp_path / "all.pem"),))
    elif by == "environment":
        egress = Egress()
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    transport = HttpTransport()
    async with answering(ANSWER, authority.server()) as port:
        assert await whole(transport.stream(secure(port), 5.0, egress)) == (200, b"yes")
    await transport.close()


async def test_a_ca_counts_for_its_own_way_alone(transport: HttpTransport, authority: Authority) -> None:
    async with answering(ANSWER, authority.server()) as port:
        await whole(transport.stream(secure(port), 5.0, Egress(ca=(str(authority.file),))))
        await refuse(transport, secure(port), BadCertificate, "[network]", connect=5.0)


async def test_a_ca_that_is_put_in_place_counts_from_the_next_connection_on(
    transport: HttpTransport, authority: Authority, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(Authority(tmp_path / "other", "Others").file.read_bytes())
    egress = Egress(ca=(str(file),))
    async with answering(ANSWER, authority.server()) as port:
        with pytest.raises(BadCertificate):
            await whole(transport.stream(secure(port), 5.0, egress))
        file.write_bytes(authority.file.read_bytes() + b"\n")
        assert await whole(transport.stream(secure(port), 5.0, egress)) == (200, b"yes")
        assert len(transport._pools) == 1, "the one with the old certificates has ended"


@pytest.mark.parametrize("apart", [False, True])
async def test_a_client_proves_who_it_is(transport: HttpTransport, authority: Authority, apart: bool) -> None:
    mine = authority.pair("me")
    keyed = (str(mine.certificate), str(mine.key)) if apart else (str(mine.both), None)
    egress = Egress(ca=(str(authority.file),), certificate=keyed[0], key=keyed[1])
    async with answering(ANSWER, authority.server(authority)) as port:
        assert await whole(transport.stream(secure(port), 5.0, egress)) == (200, b"yes")


@pytest.mark.parametrize("shows", ["nothing", "a stranger's"])
async def test_a_server_that_wants_to_know_who_asks(
    transport: HttpTransport, authority: Authority, tmp_path: Path, shows: str
) -> None:
    stranger = str(Authority(tmp_path / "other", "Others").pair("me").both)
    egress = Egress(ca=(str(authority.file),), certificate=None if shows == "nothing" else stranger)
    with turning_away(authority.server(authority)) as port, pytest.raises(BadCertificate, match="`tls`") as refused:
        await whole(transport.stream(secure(port), 5.0, egress))
    assert f"localhost:{port}" in str(refused.value)


NO_KEY = "-----BEGIN PRIVATE KEY-----\ncanary-of-a-key\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("field", "content", "words"),
    [
        ("ca", None, "No such file"),
        ("ca", "", "no certificate"),
        ("ca", NO_KEY, "no certificate"),
        ("ca", "-----BEGIN CERTIFICATE-----\ncanary-of-a-key\n-----END CERTIFICATE-----\n", "can't be read"),
        ("certificate", None, "No such file"),
        ("certificate", NO_KEY, "no certificate and key"),
        ("key", None, "No such file"),
        ("key", NO_KEY, "no certificate and key"),
        ("key", "other", "does not belong to the certificate"),
        ("key", "sealed", "password"),
    ],
)
async def test_a_file_that_can_not_be_used_is_named(
    transport: HttpTransport, authority: Authority, tmp_path: Path, field: str, content: str | None, words: str
) -> None:
    mine = authority.pair("me")
    file = tmp_path / "the-file"
    if content == "other":
        file = authority.pair("another").key
    elif content == "sealed":
        file = mine.sealed_key
    elif content is not None:
        file.write_text(content)
    paths = {"certificate": str(mine.certificate), "key": str(mine.key)} | {field: str(file)}
    egress = Egress(ca=(str(file),)) if field == "ca" else Egress(certificate=paths["certificate"], key=paths["key"])
    with pytest.raises(BadCertificate, match=words) as refused:
        await whole(transport.stream(Request("GET", "https://localhost:1/"), 5.0, egress))
    assert str(file) in str(refused.value)
    assert "canary" not in str(refused.value)


async def test_a_home_stands_for_a_tilde(
    transport: HttpTransport, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(authority.file.parent))
    async with answering(ANSWER, authority.server()) as port:
        assert await whole(transport.stream(secure(port), 5.0, Egress(ca=("~/ca.pem",)))) == (200, b"yes")


# Proxies


NAMED = "me:canary%3Aof-a%40proxy"
PLAIN = "me:canary:of-a@proxy"


def through(proxy: Proxy, named: str = "", **more: Any) -> Egress:
    return Egress(own_proxy=proxy.url.replace("//", f"//{named}@" if named else "//"), **more)


@pytest.mark.parametrize("named", ["", NAMED])
async def test_a_tunnel_through_a_proxy(transport: HttpTransport, authority: Authority, named: str) -> None:
    async with (
        answering(ANSWER, authority.server()) as port,
        proxying(port, PLAIN if named else None) as proxy,
    ):
        egress = through(proxy, named, ca=(str(authority.file),))
        assert await whole(transport.stream(Request("GET", "https://localhost:9/x"), 5.0, egress)) == (200, b"yes")
    assert proxy.asked[0].startswith("CONNECT localhost:9 HTTP/1.1\r\n")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("named", "words"), [("", "wants a name and a password"), ("me:canary-wrong", "does not take the name")]
)
async def test_a_proxy_that_wants_to_know_who_asks(
    transport: HttpTransport, scheme: str, named: str, words: str
) -> None:
    async with proxying(1, PLAIN) as proxy:
        with pytest.raises(ConnectFailed, match=words) as refused:
            await whole(transport.stream(Request("GET", f"{scheme}://nowhere.invalid/"), 5.0, through(proxy, named)))
    assert refused.value.unsent
    assert f"127.0.0.1:{proxy.port}" in refused.value.message
    assert "canary" not in str(refused.value)
    assert "NAME:PASSWORD@" in refused.value.advice


async def test_a_proxy_that_lets_nobody_through(transport: HttpTransport) -> None:
    async with proxying(1) as proxy:
        proxy.refuses = 403
        with pytest.raises(ConnectFailed, match="answered HTTP 403"):
            await whole(transport.stream(Request("GET", "https://nowhere.invalid/"), 5.0, through(proxy)))


async def test_a_proxy_that_is_not_there(transport: HttpTransport) -> None:
    egress = Egress(own_proxy="http://me:canary@127.0.0.1:1")
    with pytest.raises(ConnectFailed, match="Nothing listens at the proxy") as refused:
        await whole(transport.stream(Request("GET", "http://nowhere.invalid/"), 5.0, egress))
    assert "canary" not in str(refused.value)
    assert "in pointsman.toml" in refused.value.advice


async def test_what_is_configured_wins_over_the_environment(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    transport = HttpTransport()
    ask = Request("GET", f"{upstream.base_url}/models")
    async with proxying(int(upstream.base_url.split(":")[2].split("/")[0])) as proxy:
        assert (await whole(transport.stream(ask, 5.0, through(proxy))))[0] == 200
        assert len(proxy.asked) == 1
        for egress in (Egress(own_proxy="direct"), Egress(no_proxy=("127.0.0.0/8",)), Egress(proxy=proxy.url)):
            assert (await whole(transport.stream(ask, 5.0, egress)))[0] == 200
        assert len(proxy.asked) == 1
        await refuse(transport, ask, ConnectFailed, "proxy 127.0.0.1:1")
    await transport.close()


async def test_a_way_that_nobody_takes_any_more_ends_with_its_last_stream(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointsman.edge.http.KEEP_ALIVE", 0.0)
    transport = HttpTransport()
    async with proxying(int(upstream.base_url.split(":")[2].split("/")[0])) as proxy:
        async with transport.stream(chat(upstream, "drip:3:0.02"), 5.0, through(proxy)) as response:
            await whole(
                transport.stream(Request("GET", f"{upstream.base_url}/models"), 5.0, Egress(own_proxy="direct"))
            )
            assert [url for url, *_ in transport._pools] == [proxy.url], "this one is still in use"
            assert b"".join([chunk async for chunk in response.chunks]).endswith(b"data: [DONE]\n\n")
        assert (await whole(transport.stream(chat(upstream, "count:1"), 5.0, through(proxy))))[0] == 200, "made anew"
    await transport.close()
