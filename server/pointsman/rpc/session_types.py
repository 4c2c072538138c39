"""Parameters and results of the methods about temporary sessions. Names are camelCase on the wire."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pointsman.core.selection import Scope
from pointsman.service.trials import SessionInfo

Minutes = Annotated[float, Meta(ge=0.02, le=1440)]


class CreateSessionParams(Struct, rename="camel"):
    """A key to be tried for a while.

    `credentials` is the key, or the key by the provider's id, as for a chat. It is sent to the origin of `baseUrl`, or
    else to that which the provider has now, and nowhere else.
    """

    provider: str
    credentials: str | dict[str, str]
    minutes: Minutes = 60
    base_url: str | None = None


class CreateSessionResult(Struct, rename="camel"):
    """The session, which does nothing yet. `token` lets its holder use it, and is not said again; `id` names it."""

    token: str
    id: str
    provider: str
    account: str
    expires_at: str


class ActivateSessionParams(Struct, rename="camel"):
    """A session by its token, and where it is to be active.

    `scope` absent: the window, for a client that gave a `windowId`; else global. `baseUrl` leads to another address of
    the same origin.
    """

    token: str
    scope: Scope | None = None
    base_url: str | None = None


class ClearSessionParams(Struct, rename="camel"):
    """A session by its token or its id, or the one of a `provider` that is active at a `scope` of this connection.

    Without `scope`, the provider's that is in effect here.
    """

    token: str | None = None
    id: str | None = None
    provider: str | None = None
    scope: Scope | None = None


class ClearSessionResult(Struct, rename="camel"):
    """The session that has ended; its key is forgotten."""

    id: str
    provider: str
    account: str


class ListSessionsResult(Struct, rename="camel"):
    """All temporary sessions, the one that ends first at the top."""

    sessions: list[SessionInfo]
