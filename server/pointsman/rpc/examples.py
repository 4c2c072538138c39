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
    "pointsman/status": (
        {},
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
            "providers": 11,
            "problems": 0,
            "plugins": [
                {
                    "name": "shout",
                    "group": "wires",
                    "package": "pointsman-shout",
                    "version": "1.0",
                    "state": "ready",
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
            },
            "origins": {"default": _FILE, "aliases.sonnet": _FILE},
        },
    ),
    "pointsman/setProvider": (
        {"provider": "corp", "values": {"timeout": {"first_event": 30}}, "ifRevision": REVISION},
        {"revision": "b1946ac92492d234"},
    ),
    "pointsman/removeProvider": ({"provider": "corp"}, {"revision": REVISION}),
    "pointsman/setAlias": ({"alias": "cheap", "model": "deepseek:deepseek-chat"}, {"revision": REVISION}),
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
