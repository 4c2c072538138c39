"""What the variables of one connection say about providers, and that no key is ever among it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.environment import Environment
from pointsman.core.variables import overlay, prefix, variable_of
from tests.each import each

KNOWN = ("openai", "ollama", "ollama-cloud", "my_own", "x.y")
OWNED = ("OPENAI_API_KEY", "OLLAMA_API_KEY")


def said(**variables: str) -> dict[str, Any]:
    """The tables that these variables make of the providers."""
    found = overlay(Environment(variables), KNOWN, OWNED)
    assert found.keys() <= {"providers"}
    tables: dict[str, Any] = found.get("providers", {})
    return tables


CASES: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "nothing about providers": ({"PATH": "/bin", "FOO_BASE": "x", "BASE_URL": "x", "API_KEY": "y"}, {}),
    "a key alone": ({"OPENAI_API_KEY": "k", "FOO_API_KEY": "k"}, {}),
    "an address alone, of nobody": ({"FOO_BASE_URL": "http://h"}, {}),
    "empty is not set": ({"OPENAI_BASE_URL": "", "FOO_API_KEY": "", "FOO_BASE_URL": "http://h"}, {}),
    "an address": ({"OPENAI_BASE_URL": "http://h"}, {"openai": {"base_url": "http://h"}}),
    "a key with an address": (
        {"FOO_API_KEY": "k", "FOO_BASE_URL": "http://h"},
        {"foo": {"base_url": "http://h", "auth": {"scheme": "bearer"}}},
    ),
    "a name of several words": (
        {"MY_CORP_API_KEY": "k", "MY_CORP_BASE_URL": "http://h", "MY_CORP_AUTH_MODE": "header"},
        {"my-corp": {"base_url": "http://h", "auth": {"scheme": "header"}}},
    ),
    "a hyphen is an underscore": ({"OLLAMA_CLOUD_MAX_RETRIES": "3"}, {"ollama-cloud": {"max_retries": 3}}),
    "an underscore stays one": (
        {"MY_OWN_API_KEY": "k", "MY_OWN_BASE_URL": "http://h"},
        {"my_own": {"base_url": "http://h"}},
    ),
    "names that begin alike": (
        {"OLLAMA_BASE_URL": "http://local", "OLLAMA_CLOUD_BASE_URL": "http://cloud"},
        {"ollama": {"base_url": "http://local"}, "ollama-cloud": {"base_url": "http://cloud"}},
    ),
    "a key that another provider owns makes none": (
        {"OLLAMA_API_KEY": "k", "OLLAMA_BASE_URL": "http://h"},
        {"ollama": {"base_url": "http://h"}},
    ),
    "a key with a number makes none": ({"FOO_API_KEY_1": "k", "FOO_BASE_URL": "http://h"}, {}),
    "the way to prove who asks": ({"OPENAI_AUTH_MODE": "none"}, {"openai": {"auth": {"scheme": "none"}}}),
    "a version": ({"OPENAI_API_VERSION": "2026-01-01"}, {"openai": {"api_version": "2026-01-01"}}),
    "patience": ({"OPENAI_TIMEOUT": "30"}, {"openai": {"timeout": {"first_event": 30, "between_events": 30}}}),
    "half a second": (
        {"OPENAI_TIMEOUT": "0.5"},
        {"openai": {"timeout": {"first_event": 0.5, "between_events": 0.5, "connect": 0.5}}},
    ),
    "a number that is none stays a text": ({"OPENAI_MAX_RETRIES": "few"}, {"openai": {"max_retries": "few"}}),
    "headers": (
        {"OPENAI_CUSTOM_HEADER_X_TEAM": "blue", "OPENAI_CUSTOM_HEADER_Tenant": "t", "CUSTOM_HEADER_X": "no"},
        {"openai": {"headers": {"X-Team": "blue", "Tenant": "t"}}},
    ),
    "a dot in a name": ({"X.Y_BASE_URL": "http://h"}, {"x.y": {"base_url": "http://h"}}),
}  # fmt: skip


@each("case", CASES)
def test_what_variables_say(case: str) -> None:
    variables, expected = CASES[case]
    assert said(**variables) == expected


NAMES = st.builds(
    lambda begin, end: begin + end,
    st.sampled_from(["OPENAI", "OLLAMA", "OLLAMA_CLOUD", "FOO", "MY_OWN", "", "A_B"]),
    st.sampled_from(["_API_KEY", "_API_KEY_1", "_BASE_URL", "_TIMEOUT", "_AUTH_MODE", "_CUSTOM_HEADER_", "_OTHER"]),
)


@given(st.dictionaries(NAMES, st.sampled_from(["", "1", "http://h"])))
def test_no_key_is_ever_among_it(variables: dict[str, str]) -> None:
    keys = {name: f"canary-{number}" for number, name in enumerate(variables) if "_API_KEY" in name}
    assert "canary" not in str(said(**(variables | keys)))
    # and what is said of a provider that is known does not hang on any key
    without = {name: value for name, value in variables.items() if "_API_KEY" not in name}
    tables = said(**without)
    assert {id: table for id, table in said(**(variables | keys)).items() if id in KNOWN} == tables


@each(
    ("provider", "path", "name"),
    [
        ("openai", "base_url", "OPENAI_BASE_URL"),
        ("ollama-cloud", "timeout.first_event", "OLLAMA_CLOUD_TIMEOUT"),
        ("openai", "auth.scheme", "OPENAI_AUTH_MODE"),
        ("openai", "max_retries", "OPENAI_MAX_RETRIES"),
    ],
)
def test_the_variable_that_said_it(provider: str, path: str, name: str) -> None:
    assert variable_of(provider, path) == name
    assert name.startswith(prefix(provider))
