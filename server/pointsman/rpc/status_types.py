"""How the daemon and its providers are, as clients are told. Names are camelCase, times RFC 3339 in UTC."""

from __future__ import annotations

from msgspec import Struct

from pointsman.core.plugin import PluginInfo
from pointsman.core.windows import Window
from pointsman.rpc.plan_types import PlanInfo
from pointsman.rpc.types import ClientInfo, ProviderState
from pointsman.service.credit import Remaining
from pointsman.service.metrics import MetricsInfo
from pointsman.service.usage import BudgetState


class StatusParams(Struct, rename="camel", omit_defaults=True):
    """`credit` asks those providers that tell it what is left of the money, each ten minutes at most."""

    credit: bool = False


class ProviderStatus(Struct, rename="camel", omit_defaults=True):
    """One provider that can be used, or that the user has configured.

    `since` is when its state began, and `reason` what is held against it and until when, in words. `remaining` are the
    requests that its plan has left, and `resetsAt` is when there are more, or when it can be used again; `credit` is
    money that is left, by account. `costToday` is in US dollars as far as prices are known, which they are not for
    `unpricedToday` chats. `models` counts those that there are, `waiting` chats that a limit keeps.
    """

    provider: str
    name: str
    state: ProviderState
    models: int
    cost_today: float
    unpriced_today: int = 0
    waiting: int = 0
    since: str | None = None
    reason: str | None = None
    resets_at: str | None = None
    remaining: int | None = None
    credit: list[Remaining] = []
    last_used_at: str | None = None
    windows: list[Window] = []


class StatusResult(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """The daemon and what it is doing. `memory` is its resident set in bytes; `plugins` are those of other packages.

    `dashboard` has the providers, the active one first. `spentToday` and `spentMonth` are US dollars as far as prices
    are known, which they are not for `unpricedToday` and `unpricedMonth` chats; days and months are those of the
    daemon's time zone. `waitingChats` are kept by a limit. `plans` are those of which anything is known. `metrics` says
    where they can be read, if anybody wants them.
    """

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
    waiting_chats: int
    providers: int
    problems: int
    plugins: list[PluginInfo]
    dashboard: list[ProviderStatus]
    spent_today: float
    spent_month: float
    unpriced_today: int
    unpriced_month: int
    budgets: list[BudgetState] = []
    plans: list[PlanInfo] = []
    metrics: MetricsInfo | None = None
