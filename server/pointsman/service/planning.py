"""The plan of a chat: where a name leads for one client, in which order, and who is left out for which reason.

A chat and `explainRoute` have the same plan from here. Must never send anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pointsman.core.budget import Limit, every
from pointsman.core.catalogue import Catalogue
from pointsman.core.chat import Conversation
from pointsman.core.errors import BadRequest, NoTargetLeft, PointsmanError
from pointsman.core.routing import Plan, Target
from pointsman.core.sendable import unsendable
from pointsman.core.spending import within
from pointsman.service.catalogues import Catalogues
from pointsman.service.clients import Client
from pointsman.service.credentials import Credentials, Given
from pointsman.service.health import Health
from pointsman.service.models import Models
from pointsman.service.ordering import Orders
from pointsman.service.reasons import Reasons
from pointsman.service.selection import Selections
from pointsman.service.trials import Trials
from pointsman.service.usage import Usage


@dataclass(frozen=True)
class Terms:
    """How a client wants its chat to be kept and asked; `session` is the token of a temporary one for it alone."""

    chat_id: str | None = None
    conversation_id: str | None = None
    detach: float | None = None
    given: Given = field(default_factory=dict, repr=False)
    session: str | None = field(default=None, repr=False)
    trace: bool = False


AS_USUAL = Terms()


@dataclass(frozen=True)
class Planned:
    """A plan, the catalogue that it was made of, and the keys that come with the chat."""

    plan: Plan
    catalogue: Catalogue
    given: Given = field(repr=False)


@dataclass(frozen=True)
class Planning:
    """All that has a say in where a chat goes."""

    catalogues: Catalogues
    selections: Selections
    trials: Trials
    credentials: Credentials
    health: Health
    models: Models
    orders: Orders
    usage: Usage

    def plan(
        self,
        client: Client,
        model: str | None,
        terms: Terms,
        conversation: Conversation | None,
        *,
        begins: bool = False,
    ) -> Planned:
        """The targets for a name, with what holds for this client, and the keys that come with the chat.

        A chat that brings its own key is asked with that or not at all: nothing stands in for it. The keys of temporary
        sessions are among them: the chat keeps them to its end. `begins`: it is no look, and takes its turn.

        Raises RouteError, UnknownSession, BadRequest.
        """
        if conversation is not None and (mistake := unsendable(conversation)):
            raise mistake
        self.trials.end_what_is_over()
        route, catalogue = self.selections.route(client, model), self.catalogues.of(client)
        if terms.session is not None:
            session = self.trials.open(terms.session)
            if all(target.provider != session.provider for target in route.targets):
                raise BadRequest(f"The session is for {session.title}, and {route.spec} does not lead there.")
            catalogue = self.trials.view_of_one(client, self.catalogues.configured(client), session)
        elif not terms.given:
            route = self.selections.with_fallback(client, route)
        own = {id: key for id, key in terms.given.items() if not _is_behind_a_session(catalogue, id)}
        given = own | self.trials.keys(catalogue)
        reasons = Reasons(self.credentials, self.health, self.models, catalogue, client.environment, given)
        found = reasons.plan(route, conversation)
        ordered = self.orders.ordered(found, catalogue, conversation, terms.conversation_id, begins=begins)
        budgeted = next(every(catalogue.budgets), None) is not None
        paid = within(ordered, lambda target: self._limit(catalogue, client, target)) if budgeted else ordered
        return Planned(reasons.last_resort(paid), catalogue, given)

    def refusal(self, client: Client, planned: Planned) -> PointsmanError | None:
        """Why nobody can be asked; None where somebody can."""
        plan = planned.plan
        if plan.targets or plan.held:
            return None
        if limit := next(self._spent_limits(client, planned), None):
            return self.usage.refusal(limit)
        causes = [self._cause(client, planned, target, reason) for target, reason in plan.skipped]
        causes += [NoTargetLeft(f"{target}: {reason}") for target, reason in plan.route.lost]
        if len(causes) == 1:
            return causes[0]
        return NoTargetLeft(f"No target of {plan.route.spec} can be asked.", causes[0].advice, causes=tuple(causes))

    def _limit(self, catalogue: Catalogue, client: Client, target: Target) -> Limit | None:
        """The spent budget that keeps a target from being asked."""
        priced = self.models.may_cost(catalogue.providers[target.provider], target.model)
        return self.usage.hindrance(catalogue.budgets, target.provider, client.workspace, priced=priced)

    def _spent_limits(self, client: Client, planned: Planned) -> Iterator[Limit]:
        """The budgets that keep somebody from being asked who could be."""
        for target, _ in planned.plan.skipped:
            if self._usable(client, planned, target) and (limit := self._limit(planned.catalogue, client, target)):
                yield limit

    def _cause(self, client: Client, planned: Planned, target: Target, reason: str) -> PointsmanError:
        """Why a target was left out, as an error."""
        provider = planned.catalogue.providers[target.provider]
        if self._usable(client, planned, target):
            return NoTargetLeft(f"{target}: {reason}.", provider=provider.id)
        return self.credentials.missing(provider)

    def _usable(self, client: Client, planned: Planned, target: Target) -> bool:
        provider = planned.catalogue.providers[target.provider]
        return self.credentials.usable(provider, client.environment, planned.given)


def _is_behind_a_session(catalogue: Catalogue, id: str) -> bool:
    return id in catalogue.providers and catalogue.providers[id].temporary is not None
