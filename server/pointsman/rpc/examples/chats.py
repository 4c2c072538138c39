"""Chats, where one would go, and what was spent.

Must never be needed by the daemon.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman.rpc.examples.facts import AT, CHAT, MODEL, WINDOW

_ANSWER = "Because the air scatters blue light more than red."
_SUMMARY = {
    "chatId": CHAT,
    "state": "running",
    "model": MODEL,
    "client": "vscode",
    "startedAt": AT,
    "events": 2,
    "watchers": 1,
    "title": "Why is the sky blue?",
    "windowId": WINDOW,
    "workspace": "/home/me/project",
    "provider": "openrouter",
}
_RESULT = {
    "chatId": CHAT,
    "stopReason": "end",
    "message": {"role": "assistant", "content": [{"type": "text", "text": _ANSWER}]},
    "model": MODEL,
    "provider": "openrouter",
    "usage": {"inputTokens": 14, "outputTokens": 11, "exact": True},
    "attempts": [{"model": MODEL, "provider": "openrouter", "outcome": "answered", "milliseconds": 1234}],
    "timing": {"firstTokenMs": 480, "totalMs": 1234},
    "route": {
        "spec": "sonnet",
        "rule": "alias sonnet; Decided by this workspace's choice.",
        "targets": [f"openrouter:{MODEL}"],
        "skipped": [],
    },
}
REQUESTS: Mapping[str, tuple[Any, Any]] = {
    "pointsman/explainRoute": (
        {"model": "chain:coding", "messages": [{"role": "user", "content": "Hello!"}], "options": {"seed": 7}},
        {
            "spec": "chain:coding",
            "rule": "chain coding",
            "targets": [
                {
                    "model": "claude-sonnet-4-20250514",
                    "provider": "anthropic",
                    "notices": [
                        {"type": "notice", "about": "seed", "text": "Anthropic has no `seed`; it was left out."}
                    ],
                },
                {"model": "qwen3-coder", "provider": "ollama", "notices": []},
            ],
            "skipped": [{"model": "gpt-4", "provider": "openai", "reason": "OpenAI has no key for this connection."}],
            "order": "in the order of the chain",
        },
    ),
    "pointsman/chat": (
        {
            "chatId": CHAT,
            "messages": [{"role": "user", "content": "Why is the sky blue?"}],
            "system": "Answer in one sentence.",
            "options": {"temperature": 0.2, "maxOutputTokens": 200},
        },
        _RESULT,
    ),
    "pointsman/attachChat": ({"chatId": CHAT, "after": 1}, _RESULT),
    "pointsman/cancelChat": ({"chatId": CHAT}, {**_RESULT, "stopReason": "cancelled"}),
    "pointsman/listChats": ({}, {"chats": [_SUMMARY]}),
    "pointsman/usage": (
        {"since": "2026-03-01", "by": "provider", "against": "deepseek:deepseek-chat"},
        {
            "by": "provider",
            "since": "2026-03-01T00:00:00Z",
            "until": "2026-03-14T09:26:53Z",
            "totals": [
                {
                    "name": "openrouter",
                    "chats": 210,
                    "inputTokens": 1840000,
                    "outputTokens": 96000,
                    "usd": 4.2185,
                    "cachedInputTokens": 1210000,
                    "reasoningTokens": 31000,
                    "cancelled": 4,
                    "againstUsd": 0.2141,
                },
                {
                    "name": "corp",
                    "chats": 12,
                    "inputTokens": 52000,
                    "outputTokens": 4100,
                    "usd": 0.0,
                    "unpriced": 12,
                    "againstUsd": 0.0157,
                },
            ],
            "grand": {
                "name": "",
                "chats": 222,
                "inputTokens": 1892000,
                "outputTokens": 100100,
                "usd": 4.2185,
                "cachedInputTokens": 1210000,
                "reasoningTokens": 31000,
                "unpriced": 12,
                "cancelled": 4,
                "againstUsd": 0.2298,
            },
            "recording": True,
            "against": "deepseek:deepseek-chat",
            "againstPrice": {"inputUsdPerMillion": 0.27, "outputUsdPerMillion": 1.1, "source": "genai-prices"},
            "budgets": [
                {
                    "about": "all",
                    "period": "day",
                    "spent": 0.81,
                    "budget": 5.0,
                    "reached": False,
                    "whenReached": "refuse",
                    "resetsAt": "2026-03-15T00:00:00Z",
                }
            ],
        },
    ),
    "pointsman/exportUsage": (
        {"since": "7d", "limit": 1},
        {
            "chats": [
                {
                    "chatId": CHAT,
                    "endedAt": "2026-03-14T09:26:53Z",
                    "provider": "openrouter",
                    "model": MODEL,
                    "client": "vscode",
                    "outcome": "end",
                    "inputTokens": 14,
                    "outputTokens": 11,
                    "exact": True,
                    "totalMs": 1234,
                    "attempts": 1,
                    "usd": 0.000207,
                    "source": "openrouter",
                    "account": "work",
                    "workspace": "/home/me/project",
                    "firstTokenMs": 480,
                }
            ],
            "next": 4711,
        },
    ),
}
NOTIFICATIONS: Mapping[str, Any] = {
    "pointsman/chatEvents": {
        "chatId": CHAT,
        "from": 0,
        "events": [
            {"type": "started", "model": MODEL, "provider": "openrouter"},
            {"type": "text", "text": "Because the air "},
        ],
    },
    "pointsman/chatsChanged": {"chat": _SUMMARY},
}
