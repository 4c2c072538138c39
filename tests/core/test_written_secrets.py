"""Secrets that stand in configuration itself are found, also where it is wrong."""

from __future__ import annotations

from typing import Any

from pointsman.core.written_secrets import written_secrets
from tests.each import each

SHIPPED = {"providers.a.headers.X": "shipped:a.toml"}


@each(
    ("merged", "found"),
    [
        ({}, []),
        ({"providers": {"a": {"keys": ["plain-key", "env:NAME", "file:/x", "!OAUTH", ""]}}}, ["plain-key"]),
        ({"providers": {"a": {"api_key": "plain-key"}}}, ["plain-key"]),
        ({"providers": {"a": {"api_key": {"command": ["pass"]}, "keys": [{"command": ["pass"]}, 3]}}}, []),
        ({"providers": {"a": {"keys": "not-a-list"}}}, ["not-a-list"]),
        ({"providers": {"a": {"keys": 3}}}, []),
        ({"providers": {"a": {"headers": {"X-Own": "a-value-7f3a"}}}}, ["a-value-7f3a"]),
        (
            {"providers": {"a": {"headers": {"Authorization": "Bearer a-value"}}}},
            ["Bearer a-value", "a-value"],
        ),
        ({"providers": {"a": {"headers": {"X-Own": "a=b 7f3a", "Y": 3}}}}, ["a=b 7f3a"]),
        ({"providers": {"a": {"headers": {"X": "shipped-value"}}}}, []),
        ({"providers": {"a": {"headers": ["x"]}}}, []),
        (
            {"providers": {"a": {"proxy": "http://token-of-a-proxy@h"}}},
            ["token-of-a-proxy", "token-of-a-proxy:", "dG9rZW4tb2YtYS1wcm94eTo="],
        ),
        ({"providers": {"a": {"proxy": 3}, "b": 3}}, []),
        ({"providers": 3}, []),
        (
            {"network": {"proxy": "http://me:of-all-proxies@h"}},
            ["me:of-all-proxies", "bWU6b2YtYWxsLXByb3hpZXM=", "of-all-proxies"],
        ),
        ({"network": {"ca": "/x"}}, []),
        ({"network": 3}, []),
    ],
)
def test_what_is_found(merged: Any, found: list[str]) -> None:
    assert [secret.reveal() for secret in written_secrets(merged, SHIPPED)] == found


@each(
    "value",
    [
        "pointsman",
        "provider",
        "Grüne Gruppe",
        "pointsman/1.12.0 (linux; x64)",
        "https://corp.example/editors",
        "prompt-caching-2024-07-31,other=1",
        "gpt-4o-mini",
        "",
    ],
)
def test_plain_words_are_a_secret_only_where_the_header_is_one(value: str) -> None:
    def found(header: str) -> list[str]:
        merged = {"providers": {"a": {"headers": {header: value}}}}
        return [secret.reveal() for secret in written_secrets(merged, {}) if secret]

    assert found("X-Team") == []
    assert all(value in found(header) for header in ("Authorization", "X-Api-Key", "Cookie", "X-Corp-Token") if value)


@each(
    "value",
    [
        "sk-abcdefgh12345678",
        "canary-header-0f1e2d3c4b5a",
        "6f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b",
        "wJalrXUtnFEMIbPxRfiCYEXAMPLEKEY",
        "12345678",
        "my-password-is-long",
        "a+b/c==",
        "blue!",
    ],
)
def test_what_looks_like_a_key_is_one_in_any_header(value: str) -> None:
    merged = {"providers": {"a": {"headers": {"X-Team": value}}}}
    assert value in [secret.reveal() for secret in written_secrets(merged, {})]
