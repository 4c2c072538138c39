"""What would break an old client is named; and where nothing is named, nothing breaks."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from types import GenericAlias
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta, Struct, defstruct

from pointsman.rpc.compatibility import incompatibilities
from pointsman.rpc.schema import Document, Exchange, describe, protocol

NAME = "pointsman/do"
DOCUMENT = protocol()


class Apple(Struct, tag="apple"):
    """A member of a union."""

    weight: int


class Pear(Struct, tag="pear"):
    """Another."""


Positive = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Few = Annotated[list[int], Meta(max_length=3)]

ASKED: dict[str, tuple[list[Any], list[Any], str | None]] = {
    "nothing changes": ([("a", int)], [("a", int)], None),
    "an optional field is new": ([("a", int)], [("a", int), ("b", str, "")], None),
    "a field becomes optional": ([("a", int)], [("a", int, 0)], None),
    "a field takes more": ([("a", int)], [("a", float | str | None)], None),
    "a bound is loosened": ([("a", Positive)], [("a", Natural)], None),
    "a union grows": ([("a", list[Apple])], [("a", list[Apple | Pear])], None),
    "a field is gone": ([("a", int, 0)], [], "`Params.a` was removed."),
    "a required field is new": ([], [("a", int)], "`Params.a` is new and required, and older clients do not send it."),
    "a field becomes required": (
        [("a", int, 0)],
        [("a", int)],
        "`Params.a` is required now, and older clients may leave it out.",
    ),
    "a type changes": (
        [("a", str)],
        [("a", int)],
        "`Params.a` no longer takes a string, which older clients may send.",
    ),
    "a type shrinks": (
        [("a", float)],
        [("a", int)],
        "`Params.a` no longer takes a number, which older clients may send.",
    ),
    "null is no longer taken": (
        [("a", int | None)],
        [("a", int)],
        "`Params.a` no longer takes null, which older clients may send.",
    ),
    "a value is gone": (
        [("a", Literal["x", "y"])],
        [("a", Literal["x"])],
        '`Params.a` no longer takes `"y"`, which older clients may send.',
    ),
    "a string becomes a choice": (
        [("a", str)],
        [("a", Literal["x"])],
        "`Params.a` no longer takes a string, which older clients may send.",
    ),
    "a member is gone": (
        [("a", list[Apple | Pear])],
        [("a", list[Apple])],
        "`Params.a` no longer takes a `Pear`, which older clients may send.",
    ),
    "a bound is tightened": (
        [("a", Natural)],
        [("a", Positive)],
        "`Params.a` takes less than before: minimum is 1 now.",
    ),
    "a bound is new": ([("a", list[int])], [("a", Few)], "`Params.a` takes less than before: maxItems is 3 now."),
    "items change": (
        [("a", dict[str, list[str]])],
        [("a", dict[str, list[int]])],
        "`Params.a` no longer takes a string, which older clients may send.",
    ),
    "a default changes": (
        [("a", bool, True)],
        [("a", bool, False)],
        "`Params.a` means false when it is absent, and meant true.",
    ),
}
TOLD: dict[str, tuple[list[Any], list[Any], str | None]] = {
    "nothing changes": ([("a", int)], [("a", int)], None),
    "a field is new": ([("a", int)], [("a", int), ("b", str)], None),
    "a field becomes required": ([("a", int, 0)], [("a", int)], None),
    "a field gives less": ([("a", float | str | None)], [("a", int)], None),
    "a value is gone": ([("a", Literal["x", "y"])], [("a", Literal["x"])], None),
    "an event is new": ([("a", list[Apple])], [("a", list[Apple | Pear])], None),
    "a field is gone": ([("a", int)], [], "`Result.a` was removed."),
    "an optional field is gone": ([("a", int, 0)], [], "`Result.a` was removed."),
    "a field becomes optional": (
        [("a", int)],
        [("a", int, 0)],
        "`Result.a` may be absent now, and older clients rely on it.",
    ),
    "a type changes": (
        [("a", int)],
        [("a", str)],
        "`Result.a` may now be a string, which older clients do not expect.",
    ),
    "a type grows": (
        [("a", int)],
        [("a", float)],
        "`Result.a` may now be a number, which older clients do not expect.",
    ),
    "null is new": (
        [("a", int)],
        [("a", int | None)],
        "`Result.a` may now be null, which older clients do not expect.",
    ),
    "a value is new": (
        [("a", Literal["x"])],
        [("a", Literal["x", "y"])],
        '`Result.a` may now be `"y"`, which older clients do not expect.',
    ),
    "an event is gone": (
        [("a", list[Apple | Pear])],
        [("a", list[Apple])],
        "`Result.a` no longer has a `Pear`, which older clients may wait for.",
    ),
    "an event where there were none": (
        [("a", str)],
        [("a", str | Pear)],
        "`Result.a` may now be a `Pear`, which older clients do not expect.",
    ),
    "a bound is loosened": (
        [("a", Positive)],
        [("a", Natural)],
        "`Result.a` may now pass the bound it had: minimum 1.",
    ),
    "a default changes": (
        [("a", bool, True)],
        [("a", bool, False)],
        "`Result.a` means false when it is absent, and meant true.",
    ),
}


@pytest.mark.parametrize("case", ASKED)
def test_what_clients_send(case: str) -> None:
    check(asked, *ASKED[case])


@pytest.mark.parametrize("case", TOLD)
@pytest.mark.parametrize("way", ["result", "notification"])
def test_what_the_daemon_sends(case: str, way: str) -> None:
    check(partial(told, way=way), *TOLD[case])


@pytest.mark.parametrize("section", ["methods", "notifications", "commands", "errors", "$defs"])
def test_nothing_may_go(section: str) -> None:
    whole = {"$defs": DOCUMENT["$defs"], section: DOCUMENT[section]}
    for name in whole[section]:
        less = deepcopy(whole)
        del less[section][name]
        (problem,) = incompatibilities(whole, less)
        assert problem.endswith(f"`{name}` was removed.")
        assert not incompatibilities(less, whole)


def test_arguments_of_a_command_only_grow() -> None:
    def taking(*arguments: str) -> Document:
        return {**describe({}, {}), "commands": {"pointsman.do": {"arguments": list(arguments)}}}

    assert not incompatibilities(taking("a"), taking("a", "b"))
    for worse in taking(), taking("b", "a"):
        (problem,) = incompatibilities(taking("a"), worse)
        assert problem == "The command `pointsman.do` takes other arguments than before, or in another order."


def test_a_type_that_has_itself() -> None:
    assert not incompatibilities(DOCUMENT, DOCUMENT)
    stricter = deepcopy(DOCUMENT)
    stricter["$defs"]["ErrorData"]["required"].remove("advice")  # ErrorData.causes are ErrorData
    assert incompatibilities(DOCUMENT, stricter) == [
        "`ErrorData.advice` may be absent now, and older clients rely on it."
    ]


@given(st.data())
def test_every_field_counts(data: st.DataObject) -> None:
    types = {
        name: schema for name, schema in DOCUMENT["$defs"].items() if schema.get("properties", {}).keys() - {"type"}
    }
    name = data.draw(st.sampled_from(list(types)))
    field = data.draw(st.sampled_from([field for field in types[name]["properties"] if field != "type"]))
    less = deepcopy(DOCUMENT)
    del less["$defs"][name]["properties"][field]
    assert f"`{name}.{field}` was removed." in incompatibilities(DOCUMENT, less)
    if field not in types[name]["required"]:
        assert not incompatibilities(less, DOCUMENT)


# Where nothing is named, nothing breaks: msgspec is the judge.

Shape = tuple[Any, st.SearchStrategy[Any]]
"""A type, and the values that it has."""

PLAIN: list[Shape] = [
    (str, st.text(max_size=3)),
    (int, st.integers(-3, 3)),
    (float, st.floats(-3, 3)),
    (bool, st.booleans()),
    (Literal["a", "b"], st.sampled_from("ab")),
    (Literal["a"], st.just("a")),
    (Literal[0, 1], st.integers(0, 1)),
    (Natural, st.integers(0, 3)),
    (Positive, st.integers(1, 3)),
    (Annotated[str, Meta(max_length=1)], st.text(max_size=1)),
]


def larger(inner: st.SearchStrategy[Shape]) -> st.SearchStrategy[Shape]:
    lists = inner.map(lambda shape: (GenericAlias(list, shape[0]), st.lists(shape[1], max_size=2)))
    tables = inner.map(
        lambda shape: (GenericAlias(dict, (str, shape[0])), st.dictionaries(st.text(max_size=1), shape[1], max_size=2))
    )
    nullable = inner.map(lambda shape: (shape[0] | None, st.none() | shape[1]))
    return lists | tables | nullable


Fields = dict[str, tuple[Shape, bool]]
"""By name: what a field has, and whether it is required."""
Change = tuple[Fields, Fields]
"""The fields of a struct, and of what became of it."""

fields = st.tuples(st.recursive(st.sampled_from(PLAIN), larger, max_leaves=3), st.booleans())


@st.composite
def changes(draw: st.DrawFn) -> Change:
    old = draw(st.dictionaries(st.sampled_from("abc"), fields))
    new = dict(old)
    for name in draw(st.sets(st.sampled_from("abcd"), max_size=2)):
        field = draw(fields)
        new[name] = draw(st.sampled_from([field, (field[0], False), (new.get(name, field)[0], field[1])]))
    return old, new


@given(changes(), st.data())
@settings(max_examples=300)
def test_what_old_clients_send_is_read(change: Change, data: st.DataObject) -> None:
    old, new = map(inner, change)
    if not incompatibilities(asked(old), asked(new)):
        read(data.draw(values(change[0])), new)


@given(changes(), st.data())
@settings(max_examples=300)
def test_what_the_daemon_sends_is_read(change: Change, data: st.DataObject) -> None:
    old, new = map(inner, change)
    if not incompatibilities(told(old), told(new)):
        read(data.draw(values(change[1])), old)


def check(made: Callable[[list[Any]], Document], old: list[Any], new: list[Any], expected: str | None) -> None:
    found = incompatibilities(made(old), made(new))
    assert [problem for problem in found if not problem.startswith("The type ")] == ([expected] if expected else [])


def asked(fields: list[Any]) -> Document:
    """A document with one method that takes these fields."""
    return describe({NAME: Exchange(defstruct("Params", fields, kw_only=True), None, "")}, {})


def told(fields: list[Any], way: str = "result") -> Document:
    """A document with one method that gives these fields, or one notification that carries them."""
    result = defstruct("Result", fields, kw_only=True)
    return describe({NAME: Exchange(Pear, result, "")}, {}) if way == "result" else describe({}, {NAME: result})


def inner(fields: Fields) -> list[Any]:
    """One field that has a list of structs with these fields."""
    listed = [
        (name, kind) if required else (name, kind | msgspec.UnsetType, msgspec.UNSET)
        for name, ((kind, _), required) in fields.items()
    ]
    return [("many", GenericAlias(list, defstruct("Inner", listed, kw_only=True)))]


def values(fields: Fields) -> st.SearchStrategy[dict[str, Any]]:
    """What is sent where structs of these fields are expected."""
    one = st.fixed_dictionaries(
        {name: value for name, ((_, value), required) in fields.items() if required},
        optional={name: value for name, ((_, value), required) in fields.items() if not required},
    )
    return st.fixed_dictionaries({"many": st.lists(one, max_size=2)})


def read(value: dict[str, Any], fields: list[Any]) -> None:
    """Reads what was sent as a struct of these fields; raises when that can't be done."""
    msgspec.json.decode(msgspec.json.encode(value), type=defstruct("Reader", fields))
