"""Layers of TOML in, one catalogue out: what wins, where it came from, and what is said of each kind of mistake."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from pointsman.core.catalogue import (
    Auth,
    Catalogue,
    Chain,
    Daemon,
    Limits,
    Links,
    OverallLimits,
    Problem,
    Provider,
    Timeout,
)
from pointsman.core.configuration import parse
from pointsman.core.layers import Layer
from tests.each import each


class PlainQuirks(Struct, frozen=True, forbid_unknown_fields=True):
    """What the usual dialect may do differently, here."""

    accent: bool = False
    pause: int = 0


class LoudQuirks(Struct, frozen=True, forbid_unknown_fields=True):
    """What another may."""

    volume: int = 1
    shout: bool = False


DIALECTS: Mapping[str, type[Struct]] = {"openai-chat": PlainQuirks, "loud": LoudQuirks}

SHIPPED = Layer(
    "shipped:acme.toml",
    """\
id = "acme"
name = "Acme"
base_url = "https://acme.example/v1"
auth = { scheme = "header", env = "ACME_KEY", header = "x-acme" }
default_model = "big"
models = ["big", "small"]
[timeout]
connect = 3
first_event = 40
[aliases]
b = "big"
[links]
keys = "https://acme.example/keys"
""",
    "shipped",
)


def read(*texts: str, below: tuple[Layer, ...] = (SHIPPED,)) -> Catalogue:
    """The catalogue of the shipped provider and of user's files, the first of which is `0.toml`."""
    return parse([*below, *(Layer(f"{n}.toml", text) for n, text in enumerate(texts))], DIALECTS)


def sound(*texts: str) -> Catalogue:
    catalogue = read(*texts)
    assert catalogue.problems == ()
    return catalogue


# What is right


def test_a_shipped_definition() -> None:
    catalogue = sound()
    assert catalogue.providers == {
        "acme": Provider(
            id="acme",
            name="Acme",
            base_url="https://acme.example/v1",
            auth=Auth("header", "ACME_KEY", "x-acme"),
            default_model="big",
            models=("big", "small"),
            timeout=Timeout(3, 40),
            aliases={"b": "big"},
            links=Links(keys="https://acme.example/keys"),
        )
    }
    assert (catalogue.default, catalogue.aliases, catalogue.chains) == (None, {}, {})
    assert catalogue.daemon == Daemon()


def test_a_user_s_file_wins_value_by_value() -> None:
    provider = sound(
        """
        [providers.acme]
        base_url = "https://proxy.example/v1"
        models = ["tiny"]
        timeout = { first_event = 99 }
        aliases = { t = "tiny" }
        """
    ).providers["acme"]
    assert (provider.name, provider.base_url, provider.models) == ("Acme", "https://proxy.example/v1", ("tiny",))
    assert provider.timeout == Timeout(3, 99)
    assert provider.aliases == {"b": "big", "t": "tiny"}
    assert provider.configured_by_user


def test_a_later_file_wins_over_an_earlier_one() -> None:
    catalogue = sound(
        """
        default = "acme:big"
        aliases = { one = "acme:big", two = "acme:big" }
        chains.all = ["acme:big", "acme:small"]
        [daemon]
        idle_exit = "never"
        drain = 5
        [providers.acme]
        max_retries = 7
        """,
        """
        aliases = { two = "acme:small" }
        chains.all = ["acme:small"]
        daemon.drain = 1
        providers.acme.name = "Mine"
        """,
    )
    assert catalogue.default == "acme:big"
    assert catalogue.aliases == {"one": "acme:big", "two": "acme:small"}
    assert catalogue.chains == {"all": Chain(("acme:small",))}
    assert catalogue.daemon == Daemon("never", 1)
    assert (catalogue.providers["acme"].name, catalogue.providers["acme"].max_retries) == ("Mine", 7)


def test_limits_are_off_until_the_user_s_own_file_sets_them() -> None:
    assert sound().limits == OverallLimits() == OverallLimits(None, None, None)
    limits = "[limits]\nper_client_per_minute = 60\nper_minute = 600\n[providers.acme.limits]\nconcurrency = 5\n"
    catalogue = sound(limits)
    assert catalogue.limits == OverallLimits(per_client_per_minute=60, per_minute=600)
    assert catalogue.providers["acme"].limits == Limits(concurrency=5)
    own = Layer("p.toml", "limits.per_minute = 9", "project")
    project = parse([SHIPPED, Layer("0.toml", limits), own], DIALECTS)
    assert project.limits.per_minute == 600
    assert "`limits` can't be set by a project" in project.problems[-1].message


def test_each_value_remembers_where_it_came_from() -> None:
    origins = sound(
        """
        default = "acme"
        aliases = { one = "acme:big", two = "acme:big" }
        [providers.acme]
        timeout = { first_event = 99 }
        """,
        'aliases.two = "acme:small"',
    ).origins
    assert {path: origins[path] for path in origins if not path.startswith("providers.acme.auth")} == {
        "default": "0.toml",
        "aliases": "1.toml",
        "aliases.one": "0.toml",
        "aliases.two": "1.toml",
        "providers": "0.toml",
        "providers.acme": "0.toml",
        "providers.acme.timeout": "0.toml",
        "providers.acme.timeout.first_event": "0.toml",
        "providers.acme.timeout.connect": SHIPPED.origin,
        **dict.fromkeys(
            [
                *(f"providers.acme.{name}" for name in ("name", "base_url", "default_model", "models")),
                *(f"providers.acme.{name}" for name in ("aliases", "aliases.b", "links", "links.keys")),
            ],
            SHIPPED.origin,
        ),
    }


def test_a_provider_that_nobody_has_heard_of() -> None:
    provider = sound('[providers.corp]\nbase_url = "https://llm.corp.example/v1"').providers["corp"]
    assert provider == Provider(id="corp", base_url="https://llm.corp.example/v1", configured_by_user=True)
    assert (provider.title, provider.wire, provider.kind) == ("corp", "openai-chat", "custom")
    assert not sound().providers["acme"].configured_by_user


def test_the_limits_where_nobody_says_otherwise() -> None:
    assert Timeout() == Timeout(connect=10, first_event=120, between_events=120)
    assert Daemon() == Daemon(idle_exit=3600, drain=10)
    assert sound('[providers.x]\nbase_url = "http://h"').providers["x"].max_retries == 2


def test_names_of_variables_may_be_one_or_several() -> None:
    assert Auth(env="A").variables == ("A",)
    assert Auth(env=("A", "B")).variables == ("A", "B")
    assert Auth().variables == ()


def test_names_of_models() -> None:
    provider = sound().providers["acme"]
    assert (provider.model("b"), provider.model("other")) == ("big", "other")
    assert provider.names == {"b", "big", "small"}


# What is wrong

EXAMPLE = "docs/configuration.md"

MISTAKES: dict[str, tuple[str, int | None, str, str]] = {
    "no TOML": ('default = "acme"\ndefault', 2, "Not valid TOML", "Mend that line"),
    "no TOML at the end": ("x = [1,\n2,\n", 3, "Not valid TOML", "Mend that line"),
    "a value twice": ('default = "a"\n\ndefault = "b"\n', 3, "Not valid TOML", "Mend that line"),
    "too deep": ("x = " + "[" * 5000, None, "Not valid TOML", "Mend that line"),
    "a number too long for Python": ("x = " + "1" * 5000, 1, "Not valid TOML", "Mend that line"),
    "not text": ("\x00", 1, "Not valid TOML", "Mend that line"),
    "unknown at the top": ('\ndefualt = "x"', 2, "unknown field `defualt`", "`default`"),
    "unknown table": ("\n[alises]\na = 1\nb = 2", 2, "unknown field `alises`", "`aliases`"),
    "nothing like it": ("zzz = 1", 1, "unknown field `zzz`", "Known here: default, fallback, aliases, chains, "),
    "the wrong type at the top": ("# hm\ndefault = 3", 2, "`default`: Expected text, got", EXAMPLE),
    "a table for a string": ("[default]\nx = 1", 1, "`default`: Expected text, got", EXAMPLE),
    "a string for a table": ('aliases = "x"', 1, "`aliases`: Expected a table", EXAMPLE),
    "an alias that is no name": ('[aliases]\na = "acme"\nb = 3', 3, "`aliases.b`: Expected text", EXAMPLE),
    "a chain that is no list": ('chains.c = "acme:big"', 1, "`chains.c`: Expected a table or a list", EXAMPLE),
    "a link that is no name": ("[chains]\nc = [1]", 2, "`chains.c`: Expected text", EXAMPLE),
    "a provider that is no table": ("[providers]\nx = 3", 2, "`providers.x`: Expected a table", EXAMPLE),
    "unknown in the daemon": ("[daemon]\nidle = 3", 2, "unknown field `idle`", "`idle_exit`"),
    "a limit that is too long": ("[daemon]\ndrain = 16", 2, "`daemon.drain`: Expected a number, at most 15.", EXAMPLE),
    "unknown in a chain": ("[chains.c]\ntargets = []\nstrategi = 3", 3, "unknown field `strategi`", "`strategy`"),
    "unknown in the limits": ("[limits]\nper_minutes = 3", 2, "unknown field `per_minutes`", "`per_minute`"),
    "no request at all": (
        "[limits]\nconcurrency = 0",
        2,
        "`limits.concurrency`: Expected a whole number, at least 1.",
        EXAMPLE,
    ),
    "a limit of nothing": ("[daemon]\ndrain = 0", 2, "`daemon.drain`: Expected a number, above 0.", EXAMPLE),
    "unknown in a provider": (
        '\n[providers.x] # mine\nbase_url = "http://h"\nbase-url = "http://h"',
        4,
        "[providers.x] Object contains unknown field `base-url`",
        "`base_url`",
    ),
    "unknown in a provider's table": (
        '[providers.x]\nbase_url = "http://h"\n[providers.x.auth]\nenv = "K"\nschem = "none"',
        5,
        "unknown field `schem`",
        "`scheme`",
    ),
    "unknown in an inline table": (
        '[providers.x]\nbase_url = "http://h"\nauth = { schem = "none" }',
        3,
        "unknown field `schem`",
        "`scheme`",
    ),
    "an inner field is not known outside": (
        '[providers.x]\nbase_url = "http://h"\nscheme = "none"',
        3,
        "unknown field `scheme`",
        "Known here: name, kind,",
    ),
    "no base URL": ("\n[providers.x]", 2, "[providers.x] Object missing required field `base_url`", EXAMPLE),
    "no base URL, and other tables": ("[providers.x.auth]\n", 1, "missing required field `base_url`", EXAMPLE),
    "a base URL that is no text": ("[providers.x]\nbase_url = 3", 2, "`base_url`: Expected text", EXAMPLE),
    "a base URL without a scheme": ('[providers.x]\nbase_url = "h/v1"', 2, "`base_url`: Expected an absolute", EXAMPLE),
    "a base URL without a host": ('[providers.x]\nbase_url = "http:///v1"', 2, "`base_url`: Expected an abs", EXAMPLE),
    "a base URL with half an address": ('[providers.x]\nbase_url = "http://[::1"', 2, "`base_url`: Exp", EXAMPLE),
    "a kind that is none": ('[providers.acme]\nkind = "best"', 2, "`kind`: Invalid enum value 'best'", EXAMPLE),
    "a limit out of bounds": (
        "providers.acme.max_retries = 11",
        1,
        "`max_retries`: Expected a whole number, at most 10",
        EXAMPLE,
    ),
    "a limit that never comes": ("providers.acme.timeout.connect = inf", 1, "`timeout.connect`: Expected", EXAMPLE),
    "a limit that is no number": ("[providers.acme.timeout]\nconnect = nan", 2, "`timeout.connect`: Exp", EXAMPLE),
    "a table over a value": ("[providers.acme.base_url]\na = 1", 1, "`base_url`: Expected text", EXAMPLE),
    "a value over a table": ("[providers.acme]\nauth = 'none'", 2, "`auth`: Expected a table", EXAMPLE),
    "a header that is no text": ("[providers.acme.headers]\nX-Team = 3", 1, "`headers`: Expected text", EXAMPLE),
    "an id of its own": ("[providers.acme]\nid = 'other'", 2, "`id`: The name of the table is the id", EXAMPLE),
    "an unknown dialect": (
        '[providers.acme]\nwire = "openai-chta"',
        2,
        "`wire`: Unknown wire 'openai-chta'.",
        "Did you mean `openai-chat`?",
    ),
    "a dialect that is no text": ("providers.acme.wire = []", 1, "`wire`: Expected text", EXAMPLE),
    "an unknown quirk": (
        "[providers.acme]\nwire = 'loud'\nquirks = { volum = 2 }",
        3,
        "unknown field `volum`",
        "`volume`",
    ),
    "another dialect's quirk": (
        "[providers.acme]\nquirks = { volume = 2 }",
        2,
        "unknown field `volume`",
        "Known here: accent, pause.",
    ),
    "a quirk of the wrong type": (
        "[providers.acme]\nwire = 'loud'\n[providers.acme.quirks]\nvolume = 'high'",
        4,
        "`quirks.volume`: Expected a whole number",
        EXAMPLE,
    ),
}
FINE = """
default = "fine"
[chains]
f = ["fine"]
[daemon]
drain = 3
[providers.fine]
base_url = "https://f.example"
"""


@each("case", MISTAKES)
def test_a_mistake_is_told_with_its_place_and_what_to_do(case: str) -> None:
    text, line, message, hint = MISTAKES[case]
    (problem,) = read(text).problems
    assert (problem.file, problem.line) == ("0.toml", line)
    assert message in problem.message
    assert hint in problem.hint
    for sentence in (problem.message, problem.hint):
        assert sentence.endswith((".", "?"))
        assert "$" not in sentence


@each("case", [case for case in MISTAKES if "Not valid TOML" not in MISTAKES[case][2]])
def test_a_mistake_costs_nothing_but_itself(case: str) -> None:
    text, _, _, _ = MISTAKES[case]
    catalogue = read(FINE, text)
    assert len(catalogue.problems) == 1
    assert catalogue.providers["fine"].base_url == "https://f.example"
    assert (catalogue.default, catalogue.chains["f"].targets, catalogue.daemon.drain) == ("fine", ("fine",), 3)
    assert ("acme" in catalogue.providers) == ("providers.acme" not in text)


def test_a_mistake_costs_nothing_else_in_its_own_table() -> None:
    catalogue = read(
        """
        default = 3
        [aliases]
        good = "acme:big"
        bad = 1
        [chains]
        bad = [2]
        good = ["acme:big"]
        [daemon]
        idle_exit = "sometimes"
        drain = 4
        [providers]
        bad = "x"
        good = { base_url = "https://good.example" }
        worse = { base_url = "good.example" }
        """
    )
    assert [problem.line for problem in catalogue.problems] == [2, 5, 7, 10, 13, 15]
    assert catalogue.aliases == {"good": "acme:big"}
    assert catalogue.chains == {"good": Chain(("acme:big",))}
    assert catalogue.daemon == Daemon(drain=4)
    assert set(catalogue.providers) == {"acme", "good"}


def test_the_file_that_is_named_is_the_one_with_the_mistake() -> None:
    catalogue = read(
        '[providers.x]\nmax_retries = 99\nbase_url = "http://h"',
        '[providers.x]\nname = "X"\n[providers.acme]\nname = "A"\nkeyz = []',
    )
    assert [(problem.file, problem.line) for problem in catalogue.problems] == [("1.toml", 5), ("0.toml", 2)]


def test_a_default_that_does_not_fit_is_told_where_the_provider_is() -> None:
    (problem,) = parse([Layer("u.toml", "[providers.x]\nbase_url = 'http://h'")], {"loud": LoudQuirks}).problems
    assert (problem.file, problem.line) == ("u.toml", 1)
    assert "Unknown wire 'openai-chat'." in problem.message
    assert problem.hint == "Known here: loud."


def test_the_wrong_line_is_not_taken_for_one_of_another_table() -> None:
    text = '[providers.y]\nbase_url = "http://y"\n[providers.x]\nname = "base_url"\nbase_url = "x"\n'
    assert [problem.line for problem in read(text).problems] == [5]


def test_a_file_that_cannot_be_read_counts_as_empty() -> None:
    catalogue = parse([SHIPPED, Layer("u.toml", "", unreadable="Permission denied")], DIALECTS)
    assert catalogue.problems == (
        Problem(
            "u.toml",
            "The file can't be read: Permission denied.",
            "Make it a readable file of TOML; until then it counts as empty.",
        ),
    )
    assert set(catalogue.providers) == {"acme"}


# Any text whatever


TOP = ["default", "aliases", "chains", "providers", "daemon", "acme", "id", "configured_by_user", "base_url", "auth"]
INNER = ["env", "scheme", "wire", "quirks", "volume", "timeout", "connect", "keys", "headers"]
KEYS = st.text(max_size=2) | st.sampled_from(TOP + INNER)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.integers() | st.booleans() | st.floats() | st.sampled_from(["", "http://h", "http://[", "acme:big", "loud"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=5,
)


def toml(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case float():
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False)


PROVIDERS = st.builds(
    lambda sure, odd: sure | odd,
    st.sampled_from([{}, {"base_url": "http://h"}, {"base_url": "echo:", "wire": "loud"}]),
    st.dictionaries(KEYS, VALUES, max_size=4),
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(KEYS, VALUES, max_size=3), st.dictionaries(KEYS, PROVIDERS, max_size=3), st.text(max_size=9))
def test_no_text_is_too_odd(top: dict[str, Any], providers: dict[str, Any], rest: str) -> None:
    tables = [f"{toml(key)} = {toml(value)}" for key, value in top.items() if key != "providers"]
    tables += [f"providers.{toml(id)} = {toml(table)}" for id, table in providers.items()]
    for texts in (["\n".join(tables)], ["\n".join(tables) + rest], tables):
        catalogue = read(*texts)
        assert "acme" in catalogue.providers or catalogue.problems
        assert all(id == provider.id for id, provider in catalogue.providers.items())
        assert {problem.file for problem in catalogue.problems} <= {f"{n}.toml" for n in range(len(texts))}
