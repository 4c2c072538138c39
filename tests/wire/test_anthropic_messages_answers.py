"""Answers of the Messages API that are no stream: refusals, and the list of models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman.core.errors import (
    BadReply,
    BadRequest,
    ContextTooLong,
    InvalidKey,
    ModelNotFound,
    Overloaded,
    PointsmanError,
    QuotaExhausted,
    RateLimited,
)
from pointsman.core.http import Head
from pointsman.core.models import Model
from pointsman.wire import anthropic_messages
from tests.each import each
from tests.wire.anthropic_blocks import acme

ACME = acme()

# Refusals


def refused(status: int, type: str, message: str = "m", details: Any = None, **headers: str) -> PointsmanError:
    body = {"type": "error", "error": {"type": type, "message": message, "details": details}, "request_id": "req_1"}
    head = Head(status, {name.replace("_", "-"): value for name, value in headers.items()})
    return anthropic_messages.error(ACME, head, json.dumps(body).encode())


@each(
    ("status", "type", "message", "kind"),
    [
        (400, "invalid_request_error", "max_tokens: Field required", BadRequest),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", ContextTooLong),
        (400, "invalid_request_error", "input length and `max_tokens` exceed context limit", ContextTooLong),
        (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", QuotaExhausted),
        (400, "invalid_request_error", "You have reached your specified API usage limits.", QuotaExhausted),
        (401, "authentication_error", "invalid x-api-key", InvalidKey),
        (402, "billing_error", "m", QuotaExhausted),
        (403, "permission_error", "m", InvalidKey),
        (404, "not_found_error", "model: claude-nope", ModelNotFound),
        (409, "conflict_error", "m", Overloaded),
        (413, "request_too_large", "Request exceeds the maximum size", ContextTooLong),
        (429, "rate_limit_error", "This request would exceed your rate limit", RateLimited),
        (429, "rate_limit_error", "This would exceed your account's monthly spend limit.", QuotaExhausted),
        (500, "api_error", "m", Overloaded),
        (504, "timeout_error", "m", Overloaded),
        (529, "overloaded_error", "Overloaded", Overloaded),
    ],
)
def test_a_refusal(status: int, type: str, message: str, kind: type[PointsmanError]) -> None:
    error = refused(status, type, message)
    assert error.code == kind.__name__
    assert (error.message, error.provider, error.status_code) == (f"Acme says: {message}", "acme", status)


@each(
    "code",
    ["enforced_spend_limit_reached", "contract_spend_limit_reached", "linked_organization_spend_limit_reached"],
)
def test_a_spend_limit_is_final(code: str) -> None:
    error = refused(429, "rate_limit_error", details={"error_code": code})
    assert type(error) is QuotaExhausted
    assert "retry" not in error.remedies


def test_a_refusal_may_say_how_long_to_wait() -> None:
    assert refused(429, "rate_limit_error", retry_after="17").retry_after == 17


def test_recorded_refusals(transcripts: Path) -> None:
    recorded = [e for e in json.loads((transcripts / "errors.json").read_bytes()) if "anthropic" in e["host"]]
    assert recorded
    for entry in recorded:
        error = anthropic_messages.error(ACME, Head(entry["status"]), json.dumps(entry["body"]).encode())
        assert type(error) is ModelNotFound
        assert entry["body"]["error"]["message"] in error.message


# The list of models


def test_a_list_of_models_has_pages() -> None:
    supported = {"supported": True}
    body = {
        "data": [
            {
                "type": "model",
                "id": "claude-big",
                "display_name": "Claude Big",
                "max_input_tokens": 1000000,
                "max_tokens": 64000,
                "lifecycle": "active",
                "capabilities": {
                    "image_input": supported,
                    "pdf_input": {"supported": False},
                    "thinking": supported | {"types": {}},
                    "structured_outputs": None,
                },
            },
            {"id": "claude-gone", "lifecycle": "retired"},
            {"id": "small"},
        ],
        "has_more": True,
        "last_id": "small",
    }
    page = anthropic_messages.models(ACME, json.dumps(body).encode())
    capabilities = ("images", "reasoning")
    assert list(page.models) == [
        Model("acme:claude-big", "acme", "claude-big", "Claude Big", capabilities, "live", 1000000, 64000),
        Model("acme:small", "acme", "small", "small", (), "live"),
    ]
    assert page.next == "small"
    assert anthropic_messages.models(ACME, json.dumps(body | {"has_more": False}).encode()).next is None


def test_how_models_are_asked_for() -> None:
    first, second = anthropic_messages.models_request(ACME), anthropic_messages.models_request(ACME, "a/b")
    assert first is not None
    assert second is not None
    assert first.url == "https://acme.example/v1/models?limit=1000"
    assert second.url == "https://acme.example/v1/models?limit=1000&after_id=a%2Fb"
    assert first.headers == {"accept": "application/json", "anthropic-version": "2023-06-01"}


@each("body", [b'{"data": {}}', b'{"models": []}', b'{"data": [{}]}', b"[]", b"busy"])
def test_what_is_no_list_of_models(body: bytes) -> None:
    with pytest.raises(BadReply, match="list of models that can't be read"):
        anthropic_messages.models(ACME, body)
