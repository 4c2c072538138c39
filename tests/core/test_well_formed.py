"""Names, addresses and headers of providers: each mistake is told in words of its own, and no value quoted."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from pointsman.core.configuration import parse
from pointsman.core.layers import Layer
from pointsman.core.well_formed import wrong_alias, wrong_chain
from tests.each import each

DIALECTS: Mapping[str, type[Struct]] = {"openai-chat": Struct}
NEVER = "sesame"
ELSE = "docs/configuration.md"


def check(text: str, line: int, message: str, hint: str) -> None:
    """Exactly that is told of the provider, which is left out."""
    catalogue = parse([Layer("0.toml", text)], DIALECTS)
    (problem,) = catalogue.problems
    assert catalogue.providers == {}
    assert problem.line == line
    assert message in problem.message
    assert hint in problem.hint
    for sentence in (problem.message, problem.hint):
        assert sentence.endswith(".")
        assert "$" not in sentence
        assert NEVER not in sentence


@each(
    ("url", "message", "hint"),
    [
        ("http://me:sesame@h/", "A name or a password belongs into `auth`", "`@`"),
        ("me:sesame@h/", "Expected an absolute http(s) URL", ELSE),
        ("h/v1", "Expected an absolute http(s) URL", ELSE),
        ("http:///v1", "Expected an absolute http(s) URL", ELSE),
        ("http://h:x/", "Expected an absolute http(s) URL", ELSE),
        ("http://[::1", "Expected an absolute http(s) URL", ELSE),
        ("javascript:1", "Expected an absolute http(s) URL", ELSE),
        ("http://h:99999/", "99999 is no port: they end at 65535", "behind the colon"),
        ("http://[::1]:65536", "65536 is no port", "behind the colon"),
        ("http://h/v1?key=sesame", "No query and no fragment", "`api_version`"),
        ("http://h/v1?", "No query and no fragment", "`?`"),
        ("http://h/v1#sesame", "No query and no fragment", "`#`"),
        ("ftp://h/v1", "nothing here speaks `ftp`", "https://"),
    ],
)
def test_an_address_that_can_not_be_asked(url: str, message: str, hint: str) -> None:
    check(f'[providers.x]\nbase_url = "{url}"', 2, f"`base_url`: {message}" if url[:3] != "ftp" else message, hint)


@each(
    ("id", "message"),
    [
        ("a:b", "no colon"),
        ("", "at least one letter"),
        ("../../etc", "only `-`, `_` and `.`"),
        ("..", "at least one letter"),
        ("a b", "only `-`, `_` and `.`"),
        ("a\\u202eb", "only `-`, `_` and `.`"),
        ("a\\nb", "only `-`, `_` and `.`"),
    ],
)
def test_a_name_that_can_be_none(id: str, message: str) -> None:
    check(f'[providers."{id}"]\nbase_url = "http://h"', 1, message, "another name")


@each(
    ("line", "message", "hint"),
    [
        ('headers = { "X Key" = "a" }', "`headers`: 'X Key' can't be the name of a header", "`X-Team`"),
        (r'headers = { X-Team = "sesame\r\nX-Other: b" }', "The value of 'X-Team' has a sign", "Leave that sign out"),
        ('headers = { X-Team = "grün" }', "The value of 'X-Team' has a sign", "Leave that sign out"),
        ('auth = { header = "x:key" }', "`auth.header`: 'x:key' can't be", "`X-Team`"),
    ],
)
def test_a_header_that_http_can_not_carry(line: str, message: str, hint: str) -> None:
    check(f'[providers.x]\nbase_url = "http://h"\n{line}', 3, message, hint)


@each("id", ["corp", "corp-2", "corp_2", "corp.example", "2", "größe", "仕事"])
@each("url", ["http://h", "https://h:65535/v1/", "http://[::1]:8080", "program:///bin/x", "echo://h"])
def test_what_is_right(id: str, url: str) -> None:
    text = f'[providers."{id}"]\nbase_url = "{url}"\nheaders = {{ "X-Team.1" = "blue; q=1\\t!" }}'
    catalogue = parse([Layer("0.toml", text)], DIALECTS)
    assert (catalogue.problems, catalogue.providers[id].base_url) == ((), url)


CHAIN = "`chain:` stands before the name of a chain, and is no part of it"
UNSEEN = "has no signs that nobody can see or type"
BLANKS = "must have letters, and no blanks around them"


@each(
    ("name", "message"),
    [
        *((name, None) for name in ("c", "two words", "v1.5_b", "é", "7", "a/b", "fast:cheap", "chain", "x" * 200)),
        *((name, f"The name of a chain {BLANKS}") for name in ("", "  ", "x\n", " x")),
        *((name, f"The name of a chain {UNSEEN}") for name in ("a\x07b", "a\u2028b", "a\u200db")),
        ("chain:q", CHAIN),
        ("x" * 201, "The name of a chain has 200 characters at most"),
    ],
)
def test_what_a_chain_may_be_called(name: str, message: str | None) -> None:
    found = wrong_chain(name)
    assert (found and found.partition(" → ")[0]) == message


@each(
    ("name", "message"),
    [
        *((name, None) for name in ("a", "qwen3:8b", "vendor/big", "two words", "chained", "x" * 200)),
        *((name, f"A short name {BLANKS}") for name in ("", "  ", " a", "x\n")),
        *((name, f"A short name {UNSEEN}") for name in ("a\x07b", "a\u2028b", "a\u200db")),
        *((name, "`chain:` begins the name of a chain, so no short name can") for name in ("chain:q", "chain")),
        ("x" * 201, "A short name has 200 characters at most"),
    ],
)
def test_what_a_short_name_may_be(name: str, message: str | None) -> None:
    found = wrong_alias(name)
    assert (found and found.partition(" → ")[0]) == message


@each(
    ("text", "line", "message"),
    [
        ('[chains]\nx = ["m"]\n"x\\n" = ["m"]\n', 3, f"[chains] The name of a chain {BLANKS}: 'x\\n'."),
        ('[chains]\n"x\\u000a" = ["m"]\ny = ["m"]\n', 2, f"[chains] The name of a chain {BLANKS}: 'x\\n'."),
        ('[chains."chain:q"]\ntargets = ["m"]\n', 1, f"[chains] {CHAIN}: 'chain:q'."),
        ('chains." c" = ["m"]\n', 1, f"[chains] The name of a chain {BLANKS}: ' c'."),
        ('[aliases]\nb = "m"\n"chain:q" = "m"\n', 3, "[aliases] `chain:` begins the name of a chain"),
        ('[aliases]\nb = "m"\n" c" = "m"\n', 3, "no blanks around them: ' c'."),
    ],
)
def test_a_name_that_nobody_could_use_is_told_on_its_line(text: str, line: int, message: str) -> None:
    catalogue = parse([Layer("0.toml", text)], DIALECTS)
    (problem,) = catalogue.problems
    assert problem.line == line
    assert problem.hint in {"Choose another.", "Leave it out once."}
    assert message in problem.message
    assert not {"x\n", "chain:q", " c"} & {*catalogue.chains, *catalogue.aliases}, "only that one is left out"


def test_a_line_that_only_looks_like_a_key_is_passed_over() -> None:
    text = '[aliases]\na = """\nb \\\\ c = 1\n"""\n"x\\n" = "m"\n'
    (problem,) = parse([Layer("0.toml", text)], DIALECTS).problems
    assert problem.line == 5
