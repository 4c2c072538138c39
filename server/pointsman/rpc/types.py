"""Parameters, results and notifications of the protocol that are not values of the core already.

Names are camelCase on the wire; unknown fields of a newer client are ignored. Times are RFC 3339 UTC.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from pointsman.core.catalogue import Kind, Links, Strategy
from pointsman.core.chat import Event, Message, Options, Tool, ToolChoice
from pointsman.core.errors import ErrorData
from pointsman.core.models import Model
from pointsman.core.receipt import ChatSummary
from pointsman.core.selection import Scope
from pointsman.core.trial import Step
from pointsman.core.windows import Window
from pointsman.service.standing import State
from pointsman.service.trials import SessionInfo

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

    A `windowId` is random, and kept by the client through reloads. `remote`: the person's browser runs on another
    machine than the editor, so that signing in needs a code for another device.
    """

    client: str | None = None
    client_version: str | None = None
    window_id: WindowId | None = None
    workspace_trusted: bool = False
    remote: bool = False


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
    `credentials` are keys by provider, for this chat alone: never stored, shown or sent to another provider.
    `session` is the token of a temporary session that this chat alone is to be asked with, active or not. `trace` has
    the result say when what happened.
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
    credentials: dict[str, str] = {}
    session: str | None = None
    trace: bool = False


class ExplainRouteParams(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A name of a model, absent: the selection that holds for this connection; and what would be asked, as for a chat.

    Without `messages` the result says where the name leads, and nothing about what a target could not carry over.
    `conversationId` is that of the chats before, for a chain that goes by them.
    """

    model: str | None = None
    conversation_id: str | None = None
    messages: tuple[Message, ...] = ()
    system: str | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    options: Options = Options()


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


ProviderState = State


class AuthState(Struct, rename="camel"):
    """How a provider is asked: by which scheme (a plugin may have brought it), with how many keys for this connection.

    `oauth`: by a signed-in account.
    """

    scheme: str
    state: Literal["ready", "missing"]
    oauth: bool
    keys: int


class ProviderInfo(Struct, rename="camel", omit_defaults=True):
    """One provider as this connection can use it. `active` is the one that the selection leads to; `offline` one that
    can't be reached, as a server on this machine that does not run; `rate-limited` and `error` say what happened when
    it was asked, `since` when, and `reason` in words. `temporary` is there while a temporary session is in front.

    `windows` are those of its plan, as far as one is known: counted here by requests, or told by the provider.
    `remaining` requests are left by what is counted here, and `resetsAt` is when more of it comes back; of several
    accounts, those of the one of which most is left. `costToday` is in US dollars, as far as prices are known; absent
    where nothing is known to have been spent.
    """

    id: str
    name: str
    kind: Kind
    wire: str
    base_url: str
    auth: AuthState
    state: ProviderState
    models: list[str]
    links: Links
    features: list[str] = []
    default_model: str | None = None
    temporary: SessionInfo | None = None
    remaining: int | None = None
    resets_at: str | None = None
    windows: list[Window] = []
    since: str | None = None
    reason: str | None = None
    last_used_at: str | None = None
    cost_today: float | None = None


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


class ProviderRef(Struct, rename="camel"):
    """A provider by its id."""

    provider: str


class GetProviderResult(Struct, rename="camel"):
    """A provider as it is configured for this connection.

    `values` are named as in TOML; `origins` says for each that is set which layer set it: a file, `shipped:…` or
    `environment`. `revision` is that of the user's file.
    """

    provider: str
    values: dict[str, Any]
    origins: dict[str, str]
    revision: str


class GetConfigResult(Struct, rename="camel"):
    """What is configured besides providers, named as in TOML, and by the path of each value the layer that set it."""

    values: dict[str, Any]
    origins: dict[str, str]


class SetProviderParams(Struct, rename="camel"):
    """Values of a provider, named as in TOML; only those given are changed, and null removes one.

    `test` false saves without trying. `ifRevision`: only if the file is still the one that was looked at.
    """

    provider: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)]
    values: dict[str, Any]
    test: bool = True
    if_revision: str | None = None


class RemoveProviderParams(Struct, rename="camel"):
    """A provider to be taken out of the user's file.

    `ifRevision`: only if the file is still the one that was looked at.
    """

    provider: str
    if_revision: str | None = None


class SetAliasParams(Struct, rename="camel"):
    """A short name for a model; null removes it. `ifRevision`: only if the file is still the one that was looked at."""

    alias: Annotated[str, Meta(min_length=1, max_length=200)]
    model: str | None
    if_revision: str | None = None


class SetChainParams(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Several ways to an answer under one name, as `chain:NAME`; null `targets` remove it.

    Absent `strategy` and `onBreak` stay as the user's file says, else `ordered` and `stop`. `ifRevision`: only if the
    file is still the one that was looked at.
    """

    chain: Annotated[str, Meta(min_length=1, max_length=200)]
    targets: Annotated[tuple[str, ...], Meta(min_length=1, max_length=100)] | None
    strategy: Strategy | None = None
    on_break: Literal["stop", "continue"] | None = None
    if_revision: str | None = None


class SetDefaultParams(Struct, rename="camel"):
    """The model for whoever has chosen none; null removes it."""

    model: str | None
    if_revision: str | None = None


class ConfigResult(Struct, rename="camel"):
    """The change is in force. `revision` is that of the user's file now."""

    revision: str


class ProviderTestParams(Struct, rename="camel"):
    """A provider to be tried, perhaps with another base URL, or with a key that is used this once and never kept.

    `credentials` are keys by provider, as for a chat; `key` is short for the one of this provider. `say` has a model
    answer with a word, which costs a few tokens: `model`, or the provider's default.
    """

    provider: str
    base_url: str | None = None
    key: str | None = None
    credentials: dict[str, str] = {}
    say: bool = False
    model: str | None = None


class ProviderTestResult(Struct, rename="camel", omit_defaults=True):
    """How it went: whether it let us in, how long that took, how many models it lists, and what was wrong.

    `steps` are those that were made, in order, up to the first that failed.
    """

    ok: bool
    milliseconds: int
    models: int
    steps: list[Step] = []
    error: ErrorData | None = None


class TrustParams(Struct, rename="camel"):
    """A folder with a `.pointsman.toml`, by its absolute path, and whether it is to be trusted."""

    folder: str
    trusted: bool = True


class TrustResult(Struct, rename="camel"):
    """The file that is trusted, or no more."""

    file: str
    trusted: bool


class ClientInfo(Struct, rename="camel", omit_defaults=True):
    """One connection."""

    client: str
    version: str
    window_id: str
    connected_at: str
    client_version: str | None = None
    workspace: str | None = None


class ChatEvents(Struct, rename={"chat_id": "chatId", "from_": "from"}):
    """Events of a chat; `from` is the number of the first. Events count 0, 1, 2, … in a chat."""

    chat_id: str
    from_: int
    events: list[Event]
