"""Where a key may come from, as it is written, and what a file may say of that."""

from __future__ import annotations

from typing import Any

from pointsman.core.catalogue import Catalogue, Provider
from pointsman.core.configuration import build, parse
from pointsman.core.environment import Environment
from pointsman.core.layers import Layer, read
from pointsman.core.secret import Secret
from pointsman.core.sources import (
    Command,
    FromAccount,
    FromCommand,
    FromFile,
    FromVariable,
    Plain,
    Source,
    Written,
    carries_a_secret,
    mistake,
    sources,
    told,
)
from pointsman.core.variables import overlay
from pointsman.wire import QUIRKS
from tests.each import each


@each(
    ("written", "source"),
    [
        ("env:NAME", FromVariable("NAME")),
        ("env:", None),
        ("", None),
        (None, None),
        ("file:/run/key", FromFile("/run/key")),
        ("file:~/key", FromFile("~/key")),
        ("!OAUTH", FromAccount()),
        ("!oauth", Plain(Secret("!oauth"))),
        (Command(("pass", "show", "x")), FromCommand(("pass", "show", "x"))),
        ("not-a-real-key", Plain(Secret("not-a-real-key"))),
    ],
)
def test_what_is_written(written: Written | None, source: Source | None) -> None:
    assert sources([written, written]) == ((source,) if source else ())
    assert "not-a-real-key" not in repr(sources([written]))


@each("path", ["key", "", "~key", "./key", "../key"])
def test_a_file_is_named_from_the_root_or_the_home(path: str) -> None:
    assert mistake([f"file:{path}"]) == "Expected a path from the root, or from `~/`, behind `file:`"


@each("written", ["file:/key", "file:~/key", "env:key", "key", None])
def test_all_else_is_fine(written: str | None) -> None:
    assert mistake([written]) is None


def test_people_are_told_of_the_program_without_its_arguments() -> None:
    assert told(FromCommand(("pass", "show", "secret-place"))) == "the program `pass`"
    assert told(FromFile("~/key")) == "the file ~/key"


@each(("header", "secret"), [("Authorization", True), ("X-Api-Key", True), ("x-team", False), ("COOKIE", True)])
def test_headers_that_carry_a_secret(header: str, secret: bool) -> None:
    assert carries_a_secret(header) == secret


# In a file


def catalogue(toml: str, **variables: str) -> Catalogue:
    """What holds with this file, with our own definitions of one provider below it, for such an environment."""
    shipped = 'name = "Acme"\nbase_url = "https://acme.example/v1"\nauth = { scheme = "bearer", env = "ACME_KEY" }\n'
    reading = read([Layer("shipped:acme.toml", shipped, "shipped", id="acme"), Layer("my.toml", toml)])
    environment = Environment(variables)
    layer = overlay(
        environment,
        reading.providers.keys(),
        reading.owned_variables,
        reading.parameter_variables,
        reading.key_variables,
    )
    return build(reading, QUIRKS, layer)


def acme(toml: str, **variables: str) -> Provider:
    found = catalogue(f"[providers.acme]\n{toml}\n", **variables)
    assert not found.problems
    return found.providers["acme"]


def test_one_key_or_several() -> None:
    assert acme('api_key = "env:X"\nkeys = ["env:Y", "env:X", { command = ["a"] }]').sources == (
        FromVariable("X"),
        FromVariable("Y"),
        FromCommand(("a",)),
    )
    assert acme('api_key = { command = ["a", "b"] }').sources == (FromCommand(("a", "b")),)


@each(
    ("toml", "words"),
    [
        ('keys = ["file:here"]', "`keys`: Expected a path from the root"),
        ('api_key = "file:here"', "`api_key`: Expected a path from the root"),
        ("keys = [{ command = [] }]", "not empty"),
        ('keys = [{ command = [""] }]', "not empty"),
        ('keys = [{ command = ["a"], shell = true }]', "unknown field `shell`"),
        ("api_key = 7", "api_key"),
        ('api_key = "x"\nauth.scheme = "passthrough"', "`api_key` can't stand beside it"),
        ('keys = ["env:X"]\nauth.scheme = "passthrough"', "`keys` can't stand beside it"),
        ('auth = { scheme = "passthrough", env = "MINE" }', "`auth.env` can't stand beside it"),
    ],
)
def test_what_is_wrong_is_told_and_sends_nothing(toml: str, words: str) -> None:
    found = catalogue(f"[providers.acme]\n{toml}\n")
    (problem,) = found.problems
    assert words in problem.message
    assert "acme" not in found.providers


def test_what_a_shipped_definition_names_is_only_unused() -> None:
    assert acme('auth.scheme = "passthrough"').auth.scheme == "passthrough"


def test_a_variable_that_would_mix_is_left_out_and_told() -> None:
    found = catalogue('[providers.acme]\nkeys = ["env:X"]\n', ACME_AUTH_MODE="passthrough")
    assert found.providers["acme"].auth.scheme == "bearer"
    (problem,) = found.problems
    assert "ACME_AUTH_MODE" in problem.message


@each(
    ("toml", "variables", "scheme"),
    [
        ("", {}, "bearer"),
        ('auth.scheme = "oauth"', {}, "oauth"),
        ('api_key = "!OAUTH"', {}, "oauth"),
        ('keys = ["env:X", "!OAUTH"]', {}, "oauth"),
        ("", {"ACME_KEY": "!OAUTH"}, "oauth"),
        ("", {"ACME_API_KEY": "!OAUTH"}, "bearer"),
        ('api_key = "!OAUTH"', {"ACME_AUTH_MODE": "bearer"}, "bearer"),
        ("", {"ACME_KEY": "!OAUTH", "ACME_AUTH_MODE": "header"}, "header"),
        ("", {"ACME_AUTH_MODE": "oauth"}, "oauth"),
        ('auth.scheme = "oauth"', {"ACME_AUTH_MODE": "bearer"}, "bearer"),
    ],
)
def test_who_says_that_an_account_is_asked(toml: str, variables: dict[str, str], scheme: str) -> None:
    """`{P}_AUTH_MODE` wins over `!OAUTH`, and that over the scheme of the file."""
    assert acme(toml, **variables).auth.scheme == scheme


def test_the_variables_that_may_hold_a_key() -> None:
    toml = """
    [providers.two]
    base_url = "http://h"
    auth.env = ["A", "B"]
    [providers.acme-own]
    base_url = "http://h"
    [providers.odd]
    base_url = "http://h"
    auth = "bearer"
    [providers.my]
    base_url = "http://h"
    auth.env = "ACME_OWN_API_KEY"
    """
    reading = read([Layer("my.toml", toml)])
    assert dict(reading.key_variables) == {
        "two": ("A", "B"),
        "acme-own": (),
        "odd": ("ODD_API_KEY",),
        "my": ("ACME_OWN_API_KEY",),
    }


# Led elsewhere

WRITTEN = 'api_key = "not-a-real-key"\nheaders = { X-Team = "blue", X-Api-Key = "not-a-real-key-2" }'
OFFICE = '{name} = "{{endpoint}}/v1"\nparameters.endpoint = {{ format = "url", env = "OFFICE"{more} }}'


@each(
    ("variables", "written_for"),
    [
        ({}, None),
        ({"ACME_TIMEOUT": "3"}, None),
        ({"ACME_BASE_URL": "https://acme.example/v2"}, None),
        ({"ACME_BASE_URL": "https://acme.example:443/v2"}, None),
        ({"ACME_BASE_URL": "http://acme.example/v1"}, "https://acme.example:443"),
        ({"ACME_BASE_URL": "https://acme.example:8443/v1"}, "https://acme.example:443"),
        ({"ACME_BASE_URL": "https://elsewhere.example/v1"}, "https://acme.example:443"),
    ],
)
def test_where_what_is_written_may_go(variables: dict[str, str], written_for: str | None) -> None:
    found = catalogue(f"[providers.acme]\n{WRITTEN}\n", **variables)
    provider = found.providers["acme"]
    assert provider.written_for == written_for
    assert ("X-Api-Key" in provider.headers) == (written_for is None)
    assert provider.headers["X-Team"] == "blue"
    assert [problem.file for problem in found.problems] == ([] if written_for is None else ["environment"])
    for problem in found.problems:
        assert "X-Api-Key" in problem.message
        assert "not-a-real" not in str(problem)


def test_a_header_of_the_environment_goes_along() -> None:
    variables = {"ACME_BASE_URL": "https://elsewhere.example", "ACME_CUSTOM_HEADER_X_API_KEY": "mine"}
    found = catalogue("[providers.acme]\n", **variables)
    assert found.providers["acme"].headers == {"X-Api-Key": "mine"}
    assert not found.problems


@each(
    ("more", "variables", "written_for"),
    [
        ("", {"OFFICE": "https://elsewhere.example"}, ""),
        (', default = "https://office.example"', {"OFFICE": "https://elsewhere.example"}, "https://office.example:443"),
        (', value = "https://office.example"', {"OFFICE": "https://elsewhere.example"}, "https://office.example:443"),
        (', value = "https://office.example"', {"OFFICE": "https://office.example/x"}, None),
        (', value = "https://office.example"', {}, None),
        ("", {}, None),
    ],
)
def test_an_endpoint_that_a_variable_says(more: str, variables: dict[str, str], written_for: str | None) -> None:
    """A whole endpoint is an address; only what the files say of it counts for what is written in them."""
    toml = f"[providers.office]\n{OFFICE.format(name='base_url', more=more)}\n"
    assert catalogue(toml, **variables).providers["office"].written_for == written_for


def test_a_region_stays_within_its_host() -> None:
    toml = '[providers.cloud]\nbase_url = "https://{region}.cloud.example"\nparameters.region = { env = "REGION" }\n'
    assert catalogue(toml, REGION="eu-1").providers["cloud"].written_for is None
    led = catalogue(toml, REGION="eu-1", CLOUD_BASE_URL="https://elsewhere.example").providers["cloud"]
    assert led.written_for == "https://eu-1.cloud.example:443"


@each("base", ["7", '"https://h:port"', '"https://{nobody}"'])
def test_a_base_url_of_the_files_that_is_none(base: str) -> None:
    found = catalogue(f"[providers.odd]\nbase_url = {base}\n", ODD_BASE_URL="https://elsewhere.example")
    assert found.providers["odd"].written_for == ""


def test_headers_that_are_no_table() -> None:
    found = catalogue('[providers.acme]\nheaders = ["x"]\n', ACME_BASE_URL="https://elsewhere.example")
    assert "acme" not in found.providers


def test_a_provider_of_the_environment_alone() -> None:
    found = catalogue("", FOO_API_KEY="x", FOO_BASE_URL="https://foo.example")
    assert found.providers["foo"].written_for is None


def test_no_file_says_where_it_was_written_for() -> None:
    (provider,) = parse(
        [Layer("f", '[providers.a]\nbase_url = "http://h"\nwritten_for = "x"\n')], QUIRKS
    ).providers.values()
    assert provider.written_for is None


def test_numbered_variables_have_their_names() -> None:
    variables: Any = {"K": "a", "K_1": "b", "K_2": "c", "K_4": "d"}
    assert [name for name, _ in Environment(variables).numbered("K")] == ["K", "K_1", "K_2"]
    assert [name for name, _ in Environment({"K_1": "b"}).numbered("K")] == ["K_1"]
    assert Environment(variables).for_program("K", "K_1") == {"K_2": "c", "K_4": "d"}
