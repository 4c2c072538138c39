"""Secrets that stand in configuration itself are found, also where it is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.core.written_secrets import written_secrets

SHIPPED = {"providers.a.headers.X": "shipped:a.toml"}


@pytest.mark.parametrize(
    ("merged", "found"),
    [
        ({}, []),
        ({"providers": {"a": {"keys": ["plain-key", "env:NAME", "file:/x", "!OAUTH", ""]}}}, ["plain-key"]),
        ({"providers": {"a": {"api_key": "plain-key"}}}, ["plain-key"]),
        ({"providers": {"a": {"api_key": {"command": ["pass"]}, "keys": [{"command": ["pass"]}, 3]}}}, []),
        ({"providers": {"a": {"keys": "not-a-list"}}}, ["not-a-list"]),
        ({"providers": {"a": {"keys": 3}}}, []),
        ({"providers": {"a": {"headers": {"X-Own": "a-value"}}}}, ["a-value"]),
        (
            {"providers": {"a": {"headers": {"Authorization": "Bearer a-value"}}}},
            ["Bearer a-value", "a-value"],
        ),
        ({"providers": {"a": {"headers": {"X-Own": "a=b c", "Y": 3}}}}, ["a=b c"]),
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
