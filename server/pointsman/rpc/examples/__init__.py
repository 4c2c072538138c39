"""One worked message for each method and notification, as a client sends or receives it: shown in docs/protocol.md.

Must never be needed by the daemon. A test decodes each of them, so none shows a field that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman.rpc.examples import chats, choices, credentials, settings
from pointsman.rpc.examples.choices import SELECTION
from pointsman.rpc.examples.facts import WINDOW
from pointsman.rpc.render import pretty

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

COMMAND: tuple[Any, Any] = ({"command": "pointsman.switchModel", "arguments": ["sonnet", "workspace"]}, SELECTION)
"""`workspace/executeCommand`."""

_SUBJECTS = (choices, chats, credentials, settings)

REQUESTS: Mapping[str, tuple[Any, Any]] = {name: own for each in _SUBJECTS for name, own in each.REQUESTS.items()}
"""By method: the parameters, and the result."""

NOTIFICATIONS: Mapping[str, Any] = {name: own for each in _SUBJECTS for name, own in each.NOTIFICATIONS.items()}
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
