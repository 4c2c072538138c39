"""Puts the rooms of the daemon together and keeps them for its life. Must never know how it is reached."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pointsman.core.catalogue import Catalogue, Layer, parse
from pointsman.core.chat import Conversation
from pointsman.core.errors import BadRequest, NoTargetLeft, ShuttingDown
from pointsman.core.routing import Target, plan
from pointsman.edge.files import configuration, shipped
from pointsman.edge.store import Store
from pointsman.edge.transport import Transports, transports
from pointsman.endpoint import Places
from pointsman.service.chats import Chat, Chats, Starter
from pointsman.service.clients import Client, Clients
from pointsman.service.clock import now
from pointsman.service.credentials import Credentials
from pointsman.service.driver import Job, Tools, start
from pointsman.service.models import Models
from pointsman.service.selection import Selections
from pointsman.service.tasks import Tasks
from pointsman.wire import QUIRKS

log = logging.getLogger(__name__)

DETACH = 60.0
"""Seconds that a chat runs on unwatched when its client has a window to come back with; else it ends at once."""


@dataclass(eq=False)
class App:
    """The whole daemon but its socket."""

    catalogue: Catalogue
    clients: Clients
    credentials: Credentials
    selections: Selections
    models: Models
    chats: Chats
    transports: Transports
    store: Store
    tasks: Tasks
    where: Places
    started_at: str = field(default_factory=now)
    born: float = field(default_factory=time.monotonic)
    draining: bool = False

    def chat(
        self,
        client: Client,
        conversation: Conversation,
        model: str | None,
        chat_id: str | None = None,
        conversation_id: str | None = None,
        detach: float | None = None,
    ) -> Chat:
        """Begins a chat. Raises RouteError, CredentialError, ChatInUse or ShuttingDown before anything is sent."""
        if self.draining:
            raise ShuttingDown("The daemon is shutting down and takes no new chats.")
        if mistake := conversation.mistake:
            raise BadRequest(mistake)
        route = self.selections.route(client, model)
        planned = plan(route, lambda target: self._hindrance(client, target))
        if not planned.targets:
            causes = [
                self.credentials.missing(self.catalogue.providers[target.provider]) for target, _ in planned.skipped
            ]
            if len(causes) == 1:
                raise causes[0]
            raise NoTargetLeft(f"No target of {route.spec} can be asked.", causes[0].advice, causes=tuple(causes))
        if detach is None:
            detach = DETACH if client.gave_window else 0.0
        starter = Starter(client.name, client.author.window_id, client.workspace)
        id = chat_id or str(uuid.uuid4())
        chat = Chat(id, route.spec, conversation.title, starter, detach, conversation_id)
        self.chats.begin(chat)
        tools = Tools(self.catalogue, self.credentials, self.transports, self.chats)
        start(Job(chat, conversation, client.environment, planned), tools, self.tasks)
        return chat

    async def drain(self) -> None:
        """Takes no new chats and lets the running ones finish, within the configured bound; then cancels them."""
        self.draining = True
        await self.tasks.wait(self.catalogue.daemon.drain)
        await self.tasks.close()

    async def close(self) -> None:
        """Lets go of everything, after `drain`."""
        await self.transports.close()
        await self.store.close()

    def _hindrance(self, client: Client, target: Target) -> str | None:
        provider = self.catalogue.providers[target.provider]
        usable = self.credentials.usable(provider, client.environment)
        return None if usable else self.credentials.missing(provider).message


def build(where: Places) -> App:
    """Reads the configuration and the state, and puts the rooms together. Raises StorageError."""
    layers: Sequence[Layer] = [*shipped(), *configuration(Path(where.config_file))]
    catalogue = parse(layers, QUIRKS)
    for problem in catalogue.problems:
        log.warning("configuration: %s line %s: %s %s", problem.file, problem.line, problem.message, problem.hint)
    store, clients, credentials, out = Store(Path(where.store)), Clients(), Credentials(), transports()
    models = Models(catalogue, credentials, out)
    return App(
        catalogue=catalogue,
        clients=clients,
        credentials=credentials,
        selections=Selections(catalogue, credentials, models, clients, store),
        models=models,
        chats=Chats(clients),
        transports=out,
        store=store,
        tasks=Tasks(),
        where=where,
    )
