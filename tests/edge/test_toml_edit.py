"""Edits of files that people wrote: what is asked for comes of it, and only the intended lines differ."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from typing import Any

import pytest

from pointsman.core.errors import ConfigError
from pointsman.edge.toml_edit import edited

CORP = ("providers", "corp")

FILE = """\
# Mine. Hands off!
default = "corp:big"   # until spring

[aliases]
sonnet = 'openrouter:sonnet'
# cheap ones
cheap = "corp:small"

# The gateway at work
[providers.corp]  # ask Ann for a key
base_url = 'https://llm.corp.example/v1'   # not the old one
    max_retries = 0x02
models = [
    "big",    # the usual
    "small",
    # "tiny" is gone
]
[providers.corp.auth]
scheme = "bearer"

# The one at home
[providers.home]
base_url = "http://localhost:8080/v1"
timeout = { connect = 1, first_event = 600 }  # it is slow
"""

Case = tuple[str, tuple[str, ...], Mapping[str, Any] | None, list[str]]
"""A text, where to change it, what to, and the lines that differ."""

CASES: dict[str, Case] = {
    # A file as people write them
    "a value is changed": (
        FILE,
        CORP,
        {"base_url": "http://new/v1"},
        ["-base_url = 'https://llm.corp.example/v1'   # not the old one", '+base_url = "http://new/v1"   # not the old one'],
    ),
    "what is so already stays as it is written": (FILE, CORP, {"base_url": "https://llm.corp.example/v1"}, []),
    "a value of another kind": (FILE, CORP, {"max_retries": 3}, ["-    max_retries = 0x02", "+    max_retries = 3"]),
    "a value is added behind the last": (FILE, CORP, {"name": "Corp"}, ['+name = "Corp"']),
    "a value is removed": (FILE, CORP, {"max_retries": None}, ["-    max_retries = 0x02"]),
    "a value that is not there is removed": (FILE, CORP, {"name": None, "auth": {"env": None}}, []),
    "a list over several lines": (
        FILE,
        CORP,
        {"models": ["one"]},
        ["-models = [", '-    "big",    # the usual', '-    "small",', '-    # "tiny" is gone', "-]", '+models = ["one"]'],
    ),
    "in a table of its own": (FILE, CORP, {"auth": {"env": "CORP_KEY"}}, ['+env = "CORP_KEY"']),
    "in a table on its line": (
        FILE,
        ("providers", "home"),
        {"timeout": {"connect": 2}},
        [
            "-timeout = { connect = 1, first_event = 600 }  # it is slow",
            "+timeout = { connect = 2, first_event = 600 }  # it is slow",
        ],
    ),
    "a table that is new": (FILE, ("providers", "home"), {"auth": {"scheme": "none"}}, ['+auth = { scheme = "none" }']),
    "several at once": (
        FILE,
        CORP,
        {"base_url": None, "name": "N", "kind": "custom", "auth": {"scheme": "none"}},
        [
            "-base_url = 'https://llm.corp.example/v1'   # not the old one",
            '+name = "N"',
            '+kind = "custom"',
            '-scheme = "bearer"',
            '+scheme = "none"',
        ],
    ),
    "a provider is removed, and what is said of others stays": (
        FILE,
        CORP,
        None,
        [f"-{line}" for line in FILE.splitlines()[9:19]],
    ),
    "the last provider is removed": (
        FILE,
        ("providers", "home"),
        None,
        [f"-{line}" for line in FILE.splitlines()[21:]],
    ),
    "a provider that is not there is removed": (FILE, ("providers", "nobody"), None, []),
    "a provider is added": (
        FILE,
        ("providers", "new"),
        {"base_url": "http://n", "auth": {"scheme": "none"}},
        ["+", "+[providers.new]", '+base_url = "http://n"', '+auth = { scheme = "none" }'],
    ),
    "the default is changed": (
        FILE,
        (),
        {"default": "home"},
        ['-default = "corp:big"   # until spring', '+default = "home"   # until spring'],
    ),
    "the default is removed": (FILE, (), {"default": None}, ['-default = "corp:big"   # until spring']),
    "an alias is added": (FILE, ("aliases",), {"a b": "corp:é"}, ['+"a b" = "corp:é"']),
    # Other ways to write the same
    "nothing is there yet": ("", (), {"default": "x"}, ['+default = "x"']),
    "a table in a file without any": ("", ("aliases",), {"a": "b"}, ["+[aliases]", '+a = "b"']),
    "a file of comments": ("# later\n", ("aliases",), {"a": "b"}, ["+", "+[aliases]", '+a = "b"']),
    "a default above the tables": ("# me\n\n[aliases]\n", (), {"default": "x"}, ['+default = "x"']),
    "no end of the last line": ('[aliases]\na = "b"', ("aliases",), {"c": "d"}, ['-a = "b"', '+a = "b"\n', '+c = "d"\n']),
    "lines of Windows": (
        '# a\r\n[aliases]\r\na = "b"\r\n\r\n[chains]\r\n',
        ("aliases",),
        {"a": "x", "c": "d"},
        ['-a = "b"\r', '+a = "x"\r', '+c = "d"\r'],
    ),
    "a new table of Windows": ('a = 1\r\n', ("aliases",), {"c": "d"}, ["+\r", "+[aliases]\r", '+c = "d"\r']),
    "keys with dots": (
        'providers.corp.base_url = "x"\ndefault = "y"\n',
        CORP,
        {"base_url": "z", "name": "N"},
        ['-providers.corp.base_url = "x"', '+providers.corp.base_url = "z"', '+providers.corp.name = "N"'],
    ),
    "keys with dots in a table": ('[providers]\ncorp.base_url = "x"\n', CORP, {"name": "N"}, ['+corp.name = "N"']),
    "a new one beside keys with dots": (
        'providers.corp.base_url = "x"\n',
        ("providers", "new"),
        {"base_url": "y"},
        ["+", "+[providers.new]", '+base_url = "y"'],
    ),
    "keys with dots are removed": (
        'a = 1\nproviders.corp.base_url = "x"\nb = 2\nproviders.corp.auth.env = "E"\n',
        CORP,
        None,
        ['-providers.corp.base_url = "x"', '-providers.corp.auth.env = "E"'],
    ),
    "all on one line": (
        'providers = { corp = { base_url = "x" } } # all\n',
        CORP,
        {"base_url": "y"},
        ['-providers = { corp = { base_url = "x" } } # all', '+providers = { corp = { base_url = "y" } } # all'],
    ),
    "one of them on its line is removed": (
        '[providers]\ncorp = { base_url = "x" }\nhome = { base_url = "y" }\n',
        CORP,
        None,
        ['-corp = { base_url = "x" }'],
    ),
    "names in quotes": (
        '[providers . "co.rp"]\nbase_url = "x"\n[providers.\'a"b\']\nbase_url = "y"\n',
        ("providers", "co.rp"),
        {"name": "N"},
        ['+name = "N"'],
    ),
    "a table whose parts are apart": (
        '[providers.corp.auth]\nenv = "E"\n[aliases]\na = "b"\n[providers.corp]\nbase_url = "x"\n',
        CORP,
        {"name": "N", "auth": {"scheme": "none"}},
        ['+scheme = "none"', '+name = "N"'],
    ),
    "only a part of a table is there": (
        '[providers.corp.auth]\nenv = "E"\n',
        CORP,
        {"base_url": "x"},
        ["+", "+[providers.corp]", '+base_url = "x"'],
    ),
    "an array of tables before it": (
        '[[odd]]\na = 1\n[[odd]]\na = 2\n[odd.sub]\nb = 3\n[aliases]\na = "b"\n',
        ("aliases",),
        {"a": "c"},
        ['-a = "b"', '+a = "c"'],
    ),
    # What only looks like something else
    "text that looks like a table": (
        'a = """\n[aliases]\nb = "c"\n"""\n[aliases]\nb = "d"\n# end\n',
        ("aliases",),
        {"b": "e", "f": "g"},
        ['-b = "d"', '+b = "e"', '+f = "g"'],
    ),
    "text that ends like a comment": (
        '[aliases]\na = """\n# b"""\n[chains]\n',
        ("aliases",),
        {"c": "d"},
        ['+c = "d"'],
    ),
    "five quotes": ('[aliases]\na = """b"""""\nc = \'\'\'d\'\'\'\'\n', ("aliases",), {"c": "e"}, ["-c = '''d''''", '+c = "e"']),
    "a list of lists": (
        "[providers.corp]\nq = [\n  [1, 2],  # ]\n  ['[x]'],\n]\n# end\n[aliases]\n",
        CORP,
        {"name": "N"},
        ['+name = "N"'],
    ),
    "a comment with what Python calls a line end": (
        '# \u2028[aliases]\x85\n[aliases]\na = "b"\n',
        ("aliases",),
        {"c": "d"},
        ['+c = "d"'],
    ),
    "a key that looks like a header": ('"[aliases]" = 1\n[aliases]\n', ("aliases",), {"a": "b"}, ['+a = "b"']),
    "odd characters": ("[aliases]\n", ("aliases",), {"a": 'b"\n\\\t\x7f\x00'}, [r'+a = "b\"\n\\\t\u007f\u0000"']),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_only_the_intended_lines_differ(case: str) -> None:
    text, path, values, expected = CASES[case]
    new = edited(text, path, values)
    ends = "" if text.endswith("\n") or not text else "\n"
    before, after = ([line + ends for line in each.removesuffix("\n").split("\n")] for each in (text, new))
    if ends:
        before[-1] = before[-1].removesuffix(ends)
    before = before if text else []
    different = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
    assert [line for line in different if not line.startswith("@@")] == expected
    assert tomllib.loads(new) == wanted(tomllib.loads(text), path, values)


def wanted(data: dict[str, Any], path: tuple[str, ...], values: Mapping[str, Any] | None) -> dict[str, Any]:
    """What should come of it, told as simply as it can be; tables that have become empty need not be there."""

    def put(table: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
        merged = dict(table)
        for key, value in more.items():
            if isinstance(value, Mapping):
                inner = merged.get(key)
                merged[key] = put(inner if isinstance(inner, dict) else {}, value)
            else:
                merged[key] = value
        return {key: value for key, value in merged.items() if value is not None and value != {}}

    if values is None:
        *path_, last = path
        values, path = {last: None}, tuple(path_)
    for key in reversed(path):
        values = {key: values}
    kept = tuple(key for key, value in data.items() if value == {})
    return put(data, values) | {key: {} for key in kept if key not in values}


# What can't be done is refused, and nothing is made of it

REFUSED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "no TOML": ("default = \n", (), "not valid TOML"),
    "a value twice": ('a = "b"\na = "c"\n', (), "not valid TOML"),
    "a text in place of a table": ('providers = "x"\n', CORP, "`providers` is no table"),
    "a list in place of a table": ('[[providers]]\na = "b"\n', CORP, "`providers` is no table"),
    "too deep": ("x = " + "[" * 5000, (), "not valid TOML"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_edited_is_refused(case: str) -> None:
    text, path, words = REFUSED[case]
    with pytest.raises(ConfigError) as caught:
        edited(text, path, {"name": "N"})
    assert words in caught.value.message
    assert caught.value.advice


def test_a_list_that_loses_some_keeps_the_comments_of_the_others() -> None:
    text = """\
[p]
keys = [
    # the old one
    "a",  # mine
    "b",  # Ann's
    { c = ["d"] },  # for fun
]  # all of them
x = 1
"""
    assert (
        edited(text, ["p"], {"keys": ["b", {"c": ["d"]}]})
        == """\
[p]
keys = [
    # the old one
    "b",  # Ann's
    { c = ["d"] },  # for fun
]  # all of them
x = 1
"""
    )
    assert edited('k = ["a", "b", "a"]\n', [], {"k": ["a"]}) == 'k = ["a"]\n'
    assert edited('k = ["a", "b"]\n', [], {"k": ["b", "a"]}) == 'k = ["b", "a"]\n'
    assert edited('k = ["a", "b"]\n', [], {"k": []}) == "k = []\n"
