"""Definitions of providers in files of their own: where they lie between the layers, and where a mistake in one is."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from pointsman.core.catalogue import Catalogue, Limits
from pointsman.core.configuration import parse
from pointsman.core.layers import Layer, LayerKind
from tests.each import each


class Quirks(Struct, frozen=True, forbid_unknown_fields=True):
    """What the usual dialect may do differently, here."""

    volume: int = 1


DIALECTS: Mapping[str, type[Struct]] = {"openai-chat": Quirks}
BASE = 'base_url = "https://llm.corp.example/v1"\n'
SHIPPED = Layer("shipped:acme.toml", 'id = "acme"\nname = "Acme"\nmax_retries = 1\n' + BASE, "shipped")


def dropped(text: str, id: str = "corp") -> Layer:
    return Layer(f"/home/me/providers/{id}.toml", text, "dropped", id=id)


def read(*layers: Layer) -> Catalogue:
    return parse([SHIPPED, *layers], DIALECTS)


@each("text", [BASE, 'id = "corp"\n' + BASE, "[providers.corp]\n" + BASE])
def test_a_file_is_a_provider_however_it_is_written(text: str) -> None:
    catalogue = read(dropped(text))
    assert catalogue.problems == ()
    assert set(catalogue.providers) == {"acme", "corp"}
    assert catalogue.providers["corp"].configured_by_user
    assert not catalogue.providers["acme"].configured_by_user
    assert catalogue.origins["providers.corp.base_url"] == "/home/me/providers/corp.toml"


def test_the_user_s_own_file_wins_over_it_and_it_over_what_is_shipped() -> None:
    user = Layer("pointsman.toml", "[providers.acme]\nmax_retries = 3")
    acme = read(dropped('name = "Mine"\nmax_retries = 2', "acme"), user).providers["acme"]
    assert (acme.name, acme.max_retries, acme.configured_by_user) == ("Mine", 3, True)


MISTAKES = {
    "at the top": (BASE + "nmae = 1", 2, "unknown field `nmae`"),
    "of a type": ("# mine\n" + BASE + "max_retries = 11", 3, "`max_retries`: Expected"),
    "in a table": (BASE + "[links]\ndoc = 'x'", 3, "unknown field `doc`"),
    "in a quirk": (BASE + "[quirks]\nvolume = 'high'", 3, "`quirks.volume`: Expected"),
    "in the limits": (BASE + "[limits]\nweekly = 0", 3, "`limits.weekly`: Expected"),
    "below a table of its own": ("[providers.corp]\n" + BASE + "nmae = 1", 3, "unknown field `nmae`"),
    "without an address": ("# nothing yet", 1, "missing required field `base_url`"),
    "empty": ("", 1, "missing required field `base_url`"),
    "an id that is no name": ("id = ['a']\n" + BASE, 1, "no colon"),
    "no TOML": (BASE + "x", 2, "Not valid TOML"),
    "more than providers": ('default = "corp"\n[providers.corp]\n' + BASE, 1, "`default` can't stand beside"),
    "a feature that is none": (BASE + 'features = ["tools", "flying"]', 2, "Invalid enum value 'flying'"),
    "a health check elsewhere": (BASE + 'health_check = "https://evil.example/"', 2, "path of the provider's own host"),
    "a health check on a port": (
        BASE + 'health_check = "//llm.corp.example:8/x"',
        2,
        "path of the provider's own host",
    ),
}


@each("case", MISTAKES)
def test_a_mistake_is_told_on_its_line(case: str) -> None:
    text, line, words = MISTAKES[case]
    (problem,) = read(dropped(text)).problems
    assert words in problem.message
    assert (problem.file, problem.line) == ("/home/me/providers/corp.toml", line)
    assert problem.hint


@each(
    ("text", "line"),
    [('# mine\nid = "corp"\n' + BASE, 2), ("# mine\n[providers.corp]\n" + BASE, 2), (f"{BASE}id = 'corp'", 2), ("", 1)],
)
def test_two_that_define_the_same_are_told(text: str, line: int) -> None:
    other = Layer("/home/me/providers/another.toml", 'id = "corp"\nname = "First"\n' + BASE, "dropped", id="another")
    catalogue = read(other, dropped(text))
    (problem,) = catalogue.problems
    assert (problem.file, problem.line) == ("/home/me/providers/corp.toml", line)
    assert "'corp' is defined in /home/me/providers/another.toml as well" in problem.message
    assert catalogue.providers["corp"].name == "First"


def test_one_that_can_not_be_read() -> None:
    layer = Layer("/x.toml", "", "dropped", unreadable="Permission denied", id="x")
    (problem,) = read(layer).problems
    assert "Permission denied" in problem.message


@each(
    ("path", "url"),
    [
        ("key", "https://llm.corp.example/v1/key"),
        ("/health", "https://llm.corp.example/health"),
        ("../up?x=1", "https://llm.corp.example/up?x=1"),
    ],
)
def test_where_a_health_check_is(path: str, url: str) -> None:
    assert read(dropped(BASE + f'health_check = "{path}"')).providers["corp"].health_url == url
    assert read().providers["acme"].health_url is None


def test_what_a_plan_gives() -> None:
    text = BASE + "limits = { requests_per_minute = 60, weekly = 80, rolling = 225 }"
    assert read(dropped(text)).providers["corp"].limits == Limits(
        requests_per_minute=60, weekly=80, rolling=225, window_hours=5.0
    )


@each("kind", ["user", "dropped"])
def test_a_table_of_providers_that_is_none(kind: LayerKind) -> None:
    (problem,) = read(Layer("x.toml", "providers = 3", kind)).problems
    assert (problem.line, "`providers`: Expected" in problem.message) == (1, True)
