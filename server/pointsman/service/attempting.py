"""One request of a chat after the other: sends it to whom aim was taken at, and appends what is read to the chat's log.

Must never know what is done when it fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from msgspec import structs

from pointsman.core.answer import Answer
from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    ErrorSeen,
    Event,
    Notice,
    Reading,
    ReasoningDelta,
    Seal,
    Started,
    StopReason,
    StopSeen,
    TextDelta,
    ToolCallDelta,
    UsageReport,
    WindowsSeen,
    coalesce,
)
from pointsman.core.errors import Interrupted, InvalidKey, PointsmanError, RateLimited
from pointsman.core.http import Request
from pointsman.core.plugin import with_headers
from pointsman.core.resets import run_out
from pointsman.core.secret import hide
from pointsman.core.turns import going_on, settled
from pointsman.edge.authorise import asked, redact
from pointsman.edge.credential import Credential
from pointsman.edge.transport import read
from pointsman.service.aiming import Aim
from pointsman.service.chats import LONGEST_CHAT
from pointsman.service.job import Job, Tools
from pointsman.service.silence import Silence
from pointsman.wire import Reader, Wire

LONGEST_ERROR = 64 * 1024
"""Bytes of an error's body that are read."""


class Asking:
    """The attempts of one chat.

    `begun` is when the one that runs was begun, None between two; `sent` whether it has reached the network; `spoke`
    are the seconds to its first visible event; `early` is what kept it from being sent before its time. `stop` is why
    the answer ended, and `first_visible` when the chat's first visible event came.
    `empty_until` is when a limit allows more, that the answer was the last of.
    `goes_on`: somebody else has said the first part of the answer.
    """

    def __init__(self, job: Job, tools: Tools, aim: Aim, answer: Answer) -> None:
        self._job, self._chat, self._tools, self._aim, self._answer = job, job.chat, tools, aim, answer
        self._clock = asyncio.get_running_loop().time
        self._counted = False
        self.begun: float | None = None
        self.first_visible: float | None = None
        self.spoke: float | None = None
        self.early: RateLimited | None = None
        self.empty_until: float | None = None
        self._told: set[Notice] = set()
        self.stop: StopReason = "end"
        self.sent = self.goes_on = False

    @property
    def _provider(self) -> Provider:
        return self._aim.provider

    async def once(self) -> PointsmanError | None:
        """An attempt within the user's own limits, which may keep it waiting, or from being sent at all; what went
        wrong, or None when the answer is complete.
        """
        if self._tools.limits.free(self._provider):
            return await self._attempt()
        came = self._clock()
        try:
            async with self._tools.limits.go(self._job.client, self._provider, self._chat.append):
                self._job.tracer.waited("limit", self._clock() - came)
                return await self._attempt()
        except RateLimited as refused:
            self.begun, self.sent, self.spoke = came, False, None
            return refused

    async def _attempt(self) -> PointsmanError | None:
        """One request to one target with one key; what went wrong, or None when the answer is complete."""
        self.begun, self.sent, self._counted, self.spoke = self._clock(), False, False, None
        self._tools.models.want_price(self._provider, self._aim.target.model)
        provider, credential, wire = self._provider, self._aim.keys[0], self._tools.wires[self._provider.wire]
        self._job.tracer.begins(self._aim.target, credential.account)
        try:
            request, reader = await self._request(provider, wire), wire.reader(provider)
        except PointsmanError as unsent:
            unsent.provider = unsent.provider or provider.id
            return redact(unsent, credential)
        self.early = self._too_early()
        if self.early is not None:
            return self.early
        self.sent = True
        self._aim.fires()
        self._tools.health.begin(self._aim.asked)
        self._job.tracer.sends(len(request.body))
        return await self._send(request, reader, wire)

    async def _send(self, request: Request, reader: Reader, wire: Wire) -> PointsmanError | None:
        provider, credential = self._provider, self._aim.keys[0]
        try:
            async with (
                Silence(self._chat.append, provider.timeout, provider) as silence,
                asked(request, provider, credential, self._tools.transports) as response,
            ):
                reply = self._job.tracer.answered(response)
                if not 200 <= reply.head.status < 300:
                    self._tools.plans.answered(provider, credential, reply.head.headers)
                    refusal = wire.error(provider, reply.head, await read(reply.chunks, LONGEST_ERROR))
                    self._used(credential, refused=isinstance(refusal, InvalidKey))
                    return redact(refusal, credential)
                self._used(credential, refused=False)
                out = run_out(reply.head.headers)
                self.empty_until = self._tools.health.now() + out.seconds if out and out.seconds else None
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

    def _too_early(self) -> RateLimited | None:
        """What another chat was told since aim was taken: a wait that the provider asks for is never undercut."""
        hold = self._tools.health.hold(*self._aim.who)
        if hold is None or hold.wanted is None:
            return None
        text = f"{self._aim.target}: {hold.words}; another chat was told so."
        left = max(0.001, hold.wanted - self._tools.health.now())
        return RateLimited(text, provider=self._provider.id, retry_after=left)

    def _used(self, credential: Credential, *, refused: bool) -> None:
        self._tools.credentials.used(credential, self._chat.starter.client, refused=refused)

    async def _request(self, provider: Provider, wire: Wire) -> Request:
        """The request for this target, as the middleware wants it; what it can't carry is told."""
        model, along = self._aim.target.model, self._job.companions
        conversation, mended = settled(self._job.conversation)
        if self.goes_on:
            conversation = going_on(conversation, self._answer.text)
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
                    self.announce()
                    self.count()
                    if self.spoke is None:
                        self._speaks()
                    self.emit(reading)
                case Notice():
                    self.emit(structs.replace(reading, text=hide(reading.text)))
                case UsageReport():
                    self.emit(reading)
                case Seal():
                    self._answer.add(reading)
                    self._chat.size += len(msgspec.json.encode(reading))
                case WindowsSeen(windows):
                    self._tools.plans.told(self._provider, self._aim.keys[0], windows)
                case StopSeen(reason):
                    self.stop = reason
                case ErrorSeen(error):
                    broken = broken or error
        if self._chat.size > LONGEST_CHAT:
            text = f"The answer passed {LONGEST_CHAT // 2**20} MiB, the most that is kept of one chat."
            return Interrupted(
                text, "Ask for a shorter answer, or set `maxOutputTokens`.", provider=self._aim.target.provider
            )
        return broken

    def _speaks(self) -> None:
        """The first visible event of an attempt."""
        now = self._clock()
        self.spoke = now - (self.begun or now)
        self.first_visible = self.first_visible or now
        self._tools.health.heard(self._aim.asked)

    def tell(self, notice: Notice) -> None:
        """Appends a notice, unless it has been told."""
        if notice not in self._told:
            self._told.add(notice)
            self._take([notice])

    def emit(self, event: Event) -> None:
        """Appends an event, which may be a part of the answer."""
        self._answer.add(event)
        self._chat.append(event)

    def count(self) -> None:
        """Counts the request of this attempt for its plan, once."""
        if not self._counted:
            self._counted = True
            self._tools.plans.asked(self._provider, self._aim.keys[0])

    def announce(self) -> None:
        """Tells who answers, once."""
        if self._chat.started is None:
            target = self._aim.target
            self._chat.append(Started(target.model, target.provider, self._aim.keys[0].account))
            self._tools.chats.changed(self._chat)
