"""The tokens of the accounts that have signed in, renewed before they end: one flight an account, as a transaction.

What is done when is decided by `core.refresh`. Must never know an editor, nor which chat wants a token.

Before a refresh token goes out, it is durable that it will; new tokens are durable before anybody uses them. So what a
crash leaves behind is the old tokens, whole, and whether an answer may have been lost.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from pointsman.core.catalogue import Provider
from pointsman.core.errors import (
    BadReply,
    ConfigError,
    CredentialError,
    Overloaded,
    PointsmanError,
    ShuttingDown,
    SignInFailed,
    SignInNeeded,
    StorageError,
    TimedOut,
    UnknownCredential,
)
from pointsman.core.oauth import OAuth
from pointsman.core.refresh import (
    AFTER,
    ENDED,
    FIRST,
    LOST,
    SURE,
    TABLE,
    UNUSABLE,
    Effort,
    Outcome,
    again,
    begun,
    refused,
    rest,
    settled,
    standing,
    worth,
)
from pointsman.core.secret import Secret
from pointsman.core.stored import Record, Tokens
from pointsman.edge import oauth as edge
from pointsman.edge.credential import Fetch
from pointsman.service.audit import Audit
from pointsman.service.tasks import Tasks
from pointsman.service.vault import Vault

log = logging.getLogger(__name__)

WITHIN = 20.0
"""Seconds that a token endpoint has for one answer."""
LEAVE_WITHIN = 10.0
"""Seconds for which the daemon's end waits for an answer that is under way: cut off, it would cost a sign-in."""


@dataclass(frozen=True)
class _Seen:
    """What came of one try."""

    outcome: Outcome
    tokens: Tokens | None = None
    error: PointsmanError | None = None
    why: str = ""


class _Replaced(Exception):
    """Somebody has signed in or out while the account's tokens were being renewed."""


class Accounts:
    """Gives tokens that hold. `on_refused` is told once when an account needs a new sign-in."""

    def __init__(
        self,
        vault: Vault,
        audit: Audit,
        *,
        within: float | None = None,
        clock: Callable[[], float] = time.time,
        on_refused: Callable[[str, Record], None] = lambda provider, record: None,
    ) -> None:
        self.on_refused = on_refused
        self._vault, self._audit, self._clock = vault, audit, clock
        self._within = WITHIN if within is None else within
        self._tasks = Tasks()
        self._flights: dict[str, asyncio.Task[Tokens]] = {}
        self._unsaved: dict[str, tuple[Tokens, Tokens]] = {}  # what the vault held, and what it should hold now
        self._resting: dict[str, tuple[float, PointsmanError]] = {}
        self._leaving = asyncio.Event()

    async def fresh(self, id: str, provider: Provider, fetch: Fetch, refused: Secret | None = None) -> Tokens:
        """Tokens that hold now; those that will not for long are renewed behind the caller's back.

        `refused` is the access token that the provider has just turned down. Raises SignInNeeded, StorageError where
        new tokens can't be made durable, and what kept the token endpoint from answering.
        """
        tokens = self._held(id, provider)
        wanted = worth(tokens, self._clock(), refused=refused is not None and refused == tokens.access)
        move = TABLE[wanted][standing(tokens, _oauth(provider), self._clock())]
        unsaved = id in self._unsaved
        if unsaved:
            move = "wait"
        if move == "use":
            return tokens
        if move == "sign in":
            raise _sign_in(provider, self._vault.get(id), tokens.refused or "its access token has ended")
        failed = self._rests(id)
        if move == "ahead":
            if failed is None and not self._leaving.is_set():
                self._flight(id, provider, fetch)
            return tokens
        try:
            if failed is not None:
                raise failed.with_traceback(None)  # one error for all chats: it would grow, and hold what they hold
            return await asyncio.shield(self._flight(id, provider, fetch))
        except PointsmanError as error:
            spent = "spent" in {wanted, worth(tokens, self._clock())}
            if unsaved or spent or isinstance(error, StorageError):  # what is not durable is never used
                raise
            return tokens

    def entered(self, id: str) -> None:
        """Somebody has signed in anew: whatever its token endpoint has asked for, it has just answered."""
        self._resting.pop(id, None)

    async def close(self) -> None:
        """Lets what is under way come to its end, for a while; begins nothing any more."""
        self._leaving.set()
        await self._tasks.wait(min(self._within, LEAVE_WITHIN))
        await self._tasks.close()

    def _held(self, id: str, provider: Provider) -> Tokens:
        """The account's tokens, those that could not be written yet before those that are stored."""
        record = self._vault.get(id)
        if record is None or not isinstance(record.holds, Tokens):
            self._unsaved.pop(id, None)
            raise _sign_in(provider, None, "it is stored here no more")
        before, tokens = self._unsaved.get(id, (record.holds, record.holds))
        if before != record.holds:  # somebody has signed in anew meanwhile
            del self._unsaved[id]
            return record.holds
        return tokens

    def _rests(self, id: str) -> PointsmanError | None:
        """The error of a token endpoint that is left alone for a while, unless it is being asked already."""
        until, error = self._resting.get(id, (0.0, None))
        resting = asyncio.get_running_loop().time() < until
        return error if resting and id not in self._flights and id not in self._unsaved else None

    def _flight(self, id: str, provider: Provider, fetch: Fetch) -> asyncio.Task[Tokens]:
        """The refresh that is under way, or a new one. It belongs to nobody: who waits may leave."""
        if (flight := self._flights.get(id)) is None:
            if self._leaving.is_set():
                raise ShuttingDown("The daemon is shutting down and renews no account.")
            flight = self._flights[id] = self._tasks.spawn(self._fly(id, provider, fetch), "refresh of an account")
            flight.add_done_callback(lambda _: self._flights.pop(id))
        return flight

    async def _fly(self, id: str, provider: Provider, fetch: Fetch) -> Tokens:
        try:
            if id in self._unsaved:
                before, tokens = self._unsaved[id][0], self._held(id, provider)
                if id not in self._unsaved:  # somebody has signed in anew since the flight was called for
                    return tokens
                with suppress(*([StorageError] if tokens.refused else [])):
                    await self._write(id, before, tokens)
                if tokens.access != before.access:
                    return tokens
            return await self._renew(id, provider, fetch)
        except _Replaced:
            return self._held(id, provider)
        except PointsmanError as error:
            error.provider = error.provider or provider.id
            log.warning("an account was not renewed: %s", error.message, extra={"provider": provider.id})
            if not isinstance(error, StorageError):
                self._resting[id] = asyncio.get_running_loop().time() + rest(error.retry_after), error
            raise

    async def _renew(self, id: str, provider: Provider, fetch: Fetch) -> Tokens:
        """One refresh with all its tries; looks anew before each whether it may be sent at all."""
        await edge.ready()
        oauth, time = _oauth(provider), asyncio.get_running_loop().time
        began, tries, before, lost = time(), 0, self._held(id, provider), LOST
        while True:
            tokens, now = before, self._clock()
            match FIRST[standing(before, oauth, now)]:
                case "send":
                    tokens, tries = begun(before, now), tries + 1
                    if tokens != before:
                        await self._write(id, before, tokens, keep=False)
                    patience = min(self._within, Effort(tries, time() - began).left)
                    seen = await _sent(oauth, tokens, fetch, now, patience)
                case "ask":
                    seen = await _asked(oauth, tokens, fetch, self._within)
                case "refuse":
                    seen = _Seen("holds no more", why=lost)
                case _:
                    raise _sign_in(provider, self._vault.get(id), before.refused or ENDED)
            if seen.outcome in SURE and (sure := settled(before, seen.outcome)) != tokens:
                await self._write(id, tokens, sure)
                tokens = sure
            match AFTER[seen.outcome]:
                case "keep":
                    assert seen.tokens
                    return await self._keep(id, provider, (tokens, seen.tokens), fetch)
                case "refuse":
                    raise await self._refuse(id, provider, tokens, seen.why)
            if isinstance(seen.error, BadReply):
                lost = UNUSABLE.format(seen.error.message.rstrip("."))
            error = _told(provider, seen.error) or _sign_in(provider, self._vault.get(id), lost)
            stands, effort = standing(tokens, oauth, self._clock()), Effort(tries, time() - began)
            wait = again(seen.outcome, stands, effort, error.retry_after, random.random())  # noqa: S311 - jitter
            if AFTER[seen.outcome] == "give up" or wait is None or (wait and await self._leaves_within(wait)):
                raise error
            log.info("a refresh goes on: %s", error.message, extra={"provider": provider.id})
            before = tokens

    async def _keep(self, id: str, provider: Provider, pair: tuple[Tokens, Tokens], fetch: Fetch) -> Tokens:
        """Makes new tokens durable; only then may they be used."""
        before, tokens = pair
        if self._vault.get(id) is None:  # signed out meanwhile: they are not to live on at the provider
            with suppress(PointsmanError):
                await edge.revoke(_oauth(provider), tokens, fetch)
        record = await self._write(id, before, tokens)
        self._resting.pop(id, None)
        self._audit.note("refreshed", provider.id, record.account)
        log.info("an account was renewed", extra={"provider": provider.id})
        return tokens

    async def _refuse(self, id: str, provider: Provider, before: Tokens, why: str) -> SignInNeeded:
        """Stores why only a new sign-in helps, tells it once, and gives the error. Nothing is deleted."""
        with suppress(StorageError, CredentialError):  # it is kept in memory, and written when that can be done
            await self._write(id, before, refused(before, why))
        if record := self._vault.get(id):
            self._audit.note("refused", provider.id, record.account, detail=why)
            self.on_refused(provider.id, record)
        return _sign_in(provider, record, why)

    async def _write(self, id: str, before: Tokens, tokens: Tokens, *, keep: bool = True) -> Record:
        """Makes an account's tokens durable, unless somebody has signed in or out since `before`.

        With `keep` they are kept in memory when that fails, for the next call to write them. Raises StorageError,
        VaultError, _Replaced.
        """
        record = self._vault.get(id)
        held = self._unsaved[id][0] if id in self._unsaved else before
        if record is None or record.holds != held:
            raise _Replaced
        if keep:
            self._unsaved[id] = held, tokens
        record = replace(record, holds=tokens)
        try:
            await self._vault.put(record, if_same=True)
        except UnknownCredential:
            raise _Replaced from None
        self._unsaved.pop(id, None)
        return record

    async def _leaves_within(self, seconds: float) -> bool:
        """Waits; whether the daemon leaves meanwhile."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), seconds)
        return self._leaving.is_set()


async def _sent(oauth: OAuth, tokens: Tokens, fetch: Fetch, now: float, patience: float) -> _Seen:
    """Sends the refresh token once, and says what came of it."""
    try:
        async with asyncio.timeout(patience):
            return _Seen("ok", await edge.refreshed(oauth, tokens, fetch, now))
    except TimeoutError:
        return _Seen("unanswered", error=TimedOut(f"It gave no answer within {patience:.0f} seconds."))
    except edge.RefreshRefused as said:
        return _Seen("refused", why=said.reason)
    except (edge.NotSent, edge.Unanswered) as failed:
        return _Seen("not sent" if isinstance(failed, edge.NotSent) else "unanswered", error=failed.error)
    except Overloaded as error:
        return _Seen("overloaded", error=error)
    except PointsmanError as error:
        return _Seen("declined", error=error)


async def _asked(oauth: OAuth, tokens: Tokens, fetch: Fetch, patience: float) -> _Seen:
    """Asks whether a refresh token that nobody has answered for still holds."""
    holds = None
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            holds = await edge.still_holds(oauth, tokens, fetch)
    return _Seen("can't tell" if holds is None else "still holds" if holds else "holds no more", why=ENDED)


def _oauth(provider: Provider) -> OAuth:
    if provider.auth.oauth is None:
        text = f"{provider.title} has accounts, and nothing says how they are renewed."
        raise ConfigError(text, f"Put `auth.oauth` back under [providers.{provider.id}].", provider=provider.id)
    return provider.auth.oauth


def _sign_in(provider: Provider, record: Record | None, why: str) -> SignInNeeded:
    whose = f"The account {record.account} of {provider.title}" if record else f"The account of {provider.title}"
    text = f"{whose} can't be used any longer: {why.rstrip('.')}."
    return SignInNeeded(text, f"Sign in again: `pointsman login {provider.id}`", provider=provider.id)


def _told(provider: Provider, error: PointsmanError | None) -> PointsmanError | None:
    """What went wrong at a token endpoint, with its name, for people."""
    if error is None:
        return None
    where, asked = _oauth(provider).token_url, None if error.retry_after is None else rest(error.retry_after)
    text = f"The account of {provider.title} could not be renewed at {where}: {error.message}"
    when = "in a moment" if asked is None else f"in {asked:.0f} s"
    advice = f"Try again {when}. If it stays so, look at the network, or at `auth.oauth` of {provider.id!r}."
    if isinstance(error, SignInFailed):  # it is not a person's sign-in that was refused, but the client's own request
        advice = (
            f"Look at `auth.oauth` of {provider.id!r}, its `client_id` first; then `pointsman login {provider.id}`."
        )
    elif isinstance(error, CredentialError):
        advice = error.advice
    told = type(error)(text, advice, provider=provider.id, status_code=error.status_code, retry_after=asked)
    told.of_account = True
    return told
