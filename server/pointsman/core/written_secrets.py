"""The secrets that stand in configuration itself, so that they can be taken out of whatever is said of it.

Must never refuse anything: what is written wrongly may hold a secret all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pointsman.core.network import proxy_secrets
from pointsman.core.secret import Secret
from pointsman.core.sources import SECRET_HEADER, Plain, carries_a_secret, sources

SHIPPED = "shipped:"
"""How the origin of a definition begins that comes with Pointsman: what stands in it is no secret."""
APART = re.compile(r"[-\s_.,;:/=@()]+")
PLAIN = re.compile(r"[^\W\d]{,20}|\d{,4}|\w{,3}")
"""A part of a value that a person would read: a word, a number of a version or a date, `4o`. A key has longer ones."""


def written_secrets(merged: Mapping[str, Any], origins: Mapping[str, str]) -> tuple[Secret, ...]:
    """All secrets of the merged layers: keys, headers that are or may hold one, and names and passwords for proxies."""
    found = list(_of_proxy(merged.get("network")))
    providers = merged.get("providers")
    for id, table in providers.items() if isinstance(providers, Mapping) else ():
        if isinstance(table, Mapping):
            found += [*_of_keys(table), *_of_headers(id, table, origins), *_of_proxy(table)]
    return tuple(dict.fromkeys(found))


def _of_keys(table: Mapping[str, Any]) -> Iterator[Secret]:
    keys = table.get("keys")
    written = [table.get("api_key"), *(keys if isinstance(keys, list) else [keys])]
    for source in sources(each for each in written if isinstance(each, str)):
        if isinstance(source, Plain):
            yield source.key


def _of_headers(id: str, table: Mapping[str, Any], origins: Mapping[str, str]) -> Iterator[Secret]:
    headers = table.get("headers")
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        if isinstance(value, str) and not origins.get(f"providers.{id}.headers.{name}", "").startswith(SHIPPED):
            if not carries_a_secret(name) and _is_plain(value):
                continue
            scheme, _, rest = value.partition(" ")
            yield Secret(value)
            if rest and scheme.isalpha():  # `Bearer …`: what follows is the secret, wherever it stands
                yield Secret(rest)


def _is_plain(value: str) -> bool:
    """Whether a value is made of words, short numbers and dates: it would be taken out of our own sentences, too."""
    return SECRET_HEADER.search(value) is None and all(map(PLAIN.fullmatch, APART.split(value)))


def _of_proxy(table: Any) -> Iterator[Secret]:
    proxy = table.get("proxy") if isinstance(table, Mapping) else None
    if isinstance(proxy, str):
        yield from proxy_secrets(proxy)
