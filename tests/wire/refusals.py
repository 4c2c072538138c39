"""What a refusal is in the tests, how each family of providers writes one, and the pages that say so.

No case stands here. Their words are cut to what is read from them; ids and keys are made up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pointsman.core.errors import (
    PointsmanError,
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
