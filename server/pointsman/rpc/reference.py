"""docs/configuration.md and docs/troubleshooting.md, as far as the structs and the errors say it themselves.

Must never say what the code does not: what only people can say stands in `pages`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from pointsman.core.accounting import Recording, WrittenPrice
from pointsman.core.budget import Budget, Budgets
from pointsman.core.catalogue import COMPUTED, Auth, Chain, Daemon, Limits, Links, OverallLimits, Provider, Timeout
from pointsman.core.errors import PointsmanError
from pointsman.core.layers import CHOICES
from pointsman.core.network import Network, Tls
from pointsman.core.parameters import Parameter
from pointsman.core.sources import Command
from pointsman.edge.files import shipped
from pointsman.rpc import pages, render
from pointsman.rpc.terminal import COMMANDS
from pointsman.wire import QUIRKS

SAID: Mapping[tuple[type[Struct], str], str] = {
    (Auth, "scheme"): "`bearer` in a table `auth`, `optional-key` without one"
}
"""Defaults that depend on more than the field."""

TABLES: Sequence[type[Struct]] = (
    *(Provider, Auth, Timeout, Links, Limits, Tls, Command, Parameter, WrittenPrice),
    *(OverallLimits, Budgets, Budget, Recording, Network, Daemon),
)
"""What may stand in a file, and is told in the words of its struct. Of chains the page itself tells."""

OTHER_WAYS = {
    "none": "needs none",
    "optional-key": "{}, if it wants one",
    "aws": "AWS credentials, or {}",
    "gcp": "Google's application default credentials",
    "oauth": "a sign-in",
    "passthrough": "each chat",
}
"""Where credentials come from, other than from a variable."""


def configuration(_: Any) -> str:
    """The page about pointsman.toml."""
    quirks = (f"**`{wire}`**: {inspect.cleandoc(struct.__doc__ or '')}" for wire, struct in QUIRKS.items())
    values = {f"about {struct.__name__}": inspect.cleandoc(struct.__doc__ or "") for struct in TABLES}
    values |= {f"keys of {struct.__name__}": _table(struct) for struct in TABLES}
    values |= {
        "keys of Chain": _table(Chain),
        "generated": render.GENERATED,
        "quirks": "\n\n".join(quirks),
        "shipped": _shipped(),
        "choices": ", ".join(f"`{name}`" for name in sorted(CHOICES)),
    }
    return pages.fill(pages.template("configuration"), values)


def troubleshooting(document: Mapping[str, Any]) -> str:
    """The page about what goes wrong: every error there is, with what it means and what to do."""
    errors = {kind.__name__: (kind.__doc__ or "", kind.default_advice) for kind in _errors(PointsmanError)}
    values = {
        "generated": render.GENERATED,
        "errors": _codes(errors),
        "refusals": _codes(_refused(document)),
    }
    return pages.fill(pages.template("troubleshooting"), values)


def _codes(codes: Mapping[str, tuple[str, str]]) -> str:
    """Rows: the code, what happened, and what to do."""
    rows = ((code, " ".join(meaning.split()), _for_both(advice)) for code, (meaning, advice) in codes.items())
    return "\n".join(f"| `{code}` | {_cell(meaning)} | {_cell(advice)} |" for code, meaning, advice in rows)


def _refused(document: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """The codes of the protocol itself: its meaning and its advice, by code."""
    tree = {kind.__name__ for kind in _errors(PointsmanError)}
    return {
        code: (about["description"], about["advice"]) for code, about in document["errors"].items() if code not in tree
    }


def _for_both(advice: str) -> str:
    """Advice for who writes a client, with what to type in a terminal."""
    for method, command in COMMANDS.items():
        advice = advice.replace(method, f"{command} (in a client: {method})")
    return advice


def _table(struct: type[Struct]) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    properties = msgspec.json.schema(struct)["$defs"][struct.__name__]["properties"]
    for field in msgspec.structs.fields(struct):
        if field.name in COMPUTED:
            continue
        about = properties[field.encode_name]
        default = SAID.get((struct, field.name)) or ("**required**" if field.required else _default(field.default))
        rows.append(f"| `{field.encode_name}` | {_kind(about)} | {default} | {about.get('description', '')} |")
    return "\n".join(rows)


def _kind(about: dict[str, Any]) -> str:
    """What may stand there, in words."""
    if "enum" in about:
        return " · ".join(f"`{value}`" for value in about["enum"])
    if "anyOf" in about:
        return " or ".join(dict.fromkeys(_kind(each) for each in about["anyOf"] if each != {"type": "null"}))
    if "$ref" in about or "allOf" in about:
        return "a table, see below"
    names = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "`true` or `false`"}
    names |= {"array": "a list", "object": "a table"}
    return names.get(about.get("type", ""), "anything")


def _default(value: Any) -> str:
    if value is None or value in ("", (), {}) or value is msgspec.NODEFAULT or isinstance(value, Struct):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _shipped() -> str:
    rows = ["| id | name | speaks | key from |", "|---|---|---|---|"]
    for layer in shipped():
        provider = msgspec.toml.decode(layer.text)
        auth = provider.get("auth", {})
        rows.append(f"| `{provider['id']}` | {provider['name']} | `{provider['wire']}` | {_key(auth)} |")
    return "\n".join(rows)


def _key(auth: dict[str, Any]) -> str:
    env = auth.get("env", ())
    names = ", ".join(f"`{name}`" for name in ([env] if isinstance(env, str) else env))
    return OTHER_WAYS.get(auth.get("scheme", "bearer"), "{}").format(names)


def _errors(kind: type[PointsmanError]) -> Iterator[type[PointsmanError]]:
    """An error and all below it."""
    yield kind
    for each in kind.__subclasses__():
        yield from _errors(each)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
