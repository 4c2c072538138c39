"""What stands in a base URL: who says it, what may stand there, and what is told when it can't."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.catalogue import Auth, Catalogue, Provider
from pointsman.core.configuration import build, provider_from
from pointsman.core.environment import Environment
from pointsman.core.errors import ConfigError
from pointsman.core.layers import Layer, read
from pointsman.core.parameters import Parameter, fill
from pointsman.core.variables import overlay, variable_of
from tests.each import each


class Plain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dialect without quirks."""


DIALECTS = {"openai-chat": Plain}
CLOUD = """\
id = "cloud"
base_url = "https://{host}/v1/projects/{project}/locations/{place}"
[parameters.project]
env = "CLOUD_PROJECT"
description = "the project that pays"
[parameters.place]
env = ["CLOUD_PLACE", "CLOUD_ZONE"]
default = "global"
[parameters.host]
of = "place"
default = "{place}-cloud.example"
cases = { global = "cloud.example", eu = "cloud.eu.example" }
"""
OFFICE = """\
id = "office"
base_url = "{endpoint}/openai/v1"
auth = { scheme = "header", header = "api-key", env = "OFFICE_KEY" }
parameters.endpoint = { env = "OFFICE_ENDPOINT", format = "url" }
"""


def catalogue(user: str = "", **variables: str) -> Catalogue:
    """What holds for a connection with these variables."""
    reading = read([*(Layer("shipped", text, "shipped") for text in (CLOUD, OFFICE)), Layer("user.toml", user)])
    said = overlay(Environment(variables), reading.providers, reading.owned_variables, reading.parameter_variables)
    return build(reading, DIALECTS, said)


def url(id: str, user: str = "", **variables: str) -> str:
    found = catalogue(user, **variables)
    assert found.problems == ()
    return found.providers[id].base_url


ZONES = "https://{host}/v1/projects/p1/locations/{place}"


@each(
    ("variables", "host", "place"),
    [
        ({}, "cloud.example", "global"),
        ({"CLOUD_ZONE": "eu"}, "cloud.eu.example", "eu"),
        ({"CLOUD_ZONE": "us-east1"}, "us-east1-cloud.example", "us-east1"),
        ({"CLOUD_PLACE": "asia", "CLOUD_ZONE": "us-east1"}, "asia-cloud.example", "asia"),
        ({"CLOUD_PLACE": "", "CLOUD_ZONE": "us-east1"}, "us-east1-cloud.example", "us-east1"),
    ],
)
def test_variables_say_what_stands_there(variables: dict[str, str], host: str, place: str) -> None:
    assert url("cloud", CLOUD_PROJECT="p1", **variables) == ZONES.format(host=host, place=place)


def test_the_environment_wins_over_the_user_and_the_user_over_what_is_shipped() -> None:
    user = '[providers.cloud.parameters]\nplace.value = "asia"\nproject = { value = "p1" }\n'
    assert url("cloud", user) == ZONES.format(host="asia-cloud.example", place="asia")
    assert url("cloud", user, CLOUD_PLACE="eu") == ZONES.format(host="cloud.eu.example", place="eu")
    found = catalogue(user, CLOUD_PLACE="eu")
    assert found.origins["providers.cloud.parameters.place.value"] == "environment"
    assert found.origins["providers.cloud.parameters.project.value"] == "user.toml"
    assert found.providers["cloud"].configured_by_user
    own = user + 'host.value = "private.example"\n'
    assert url("cloud", own, CLOUD_PLACE="eu") == ZONES.format(host="private.example", place="eu")


@each(
    ("endpoint", "base_url"),
    [
        ("https://r.office.example", "https://r.office.example/openai/v1"),
        ("https://r.office.example/", "https://r.office.example/openai/v1"),
        ("http://127.0.0.1:8080/behind", "http://127.0.0.1:8080/behind/openai/v1"),
    ],
)
def test_a_whole_url_may_be_the_beginning(endpoint: str, base_url: str) -> None:
    assert url("office", OFFICE_ENDPOINT=endpoint) == base_url


def test_what_nobody_has_said_is_no_mistake() -> None:
    found = catalogue()
    assert found.problems == ()
    cloud, office = found.providers["cloud"], found.providers["office"]
    assert cloud.base_url == "https://cloud.example/v1/projects/{project}/locations/global"
    assert (cloud.missing, office.missing) == (("project",), ("endpoint",))
    assert catalogue(CLOUD_PROJECT="p").providers["cloud"].missing == ()
    without = fill("{host}/x", {"host": Parameter(of="place"), "place": Parameter()})
    assert without == "{host}/x"
    parameters = {"host": Parameter(of="place", default="{place}.x"), "place": Parameter()}
    asked = Provider(id="x", base_url="https://{host}/{place}", parameters=parameters)
    assert asked.missing == ("place",)


@each(
    "value",
    [
        "evil.example/",
        "a/b",
        "..",
        "a?b",
        "a#b",
        "a@b",
        "a:80",
        "a b",
        "-a",
        "a.",
        "é",
        "a\nb",
        "%2e",
        "{project}",
        "\\",
    ],
)
def test_a_name_stays_a_name(value: str) -> None:
    (problem,) = catalogue(CLOUD_PROJECT="p", CLOUD_PLACE=value).problems
    assert problem.file == "environment"
    assert "CLOUD_PLACE or CLOUD_ZONE: Expected a name" in problem.message
    assert "Correct CLOUD_PLACE or CLOUD_ZONE" in problem.hint
    assert "cloud" not in catalogue(CLOUD_PROJECT="p", CLOUD_PLACE=value).providers, "no other place is taken instead"


@each(
    "value",
    ["r.office.example", "ftp://r", "https://", "https://h:x", "https://u:p@h", "https://h?a=b", "https://h#f",
     "https://h /x", "https://[::1", "https://é.example"],
)  # fmt: skip
def test_a_url_is_a_url(value: str) -> None:
    found = catalogue(OFFICE_ENDPOINT=value)
    (problem,) = found.problems
    assert "OFFICE_ENDPOINT: Expected" in problem.message
    assert "office" not in found.providers


@given(st.text())
def test_no_name_ever_changes_the_shape_of_a_url(value: str) -> None:
    parameters = {"region": Parameter(value=value)}
    try:
        filled = fill("https://a.{region}.example/b/{region}/c", parameters)
    except msgspec.ValidationError:
        return
    parts = urlsplit(filled)
    assert parts.netloc.startswith("a.")
    assert parts.netloc.endswith(".example")
    assert parts.hostname == parts.netloc.lower()
    assert parts.path == f"/b/{value}/c"
    assert (parts.query, parts.fragment, parts.username) == ("", "", None)


CORP = '[providers.corp]\nbase_url = "https://{where}.example"\n'


@each(
    ("text", "words", "line"),
    [
        (CORP, "`base_url`: `{where}` stands in it, but nothing says what `parameters.where` is", 2),
        (CORP + 'parameters.where.value = "a/b"\n', "`parameters.where.value`: Expected a name", 3),
        (CORP + 'parameters.where.default = "a/b"\n', "`parameters.where.default`: Expected a name", 3),
        (CORP + 'parameters.where = { format = "url" }\n', "is a whole URL, and so it can only be its beginning", 2),
        (CORP + 'parameters.where = { of = "other" }\n', "There is no parameter 'other' that stands for itself", 3),
        (CORP + 'parameters.where = { of = "where" }\n', "There is no parameter 'where' that stands for itself", 3),
        (CORP + 'parameters.where = { valu = "x" }\n', "unknown field `valu`", 3),
        (CORP + 'parameters.where = "x"\n', "`parameters.where`: Expected a table, got text", 3),
        (
            CORP + "[providers.corp.parameters]\na.value = '1'\nwhere.value = 1\n",
            "`parameters.where.value`: Expected",
            5,
        ),
        (CORP + 'parameters = "x"\n', "`parameters`: Expected a table, got text", 3),
        (
            CORP + 'parameters = { w = { default = "g" }, where = { of = "w", cases = { g = "a/b" } } }\n',
            "`parameters.where.cases`: Expected a name",
            3,
        ),
        ('[providers.corp]\nbase_url = "{e}x"\nparameters.e = { format = "url" }', "can only be its beginning", 2),
        ('[providers.corp]\nbase_url = "{e}/x"\nparameters.e = { format = "name" }', "Expected an absolute", 2),
        ('[providers.corp]\nbase_url = "https://h"\nauth.scheme = "aws"', "say it as `parameters.region`", 3),
    ],
)
def test_what_is_wrong_in_a_file_is_told_on_its_line(text: str, words: str, line: int) -> None:
    found = catalogue(text)
    (problem,) = found.problems
    assert words in problem.message
    assert (problem.file, problem.line) == ("user.toml", line)
    assert "corp" not in found.providers


def test_a_mistake_in_a_definition_takes_no_variable_with_it() -> None:
    assert catalogue('providers.cloud.parameters = "x"', CLOUD_PROJECT="p").providers.keys() == {"office"}
    assert catalogue("providers.cloud.parameters.project.env = 3", CLOUD_PROJECT="p").providers.keys() == {"office"}


def test_the_template_is_kept_for_other_values() -> None:
    found = catalogue(CLOUD_PROJECT="p1").providers["cloud"]
    assert found.template == "https://{host}/v1/projects/{project}/locations/{place}"
    assert catalogue('providers.plain.base_url = "https://h"').providers["plain"].template == ""
    assert catalogue('[providers.plain]\nbase_url = "https://h"\ntemplate = "x"').providers["plain"].template == ""


def test_one_provider_alone_is_filled_too() -> None:
    table: dict[str, Any] = {"base_url": "https://{a}.example", "parameters": {"a": {"value": "x"}}}
    assert provider_from("corp", table, DIALECTS).base_url == "https://x.example"
    with pytest.raises(ConfigError, match="Expected a name"):
        provider_from("corp", {**table, "parameters": {"a": {"value": "/"}}}, DIALECTS)


def test_a_request_is_signed_for_a_region() -> None:
    signed = Provider(id="x", base_url="https://h", auth=Auth("aws"), parameters={"region": Parameter()})
    assert (signed.region, signed.missing) == (None, ("region",))
    there = msgspec.structs.replace(signed, parameters={"region": Parameter(default="eu-1")})
    assert (there.region, there.missing) == ("eu-1", ())
    assert Provider(id="x", base_url="https://h").region is None


def test_which_variable_said_a_parameter() -> None:
    assert variable_of("cloud", "parameters.place.value", {"place": ("A", "B")}) == "A or B"


def test_what_has_no_parameters_misses_none() -> None:
    assert Provider(id="p", base_url="https://p.example").missing == ()
