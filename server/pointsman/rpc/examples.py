"""One worked message for each method and notification, as a client sends or receives it: shown in docs/protocol.md.

Must never be needed by the daemon. A test decodes each of them, so none shows a field that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman.rpc.render import pretty

CHAT = "1f0c9d2e-6a54-4c1b-9a3e-5b7c2d8e4f10"
WINDOW = "6f1e2ab09c"
AT = "2026-03-14T09:26:53.589Z"
REVISION = "9e107d9d372bb682"

_FILE = "/home/me/.config/pointsman/pointsman.toml"

_MODEL = "anthropic/claude-sonnet-4"
_ANSWER = "Because the air scatters blue light more than red."
_SUMMARY = {
    "chatId": CHAT,
    "state": "running",
    "model": _MODEL,
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
    "model": _MODEL,
    "provider": "openrouter",
    "usage": {"inputTokens": 14, "outputTokens": 11, "exact": True},
    "attempts": [{"model": _MODEL, "provider": "openrouter", "outcome": "answered", "milliseconds": 1234}],
    "timing": {"firstTokenMs": 480, "totalMs": 1234},
    "route": {
        "spec": "sonnet",
        "rule": "alias sonnet; Decided by this workspace's choice.",
        "targets": [f"openrouter:{_MODEL}"],
        "skipped": [],
    },
}
_SELECTION = {
    "model": "sonnet",
    "scope": "workspace",
    "revision": 7,
    "state": "available",
    "why": f"Decided by this workspace's choice, made by vscode at {AT}; it hides the global choice (echo:echo).",
    "displayName": f"OpenRouter · {_MODEL}",
    "provider": "openrouter",
    "target": f"openrouter:{_MODEL}",
    "changedBy": {"client": "vscode", "windowId": WINDOW},
    "changedAt": AT,
}

_SESSION = {
    "id": "3f2a9c",
    "provider": "openrouter",
    "account": "the-key…",
    "expiresAt": "2026-03-14T09:56:53Z",
    "secondsLeft": 1712,
    "inEffect": True,
    "createdBy": "vscode",
    "scope": "workspace",
    "workspace": "/home/me/project",
}

_ACCOUNT = {
    "id": "0b9c4b1e-6f0f-4d51-9d4e-6f1a3f3f3c55",
    "provider": "corp",
    "account": "me@example.com",
    "state": "ready",
    "addedAt": AT,
    "lastRefreshAt": "2026-03-14T09:26:53Z",
    "expiresAt": "2026-03-14T10:26:53Z",
}

_VAULT = {
    "state": "open",
    "records": 3,
    "file": "/home/me/.local/share/pointsman/state.db",
    "damaged": [{"id": "5d1c", "provider": "corp", "label": "work", "reason": "It is an older one that was put back."}],
    "notes": [],
    "source": "keyring",
    "where": "your keyring, under “pointsman” and “59c7787b20fad895”",
    "key": "59c7787b20fad895",
}
_EXPORTED = '{"format": "pointsman vault", "version": 1, "kdf": "scrypt", …}'

OPENING: tuple[Any, Any] = (
    {
        "processId": 4242,
        "rootUri": "file:///home/me/project",
        "capabilities": {},
        "initializationOptions": {
            "pointsman": {
                "client": "vscode",
                "clientVersion": "1.2.0",
                "windowId": WINDOW,
                "workspaceTrusted": True,
            }
        },
    },
    {
        "capabilities": {
            "experimental": {"pointsman": {"version": "0.1.0", "protocol": 1, "windowId": WINDOW}},
        },
        "serverInfo": {"name": "pointsman", "version": "0.1.0"},
    },
)
"""`initialize`, and the part of its answer that is Pointsman's own."""

COMMAND: tuple[Any, Any] = ({"command": "pointsman.switchModel", "arguments": ["sonnet", "workspace"]}, _SELECTION)
"""`workspace/executeCommand`."""

_KEY = {
    "provider": "openrouter",
    "source": "stored",
    "stored": True,
    "usable": True,
    "name": "work",
    "account": "sk-or-v1…",
    "origin": "https://openrouter.ai:443",
    "addedAt": AT,
}
_VARIABLE = {
    "provider": "openrouter",
    "source": "variable",
    "stored": False,
    "usable": True,
    "name": "OPENROUTER_API_KEY",
    "account": "sk-or-v1…",
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
                    "id": _MODEL,
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
    "pointsman/currentModel": ({}, _SELECTION),
    "pointsman/switchModel": ({"model": "sonnet", "scope": "workspace", "ifRevision": 6}, _SELECTION),
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
                    "model": _MODEL,
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
    "pointsman/signIn": ({"provider": "corp"}, _ACCOUNT),
    "pointsman/signOut": (
        {"provider": "corp", "account": "me@example.com"},
        {"provider": "corp", "account": "me@example.com", "revoked": True},
    ),
    "pointsman/listAccounts": ({}, {"accounts": [_ACCOUNT]}),
    "pointsman/createSession": (
        {"provider": "openrouter", "credentials": "the-key-to-try", "minutes": 30},
        {
            "token": "Zm9yLXRoaXMtcGFnZS1hbG9uZS1hbmQtbm8",
            "id": "3f2a9c",
            "provider": "openrouter",
            "account": "the-key…",
            "expiresAt": "2026-03-14T09:56:53Z",
        },
    ),
    "pointsman/activateSession": ({"token": "Zm9yLXRoaXMtcGFnZS1hbG9uZS1hbmQtbm8", "scope": "workspace"}, _SESSION),
    "pointsman/clearSession": (
        {"id": "3f2a9c"},
        {"id": "3f2a9c", "provider": "openrouter", "account": "the-key…"},
    ),
    "pointsman/listSessions": ({}, {"sessions": [_SESSION]}),
    "pointsman/setKey": (
        {"provider": "openrouter", "key": "…", "label": "work"},
        {
            "key": _KEY,
            "trial": {
                "ok": True,
                "milliseconds": 143,
                "steps": [
                    {"step": "reach", "outcome": "ok", "milliseconds": 98},
                    {"step": "authenticate", "outcome": "ok", "milliseconds": 98},
                    {"step": "list", "outcome": "ok", "milliseconds": 143},
                ],
            },
            "variables": ["OPENROUTER_API_KEY"],
        },
    ),
    "pointsman/listKeys": ({"provider": "openrouter"}, {"keys": [_VARIABLE, _KEY]}),
    "pointsman/removeKey": ({"provider": "openrouter", "label": "work"}, {"key": {**_KEY, "usable": False}}),
    "pointsman/adoptKey": (
        {"provider": "openrouter"},
        {"keys": [{**_KEY, "name": "key"}], "file": "/home/me/.config/pointsman/pointsman.toml"},
    ),
    "pointsman/vaultStatus": ({}, _VAULT),
    "pointsman/rotateVault": ({}, {**_VAULT, "key": "2ec7ea373fd2b936"}),
    "pointsman/exportVault": (
        {"passphrase": "several words that nobody guesses"},
        {"content": _EXPORTED, "records": 3, "accounts": 1, "leftOut": 1},
    ),
    "pointsman/importVault": (
        {"content": _EXPORTED, "passphrase": "several words that nobody guesses"},
        {
            "records": [
                {
                    "provider": "openrouter",
                    "label": "work",
                    "kind": "key",
                    "origin": "https://openrouter.ai:443",
                    "outcome": "added",
                }
            ]
        },
    ),
    "pointsman/discardVault": ({}, {"removed": 1}),
    "pointsman/audit": (
        {"limit": 1},
        {"events": [{"at": AT, "event": "usedFirst", "provider": "openrouter", "account": "work", "client": "vscode"}]},
    ),
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
    "pointsman/getProvider": (
        {"provider": "corp"},
        {
            "provider": "corp",
            "values": {"base_url": "https://llm.corp.example/v1", "keys": ["env:CORP_…"], "max_retries": 2},
            "origins": {"base_url": _FILE, "keys": _FILE},
            "revision": REVISION,
        },
    ),
    "pointsman/getConfig": (
        {},
        {
            "values": {
                "default": "sonnet",
                "project_default": None,
                "aliases": {"sonnet": "openrouter:claude-sonnet-4"},
                "chains": {"best": {"targets": ["sonnet", "ollama"], "strategy": "ordered", "on_break": "stop"}},
            },
            "origins": {
                "default": _FILE,
                "aliases.sonnet": _FILE,
                "chains.best": _FILE,
                "chains.best.targets": _FILE,
            },
        },
    ),
    "pointsman/setProvider": (
        {"provider": "corp", "values": {"timeout": {"first_event": 30}}, "ifRevision": REVISION},
        {"revision": "b1946ac92492d234"},
    ),
    "pointsman/removeProvider": ({"provider": "corp"}, {"revision": REVISION}),
    "pointsman/setAlias": ({"alias": "cheap", "model": "deepseek:deepseek-chat"}, {"revision": REVISION}),
    "pointsman/setChain": (
        {"chain": "coding", "targets": ["openrouter:claude-sonnet-4", "ollama:qwen3-coder"], "strategy": "sticky"},
        {"revision": REVISION},
    ),
    "pointsman/setDefault": ({"model": "sonnet"}, {"revision": REVISION}),
    "pointsman/reloadConfig": ({}, {"revision": REVISION}),
    "pointsman/testProvider": (
        {"provider": "corp", "baseUrl": "https://new.corp.example/v1"},
        {
            "ok": True,
            "milliseconds": 84,
            "models": 12,
            "steps": [
                {"step": "reach", "outcome": "ok", "milliseconds": 61},
                {"step": "authenticate", "outcome": "ok", "milliseconds": 83},
                {"step": "list", "outcome": "ok", "milliseconds": 83},
            ],
        },
    ),
    "pointsman/trustWorkspace": (
        {"folder": "/home/me/project"},
        {"file": "/home/me/project/.pointsman.toml", "trusted": True},
    ),
}
"""By method: the parameters, and the result."""

NOTIFICATIONS: Mapping[str, Any] = {
    "pointsman/chatEvents": {
        "chatId": CHAT,
        "from": 0,
        "events": [
            {"type": "started", "model": _MODEL, "provider": "openrouter"},
            {"type": "text", "text": "Because the air "},
        ],
    },
    "pointsman/selectionChanged": {"changed": _SELECTION, "effective": _SELECTION},
    "pointsman/chatsChanged": {"chat": _SUMMARY},
    "pointsman/sessionsChanged": {
        "sessions": [],
        "ended": {
            "id": "3f2a9c",
            "provider": "openrouter",
            "account": "the-key…",
            "reason": "expired",
            "message": "The temporary key for OpenRouter has ended after 30 minutes; the usual key is used again.",
        },
    },
    "pointsman/signInCode": {
        "provider": "corp",
        "url": "https://login.corp.example/device",
        "userCode": "WDJB-MJHT",
        "complete": "https://login.corp.example/device?user_code=WDJB-MJHT",
        "expiresAt": "2026-03-14T09:41:53Z",
    },
    "pointsman/providersChanged": {"added": ["corp"], "changed": [], "removed": []},
    "pointsman/configProblem": {
        "file": _FILE,
        "message": "Object contains unknown field `bse_url`.",
        "hint": "Did you mean `base_url`?",
        "line": 12,
    },
}
"""By notification: what it carries."""


def request(method: str, params: Any) -> dict[str, Any]:
    """A request as a message."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, **({"params": params} if params else {})}


def reply(result: Any) -> dict[str, Any]:
    """The reply to it."""
    return {"jsonrpc": "2.0", "id": 1, "result": result}


def block(message: Any) -> str:
    """A message as a page shows it."""
    return f"```json\n{pretty(message)}\n```"
