"""Signing in to a provider and out of it: from the page or the code that a person is shown to a record in the vault.

Must never show a token, or delete an account because a provider says so. A sign-in belongs to the client that began it,
and ends with it.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from pointsman.core.catalogue import Provider
from pointsman.core.errors import PointsmanError, SignInFailed, UnknownCredential
from pointsman.core.http import origin
from pointsman.core.oauth import OAuth
from pointsman.core.oauth_answers import Granted
from pointsman.core.stored import Record, Tokens, check_label
from pointsman.edge import oauth as edge
from pointsman.edge.credential import Fetch
from pointsman.edge.landing import landing
from pointsman.service.audit import Audit
from pointsman.service.clients import Client, Clients
from pointsman.service.clock import now, rfc3339
from pointsman.service.tasks import Tasks
from pointsman.service.vault import Vault

log = logging.getLogger(__name__)

WITHIN = 600.0
"""Seconds that a person has to sign in."""
REVOKED_WITHIN = 10.0
"""Seconds that a provider has to end a token on the way out."""
SIGN_IN = "Sign in"
"""The button that begins one."""

Flow = Literal["browser", "device"]


class SignInCode(Struct, rename="camel", omit_defaults=True):
    """The page on which a sign-in goes on: to be opened in a browser on this machine; or, with a `userCode`, on any
    device, where that code is typed in until `expiresAt`. `complete` is the same page with the code in it already.
    """

    provider: str
    url: str
    user_code: str | None = None
    complete: str | None = None
    expires_at: str | None = None


@dataclass(frozen=True)
class SignedOut:
    """An account that is gone from here. `revoked`: whether its tokens ended at the provider, too; `error` says why
    that failed, and is None where the provider has no place for it."""

    record: Record
    revoked: bool
    error: PointsmanError | None = None


@dataclass(frozen=True)
class _Attempt:
    """One sign-in that is under way. `account` is the one that signs in anew."""

    client: Client
    provider: Provider
    oauth: OAuth
    label: str | None
    account: str


class Login:
    """Every sign-in that is under way, one for each client and provider."""

    def __init__(
        self,
        vault: Vault,
        audit: Audit,
        clients: Clients,
        fetch: Callable[[Provider], Fetch],
        provider: Callable[[Client, str], Provider | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`fetch` gives the way to a provider, `provider` one by its id as it is configured for a client."""
        self._vault, self._audit, self._clients, self._fetch = vault, audit, clients, fetch
        self._provider, self._clock = provider, clock
        self._tasks = Tasks()
        self._running: dict[tuple[int, str], asyncio.Task[Record]] = {}
        self._asked: set[str] = set()

    async def sign_in(
        self, client: Client, provider: Provider, flow: Flow | None = None, label: str | None = None, account: str = ""
    ) -> Record:
        """Shows the person the way, waits until they have gone it, and gives the account, which is then stored.

        A device is where the client's browser is not, unless `flow` says which. `account` is one that signs in anew.
        Cancelling ends it; beginning another ends it, too. Raises SignInFailed, BadReply, Overloaded, TransportError,
        StorageError, CredentialError, BadRequest for a label that can be none.
        """
        oauth, how = _way(provider, client, flow)
        check_label(label)
        await self._vault.open()
        if self._vault.trouble is not None:
            raise self._vault.trouble
        key = (client.number, provider.id)
        while before := self._running.get(key):  # another may have begun while the one before came to its end
            before.cancel()
            await asyncio.wait([before])
        attempt = _Attempt(client, provider, oauth, label, account)
        task = self._tasks.spawn(self._bounded(attempt, how), "sign-in")
        self._running[key] = task
        task.add_done_callback(lambda _: self._running.pop(key) if self._running.get(key) is task else None)
        try:
            record: Record = await task
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if me is not None and me.cancelling():
                raise
            text = f"The sign-in at {provider.title} is over: it was begun anew, or the daemon is leaving."
            raise SignInFailed(text, "Finish the one that was begun last.", provider=provider.id) from None
        return record

    async def sign_out(self, client: Client, provider: Provider | None, id: str, account: str | None) -> SignedOut:
        """Ends an account at its provider, and forgets it here in any case.

        `account` may be left out where there is only one. Raises UnknownCredential, StorageError, VaultError.
        """
        record = self._one(id, account)
        assert isinstance(record.holds, Tokens), "accounts hold tokens"
        oauth, revoked = provider.auth.oauth if provider else None, False
        error: PointsmanError | None = None
        if provider is not None and oauth is not None and oauth.revoke_url is not None:
            try:
                async with asyncio.timeout(REVOKED_WITHIN):
                    await edge.revoke(oauth, record.holds, self._fetch(provider))
                revoked = True
            except TimeoutError:
                error = SignInFailed("The provider gave no answer.", "End it on the provider's page.", provider=id)
            except PointsmanError as failure:
                error = failure
        await self._vault.remove(record.id)
        detail = "" if revoked or error is None else f"not revoked: {error.code}"
        self._audit.note("signedOut", id, record.account, client.name, detail)
        return SignedOut(record, revoked, error)

    def accounts(self, provider: str | None = None) -> list[Record]:
        """The accounts that are stored, of one provider or of all."""
        records = self._vault.all() if provider is None else self._vault.of(provider)
        return [record for record in records if record.kind == "oauth"]

    def ask_to_sign_in(self, provider: str, record: Record) -> None:
        """Asks every editor whether to sign in again, for an account that its provider takes no more."""
        if record.id in self._asked:
            return
        self._asked.add(record.id)
        for client in self._clients:
            if client.ready and (own := self._provider(client, provider)) is not None:
                self._tasks.spawn(self._ask(client, own, record), "question about a sign-in")

    async def close(self) -> None:
        """Ends every sign-in."""
        await self._tasks.close()

    async def _bounded(self, attempt: _Attempt, flow: Flow) -> Record:
        try:
            async with asyncio.timeout(WITHIN):
                return await (self._by_device(attempt) if flow == "device" else self._by_browser(attempt))
        except TimeoutError:
            text = f"Nobody finished the sign-in at {attempt.provider.title} within {WITHIN / 60:g} minutes."
            raise SignInFailed(text, provider=attempt.provider.id) from None
        except PointsmanError as error:
            error.provider = error.provider or attempt.provider.id
            raise

    async def _by_browser(self, attempt: _Attempt) -> Record:
        """By a page in a browser of this machine, which comes back to a port of it."""
        done: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        begun: edge.Begun | None = None

        async def take(query: Mapping[str, str]) -> str:
            """What a browser brought. Another's visit ends nothing."""
            try:
                record = await self._brought(attempt, begun, query) if begun else None
            except PointsmanError as error:
                if not done.done():
                    done.set_exception(error)
                raise
            if record is None:
                raise _stray()
            if not done.done():
                done.set_result(record)
            return record.label

        async with landing(attempt.oauth, take) as redirect:
            begun = await edge.begin(attempt.oauth, redirect)
            await self._show(attempt, SignInCode(attempt.provider.id, begun.url))
            return await done

    async def _brought(self, attempt: _Attempt, begun: edge.Begun, query: Mapping[str, str]) -> Record | None:
        """The account that a browser's visit brings; None where this sign-in has not sent it."""
        if (code := edge.code_in(attempt.oauth, begun, query)) is None:
            return None
        fetch = self._fetch(attempt.provider)
        return await self._keep(attempt, await edge.exchanged(attempt.oauth, begun, code, fetch, self._clock()))

    async def _by_device(self, attempt: _Attempt) -> Record:
        """By a code that is typed in on any device."""
        fetch = self._fetch(attempt.provider)
        device = await edge.ask_device(attempt.oauth, fetch, self._clock())
        ends = rfc3339(device.expires_at)
        code = SignInCode(attempt.provider.id, device.url, device.user_code, device.complete, ends)
        await self._show(attempt, code)
        return await self._keep(attempt, await edge.approved(attempt.oauth, device, fetch, self._clock))

    async def _show(self, attempt: _Attempt, code: SignInCode) -> None:
        """Opens the page at the client that asked, or has it tell the person where to go."""
        client, title = attempt.client, attempt.provider.title
        if code.user_code is None and await client.line.open_page(code.url):
            return
        if client.ours:
            client.line.tell(code)
        elif code.user_code is None:
            client.line.show(f"To sign in at {title}, open {code.url}")
        else:
            client.line.show(f"To sign in at {title}, open {code.url} on any device and type in {code.user_code}")

    async def _keep(self, attempt: _Attempt, granted: Granted) -> Record:
        """Stores an account that has signed in; the same one again takes the place of what was stored of it.

        Raises StorageError, VaultError.
        """
        record = await self._vault.add(lambda: _record(attempt, granted, self._vault.of(attempt.provider.id)))
        self._asked.discard(record.id)
        self._audit.note("signedIn", attempt.provider.id, record.account, attempt.client.name)
        return record

    async def _ask(self, client: Client, provider: Provider, record: Record) -> None:
        """One editor's question, and what it is answered with; an answer that comes too late does nothing."""
        reason = record.holds.refused if isinstance(record.holds, Tokens) else None
        text = f"{provider.title} asks {record.label} to sign in again" + (f" ({reason})." if reason else ".")
        try:
            if await client.line.ask(text, [SIGN_IN]) != SIGN_IN:
                return
        except LookupError:
            client.line.show(f"{text} Run `pointsman login {provider.id}` in a terminal.")
            return
        current = self._vault.get(record.id)
        if current is not None and isinstance(current.holds, Tokens) and current.holds.refused is None:
            client.line.show(f"{record.label} has signed in at {provider.title} meanwhile.")
            return
        try:
            await self.sign_in(client, provider, account=record.label)
            client.line.show(f"{record.label} is signed in at {provider.title} again.")
        except PointsmanError as error:
            client.line.show(str(error), warning=True)

    def _one(self, provider: str, account: str | None) -> Record:
        found = self.accounts(provider)
        named = [record for record in found if account is None or account in {record.label, record.id}]
        if len(named) == 1:
            return named[0]
        labels = ", ".join(record.label for record in found)
        if account is None and found:
            text = f"{len(found)} accounts are signed in at {provider}: {labels}."
            advice = f"Say which of them, as in `pointsman logout {provider} {found[0].label}`."
            raise UnknownCredential(text, advice, provider=provider)
        text = (
            f"No account {account!r} is signed in at {provider}." if account else f"Nobody is signed in at {provider}."
        )
        raise UnknownCredential(text, f"There are: {labels}." if found else None, provider=provider)


def _way(provider: Provider, client: Client, wanted: Flow | None) -> tuple[OAuth, Flow]:
    """How a provider is signed in to from where the client is. Raises SignInFailed."""
    oauth = provider.auth.oauth
    if oauth is None and provider.auth.scheme == "program":
        text = f"{provider.title} is asked by its own program, which signs in by itself."
        own = provider.quirks.get("login")
        how = f"Run `{own[0]}` in a terminal, then ask again." if own else "docs/plans.md says how."
        raise SignInFailed(text, how, provider=provider.id)
    if oauth is None:
        text = f"{provider.title} has no sign-in: nothing says how, in `auth.oauth` of its definition."
        raise SignInFailed(text, "Use a key for it instead, or see docs/accounts.md.", provider=provider.id)
    there: list[Flow] = [*(["browser"] if oauth.authorize_url else []), *(["device"] if oauth.device_url else [])]  # type: ignore[list-item]
    preferred: Flow = wanted or ("device" if client.remote else "browser")
    if preferred in there:
        return oauth, preferred
    if wanted is not None:
        text = f"{provider.title} has no sign-in by {_WORDS[wanted]}."
        raise SignInFailed(text, f"Sign in by {_WORDS[there[0]]}.", provider=provider.id)
    return oauth, there[0]


def _stray() -> SignInFailed:
    """What a browser is told that this sign-in has not sent: the one that was sent may still come."""
    text = "A browser came back from another sign-in than the one that waits here."
    return SignInFailed(text, "Finish the one that was begun last; it still waits.")


_WORDS = {"browser": "a browser on this machine", "device": "a code for another device"}


def _record(attempt: _Attempt, granted: Granted, stored: list[Record]) -> Record:
    """The account that has signed in, beside what is stored of its provider."""
    provider, label = attempt.provider, attempt.label
    known = _known([record for record in stored if record.kind == "oauth"], granted.tokens, label, attempt.account)
    others = {record.label for record in stored if record is not known}
    return Record(
        id=known.id if known else str(uuid.uuid4()),
        provider=provider.id,
        origin=origin(provider.base_url),
        label=_free(label or (known.label if known else granted.label), others),
        holds=granted.tokens,
        added_at=known.added_at if known else now(),
        version=known.version if known else 1,
    )


def _known(stored: list[Record], tokens: Tokens, label: str | None, account: str) -> Record | None:
    """What is stored already of an account that has signed in: told by its own name at the provider; where that gives
    none, by the one that was asked to sign in anew, or by its label."""
    for record in stored:
        held = record.holds
        same = isinstance(held, Tokens) and (held.account, held.subject) == (tokens.account, tokens.subject)
        if same and tokens.account is not None:
            return record
    if tokens.account is not None:
        return None
    if named := [record for record in stored if record.label in {label, account}]:
        return named[0]
    refused = [record for record in stored if isinstance(record.holds, Tokens) and record.holds.refused is not None]
    return refused[0] if len(refused) == 1 and label is None else None


def _free(label: str | None, others: set[str]) -> str:
    """A label that no other account of the provider has."""
    if label and label not in others:
        return label
    number = len(others) + 1 if label is None else 2
    while (found := f"{label or 'account'} {number}") in others:
        number += 1
    return found
