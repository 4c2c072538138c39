"""Makes one provider of its table, and refuses what can't be one. Must never know of another provider, or of a file."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import msgspec
from msgspec import Struct

from pointsman.core.accounting import WrittenPrice
from pointsman.core.catalogue import Auth, Limits, Links, Provider, Timeout
from pointsman.core.credit import Credit
from pointsman.core.http import origin as origin_of
from pointsman.core.mistakes import unknown
from pointsman.core.network import Tls, proxy_mistake
from pointsman.core.oauth import OAuth
from pointsman.core.parameters import Parameter, example, fill, places
from pointsman.core.sources import Command, mistake
from pointsman.core.well_formed import wrong_header, wrong_id, wrong_url

STRUCTS: dict[str, type[Struct]] = {
    "": Provider,
    "auth": Auth,
    "auth.oauth": OAuth,
    "credit": Credit,
    "timeout": Timeout,
    "links": Links,
    "limits": Limits,
    "tls": Tls,
    "parameters": Parameter,
    "prices": WrittenPrice,
    "keys": Command,
    "api_key": Command,
}
"""What the tables within a provider's table must fit; its `quirks` are the dialect's business."""


def one_provider(id: str, table: dict[str, Any], quirks: Mapping[str, type[Struct]], schemes: Set[str]) -> Provider:
    """The provider of a table whose name is `id`. Raises msgspec.ValidationError, which names the path."""
    if wrong := wrong_id(id):
        raise msgspec.ValidationError(wrong)
    if "id" in table:
        raise msgspec.ValidationError("The name of the table is the id; leave it out here - at `$.id`")
    _check_each(table, "parameters", Parameter)
    _check_each(table, "prices", WrittenPrice)
    provider = msgspec.convert({"id": id, **table}, Provider)
    if provider.wire not in quirks:
        raise msgspec.ValidationError(f"{unknown('wire', provider.wire, quirks)} - at `$.wire`")
    if (scheme := provider.auth.scheme) not in schemes:
        raise msgspec.ValidationError(f"{unknown('scheme', scheme, schemes)} - at `$.auth.scheme`")
    template, url = provider.base_url, fill(provider.base_url, provider.parameters)
    provider = msgspec.structs.replace(provider, base_url=example(url, provider.parameters))  # to see whether it is one
    if wrong := wrong_url(provider.base_url):
        raise msgspec.ValidationError(f"{wrong} - at `$.base_url`")
    for name, url_of_it in (("health_check", provider.health_url), ("credit.path", provider.credit_url)):
        if url_of_it and not _is_of(provider.base_url, url_of_it):
            raise msgspec.ValidationError(f"Expected a path of the provider's own host - at `$.{name}`")
    try:
        msgspec.convert(provider.quirks, quirks[provider.wire])
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise msgspec.ValidationError(f"{message} - at `$.quirks{path or '`'}") from None
    _check_parts(provider)
    if provider.auth.scheme == "aws" and "region" not in provider.parameters:
        raise msgspec.ValidationError("`aws` signs for a region: say it as `parameters.region` - at `$.auth.scheme`")
    return msgspec.structs.replace(provider, base_url=url, template=template if places(template) else "")


def _check_parts(provider: Provider) -> None:
    """Refuses what each part for itself can't be."""
    for table, part in (("auth.oauth", provider.auth.oauth), ("tls", provider.tls)):
        if part and (wrong := part.mistake):
            raise msgspec.ValidationError(f"{wrong[1]} - at `$.{table}.{wrong[0]}`")
    said = (
        ("headers", wrong_header(provider.headers)),
        ("auth.header", wrong_header({provider.auth.header: ""})),
        ("proxy", provider.proxy and proxy_mistake(provider.proxy)),
        ("api_key", mistake((provider.api_key,))),
        ("keys", mistake(provider.keys)),
    )
    for name, words in said:
        if words:
            raise msgspec.ValidationError(f"{words} - at `$.{name}`")


def _check_each(table: Mapping[str, Any], key: str, kind: type[Struct]) -> None:
    """Tries each entry on its own, since msgspec does not say in which of them it found a mistake."""
    entries = table.get(key)
    for name, own in entries.items() if isinstance(entries, dict) else ():
        try:
            msgspec.convert(own, kind)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `$")
            raise msgspec.ValidationError(f"{message} - at `$.{key}.{name}{path or '`'}") from None


def _is_of(base_url: str, url: str) -> bool:
    """Whether a URL is one of the base URL's own host."""
    try:
        return origin_of(url) == origin_of(base_url)
    except ValueError:  # a port that is none
        return False
