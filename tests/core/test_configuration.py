"""Whose word counts: variables over the project's file over the user's over ours, and what a project may not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import Struct

from pointsman.core.catalogue import Catalogue, Chain
from pointsman.core.configuration import build, loose, provider_from
from pointsman.core.environment import Environment
from pointsman.core.errors import ConfigError
from pointsman.core.layers import Layer, read
from pointsman.core.variables import overlay
from tests.each import each


class Plain(Struct, frozen=True, forbid_unknown_fields=True):
    """A dialect without quirks."""


DIALECTS: Mapping[str, type[Struct]] = {"openai-chat": Plain}
HOME = "https://acme.example/v1"
SHIPPED = Layer(
    "shipped:acme.toml",
    """\
id = "acme"
name = "Acme"
base_url = "https://acme.example/v1"
auth = { scheme = "bearer", env = "ACME_KEY" }
default_model = "big"
max_retries = 1
timeout = { connect = 3, first_event = 40 }
headers = { "X-From" = "ours" }
""",
    "shipped",
)


def user(text: str) -> Layer:
    return Layer("/home/me/pointsman.toml", text)


def project(text: str) -> Layer:
    return Layer("/project/.pointsman.toml", text, "project")


def catalogue(*layers: Layer, **variables: str) -> Catalogue:
    reading = read([SHIPPED, *layers])
    said = overlay(Environment(variables), reading.providers.keys(), reading.owned_variables)
    return build(reading, DIALECTS, said)


# Who wins

USER = user("""\
default = "acme:mine"
[aliases]
best = "acme:mine"
also = "acme:also"
[providers.acme]
max_retries = 2
timeout = { first_event = 50 }
""")


def test_each_layer_wins_over_those_below_it() -> None:
    values = {
        "ours": catalogue(),
        "the user's": catalogue(USER),
        "the variables'": catalogue(USER, ACME_MAX_RETRIES="3", ACME_TIMEOUT="60", ACME_BASE_URL="http://proxy"),
    }
    found = {name: each.providers["acme"] for name, each in values.items()}
    assert [p.max_retries for p in found.values()] == [1, 2, 3]
    assert [p.timeout.first_event for p in found.values()] == [40, 50, 60]
    assert [p.timeout.connect for p in found.values()] == [3, 3, 3]
    assert [p.base_url for p in found.values()] == ["https://acme.example/v1"] * 2 + ["http://proxy"]
    assert [p.configured_by_user for p in found.values()] == [False, True, True]
    assert [each.problems for each in values.values()] == [(), (), ()]


def test_a_project_chooses_over_the_user() -> None:
    found = catalogue(
        USER,
        project("""\
default = "acme:theirs"
[aliases]
best = "acme:theirs"
[chains]
work = ["acme:theirs", "acme:mine"]
"""),
    )
    assert found.problems == ()
    assert found.aliases == {"best": "acme:theirs", "also": "acme:also"}
    assert found.chains == {"work": Chain(("acme:theirs", "acme:mine"))}
    assert (found.default, found.project_default) == ("acme:mine", "acme:theirs")
    assert found.origins["aliases.best"] == "/project/.pointsman.toml"
    assert found.origins["aliases.also"] == found.origins["default"] == "/home/me/pointsman.toml"


def test_the_providers_of_the_user_keep_the_order_of_their_file() -> None:
    found = catalogue(user('fallback = "zed"\n[providers.zed]\nbase_url = "https://z.example"\n[providers.acme]\n'))
    assert (found.by_user, found.fallback) == (("zed", "acme"), "zed")
    assert catalogue().by_user == ()


def test_a_project_names_nobody_who_stands_in() -> None:
    found = catalogue(user('fallback = "acme"'), project('fallback = "acme:theirs"'))
    assert found.fallback == "acme"
    assert [problem.message.partition(":")[0] for problem in found.problems] == ["`fallback` can't be set by a project"]


def test_a_value_in_place_of_a_table_leaves_no_trace_of_it() -> None:
    mine = user('[chains]\nwork = { targets = ["acme"], strategy = "sticky" }\n')
    found = catalogue(mine, project('[chains]\nwork = ["acme:theirs"]\n'))
    assert found.chains == {"work": Chain(("acme:theirs",))}
    chains = {path: origin for path, origin in found.origins.items() if path.startswith("chains.")}
    assert chains == {"chains.work": "/project/.pointsman.toml"}
    assert "chains.work.strategy" in catalogue(mine).origins


def test_each_value_remembers_its_layer() -> None:
    origins = catalogue(
        USER, ACME_TIMEOUT="90", ACME_CUSTOM_HEADER_X_TEAM="b", FOO_API_KEY="k", FOO_BASE_URL="http://f"
    ).origins
    assert {path: origins[f"providers.{path}"] for path in ORIGINS} == ORIGINS


ORIGINS = {
    "acme.name": "shipped:acme.toml",
    "acme.timeout.connect": "shipped:acme.toml",
    "acme.headers.X-From": "shipped:acme.toml",
    "acme.max_retries": "/home/me/pointsman.toml",
    "acme.timeout.first_event": "environment",
    "acme.headers.X-Team": "environment",
    "foo.base_url": "environment",
}


# What variables make


def test_a_provider_that_variables_make() -> None:
    found = catalogue(FOO_API_KEY="k", FOO_BASE_URL="http://foo/v1", FOO_CUSTOM_HEADER_X="y").providers["foo"]
    assert (found.base_url, found.wire, found.headers) == ("http://foo/v1", "openai-chat", {"X": "y"})
    assert (found.auth.scheme, found.auth.variables) == ("bearer", ())
    assert not found.configured_by_user, "it is never chosen implicitly"


def test_variables_of_one_leave_the_others_catalogue_alone() -> None:
    reading = read([SHIPPED, USER])
    before = build(reading, DIALECTS)
    with_more = build(reading, DIALECTS, {"providers": {"acme": {"headers": {"X": "y"}, "max_retries": 9}}})
    assert with_more.providers["acme"].headers == {"X-From": "ours", "X": "y"}
    assert build(reading, DIALECTS) == before
    assert before.providers["acme"].headers == {"X-From": "ours"}


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "patience that is no number": ({"ACME_TIMEOUT": "soon"}, "ACME_TIMEOUT: Expected a number"),
    "no patience": ({"ACME_TIMEOUT": "0"}, "ACME_TIMEOUT: Expected a number, above 0"),
    "not a number": ({"ACME_TIMEOUT": "nan"}, "ACME_TIMEOUT: Expected"),
    "half a retry": ({"ACME_MAX_RETRIES": "2.5"}, "ACME_MAX_RETRIES: Expected a whole number"),
    "too many retries": ({"ACME_MAX_RETRIES": "99"}, "ACME_MAX_RETRIES: Expected a whole number, at most 10"),
    "a way that is none": ({"ACME_AUTH_MODE": "magic"}, "ACME_AUTH_MODE: Unknown scheme 'magic'."),
}


@each("case", WRONG)
def test_a_wrong_variable_is_told_and_costs_only_itself(case: str) -> None:
    variables, words = WRONG[case]
    found = catalogue(USER, **variables, ACME_CUSTOM_HEADER_X="y")
    (problem,) = {problem.message: problem for problem in found.problems}.values()
    assert words in problem.message
    assert (problem.file, problem.line) == ("environment", None)
    assert next(iter(variables)) in problem.hint
    plain = catalogue(USER, ACME_CUSTOM_HEADER_X="y")
    assert found.providers == plain.providers


def test_a_wrong_word_of_a_variable_is_told_with_the_nearest() -> None:
    (problem,) = catalogue(USER, ACME_AUTH_MODE="beerer").problems
    assert problem.hint.startswith("Did you mean `bearer`? Correct ACME_AUTH_MODE where ")
    (problem,) = catalogue(USER, ACME_AUTH_MODE="zzz").problems
    assert problem.hint.startswith("Known here: ")


def test_several_wrong_variables_are_all_told() -> None:
    found = catalogue(ACME_TIMEOUT="x", ACME_MAX_RETRIES="y", ACME_AUTH_MODE="z", FOO_API_KEY="k", FOO_BASE_URL="foo")
    told = " ".join(problem.message for problem in found.problems)
    assert [name in told for name in ("ACME_TIMEOUT", "ACME_MAX_RETRIES", "ACME_AUTH_MODE", "FOO_BASE_URL")] == [
        True
    ] * 4
    assert found.providers.keys() == {"acme"}


def test_a_wrong_address_never_falls_back_to_another_one() -> None:
    """A key would go to where this connection did not want it to go."""
    found = catalogue(ACME_BASE_URL="acme.example/v1")
    assert found.providers == {}
    (problem,) = found.problems
    assert "ACME_BASE_URL: Expected an absolute http(s) URL" in problem.message


def test_what_is_wrong_in_a_file_is_told_where_it_is_although_variables_speak_too() -> None:
    found = catalogue(user('[providers.acme]\nname = "A"\nkind = "best"\n'), ACME_MAX_RETRIES="3")
    (problem,) = found.problems
    assert (problem.file, problem.line) == ("/home/me/pointsman.toml", 3)


# What a project may not say

REFUSED = {
    "a table": ('default = "acme"\n\n[providers.acme]\nbase_url = "https://evil.example"\n', {"providers": 3}),
    "an inline table": ('providers.acme = { keys = ["k"] }\n', {"providers": 1}),
    "the daemon": ('[daemon]\nidle_exit = "never"\n', {"daemon": 1}),
    "a command": ('\ncommand = "rm"\n', {"command": 2}),
    "a header at the top": ('headers = { Authorization = "x" }\n', {"headers": 1}),
    "much": ('[providers.a]\nbase_url = "http://a"\n[daemon]\ndrain = 1\n', {"providers": 1, "daemon": 3}),
}


@each("case", REFUSED)
def test_a_project_never_redirects(case: str) -> None:
    text, lines = REFUSED[case]
    found = catalogue(USER, project(text))
    assert {problem.message.split("`")[1]: problem.line for problem in found.problems} == lines
    assert {problem.file for problem in found.problems} == {"/project/.pointsman.toml"}
    assert all("pointsman.toml" in problem.hint for problem in found.problems)
    assert found.providers == catalogue(USER).providers
    assert found.daemon == catalogue(USER).daemon
    assert (found.project_default is not None) == ("default" in text)


def test_what_is_right_in_a_project_counts_beside_what_is_refused() -> None:
    found = catalogue(
        project('default = 3\naliases = { a = "acme:big", b = 4 }\n[providers.x]\nbase_url = "http://x"\n')
    )
    assert (found.aliases, found.project_default) == ({"a": "acme:big"}, None)
    assert sorted(problem.line or 0 for problem in found.problems) == [1, 2, 3]


def test_a_project_that_is_no_toml_is_told() -> None:
    (problem,) = catalogue(project("default = \n")).problems
    assert (problem.file, problem.line) == ("/project/.pointsman.toml", 1)


# One provider alone


def test_a_provider_from_its_table() -> None:
    found = provider_from("corp", {"base_url": "http://corp", "timeout": {"connect": 1}}, DIALECTS)
    assert (found.id, found.base_url, found.timeout.connect) == ("corp", "http://corp", 1)


NO_PORT = {"client_id": "c", "token_url": "https://h:99999/t", "revoke_url": "https://h/r", "device_url": "https://h/d"}


@each(
    ("table", "words"),
    [
        ({}, "missing required field `base_url`"),
        ({"base_url": "x"}, "Expected an absolute"),
        ({"base_url": "http://h", "tiemout": 1}, "unknown field `tiemout`"),
        ({"base_url": "http://h", "health_check": "http://h:99999/"}, "`health_check`: Expected a path"),
        (
            {"base_url": "http://h", "credit": {"path": "http://g/", "remaining": ["x"]}},
            "`credit.path`: Expected a path",
        ),
        (
            {"base_url": "http://h", "credit": {"path": "http://h:99999/", "remaining": ["x"]}},
            "`credit.path`: Expected a path",
        ),
        ({"base_url": "http://h", "auth": {"oauth": NO_PORT}}, "`auth.oauth.token_url`: Expected `https://HOST/…`"),
        ({"base_url": "http://h", "auth": {"scheme": "odd"}}, "`auth.scheme`: Unknown scheme 'odd'."),
    ],
)
def test_what_is_no_provider(table: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        provider_from("corp", table, DIALECTS)
    assert words in caught.value.message
    assert caught.value.advice


# Names that lead nowhere


DEAD_ENDS = {
    "a circle": ('[aliases]\na = "b"\nb = "c"\nc = "a"\n', [2, 3, 4], "in a circle: a → b → c → a"),
    "a chain in itself": ('[chains]\nrec = ["chain:rec"]\n', [2], "in a circle: chain:rec → chain:rec"),
    "an empty chain": ("[chains]\nnone = []\n", [2], "The chain 'none' is empty"),
    "through a chain": ('[aliases]\na = "chain:c"\n[chains]\nc = ["a"]\n', [2, 4], "in a circle"),
}


@each("case", DEAD_ENDS)
def test_a_name_that_leads_nowhere_is_told_on_its_line(case: str) -> None:
    text, lines, words = DEAD_ENDS[case]
    found = catalogue(user(text)).problems
    assert [problem.line for problem in found] == lines
    assert words in found[0].message


def test_a_long_way_is_told_and_a_model_that_nobody_lists_is_none() -> None:
    long = "[aliases]\n" + "".join(f'a{n} = "a{n + 1}"\n' for n in range(30)) + 'a30 = "someday"\n'
    found = catalogue(user(long)).problems
    assert {problem.message.partition("leads")[2] for problem in found} == {" from name to name more than 20 times."}
    assert [problem.line for problem in found] == list(range(2, 13))


LOOSE_ENDS = {
    "a provider that is not there": ('[chains]\nc = ["gone:m", "listed-by-nobody-yet"]\n', [2], "'gone:m'"),
    "an alias of one": ('[aliases]\na = "gone:m"\nb = "a"\n[chains]\nc = ["a"]\nd = ["chain:c"]\n', [2], "'gone:m'"),
    "a chain that is not there": ('[chains]\nc = ["chain:d"]\n', [2], "There is no chain 'd'"),
    "nothing": ('[chains]\nc = ["acme:m", "listed-by-nobody-yet"]\n', [], ""),
}


@each("case", LOOSE_ENDS)
def test_a_name_of_what_is_not_there_is_told_and_no_mistake(case: str) -> None:
    text, lines, words = LOOSE_ENDS[case]
    found = catalogue(user(text))
    assert found.problems == ()
    told = loose(found, user(text).origin, text)
    assert [problem.line for problem in told] == lines
    assert all(words in problem.message and problem.hint for problem in told)
    assert loose(found, "another file", text) == []


# Whose prices hold


@each(
    ("text", "variables", "sold_at"),
    [
        ("", {}, HOME),
        ('[providers.acme]\nbase_url = "http://127.0.0.1:9"\n', {}, HOME),
        ("", {"ACME_BASE_URL": "http://127.0.0.1:9"}, HOME),
        (f'[providers.acme]\nbase_url = "http://127.0.0.1:9"\nprices_at = "{HOME}/eu"\n', {}, f"{HOME}/eu"),
        ('[providers.own]\nbase_url = "https://own.example"\n', {}, "https://own.example"),
    ],
)
def test_a_provider_that_is_led_elsewhere_keeps_its_prices(text: str, variables: dict[str, str], sold_at: str) -> None:
    *_, last = catalogue(user(text), **variables).providers.values()
    assert last.sold_at == sold_at
