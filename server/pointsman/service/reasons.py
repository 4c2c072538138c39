"""Why a target should not be asked now, in words: no key, marks of what happened before, what a model can't carry.

The plan of a chat and `explainRoute` have their reasons from here. Must never ask anybody.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pointsman.core.catalogue import Catalogue, Provider
from pointsman.core.chat import Conversation
from pointsman.core.environment import Environment
from pointsman.core.fitness import Needs, needs, unfit
from pointsman.core.routing import Plan, Route, Target, plan
from pointsman.edge.credential import Credential
from pointsman.service.credentials import Credentials, Given
from pointsman.service.health import Condition, Health
from pointsman.service.models import Models


@dataclass(frozen=True)
class Reasons:
    """What speaks against a target, for one connection and one catalogue; `given` are keys for this chat alone, `found`
    the keys that were looked up so far.
    """

    credentials: Credentials
    health: Health
    models: Models
    catalogue: Catalogue
    environment: Environment
    given: Given = field(default_factory=dict, repr=False)
    found: dict[str, list[Credential]] = field(default_factory=dict, repr=False)

    def plan(self, route: Route, conversation: Conversation | None) -> Plan:
        """The targets of a route, without those that something speaks against."""
        need = needs(conversation) if conversation is not None and len(route.targets) > 1 else None
        return plan(route, self.no_key, lambda target: self.misfit(target, need), self.held)

    def no_key(self, target: Target) -> str | None:
        """What is missing to ask it at all."""
        provider = self.catalogue.providers[target.provider]
        usable = bool(self._keys(provider)) and not provider.missing
        usable = usable or self.credentials.usable(provider, self.environment, self.given)
        return None if usable else self.credentials.missing(provider).message

    def misfit(self, target: Target, need: Needs | None) -> str | None:
        """What the conversation needs and the model is known not to have."""
        if need is None:
            return None
        provider = self.catalogue.providers[target.provider]
        model = self.models.facts(provider, target.model)
        return unfit(need, model.capabilities, provider.features, model.context_window)

    def held(self, target: Target) -> str | None:
        """What happened before that keeps it back for a while."""
        provider = self.catalogue.providers[target.provider]
        if not self.health.marked(provider):
            return None
        hold = self.health.hindrance(provider, self.accounts(provider), target.model)
        return hold.words if hold else None

    def condition(self, provider: Provider) -> Condition:
        """How a provider is with the best of the accounts that there are."""
        if not self.health.marked(provider):
            return Condition("available")
        return self.health.condition(provider, self.accounts(provider))

    def accounts(self, provider: Provider) -> list[str]:
        """What health calls the accounts that it could be asked with."""
        passing = provider.id in self.given
        return [self.health.account(key, passing=passing) for key in self._keys(provider) or [Credential()]]

    def _keys(self, provider: Provider) -> list[Credential]:
        """All keys, looked up once: several targets may be of one provider, and are asked about more than once."""
        if (found := self.found.get(provider.id)) is None:
            found = self.found[provider.id] = self.credentials.all(provider, self.environment, self.given)
        return found
