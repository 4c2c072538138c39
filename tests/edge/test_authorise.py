"""A key goes onto the request where the provider's scheme wants it, and out of what a provider says about it."""

from __future__ import annotations

import pytest

from pointsman.core.catalogue import Auth
from pointsman.core.errors import InvalidKey
from pointsman.core.http import Request
from pointsman.core.secret import Secret
from pointsman.edge.authorise import authorise, redact

KEY = Secret("sk-0123456789")
PLAIN = Request("POST", "https://h/", {"x-team": "blue"}, b"body")


@pytest.mark.parametrize(
    ("auth", "key", "headers"),
    [
        (Auth("bearer"), KEY, {"authorization": "Bearer sk-0123456789"}),
        (Auth("optional-key"), KEY, {"authorization": "Bearer sk-0123456789"}),
        (Auth("header"), KEY, {"x-api-key": "sk-0123456789"}),
        (Auth("header", header="api-key"), KEY, {"api-key": "sk-0123456789"}),
        (Auth("bearer"), None, {}),
        (Auth("none"), None, {}),
    ],
)
def test_where_the_key_goes(auth: Auth, key: Secret | None, headers: dict[str, str]) -> None:
    request = authorise(PLAIN, auth, key)
    assert request == Request("POST", "https://h/", {"x-team": "blue", **headers}, b"body")
    assert PLAIN.headers == {"x-team": "blue"}
    assert "0123" not in repr(request)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Incorrect key: sk-0123456789.", "Incorrect key: sk-012…."),
        ("sk-0123456789sk-0123456789", "sk-012…sk-012…"),
        ("Nothing of it.", "Nothing of it."),
        ("The end is cut: sk-01234567", "The end is cut: sk-012…"),
    ],
)
def test_a_key_is_taken_out_of_what_a_provider_says(said: str, told: str) -> None:
    error = redact(InvalidKey(said), KEY)
    assert error.message == told
    assert error.data().message == told
    assert "0123" not in str(error)


def test_without_a_key_nothing_is_taken_out() -> None:
    assert redact(InvalidKey("sk-0123456789"), None).message == "sk-0123456789"
