"""Edits of any file whatever: the data are what was asked for, and no line of anything else is touched."""

from __future__ import annotations

import copy
import itertools
import json
import tomllib
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.edge.toml_edit import edited

Data = dict[str, Any]
Path = tuple[str, ...]

KEYS = ["a", "b", "providers", "corp", "base_url", "x y", "é", "a.b", '"', "'", "[t]", "#", ""]
TEXTS = [
    "",
    "x",
    'a"b',
    "it's",
    "# no comment",
    "[no table]",
    "a\nb",
    '"""',
    "'''",
    "\\",
    "é\u2028\x85",
    "k = 1",
    "{",
    "]",
]
scalars = st.sampled_from(TEXTS) | st.integers(-9, 9) | st.booleans() | st.sampled_from([0.5, 1e100])
values = scalars | st.lists(scalars | st.lists(scalars, max_size=2), max_size=3)
keys = st.sampled_from(KEYS)
tables: st.SearchStrategy[Data] = st.recursive(
    st.dictionaries(keys, values, max_size=3),
    lambda inner: st.dictionaries(keys, values | inner, max_size=4),
    max_leaves=12,
)


@dataclass
class Writer:
    """Writes data as people do: every way that TOML has, as the dice say. `lines` say what each is about."""

    data: st.DataObject
    lines: list[tuple[str, Path | None]] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def choose(self, *among: str) -> str:
        return self.data.draw(st.sampled_from(among))

    def comment(self) -> str:
        return self.choose("", "  # why", "\t#") and f"  # c{next(self.numbers)} [a] = {{"

    def add(self, text: str, about: Path | None) -> None:
        self.lines += [(line, about) for line in text.split("\n")]

    def between(self, path: Path) -> None:
        match self.choose("", "", "blank", "comment"):
            case "blank":
                self.add("", None)
            case "comment":
                self.add(f"# c{next(self.numbers)} about {path!r}"[:60].replace("\n", " "), path)

    def key(self, *path: str) -> str:
        dot = self.choose(".", " . ")
        return dot.join(self._name(name) for name in path)

    def _name(self, name: str) -> str:
        bare = name.isascii() and name.isalnum()
        ways = [json.dumps(name, ensure_ascii=False)]
        ways += [name] * 3 if bare else []
        ways += [f"'{name}'"] if "'" not in name else []
        return self.choose(*ways)

    def value(self, value: Any, *, inline: bool = False) -> str:
        match value:
            case str():
                return self._text(value, inline=inline)
            case list():
                inner = [self.value(each, inline=inline) for each in value]
                if inline or self.choose("one", "many") == "one":
                    return f"[{', '.join(inner)}]"
                return "[" + "".join(f"\n  {each},{self.comment()}" for each in inner) + "\n]"
            case dict():
                pairs = [f"{self.key(key)} = {self.value(each, inline=True)}" for key, each in value.items()]
                return f"{{ {', '.join(pairs)} }}"
            case _:
                return json.dumps(value).replace("1e+100", "1e100")

    def _text(self, text: str, *, inline: bool) -> str:
        ways = [json.dumps(text, ensure_ascii=False)]
        if "'" not in text and "\n" not in text:
            ways.append(f"'{text}'")
        if not inline and "'''" not in text and not text.endswith("'"):
            ways.append(f"'''\n{text}'''")
        if not inline and '"' not in text and "\\" not in text:
            ways.append(f'"""{text}"""')
        return self.choose(*ways)

    def table(self, path: Path, table: Data, *, bare: bool = False) -> None:
        """The content of a table under its header; the tables in it on their line, dotted, or under their own.

        A `bare` one has no header: all that is in it has.
        """
        later = []
        for key, value in table.items():
            self.between(path)
            if isinstance(value, dict):
                ways = ["header"] if bare else ["header", "inline", *(["dotted"] if value else [])]
                way = self.choose(*ways)
                if way == "header":
                    later.append(key)
                elif way == "inline" or not self.flat(value):
                    self.add(f"{self.key(key)} = {self.value(value)}{self.comment()}", (*path, key))
                else:
                    for inner, each in value.items():
                        text = f"{self.key(key, inner)} = {self.value(each)}{self.comment()}"
                        self.add(text, (*path, key, inner))
            else:
                self.add(f"{self.key(key)} = {self.value(value)}{self.comment()}", (*path, key))
        for key in later:
            self.between(path)
            inner_table = table[key]
            plain = all(isinstance(value, dict) for value in inner_table.values()) and inner_table
            has_none = bool(plain) and self.choose("header", "none") == "none"
            if not has_none:
                self.add(f"[{self.key(*path, key)}]{self.comment()}", (*path, key))
            self.table((*path, key), inner_table, bare=has_none)

    def flat(self, table: Data) -> bool:
        return not any(isinstance(value, dict) for value in table.values())


def all_paths(data: Data, at: Path = ()) -> list[Path]:
    """The paths of all tables."""
    inner = [all_paths(value, (*at, key)) for key, value in data.items() if isinstance(value, dict)]
    return [at, *itertools.chain(*inner)]


def put(table: Data, more: Data) -> None:
    for key, value in more.items():
        if value is None:
            table.pop(key, None)
        elif isinstance(value, dict):
            if not isinstance(table.get(key), dict):
                table[key] = {}
            put(table[key], value)
        else:
            table[key] = value


def pruned(value: Any) -> Any:
    """Without tables that are empty: whether those are there is nobody's business."""
    if not isinstance(value, dict):
        return value
    inner = {key: pruned(each) for key, each in value.items()}
    return {key: each for key, each in inner.items() if each != {}}


def touched(values: Data | None, at: Path) -> list[Path]:
    """The paths that are asked to change."""
    if values is None:
        return [at]
    found: list[Path] = []
    for key, value in values.items():
        found += touched(value, (*at, key)) if isinstance(value, dict) else [(*at, key)]
    return found


def related(a: Path, b: Path) -> bool:
    shorter = min(len(a), len(b))
    return a[:shorter] == b[:shorter]


changes = st.recursive(
    st.dictionaries(keys, values | st.none(), min_size=1, max_size=3),
    lambda inner: st.dictionaries(keys, values | st.none() | inner, min_size=1, max_size=3),
    max_leaves=4,
)


@settings(deadline=None, max_examples=300)
@given(st.data(), tables)
def test_the_data_are_what_was_asked_for_and_nothing_else_is_touched(data: st.DataObject, before: Data) -> None:
    writer = Writer(data)
    writer.table((), before)
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    text = end.join(line for line, _ in writer.lines) + data.draw(st.sampled_from(["", end]))
    real = tomllib.loads(text)
    assert end == "\r\n" or real == before, "the test's own writer has to be right"
    path = data.draw(st.sampled_from(all_paths(real)) | st.sampled_from([("new",), ("providers", "new")]))
    asked = data.draw(changes | (st.none() if path else changes))
    expected, table = copy.deepcopy(real), {}
    table = expected
    for key in path[:-1] if asked is None else path:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            return  # there is something else there
    if asked is None:
        table.pop(path[-1], None)
    else:
        put(table, asked)

    new = edited(text, path, asked)

    assert pruned(tomllib.loads(new)) == pruned(expected)
    different = touched(asked, path)
    kept = [line for line, about in writer.lines if about is not None and not any(related(about, p) for p in different)]
    after = iter([line.removesuffix("\r") for line in new.split("\n")])
    missing = [line for line in kept if line not in after]
    assert not missing, "every line of anything else is there, in its order"
