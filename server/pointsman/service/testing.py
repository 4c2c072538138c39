"""Tries a provider before anything depends on it: is it there, does it take the key, list its models, and answer?

Must never send a key to an address that it was not configured for.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import msgspec

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation, ErrorSeen, Message, Options, TextDelta
from pointsman.core.environment import Environment
from pointsman.core.errors import (
    BadReply,
    ConfigError,
    CredentialError,
    InvalidKey,
    PointsmanError,
    ProgramMissing,
    TimedOut,
)
from pointsman.core.http import Head, Request, origin, shown
from pointsman.core.models import without_secrets
from pointsman.core.secret import Secret, hide
from pointsman.core.trial import Check, Name, Outcome, Step
from pointsman.edge.authorise import asked, redact, shown_to
from pointsman.edge.credential import Credential
from pointsman.edge.transport import Transports, read
from pointsman.service.credentials import Credentials
from pointsman.wire import WIRES, Checking, Wires

WITHIN = 10.0
"""Seconds that a step may take."""
ANSWER_WITHIN = 60.0
"""Seconds that an answer may take: a local server may have to load its model first."""
LARGEST = 16 * 2**20
"""Bytes of an answer that are read."""
LONGEST_WORD = 200
"""Characters of an answer that are shown."""
QUESTION = Conversation((Message("user", "Answer with the one word: yes"),), options=Options(max_output_tokens=64))
"""A reasoning model thinks before it says a word."""
ENDINGS = ("/chat/completions", "/completions", "/responses", "/messages", "/models", "/chat", "/tags")
"""What people copy into a base URL, although the dialect adds it."""


@dataclass(frozen=True)
class Wanted:
    """What is to be tried besides the list of models: a key that was typed just now, and a word of a model.

    `credential` is one of those that may be used, in place of the one whose turn it is.
    """

    key: Secret | None = None
    say: bool = False
    model: str | None = None
    credential: Credential | None = None


@dataclass(frozen=True)
class Trial:
    """How a test went: its steps, the models that were listed, or what was wrong; how long it took in milliseconds.

    `answered` is the model that said a word, and what it was asked with.
    """

    milliseconds: int
    models: int = 0
    steps: tuple[Step, ...] = ()
    error: PointsmanError | None = None
    answered: tuple[str, Credential] | None = None


async def test(
    provider: Provider,
    configured: Provider | None,
    environment: Environment,
    tools: tuple[Credentials, Transports],
    wanted: Wanted = Wanted(),
    wires: Wires = WIRES,
) -> Trial:
    """Tries a provider, up to the first step that fails.

    Without a typed key the configured ones are tried, but only at the origin that they were configured for:
    `configured` is the provider as it stands in the files, None for one that is new.
    """
    credentials, transports = tools
    same = configured is None or _is_same_place(configured, provider)
    if configured and not same:
        typed = {name: value for name, value in provider.headers.items() if configured.headers.get(name) != value}
        tls = provider.tls  # who we are is for the place that it was configured for, too
        tls = msgspec.structs.replace(tls, certificate=None, key=None) if tls == configured.tls else tls
        provider = msgspec.structs.replace(provider, headers=typed, tls=tls)  # a configured one may be a secret
    attempt = _Attempt(provider, transports, wanted.credential or Credential(wanted.key), wires)
    begun = time.monotonic()
    failure: PointsmanError | None = None
    try:
        if provider.missing:
            raise credentials.missing(provider)
        if wanted.key is None and wanted.credential is None:
            own = credentials.in_turn if same else credentials.entered_for
            attempt.credential = next(iter(own(provider, environment)), attempt.credential)
        await attempt.run(wanted)
    except PointsmanError as error:
        failure = redact(error, attempt.credential)
        failure.provider = failure.provider or provider.id
        attempt.failed(failure)
    took = round((time.monotonic() - begun) * 1000)
    answered = (attempt.said_by, attempt.credential) if attempt.said_by else None
    return Trial(took, attempt.models, tuple(attempt.steps), failure, answered)


def _is_same_place(configured: Provider, provider: Provider) -> bool:
    """Whether a key that was configured for one may go to the other: to its origin, or where its address leaves open.

    A name in an address (a region) stays within the definition's own host; a whole endpoint does not, and may be said
    once.
    """
    if origin(configured.base_url) == origin(provider.base_url):
        return True
    endpoints = [own for own in configured.parameters.values() if own.format == "url"]
    return provider.template == configured.template != "" and (not endpoints or bool(configured.missing))


@dataclass
class _Attempt:
    """One provider that is being tried, and what has come of it so far."""

    provider: Provider
    transports: Transports
    credential: Credential
    wires: Wires
    steps: list[Step] = field(default_factory=list)
    models: int = 0
    now: Name = "reach"
    begun: float = 0.0
    said_by: str | None = None

    async def run(self, wanted: Wanted) -> None:
        """Makes each step. Raises PointsmanError."""
        wire = self.wires[self.provider.wire]
        health, listing = self.provider.health_url, wire.models_request(self.provider)
        checks = wire.checks(self.provider) if isinstance(wire, Checking) else ()
        for check in checks:
            await self._check(check)
        if health:
            await self._ask(Request("GET", health, {"accept": "application/json", **self.provider.headers}))
            self._proved()
            self.now = "list"
        listed: list[str] = []
        if listing:
            body = await self._ask(listing)
            if self.provider.model_list == "with-key":
                self._proved()
            self.now = "list"
            secrets = shown_to(self.provider, self.credential)
            listed = [model.id for model in without_secrets(wire.models(self.provider, body).models, secrets)]
            self.models = len(listed)
            self._done("list")
        else:
            if not (health or checks or wanted.say):
                await self._reach()
            self.models = len(self.provider.names)
            self.steps.append(Step("list", "skipped", 0, "It has no list of models."))
        if wanted.say:
            await self._say(wanted.model, listed)
        elif self._is_unproved():
            asked = "its list of models is for anybody" if listing else "there is nothing to ask for that costs nothing"
            say = f"pointsman providers test {self.provider.id} --say"
            text = f"The key was not tried: {asked}. `{say}` has a model say a word with it."
            if checks:
                text = "It can't say by itself whether it is signed in. An answer of a model would tell."
            self.steps.append(Step("authenticate", "skipped", 0, text))

    def failed(self, error: PointsmanError) -> None:
        """Notes the step that could not be made."""
        refused = isinstance(error, InvalidKey | CredentialError) and not isinstance(error, ProgramMissing)
        step = "authenticate" if refused else self.now
        self._done(step, "failed")

    async def _check(self, check: Check) -> None:
        """Makes a step by a request of the dialect's own."""
        self.now = check.step
        body = await self._ask(check.request)
        if all(step.step != check.step for step in self.steps):
            self._done(check.step)
        self.steps[-1] = msgspec.structs.replace(self.steps[-1], detail=check.detail(body)[:LONGEST_WORD])

    async def _ask(self, request: Request) -> bytes:
        """The body of a good answer. Raises PointsmanError for any other."""
        head, body = await self._fetch(request, self.credential)
        if 200 <= head.status < 300:
            return body
        raise await self._mistake(request, head, body)

    async def _reach(self) -> None:
        """Finds out that somebody is there, where nothing else can be asked for; says no key."""
        request = Request("GET", self.provider.base_url)
        head, body = await self._fetch(request, Credential())
        if head.status in MOVED or head.status == GONE:
            raise await self._mistake(request, head, body)

    async def _fetch(self, request: Request, credential: Credential) -> tuple[Head, bytes]:
        self.begun = time.monotonic()
        try:
            async with asyncio.timeout(WITHIN):
                async with asked(request, self.provider, credential, self.transports) as response:
                    self._reached()
                    return response.head, await read(response.chunks, LARGEST)
        except TimeoutError:
            raise TimedOut(f"{self.provider.title} did not answer within {WITHIN:g} seconds.") from None

    async def _say(self, model: str | None, listed: list[str]) -> None:
        """Has a model answer with a word."""
        provider, wire = self.provider, self.wires[self.provider.wire]
        named = [model, provider.default_model, *provider.models, *provider.aliases, *listed]
        name = next((each for each in named if each), None)
        self.begun = time.monotonic()
        if name is None or self.now != "reach":
            self.now = "say"
        if name is None:
            text = f"{provider.title} has no model to say a word with: none is configured, and it lists none."
            raise ConfigError(text, "Name one.")
        request, _ = wire.request(provider, provider.model(name), QUESTION)
        reader, said = wire.reader(provider), ""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                async with asked(request, provider, self.credential, self.transports) as response:
                    self._reached()
                    self.now = "say"
                    if not 200 <= response.head.status < 300:
                        raise self._error(response.head, await read(response.chunks, LARGEST))
                    readings, size = [], 0
                    async for chunk in response.chunks:
                        readings += reader.feed(chunk)
                        size += len(chunk)
                        if reader.linger is not None or size > LARGEST:
                            break
                    readings += reader.close()
        except TimeoutError:
            raise TimedOut(f"{name} of {provider.title} said nothing within {ANSWER_WITHIN:g} seconds.") from None
        for reading in readings:
            if isinstance(reading, ErrorSeen):
                raise reading.error
            said += reading.text if isinstance(reading, TextDelta) else ""
        self.said_by = provider.model(name)
        self._proved()
        self._done("say", detail=f"{name}: {hide(said.strip())[:LONGEST_WORD]}")

    async def _mistake(self, request: Request, head: Head, body: bytes) -> PointsmanError:
        """What an answer that is not 2xx means here, and what to do about it."""
        provider, status = self.provider, head.status
        if status in MOVED:
            return _moved(provider, request, head)
        if status == GONE:
            text = f"{provider.title} has withdrawn what was at {shown(request.url)} (HTTP 410)."
            pages = f"See {provider.links.docs}, and use another" if provider.links.docs else "Use another"
            return BadReply(text, f"{pages} base URL or provider.", status_code=status)
        if status == NOT_FOUND:
            what = "nothing" if self.provider.health_url == request.url else "no list of models"
            text = f"{provider.title} has {what} at {shown(request.url)} (HTTP 404)."
            return BadReply(text, await self._other_base(), status_code=status)
        return self._error(head, body)

    def _error(self, head: Head, body: bytes) -> PointsmanError:
        error = self.wires[self.provider.wire].error(self.provider, head, body)
        if isinstance(error, InvalidKey) and self.provider.key_hint:
            error.advice = f"{self.provider.key_hint} {error.advice}"
        return error

    async def _other_base(self) -> str:
        """What to do about a base URL where there is nothing: looks whether another of the same host is meant."""
        for url in _alike(self.provider.base_url):
            other = msgspec.structs.replace(self.provider, base_url=url, health_check=None)
            wire = self.wires[other.wire]
            request = wire.models_request(other)
            try:
                head, body = await self._fetch(request, self.credential) if request else (Head(NOT_FOUND), b"")
                if 200 <= head.status < 300:
                    wire.models(other, body)
                    return f"It answers at {url}: set `base_url` to that."
            except PointsmanError:
                continue
        page = f" Its pages say more: {self.provider.links.docs}" if self.provider.links.docs else ""
        text = f"Check `base_url`, which is {shown(self.provider.base_url)}: most end in a version, such as /v1."
        return f"{text} Check `wire` too, which is {self.provider.wire}.{page}"

    def _reached(self) -> None:
        if self.now == "reach":
            self._done("reach")
            self.now = "authenticate" if self.provider.health_url else "list"

    def _proved(self) -> None:
        if self._is_unproved():
            self._done("authenticate")

    def _is_unproved(self) -> bool:
        """Whether there is a credential that nobody has wanted to see yet."""
        return self.credential != Credential() and all(step.step != "authenticate" for step in self.steps)

    def _done(self, name: Name, outcome: Outcome = "ok", detail: str | None = None) -> None:
        took = round((time.monotonic() - self.begun) * 1000) if self.begun else 0
        self.steps.append(Step(name, outcome, took, detail))


MOVED = range(300, 400)
NOT_FOUND, GONE = 404, 410


def _moved(provider: Provider, request: Request, head: Head) -> PointsmanError:
    """A key never follows a redirect: whoever configured it has to say that it may go there."""
    text = f"{provider.title} answers at another address than {shown(provider.base_url)} (HTTP {head.status})."
    target, asked = urljoin(request.url, head.headers.get("location", "")), request.url.split("?")[0]
    tail = asked.removeprefix(provider.base_url.rstrip("/"))
    if target == request.url:
        advice = "Check `base_url`; the answer does not name the other address."
    elif tail and urlsplit(target).path.endswith(tail):
        advice = f"Set `base_url` to {shown(target).removesuffix(tail)}, if you trust that address."
    else:
        advice = f"Check `base_url`; it leads to {shown(target)}."
    return BadReply(text, advice, status_code=head.status)


def _alike(url: str) -> Iterator[str]:
    """Base URLs of the same host that may have been meant by this one, the likeliest first."""
    url = url.rstrip("/")
    for ending in ENDINGS:
        if urlsplit(url).path.endswith(ending):
            url = url.removesuffix(ending)
            yield url
            break
    shorter = re.sub(r"/v\d+\w*$", "", url)
    yield shorter if shorter != url else f"{url}/v1"
