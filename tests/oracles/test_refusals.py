"""How somebody else's imitation refuses, by each dialect; and what its Ollama says, which has no SDK here."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Reading, StopSeen, TextDelta, ToolCallDelta
from pointsman.core.errors import InvalidKey, Overloaded, PointsmanError, RateLimited
from pointsman.wire import WIRES, ollama_chat
from tests.counterparts.aimock import AImock
from tests.oracles.asked import refused_or_answered, sent, started_at

ACME = Provider(id="acme", name="Acme", base_url="https://acme.example")
PLAYED = [wire for wire in WIRES if wire not in {"bedrock-converse", "claude-program", "echo"}]
"""The dialects that aimock plays: its streams of Bedrock are none, and two are asked by no HTTP."""


@pytest.mark.parametrize("wire", PLAYED)
@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("too often", RateLimited),
        ("a wrong key", InvalidKey),
        ("a broken server", Overloaded),
        ("a busy server", Overloaded),
    ],
)
def test_how_it_refuses(aimock: AImock, wire: str, words: str, kind: type[PointsmanError]) -> None:
    """Ollama's errors are strings in truth, and objects here: either way the right one comes of it."""
    head, body = refused_or_answered(wire, aimock, words)
    error = WIRES[wire].error(ACME, head, body)
    assert type(error) is kind
    assert error.retry_after == (3.0 if kind is RateLimited else None)


# Ollama


def read(*chunks: bytes) -> list[Reading]:
    reader = ollama_chat.reader(ACME)
    return [reading for chunk in chunks for reading in reader.feed(chunk)] + reader.close()


@pytest.mark.parametrize(
    ("words", "text", "calls"),
    [
        ("say hello", "Hello! This is aimock.", []),
        (
            "the weather",
            "Let me look.",
            [
                ("get_weather", '{"city":"Paris – Île-de-France","unit":"celsius"}'),
                ("get_time", '{"zone":"Europe/Paris"}'),
            ],
        ),
        ("think first", "The answer is 42.", []),
    ],
)
def test_what_its_ollama_says(aimock: AImock, words: str, text: str, calls: list[Any]) -> None:
    _, body = refused_or_answered("ollama-chat", aimock, words)
    readings = read(body)
    assert "".join(r.text for r in readings if isinstance(r, TextDelta)) == text
    assert [(r.name, r.arguments) for r in readings if isinstance(r, ToolCallDelta)] == calls
    assert readings[-1] == StopSeen("toolCalls" if calls else "end")
    assert read(*(bytes([byte]) for byte in body)) == readings
    assert aimock.journal()[0]["path"] == "/api/chat"


def test_what_models_its_ollama_has(aimock: AImock) -> None:
    provider = Provider(id="acme", wire="ollama-chat", base_url=started_at("ollama-chat", aimock))
    ours = ollama_chat.models_request(provider)
    assert ours is not None
    models = ollama_chat.models(provider, sent(ours)[1]).models
    assert "acme:gpt-4o" in {model.model for model in models}
