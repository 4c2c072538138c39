"""What the words of a refusal mean: codes, types, states and phrases of many APIs, in one table.

Must never know which provider says them: no two of them mean different things by the same word.
Sources: each provider's page about errors; tests/wire/error_cases.py names the page of every case.
"""

from __future__ import annotations

import re

from pointsman.core.errors import (
    BadRequest,
    ContentRefused,
    ContextTooLong,
    InvalidKey,
    ModelNotFound,
    NotAllowed,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
)

WORDS: dict[type[ProviderError], str] = {
    QuotaExhausted: (
        "insufficient_quota billing_hard_limit_reached billing_not_active billing_error insufficient_credits"
        " enforced_spend_limit_reached contract_spend_limit_reached linked_organization_spend_limit_reached"
        " usage_limit_reached usage_not_included Arrearage AllocationQuota.FreeTierOnly PrepaidBillOverdue"
        " PostpaidBillOverdue ServiceQuotaExceededException insufficient_balance payment_required per_day_quota"
        " dailyLimitExceeded"
    ),
    InvalidKey: (
        "invalid_api_key InvalidApiKey incorrect_api_key API_KEY_INVALID API_KEY_SERVICE_BLOCKED authentication_error"
        " permission_error permission_denied UNAUTHENTICATED AccessDenied AccessDeniedException ExpiredTokenException"
        " UnrecognizedClientException InvalidSignatureException MissingAuthenticationTokenException"
        " IncompleteSignatureException invalid_authentication_error account_deactivated invalid_organization"
        " mismatched_organization ip_not_authorized SERVICE_DISABLED"
    ),
    NotAllowed: "unsupported_country_region_territory",
    ModelNotFound: (
        "model_not_found ModelNotFound invalid_model DeploymentNotFound not_found_error NOT_FOUND model_not_available"
        " ResourceNotFoundException unknown_model model_not_supported model_decommissioned"
    ),
    ContextTooLong: (
        "context_length_exceeded exceed_context_size_error request_too_large string_above_max_length"
        " prompt_too_long too_many_tokens model_context_window_exceeded"
    ),
    ContentRefused: (
        "content_filter content_policy_violation ResponsibleAIPolicyViolation moderation_error DataInspectionFailed"
        " moderation_blocked safety_error flagged_input contentFilter"
    ),
    RateLimited: (
        "rate_limit_exceeded rate_limit_error rate_limited rate_limit_reached_error RESOURCE_EXHAUSTED"
        " RATE_LIMIT_EXCEEDED ThrottlingException Throttling TooManyRequestsException too_many_requests limit_requests"
        " limit_burst_rate engine_overloaded_rate_limit"
    ),
    Overloaded: (
        "overloaded_error server_error internal_server_error UNAVAILABLE INTERNAL DEADLINE_EXCEEDED api_error"
        " timeout_error upstream_error server_is_overloaded slow_down InternalServerException InternalFailure"
        " InternalError ServiceUnavailableException ModelNotReadyException ModelErrorException ModelTimeoutException"
        " ModelStreamErrorException RequestTimeOut service_unavailable service_tier_capacity_exceeded"
        " engine_overloaded_error engine_overloaded"
    ),
}

TOO_LARGE = "request too large for"
"""One request over a limit of tokens by itself, in lower case: it is told as a limit, and waiting does not help."""

PHRASES: dict[type[ProviderError], tuple[str, ...]] = {
    QuotaExhausted: (
        "credit balance is too low",
        "credits are depleted",
        "insufficient balance",
        "insufficient credits",
        "key limit exceeded",
        "monthly included credits",
        "monthly spend limit",
        "monthly spending limit",
        "run out of credits",
        "specified api usage limits",
        "specified workspace api usage limits",
        "used all available credits",
        "api calls / month",
        "hourly usage limit",
        "session usage limit",
        "daily usage limit",
        "weekly usage limit",
        "monthly usage limit",
        "reached your usage limit",
    ),
    InvalidKey: ("api key not valid", "incorrect api key", "invalid api key", "invalid api token"),
    NotAllowed: (
        "access to model",
        "access to the model",
        "access to this model",
        "country, region, or territory",
        "is not authorized to perform",
        "location is not supported",
        "model access denied",
        "model access is denied",
        "not available in your country",
        "not available in your region",
    ),
    ContextTooLong: (
        "context length",
        "context limit",
        "context size",
        "context window",
        "exceeds the maximum number of tokens",
        "input is too long",
        "prompt is too long",
        "range of input length",
        TOO_LARGE,
        "too many tokens",
    ),
    ContentRefused: ("violates our usage policies", "flagged for moderation", "flagged by moderation"),
    ModelNotFound: ("model identifier is invalid", "model not exist", "with on-demand throughput"),
}
"""What is told in words alone, by those whose codes don't say it; in lower case."""

VAGUE = (
    "invalid_request_error invalid_request INVALID_ARGUMENT ValidationException bad_request_error FAILED_PRECONDITION"
)
"""Only that the request was refused: heard where neither a status nor other words say more."""

BY_THE_DAY = re.compile(
    r"\b(?:per[- ](?:day|week|month)|(?:daily|weekly|monthly)\b[\w -]{0,30}\b(?:limit|quota|allocation))\b"
)
"""A limit for days, in a sentence in lower case, often that of one model; it does not come back in a minute."""
BY_THE_MINUTE = re.compile(r"\bper[- ]?(?:min|sec|hour)|\b[rt]pm\b")
"""One for minutes. Where both are told, nobody knows which of them was reached."""
BY_THE_DAY_WORDS = {"perdayquota", "dailylimitexceeded"}
"""The same as a code."""

NOWHERE = {"not found", "resource not found", "404 page not found", "404 not found"}
"""The whole message of servers that don't know the path, in lower case: the address is wrong, not the model."""


def plain(word: str) -> str:
    """A code without what differs between spellings: `ThrottlingException:http://…` is `throttling`."""
    name = word.partition(":")[0].rpartition("#")[2]
    return "".join(filter(str.isalnum, name.lower())).removesuffix("exception")


BY_WORD = {plain(word): kind for kind, words in WORDS.items() for word in words.split()}
_VAGUE = {plain(word) for word in VAGUE.split()}


def by_word(words: list[str]) -> type[ProviderError] | None:
    """What the first word that means something means.

    `Throttling.RateQuota` means what `Throttling` does, if nothing of its own.
    """
    for word in words:
        if kind := BY_WORD.get(plain(word)) or BY_WORD.get(plain(word.partition(".")[0])):
            return kind
    return BadRequest if any(plain(word) in _VAGUE for word in words) else None


def by_the_day(words: list[str], message: str) -> bool:
    """Whether a refusal is about a limit for days."""
    text = message.lower()
    coded = any(plain(word) in BY_THE_DAY_WORDS for word in words)
    return coded or bool(BY_THE_DAY.search(text) and not BY_THE_MINUTE.search(text))


def by_phrase(message: str) -> type[ProviderError] | None:
    """What a message says in words alone."""
    text = message.lower()
    return next((kind for kind, phrases in PHRASES.items() if any(phrase in text for phrase in phrases)), None)
