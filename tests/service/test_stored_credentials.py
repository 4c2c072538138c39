"""What is stored, and what is written in files: who gets it, in which turn, and where it never goes."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import cast

import pytest

from pointsman.core.catalogue import Auth, Provider, Scheme
from pointsman.core.environment import Environment
from pointsman.core.errors import SignInNeeded, VaultError, VaultLocked, WrongOrigin
from pointsman.core.oauth import OAuth
from pointsman.core.parameters import Parameter
from pointsman.core.secret import Secret
from pointsman.core.sources import Command
from pointsman.core.stored import Record, Tokens
from pointsman.edge.credential import Credential, Fetch
from pointsman.service.audit import Audit
from pointsman.service.credentials import NONE_GIVEN, Credentials, Given
from tests.service.test_credentials import acme, cloud, turns

# What is stored


class Vault:
    """Records in memory."""

    def __init__(self, *records: Record, trouble: VaultError | None = None, damaged: Sequence[str] = ()) -> None:
        self.records, self.trouble, self.labels = list(records), trouble, list(damaged)

    def of(self, provider: str) -> list[Record]:
        return [record for record in self.records if record.provider == provider]

    def damaged(self, provider: str) -> list[str]:
        return self.labels


HERE, ELSEWHERE = "http://h:80", "https://elsewhere.example:443"


def record(key: str, place: str = HERE, label: str = "work", provider: str = "acme-x") -> Record:
    return Record(f"id of {key}", provider, place, label, Secret(key), "2026-11-21T00:00:00Z")


def account(place: str = HERE) -> Record:
    tokens = Tokens(Secret("not-a-real-token"), None, None, 0.0, place)
    return Record("id of an account", "acme-x", place, "me@acme.example", tokens, "2026-11-21T00:00:00Z")


class Keeper:
    """Never asked here."""

    async def fresh(self, id: str, provider: Provider, fetch: Fetch, refused: Secret | None = None) -> Tokens:
        raise AssertionError


def found(provider: Provider, *records: Record, given: Given = NONE_GIVEN, **variables: str) -> list[str]:
    """The keys, and the accounts by their labels, that would be tried."""
    credentials = Credentials(stored=Vault(*records), keeper=Keeper())
    return [
        credential.key.reveal() if credential.key else str(credential.account)
        for credential in credentials.all(provider, Environment(variables), given)
    ]


def test_what_is_configured_and_what_is_stored_take_turns() -> None:
    records = [record("s1"), record("s2", label="home"), record("of another", provider="other")]
    assert found(acme(), *records, ACME_KEY="e") == ["e", "s1", "s2"]
    assert found(acme(keys=("plain",)), *records, ACME_KEY="e") == ["plain", "s1", "s2"]
    assert found(acme(), *records, given={"acme-x": Secret("g")}, ACME_KEY="e") == ["g"]
    assert found(acme(keys=("s1",)), *records) == ["s1", "s2"], "no key has two turns"
    credentials = Credentials(stored=Vault(*records))
    assert [turns(credentials, acme(), ACME_KEY="e")[0] for _ in range(4)] == ["e", "s1", "s2", "e"]


def test_a_stored_key_knows_its_record() -> None:
    (credential,) = Credentials(stored=Vault(record("s1"))).all(acme(), Environment())
    assert credential.record == record("s1")


@pytest.mark.parametrize("scheme", ["none", "oauth", "passthrough", "aws", "gcp"])
def test_a_key_that_was_left_over_is_never_used(scheme: Scheme) -> None:
    provider = cloud(scheme)
    assert found(provider, record("left over")) == []
    (known,) = Credentials(stored=Vault(record("left over"))).known(provider, Environment())
    assert (known.kind, known.usable) == ("stored", False)


@pytest.mark.parametrize("scheme", ["bearer", "header", "optional-key"])
def test_what_is_stored_goes_to_its_own_origin_alone(scheme: Scheme) -> None:
    provider = acme(Auth(scheme, "ACME_KEY"))
    mine, other = record("mine"), record("other", ELSEWHERE, "home")
    assert found(provider, other, mine) == ["mine"]
    assert found(provider, other) == []
    assert found(provider, other, ACME_KEY="e") == ["e"]
    credentials = Credentials(stored=Vault(other))
    if scheme == "optional-key":
        assert credentials.in_turn(provider, Environment()) == [Credential()]
        return
    with pytest.raises(WrongOrigin) as wrong:
        credentials.in_turn(provider, Environment())
    assert wrong.value.message == (
        "The stored key of Acme was entered for https://elsewhere.example, and the base URL is now http://h."
    )
    assert "pointsman keys add acme-x" in wrong.value.advice


@pytest.mark.parametrize("url", ["http://h:80/x", "http://H/x", "http://h"])
def test_an_origin_is_more_than_its_letters(url: str) -> None:
    assert found(Provider(id="acme-x", base_url=url, auth=Auth("bearer")), record("mine")) == ["mine"]


@pytest.mark.parametrize(
    "url", ["https://h", "http://h:8080", "http://h.", "http://h.example", "http://g", "http://u.h"]
)
def test_any_other_origin_is_another(url: str) -> None:
    assert found(Provider(id="acme-x", base_url=url, auth=Auth("bearer")), record("mine")) == []


def test_an_address_that_is_not_whole_gets_nothing() -> None:
    provider = Provider(
        id="acme-x", base_url="http://h:{port}", auth=Auth("bearer"), parameters={"port": Parameter()}, keys=("k",)
    )
    assert found(provider, record("mine")) == ["k"]
    assert not Credentials(stored=Vault(record("mine"))).usable(provider, Environment())


def test_with_oauth_in_force_accounts_alone_are_asked() -> None:
    provider = acme(Auth("oauth", "ACME_KEY"), keys=("plain",))
    assert found(provider, account(), record("s1"), ACME_KEY="e") == ["me@acme.example"]
    assert found(acme(), account(), record("s1"), ACME_KEY="e") == ["e", "s1"]
    with pytest.raises(WrongOrigin) as wrong:
        Credentials(stored=Vault(account(ELSEWHERE)), keeper=Keeper()).in_turn(provider, Environment())
    assert "pointsman login acme-x" in wrong.value.advice
    with pytest.raises(SignInNeeded) as needed:
        Credentials().in_turn(acme(Auth("oauth", oauth=OAuth(client_id="c", token_url="http://t"))), Environment())  # noqa: S106 - an address
    assert "pointsman login acme-x" in needed.value.advice


@pytest.mark.parametrize("scheme", ["bearer", "oauth"])
def test_a_vault_that_can_not_be_opened_is_told(scheme: Scheme) -> None:
    locked = VaultLocked("The keyring is locked.", "Unlock it.")
    credentials = Credentials(stored=Vault(trouble=locked))
    with pytest.raises(VaultLocked) as told:
        credentials.in_turn(acme(Auth(scheme, "ACME_KEY")), Environment())
    assert "Acme has no" in told.value.message
    assert "The keyring is locked." in told.value.message
    assert (told.value.advice, told.value.provider) == ("Unlock it.", "acme-x")
    if scheme == "bearer":
        assert turns(credentials, acme(), ACME_KEY="e") == ["e"]


@pytest.mark.parametrize(("scheme", "command"), [("bearer", "keys add"), ("oauth", "login")])
def test_a_damaged_record_is_told_where_it_is_missed(scheme: Scheme, command: str) -> None:
    with pytest.raises(VaultError) as told:
        Credentials(stored=Vault(damaged=["work"])).in_turn(acme(Auth(scheme, "ACME_KEY")), Environment())
    assert told.value.message.startswith("What is stored for Acme as 'work' is damaged")
    assert f"`pointsman {command} acme-x`" in told.value.advice


# What is written in the files, and where the environment leads


def test_what_is_written_stays_when_the_environment_leads_elsewhere() -> None:
    keys = ("plain", "env:MINE", "file:/run/key", Command(("pass",)))
    led = acme(keys=keys, written_for=ELSEWHERE)
    assert found(led, MINE="m") == ["m"]
    known = Credentials().known(led, Environment({"MINE": "m"}))
    assert [(each.kind, each.name, each.usable, each.origin) for each in known] == [
        ("configuration", "", False, ELSEWHERE),
        ("variable", "MINE", True, None),
        ("file", "/run/key", False, ELSEWHERE),
        ("command", "pass", False, ELSEWHERE),
    ]
    assert len(Credentials().all(acme(keys=keys, written_for=HERE), Environment({"MINE": "m"}))) == 4
    with pytest.raises(WrongOrigin) as wrong:
        Credentials().in_turn(led, Environment())
    assert "stands in your files for https://elsewhere.example" in wrong.value.message
    assert "`base_url` under [providers.acme-x]" in wrong.value.advice
    with pytest.raises(WrongOrigin, match="beside no address"):
        Credentials().in_turn(acme(keys=("plain",), written_for=""), Environment())


def test_a_source_keeps_what_it_found_for_one_connection_alone() -> None:
    credentials, provider = Credentials(), acme(keys=("file:~/key", Command(("pass",))))
    one, two = Environment({"HOME": "/one"}), Environment({"HOME": "/one"})
    first, again, other = (credentials.all(provider, each) for each in (one, one, two))
    assert first == again
    assert all(mine.way is not theirs.way for mine, theirs in zip(first, other, strict=True))
    del one, two
    gc.collect()
    assert len(credentials._lookups) == 0


class Notes:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def note(self, event: str, provider: str, account: str, client: str | None = None, detail: str = "") -> None:
        self.events.append((event, account))

    def note_first(self, provider: str, account: str, client: str | None) -> None:
        self.events.append(("usedFirst", account))


def test_what_is_stored_is_noted_when_it_is_used_and_refused() -> None:
    notes = Notes()
    credentials = Credentials(audit=cast("Audit", notes))
    stored = Credential(Secret("s"), record=record("s"))
    credentials.used(Credential(Secret("e")), "tests", refused=True)
    for refused in (False, False, True, True, False, True):
        credentials.used(stored, "tests", refused=refused)
    assert notes.events == [("usedFirst", "work"), ("refused", "work"), ("refused", "work")]
