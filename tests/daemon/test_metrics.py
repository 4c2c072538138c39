"""Metrics of the living daemon, read as Prometheus reads them: by its own parser, from the page and from the file."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, Refused
from tests.living import Home, provider

FAKE_KEY = "sk-fake-metrics-0123456789"
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def parsed(text: str) -> Values:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Values, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


def get(port: int, path: str = "/metrics", host: str | None = None, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path, headers={"Host": host} if host else {})
    reply = connection.getresponse()
    said = reply.status, reply.read().decode()
    connection.close()
    return said


def listening(pid: int) -> set[str]:
    """The addresses of TCP at which a process listens."""
    own = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    found = set()
    for line in (
        Path("/proc/net/tcp").read_text().splitlines()[1:] + Path("/proc/net/tcp6").read_text().splitlines()[1:]
    ):
        _, address, _, state, *_, inode = line.split()[:10]
        if state == "0A" and f"socket:[{inode}]" in own:
            host, _, port = address.partition(":")
            found.add(f"{socket.inet_ntoa(bytes.fromhex(host)[::-1]) if len(host) == 8 else host}:{int(port, 16)}")
    return found


async def read(port: int) -> Values:
    status, text = await asyncio.to_thread(get, port)
    assert status == 200, text
    return parsed(text)


async def said(editor: Editor) -> Mapping[str, Any]:
    """What the status says of metrics, as soon as they stand."""
    status = await editor.status(lambda status: status.get("metrics", {}).keys() - {"windowId"})
    metrics: Mapping[str, Any] = status["metrics"]
    return metrics


async def test_chats_are_counted_and_nothing_private_is_told(home: Home, upstream: Upstream) -> None:
    port = free_port()
    keyed = 'auth = { scheme = "bearer", env = "UP_KEY" }'
    home.configure(
        f"metrics.port = {port}\n"
        + provider("up", upstream.base_url, keyed, "max_retries = 0", 'models = ["count:4"]')
        + '[providers.up.prices."count:4"]\ninput = 1.0\noutput = 2.0\n'
    )
    editor = await home.connect(client="private-editor", variables={"UP_KEY": FAKE_KEY})
    assert await said(editor) == {"page": f"http://127.0.0.1:{port}/metrics"}
    await editor.chat("up:count:4", "A private question").answer()
    await editor.chat("up:count:4").answer()
    with pytest.raises(Refused):
        await editor.chat("up:status:500").answer()
    with pytest.raises(Refused):
        await editor.chat(f"up:{FAKE_KEY}").answer()
    slow = editor.chat("up:drip:1000:0.05")
    await slow.seen("text")
    found = await read(port)
    assert value(found, "llm_chats_running") == 1
    slow.cancel()
    assert (await slow.answer())["stopReason"] == "cancelled"
    found, who = await read(port), {"provider": "up", "model": "count:4"}
    assert value(found, "llm_requests_total", **who, outcome="end") == 2
    assert value(found, "llm_requests_total", provider="up", model="status:500", outcome="error") == 1
    assert value(found, "llm_requests_total", provider="up", model="other", outcome="error") == 1
    assert value(found, "llm_requests_total", provider="up", model="drip:1000:0.05", outcome="cancelled") == 1
    assert value(found, "llm_request_duration_seconds_count", **who) == 2
    assert value(found, "llm_first_token_seconds_count", **who) == 2
    assert value(found, "llm_tokens_total", **who, kind="input") == 6
    assert value(found, "llm_tokens_total", **who, kind="output") == 8
    assert value(found, "llm_cost_usd_total", **who) == pytest.approx((6 + 2 * 8) / 1e6)
    assert value(found, "llm_unpriced_requests_total", provider="up", model="drip:1000:0.05") == 1
    assert value(found, "llm_chats_running") == 0
    _, text = await asyncio.to_thread(get, port)
    for private in (FAKE_KEY[:8], "private", "question", str(home.folder), "127.0.0.1", editor.window):
        assert private not in text


async def test_a_provider_that_is_left_alone_is_told(home: Home) -> None:
    port, closed = free_port(), free_port()
    home.configure(f"metrics.port = {port}\n" + provider("down", f"http://127.0.0.1:{closed}/v1"))
    editor = await home.connect()
    await said(editor)
    assert value(await read(port), "llm_breaker_open", provider="down") == 0
    for _ in range(3):
        with pytest.raises(Refused):
            await editor.chat("down:m").answer()
    found = await read(port)
    assert value(found, "llm_breaker_open", provider="down") == 1
    assert value(found, "llm_requests_total", provider="down", model="m", outcome="error") == 3
    assert value(found, "llm_unpriced_requests_total", provider="down", model="m") == 0, "nobody was reached"


async def test_only_a_plain_get_from_here_is_answered(home: Home) -> None:
    port = free_port()
    home.configure(f"metrics.port = {port}\n")
    await said(await home.connect())
    for status, asked in (
        (421, {"host": "evil.example"}),
        (421, {"host": f"evil.example:{port}"}),
        (404, {"path": "/"}),
        (405, {"method": "POST"}),
    ):
        found, text = await asyncio.to_thread(get, port, **asked)
        assert (found, "llm_" in text) == (status, False)


async def test_nothing_is_measured_unless_it_is_wanted(home: Home) -> None:
    editor = await home.connect()
    assert "metrics" not in await editor.status()
    assert listening(home.pid) == set()


async def test_a_port_that_is_taken_is_told_and_another_holds_at_once(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        home.configure(f"metrics.port = {taken.getsockname()[1]}\n")
        editor = await home.connect()
        problem = (await said(editor))["problem"]
        assert "another program listens there" in problem
        assert "`port` in `[metrics]`" in problem
        assert (await editor.chat("echo:echo").answer())["stopReason"] == "end"
        port = free_port()
        home.configure(f"metrics.port = {port}\n")
        await editor.status(lambda status: "page" in status.get("metrics", {}))
        assert value(await read(port), "llm_chats_running") == 0
        assert listening(home.pid) == {f"127.0.0.1:{port}"}
        editor.forget()
        home.configure(f"metrics.port = {taken.getsockname()[1]}\n")
        await editor.told("window/showMessage", lambda shown: "another program listens there" in shown["message"])
        with pytest.raises(ConnectionRefusedError):
            await asyncio.to_thread(get, port)


async def test_a_port_that_becomes_free_is_had_without_a_save(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        home.configure(f"metrics.port = {port}\n")
        await home.serve("pointsman.service.metrics.ASK_EVERY = 0.05")
        editor = await home.connect()
        assert (await said(editor)).keys() == {"problem"}
        other = free_port()
        home.configure(f"metrics.port = {other}\n")
        await editor.status(lambda status: "page" in status.get("metrics", {}))
        home.configure(f"metrics.port = {port}\n")
        await editor.status(lambda status: "problem" in status.get("metrics", {}))
    await editor.status(lambda status: status["metrics"] == {"page": f"http://127.0.0.1:{port}/metrics"})
    assert value(await read(port), "llm_chats_running") == 0
    assert listening(home.pid) == {f"127.0.0.1:{port}"}


async def test_the_file_holds_the_same(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "pointsman.prom"
    home.configure(f"metrics.textfile = {json.dumps(str(file))}\n")
    await home.serve("pointsman.service.metrics.WRITE_EVERY = 0.05")
    editor = await home.connect()
    assert await said(editor) == {"textfile": str(file)}
    await editor.chat("echo:echo").answer()
    async with asyncio.timeout(10):
        while not (file.exists() and value(parsed(file.read_text()), "llm_chats_running") == 0 and ended(file)):
            await editor.status()
    assert value(parsed(file.read_text()), "llm_requests_total", provider="echo", model="echo", outcome="end") == 1
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".prom" or ".prom." in path.name] == [file.name]


def ended(file: Path) -> bool:
    return value(parsed(file.read_text()), "llm_requests_total", provider="echo", model="echo", outcome="end") > 0


async def test_a_file_that_can_not_be_written_is_told(home: Home, tmp_path: Path) -> None:
    home.configure(f"metrics.textfile = {json.dumps(str(tmp_path / 'missing' / 'x.prom'))}\n")
    editor = await home.connect()
    status = await editor.status(lambda status: "problem" in status.get("metrics", {}))
    assert "can't be written" in status["metrics"]["problem"]
    assert (await editor.chat("echo:echo").answer())["stopReason"] == "end"
