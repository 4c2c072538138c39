"""Refusals as providers document or show them, each with the page that says so, and what they mean to us.

The words of the messages are cut to what is read from them; ids and keys are made up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pointsman.core.errors import (
    BadReply,
    BadRequest,
    ContentRefused,
    ContextTooLong,
    InvalidKey,
    ModelNotFound,
    NotAllowed,
    Overloaded,
    PointsmanError,
    QuotaExhausted,
    RateLimited,
)

DATE = "Wed, 18 Nov 2026 12:00:00 GMT"
NOON = 1795003200
"""The same in Unix time."""


@dataclass(frozen=True)
class Case:
    """One refusal. `wait` is in seconds, `resets_at` RFC 3339."""

    source: str
    status: int
    body: Any
    kind: type[PointsmanError]
    wait: float | None = None
    resets_at: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.source.split('/')[2]}-{self.status}-{self.kind.__name__}"


OPENAI = "https://platform.openai.com/docs/guides/error-codes"
OPENAI_LIMITS = "https://platform.openai.com/docs/guides/rate-limits"
GROQ = "https://console.groq.com/docs/rate-limits"
ANTHROPIC = "https://platform.claude.com/docs/en/api/errors"
ANTHROPIC_LIMITS = "https://platform.claude.com/docs/en/api/rate-limits"
GOOGLE = "https://ai.google.dev/gemini-api/docs/troubleshooting"
GOOGLE_DETAILS = "https://cloud.google.com/apis/design/errors"
BEDROCK = "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html"
AWS_COMMON = "https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html"
AZURE = "https://learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/content-filter"
AZURE_QUOTA = "https://learn.microsoft.com/en-us/azure/ai-foundry/openai/how-to/quota"
MISTRAL = "https://docs.mistral.ai/api"
MISTRAL_SEEN = "https://github.com/cline/cline/issues/9085"
COHERE = "https://docs.cohere.com/reference/errors"
HF = "https://huggingface.co/docs/inference-providers/pricing"
HF_LOADING = "https://huggingface.co/docs/api-inference/detailed_parameters"
XAI = "https://docs.x.ai/docs/key-information/debugging"
XAI_SEEN = "https://github.com/continuedev/continue/issues/10373"
DASHSCOPE = "https://www.alibabacloud.com/help/en/model-studio/error-code"
POE = "https://creator.poe.com/api-reference/errors"
OPENROUTER = "https://openrouter.ai/docs/api/reference/errors-and-debugging"
OPENROUTER_SEEN = "https://github.com/cline/cline/issues/5301"
CODEX = "https://github.com/openai/codex/blob/main/codex-rs/codex-api/src/rate_limits.rs"
DEEPSEEK = "https://api-docs.deepseek.com/quick_start/error_codes"
OLLAMA = "https://github.com/ollama/ollama/blob/main/docs/api/errors.mdx"
OLLAMA_SEEN = "https://github.com/continuedev/continue/issues/11444"
RATELIMIT = "https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/"
TOGETHER = "https://docs.together.ai/docs/error-codes"
MOONSHOT = "https://platform.moonshot.ai/docs/api/chat"


def says(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


def anthropic(kind: str, message: str, **more: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message, **more}, "request_id": "req_0"}


def google(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def detail(kind: str, **more: Any) -> dict[str, Any]:
    return {"@type": f"type.googleapis.com/google.rpc.{kind}", **more}


def amazon(kind: str) -> dict[str, str]:
    return {"x-amzn-errortype": f"{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/"}


CASES = [
    # OpenAI, and those who copied it
    Case(OPENAI, 401, says("Incorrect API key provided: sk-no.", code="invalid_api_key"), InvalidKey),
    Case(
        OPENAI,
        429,
        says("You exceeded your current quota.", type="insufficient_quota", code="insufficient_quota"),
        QuotaExhausted,
        wait=9.0,
        resets_at="2026-11-18T12:00:09Z",
        headers={"retry-after": "9", "date": DATE},
    ),
    Case(OPENAI, 403, says("Country not supported.", code="unsupported_country_region_territory"), NotAllowed),
    Case(OPENAI, 403, says("Country, region, or territory not supported", type="request_forbidden"), NotAllowed),
    Case(OPENAI, 503, says("The engine is currently overloaded.", type="server_error"), Overloaded),
    Case(
        OPENAI_LIMITS,
        429,
        says("Rate limit reached for requests.", type="requests", code="rate_limit_exceeded"),
        RateLimited,
        wait=360.0,
        headers={
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "6m0s",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-tokens": "1h2m3.5s",
        },
    ),
    Case(
        OPENAI_LIMITS,
        429,
        says("Rate limit reached. Please try again in 1.5s. Visit …", type="tokens", code="rate_limit_exceeded"),
        RateLimited,
        wait=1.5,
        headers={"x-ratelimit-remaining-tokens": "12", "x-ratelimit-reset-tokens": "6m0s"},
    ),
    Case(
        OPENAI_LIMITS,
        429,
        says("Request too large for m on tokens per min (TPM): Limit 9, Requested 10.", code="rate_limit_exceeded"),
        ContextTooLong,
    ),
    Case(
        OPENAI_LIMITS,
        429,
        says("Slow down.", code="rate_limit_exceeded"),
        RateLimited,
        wait=0.25,
        headers={"retry-after-ms": "250", "retry-after": "1"},
    ),
    Case(
        GROQ,
        429,
        says("Rate limit reached for model `m`.", type="tokens", code="rate_limit_exceeded"),
        RateLimited,
        wait=0.004,
        headers={"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "4ms"},
    ),
    Case(
        GROQ,
        429,
        says(
            "Rate limit reached for model `m` on tokens per day (TPD): Limit 9, Used 9. Please try again in 7m12s.",
            type="tokens",
            code="rate_limit_exceeded",
        ),
        QuotaExhausted,
        wait=432.0,
        headers={"retry-after": "432"},
    ),
    Case(
        DEEPSEEK,
        402,
        says("Insufficient Balance", type="unknown_error", code="invalid_request_error"),
        QuotaExhausted,
    ),
    Case(TOGETHER, 403, says("Input token count + max_tokens must be less than the context length."), ContextTooLong),
    Case(MOONSHOT, 429, says("The engine is currently overloaded.", type="engine_overloaded_error"), Overloaded),
    # Anthropic
    Case(ANTHROPIC, 402, anthropic("billing_error", "There's an issue with your billing."), QuotaExhausted),
    Case(ANTHROPIC, 403, anthropic("permission_error", "Your API key may not do that."), InvalidKey),
    Case(ANTHROPIC, 403, anthropic("permission_error", "You don't have access to the model x."), NotAllowed),
    Case(ANTHROPIC, 413, anthropic("request_too_large", "Request exceeds the maximum size."), ContextTooLong),
    Case(ANTHROPIC, 529, anthropic("overloaded_error", "Overloaded"), Overloaded),
    Case(ANTHROPIC, 400, anthropic("invalid_request_error", "prompt is too long: 2 > 1 maximum"), ContextTooLong),
    Case(ANTHROPIC, 400, anthropic("invalid_request_error", "Your credit balance is too low."), QuotaExhausted),
    Case(
        ANTHROPIC,
        400,
        anthropic(
            "invalid_request_error",
            "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
        ),
        QuotaExhausted,
        resets_at="2026-12-01T00:00:00Z",
    ),
    Case(
        ANTHROPIC,
        429,
        anthropic("rate_limit_error", "Spend limit.", details={"error_code": "enforced_spend_limit_reached"}),
        QuotaExhausted,
    ),
    Case(
        ANTHROPIC_LIMITS,
        429,
        anthropic("rate_limit_error", "This request would exceed your rate limit."),
        RateLimited,
        wait=90.0,
        resets_at="2026-11-18T12:01:30Z",
        headers={
            "date": DATE,
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": "2026-11-18T12:00:30Z",
            "anthropic-ratelimit-input-tokens-remaining": "0",
            "anthropic-ratelimit-input-tokens-reset": "2026-11-18T12:01:30Z",
            "anthropic-ratelimit-output-tokens-remaining": "8000",
            "anthropic-ratelimit-output-tokens-reset": "2026-11-18T12:05:00Z",
        },
    ),
    # Google
    Case(
        GOOGLE_DETAILS,
        429,
        [google(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", detail("RetryInfo", retryDelay="17s"))],
        RateLimited,
        wait=17.0,
    ),
    Case(
        GOOGLE_DETAILS,
        429,
        google(
            429,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota.",
            detail("QuotaFailure", violations=[{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]),
        ),
        QuotaExhausted,
    ),
    Case(
        GOOGLE_DETAILS,
        429,
        google(
            429,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota. Please retry in 41.5s.",
            detail("QuotaFailure", violations=[{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]),
            detail("RetryInfo", retryDelay="41s"),
        ),
        QuotaExhausted,
        wait=41.0,
    ),
    Case(
        GOOGLE_DETAILS,
        400,
        google(
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
            detail("ErrorInfo", reason="API_KEY_INVALID", domain="googleapis.com"),
        ),
        InvalidKey,
    ),
    Case(GOOGLE, 400, google(400, "INVALID_ARGUMENT", "The request body is malformed."), BadRequest),
    Case(
        GOOGLE,
        400,
        google(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (1)."),
        ContextTooLong,
    ),
    Case(GOOGLE, 403, google(403, "PERMISSION_DENIED", "No."), InvalidKey),
    Case(GOOGLE, 400, google(400, "FAILED_PRECONDITION", "User location is not supported."), NotAllowed),
    Case(GOOGLE, 503, google(503, "UNAVAILABLE", "The model is overloaded."), Overloaded),
    Case(GOOGLE, 504, google(504, "DEADLINE_EXCEEDED", "Too slow."), Overloaded),
    # Bedrock
    Case(BEDROCK, 429, {"message": "Too many tokens per day."}, QuotaExhausted, headers=amazon("ThrottlingException")),
    Case(BEDROCK, 429, {"message": "Too many requests."}, RateLimited, headers=amazon("ThrottlingException")),
    Case(BEDROCK, 400, {"message": "Quota."}, QuotaExhausted, headers=amazon("ServiceQuotaExceededException")),
    Case(BEDROCK, 429, {"message": "Not ready."}, Overloaded, headers=amazon("ModelNotReadyException")),
    Case(BEDROCK, 424, {"message": "The model failed."}, Overloaded, headers=amazon("ModelErrorException")),
    Case(BEDROCK, 408, {"message": "Took too long."}, Overloaded, headers=amazon("ModelTimeoutException")),
    Case(BEDROCK, 404, {"message": "No such model."}, ModelNotFound, headers=amazon("ResourceNotFoundException")),
    Case(BEDROCK, 400, {"message": "Input is too long."}, ContextTooLong, headers=amazon("ValidationException")),
    Case(AWS_COMMON, 403, {"message": "The security token is invalid."}, InvalidKey, headers=amazon("Unrecognized")),
    Case(
        AWS_COMMON,
        403,
        {"message": "You don't have access to the model with the specified model ID."},
        NotAllowed,
        headers=amazon("AccessDeniedException"),
    ),
    Case(
        AWS_COMMON,
        403,
        {"message": "User: arn:aws:iam::1:user/me is not authorized to perform: bedrock:InvokeModel on resource: x"},
        NotAllowed,
        headers=amazon("AccessDeniedException"),
    ),
    Case(AWS_COMMON, 400, {"__type": "com.amazon.coral.service#ExpiredTokenException", "message": "m"}, InvalidKey),
    # Azure
    Case(
        AZURE,
        400,
        says(
            "The response was filtered.",
            code="content_filter",
            status=400,
            innererror={"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}},
        ),
        ContentRefused,
    ),
    Case(AZURE, 404, says("The API deployment does not exist.", code="DeploymentNotFound"), ModelNotFound),
    Case(AZURE, 404, says("Resource not found", code="404"), BadReply),
    Case(AZURE, 401, {"statusCode": 401, "message": "Unauthorized. Access token is missing."}, InvalidKey),
    Case(AZURE_QUOTA, 429, says("Requests exceeded. Please retry after 26 seconds.", code="429"), RateLimited, 26.0),
    # Mistral
    Case(MISTRAL, 422, {"detail": [{"loc": ["body", "model"], "msg": "Required", "type": "missing"}]}, BadRequest),
    Case(
        MISTRAL,
        400,
        {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "code": "1500"},
        ModelNotFound,
    ),
    Case(
        MISTRAL,
        422,
        {"object": "error", "message": {"detail": [{"loc": ["body", 0], "msg": "Wrong"}]}, "type": "invalid_request"},
        BadRequest,
    ),
    Case(
        MISTRAL_SEEN,
        429,
        {"object": "error", "message": "Rate limit exceeded", "type": "rate_limited", "param": None, "code": "1300"},
        RateLimited,
    ),
    # Cohere
    Case(COHERE, 401, {"message": "invalid api token"}, InvalidKey),
    Case(COHERE, 400, {"message": "too many tokens: size limit exceeded by 11326 tokens."}, ContextTooLong),
    Case(COHERE, 429, {"message": "You are past the per minute request limit, please wait."}, RateLimited),
    Case(
        COHERE,
        429,
        {"message": "You are using a Trial key, which is limited to 1000 API calls / month."},
        QuotaExhausted,
    ),
    # Hugging Face
    Case(HF, 402, {"error": "You have exceeded your monthly included credits."}, QuotaExhausted),
    Case(HF_LOADING, 503, {"error": "Model m is currently loading", "estimated_time": 20.5}, Overloaded, wait=20.5),
    # xAI
    Case(
        XAI,
        400,
        {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: no***no."},
        InvalidKey,
    ),
    Case(XAI, 404, {"code": "Some requested entity was not found", "error": "The model grok-0 …"}, ModelNotFound),
    Case(
        XAI_SEEN,
        429,
        {
            "code": "Some resource has been exhausted",
            "error": "Your team t has either used all available credits or reached its monthly spending limit.",
        },
        QuotaExhausted,
    ),
    # DashScope
    Case(DASHSCOPE, 429, {"code": "Throttling.RateQuota", "message": "Requests rate limit exceeded."}, RateLimited),
    Case(DASHSCOPE, 429, {"code": "Throttling.AllocationQuota", "message": "Allocated quota exceeded."}, RateLimited),
    Case(DASHSCOPE, 400, {"code": "Arrearage", "message": "Access denied."}, QuotaExhausted),
    Case(DASHSCOPE, 401, {"code": "InvalidApiKey", "message": "Invalid API-key provided."}, InvalidKey),
    Case(DASHSCOPE, 403, {"code": "AllocationQuota.FreeTierOnly", "message": "Free tier used up."}, QuotaExhausted),
    Case(DASHSCOPE, 400, {"code": "DataInspectionFailed", "message": "Inappropriate."}, ContentRefused),
    Case(DASHSCOPE, 400, {"code": "InvalidParameter", "message": "Range of input length should be …"}, ContextTooLong),
    Case(DASHSCOPE, 500, {"code": "InternalError.Algo", "message": "An internal error."}, Overloaded),
    # Poe
    Case(POE, 401, says("Invalid API key provided", type="invalid_request_error", code="invalid_api_key"), InvalidKey),
    Case(POE, 400, says("Model x does not exist", type="invalid_request", code="model_not_found"), ModelNotFound),
    Case(POE, 402, says("Not enough points.", type="insufficient_credits", code=402), QuotaExhausted),
    # OpenRouter
    Case(
        OPENROUTER,
        429,
        says(
            "Provider returned error",
            code=429,
            metadata={
                "provider_name": "P",
                "raw": '{"error":{"message":"TPM, retry in 3s","code":"rate_limited"}}',
            },
        ),
        RateLimited,
        wait=3.0,
    ),
    Case(
        OPENROUTER,
        403,
        says("Flagged.", code=403, metadata={"reasons": ["violence"], "flagged_input": "…", "provider_name": "P"}),
        ContentRefused,
    ),
    Case(OPENROUTER, 402, says("This request requires more credits.", code=402), QuotaExhausted),
    Case(
        OPENROUTER,
        402,
        says("In flight.", code=402, metadata={"limit_source": "openrouter_in_flight_budget"}),
        RateLimited,
        wait=4.0,
        headers={"retry-after": "4"},
    ),
    Case(OPENROUTER, 502, says("Provider returned error", code=502, metadata={"raw": "oops"}), Overloaded),
    Case(
        OPENROUTER_SEEN,
        429,
        says(
            "Rate limit exceeded: free-models-per-day.",
            code=429,
            metadata={"headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOON + 43200}000"}},
        ),
        QuotaExhausted,
        resets_at="2026-11-19T00:00:00Z",
        headers={"date": DATE},
    ),
    # ChatGPT's plan
    Case(
        CODEX,
        429,
        says("The usage limit has been reached", type="usage_limit_reached", plan_type="plus", resets_at=NOON + 3600),
        QuotaExhausted,
        resets_at="2026-11-18T13:00:00Z",
    ),
    Case(
        CODEX,
        429,
        says("The usage limit has been reached", type="usage_limit_reached", resets_in_seconds=7200),
        QuotaExhausted,
        resets_at="2026-11-18T14:00:00Z",
        headers={"date": DATE},
    ),
    Case(
        CODEX,
        429,
        says("The usage limit has been reached", type="usage_limit_reached"),
        QuotaExhausted,
        resets_at="2026-11-18T15:00:00Z",
        headers={
            "x-codex-primary-used-percent": "100",
            "x-codex-primary-reset-at": f"{NOON + 10800}",
            "x-codex-secondary-used-percent": "40.5",
            "x-codex-secondary-reset-at": f"{NOON + 99999}",
        },
    ),
    # Ollama
    Case(OLLAMA, 404, {"error": "model 'x' not found"}, ModelNotFound),
    Case(OLLAMA, 502, {"error": "unreachable"}, Overloaded),
    Case(
        OLLAMA_SEEN,
        429,
        {"error": "you have reached your weekly usage limit, upgrade for higher limits: https://ollama.com/upgrade"},
        QuotaExhausted,
    ),
    # The draft of the IETF
    Case(RATELIMIT, 429, says("Slow down."), RateLimited, wait=3.0, headers={"ratelimit": '"default";r=0;t=3'}),
    Case(
        RATELIMIT,
        429,
        says("Slow down."),
        QuotaExhausted,
        resets_at="2026-11-18T18:00:00Z",
        headers={"ratelimit": '"minute";r=9;t=3, "day";r=0;t=21600', "date": DATE},
    ),
]
