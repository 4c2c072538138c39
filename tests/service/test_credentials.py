"""Which keys a provider is asked with: those of this connection alone, in turn, and where one would be looked for."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.core.catalogue import Auth, Links, Provider
from pointsman.core.environment import Environment
from pointsman.core.errors import MissingKey
from pointsman.service.credentials import Credentials


def acme(auth: Auth | None = None, **more: Any) -> Provider:
    return Provider(id="acme-x", name="Acme", base_url="http://h", auth=auth or Auth("bearer", "ACME_KEY"), **more)


@pytest.mark.parametrize(
    ("provider", "variables", "keys"),
    [
        (acme(), {"ACME_KEY": "a"}, ["a"]),
        (acme(), {"ACME_KEY": "a", "ACME_KEY_1": "b", "ACME_KEY_2": "a"}, ["a", "b"]),
        (acme(), {"ACME_X_API_KEY": "a"}, []),
        (acme(), {}, []),
        (acme(Auth("bearer")), {"ACME_X_API_KEY": "a"}, ["a"]),
        (acme(Auth("header", ("A", "B"))), {"B_1": "b", "A": "a"}, ["a", "b"]),
        (acme(Auth("none", "ACME_KEY")), {"ACME_KEY": "a"}, []),
        (acme(Auth("optional-key", "ACME_KEY")), {"ACME_KEY": "a"}, ["a"]),
        (acme(keys=("env:ONE", "env:TWO")), {"ONE": "1", "TWO": "2", "ACME_KEY": "a"}, ["1", "2"]),
        (acme(keys=("env:ONE", "env:TWO")), {"TWO": "2"}, ["2"]),
        (acme(keys=("env:ONE", "env:ONE", "plain", "plain")), {"ONE": "1", "ONE_1": "x"}, ["1", "plain"]),
        (acme(keys=("env:ONE",)), {"ACME_KEY": "a"}, []),
        (acme(keys=("", "env:")), {"ACME_KEY": "a"}, []),
    ],
)
def test_the_keys_of_a_connection(provider: Provider, variables: dict[str, str], keys: list[str]) -> None:
    environment = Environment(variables)
    assert [key.reveal() for key in Credentials().keys(provider, environment)] == keys
    free = provider.auth.scheme in {"none", "optional-key"}
    assert Credentials().usable(provider, environment) == (bool(keys) or free)


def turns(credentials: Credentials, provider: Provider, **variables: str) -> list[str | None]:
    found = credentials.in_turn(provider, Environment(variables))
    return [credential.key.reveal() if credential.key else None for credential in found]


def test_keys_take_turns() -> None:
    credentials, provider = Credentials(), acme(keys=("a", "b", "c"))
    assert [turns(credentials, provider) for _ in range(4)] == [list("abc"), list("bca"), list("cab"), list("abc")]
    assert turns(credentials, Provider(id="other", base_url="http://h", keys=("x", "y"))) == ["x", "y"]


def test_a_key_is_known_by_its_mask() -> None:
    (credential,) = Credentials().in_turn(acme(), Environment({"ACME_KEY": "sk-0123456789abcdef"}))
    assert credential.account == "sk-01234…"
    assert "0123456789" not in repr(credential)


def test_where_none_is_needed_there_is_none() -> None:
    for scheme in ("none", "optional-key"):
        (credential,) = Credentials().in_turn(acme(Auth(scheme, "ACME_KEY")), Environment())
        assert (credential.key, credential.account) == (None, None)


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        (acme(), ["Set ACME_KEY in"]),
        (acme(Auth("bearer", ("A", "B"))), ["Set A or B in"]),
        (acme(Auth("bearer")), ["Set ACME_X_API_KEY in"]),
        (acme(keys=("env:ONE", "env:TWO")), ["Set ONE or TWO in"]),
        (acme(links=Links(keys="https://acme.example/keys")), ["Set ACME_KEY in", "https://acme.example/keys"]),
    ],
)
def test_a_missing_key_is_told_with_where_it_would_be_looked_for(provider: Provider, words: list[str]) -> None:
    with pytest.raises(MissingKey, match="Acme has no key") as missing:
        Credentials().in_turn(provider, Environment({"OTHER": "x"}))
    assert missing.value.provider == "acme-x"
    for word in words:
        assert word in missing.value.advice
