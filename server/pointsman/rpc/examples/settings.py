"""What the user has written down, and its changes.

Must never be needed by the daemon.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman.rpc.examples.facts import FILE, REVISION

REQUESTS: Mapping[str, tuple[Any, Any]] = {
    "pointsman/getProvider": (
        {"provider": "corp"},
        {
            "provider": "corp",
            "values": {"base_url": "https://llm.corp.example/v1", "keys": ["env:CORP_…"], "max_retries": 2},
            "origins": {"base_url": FILE, "keys": FILE},
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
                "default": FILE,
                "aliases.sonnet": FILE,
                "chains.best": FILE,
                "chains.best.targets": FILE,
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
NOTIFICATIONS: Mapping[str, Any] = {
    "pointsman/providersChanged": {"added": ["corp"], "changed": [], "removed": []},
    "pointsman/configProblem": {
        "file": FILE,
        "message": "Object contains unknown field `bse_url`.",
        "hint": "Did you mean `base_url`?",
        "line": 12,
    },
}
