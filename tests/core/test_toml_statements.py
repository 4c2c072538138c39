"""Where the statements of a TOML text lie: every one is found, with its lines and its value."""

from __future__ import annotations

from pointsman.core.toml_statements import statements
from tests.each import each

Found = tuple[tuple[str, ...], str | None]

CASES: dict[str, tuple[str, list[Found]]] = {
    "nothing": ("", []),
    "blank lines and comments": ("\n# a = 1\n\n  # [b]\n", []),
    "a key": ("a = 1\n", [(("a",), "1")]),
    "no end of the last line": ("a = 1", [(("a",), "1")]),
    "a comment behind it": ("a = 1 # b = 2\n", [(("a",), "1")]),
    "a header and its keys": ("[a]\nb = 1\n", [(("a",), None), (("a", "b"), "1")]),
    "dotted": ("[a.'b c']\nd . \"e\\u0066\" = 1\n", [(("a", "b c"), None), (("a", "b c", "d", "ef"), "1")]),
    "a table of an array": ("[[a]]\nb = 1\n[[ a ]]\n", [(("a",), None), (("a", "b"), "1"), (("a",), None)]),
    "a sign of a comment in a string": ("a = \"#\" # c\nb = '#'\n", [(("a",), '"#"'), (("b",), "'#'")]),
    "an escaped quote": ('a = "\\"#"\nb = 1\n', [(("a",), '"\\"#"'), (("b",), "1")]),
    "lines of an array": ("a = [ # c = 1\n  1,\n\n  {b = 2},\n] # d\ne = 3\n", [
        (("a",), "[ # c = 1\n  1,\n\n  {b = 2},\n]"), (("e",), "3")
    ]),
    "lines of a string": ('a = """\nb = 1\n"" \\" """"\nc = 1\n', [(("a",), '"""\nb = 1\n"" \\" """"'), (("c",), "1")]),
    "lines of a plain string": ("a = '''\nb = 1\n'' '''''\nc = 1\n", [(("a",), "'''\nb = 1\n'' '''''"), (("c",), "1")]),
    "lines that end in CR LF": ("a = 1\r\nb = 2\r\n", [(("a",), "1"), (("b",), "2")]),
    "a date": ("a = 1979-05-27 07:32:00 \n", [(("a",), "1979-05-27 07:32:00")]),
    "what is no TOML": ('a = 1\nb = "x\nc = 2\n', [(("a",), "1"), (("b",), "")]),
}  # fmt: skip


@each("case", CASES)
def test_what_is_found(case: str) -> None:
    text, expected = CASES[case]
    found = statements(text)
    values = [one.value and text[slice(*one.value)] for one in found]
    assert list(zip([one.path for one in found], values, strict=True)) == expected


def test_lines_and_tables() -> None:
    text = "a = 1\n\n[b]  # c\nd = [\n  2,\n]\n[[e]]\n"
    lines = [text[one.start : one.end] for one in statements(text)]
    assert lines == ["a = 1\n", "[b]  # c\n", "d = [\n  2,\n]\n", "[[e]]\n"]
    assert [one.table for one in statements(text)] == [(), ("b",), ("b",), ("e",)]
    assert [one.array for one in statements(text)] == [False, False, False, True]
