"""docs/protocol.md: the protocol's document as a page for people who write clients, between what `pages` has to say.

Must never know one method or type from another.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from pointsman.rpc import bounds, examples, pages
from pointsman.rpc.examples import block, reply, request
from pointsman.rpc.render import GENERATED, Schema, meaning, references, short

CONTENTS = "<!-- contents -->"
"""Stands for the contents until there is something for them to list."""
REMEDIES = {"retry": "the same again", "key": "another key", "target": "another model"}


def markdown(document: Schema) -> str:
    """The whole page."""
    values = {
        "generated": GENERATED,
        "contents": CONTENTS,
        "protocol": str(document["protocol"]),
        **bounds.BOUNDS,
        **bounds.messages(),
        "methods": _methods(document),
        "notifications": _notifications(document),
        "commands": _commands(document),
        "error codes": _codes(document),
        "types": _types(document),
    }
    page = pages.fill(pages.template("protocol"), values)
    return page.replace(CONTENTS, _contents(page))


def _contents(page: str) -> str:
    """The sections below the contents, each with the headings inside it."""
    lines = []
    _, _, below = page.partition(CONTENTS)
    for section in below.split("\n## ")[1:]:
        title, *rest = section.splitlines()
        inner = [line.removeprefix("### ") for line in rest if line.startswith("### ")]
        lines.append(f"- [{title}](#{anchor(title)})" + (":" if inner else ""))
        if inner:
            lines.append("  " + " · ".join(f"[{name.rsplit('/', 1)[-1]}](#{anchor(name)})" for name in inner))
    return "\n".join(lines)


def _methods(document: Schema) -> str:
    counted = _counted(document)
    parts = []
    for name, about in document["methods"].items():
        parts += [f"### {name}", about["description"]]
        sides = [("Takes", "params"), ("Gives", "result"), ("Fails with", "error")]
        parts += [_side(verb, about[side], document, counted) for verb, side in sides if side in about]
        if example := examples.REQUESTS.get(name):
            parts += [block(request(name, example.params)), block(reply(example.result))]
    return "\n\n".join(parts)


def _notifications(document: Schema) -> str:
    counted = _counted(document)
    parts = []
    for name, about in document["notifications"].items():
        parts += [f"### {name}", _side("Carries", about["params"], document, counted)]
        if example := examples.NOTIFICATIONS.get(name):
            parts.append(block({"jsonrpc": "2.0", "method": name, "params": example.params}))
    return "\n\n".join(parts)


def _commands(document: Schema) -> str:
    rows = [
        (
            f"`{name}`",
            f"[{short(about['method'])}](#{anchor(about['method'])})",
            ", ".join(f"`{argument}`" for argument in about["arguments"]),
            f"asks: {about['question']}" if about["question"] else "",
        )
        for name, about in document["commands"].items()
    ]
    table = _table(("Command", "Method", "Arguments, in order", "Without arguments"), rows)
    example = examples.OPENING["workspace/executeCommand"]
    shown = [block(request("workspace/executeCommand", example.params)), block(reply(example.result))]
    return "\n\n".join([table, *shown])


def _codes(document: Schema) -> str:
    rows = [
        (
            f"`{code}`",
            str(about["number"]),
            _cell(about["description"]),
            _cell(about["advice"]),
            ", ".join(REMEDIES[remedy] for remedy in about["remedies"]) or "–",
        )
        for code, about in document["errors"].items()
    ]
    return _table(
        ("Code", "Number", "What it means", "What to do, unless the error says better", "What can help"), rows
    )


def _types(document: Schema) -> str:
    counted = _counted(document)
    parts = []
    for name, schema in document["$defs"].items():
        if counted[name] != 1 and schema.get("properties") != {}:
            parts += [f"### {name}", schema.get("description", ""), _definition(schema)]
    return "\n\n".join(parts)


def _side(verb: str, schema: Schema, document: Schema, counted: Mapping[str, int]) -> str:
    """What a method takes or gives: with its fields, unless the type has a heading of its own."""
    if "$ref" not in schema:
        return f"**{verb}** {_type(schema)}."
    (name,) = references(schema)
    about = document["$defs"][name]
    if about.get("properties") == {}:
        return f"**{verb}** nothing."
    if counted[name] != 1:
        return f"**{verb}** [{name}](#{anchor(name)})."
    return f"**{verb}** `{name}`. {about['description']}\n\n{_definition(about)}"


def _counted(document: Schema) -> Counter[str]:
    """How often each type is used; one that is used once, by a method or a notification itself, is shown there."""
    direct = [references([about.get("params"), about.get("result"), about.get("error")]) for about in _named(document)]
    counted = Counter(name for names in direct for name in names)
    for name in (*references([list(document["$defs"].values())]), *references(list(document["opening"].values()))):
        counted[name] += 2
    return counted


def _named(document: Schema) -> list[Schema]:
    return [*document["methods"].values(), *document["notifications"].values()]


def _definition(schema: Schema) -> str:
    if "properties" not in schema:
        return _type(schema)
    rows: list[tuple[str, ...]] = [
        (f"`{field}`", _type(about), "yes" if field in schema["required"] else "no", meaning(about))
        for field, about in schema["properties"].items()
    ]
    head: tuple[str, ...] = ("Field", "Type", "Required", "Meaning")
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    return _table(head, rows)


def _type(schema: Schema) -> str:
    """A type as it stands in a cell."""
    if "$ref" in schema:
        (name,) = references(schema)
        return f"[{name}](#{anchor(name)})"
    if "const" in schema or "enum" in schema:
        return r" \| ".join(f"`{json.dumps(value)}`" for value in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return r" \| ".join(map(_type, schema["anyOf"]))
    if schema.get("type") == "array":
        items = _type(schema.get("items", {}))
        return f"({items})[]" if r"\|" in items else f"{items}[]"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties")
        return f"object of {_type(inner)}" if isinstance(inner, Mapping) and inner else "object"
    return str(schema.get("type", "anything"))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def anchor(heading: str) -> str:
    """What GitHub makes of a heading."""
    kept = (letter for letter in heading.lower() if letter.isalnum() or letter in " -_")
    return "".join(kept).replace(" ", "-")
