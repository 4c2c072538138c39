"""One account in a real vault, and a token endpoint that plays a script: for the tests of `service.accounts`."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from pointsman.core import refresh
from pointsman.core.catalogue import Auth, Provider
from pointsman.core.http import origin
from pointsman.core.oauth import OAuth
from pointsman.core.secret import Secret
from pointsman.core.stored import Record, Tokens
from pointsman.edge.master_key import MasterKeys
from pointsman.edge.sealed_store import SealedStore
from pointsman.edge.store import Store
from pointsman.edge.transport import Transports, transports
from pointsman.service.accounts import Accounts
from pointsman.service.audit import Audit
from pointsman.service.vault import Vault
from tests.counterparts.scripts import HangUp, Pause, Reply, Step
from tests.counterparts.upstream import Upstream

NOW = 1_000_000.0
VAULT_KEY = Secret(base64.b64encode(b"not-a-real-key".ljust(32, b".")).decode())


class Cut(Reply):
    """No answer: the connection ends."""

    def steps(self) -> Iterator[Step]:
        yield HangUp()


@dataclass(frozen=True)
class Late(Reply):
    """An answer that does not come for so many seconds."""

    seconds: float = 0.0

    def steps(self) -> Iterator[Step]:
        yield Pause(self.seconds)
        yield from super().steps()


def grants(number: int, seconds: float = 0.0, lifetime: int = 3600) -> Reply:
    """New tokens of that number."""
    body = {
        "access_token": f"fake-access-{number}",
        "refresh_token": f"fake-refresh-{number}",
        "token_type": "Bearer",
        "expires_in": lifetime,
    }
    return Late(json.dumps(body).encode(), seconds=seconds)


def says(status: int, error: str, **headers: str) -> Reply:
    """An error of the token endpoint."""
    return Reply(json.dumps({"error": error}).encode(), status, headers)


def holds(active: bool) -> Reply:
    """What introspection says."""
    return Reply(json.dumps({"active": active}).encode())


class Bench:
    """One account in a real vault, and a token endpoint that plays a script."""

    def __init__(self, file: Path, upstream: Upstream, out: Transports) -> None:
        self.file, self.upstream, self.out = file, upstream, out
        self.now, self.refusals = NOW, list[str]()
        self.oauth = OAuth(client_id="c", token_url=f"{self.host}/token", authorize_url=f"{self.host}/authorize")
        self.begin()

    @property
    def host(self) -> str:
        return self.upstream.base_url.removesuffix("/v1")

    def begin(self, within: float = 5.0) -> None:
        """As a daemon begins."""
        self.store = Store(self.file)
        sealed = SealedStore(self.store.database)
        self.audit = Audit(sealed)
        self.vault = Vault(sealed, MasterKeys(self.file.with_name("vault.key"), VAULT_KEY), self.audit)
        self.accounts = Accounts(self.vault, self.audit, within=within, clock=lambda: self.now)
        self.accounts.on_refused = lambda provider, record: self.refusals.append(f"{provider} {record.label}")

    async def end(self) -> None:
        """As a daemon ends."""
        await self.accounts.close()
        await self.vault.close()
        await self.store.close()

    async def restart(self, within: float = 5.0) -> None:
        """Another daemon upon the same file."""
        await self.end()
        self.begin(within)
        await self.vault.open()

    async def sign_in(self, lifetime: float | None = 3600.0, **more: Any) -> None:
        """Puts the account into the vault."""
        expires = None if lifetime is None else self.now + lifetime
        here = origin(self.host)
        given = {"access": Secret("fake-access-0"), "refresh": Secret("fake-refresh-0"), "expires_at": expires}
        tokens = Tokens(**({**given, "obtained_at": self.now, "token_origin": here} | more))
        await self.vault.put(Record("the-id", "corp", here, "alice@example.test", tokens, "2026-01-01T00:00:00Z"))

    def script(self, *replies: Reply) -> None:
        """What the token endpoint answers, in turn."""
        self.upstream.script("/token", *replies)

    def change(self, **how: Any) -> None:
        """Another table `auth.oauth`."""
        self.oauth = msgspec.structs.replace(self.oauth, **how)

    @property
    def provider(self) -> Provider:
        return Provider(id="corp", name="Corp", base_url=f"{self.host}/v1", auth=Auth("oauth", oauth=self.oauth))

    async def fresh(self, refused: str | None = None) -> str:
        """The access token that a chat would get."""
        given = Secret(refused) if refused else None
        return (await self.accounts.fresh("the-id", self.provider, self.out.fetch, given)).access.reveal()

    @property
    def sent(self) -> list[str]:
        """The refresh tokens that went out."""
        requests = [request for request in self.upstream.requests if request.path == "/token"]
        return [parse_qs(request.body.decode())["refresh_token"][0] for request in requests]

    @property
    def held(self) -> Tokens:
        record = self.vault.get("the-id")
        assert record
        assert isinstance(record.holds, Tokens)
        return record.holds

    async def noted(self) -> list[str]:
        """What the audit has of it, the oldest first."""
        return [each.event for each in reversed(await self.audit.last(100))]

    def forbid(self, *versions: int) -> None:
        """The disk takes none of these versions of the record any more."""
        with closing(sqlite3.connect(self.file)) as other:
            other.execute("DROP TRIGGER IF EXISTS no_room")
            if versions:
                numbers = ", ".join(map(str, versions))
                when = f"WHEN NEW.version IN ({numbers}) BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
                other.execute(f"CREATE TRIGGER no_room BEFORE INSERT ON sealed {when}")
            other.commit()


@pytest.fixture
async def bench(tmp_path: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(refresh, "FIRST_WAIT", 0.01)
    out = transports()
    bench = Bench(tmp_path / "state.db", upstream, out)
    yield bench
    await bench.end()
    await out.close()


async def settle(bench: Bench) -> None:
    """Lets what goes on behind the chats' backs come to its end."""
    await bench.accounts._tasks.wait(10)
