"""Every recorded stream, whole and in pieces, says what its official SDK reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    ErrorSeen,
    Reading,
    ReasoningDelta,
    StopSeen,
    TextDelta,
    ToolCallDelta,
    UsageReport,
)
from pointsman.wire import WIRES
from tests.wire import expected as sheet
from tests.wire.expected import EACH, RECORDED, SIZES, expected


def read(wire: str, *chunks: bytes) -> list[Reading]:
    reader = WIRES[wire].reader(Provider(id="acme", name="Acme", wire=wire, base_url="https://acme.example/v1"))
    return [reading for chunk in chunks for reading in reader.feed(chunk)] + reader.close()


def test_none_is_forgotten(transcripts: Path) -> None:
    recorded = {name: sheet.WIRES[entry["wire"]] for name, entry in sheet.all_of(transcripts).items()}
    assert recorded == {name: wire for wire, name in EACH}
    assert set(RECORDED) == set(WIRES) - {"claude-program", "echo"}, "these two are asked nowhere"


@pytest.mark.parametrize(("wire", "name"), EACH)
def test_a_stream_says_what_the_official_sdk_reads(wire: str, name: str, transcripts: Path) -> None:
    said, stream = expected(transcripts, name), (transcripts / name).read_bytes()
    readings = read(wire, stream)
    assert "".join(r.text for r in readings if isinstance(r, TextDelta)) == said.text
    assert "".join(r.text for r in readings if isinstance(r, ReasoningDelta)) == said.thought
    made = calls(readings)
    assert [(call["name"], json.loads(call["arguments"] or "{}")) for call in made] == [
        (name, arguments) for _, name, arguments in said.calls
    ]
    assert all(call["id"] for call in made)
    assert all(id in {None, call["id"]} for call, (id, _, _) in zip(made, said.calls, strict=True))
    assert [r.reason for r in readings if isinstance(r, StopSeen)] == ([said.stop] if said.stop else [])
    errors = [reading.error for reading in readings if isinstance(reading, ErrorSeen)]
    assert [error.code for error in errors] == ([said.error] if said.error else [])
    assert all(said.message.partition(". ")[0] in error.message for error in errors)
    if said.error is None:
        reports = [reading for reading in readings if isinstance(reading, UsageReport)]
        assert reports == ([] if said.usage is None else [UsageReport(said.usage, said.cost)])
    for size in SIZES:
        cut = read(wire, *(stream[at : at + size] for at in range(0, len(stream), size)))
        assert comparable(cut) == comparable(readings), f"cut at every {size}"


def comparable(readings: Sequence[Reading]) -> list[object]:
    """Readings with errors by their words: errors themselves are equal to nothing."""
    return [r.error.data() if isinstance(r, ErrorSeen) else r for r in readings]


def calls(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """The tool calls as their fragments make them."""
    made: dict[int, dict[str, Any]] = {}
    for reading in readings:
        if isinstance(reading, ToolCallDelta):
            call = made.setdefault(reading.index, {"id": reading.id, "name": reading.name, "arguments": ""})
            call["arguments"] += reading.arguments
    return [made[index] for index in range(len(made))]
