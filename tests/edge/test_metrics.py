"""Metrics as Prometheus reads them, on a page of this machine and in a file; the parser is Prometheus' own."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import stat
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pointsman.core import metrics
from pointsman.core.errors import MissingExtra, StorageError
from pointsman.core.metrics import ALL, Series
from pointsman.edge.metrics import CONTENT_TYPE, Collected, write
from pointsman.edge.page import MOST_READERS, Page
from tests.core.test_metrics import chat

ROOT = Path(__file__).parents[2]
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def gauges() -> metrics.Gauges:
    return metrics.gauges("1.2.3", 2, 1, ["acme", "well"], {"acme"})


def parsed(text: bytes) -> Values:
    """Every sample of a page, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(found: Values, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def test_a_chat_is_counted_in_every_series() -> None:
    collected = Collected(gauges)
    tokens = {"input": 3, "output": 7, "cached": 1, "reasoning": 4}
    collected.note(chat("m", "p", seconds=1.5, first_token=0.3, usd=0.25, attempts=2, tokens=tokens))
    collected.note(chat("m", "p", outcome="error", seconds=0.1))
    found, who = parsed(collected.text()), {"provider": "p", "model": "m"}
    assert value(found, "llm_requests_total", **who, outcome="end") == 1
    assert value(found, "llm_requests_total", **who, outcome="error") == 1
    assert value(found, "llm_request_duration_seconds_sum", **who) == pytest.approx(1.6)
    assert value(found, "llm_request_duration_seconds_bucket", **who, le="1.0") == 1
    assert value(found, "llm_first_token_seconds_count", **who) == 1
    assert value(found, "llm_tokens_total", **who, kind="input") == 6
    assert value(found, "llm_tokens_total", **who, kind="output") == 7
    assert value(found, "llm_tokens_total", **who, kind="cached") == 1
    assert value(found, "llm_tokens_total", **who, kind="reasoning") == 4
    assert value(found, "llm_tokens_total", **who, kind="cache_write") is None
    assert value(found, "llm_cost_usd_total", **who) == 0.25
    assert value(found, "llm_unpriced_requests_total", **who) == 1, "what nobody knows the price of is not free"
    assert value(found, "llm_attempts_total", **who) == 3
    assert value(found, "llm_chats_running") == 2
    assert value(found, "llm_queue_length") == 1
    assert value(found, "llm_breaker_open", provider="acme") == 1
    assert value(found, "llm_breaker_open", provider="well") == 0
    assert value(found, "pointsman_info", version="1.2.3") == 1


def test_what_is_no_longer_so_is_no_longer_told() -> None:
    state: dict[Series, Mapping[tuple[str, ...], float]] = {metrics.BREAKER: {("acme",): 1.0}}
    collected = Collected(lambda: state)
    assert value(parsed(collected.text()), "llm_breaker_open", provider="acme") == 1
    state[metrics.BREAKER] = {("other",): 0.0}
    found = parsed(collected.text())
    assert value(found, "llm_breaker_open", provider="acme") is None
    assert value(found, "llm_breaker_open", provider="other") == 0


def test_two_registries_know_nothing_of_each_other() -> None:
    Collected(gauges).note(chat())
    assert value(parsed(Collected(gauges).text()), "llm_requests_total", provider="p", model="m", outcome="end") is None


def test_labels_of_any_kind_can_be_read() -> None:
    collected = Collected(dict)
    collected.note(chat('a"b\\c\nd'))
    assert value(parsed(collected.text()), "llm_attempts_total", provider="p", model='a"b\\c\nd') == 1


def test_without_the_extra_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingExtra, match="prometheus-client") as told:
        Collected(gauges)
    assert "extra `metrics`" in told.value.advice


def names_in(text: str) -> set[str]:
    suffix = re.compile(r"_(bucket|sum|count)$")
    return {suffix.sub("", name) for name in re.findall(r"\b(?:llm|pointsman)_[a-z_]+", text)}


def test_the_board_shows_exactly_what_there_is() -> None:
    board = json.loads((ROOT / "docs" / "grafana" / "pointsman.json").read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    expressions += [variable["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    assert names_in(" ".join(expressions)) == {each.name for each in ALL}
    known = {label for each in ALL for label in each.labels} | {"le"}
    for expression in expressions:
        used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", expression))
        used |= {label.strip() for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(",")}
        assert used <= known, expression


def test_the_page_about_metrics_names_each() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    rows = {row[0]: row[1] for row in re.findall(r"^\| `(\w+)` \| (\w+) \|", text, re.MULTILINE)}
    assert rows == {each.name: each.kind for each in ALL}


# The page


@asynccontextmanager
async def opened(text: bytes = b"ok 1\n") -> AsyncIterator[tuple[Page, int]]:
    page = Page("/metrics", CONTENT_TYPE, lambda: text)
    await page.open(0)
    assert page.url
    try:
        yield page, int(page.url.rpartition(":")[2].partition("/")[0])
    finally:
        await page.close()


async def said(port: int, head: str) -> bytes:
    """What comes back on a connection, to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode("latin-1"))
    answer = b""
    with suppress(ConnectionResetError):  # it was hung up on before it had said all
        answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


def request(port: int, line: str = "GET /metrics HTTP/1.1", host: str | None = None, more: str = "") -> str:
    return f"{line}\r\nHost: {host or f'127.0.0.1:{port}'}\r\n{more}\r\n"


async def test_the_page_is_read_with_get() -> None:
    async with opened(b"llm_chats_running 3\n") as (_, port):
        answer = await said(port, request(port))
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert f"content-type: {CONTENT_TYPE}".encode() in answer
        assert answer.endswith(b"\r\n\r\nllm_chats_running 3\n")
        assert b" 200 " in await said(port, request(port, "GET /metrics?x=1 HTTP/1.0", f"LocalHost:{port}"))


@pytest.mark.parametrize(
    ("line", "host", "more", "status"),
    [
        ("GET /metrics HTTP/1.1", "evil.example:{port}", "", 421),
        ("GET /metrics HTTP/1.1", "127.0.0.1", "", 421),
        ("GET /metrics HTTP/1.1", "127.0.0.1:{port}", "Host: evil.example\r\n", 421),
        ("POST /metrics HTTP/1.1", "127.0.0.1:{port}", "Content-Length: 2\r\n", 405),
        ("OPTIONS /metrics HTTP/1.1", "127.0.0.1:{port}", "", 405),
        ("GET / HTTP/1.1", "127.0.0.1:{port}", "", 404),
        ("GET /metrics/.. HTTP/1.1", "127.0.0.1:{port}", "", 404),
        ("GET /metrics", "127.0.0.1:{port}", "", 400),
        ("\x00\xff", "127.0.0.1:{port}", "", 400),
    ],
)
async def test_everything_else_is_refused(line: str, host: str, more: str, status: int) -> None:
    async with opened(b"secret numbers") as (_, port):
        answer = await said(port, request(port, line, host.format(port=port), more))
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert b"secret numbers" not in answer
        assert b" 200 " in await said(port, request(port)), "the others still read it"


async def test_a_head_without_an_end_is_hung_up_on() -> None:
    async with opened() as (_, port):
        assert await said(port, "GET /metrics HTTP/1.1\r\n" + "x: y\r\n" * 4000) == b""


async def test_idle_readers_do_not_pile_up() -> None:
    async with opened() as (_, port):
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_READERS)]
        assert await said(port, request(port)) == b""
        for _, writer in idle:
            writer.close()
        async with asyncio.timeout(5):
            while not await said(port, request(port)):
                pass


async def test_it_is_on_the_loopback_address_alone() -> None:
    async with opened() as (page, _):
        assert page._server
        assert [each.getsockname()[0] for each in page._server.sockets] == ["127.0.0.1"]
    assert page.url is None


async def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StorageError, match=f"Port {port} .* another program listens there") as told:
            await Page("/metrics", CONTENT_TYPE, bytes).open(port)
    assert "`port`" in told.value.advice


# The file


def test_the_file_is_replaced_at_once_and_may_be_read_by_all(tmp_path: Path) -> None:
    file = tmp_path / "pointsman.prom"
    write(file, b"a 1\n")
    before = file.stat().st_ino
    write(file, b"a 2\n")
    assert file.read_bytes() == b"a 2\n"
    assert file.stat().st_ino != before, "who had it open still reads the old one, whole"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["pointsman.prom"]


def test_a_file_that_can_not_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.prom").mkdir()
    for path in (tmp_path / "missing" / "x.prom", tmp_path / "x.prom"):
        with pytest.raises(StorageError, match="can't be written") as told:
            write(path, b"a 1\n")
        assert "textfile" in told.value.advice
    assert [path.name for path in tmp_path.iterdir()] == ["x.prom"]
