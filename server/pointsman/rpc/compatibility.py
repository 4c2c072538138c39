"""What would break a client that is already out there: two documents of `rpc.schema` in, sentences for people out.

Must never know how a document is made, nor which of them is this program's own: both are arguments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

Schema = Mapping[str, Any]

_KINDS = {
    "methods": "The method",
    "notifications": "The notification",
    "commands": "The command",
    "errors": "The error code",
    "$defs": "The type",
}
_FLOORS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_CEILINGS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_EXACT = ("pattern", "format", "multipleOf")
_TYPES: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


def incompatibilities(old: Schema, new: Schema) -> list[str]:
    """What a client written for `old` would stumble over at a daemon that speaks `new`; empty when there is nothing.

    One question decides, for each direction of talk: can the reader still read all that the other side may send? So:

    - No method, notification, command, error code or type may go; a command's arguments may only get more, at the end.
    - No field may go, and none may come to mean something else when it is absent (its default).
    - In what clients send, no field may become required, and its types, values and bounds may not shrink.
    - In what the daemon sends, no required field may become optional, and its types, values and bounds may not grow.

    What clients have to pass over may come at any time: fields, and members of a union whose members have a `type`, as
    events have. Such a member may not go, though: a client may be waiting for it.
    """
    found = [*_gone(old, new), *_commands(old, new)]
    asked, told = _Talk(old, new, told=False), _Talk(old, new, told=True)
    for section in ("opening", "methods", "notifications"):
        for name, was in old.get(section, {}).items():
            now = new.get(section, {}).get(name, {})
            if "params" in now:
                talk = told if section == "notifications" else asked
                found += talk.misfits(was["params"], now["params"], f"{name} params")
            for side in ("result", "error"):
                if side in was and side in now:
                    found += told.misfits(was[side], now[side], f"{name} {side}")
    return list(dict.fromkeys(found))


def _gone(old: Schema, new: Schema) -> Iterator[str]:
    for section, kind in _KINDS.items():
        for name in old.get(section, {}):
            if name not in new.get(section, {}):
                yield f"{kind} `{name}` was removed."


def _commands(old: Schema, new: Schema) -> Iterator[str]:
    for name, was in old.get("commands", {}).items():
        now = new.get("commands", {}).get(name, was)
        if now["arguments"][: len(was["arguments"])] != was["arguments"]:
            yield f"The command `{name}` takes other arguments than before, or in another order."


class _Talk:
    """One direction: the daemon speaks by the new document and a client reads by the old (`told`), or the reverse."""

    def __init__(self, old: Schema, new: Schema, *, told: bool) -> None:
        self._told = told
        self._old, self._new = old["$defs"], new["$defs"]
        self._compared: set[tuple[str, str]] = set()

    def misfits(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        """Why what is sent at one place may not be readable there."""
        were, are = list(_options(old, self._old)), list(_options(new, self._new))
        sent, reads = (are, were) if self._told else (were, are)
        for option in sent:
            yield from self._misfit(option, reads, where)
        if self._told:
            for option in were:
                if _tag(option) is not None and _tag(option) not in map(_tag, are):
                    yield f"`{where}` no longer has {_words(option)}, which older clients may wait for."

    def _misfit(self, sent: Schema, reads: list[Schema], where: str) -> Iterator[str]:
        """Why one of the things that may be sent has no place among those that are read."""
        if not all(map(_kind, reads)) or ("const" in sent and _words(sent) in map(_words, reads)):
            return
        sent_type = _as_type(sent) if "const" in sent else sent
        peers = [read for read in reads if _kind(read) in {_kind(sent_type), _wider(sent_type)}]
        if not peers:
            ignorable = self._told and _tag(sent) is not None and any(_tag(read) is not None for read in reads)
            if not ignorable:
                yield self._unread(sent, where)
            return
        peer = peers[0]
        if "struct" in sent:
            yield from self._fields(sent, peer)
            return
        yield from self._bounds(sent_type, peer, where)
        old, new = (peer, sent_type) if self._told else (sent_type, peer)
        for inner in ("items", "additionalProperties"):
            yield from self.misfits(old.get(inner, {}), new.get(inner, {}), where)

    def _fields(self, sent: Schema, read: Schema) -> Iterator[str]:
        old, new = (read, sent) if self._told else (sent, read)
        if (old["struct"], new["struct"]) in self._compared:
            return
        self._compared.add((old["struct"], new["struct"]))
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for field, was in old["properties"].items():
            where = f"{old['struct']}.{field}"
            now = new["properties"].get(field)
            if now is None:
                yield f"`{where}` was removed."
                continue
            if self._told and field in needed - needs:
                yield f"`{where}` may be absent now, and older clients rely on it."
            if not self._told and field in needs - needed:
                yield f"`{where}` is required now, and older clients may leave it out."
            if field not in needed | needs and was.get("default") != now.get("default"):
                meant, means = _json(was.get("default")), _json(now.get("default"))
                yield f"`{where}` means {means} when it is absent, and meant {meant}."
            yield from self.misfits(was, now, where)
        for field in new["properties"]:
            if not self._told and field in needs and field not in old["properties"]:
                yield f"`{old['struct']}.{field}` is new and required, and older clients do not send it."

    def _bounds(self, sent: Schema, read: Schema, where: str) -> Iterator[str]:
        for key in (*_FLOORS, *_CEILINGS, *_EXACT):
            bound, own = read.get(key), sent.get(key)
            if bound is None or bound == own:
                continue
            if own is not None and ((key in _FLOORS and own > bound) or (key in _CEILINGS and own < bound)):
                continue
            if self._told:
                yield f"`{where}` may now pass the bound it had: {key} {_json(bound)}."
            else:
                yield f"`{where}` takes less than before: {key} is {_json(bound)} now."

    def _unread(self, sent: Schema, where: str) -> str:
        if self._told:
            return f"`{where}` may now be {_words(sent)}, which older clients do not expect."
        return f"`{where}` no longer takes {_words(sent)}, which older clients may send."


def _options(schema: Schema, types: Schema) -> Iterator[Schema]:
    """All that a schema allows, one by one: constants, plain types, and structs under their name."""
    if "anyOf" in schema:
        for option in schema["anyOf"]:
            yield from _options(option, types)
    elif "enum" in schema:
        yield from ({"const": value} for value in schema["enum"])
    elif "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        if "properties" in types[name]:
            yield {**types[name], "struct": name}
        else:
            yield from _options(types[name], types)
    else:
        yield schema


def _kind(option: Schema) -> str:
    """What has to be the same for two options to be compared further; empty for anything at all."""
    if "struct" in option:
        return f"struct {_tag(option)}"
    return "const" if "const" in option else option.get("type", "")


def _wider(option: Schema) -> str | None:
    return "number" if _kind(option) == "integer" else None


def _tag(option: Schema) -> str | None:
    """What tells a member of a union from the others."""
    tag: str | None = option["properties"].get("type", {}).get("const") if "struct" in option else None
    return tag


def _as_type(option: Schema) -> Schema:
    """A constant as the narrowest plain type that has it."""
    value = option["const"]
    bounds: dict[str, Any] = {"type": _TYPES[type(value)]}
    if isinstance(value, str):
        bounds |= dict.fromkeys(("minLength", "maxLength"), len(value))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        bounds |= dict.fromkeys(("minimum", "maximum"), value)
    return bounds


def _words(option: Schema) -> str:
    if "struct" in option:
        return f"a `{option['struct']}`"
    if "const" in option:
        return f"`{_json(option['const'])}`"
    kind = _kind(option)
    if kind in {"", "null"}:
        return kind or "anything"
    return f"an {kind}" if kind[0] in "aio" else f"a {kind}"


def _json(value: Any) -> str:
    return "nothing" if value is None else msgspec.json.encode(value).decode()
