"""Puts the rooms of the daemon together and keeps them for its life. Must never know how it is reached."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pointsman.core.budget import About
from pointsman.core.catalogue import SCHEMES, Catalogue, Problem, Provider
from pointsman.core.chat import Conversation
from pointsman.core.environment import Environment
from pointsman.core.errors import BadRequest, ShuttingDown
from pointsman.core.selection import Selection
from pointsman.core.session import Then
from pointsman.core.stored import Record
from pointsman.edge.files import real_path
from pointsman.edge.health_store import HealthStore
from pointsman.edge.ledger_store import LedgerStore
from pointsman.edge.master_key import FILE, MasterKeys, key_given
from pointsman.edge.plan_store import PlanStore
from pointsman.edge.sealed_store import SealedStore
from pointsman.edge.store import Store, what_was_lost
from pointsman.edge.transport import Transports, transports
from pointsman.edge.watch import changes
from pointsman.endpoint import Places
from pointsman.service.accounts import Accounts
from pointsman.service.audit import Audit
from pointsman.service.catalogues import Catalogues, Problems, ProvidersChanged, difference
from pointsman.service.chats import Chat, Chats, Starter
from pointsman.service.clients import Client, Clients
from pointsman.service.clock import now
from pointsman.service.configuration import Configuration
from pointsman.service.credentials import Credentials
from pointsman.service.credit import Credits
from pointsman.service.driver import start
from pointsman.service.explaining import Explanation, explain
from pointsman.service.health import Health, QuotaNews
from pointsman.service.job import Job, Tools
from pointsman.service.keys import Keys
from pointsman.service.limits import Limits
from pointsman.service.login import Login
from pointsman.service.middleware import Middlewares
from pointsman.service.models import Models
from pointsman.service.neighbours import Neighbours
from pointsman.service.observing import Observing
from pointsman.service.ordering import Orders
from pointsman.service.planning import AS_USUAL, Planning, Terms
from pointsman.service.plans import Plans
from pointsman.service.plugins import Plugins, load
from pointsman.service.reasons import Reasons
from pointsman.service.recent import Recent
from pointsman.service.selection import Selections
from pointsman.service.standing import Standing, standing
from pointsman.service.tasks import Tasks
from pointsman.service.tracing import UNTRACED, Tracer
from pointsman.service.trials import Change, Ended, SessionsChanged, Trials, told
from pointsman.service.usage import Usage
from pointsman.service.vault import Vault
from pointsman.wire import quirks_of

log = logging.getLogger(__name__)

DETACH = 60.0
"""Seconds that a chat runs on unwatched when its client has a window to come back with; else it ends at once."""


@dataclass(eq=False)
class App:
    """The whole daemon but its socket."""

    catalogues: Catalogues
    clients: Clients
    credentials: Credentials
    selections: Selections
    models: Models
    neighbours: Neighbours
    chats: Chats
    transports: Transports
    store: Store
    tasks: Tasks
    plugins: Plugins
    trials: Trials
    vault: Vault
    audit: Audit
    login: Login
    plans: Plans
    orders: Orders
    health: Health
    usage: Usage
    accounts: Accounts
    limits: Limits
    where: Places
    started_at: str = field(default_factory=now)
    born: float = field(default_factory=time.monotonic)
    draining: bool = False

    def __post_init__(self) -> None:
        self.quirks, self.schemes = quirks_of(self.plugins.wires), SCHEMES | self.plugins.schemes.keys()
        self.configuration = Configuration(Path(self.where.config_file), self.reload, self.quirks, self.schemes)
        self.keys = Keys(
            self.vault, self.audit, self.credentials, self.configuration, self.transports, self.plugins.wires
        )
        self.middlewares = Middlewares(self.plugins)
        about = self.credentials, self.health, self.models, self.orders, self.usage
        self.planning = Planning(self.catalogues, self.selections, self.trials, *about)
        self.plugins.on_problem = self._tell_plugin_problem
        self.trials.around = self._change_sessions
        self.vault.changed, self.vault.entered = self._tell_credentials_changed, self._credential_entered
        self.usage.tell = self._tell_of_budget
        self.health.changed, self.health.on_quota = self._tell_provider_changed, self._tell_of_quota
        self.accounts.on_refused = self.login.ask_to_sign_in
        recent = Recent(LedgerStore(self.store.database).recent)
        credit = Credits(self.credentials, self.transports)
        self.observing = Observing(credit, recent, self.chats, self.limits, self.health)
        self._one_at_a_time = asyncio.Lock()
        self._watchers = Tasks()
        self._moved = asyncio.Event()
        self._told_of_loss: set[str] = set()

    def watch(self) -> None:
        """Begins to notice edited files, and model servers that come and go."""
        self._watchers.spawn(self._watch_files(), "configuration")
        self._watchers.spawn(self.health.watch(), "health")
        self._watchers.spawn(self.observing.expose(lambda: self.catalogues.base, self.clients), "metrics")
        self._watchers.spawn(self.models.keep_fresh(self._listed_for_clients), "lists of models")
        self._watchers.spawn(self.neighbours.watch(self._local_providers, self._neighbours_changed), "neighbours")

    def arrived(self, client: Client) -> None:
        """A client has said where it is; nothing has been asked of its configuration yet."""
        others = {other.workspace for other in self.clients if other is not client}
        if client.workspace and client.workspace not in others:
            self.catalogues.look_anew(client.workspace)
            self.usage.look_anew()

    def remarks(self, client: Client) -> Iterator[str]:
        """What people should know of this daemon's start, once in each kind of client."""
        if (aside := self.store.database.set_aside) and client.name not in self._told_of_loss:
            self._told_of_loss.add(client.name)
            yield what_was_lost(aside)

    def look_again(self) -> None:
        """A client has come: its workspace may have a file that nobody watches yet."""
        self._moved.set()

    async def reload(self) -> None:
        """Reads the configuration again, and tells every client what has changed for it."""
        async with self._one_at_a_time:
            if changed := await self.catalogues.refresh(self._workspaces()):
                self._put_into_force(changed)

    async def trust(self, folder: str, *, wanted: bool) -> str:
        """Trusts a folder's project file, or no more, and tells every client what has changed for it; gives its path.

        Raises ConfigError, StorageError.
        """
        async with self._one_at_a_time:
            problems = await self.catalogues.trust(folder, wanted=wanted)
            self._put_into_force([problems])
            return problems.file

    def _put_into_force(self, changed: Sequence[Problems]) -> None:
        """In one go, so that a client that comes just now has seen all of the old, or all of the new."""
        before = {client: (self.catalogues.of(client), self.selections.current(client)) for client in self.clients}
        self.catalogues.forget()
        self.limits.apply(self.catalogues.base)
        self.usage.tidy(self.catalogues.base.ledger)
        self.usage.budgets_changed(self.catalogues.base.budgets)
        self._watchers.spawn(self.observing.expose(lambda: self.catalogues.base, self.clients), "metrics")
        for problems in changed:
            self._tell_problems(problems)
        for client, (catalogue, selection) in before.items():
            self._tell_difference(client, catalogue, selection)

    def _tell_difference(self, client: Client, catalogue: Catalogue, selection: Selection) -> None:
        """Tells one client how its providers and its selection differ from what they were."""
        if client.ready and (after := self.catalogues.of(client)) is not catalogue:
            if found := difference(catalogue, after):
                client.line.tell(found)
            self.selections.tell_if_changed(client, selection)

    def chat(self, client: Client, conversation: Conversation, model: str | None, terms: Terms = AS_USUAL) -> Chat:
        """Begins a chat. Raises RouteError, CredentialError, ChatInUse or ShuttingDown before anything is sent."""
        if self.draining:
            raise ShuttingDown("The daemon is shutting down and takes no new chats.")
        if mistake := conversation.mistake:
            raise BadRequest(mistake)
        tracer = Tracer(asyncio.get_running_loop().time) if terms.trace else UNTRACED
        planned = self.planning.plan(client, model, terms, conversation, begins=True)
        tracer.planned()
        if (refusal := self.planning.refusal(client, planned)) is not None:
            raise refusal
        plan, catalogue, given = planned.plan, planned.catalogue, planned.given
        detach = terms.detach
        if detach is None:
            detach = DETACH if client.gave_window else 0.0
        starter = Starter(client.name, client.author.window_id, client.workspace)
        id = terms.chat_id or str(uuid.uuid4())
        chat = Chat(id, plan.route.spec, conversation.title, starter, detach, terms.conversation_id)
        self.chats.begin(chat)
        tracer.follows(chat)
        wires = self.plugins.wires
        rooms = self.chats, self.models, wires, self.plans, self.orders, self.limits
        about = self.health, self.usage, self.observing.note
        tools = Tools(catalogue, self.credentials, self.transports, *rooms, *about)
        along, asker = self.middlewares.along(chat), client.asker
        start(Job(chat, conversation, client.environment, plan, given, along, asker, tracer), tools, self.tasks)
        return chat

    def explain(
        self, client: Client, model: str | None, conversation: Conversation | None, conversation_id: str | None = None
    ) -> Explanation:
        """What `chat` would do, without doing it. Raises RouteError, or BadRequest for what nobody could answer."""
        if conversation and (mistake := conversation.mistake):
            raise BadRequest(mistake)
        planned = self.planning.plan(client, model, Terms(conversation_id=conversation_id), conversation)
        wires, limits = self.plugins.wires, self.limits
        return explain(
            planned.catalogue, planned.plan, wires, conversation, lambda by: limits.outlook(client.asker, by)
        )

    def _change_sessions(self, change: Change) -> None:
        """Makes a change of the temporary sessions, and tells every client what that means for it."""
        before = {client: (self.catalogues.of(client), self.selections.current(client)) for client in self.clients}
        ended = change()
        for client, (catalogue, selection) in before.items():
            if client.ready:
                client.line.tell(self._session_news(client, catalogue, ended))
                self._tell_difference(client, catalogue, selection)

    def _session_news(self, client: Client, before: Catalogue, ended: Ended | None) -> SessionsChanged:
        after = self.catalogues.of(client)
        sessions = self.trials.list(client, after)
        if ended is None:
            return SessionsChanged(sessions)
        was, now = (each.providers.get(ended.session.provider) for each in (before, after))
        then: Then = "unaffected"
        if now and was and was.temporary and was.temporary.session == ended.session.id:
            keys = self.credentials.all(now, client.environment)
            usable = self.credentials.usable(now, client.environment)
            then = "another" if now.temporary else "usual" if keys else "keyless" if usable else "none"
        return SessionsChanged(sessions, told(ended, client, then))

    async def drain(self) -> None:
        """Takes no new chats and lets the running ones finish, within the configured bound; then cancels them."""
        self.draining = True
        await self.tasks.wait(self.catalogues.base.daemon.drain)
        await self.tasks.close()
        await self.middlewares.stop()

    async def close(self) -> None:
        """Lets go of everything, after `drain`."""
        self._moved.set()
        self.trials.close()
        await self.login.close()
        await self._watchers.close()
        await self.models.close()
        await self.observing.close()
        await self.accounts.close()
        await self.transports.close()
        await self.vault.close()
        await self.store.close()

    def _tell_of_budget(self, about: About, text: str) -> None:
        kind, name = about
        for client in self.clients:
            if client.ready and (kind != "workspace" or client.workspace == name):
                client.line.show(text, warning=True)

    def standings(self, client: Client, active: str | None) -> Callable[[Provider], Standing]:
        """How each provider stands for a client now; its selection leads to the one that is `active`."""
        reasons = self._reasons(client)
        return lambda each: standing(each, reasons, self.neighbours, self.plans, active=each.id == active)

    def _reasons(self, client: Client) -> Reasons:
        catalogue = self.catalogues.of(client)
        return Reasons(self.credentials, self.health, self.models, catalogue, client.environment)

    def _tell_of_quota(self, news: QuotaNews) -> None:
        """Tells those who use that account; a key that came with one chat is that chat's own."""
        for client in self.clients:
            provider = self.catalogues.of(client).providers.get(news.provider.id)
            if client.ready and provider and news.holder in self._reasons(client).accounts(provider):
                client.line.show(news.text, warning=not news.back)

    async def _watch_files(self) -> None:
        wanted, folder = (lambda: self.catalogues.files(self._workspaces())), self.catalogues.folder
        async for _ in changes(wanted, self._moved, folder):
            await self.reload()

    def _workspaces(self) -> list[str]:
        return [client.workspace for client in self.clients if client.workspace]

    def _tell_problems(self, problems: Problems) -> None:
        """Tells those for whom the file counts."""

        def make(client: Client) -> Problems | None:
            own = [client.workspace] if client.workspace else []
            return problems if problems.file in map(str, self.catalogues.files(own)) else None

        self.clients.tell_all(make)

    def problems(self, client: Client) -> list[Problems]:
        """What is wrong with the files that count for a client, and with plugins."""
        own = [Problems(problem.file, (problem,)) for problem in self.plugins.problems]
        return [*self.catalogues.problems(client), *own]

    def _tell_plugin_problem(self, problem: Problem) -> None:
        self.clients.tell_all(lambda _: Problems(problem.file, (problem,)))

    def _local_providers(self) -> list[Provider]:
        return [provider for client in self.clients for provider in self.catalogues.of(client).providers.values()]

    def _listed_for_clients(self) -> Iterator[tuple[Provider, Environment]]:
        """The providers of those who are connected, whose lists of models are to be kept fresh."""
        for client in self.clients:
            for provider in self.catalogues.of(client).providers.values():
                yield provider, client.environment

    def _tell_credentials_changed(self, id: str) -> None:
        """Tells those who have the provider: it may have become usable, or have ceased to be."""
        self.health.renewed(id)
        self._tell_provider_changed(id)

    def _credential_entered(self, record: Record) -> None:
        """A stored key or account is another one now: what was held against the former is forgotten."""
        self.accounts.entered(record.id)
        self.health.entered(record.provider, record.id)

    def _tell_provider_changed(self, id: str) -> None:
        def make(client: Client) -> ProvidersChanged | None:
            return ProvidersChanged([], [id], []) if id in self.catalogues.of(client).providers else None

        self.clients.tell_all(make)

    def _neighbours_changed(self, urls: set[str]) -> None:
        self.health.found(urls)

        def make(client: Client) -> ProvidersChanged | None:
            providers = self.catalogues.of(client).providers.values()
            changed = [provider.id for provider in providers if provider.base_url in urls]
            return ProvidersChanged([], changed, []) if changed else None

        self.clients.tell_all(make)


def build(where: Places) -> App:
    """Reads the configuration and the state, and puts the rooms together. Raises StorageError."""
    plugins, store, clients, out = load(), Store(Path(where.store)), Clients(), transports()
    trials, sealed = Trials(), SealedStore(store.database)
    audit = Audit(sealed)
    vault = Vault(sealed, MasterKeys(Path(where.data) / FILE, key_given(os.environ)), audit)
    accounts = Accounts(vault, audit)
    credentials = Credentials(plugins.schemes, trials, vault, accounts, audit)
    schemes = SCHEMES | plugins.schemes.keys()
    catalogues = Catalogues(Path(where.config_file), store, quirks_of(plugins.wires), schemes, trials)
    limits, base, usage = Limits(), catalogues.base, Usage(LedgerStore(store.database), place=real_path)
    usage.begin(base.budgets)
    usage.tidy(base.ledger)
    limits.apply(base)
    for problem in base.problems:
        log.warning("configuration: %s line %s: %s %s", problem.file, problem.line, problem.message, problem.hint)
    models, health = Models(credentials, out, store, wires=plugins.wires), Health(HealthStore(store.database))
    return App(
        catalogues=catalogues,
        clients=clients,
        credentials=credentials,
        selections=Selections(catalogues, credentials, models, clients, store),
        models=models,
        neighbours=Neighbours(models),
        chats=Chats(clients),
        transports=out,
        store=store,
        tasks=Tasks(),
        plugins=plugins,
        trials=trials,
        vault=vault,
        audit=audit,
        login=Login(
            vault,
            audit,
            clients,
            fetch=lambda provider: out.along(provider.egress).fetch,
            provider=lambda client, id: catalogues.configured(client).providers.get(id),
        ),
        accounts=accounts,
        plans=Plans(PlanStore(store.database)),
        usage=usage,
        orders=Orders(models.price, models.want_price, health.first_tokens),
        health=health,
        limits=limits,
        where=where,
    )
