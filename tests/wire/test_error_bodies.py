"""Refusals in OpenAI's form: each recorded or documented body is the error of ours that says what can help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman.core.catalogue import Links, Provider
from pointsman.core.errors import (
    BadReply,
    BadRequest,
    ContentRefused,
    ContextTooLong,
    InvalidKey,
    ModelNotFound,
    Overloaded,
    PointsmanError,
    QuotaExhausted,
    RateLimited,
)
from pointsman.core.http import Head
from pointsman.wire import error_bodies

LINKS = Links(keys="https://acme.example/keys", status="https://status.acme.example")
ACME = Provider(id="acme", name="Acme", base_url="https://acme.example/v1", links=LINKS)


def refusal(status: int, body: Any, headers: dict[str, str] | None = None, provider: Provider = ACME) -> PointsmanError:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    error = error_bodies.from_response(provider, Head(status, headers or {}), encoded)
    assert (error.provider, error.status_code) == ("acme", status)
    return error


BY_STATUS = {400: BadRequest, 404: ModelNotFound}


def test_recorded_refusals(transcripts: Path) -> None:
    recorded = json.loads((transcripts / "errors.json").read_bytes())
    assert {entry["status"] for entry in recorded} == set(BY_STATUS)
    assert {"api.openai.com", "api.groq.com", "api.deepseek.com"} <= {entry["host"] for entry in recorded}
    for entry in recorded:
        body = entry["body"]
        error = refusal(entry["status"], body.encode() if isinstance(body, str) else body)
        assert type(error) is BY_STATUS[entry["status"]], entry["host"]
        body = json.loads(body) if isinstance(body, str) else body
        assert error.message == "Acme says: " + body.get("error", body)["message"]


def says(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, says("m"), BadRequest),
        (401, says("m"), InvalidKey),
        (402, says("m"), QuotaExhausted),
        (403, says("m"), InvalidKey),
        (404, says("m"), ModelNotFound),
        (405, says("m"), BadRequest),
        (408, says("m"), Overloaded),
        (409, says("m"), Overloaded),
        (422, says("m"), BadRequest),
        (429, says("m"), RateLimited),
        (500, says("m"), Overloaded),
        (503, says("m"), Overloaded),
        (529, says("m"), Overloaded),
        # What the body says weighs more than the status.
        (400, says("m", code="model_not_found"), ModelNotFound),
        (400, says("m", type="invalid_request_error", code="context_length_exceeded"), ContextTooLong),
        (400, says("m", code="content_filter"), ContentRefused),
        (400, says("m", code="invalid_api_key"), InvalidKey),
        (429, says("m", type="insufficient_quota", code="insufficient_quota"), QuotaExhausted),
        (429, says("m", type="insufficient_quota"), QuotaExhausted),
        (403, says("m", code="billing_hard_limit_reached"), QuotaExhausted),
        (400, says("m", type="overloaded_error"), Overloaded),
        (400, says("m", code="odd", type="rate_limit_error"), RateLimited),
        (429, says("m", code=429), RateLimited),
        (400, says("m", code=None, type=None), BadRequest),
        # A context that is too long is often told in words alone.
        (400, says("This model's maximum context length is 8192 tokens."), ContextTooLong),
        (413, says("The Context Size has been exceeded."), ContextTooLong),
        (500, says("The context window broke."), Overloaded),
        # Other forms.
        (404, [says("m")], ModelNotFound),
        (400, {"error": "m"}, BadRequest),
        (401, {"detail": "m"}, InvalidKey),
        (400, {"message": "m"}, BadRequest),
        (400, {"error": {"detail": "m"}}, BadRequest),
    ],
)
def test_what_a_refusal_means(status: int, body: Any, kind: type[PointsmanError]) -> None:
    error = refusal(status, body)
    assert type(error) is kind
    assert error.message.startswith("Acme says: ")


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"\xff\xfe", b"null", b"[]", b"3", b"{}"])
@pytest.mark.parametrize(("status", "kind"), [(400, BadRequest), (401, InvalidKey), (502, Overloaded)])
def test_a_refusal_without_words(body: bytes, status: int, kind: type[PointsmanError]) -> None:
    error = refusal(status, body)
    assert type(error) is kind
    assert error.message == f"Acme answered HTTP {status} without a word."


@pytest.mark.parametrize("body", [b"", b"<html>404</html>", b"[]"])
def test_nothing_there_means_a_wrong_base_url(body: bytes) -> None:
    error = refusal(404, body)
    assert type(error) is BadReply
    assert "https://acme.example/v1" in error.message
    assert "base URL" in error.advice


@pytest.mark.parametrize("body", [b"", says("moved")])
def test_a_redirect_means_a_wrong_base_url(body: Any) -> None:
    error = refusal(307, body, {"location": "https://new.example/v1/chat/completions"})
    assert type(error) is BadReply
    assert "https://acme.example/v1" in error.message
    assert "https://new.example" in error.advice
    for status in (300, 399):
        assert "base_url" in refusal(status, body).advice


@pytest.mark.parametrize(
    ("status", "advice"), [(503, LINKS.status), (401, LINKS.keys), (429, "Wait a little"), (400, "Change what")]
)
def test_the_advice_names_the_provider_s_pages(status: int, advice: str) -> None:
    assert advice in refusal(status, says("m")).advice
    plain = Provider(id="acme", base_url="https://acme.example/v1")
    assert "http" not in refusal(status, says("m"), provider=plain).advice


def test_how_long_to_wait_is_passed_on() -> None:
    assert refusal(429, says("m"), {"retry-after": "7"}).retry_after == 7.0
    assert refusal(503, says("m"), {"retry-after-ms": "250"}).retry_after == 0.25
    assert refusal(429, says("m")).retry_after is None


def test_long_words_are_cut() -> None:
    assert len(refusal(400, says("x" * 10**6)).message) < 600


@pytest.mark.parametrize(
    ("detail", "kind", "status"),
    [
        ({"message": "m", "code": 429}, RateLimited, 429),
        ({"message": "m", "code": "rate_limit_exceeded"}, RateLimited, 500),
        ({"message": "m", "status_code": 401, "code": "odd"}, InvalidKey, 401),
        ({"message": "m", "type": "insufficient_quota"}, QuotaExhausted, 500),
        ({"message": "The context window is full.", "code": 400}, ContextTooLong, 400),
        ({"message": "m"}, Overloaded, 500),
        ("m", Overloaded, 500),
        (["m"], Overloaded, 500),
        (True, Overloaded, 500),
    ],
)
def test_an_error_in_the_middle_of_a_stream(detail: Any, kind: type[PointsmanError], status: int) -> None:
    error = error_bodies.in_stream(ACME, detail)
    assert type(error) is kind
    assert (error.provider, error.status_code) == ("acme", status)
