"""The methods of the protocol, one thin function each, and the table of them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman.core.catalogue import Problem
from pointsman.rpc.methods import (
    accounts,
    chats,
    configuration,
    daemon,
    keys,
    models,
    selection,
    sessions,
    usage,
    vault,
)
from pointsman.rpc.table import PREFIX, Method, methods_of
from pointsman.rpc.types import ChatEvents
from pointsman.service.catalogues import ProvidersChanged
from pointsman.service.chats import ChatsChanged
from pointsman.service.login import SignInCode
from pointsman.service.selection import SelectionChanged
from pointsman.service.trials import SessionsChanged

METHODS: Mapping[str, Method] = methods_of(
    models, selection, chats, usage, keys, accounts, sessions, configuration, daemon, vault
)

NOTIFICATIONS: Mapping[Any, str] = {
    ChatEvents: PREFIX + "chatEvents",
    SelectionChanged: PREFIX + "selectionChanged",
    ProvidersChanged: PREFIX + "providersChanged",
    ChatsChanged: PREFIX + "chatsChanged",
    SessionsChanged: PREFIX + "sessionsChanged",
    SignInCode: PREFIX + "signInCode",
    Problem: PREFIX + "configProblem",
}
"""What the daemon says unasked, by the struct that says it."""
