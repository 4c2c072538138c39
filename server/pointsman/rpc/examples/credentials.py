"""Keys, accounts, temporary keys, the vault, and the record of all that happens to them.

Must never be needed by the daemon.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman.rpc.examples.facts import AT

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
}
NOTIFICATIONS: Mapping[str, Any] = {
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
}
