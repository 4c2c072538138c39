"""What a chat is driven with, and what it is: values that the composition root hands to the driver.

Must never know how a chat is driven.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pointsman.core.catalogue import Catalogue
from pointsman.core.chat import Conversation
from pointsman.core.environment import Environment
from pointsman.core.ledger import Entry, Outcome
from pointsman.core.receipt import ChatResult
from pointsman.core.routing import Plan
from pointsman.edge.transport import Transports
from pointsman.service.chats import Chat, Chats
from pointsman.service.credentials import Credentials, Given
from pointsman.service.health import Health
from pointsman.service.limits import Limits
from pointsman.service.middleware import Companions
from pointsman.service.models import Models
from pointsman.service.ordering import Orders
from pointsman.service.plans import Plans
from pointsman.service.tracing import UNTRACED, Untraced
from pointsman.service.usage import Usage as Ledger
from pointsman.wire import WIRES, Wires

Measure = Callable[[ChatResult, Outcome, Entry | None], None]
"""Is shown each chat at its end, with its entry in the ledger, if it has one."""


@dataclass(frozen=True)
class Tools:
    """What every chat is driven with."""

    catalogue: Catalogue
    credentials: Credentials
    transports: Transports
    chats: Chats
    models: Models
    wires: Wires = field(default_factory=lambda: WIRES)
    plans: Plans = field(default_factory=Plans)
    orders: Orders = field(default_factory=Orders)
    limits: Limits = field(default_factory=Limits)
    health: Health = field(default_factory=Health)
    ledger: Ledger = field(default_factory=Ledger)
    measure: Measure = lambda *_: None


@dataclass(frozen=True)
class Job:
    """One chat to be driven: what to ask, with whose environment, along which plan.

    `given` are keys for this chat alone: they are in nothing that is kept of it. `companions` are the middleware that
    goes along, None where there is none. `client` takes turns with others where limits keep chats waiting. `tracer`
    writes down when what happens.
    """

    chat: Chat
    conversation: Conversation
    environment: Environment
    plan: Plan
    given: Given = field(default_factory=dict, repr=False)
    companions: Companions | None = None
    client: str = ""
    tracer: Untraced = UNTRACED
