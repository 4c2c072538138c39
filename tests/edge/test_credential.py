"""What a credential is called where it is remembered: always the same, and saying nothing."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pointsman.core.environment import Environment
from pointsman.core.http import Request
from pointsman.core.secret import Secret
from pointsman.core.stored import Record
from pointsman.edge.aws import AwsKeys, AwsProfile
from pointsman.edge.credential import Credential
from pointsman.edge.gcp import GoogleAccount
from pointsman.edge.plugin_way import PluginWay
from pointsman.edge.program_way import ProgramWay
from pointsman.edge.sources import KeyFile, KeyProgram

SALT = b"salt" * 8
KEY = Secret("sk-not-a-real-key-at-all")


async def by(request: Request, provider: object, variable: object) -> Request:
    """A plugin's way."""
    return request


def plugin(value: str) -> Credential:
    return Credential(way=PluginWay(by, (("NAME", Secret(value)),)))


@dataclass
class Case:
    """A credential made twice, and another one of its sort."""

    one: Credential
    same: Credential
    other: Credential


CASES = {
    "key": Case(Credential(KEY), Credential(Secret("sk-not-a-real-key-at-all")), Credential(Secret("sk-another"))),
    "file": Case(*(Credential(way=KeyFile(path, "/home")) for path in ("~/a", "/home/a", "/home/b"))),
    "program": Case(
        *(Credential(way=KeyProgram(["p", word], {"HOME": "/h"})) for word in ("a", "a", "b")),
    ),
    "plugin": Case(plugin("secret-1"), plugin("secret-1"), plugin("secret-2")),
    "AWS keys": Case(*(Credential(way=AwsKeys(id, KEY)) for id in ("AKIA1", "AKIA1", "AKIA2"))),
    "AWS profile": Case(*(Credential(way=AwsProfile(name, "/c", "/d", "/e")) for name in ("a", "a", "b"))),
    "Google": Case(*(Credential(way=GoogleAccount(file)) for file in ("/a", "/a", "/b"))),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_credential_has_one_name(case: Case) -> None:
    name = case.one.identity(SALT)
    assert case.same.identity(SALT) == name
    assert case.other.identity(SALT) != name
    assert case.one.identity(SALT[1:]) != name, "it says nothing to who does not have the salt"
    assert len(bytes.fromhex(name)) == 8


def test_a_stored_one_has_the_name_of_its_record_and_none_has_none() -> None:
    record = Record("id-1", "p", "https://p.example", "mine", KEY, "2026-01-01T00:00:00Z")
    assert Credential(KEY, record=record).identity(SALT) == "id-1"
    assert Credential().identity(SALT) == ""
    assert Credential(way=ProgramWay(Environment({"A": "1"}))).identity(SALT) == Credential(
        way=ProgramWay(Environment({"A": "2"}))
    ).identity(SALT)
