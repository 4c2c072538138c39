"""Why a target should not be asked now, in words: no key, marks of what happened before, what a model can't carry.

The plan of a chat and `explainRoute` have their reasons from here. Must never ask anybody.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pointsman.core.attempts import PATIENCE
from pointsman.core.catalogue import Catalogue, Provider
from pointsman.core.chat import Conversation
from pointsman.core.environment import Environment
from pointsman.core.fitness import Needs, needs, unfit
from pointsman.core.routing import Plan, Route, Target, plan
from pointsman.edge.credential import Credential
from pointsman.service.credentials import Credentials, Given
from pointsman.service.health import Condition, Health, Hold
from pointsman.service.models import Models


@dataclass(frozen=True)
class Reasons:
    """What speaks against a target, for one connection and one catalogue; `given` are keys for this chat alone, `found`
    the keys that were looked up so far, `holds` what was seen of each target: all is of one moment.
    """

    credentials: Credentials
    health: Health
    models: Models
    catalogue: Catalogue
    environment: Environment
    given: Given = field(default_factory=dict, repr=False)
    found: dict[str, list[Credential]] = field(default_factory=dict, repr=False)
    holds: dict[Target, Hold | None] = field(default_factory=dict, repr=False)

    def plan(self, route: Route, conversation: Conversation | None) -> Plan:
        """The targets of a route, without those that something speaks against."""
        need = needs(conversation) if conversation is not None and len(route.targets) > 1 else None
        found = plan(route, self.no_key, lambda target: self.misfit(target, need), self.held)
        if found.targets or not found.held or self._waiting(found):
            return found
        # Who is held back must not be asked either, so that those are who may be unfit.
        unfit = tuple(target for target, _ in found.skipped if target not in found.held and self.no_key(target) is None)
        return replace(found, targets=unfit, skipped=tuple(each for each in found.skipped if each[0] not in unfit))

    def last_resort(self, found: Plan) -> Plan:
        """The same plan; where nobody is left, with those whom a chat asks although they are held back, in that order:
        as `Aim` does, when all others have failed.
        """
        ways = () if found.targets else self._waiting(found)
        if not ways:
            return found
        reasons = dict(found.skipped)
        said = ", ".join(f"{target} ({reasons.pop(target)})" for target in ways)
        return replace(
            found,
            targets=ways,
            skipped=tuple(reasons.items()),
            held=tuple(target for target in found.held if target in reasons),
            order=f"nobody else is left, so who is held back is asked all the same: {said}",
            last_resort=True,
        )

    def _waiting(self, found: Plan) -> tuple[Target, ...]:
        """Those of the held back that are asked where nobody else can be, in that order."""
        now, ways = self.health.now(), list[tuple[tuple[float, float], int, Target]]()
        for place, target in enumerate(found.held):
            hold = self._hold(target)
            if hold is not None and hold.seconds(now) <= PATIENCE:
                ways.append((hold.rank, place, target))
        return tuple(target for _, _, target in sorted(ways))

    def no_key(self, target: Target) -> str | None:
        """What is missing to ask it at all."""
        provider = self.catalogue.providers[target.provider]
        usable = bool(self.keys(provider)) and not provider.missing
        usable = usable or self.credentials.usable(provider, self.environment, self.given)
        return None if usable else self.credentials.missing(provider).message

    def misfit(self, target: Target, need: Needs | None) -> str | None:
        """What the conversation needs and the model is known not to have."""
        if need is None:
            return None
        provider = self.catalogue.providers[target.provider]
        model = self.models.facts(provider, target.model)
        return unfit(need, model.capabilities, model.lacks, provider.features, model.context_window)

    def held(self, target: Target) -> str | None:
        """What happened before that keeps it back for a while."""
        hold = self._hold(target)
        return hold.words if hold else None

    def condition(self, provider: Provider) -> Condition:
        """How a provider is with the best of the accounts that there are."""
        if not self.health.marked(provider):
            return Condition("available")
        return self.health.condition(provider, self.accounts(provider))

    def accounts(self, provider: Provider) -> list[str]:
        """What health calls the accounts that it could be asked with."""
        passing = provider.id in self.given
        return [self.health.account(key, passing=passing) for key in self.keys(provider) or [Credential()]]

    def _hold(self, target: Target) -> Hold | None:
        if target in self.holds:
            return self.holds[target]
        provider = self.catalogue.providers[target.provider]
        marked = self.health.marked(provider)
        hold = self.health.hindrance(provider, self.accounts(provider), target.model) if marked else None
        self.holds[target] = hold
        return hold

    def keys(self, provider: Provider) -> list[Credential]:
        """All keys, looked up once: several targets may be of one provider, and are asked about more than once."""
        if (found := self.found.get(provider.id)) is None:
            found = self.found[provider.id] = self.credentials.all(provider, self.environment, self.given)
        return found
