"""A provider that a connection's environment leads elsewhere than the files say, and what then stays behind.

Must never know what a key is: it only says where one that is written in the files may go.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from msgspec import ValidationError, structs

from pointsman.core.catalogue import Problem, Provider
from pointsman.core.http import origin, spoken
from pointsman.core.parameters import fill, places
from pointsman.core.sources import FromAccount, carries_a_secret
from pointsman.core.variables import ORIGIN


def settled(provider: Provider, files: Mapping[str, Any] | None, origins: Mapping[str, str]) -> Provider:
    """The provider with what follows from who said what; `files` is its table as the files alone have it.

    `!OAUTH` makes the scheme `oauth`, unless a variable has said another. Where the environment leads to another origin
    than the files, it has that of the files as `written_for`, and loses the headers of theirs that carry a secret.
    """
    start = f"providers.{provider.id}."
    said = {path.removeprefix(start) for path, by in origins.items() if by == ORIGIN and path.startswith(start)}
    if FromAccount() in provider.sources and "auth.scheme" not in said:
        provider = structs.replace(provider, auth=structs.replace(provider.auth, scheme="oauth"))
    endpoints = {name for name, own in provider.parameters.items() if own.format == "url"}
    led = "base_url" in said or any(f"parameters.{name}.value" in said for name in endpoints)
    if not led or files is None or provider.missing:
        return provider
    home = _origin(provider, files, endpoints)
    if home == origin(provider.base_url):
        return provider
    headers = {
        name: value
        for name, value in provider.headers.items()
        if f"headers.{name}" in said or not carries_a_secret(name)
    }
    return structs.replace(provider, written_for=home, headers=headers)


def left_behind(provider: Provider, files: Mapping[str, Any] | None) -> Problem | None:
    """What to tell of headers that are not sent, because the environment leads elsewhere."""
    if provider.written_for is None or files is None:
        return None
    written = files.get("headers")
    names = [name for name in written if name not in provider.headers] if isinstance(written, Mapping) else []
    if not names:
        return None
    there = spoken(origin(provider.base_url))
    text = (
        f"[providers.{provider.id}] The environment leads to {there}, where {', '.join(names)} of your files is not "
        "sent: what carries a secret goes to the address that stands beside it, and to no other."
    )
    hint = "If you trust that address, set it as `base_url` in pointsman.toml; else leave the variable out."
    return Problem(ORIGIN, text, hint)


def _origin(provider: Provider, files: Mapping[str, Any], endpoints: set[str]) -> str:
    """The origin of the base URL by the files alone; empty where they leave it open."""
    own = files.get("parameters")
    own = own if isinstance(own, Mapping) else {}
    with suppress(ValidationError, ValueError, TypeError, KeyError):
        known = {
            name: structs.replace(each, value=own[name].get("value")) if name in endpoints else each
            for name, each in provider.parameters.items()
        }
        url = fill(files["base_url"], known)
        return "" if places(url) else origin(url)
    return ""
