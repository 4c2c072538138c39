"""The protocol as one JSON Schema document, taken from its declaration, and the files that are made from it.

Must never know a target language, nor what a method does. `make generate` writes the files and `make check` looks after
them; `python -m pointsman.rpc.schema --accept` makes the protocol of today the one that later ones are compared with.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec

from pointsman.core import errors
from pointsman.core.catalogue import Kind
from pointsman.core.chat import Event, Part, StopReason, ToolChoice
from pointsman.core.receipt import ChatFailure, ChatResult
from pointsman.core.selection import Decider, Scope, State
from pointsman.endpoint import PROTOCOL
from pointsman.rpc import commands, handbook, reference, render, replies
from pointsman.rpc.compatibility import incompatibilities
from pointsman.rpc.methods import METHODS, NOTIFICATIONS
from pointsman.rpc.session import HELLO
from pointsman.rpc.table import PREFIX
from pointsman.rpc.types import EditorOptions, HelloParams, HelloResult, ServerOptions

Document = dict[str, Any]

ROOT = Path(__file__).parents[3]
BASELINE = "tests/rpc/protocol.baseline.json"
ACCEPT = "python -m pointsman.rpc.schema --accept"


@dataclass(frozen=True)
class Exchange:
    """What passes between client and daemon under one name."""

    params: Any
    result: Any
    doc: str


@dataclass(frozen=True)
class Union:
    """A type that is a choice, under the name that clients know it by."""

    type: Any
    doc: str


FAILURES: Mapping[Any, type] = {ChatResult: ChatFailure}
"""What `data` of an error is, by what the result would have been, where it is more than ErrorData."""

OPENING = {
    HELLO: Exchange(HelloParams, HelloResult, "The greeting that `pointsman connect` sends. No other client does."),
    "initialize": Exchange(
        EditorOptions,
        ServerOptions,
        "LSP's own request. The parameters here are its `initializationOptions.pointsman`, the result its answer's "
        "`capabilities.experimental.pointsman`.",
    ),
}
UNIONS = {
    "ChatEvent": Union(
        Event, "An event of a chat. Pass over one whose `type` you do not know: a newer daemon may send more."
    ),
    "Part": Union(Part, "A part of a message. Pass over one whose `type` you do not know."),
    "ProviderKind": Union(Kind, "What sort of service a provider is."),
    "Scope": Union(Scope, "Where a choice of a model holds; the narrowest that is set wins, `window` first."),
    "SelectionDecider": Union(Decider, "What decides which model holds: a scope, or what stands in where none is set."),
    "SelectionState": Union(
        State, "Whether a chosen model could be used: `unconfigured` lacks a key, `unavailable` leads nowhere."
    ),
    "StopReason": Union(StopReason, "Why an answer ended."),
    "ToolChoice": Union(ToolChoice, "Whether the model may, must not or must call a tool, or which one."),
}


def protocol() -> Document:
    """The protocol that this program speaks."""
    methods = {name: Exchange(method.params, method.result, method.doc) for name, method in METHODS.items()}
    notifications = {name: told for told, name in NOTIFICATIONS.items()}
    return {
        "$comment": f"{render.GENERATED}.",
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The protocol of Pointsman",
        "protocol": PROTOCOL,
        **describe(methods, notifications, OPENING, UNIONS),
        "commands": {
            name: {
                "method": PREFIX + command.method,
                "arguments": list(command.positional),
                "question": command.question,
            }
            for name, command in commands.TABLE.items()
        },
        "errors": dict(_errors()),
    }


def describe(
    methods: Mapping[str, Exchange],
    notifications: Mapping[str, Any],
    opening: Mapping[str, Exchange] | None = None,
    unions: Mapping[str, Union] | None = None,
) -> Document:
    """What a document says of methods, notifications and all types that they lead to, each type under its own name."""
    opening, unions = opening or {}, unions or {}
    exchanges = {**opening, **methods}
    roots = {(name, side): getattr(exchanges[name], side) for name in exchanges for side in ("params", "result")}
    roots |= {(name, "told"): told for name, told in notifications.items()}
    roots |= {(name, "union"): union.type for name, union in unions.items()}
    roots |= {(name, "error"): FAILURES[each.result] for name, each in exchanges.items() if each.result in FAILURES}
    found, types = msgspec.json.schema_components(roots.values(), ref_template="#/$defs/{name}")
    schemas = dict(zip(roots, map(_plain, found), strict=True))
    choices = {name: schemas[name, "union"].get("anyOf", [schemas[name, "union"]]) for name in unions}
    defined = {name: _named(_plain(schema), choices) for name, schema in types.items()}
    for name, union in unions.items():
        defined[name] = {"description": union.doc, **schemas[name, "union"]}
        if "enum" in defined[name]:
            defined[name]["enum"] = list(get_args(union.type))  # msgspec sorts them

    def exchange(name: str) -> Document:
        sides = [side for side in ("params", "result", "error") if (name, side) in schemas]
        return {"description": exchanges[name].doc} | {side: _named(schemas[name, side], choices) for side in sides}

    return {
        "opening": {name: exchange(name) for name in opening},
        "methods": {name: exchange(name) for name in methods},
        "notifications": {
            name: {"description": inspect.getdoc(told) or "", "params": _named(schemas[name, "told"], choices)}
            for name, told in notifications.items()
        },
        "$defs": dict(sorted(defined.items())),
    }


def _plain(schema: Mapping[str, Any]) -> Document:
    """A schema as the contract with clients has it, which is less than what msgspec would bear.

    A field that may be absent is left out, never null. Unknown fields are passed over, also where the struct is strict
    because it is a configuration's too. What only OpenAPI knows, and titles that repeat the name, go.
    """
    plain = {key: value for key, value in schema.items() if key not in {"title", "discriminator"}}
    if plain.get("additionalProperties") is False:
        del plain["additionalProperties"]
    if "description" in plain:
        plain["description"] = inspect.cleandoc(plain["description"])
    if len(plain.get("enum", ())) == 1:
        plain["const"] = plain.pop("enum")[0]
    if plain.get("default") == ():
        plain["default"] = []  # as it will be read from a file
    if "default" in plain and plain["default"] is None:
        del plain["default"]
        rest = [option for option in plain.pop("anyOf", []) if option != {"type": "null"}]
        plain |= rest[0] if len(rest) == 1 else {"anyOf": rest} if rest else {}
    return _inside(plain, _plain)


def _named(schema: Mapping[str, Any], unions: Mapping[str, list[Document]]) -> Document:
    """A schema in which each choice that has a name stands under its name."""
    named = _inside(schema, lambda inner: _named(inner, unions))
    given = named.get("anyOf") or ([{"enum": named["enum"]}] if "enum" in named else [])
    for name, options in unions.items():
        if given and all(option in given for option in options):
            given = [{"$ref": f"#/$defs/{name}"}, *(option for option in given if option not in options)]
            named.pop("anyOf", None)
            named.pop("enum", None)
            named |= given[0] if len(given) == 1 else {"anyOf": given}
    return named


def _inside(schema: Mapping[str, Any], change: Callable[[Mapping[str, Any]], Document]) -> Document:
    """A schema with each schema directly inside it changed."""
    changed = dict(schema)
    for key in ("items", "additionalProperties"):
        if isinstance(inner := changed.get(key), Mapping):
            changed[key] = change(inner)
    if "anyOf" in changed:
        changed["anyOf"] = [change(inner) for inner in changed["anyOf"]]
    if "properties" in changed:
        changed["properties"] = {name: change(inner) for name, inner in changed["properties"].items()}
    return changed


def _errors() -> Iterator[tuple[str, Document]]:
    """Every code that an error may carry: those of the tree, then those of the protocol itself."""

    def walk(error: type[errors.PointsmanError]) -> Iterator[tuple[str, Document]]:
        doc = inspect.getdoc(error)
        yield error.__name__, _code(replies.REQUEST_FAILED, doc, error.default_advice, error.remedies)
        for kind in error.__subclasses__():
            if kind.__module__ == errors.__name__:
                yield from walk(kind)

    yield from walk(errors.PointsmanError)
    for doc, problem in _refusals():
        yield problem.data.code, _code(problem.code, doc, problem.data.advice, ())


def _refusals() -> Iterator[tuple[str | None, replies.Problem]]:
    """What is answered to a message for its form or its time, with what it means."""
    yield "What arrived is not JSON.", replies.salvage(b"", ValueError())[1]
    yield inspect.getdoc(replies.unknown_method), replies.unknown_method("", ())
    yield inspect.getdoc(replies.too_large), replies.too_large(0)
    for refusal in (replies.invalid_request, replies.invalid_params):
        yield inspect.getdoc(refusal), refusal("")
    for refused in (replies.not_greeted, replies.not_initialized, replies.cancelled, replies.internal):
        yield inspect.getdoc(refused), refused()


def _code(number: int, doc: str | None, advice: str, remedies: Sequence[str]) -> Document:
    return {"number": number, "description": doc or "", "advice": advice, "remedies": list(remedies)}


def to_json(document: Mapping[str, Any]) -> str:
    """A document as a file; its first line says where it comes from."""
    return render.pretty(document).replace("{\n  ", "{ ", 1) + "\n"


FILES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "docs/protocol.md": handbook.markdown,
    "docs/configuration.md": reference.configuration,
    "docs/troubleshooting.md": reference.troubleshooting,
    "docs/protocol.schema.json": to_json,
    "clients/vscode/src/protocol.ts": render.typescript,
    "clients/neovim/lua/pointsman/protocol.lua": render.lua,
}


def write(root: Path) -> None:
    """Writes every generated file."""
    document = protocol()
    for path, make in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(make(document), "utf-8")


def accept(root: Path) -> list[str]:
    """Makes the protocol of today the baseline. Gives what that asks of clients that are out there already."""
    document, path = protocol(), root / BASELINE
    broken = incompatibilities(json.loads(path.read_text("utf-8")), document) if path.exists() else []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_json({**document, "$comment": f"Accepted by `{ACCEPT}`; do not edit."}), "utf-8")
    return [f"Accepted: {problem}" for problem in broken]


def check(root: Path) -> list[str]:
    """What is wrong: files that are stale, and changes that clients which are out there would stumble over."""
    document = protocol()
    stale = [path for path, make in FILES.items() if not _has(root / path, make(document))]
    found = [f"{path} is stale: run `make generate`." for path in stale]
    if not (root / BASELINE).exists():
        return [*found, f"{BASELINE} is missing: run `{ACCEPT}`."]
    broken = incompatibilities(json.loads((root / BASELINE).read_text("utf-8")), document)
    if broken:
        found += [f"Not compatible: {problem}" for problem in broken]
        found.append(
            f"Mend these; or, if they are meant, raise PROTOCOL in pointsman.endpoint.values and run `{ACCEPT}`."
        )
    return found


def _has(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status: 1 when `--check` finds something."""
    parser = argparse.ArgumentParser(prog="python -m pointsman.rpc.schema", description=__doc__.partition("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write every generated file")
    what.add_argument(
        "--check", action="store_true", help="fail when one is stale, or the protocol breaks older clients"
    )
    what.add_argument("--accept", action="store_true", help="compare with the protocol of today from now on")
    given = parser.parse_args(arguments)
    if given.write:
        write(ROOT)
        return 0
    said = accept(ROOT) if given.accept else check(ROOT)
    sys.stdout.write("".join(f"{line}\n" for line in said))
    return 1 if given.check and said else 0


if __name__ == "__main__":
    sys.exit(main())
