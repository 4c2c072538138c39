"""Drives one chat from its plan to its last event: asks, reads, and does what the table of `core.attempts` says.

Must never know an editor. A chat sees one catalogue from start to end, and ends with exactly one `Finished`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import msgspec
from msgspec import structs

from pointsman.core.answer import Answer
from pointsman.core.attempts import Life, judge, step, wait
from pointsman.core.catalogue import Catalogue, Provider
from pointsman.core.chat import (
    AttemptFailed,
    Conversation,
    Cost,
    ErrorSeen,
    Event,
    Finished,
    Notice,
    Reading,
    ReasoningDelta,
    Seal,
    Started,
    StopReason,
    StopSeen,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
    WindowsSeen,
    coalesce,
)
from pointsman.core.environment import Environment
from pointsman.core.errors import InternalError, Interrupted, InvalidKey, NoTargetLeft, PointsmanError
from pointsman.core.http import Request
from pointsman.core.plugin import with_headers
from pointsman.core.pricing import cost
from pointsman.core.receipt import Attempt, ChatResult, Timing
from pointsman.core.routing import Plan
from pointsman.core.secret import hide
from pointsman.core.turns import settled
from pointsman.core.windows import was_asked
from pointsman.edge.authorise import asked, redact
from pointsman.edge.credential import Credential
from pointsman.edge.transport import Transports, read
from pointsman.service.chats import LONGEST_CHAT, Chat, Chats
from pointsman.service.credentials import Credentials, Given
from pointsman.service.middleware import Companions
from pointsman.service.models import Models
from pointsman.service.plans import Plans
from pointsman.service.silence import Silence
from pointsman.service.tasks import Tasks
from pointsman.wire import WIRES, Reader, Wire, Wires

log = logging.getLogger(__name__)

LONGEST_ERROR = 64 * 1024
"""Bytes of an error's body that are read."""


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


@dataclass(frozen=True)
class Job:
    """One chat to be driven: what to ask, with whose environment, along which plan.

    `given` are keys for this chat alone: they are in nothing that is kept of it. `companions` are the middleware that
    goes along, None where there is none.
    """

    chat: Chat
    conversation: Conversation
    environment: Environment
    plan: Plan
    given: Given = field(default_factory=dict, repr=False)
    companions: Companions | None = None


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
        self._attempts: list[Attempt] = []
        self._clock = asyncio.get_running_loop().time
        self._begun = self._clock()
        self._attempt_begun: float | None = None
        self._told: set[Notice] = set()
        self._first_visible: float | None = None
        self._targets = list(job.plan.targets)
        self._keys: list[Credential] = []
        self._failures: list[PointsmanError] = []
        self._life = Life()
        self._stop: StopReason = "end"
        self._sent = False
        self._counted = False

    async def attempts(self) -> Finished:
        """Tries until the table says that it is over. Raises the error of a chat that got no answer at all."""
        for target, reason in self._plan.skipped:
            self._attempts.append(Attempt(target.model, target.provider, "skipped", reason=reason))
        self._aim()
        while True:
            error = await self._attempt()
            happening = "ended" if error is None else judge(self._life, error, sent=self._sent)
            before = self._life
            self._life, move = step(before, happening)
            if error is None:
                self.note("answered", None)
                self._announce()
                if self._answer.cost is None:
                    with suppress(asyncio.CancelledError):  # the answer is whole, whoever leaves now
                        await self._tools.models.price_known(self._provider, self._targets[0].model)
                return Finished(self._stop)
            self.note("failed", error)
            self._failures.append(error)
            if move == "interrupt":
                resume = tuple(dict.fromkeys(map(str, self._targets)))
                return Finished("interrupted", error.data(), resume)
            if move == "fail":
                self._chat.append(AttemptFailed(str(self._targets[0]), error.data()))
                raise self._no_answer(error)
            failed = self._targets[0]
            if move == "target":
                self._targets.pop(0)
                self._aim()
            elif move == "key":
                self._keys.pop(0)
            self._chat.append(AttemptFailed(str(failed), error.data(), str(self._targets[0])))
            if move == "retry":
                async with Silence(self._chat.append):
                    await asyncio.sleep(wait(before, error, random.random()))  # noqa: S311 - jitter, not a secret

    def note(self, outcome: str, error: PointsmanError | None) -> None:
        """Writes the attempt that has just ended into the receipt."""
        if self._attempt_begun is None:  # cancelled while it waited to try again
            return
        took = round((self._clock() - self._attempt_begun) * 1000)
        self._attempt_begun = None
        if self._sent and was_asked(error):
            self._count()
        target, account = self._targets[0], self._keys[0].account if self._keys else None
        data = error.data() if error else None
        attempt = Attempt(target.model, target.provider, outcome, took, account, data)  # type: ignore[arg-type]
        self._attempts.append(attempt)

    def end(self, last: Finished, error: PointsmanError | None) -> None:
        """Writes the last event; a chat that has one already keeps it."""
        if self._chat.finished:
            return
        self._chat.finish(last, None if last.reason == "error" else self._result(last, last.reason), error)
        self._tools.chats.changed(self._chat)
        log.info("chat ended: %s", last.reason, extra=self.log_fields)

    def _result(self, last: Finished, reason: StopReason) -> ChatResult:
        chat, started = self._chat, self._chat.started
        usage = self._answer.usage(self._job.conversation)
        first = None if self._first_visible is None else round((self._first_visible - self._begun) * 1000)
        return ChatResult(
            chat_id=chat.id,
            stop_reason=reason,
            message=structs.replace(self._answer.message(), provider=started.provider if started else None),
            model=started.model if started else None,
            provider=started.provider if started else None,
            account=started.account if started else None,
            usage=usage,
            cost=self._answer.cost or self._cost(usage),
            attempts=tuple(self._attempts),
            timing=Timing(first, round((self._clock() - self._begun) * 1000)),
            error=last.error,
            resume=last.resume,
        )

    def _cost(self, usage: Usage) -> Cost | None:
        """What an answer cost by its model's price, where the provider itself does not say; None where nobody knows."""
        if self._chat.started is None:
            return None
        price = self._tools.models.price(self._provider, self._targets[0].model)
        return cost(usage, price) if price else None

    @property
    def log_fields(self) -> dict[str, object]:
        """What the log says of this chat: who and where, never what."""
        started = self._chat.started
        fields: dict[str, object] = {"chatId": self._chat.id, "client": self._chat.starter.client}
        if started:
            fields |= {"provider": started.provider, "model": started.model}
        return fields

    def _aim(self) -> None:
        """Takes aim at the first of the targets that are left."""
        provider = self._provider
        self._keys = self._tools.credentials.in_turn(provider, self._job.environment, self._job.given)
        self._life = replace(
            self._life,
            tries=0,
            retries=provider.max_retries,
            keys_left=len(self._keys) - 1,
            targets_left=len(self._targets) - 1,
        )

    @property
    def _provider(self) -> Provider:
        return self._tools.catalogue.providers[self._targets[0].provider]

    async def _attempt(self) -> PointsmanError | None:
        """One request to one target with one key; what went wrong, or None when the answer is complete."""
        self._attempt_begun, self._sent, self._counted = self._clock(), False, False
        self._tools.models.want_price(self._provider, self._targets[0].model)
        provider, credential, wire = self._provider, self._keys[0], self._tools.wires[self._provider.wire]
        try:
            request, reader = await self._request(provider, wire), wire.reader(provider)
        except PointsmanError as unsent:
            unsent.provider = unsent.provider or provider.id
            return redact(unsent, credential)
        limits, self._sent = provider.timeout, True
        try:
            async with (
                Silence(self._chat.append, limits, provider) as silence,
                asked(request, provider, credential, self._tools.transports) as reply,
            ):
                if not 200 <= reply.head.status < 300:
                    self._tools.plans.answered(provider, credential, reply.head.headers)
                    refusal = wire.error(provider, reply.head, await read(reply.chunks, LONGEST_ERROR))
                    self._used(credential, refused=isinstance(refusal, InvalidKey))
                    return redact(refusal, credential)
                self._used(credential, refused=False)
                self._tools.plans.answered(provider, credential, reply.head.headers)
                async for chunk in reply.chunks:
                    if error := self._hear(reader, chunk, silence):
                        return redact(error, credential)
                    if reader.linger is not None:
                        silence.end_within(reader.linger)
            return self._take(reader.close())
        except PointsmanError as error:
            if reader.linger is not None:  # the answer was complete; how the connection ends is no matter
                return self._take(reader.close())
            error.provider = error.provider or provider.id
            return redact(error, credential)

    def _used(self, credential: Credential, *, refused: bool) -> None:
        self._tools.credentials.used(credential, self._chat.starter.client, refused=refused)

    async def _request(self, provider: Provider, wire: Wire) -> Request:
        """The request for this target, as the middleware wants it; what it can't carry is told."""
        model, along = self._targets[0].model, self._job.companions
        conversation, mended = settled(self._job.conversation)
        if along is None:
            request, notices = wire.request(provider, model, conversation)
        else:
            info = await along.before_request(provider.id, model, conversation)
            request, notices = wire.request(provider, model, info.conversation)
            request = with_headers(request, info.headers)
        notices = [*mended, *notices]
        self._take([notice for notice in notices if notice not in self._told])
        self._told.update(notices)
        return request

    def _hear(self, reader: Reader, chunk: bytes, silence: Silence) -> PointsmanError | None:
        """The hot path: one chunk from upstream into the log."""
        readings = reader.feed(chunk)
        silence.heard(bool(readings))
        return self._take(coalesce(readings)) if readings else None

    def _take(self, readings: Sequence[Reading]) -> PointsmanError | None:
        """Appends what a dialect read; gives the error that broke the stream off, if there was one."""
        broken: PointsmanError | None = None
        for reading in readings:
            match reading:
                case TextDelta() | ReasoningDelta() | ToolCallDelta():
                    self._announce()
                    self._count()
                    if self._first_visible is None:
                        self._first_visible = self._clock()
                        self._life, _ = step(self._life, "visible")
                    self._emit(reading)
                case Notice():
                    self._emit(structs.replace(reading, text=hide(reading.text)))
                case UsageReport():
                    self._emit(reading)
                case Seal():
                    self._answer.add(reading)
                    self._chat.size += len(msgspec.json.encode(reading))
                case WindowsSeen(windows):
                    self._tools.plans.told(self._provider, self._keys[0], windows)
                case StopSeen(reason):
                    self._stop = reason
                case ErrorSeen(error):
                    broken = broken or error
        if self._chat.size > LONGEST_CHAT:
            text = f"The answer passed {LONGEST_CHAT // 2**20} MiB, the most that is kept of one chat."
            return Interrupted(
                text, "Ask for a shorter answer, or set `maxOutputTokens`.", provider=self._targets[0].provider
            )
        return broken

    def _emit(self, event: Event) -> None:
        self._answer.add(event)
        self._chat.append(event)

    def _count(self) -> None:
        """Counts the request of this attempt for its plan, once."""
        if not self._counted:
            self._counted = True
            self._tools.plans.asked(self._provider, self._keys[0])

    def _announce(self) -> None:
        if self._chat.started is None:
            target = self._targets[0]
            self._chat.append(Started(target.model, target.provider, self._keys[0].account))
            self._tools.chats.changed(self._chat)

    def _no_answer(self, error: PointsmanError) -> PointsmanError:
        """The error of the chat: that of its only failure, or of all of them."""
        if len({failure.code for failure in self._failures}) == 1 and len(self._plan.targets) == 1:
            return error
        text = f"None of {len(self._failures)} attempts got an answer; the last one: {error.message}"
        return NoTargetLeft(text, error.advice, causes=tuple(self._failures), retry_after=error.retry_after)
