"""The parts of a base URL that differ from one user to another: a region, a project, a whole endpoint.

Must never let a value change where a URL leads beyond its own part: a name stays a name, whatever stands in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated as Says
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, ValidationError

Format = Literal["name", "url"]

_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_IN_URL = re.compile(r"[!-~]+")
_STANDS_FOR: dict[Format, str] = {"name": "x", "url": "https://x"}


class Parameter(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of `base_url`, which stands there as `{NAME}`. Without one of its values, the provider is unconfigured."""

    value: Says[str | None, Meta(description="what stands there; this is the key to set in your own file")] = None
    env: Says[str | tuple[str, ...], Meta(description="variables that may hold it; the first that is set wins")] = ()
    default: Says[str | None, Meta(description="what stands there when nobody says anything")] = None
    format: Says[
        Format, Meta(description="`name`: letters, digits and `._-` inside; `url`: all that `base_url` begins with")
    ] = "name"
    of: Says[str | None, Meta(description="the parameter that this one follows from")] = None
    cases: Says[
        dict[str, str], Meta(description="by the value of that one, what stands here instead of `default`")
    ] = {}
    description: Says[str, Meta(description="what it is, for people")] = ""

    @property
    def variables(self) -> tuple[str, ...]:
        """The names in `env`, whichever way they were written."""
        return (self.env,) if isinstance(self.env, str) else self.env


def fill(template: str, parameters: Mapping[str, Parameter]) -> str:
    """A base URL with all that is known of its parameters; what nobody has said stays in it as `{name}`.

    Raises ValidationError, with the path to what is wrong, as msgspec does.
    """
    for name in places(template):
        if name not in parameters:
            raise ValidationError(f"`{{{name}}}` stands in it, but nothing says what `parameters.{name}` is{_BASE_URL}")
        if parameters[name].format == "url" and not re.match(rf"\{{{name}\}}(/|$)", template):
            raise ValidationError(f"`{{{name}}}` is a whole URL, and so it can only be its beginning{_BASE_URL}")
    values = {name: said(parameters, name) for name in parameters}
    return _PLACE.sub(lambda found: values[found[1]] or found[0], template)


def said(parameters: Mapping[str, Parameter], name: str) -> str | None:
    """What a parameter is, None when nobody has said it. Raises ValidationError for what can't stand in a URL."""
    own = parameters[name]
    key, value = "value", own.value
    if value is None:
        key, value = "default", own.default
    if own.of is not None and own.value is None:
        base = parameters.get(own.of)
        if base is None or base.of is not None:
            raise ValidationError(
                f"There is no parameter {own.of!r} that stands for itself - at `$.parameters.{name}.of`"
            )
        root = said(parameters, own.of)
        if root is None:
            return None
        key, value = ("cases", own.cases[root]) if root in own.cases else (key, value)
        value = value and value.replace(f"{{{own.of}}}", root)
    if value is None:
        return None
    mistake = _MISTAKES[own.format](value)
    if mistake:
        raise ValidationError(f"{mistake} - at `$.parameters.{name}.{key}`")
    return value.rstrip("/")


def places(template: str) -> list[str]:
    """The names of the parameters that stand in a URL."""
    return list(dict.fromkeys(_PLACE.findall(template)))


def example(url: str, parameters: Mapping[str, Parameter]) -> str:
    """A URL as it will look once the rest is known, to see whether it is one."""
    return _PLACE.sub(lambda found: _STANDS_FOR[parameters[found[1]].format], url)


def _not_a_name(value: str) -> str | None:
    if _NAME.fullmatch(value):
        return None
    return "Expected a name of letters and digits, with `.`, `_` or `-` between them"


def _not_a_url(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises for one that is no port
    except ValueError:
        return "Expected an http(s) URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _IN_URL.fullmatch(value):
        return "Expected an http(s) URL"
    if "@" in parts.netloc or "?" in value or "#" in value:
        return "Expected a URL without a name, a password, a query or a fragment"
    return None


_MISTAKES = {"name": _not_a_name, "url": _not_a_url}
_BASE_URL = " - at `$.base_url`"
