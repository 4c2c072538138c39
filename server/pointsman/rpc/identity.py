"""Who a client is, from its `initialize`. Must never fail: what a client does not say, or says oddly, stays unknown."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from lsprotocol import types
from msgspec import Struct

from pointsman.core.errors import UNREADABLE
from pointsman.rpc.types import EditorOptions
from pointsman.service.clients import Client, Clients


class _Options(Struct):
    pointsman: EditorOptions | None = None


def identify(clients: Clients, client: Client, params: types.InitializeParams) -> bool:
    """Writes name, window and workspace into the client. False when the window that it asks for is live elsewhere."""
    options = _options(params.initialization_options)
    info = params.client_info
    client.ours = options is not None
    client.name = (options and options.client) or (info.name if info else None) or "unknown client"
    client.client_version = (options and options.client_version) or (info.version if info else None)
    client.trusted = options.workspace_trusted if options else False
    client.workspace = _workspace(params)
    return clients.assign_window(client, options.window_id if options else None)


def _options(given: Any) -> EditorOptions | None:
    try:
        return msgspec.convert(given, _Options).pointsman
    except UNREADABLE:
        return None


def _workspace(params: types.InitializeParams) -> str | None:
    """The real path of the first folder."""
    folders = params.workspace_folders or []
    uri = folders[0].uri if folders else params.root_uri
    path = params.root_path
    if uri:
        parts = urlsplit(uri)
        path = unquote(parts.path) if parts.scheme == "file" else None
    if not path or "\0" in path:
        return None
    return os.path.realpath(path)
