"""One worked message for each method and notification, from the files beside this one: shown in docs/protocol.md.

Must never be needed by the daemon. A test decodes each of them, so none shows a field that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pointsman.rpc.render import pretty

SUBJECTS = ("choices", "chats", "credentials", "settings")
"""The files that the daemon's own messages stand in."""


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a message carries; for a request, also what its reply does."""

    params: dict[str, Any]
    result: dict[str, Any] | None = None


def _read(subject: str) -> dict[str, Example]:
    """The messages of a file, by name. Raises msgspec.ValidationError for what is none."""
    text = Path(__file__).with_name(f"{subject}.json").read_text("utf-8")
    return msgspec.json.decode(text, type=dict[str, Example])


OPENING: Mapping[str, Example] = _read("opening")
"""What LSP itself defines: `initialize` and `workspace/executeCommand`."""

_SHOWN = {name: example for subject in SUBJECTS for name, example in _read(subject).items()}

REQUESTS: Mapping[str, Example] = {name: example for name, example in _SHOWN.items() if example.result is not None}
"""By method."""

NOTIFICATIONS: Mapping[str, Example] = {name: example for name, example in _SHOWN.items() if example.result is None}
"""By notification."""


def request(method: str, params: Any) -> dict[str, Any]:
    """A request as a message."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, **({"params": params} if params else {})}


def reply(result: Any) -> dict[str, Any]:
    """The reply to it."""
    return {"jsonrpc": "2.0", "id": 1, "result": result}


def block(message: Any) -> str:
    """A message as a page shows it."""
    return f"```json\n{pretty(message)}\n```"
