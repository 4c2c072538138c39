"""What there is to choose from, and what is chosen.

Must never be needed by the daemon.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman.rpc.examples.facts import AT, MODEL, WINDOW

SELECTION = {
    "model": "sonnet",
    "scope": "workspace",
    "revision": 7,
    "state": "available",
    "why": f"Decided by this workspace's choice, made by vscode at {AT}; it hides the global choice (echo:echo).",
    "displayName": f"OpenRouter · {MODEL}",
    "provider": "openrouter",
    "target": f"openrouter:{MODEL}",
    "changedBy": {"client": "vscode", "windowId": WINDOW},
    "changedAt": AT,
}
REQUESTS: Mapping[str, tuple[Any, Any]] = {
    "pointsman/listProviders": (
        {},
        {
            "providers": [
                {
                    "id": "openrouter",
                    "name": "OpenRouter",
                    "kind": "universal-gateway",
                    "wire": "openai-chat",
                    "baseUrl": "https://openrouter.ai/api/v1",
                    "auth": {"scheme": "bearer", "state": "ready", "oauth": False, "keys": 2},
                    "state": "active",
                    "models": ["claude-sonnet-4", "free"],
                    "links": {"keys": "https://openrouter.ai/keys"},
                    "defaultModel": "claude-sonnet-4",
                }
            ]
        },
    ),
    "pointsman/listModels": (
        {"provider": "openrouter"},
        {
            "models": [
                {
                    "model": "openrouter:claude-sonnet-4",
                    "provider": "openrouter",
                    "id": MODEL,
                    "name": "claude-sonnet-4",
                    "capabilities": ["tools", "images", "reasoning"],
                    "source": "config",
                    "contextWindow": 1000000,
                    "maxOutputTokens": 64000,
                    "price": {
                        "inputUsdPerMillion": 3.0,
                        "outputUsdPerMillion": 15.0,
                        "source": "openrouter",
                        "cachedInputUsdPerMillion": 0.3,
                    },
                    "listedAt": "2026-11-18T09:00:00Z",
                }
            ],
            "failures": [],
        },
    ),
    "pointsman/currentModel": ({}, SELECTION),
    "pointsman/switchModel": ({"model": "sonnet", "scope": "workspace", "ifRevision": 6}, SELECTION),
    "pointsman/status": (
        {"credit": True},
        {
            "version": "0.1.0",
            "protocol": 1,
            "pid": 4711,
            "startedAt": AT,
            "uptimeSeconds": 86400.0,
            "draining": False,
            "configFile": "/home/me/.config/pointsman/pointsman.toml",
            "logFile": "/home/me/.local/share/pointsman/daemon.log",
            "endpoint": "/home/me/.local/share/pointsman/daemon.sock",
            "memory": 47042560,
            "clients": [{"client": "vscode", "version": "0.1.0", "windowId": WINDOW, "connectedAt": AT}],
            "runningChats": 1,
            "keptChats": 3,
            "waitingChats": 0,
            "providers": 11,
            "problems": 0,
            "dashboard": [
                {
                    "provider": "acme",
                    "name": "Acme",
                    "state": "rate-limited",
                    "models": 12,
                    "costToday": 0.42,
                    "unpricedToday": 1,
                    "since": AT,
                    "reason": "cooling until 14:05 (RateLimited)",
                    "resetsAt": "2027-01-15T13:05:00Z",
                    "credit": [{"amount": 74.5, "currency": "USD", "at": AT, "account": "not-a-re…"}],
                    "lastUsedAt": AT,
                }
            ],
            "spentToday": 0.42,
            "spentMonth": 7.5,
            "unpricedToday": 1,
            "unpricedMonth": 4,
            "budgets": [
                {
                    "about": "all",
                    "period": "day",
                    "spent": 0.42,
                    "budget": 5.0,
                    "reached": False,
                    "whenReached": "refuse",
                    "resetsAt": "2027-01-15T23:00:00Z",
                }
            ],
            "metrics": {"page": "http://127.0.0.1:9464/metrics"},
            "plugins": [
                {
                    "name": "shout",
                    "group": "wires",
                    "package": "pointsman-shout",
                    "version": "1.0",
                    "state": "ready",
                }
            ],
            "plans": [
                {
                    "provider": "acme-plan",
                    "name": "Acme plan",
                    "windows": [
                        {
                            "name": "5 hours",
                            "usedPercent": 1.33,
                            "source": "counted",
                            "used": 3,
                            "limit": 225,
                            "resetsAt": "2027-01-15T13:00:00Z",
                        }
                    ],
                    "remaining": 222,
                    "resetsAt": "2027-01-15T13:00:00Z",
                }
            ],
        },
    ),
}
NOTIFICATIONS: Mapping[str, Any] = {
    "pointsman/selectionChanged": {"changed": SELECTION, "effective": SELECTION},
}
