"""What is left of the money at providers that say so. Asked only while somebody looks, and seldom.

Must never be the reason that a chat waits, nor ask anybody who was not chosen by the user. A provider that does not
answer says nothing, and what it said before stays, with its time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from msgspec import Struct

from pointsman.core.bounded import Bounded
from pointsman.core.catalogue import Provider
from pointsman.core.credit import Amount, amounts
from pointsman.core.environment import Environment
from pointsman.core.errors import PointsmanError
from pointsman.core.http import Request
from pointsman.edge.authorise import asked, redact
from pointsman.edge.credential import Credential
from pointsman.edge.transport import Transports, read
from pointsman.service.clock import rfc3339
from pointsman.service.credentials import Credentials
from pointsman.service.tasks import Tasks

log = logging.getLogger(__name__)

FRESH_FOR = 600.0
"""Seconds in which no account is asked about twice, whatever it answered."""
WORTH_WAITING = 1.5
"""Seconds that somebody who looks waits for what is being asked for the first time."""
ANSWER_WITHIN = 8.0
LARGEST = 64 * 1024
"""Bytes of an answer that are read."""
MOST_ACCOUNTS = 64
MOST_KEYS = 5
"""Keys of a provider that are asked about."""

Key = tuple[str, str, object]


class Remaining(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Money that is left on an account, as its provider said at `at` (RFC 3339 in UTC).

    `currency` is a code of ISO 4217, `POINTS`, or empty where nobody says it; `account` is what people may see of the
    key.
    """

    amount: float
    currency: str
    at: str
    account: str | None = None


@dataclass
class _Account:
    """One account: what it last said, and when it was last asked."""

    said: tuple[Amount, ...] = ()
    said_at: float = 0.0
    asked_at: float | None = None
    asking: asyncio.Task[None] | None = None


class Credits:
    """The credit of all accounts that were asked about."""

    def __init__(
        self,
        credentials: Credentials,
        transports: Transports,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._credentials, self._transports, self._clock, self._now = credentials, transports, clock, now
        self._accounts: Bounded[Key, _Account] = Bounded(MOST_ACCOUNTS)
        self._tasks = Tasks()

    def of(self, provider: Provider, environment: Environment) -> list[Remaining]:
        """What is known of each account that this connection uses; nothing is asked."""
        found = []
        for key, credential in self._keys(provider, environment):
            if account := self._accounts.get(key):
                at = rfc3339(account.said_at)
                found += [Remaining(each.amount, each.currency, at, credential.account) for each in account.said]
        return found

    async def look(self, wanted: Iterable[tuple[Provider, Environment]]) -> None:
        """Asks for what nobody has asked for lately, and waits a moment for what was never known."""
        first: list[asyncio.Task[None]] = []
        for provider, environment in wanted:
            for key, credential in self._keys(provider, environment):
                if (account := self._accounts.get(key)) is None:
                    account = self._accounts[key] = _Account()
                if account.asked_at is None or self._clock() - account.asked_at >= FRESH_FOR:
                    account.asked_at = self._clock()
                    account.asking = self._tasks.spawn(self._ask(provider, credential, account), "credit")
                if account.asking is not None and not account.said:
                    first.append(account.asking)
        if first:
            await asyncio.wait(first, timeout=WORTH_WAITING)

    async def close(self) -> None:
        """Ends what is under way."""
        await self._tasks.close()

    def _keys(self, provider: Provider, environment: Environment) -> list[tuple[Key, Credential]]:
        url = provider.credit_url
        if url is None or provider.missing or provider.temporary:
            return []
        found = self._credentials.all(provider, environment)[:MOST_KEYS]
        return [((provider.id, url, credential.key or credential.way), credential) for credential in found]

    async def _ask(self, provider: Provider, credential: Credential, account: _Account) -> None:
        credit, url = provider.credit, provider.credit_url
        assert credit
        assert url
        request = Request("GET", url, {"accept": "application/json", **provider.headers})
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                async with asked(request, provider, credential, self._transports) as response:
                    status, body = response.head.status, await read(response.chunks, LARGEST)
            if 200 <= status < 300:
                account.said, account.said_at = amounts(credit, url, body), self._now()
            else:
                log.info("no credit was told (HTTP %s)", status, extra={"provider": provider.id})
        except TimeoutError:
            log.info("no credit was told in time", extra={"provider": provider.id})
        except PointsmanError as error:
            log.info("no credit was told: %s", redact(error, credential).message, extra={"provider": provider.id})
        finally:
            account.asking = None
