"""What a plugin is given and what it may give back, as values. Must never know how one is found, loaded or called.

docs/plugins.md is for those who write one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from msgspec import Struct

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation
from pointsman.core.http import Request

Group = Literal["wires", "auth", "middleware"]
"""What a plugin adds: a dialect, a way to authenticate, or something that goes along with each chat."""

EnvironmentGetter = Callable[[str], str | None]
"""Gives a variable of the connection, if the provider's `auth.env` names it; None for any other."""
Authorise = Callable[[Request, Provider, EnvironmentGetter], Awaitable[Request]]
"""A way to authenticate: the request with what proves who asks."""

HOOKS = ("on_start", "before_request", "on_event", "after_chat", "on_stop")
"""What a middleware may have; each is left out where it is not there."""
FRAMING = {"connection", "content-length", "host", "transfer-encoding", "upgrade"}
"""Headers that say where a message goes and where it ends: nobody's but the HTTP client's."""


@dataclass(frozen=True)
class ChatInfo:
    """Which chat this is; `model` is the name that it was begun with."""

    chat_id: str
    model: str
    conversation_id: str | None = None


@dataclass(frozen=True)
class RequestInfo:
    """What is about to be asked of whom. A middleware may give back another `conversation` and other `headers`.

    `headers` are those that go out besides the dialect's. What authorises comes after them, and wins.
    """

    chat: ChatInfo
    provider: str
    model: str
    conversation: Conversation
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class PluginInfo(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One plugin that is installed. `problem` says why it is off, or what went wrong with it last."""

    name: str
    group: Group
    package: str
    version: str
    state: Literal["ready", "off"]
    problem: str | None = None


def fault(before: RequestInfo, after: Any) -> str | None:
    """What is wrong with the request that a middleware gave back; None when nothing is."""
    if not isinstance(after, RequestInfo):
        return f"gave back {type(after).__name__} and not a RequestInfo"
    if (after.chat, after.provider, after.model) != (before.chat, before.provider, before.model):
        return "changed more than `conversation` and `headers`"
    return _conversation_fault(after.conversation) or _headers_fault(after.headers)


def with_headers(request: Request, more: Mapping[str, str]) -> Request:
    """The request with these headers over its own, whichever way they are spelled."""
    if not more:
        return request
    named = {name.lower() for name in more}
    kept = {name: value for name, value in request.headers.items() if name.lower() not in named}
    return replace(request, headers=kept | dict(more))


def _conversation_fault(conversation: Any) -> str | None:
    if not isinstance(conversation, Conversation):
        return f"gave back {type(conversation).__name__} and not a Conversation"
    mistake = conversation.mistake
    return f"gave back a conversation that nobody can answer: {mistake}" if mistake else None


def _headers_fault(headers: Any) -> str | None:
    if not isinstance(headers, Mapping):
        return "gave back headers that are no mapping"
    if not all(isinstance(text, str) for header in headers.items() for text in header):
        return "gave back a header that is no text"
    framing = sorted(name for name in headers if name.lower() in FRAMING)
    return f"gave back the header {framing[0]}, which is the HTTP client's own" if framing else None
