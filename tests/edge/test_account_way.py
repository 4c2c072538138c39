"""An account's token goes onto a request to the account's own origin, and is renewed when it is turned down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace

import pytest

from pointsman.core.catalogue import Auth, Provider
from pointsman.core.errors import InvalidKey, WrongOrigin
from pointsman.core.http import Head, Request
from pointsman.core.network import ORDINARY, Egress
from pointsman.core.oauth import OAuth
from pointsman.core.secret import Secret
from pointsman.core.stored import Record, Tokens
from pointsman.edge.account_way import AccountWay
from pointsman.edge.authorise import asked, authorise, redact
from pointsman.edge.credential import Credential, Fetch
from pointsman.edge.response import Response
from pointsman.edge.transport import Transports

PLAIN = Request("POST", "https://api.example/v1/chat", {"x-team": "blue"}, b"body")
FIRST = Tokens(
    access=Secret("fake-access-token-0"),
    refresh=Secret("fake-refresh-token-0"),
    expires_at=None,
    obtained_at=0.0,
    token_origin="https://auth.example:443",  # noqa: S106 - an address
    account="account-of-alice",
)
RECORD = Record("id", "corp", "https://api.example:443", "alice@example.test", FIRST, "2026-01-01T00:00:00Z")


@dataclass
class Kept:
    """Renews whenever the token that holds was turned down."""

    tokens: Tokens = FIRST
    turned_down: list[str | None] = field(default_factory=list)

    async def fresh(self, id: str, provider: Provider, fetch: Fetch, refused: Secret | None = None) -> Tokens:
        assert id == "id"
        self.turned_down.append(refused.reveal() if refused else None)
        if refused == self.tokens.access:
            self.tokens = replace(self.tokens, access=Secret("fake-access-token-1"))
        return self.tokens


def corp(header: str | None = None) -> Provider:
    oauth = OAuth(client_id="c", token_url="https://auth.example/token", account_header=header)  # noqa: S106
    return Provider(id="corp", base_url="https://api.example/v1", auth=Auth("oauth", oauth=oauth))


async def nothing(request: Request, connect: float) -> tuple[Head, bytes]:
    raise AssertionError("nothing has to be asked")


@pytest.mark.parametrize(
    ("header", "more"), [(None, {}), ("ChatGPT-Account-Id", {"chatgpt-account-id": "account-of-alice"})]
)
async def test_where_the_token_goes(header: str | None, more: dict[str, str]) -> None:
    credential = Credential(way=AccountWay("id", RECORD, Kept()))
    request = await authorise(PLAIN, corp(header), credential, nothing)
    assert request.headers == {"x-team": "blue", "authorization": "Bearer fake-access-token-0", **more}
    assert credential.account == "alice@example.test"
    assert "fake" not in repr(credential)


async def test_a_token_never_goes_to_another_origin() -> None:
    way = AccountWay("id", RECORD, Kept())
    with pytest.raises(WrongOrigin, match=r"https://evil\.example"):
        await way.authorise(replace(PLAIN, url="https://evil.example/v1/chat"), corp(), nothing)


async def test_every_token_that_it_has_had_is_taken_out_of_errors() -> None:
    credential = Credential(way=AccountWay("id", RECORD, Kept()))
    await authorise(PLAIN, corp(), credential, nothing)
    assert credential.turned_down()
    await authorise(PLAIN, corp(), credential, nothing)
    words = "no fake-access-token-0, fake-access-token-1, fake-refresh-token-0!"
    assert redact(InvalidKey(words), credential).message == "no fake-acc…, fake-acc…, fake-ref…!"


def test_two_of_one_account_are_one() -> None:
    assert len({AccountWay("id", RECORD, Kept()), AccountWay("id", replace(RECORD, label="bob"), Kept())}) == 1
    assert AccountWay("id", RECORD, Kept()) != AccountWay("other", RECORD, Kept())


@dataclass
class Answers:
    """A transport that answers with these statuses in turn."""

    statuses: Iterator[int]
    sent: list[str] = field(default_factory=list)

    def stream(
        self, request: Request, connect: float, egress: Egress = ORDINARY
    ) -> AbstractAsyncContextManager[Response]:
        self.sent.append(request.headers.get("authorization", ""))
        return nullcontext(Response(Head(next(self.statuses)), _empty()))

    async def close(self) -> None: ...


async def _empty() -> AsyncIterator[bytes]:
    for piece in list[bytes]():
        yield piece


@pytest.mark.parametrize(
    ("statuses", "seen", "sent"),
    [([200], 200, "0"), ([401, 200], 200, "01"), ([401, 401], 401, "01"), ([403], 403, "0"), ([500], 500, "0")],
)
async def test_a_token_that_is_turned_down_is_renewed_once(statuses: list[int], seen: int, sent: str) -> None:
    answers, credential = Answers(iter(statuses)), Credential(way=AccountWay("id", RECORD, Kept()))
    async with asked(PLAIN, corp(), credential, Transports({"https": answers})) as response:
        assert response.head.status == seen
    assert "".join(each[-1] for each in answers.sent) == sent


async def test_a_key_that_is_turned_down_is_what_it_was() -> None:
    answers = Answers(iter([401]))
    async with asked(PLAIN, corp(), Credential(Secret("not-a-real-key")), Transports({"https": answers})) as response:
        assert response.head.status == 401
    assert len(answers.sent) == 1


async def test_one_that_has_sent_nothing_was_not_turned_down() -> None:
    assert not AccountWay("id", RECORD, Kept()).turned_down()
