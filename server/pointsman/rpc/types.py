"""Parameters, results and notifications of the protocol that are not values of the core already.

Names are camelCase on the wire; unknown fields of a newer client are ignored. Times are RFC 3339 UTC.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from pointsman.core.catalogue import Kind, Links, Scheme
from pointsman.core.chat import Event, Message, Options, Tool, ToolChoice
from pointsman.core.errors import ErrorData
from pointsman.core.models import Model
from pointsman.core.receipt import ChatSummary
from pointsman.core.selection import Scope

ChatId = Annotated[str, Meta(min_length=1, max_length=128)]
WindowId = Annotated[str, Meta(min_length=1, max_length=200)]


class HelloParams(Struct, rename="camel"):
    """The first message of a connection, sent by `pointsman connect`.

    `environment` is kept in memory, never stored or shown.
    """

    version: str
    cwd: str
    environment: dict[str, str]
    protocol: int = 1


class HelloResult(Struct, rename="camel"):
    """Who answers."""

    version: str
    protocol: int
    pid: int


class EditorOptions(Struct, rename="camel"):
    """`initializationOptions.pointsman`: who the client is.

    A `windowId` is random, and kept by the client through reloads.
    """

    client: str | None = None
    client_version: str | None = None
    window_id: WindowId | None = None
    workspace_trusted: bool = False


class ServerOptions(Struct, rename="camel", omit_defaults=True):
    """`capabilities.experimental.pointsman` in the answer to `initialize`.

    `windowId` is the one in force; `windowTaken` is true when the one asked for is live on another connection.
    """

    version: str
    protocol: int
    window_id: str
    window_taken: bool = False


class Nothing(Struct):
    """No parameters."""


class ChatParams(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """One chat. `model` is any name of a model; absent: the selection that holds for this connection.

    `chatId` is a new UUID; the daemon makes one when it is absent. `stream` false: no events, only the result.
    `detach` is how many seconds the chat runs on unwatched; absent: 60 for a client that gave a `windowId`, else 0.
    """

    messages: Annotated[tuple[Message, ...], Meta(min_length=1)]
    chat_id: ChatId | None = None
    conversation_id: str | None = None
    model: str | None = None
    system: str | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    options: Options = Options()
    stream: bool = True
    detach: Annotated[float, Meta(ge=0, le=86400)] | None = None


class AttachParams(Struct, rename="camel"):
    """Follow a chat from behind the event numbered `after`; -1 for all of it. `stream` false: only the result."""

    chat_id: ChatId
    after: Annotated[int, Meta(ge=-1)] = -1
    stream: bool = True


class ChatRef(Struct, rename="camel"):
    """A chat by its id."""

    chat_id: ChatId


class ListChatsResult(Struct, rename="camel"):
    """Every chat that runs, and those that finished in the last ten minutes; the latest first."""

    chats: list[ChatSummary]


class SwitchModelParams(Struct, rename="camel"):
    """Choose a model at a scope, or clear the scope with null.

    `scope` absent: the one that now decides for this connection.

    `temporary` is never stored. `ifRevision`: only if this is still the revision of the choice.
    """

    model: str | None
    scope: Scope | None = None
    temporary: bool = False
    if_revision: int | None = None


class AuthState(Struct, rename="camel"):
    """How a provider is asked: by which scheme, with how many keys for this connection.

    `oauth`: by a signed-in account.
    """

    scheme: Scheme
    state: Literal["ready", "missing"]
    oauth: bool
    keys: int


class ProviderInfo(Struct, rename="camel", omit_defaults=True):
    """One provider as this connection can use it. `active` is the one that the selection leads to."""

    id: str
    name: str
    kind: Kind
    wire: str
    base_url: str
    auth: AuthState
    state: Literal["active", "available", "unconfigured"]
    models: list[str]
    links: Links
    default_model: str | None = None


class ListProvidersResult(Struct, rename="camel"):
    """Every provider that is configured, and those that come with Pointsman."""

    providers: list[ProviderInfo]


class ListModelsParams(Struct, rename="camel"):
    """Of one provider, or of all; `refresh` asks the providers anew."""

    provider: str | None = None
    refresh: bool = False


class ListModelsResult(Struct, rename="camel"):
    """Models, and what kept a provider from giving its own list."""

    models: list[Model]
    failures: list[ErrorData]


class ClientInfo(Struct, rename="camel", omit_defaults=True):
    """One connection."""

    client: str
    version: str
    window_id: str
    connected_at: str
    client_version: str | None = None
    workspace: str | None = None


class StatusResult(Struct, rename="camel"):
    """The daemon and what it is doing. `memory` is its resident set in bytes."""

    version: str
    protocol: int
    pid: int
    started_at: str
    uptime_seconds: float
    draining: bool
    config_file: str
    log_file: str
    endpoint: str
    memory: int
    clients: list[ClientInfo]
    running_chats: int
    kept_chats: int
    providers: int
    problems: int


class ChatEvents(Struct, rename={"chat_id": "chatId", "from_": "from"}):
    """Events of a chat; `from` is the number of the first. Events count 0, 1, 2, … in a chat."""

    chat_id: str
    from_: int
    events: list[Event]
