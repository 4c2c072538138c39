"""Who a client is, from its `initialize`. Must never fail: what a client does not say, or says oddly, stays unknown."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

from pointsman.core.errors import UNREADABLE
from pointsman.edge.files import real_path
from pointsman.rpc.language import Introduction
from pointsman.rpc.types import EditorOptions
from pointsman.service.clients import Client, Clients

LONGEST_NAME = 100
"""Characters of a client's name, and of its version, that are kept."""


class _Options(Struct):
    pointsman: EditorOptions | None = None


def identify(clients: Clients, client: Client, introduction: Introduction) -> bool:
    """Writes name, window and workspace into the client. False when the window that it asks for is live elsewhere."""
    options = _options(introduction.options)
    given = options or EditorOptions()
    client.ours = options is not None
    client.name = _shown(given.client or introduction.name) or client.name
    client.client_version = _shown(given.client_version or introduction.version) or None
    client.trusted = given.workspace_trusted
    client.remote = given.remote
    client.workspace = _workspace(introduction)
    return clients.assign_window(client, given.window_id)


def _shown(text: str | None) -> str:
    """What a client says of itself, as people may see it: it stands in lists, in the log and in the audit."""
    return "".join(each if each.isprintable() else " " for each in (text or "")[:LONGEST_NAME]).strip()


def _options(given: Any) -> EditorOptions | None:
    try:
        return msgspec.convert(given, _Options).pointsman
    except UNREADABLE:
        return None


def _workspace(introduction: Introduction) -> str | None:
    """The real path of the first folder."""
    path = introduction.path
    if introduction.folder:
        parts = urlsplit(introduction.folder)
        path = unquote(parts.path) if parts.scheme == "file" else None
    if not path or "\0" in path:
        return None
    return real_path(path)
