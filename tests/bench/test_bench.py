"""Does the benchmark measure what it says, and would it notice? A run of seconds, whose figures mean nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.bench import measure, tokens
from tests.bench.blocking import Slow, read_log
from tests.bench.figures import FIGURES, Samples, outcomes
from tests.bench.processes import Process
from tests.bench.relays import Bare, Relay, environment
from tests.bench.report import as_json, table
from tests.bench.run import Bench, Sizes

TINY = Sizes(
    runs=1,
    answers=3,
    listings=3,
    burst=500,
    streams=5,
    seconds=0.2,
    connections=5,
    last_search=0,
    tokens=4000,
    tokens_httpx=4000,
    long_answers=8,
    chats=3,
)


async def test_every_figure_gets_its_numbers(tmp_path: Path) -> None:
    bench = Bench(TINY, tmp_path, lambda _: None)
    await bench.all()
    found = outcomes(bench.samples)
    expected = [figure for figure in FIGURES if figure.key != "streams"]
    assert [outcome.figure for outcome in found] == expected
    compared = [outcome for outcome in found if len(outcome.medians) > 1]
    assert [set(outcome.medians) for outcome in compared] == [{"pointsman", "bare", "httpx"}] * 11
    assert all(value > 0 for outcome in compared[:9] for value in outcome.medians.values())
    shown = StringIO()
    Console(width=200, file=shown).print(table(found, bench.samples))
    assert [figure.title for figure in expected if figure.title not in shown.getvalue()] == []
    assert json.loads(json.dumps(as_json(found, bench.samples)))["figures"][0]["key"] == FIGURES[0].key


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where the benchmark's provider listens."""
    upstream = Process("upstream", environment=environment(tmp_path), complaints=tmp_path / "upstream.txt")
    yield int(upstream.line())
    upstream.end()


async def test_a_late_relay_is_seen_to_be_late(tmp_path: Path, port: int) -> None:
    async with running(Bare(tmp_path / "late", port, delay=0.06)) as late:
        found = await measure.paced(late, 5, 0.3)
        assert found.p50 > 60e6
        assert await measure.first_token(late, 3) > 60e6
        assert await measure.most_streams(late, 2, 5) == (0, False)
    async with running(Bare(tmp_path / "prompt", port)) as prompt:
        assert (await measure.paced(prompt, 5, 0.3)).p50 < found.p50 - 30e6


async def test_an_answer_that_lost_its_tokens_is_an_error(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.bench.links.MARK", b"?")
    async with running(Bare(tmp_path / "bare", port)) as relay:
        with pytest.raises(RuntimeError, match="no token"):
            await measure.burst(relay, 100)


@asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[Relay]:
    """A relay, while the block runs."""
    relay.start()
    try:
        yield relay
    finally:
        relay.end()


@pytest.mark.parametrize(
    ("key", "ours", "reference", "holds"),
    [
        ("first_token", [5.0, 7.0, 6.0], [1.0, 1.0, 1.0], True),
        ("first_token", [7.0, 7.0, 6.0], [1.0, 1.0, 1.0], False),
        ("first_token", [70.0, 7.0, 6.0], [1.0, 2.0, 2.0], True),  # one bad run of three decides nothing
        ("paced_p99", [9.0, 11.0, 12.0], [1.0, 1.0, 1.0], False),
        ("streams", [9.0, 11.0, 12.0], [1.0, 1.0, 1.0], None),
    ],
)
def test_verdicts(key: str, ours: list[float], reference: list[float], holds: bool | None) -> None:
    samples = Samples()
    for one, other in zip(ours, reference, strict=True):
        samples.add(key, "pointsman", one)
        samples.add(key, "bare", other)
    [outcome] = outcomes(samples)
    assert outcome.holds is holds


def test_stamps_are_found_however_the_stream_was_cut() -> None:
    sent = list(range(10**15, 10**15 + 50))
    stream = tokens.BEGINNING + b"".join(map(tokens.stamped, sent)) + tokens.ENDING
    whole, bytewise = tokens.Stamps(), tokens.Stamps()
    assert whole.feed(stream) == sent
    assert [at for byte in stream for at in bytewise.feed(bytes([byte]))] == sent


def test_slow_callbacks_are_read_from_the_log() -> None:
    start, place = "_serve_and_end()", "running at /somewhere/pointsman/daemon.py"
    lines = [
        {"logger": "asyncio", "message": f"Executing <Task coro=<{start} {place}:79> cb=[]> took 0.200 seconds"},
        {"logger": "asyncio", "message": "Executing <Handle T.read() created at x.py:1> took 0.011 seconds"},
        {"logger": "pointsman.daemon", "message": "leaving: 0 chats run"},
    ]
    assert read_log("\n".join(map(json.dumps, lines))) == [
        Slow("_serve_and_end(), up to pointsman/daemon.py:79", 200, starting=True),
        Slow("T.read()", 11, starting=False),
    ]
