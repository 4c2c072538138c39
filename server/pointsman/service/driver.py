"""Drives one chat from its plan to its last event: asks, reads, and does what the table of `core.attempts` says.

Must never know an editor. A chat sees one catalogue from start to end, and ends with exactly one `Finished`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from dataclasses import replace
from functools import partial

from msgspec import structs

from pointsman.core.answer import Answer, together
from pointsman.core.attempts import Life, Move, judge, step, wait
from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    AttemptFailed,
    Cost,
    Finished,
    Notice,
    StopReason,
    Usage,
    Waiting,
)
from pointsman.core.errors import (
    ContextTooLong,
    InternalError,
    PointsmanError,
    RateLimited,
)
from pointsman.core.fitness import needs
from pointsman.core.health import NOBODY
from pointsman.core.ledger import Outcome
from pointsman.core.pricing import cost, credible
from pointsman.core.receipt import Attempt, ChatResult, Timing, route_taken
from pointsman.core.routing import STANDS_IN, Target
from pointsman.core.windows import was_asked
from pointsman.service.aiming import Aim
from pointsman.service.attempting import Asking
from pointsman.service.bill import NOTHING, Bill, Ended
from pointsman.service.bill import Asked as Billed
from pointsman.service.health import PASSING
from pointsman.service.job import Job, Tools
from pointsman.service.silence import Silence
from pointsman.service.tasks import Tasks

log = logging.getLogger(__name__)

SOON = RateLimited("")
"""What says nothing of how long to wait."""
SEAM = "continued"
"""What a notice is about that marks where another target has gone on with an answer."""


def start(job: Job, tools: Tools, tasks: Tasks) -> None:
    """Sets a chat going. Cancelling it closes the upstream connection at once."""
    run = _Run(job, tools)
    task = tasks.spawn(_drive(run), f"chat {job.chat.id}")
    job.chat.driven_by(task)
    task.add_done_callback(lambda _: run.end(Finished("cancelled"), None))  # for a task cancelled before its first step


async def _drive(run: _Run) -> None:
    try:
        run.end(await run.attempts(), None)
    except asyncio.CancelledError:
        run.note("cancelled", None)
        run.end(Finished("cancelled"), None)
    except PointsmanError as error:
        run.end(Finished("error", error.data()), error)
    except Exception:
        log.exception("a chat failed for a reason of our own", extra=run.log_fields)
        mistake = InternalError("Something went wrong inside Pointsman.")
        run.end(Finished("error", mistake.data()), mistake)


class _Run:
    """One chat on its way: where it stands in its plan, and what has come of it."""

    def __init__(self, job: Job, tools: Tools) -> None:
        self._job, self._chat, self._plan, self._tools = job, job.chat, job.plan, tools
        self._answer = Answer()
        self._bill = Bill(tools.models.price)
        self._attempts: list[Attempt] = []
        self._clock = asyncio.get_running_loop().time
        self._begun = self._clock()
        skip = partial(_skip, self._attempts)  # nothing that refers back: a long answer is to go when its chat is over
        self._aim = Aim(job.plan, tools.catalogue, tools.credentials, tools.health, job.environment, job.given, skip)
        self._parts: list[tuple[Usage, Cost | None]] = []
        self._left: list[str] = []
        self._failures: list[PointsmanError] = []
        self._life = Life(continues=job.plan.route.on_break == "continue")
        self._asking = Asking(job, tools, self._aim, self._answer)

    async def attempts(self) -> Finished:
        """Tries until the table says that it is over. Raises the error of a chat that got no answer at all."""
        for target, reason in self._plan.left_out:
            _skip(self._attempts, target, reason)
        if not self._aim.take():
            raise self._aim.nothing_left([])
        self._aimed()
        pause: float | None = self._aim.seconds
        while pause is not None:
            if pause:
                await self._wait(pause)
                self._job.tracer.waited("retry" if self._life.tries else "provider", pause)
            error = await self._asking.once()
            if self._asking.spoke is not None:
                self._life, _ = step(self._life, "visible")
            if error is None:
                return await self._complete()
            self.note("failed", error)
            self._failures.append(error)
            if self._life.phase == "quiet":
                self._bill.failed(error, self._answer.take_report())
            self._weigh(error)
            before = self._life
            sent = self._asking.sent or error is self._asking.early
            self._life, move = step(before, judge(before, self._at_best(error), sent=sent))
            pause = self._move(move, before, error)
        last = self._failures[-1]
        return Finished("interrupted", last.data(), self._resume(last))

    async def _wait(self, seconds: float) -> None:
        """Asks nobody for so long, and says so."""
        end = self._clock() + seconds

        def tell(waiting: Waiting) -> None:
            self._chat.append(structs.replace(waiting, left=max(0.1, round(end - self._clock(), 1))))

        async with Silence(tell):
            await asyncio.sleep(seconds)

    async def _complete(self) -> Finished:
        """The answer is there."""
        self._life, _ = step(self._life, "ended")
        self.note("answered", None)
        self._asking.announce()
        if self._answer.cost is None:
            with suppress(asyncio.CancelledError):  # the answer is whole, whoever leaves now
                await self._tools.models.price_known(self._provider, self._aim.target.model)
        return Finished(self._asking.stop)

    def _weigh(self, error: PointsmanError) -> None:
        """What is left to be tried after this failure, as far as is known by now."""
        self._aim.look_again(error)
        roomier = self._roomier() if isinstance(error, ContextTooLong) else []
        self._life = replace(
            self._life,
            keys_left=len(self._aim.keys) - 1,
            targets_left=self._aim.left,
            free=self._aim.free,
            roomier=len(roomier),
            continues=self._life.continues and not self._answer.calls,
        )

    def _at_best(self, error: PointsmanError) -> PointsmanError:
        """A limit as it is for the key that is free first; of several, the last that was asked need not be that."""
        if not isinstance(error, RateLimited):
            return error
        return RateLimited(error.message, retry_after=self._aim.soonest())

    def _move(self, move: Move, before: Life, error: PointsmanError) -> float | None:
        """Does what is to be done after a failure: the seconds to wait before the next attempt, None if what was said
        has to stand as it is. Raises the error of a chat that got no answer.
        """
        failed, pause, goes_on = self._aim.target, 0.0, True
        if move == "key":
            self._aim.next_key()
        elif move == "retry":
            backoff = wait(before, SOON, random.random())  # noqa: S311 - jitter, not a secret
            pause = max(backoff, self._aim.soonest_key())  # which knows what the provider has asked for
        elif move in {"target", "continue"}:
            if isinstance(error, ContextTooLong):
                self._aim.keep_only(self._roomier())
            self._left = [str(target) for target in self._aim.targets]
            if move == "continue":
                self._end_part()
            goes_on = self._aim.leave(error)
            pause = self._aim.seconds
        else:
            self._left = [str(target) for target in self._aim.targets]
            goes_on = False
        if goes_on:
            self._chat.append(AttemptFailed(str(failed), error.data(), str(self._aim.target)))
            if move == "continue":
                self._asking.emit(Notice(SEAM, f"{failed} broke off here. {self._aim.target} goes on from this point."))
            if move in {"target", "continue"}:
                self._aimed()
            return pause
        if self._life.phase != "quiet":
            return None
        self._chat.append(AttemptFailed(str(failed), error.data()))
        raise self._aim.nothing_left(self._failures)

    def _resume(self, error: PointsmanError) -> tuple[str, ...]:
        """Who could go on with a broken answer; nobody where asking again would help nothing."""
        return tuple(dict.fromkeys(self._left)) if error.remedies else ()

    def _end_part(self) -> None:
        """Closes the account of what one target has said, before another goes on."""
        usage = self._answer.usage(self._job.conversation)
        self._parts.append((usage, self._answer.cost or self._cost(usage)))
        self._bill.part(usage, self._answer.cost)
        self._answer.next_part()
        self._asking.goes_on = True

    def _roomier(self) -> list[Target]:
        """The targets that are left and may take a longer conversation than the current one: those that are known to,
        then those of which nobody knows.
        """

        def window(target: Target) -> int | None:
            return self._tools.models.facts(
                self._tools.catalogue.providers[target.provider], target.model
            ).context_window

        least = window(self._aim.target) or needs(self._job.conversation).tokens
        windows = {target: window(target) for target in self._aim.targets[1:]}
        larger = [target for target, size in windows.items() if size is not None and size > least]
        return larger + [target for target, size in windows.items() if size is None]

    def note(self, outcome: str, error: PointsmanError | None) -> None:
        """Writes the attempt that has just ended into the receipt."""
        if self._asking.begun is None:  # cancelled while it waited to try again
            return
        took = round((self._clock() - self._asking.begun) * 1000)
        self._asking.begun = None
        if self._asking.sent and was_asked(error):
            self._asking.count()
        if self._asking.sent:
            self._learn(outcome, error)
            account = self._aim.asked.account
            known = "" if account == NOBODY or account.startswith(PASSING) else account
            self._bill.attempt(Billed(self._provider, self._aim.target.model, known), error)
        target, data = self._aim.target, error.data() if error else None
        attempt = Attempt(target.model, target.provider, outcome, took, self._aim.asked.shown, data)  # type: ignore[arg-type]
        self._attempts.append(attempt)
        self._job.tracer.ended(outcome)

    def _learn(self, outcome: str, error: PointsmanError | None) -> None:
        """What an attempt that was sent says about who was asked."""
        health, asked = self._tools.health, self._aim.asked
        if outcome == "answered":
            health.answered(asked, self._asking.spoke)
            if self._asking.empty_until is not None:
                health.emptied(asked, self._asking.empty_until)
        elif error is None:
            health.let_go(asked)
        else:
            health.failed(asked, error)

    def end(self, last: Finished, error: PointsmanError | None) -> None:
        """Writes the last event; a chat that has one already keeps it."""
        if self._chat.finished:
            return
        seen = self._result(last, "interrupted" if last.reason == "error" else last.reason)
        self._chat.finish(last, seen, error)
        self._write_down(seen, last.reason)
        if error is None:
            self._tools.orders.ended(self._chat.conversation_id, seen)
        self._tools.chats.changed(self._chat)
        log.info("chat ended: %s", last.reason, extra=self.log_fields)

    def _result(self, last: Finished, reason: StopReason) -> ChatResult:
        chat, started = self._chat, self._chat.started
        anybody = self._bill.reached or self._asking.sent
        usage = self._answer.usage(self._job.conversation) if anybody else NOTHING
        price = self._answer.cost or self._cost(usage)
        for part, part_price in self._parts:
            usage = together(part, usage)
            price = _sum(part_price, price)
        first = None if self._asking.first_visible is None else round((self._asking.first_visible - self._begun) * 1000)
        return ChatResult(
            chat_id=chat.id,
            stop_reason=reason,
            message=structs.replace(
                self._answer.message(), provider=started.provider if started and not self._parts else None
            ),
            model=started.model if started else None,
            provider=started.provider if started else None,
            account=started.account if started else None,
            usage=usage,
            cost=price,
            attempts=tuple(self._attempts),
            timing=Timing(first, round((self._clock() - self._begun) * 1000)),
            route=route_taken(self._plan),
            trace=self._job.tracer.trace(),
            error=last.error,
            resume=last.resume,
        )

    def _write_down(self, seen: ChatResult, outcome: Outcome) -> None:
        """Puts the chat into the ledger, unless it has reached nobody."""
        ledger, starter, catalogue = self._tools.ledger, self._chat.starter, self._tools.catalogue
        last = self._answer.usage(self._job.conversation), self._answer.cost
        entry = self._bill.entry(seen, last, outcome, Ended(ledger.clock(), starter.client, starter.workspace))
        self._tools.measure(seen, outcome, entry)
        if entry is not None:
            ledger.note(entry, catalogue.ledger, catalogue.budgets, self._aim.asked.shown if entry.account else None)

    def _cost(self, usage: Usage) -> Cost | None:
        """What an answer cost by its model's price, where the provider itself does not say; None where nobody knows."""
        if self._chat.started is None:
            return None
        price = self._tools.models.price(self._provider, self._aim.target.model)
        return credible(cost(usage, price)) if price else None

    @property
    def log_fields(self) -> dict[str, object]:
        """What the log says of this chat: who and where, never what."""
        started = self._chat.started
        fields: dict[str, object] = {"chatId": self._chat.id, "client": self._chat.starter.client}
        if started:
            fields |= {"provider": started.provider, "model": started.model}
        return fields

    def _aimed(self) -> None:
        """Aim was taken at another target; one that nobody named is told."""
        if text := self._plan.aloud(self._aim.target):
            self._asking.tell(Notice(STANDS_IN, text))
        retries = self._provider.max_retries
        self._life = replace(self._life, tries=retries if self._aim.once else 0, retries=retries)

    @property
    def _provider(self) -> Provider:
        return self._aim.provider


def _skip(attempts: list[Attempt], target: Target, reason: str) -> None:
    """Writes a target that is not asked into the receipt."""
    attempts.append(Attempt(target.model, target.provider, "skipped", reason=reason))


def _sum(one: Cost | None, other: Cost | None) -> Cost | None:
    """The cost of two parts of an answer; unknown where that of one is."""
    if one is None or other is None:
        return None
    sources = dict.fromkeys((one.source, other.source))
    return Cost(round(one.usd + other.usd, 12), one.exact and other.exact, ", ".join(sources))
