"""A secret shows itself nowhere, however it is printed, encoded or copied; an environment gives secrets alone."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.environment import Environment
from pointsman.core.secret import SHOWN, Secret

VALUE = "sk-proj-0123456789abcdef"
SECRET = Secret(VALUE)

SHOWS: dict[str, Callable[[Any], str]] = {
    "repr": repr,
    "str": str,
    "format": lambda secret: f"{secret}",
    "format with conversion": lambda secret: f"{secret!r:>40}",
    "percent": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - logging formats so
    "in a list": lambda secret: str([secret]),
    "in a dict": lambda secret: repr({"key": secret, secret: 1}),
    "of an error": lambda secret: "".join(traceback.format_exception_only(ValueError(secret))),
    "dir": lambda secret: str({name: getattr(secret, name) for name in dir(secret) if name != "_value"}),
}

REFUSES: dict[str, Callable[[Any], object]] = {
    "format with a width": lambda secret: f"{secret:>40}",
    "json": json.dumps,
    "json of a dict": lambda secret: json.dumps({"a": [secret]}),
    "msgspec to JSON": msgspec.json.encode,
    "msgspec to MessagePack": msgspec.msgpack.encode,
    "msgspec to builtins": msgspec.to_builtins,
    "msgspec conversion": lambda secret: msgspec.convert(secret, str),
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deep copy": lambda secret: copy.deepcopy([secret]),
    "bytes": bytes,
    "iteration": list,
    "joining": lambda secret: "".join([secret]),
    "vars": vars,
}


@pytest.mark.parametrize("way", SHOWS)
def test_a_secret_does_not_show_itself(way: str) -> None:
    assert "0123" not in SHOWS[way](SECRET)
    assert VALUE[:4] not in SHOWS[way](SECRET)


@pytest.mark.parametrize("way", REFUSES)
def test_a_secret_is_not_carried_away(way: str) -> None:
    with pytest.raises((TypeError, msgspec.ValidationError)) as refused:
        REFUSES[way](SECRET)
    assert "0123" not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "mask"),
    [("", "…"), ("a", "…"), ("ab", "a…"), ("abcdefg", "abc…"), (VALUE, "sk-proj-…"), ("é" * 100, "é" * 8 + "…")],
)
def test_a_mask(value: str, mask: str) -> None:
    assert Secret(value).mask() == mask


@given(st.text())
def test_a_mask_shows_eight_characters_at_most_and_never_more_than_half(value: str) -> None:
    shown = Secret(value).mask().removesuffix("…")
    assert value.startswith(shown)
    assert len(shown) <= min(SHOWN, len(value) / 2)


def test_a_secret_is_a_value() -> None:
    assert SECRET.reveal() == VALUE
    assert {SECRET, Secret(VALUE)} == {Secret(VALUE)}
    assert Secret("other") not in {SECRET}
    assert VALUE not in {SECRET}
    assert SECRET
    assert not Secret("")


# The environment


def reveal(secrets: list[Secret]) -> list[str]:
    return [secret.reveal() for secret in secrets]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"K": "a"}, ["a"]),
        ({"K": ""}, []),
        ({"K_1": "a", "K_2": "b"}, ["a", "b"]),
        ({"K": "x", "K_1": "a", "K_2": "b"}, ["x", "a", "b"]),
        ({"K": "a", "K_1": "a", "K_2": "b"}, ["a", "b"]),
        ({"K_1": "a", "K_3": "c"}, ["a"]),
        ({"K_1": "a", "K_2": "", "K_3": "c"}, ["a"]),
        ({"K_0": "z", "K_2": "b"}, []),
        ({f"K_{n}": f"v{n}" for n in range(1, 12)}, [f"v{n}" for n in range(1, 12)]),
        ({"OTHER": "a", "k": "b", "K_X": "c"}, []),
    ],
)
def test_a_variable_and_its_numbered_kin(variables: dict[str, str], expected: list[str]) -> None:
    assert reveal(Environment(variables).numbered("K")) == expected


def test_an_environment_gives_secrets_and_shows_none() -> None:
    environment = Environment({"K": VALUE, "EMPTY": ""})
    assert environment.secret("K") == SECRET
    assert environment.secret("EMPTY") is None
    assert environment.secret("ABSENT") is None
    assert repr(environment) == str(environment) == "Environment(2 variables)"
    assert Environment().secret("K") is None


def test_an_environment_does_not_change_with_what_it_was_made_of() -> None:
    variables = {"K": "a"}
    environment = Environment(variables)
    variables["K"] = "b"
    assert environment.secret("K") == Secret("a")
