"""Refusals in every form: each recorded or documented body is the error of ours that says what can help."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

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
from pointsman.core.secret import Secret
from pointsman.wire import error_bodies
from tests.each import each
from tests.wire.error_cases import CASES
from tests.wire.refusals import DATE, Case

LINKS = Links(keys="https://acme.example/keys", status="https://status.acme.example")
ACME = Provider(id="acme", name="Acme", base_url="https://acme.example/v1", links=LINKS)


def refusal(status: int, body: Any, headers: dict[str, str] | None = None, provider: Provider = ACME) -> PointsmanError:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    error = error_bodies.from_response(provider, Head(status, headers or {}), encoded)
    assert (error.provider, error.status_code) == ("acme", status)
    return error


def test_recorded_refusals(transcripts: Path) -> None:
    recorded = json.loads((transcripts / "errors.json").read_bytes())
    assert len(recorded) == 17
    assert {"api.openai.com", "api.groq.com", "api.deepseek.com"} <= {entry["host"] for entry in recorded}
    for entry in recorded:
        body = json.loads(entry["body"]) if isinstance(entry["body"], str) else entry["body"]
        error = refusal(entry["status"], body)
        message = body.get("error", body)["message"]
        missing = entry["status"] == 404 or "model identifier is invalid" in message
        assert type(error) is (ModelNotFound if missing else BadRequest), entry["host"]
        assert error.message.startswith(f"Acme says: {message}")
        assert (error.retry_after, error.resets_at) == (None, None)


@each("case", CASES)
def test_documented_refusals(case: Case) -> None:
    error = refusal(case.status, case.body, case.headers)
    assert type(error) is case.kind, error
    assert (error.retry_after, error.resets_at) == (case.wait, case.resets_at)
    assert error.message.startswith("Acme ")
    if case.kind is QuotaExhausted:
        assert "retry" not in error.remedies, "it is final for this key"
        assert "console" in error.advice or (case.resets_at is not None and case.resets_at in error.advice)


@each(
    ("body", "message"),
    [
        ({"error": {"message": "Provider returned error", "metadata": {"raw": '{"message": "Real."}'}}}, "Real."),
        ({"error": {"message": "Provider returned error", "metadata": {"raw": "plain"}}}, "plain"),
        ({"error": {"message": "Own.", "metadata": {"raw": None}}}, "Own."),
        ({"error": {"message": "Own.", "metadata": 3}}, "Own."),
        ({"error": {"message": '{"error": {"message": "Deep."}}'}}, "Deep."),
        ({"error": {"message": "{no json"}}, "{no json"),
        ({"error": {"message": "[1]"}}, "[1]"),
        ({"detail": [{"loc": ["body", 0], "msg": "Wrong."}, {"msg": "Bad."}]}, "body.0: Wrong.; Bad."),
        ({"code": "A sentence", "error": "Text."}, "Text."),
        ({"error": {"message": "No call.", "failed_generation": "<f>{"}}, "No call. It had written: <f>{"),
    ],
)
def test_the_innermost_words_are_told(body: Any, message: str) -> None:
    assert refusal(400, body).message == f"Acme says: {message}"


def test_what_is_too_deep_is_not_looked_at() -> None:
    body: Any = {"message": "m", "code": "insufficient_quota"}
    for _ in range(50):
        body = {"error": body}
    error = refusal(429, body)
    assert type(error) is RateLimited
    assert "without a word" in error.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*error_bodies.INNER, *error_bodies.SAYS_WHAT, *error_bodies.SAYS_WHEN]), inner
        )
    ),
    max_leaves=20,
)


@given(st.integers(400, 599), JSON, st.dictionaries(st.sampled_from(["date", "retry-after"]), st.text(max_size=9)))
def test_nothing_in_a_body_is_a_mistake_of_ours(status: int, body: Any, headers: dict[str, str]) -> None:
    for error in (refusal(status, body, headers), error_bodies.in_stream(ACME, body)):
        assert error.retry_after is None or error.retry_after >= 0
        json.dumps(error.message)


def says(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


@each(
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
        (413, says("m"), ContextTooLong),
        (413, says("m", type="invalid_request_error"), ContextTooLong),
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


@each("body", [b"", b"<html>502</html>", b"\xff\xfe", b"null", b"[]", b"3", b"{}"])
@each(("status", "kind"), [(400, BadRequest), (401, InvalidKey), (413, ContextTooLong), (502, Overloaded)])
def test_a_refusal_without_words(body: bytes, status: int, kind: type[PointsmanError]) -> None:
    error = refusal(status, body)
    assert type(error) is kind
    assert error.message == f"Acme answered HTTP {status} without a word."


LONG = b'{"error": {"message": "It is \\"too\\" much, see ' + b"x" * 200_000
PROXY = b"upstream connect error or disconnect/reset before headers"


@each(
    ("body", "words"),
    [
        (PROXY, PROXY.decode()),
        (LONG[: 64 * 1024], 'It is "too" much, see xxx'),
        (b"Overloaded, come back.\n" + b"x" * 200_000, "Overloaded, come back."),
    ],
)
def test_the_beginning_of_a_body_that_is_no_whole_json_is_quoted(body: bytes, words: str) -> None:
    error = refusal(503, body)
    assert error.message.startswith(f"Acme says: {words}")
    assert len(error.message) < 600


def test_a_wait_that_is_known_is_told() -> None:
    assert refusal(429, says("slow"), {"retry-after": "30"}).advice == "Ask again in 30 s, or switch to another model."
    assert refusal(429, says("slow")).advice == RateLimited.default_advice


@each("body", [b"", b"<html>404</html>", b"[]"])
def test_nothing_there_means_a_wrong_base_url(body: bytes) -> None:
    error = refusal(404, body)
    assert type(error) is BadReply
    assert "https://acme.example/v1" in error.message
    assert "base URL" in error.advice


@each("body", [b"", says("moved")])
def test_a_redirect_means_a_wrong_base_url(body: Any) -> None:
    error = refusal(307, body, {"location": "https://new.example/v1/chat/completions"})
    assert type(error) is BadReply
    assert "https://acme.example/v1" in error.message
    assert "https://new.example" in error.advice
    for status in (300, 399):
        assert "base_url" in refusal(status, body).advice


@each(("status", "advice"), [(503, LINKS.status), (401, LINKS.keys), (429, "Wait a little"), (400, "Change what")])
def test_the_advice_names_the_provider_s_pages(status: int, advice: str) -> None:
    assert advice in refusal(status, says("m")).advice
    plain = Provider(id="acme", base_url="https://acme.example/v1")
    assert "http" not in refusal(status, says("m"), provider=plain).advice


def test_how_long_to_wait_is_passed_on() -> None:
    assert refusal(429, says("m"), {"retry-after": "7"}).retry_after == 7.0
    assert refusal(503, says("m"), {"retry-after-ms": "250"}).retry_after == 0.25
    assert refusal(429, says("m")).retry_after is None
    assert refusal(401, says("m", retry_after=7)).retry_after == 7.0
    assert refusal(403, says("m"), {"retry-after": "3"}).retry_after == 3.0
    spent = refusal(429, says("m", code="insufficient_quota"), {"retry-after": "18", "date": DATE})
    assert (type(spent), spent.retry_after, spent.resets_at) == (QuotaExhausted, 18.0, "2026-11-18T12:00:18Z")
    assert "console" in spent.advice, "a wait does not bring it back"
    quoted = says("m", metadata={"headers": {"Retry-After": "5"}})
    assert refusal(429, quoted).retry_after == 5.0


@each(
    ("said", "kind", "wait", "resets_at"),
    [
        ({"retry-after": "7200"}, RateLimited, 7200.0, None),
        ({"retry-after": "86400"}, RateLimited, 86400.0, None),
        ({"retry-after": "172800"}, QuotaExhausted, 172800.0, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "3600"}, RateLimited, 3600.0, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7200"}, QuotaExhausted, 7200.0, None),
        ({"x-ratelimit-reset": "7200", "date": DATE}, QuotaExhausted, None, "2026-11-18T14:00:00Z"),
        ({"x-ratelimit-reset": "7200", "retry-after": "20"}, RateLimited, 20.0, None),
        ({"x-ratelimit-remaining": "4", "x-ratelimit-reset": "7200"}, RateLimited, None, None),
    ],
)
def test_a_limit_that_is_full_again_only_in_hours_is_a_quota(
    said: dict[str, str], kind: type[PointsmanError], wait: float | None, resets_at: str | None
) -> None:
    error = refusal(429, says("m"), said)
    assert (type(error), error.retry_after, error.resets_at) == (kind, wait, resets_at)
    assert error.of_model == (kind is QuotaExhausted)


@each(
    ("status", "body", "kind", "of_model"),
    [
        (429, says("You have reached your weekly usage limit."), QuotaExhausted, False),
        (429, says("You (ada) have reached your hourly usage limit, please upgrade"), QuotaExhausted, False),
        (429, says("Rate limit exceeded: free-models-per-day. Add credits"), QuotaExhausted, True),
        (429, says("Daily request limit reached."), QuotaExhausted, True),
        (429, says("You have used up your daily free allocation of 10,000 neurons."), QuotaExhausted, True),
        (429, says("m", code="dailyLimitExceeded"), QuotaExhausted, True),
        (403, says("Daily Limit Exceeded"), QuotaExhausted, True),
        (401, says("Daily Limit Exceeded"), InvalidKey, False),
        (429, says("Limits: 20 requests per minute, 50 requests per day."), RateLimited, False),
        (429, says("Requests per minute (RPM) reached."), RateLimited, False),
        (429, says("m", code="insufficient_quota"), QuotaExhausted, False),
        (429, says("Request too large for m on tokens per day (TPD)"), ContextTooLong, False),
        (503, says("Daily limit reached."), Overloaded, False),
        (400, says("Per day is no such option."), BadRequest, False),
    ],
)
def test_a_limit_for_days_is_a_quota_perhaps_of_the_model_alone(
    status: int, body: Any, kind: type[PointsmanError], of_model: bool
) -> None:
    error = refusal(status, body)
    assert (type(error), error.of_model) == (kind, of_model)


@each("kind", ["anthropic-ratelimit-requests-{}", "x-ratelimit-{}-requests"])
def test_which_limit_was_reached_is_passed_on(kind: str) -> None:
    headers = {kind.format(name): value for name, value in (("limit", "50"), ("remaining", "0"), ("reset", "2s"))}
    data = refusal(429, says("slow down"), {"retry-after": "7", **headers}).data()
    assert (data.retry_after, data.limit, data.remaining) == (7, 50, 0)
    assert refusal(500, says("oh"), headers).data().limit is None, "it is not why"


def test_other_failures_name_no_wait() -> None:
    assert refusal(400, says("m"), {"retry-after": "7"}).retry_after is None
    assert refusal(503, says("m"), {"x-ratelimit-reset-requests": "6m0s"}).retry_after is None, "it is not why"


def test_an_error_can_be_worded_by_a_dialect_that_knows_its_kind() -> None:
    error = error_bodies.worded(ACME, RateLimited, "Slow.", 429, 2.0)
    assert (type(error), error.retry_after, error.message) == (RateLimited, 2.0, "Acme says: Slow.")
    assert error_bodies.worded(ACME, Overloaded, "", 503, None).retry_after is None


def test_long_words_are_cut() -> None:
    assert len(refusal(400, says("x" * 10**6)).message) < 600


@each("encoded", [str, partial(quote, safe=""), lambda key: b64encode(key.encode()).decode()])
def test_no_beginning_of_a_key_stays_where_long_words_are_cut(encoded: Callable[[str], str]) -> None:
    held = Secret("+/".join(f"a-long-token-{n}" for n in range(100)))
    key = encoded(held.reveal())
    last = 499 - len(held.mask())
    for before in (0, last - 1, last, last + 1, 499, 501, 2**16 - 600):
        told = refusal(400, says("x" * before + f" {key} " + "y" * 1000)).message
        assert key[:20] not in told
        assert (held.mask() in told) is (before <= last)


@each(
    ("detail", "kind", "status"),
    [
        ({"message": "m", "code": 429}, RateLimited, 429),
        ({"message": "m", "code": "rate_limit_exceeded"}, RateLimited, 500),
        ({"message": "m", "status_code": 401, "code": "odd"}, InvalidKey, 401),
        ({"message": "m", "type": "insufficient_quota"}, QuotaExhausted, 500),
        ({"message": "The context window is full.", "code": 400}, ContextTooLong, 400),
        ({"message": "m"}, Overloaded, 500),
        ({"message": "The context window is full."}, ContextTooLong, 500),
        ({"message": "m", "type": "invalid_request_error"}, BadRequest, 500),
        ({"message": "m", "code": "502"}, Overloaded, 502),
        ({"message": "m", "code": 42}, Overloaded, 500),
        ({"message": "m", "code": True}, Overloaded, 500),
        ({"error": {"message": "m", "code": 403}}, InvalidKey, 403),
        ({"__type": "throttlingException", "message": "m"}, RateLimited, 500),
        ("m", Overloaded, 500),
        (["m"], Overloaded, 500),
        (True, Overloaded, 500),
    ],
)
def test_an_error_in_the_middle_of_a_stream(detail: Any, kind: type[PointsmanError], status: int) -> None:
    error = error_bodies.in_stream(ACME, detail)
    assert type(error) is kind
    assert (error.provider, error.status_code) == ("acme", status)
