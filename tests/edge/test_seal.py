"""What is sealed opens with its key, in its place, unchanged; and in no other way. An exported file does likewise."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import BadRequest, VaultError
from pointsman.core.secret import Secret
from pointsman.core.stored import Record, Tokens
from pointsman.edge import portable, seal
from pointsman.edge.portable import opened, packed
from pointsman.edge.seal import Box, Key, open_contents, open_record, seal_contents, seal_record

KEY, OTHER = Key(b"k" * 32), Key(b"o" * 32)
TYPED = Record(
    "r1", "corp", "https://llm.corp.example:443", "work", Secret("sk-fake-0123456789"), "2026-11-21T00:00:00Z"
)
TOKENS = Tokens(
    access=Secret("fake-access"),
    refresh=Secret("fake-refresh"),
    expires_at=1.5,
    obtained_at=0.25,
    token_origin="https://auth.corp.example:443",  # noqa: S106 - no password
    account="acct",
    scope="a b",
    refresh_begun_at=7.0,
    refused="it said no",
)
SIGNED_IN = replace(TYPED, id="r2", label="me@corp.example", holds=TOKENS, version=9)
BARE = replace(SIGNED_IN, id="r3", holds=Tokens(Secret("fake"), None, None, 1.0, "https://a.example:443"))
RECORDS = [TYPED, SIGNED_IN, BARE, replace(TYPED, holds=Secret("")), replace(TYPED, label="é 日\n'\"", provider="")]


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase that costs next to nothing."""
    monkeypatch.setattr(portable, "SCRYPT_N", 2)
    monkeypatch.setattr(seal.key_of_passphrase, "__defaults__", (2,))


# A record


@pytest.mark.parametrize("record", RECORDS, ids=range(len(RECORDS)))
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    assert open_record(KEY, seal_record(KEY, 3, record)) == record


def test_nothing_secret_stands_in_the_clear() -> None:
    for record in (TYPED, SIGNED_IN):
        sealed = seal_record(KEY, 1, record)
        shown = repr(sealed).encode() + sealed.box.content + sealed.box.nonce
        for secret in record.secrets:
            assert secret.reveal().encode() not in shown
            assert secret.mask().rstrip("…").encode() not in shown


def test_the_same_record_never_looks_the_same() -> None:
    boxes = {seal_record(KEY, 1, TYPED).box for _ in range(100)}
    assert len({box.nonce for box in boxes}) == len({box.content for box in boxes}) == 100


def test_another_key_opens_nothing() -> None:
    assert open_record(OTHER, seal_record(KEY, 1, TYPED)) is None


MOVED: dict[str, Any] = {
    "number": 2,
    "id": "r9",
    "provider": "evil",
    "kind": "oauth",
    "version": 2,
    "origin": "https://evil.example:443",
    "label": "other",
    "added_at": "2027-01-01T00:00:00Z",
}


@pytest.mark.parametrize("name", MOVED)
def test_a_box_opens_in_its_own_place_alone(name: str) -> None:
    sealed = replace(seal_record(KEY, 1, TYPED), **{name: MOVED[name]})
    assert open_record(KEY, sealed) is None


def test_every_column_but_the_name_of_the_key_is_a_part_of_the_place() -> None:
    assert {field.name for field in fields(seal.Sealed)} == MOVED.keys() | {"key", "box"}


def test_columns_can_not_flow_into_each_other() -> None:
    sealed = seal_record(KEY, 1, replace(TYPED, provider="ab", origin="c"))
    assert open_record(KEY, replace(sealed, provider="a", origin="bc")) is None


@given(at=st.integers(0, 200), bit=st.integers(0, 7), nonce=st.booleans())
def test_no_bit_of_a_box_can_change(at: int, bit: int, nonce: bool) -> None:
    sealed = seal_record(KEY, 1, SIGNED_IN)
    part = bytearray(sealed.box.nonce if nonce else sealed.box.content)
    part[at % len(part)] ^= 1 << bit
    box = replace(sealed.box, **{"nonce" if nonce else "content": bytes(part)})
    assert open_record(KEY, replace(sealed, box=box)) is None


@pytest.mark.parametrize("box", [Box(b"", b""), Box(b"n" * 12, b""), Box(b"n" * 200, b"x" * 40), Box(b"n", b"x" * 40)])
def test_what_is_no_box_at_all_does_not_open(box: Box) -> None:
    assert open_record(KEY, replace(seal_record(KEY, 1, TYPED), box=box)) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"key": 1}', b"\xff", b'{"from_the_future": 1}', b"[" * 9000])
def test_a_box_of_something_else_is_no_record(content: bytes) -> None:
    sealed = seal_record(KEY, 1, TYPED)
    assert open_record(KEY, replace(sealed, box=KEY.seal(content, sealed.place))) is None


def test_the_list_of_contents_opens_with_its_key_alone() -> None:
    contents = seal_contents(KEY, "file", {"a": 1, "b": 2})
    assert open_contents(KEY, contents) == {"a": 1, "b": 2}
    assert open_contents(OTHER, contents) is None
    assert open_contents(KEY, replace(contents, source="keyring", key="x")) == {"a": 1, "b": 2}


def test_a_box_of_one_sort_is_none_of_another() -> None:
    contents = seal_contents(KEY, "file", {})
    sealed = seal_record(KEY, 1, TYPED)
    assert open_record(KEY, replace(sealed, box=contents.box)) is None
    assert open_contents(KEY, replace(contents, box=sealed.box)) is None


# A key


def test_a_key_shows_its_name_alone() -> None:
    assert repr(KEY) == str(KEY) == f"{KEY}" == f"Key({KEY.name})"
    assert KEY.text()[:8] not in repr(KEY)
    assert KEY.name != OTHER.name
    for careless in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            careless(KEY)


def test_keys_are_equal_by_what_they_are() -> None:
    assert Key.from_text(KEY.text()) == KEY
    assert len({KEY, Key(b"k" * 32), OTHER}) == 2
    assert KEY != "k" * 32
    assert Key.new() != Key.new()


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_none(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Key(b"x" * length)
    assert Key.from_text((b"x" * length).hex()) is None


def test_where_nothing_is_sealed_nothing_is_imported() -> None:
    code = "import sys, pointsman.service.vault; sys.exit(str({'cryptography', 'keyring'} & sys.modules.keys() or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20)
    assert done.stderr.strip() == ""


# An exported file


def test_an_export_comes_back_and_is_strong() -> None:
    text = packed(RECORDS, Secret("a fake passphrase"))
    head = json.loads(text)
    assert (head["kdf"], head["n"], head["r"], head["p"]) == ("scrypt", 2**17, 8, 1)
    assert opened(text, Secret("a fake passphrase")) == RECORDS
    for record in RECORDS:
        assert not any(secret and secret.reveal() in text for secret in record.secrets)
        assert not record.label or record.label not in text


@pytest.mark.usefixtures("cheap")
def test_two_exports_have_nothing_in_common() -> None:
    one, two = (json.loads(packed([TYPED], Secret("p"))) for _ in range(2))
    assert not {one["salt"], one["nonce"], one["box"]} & {two["salt"], two["nonce"], two["box"]}


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("name", ["salt", "nonce", "box", "n"])
def test_a_changed_export_does_not_open(name: str) -> None:
    values = json.loads(packed([TYPED], Secret("p")))
    values[name] = 4 if name == "n" else values[name][::-1]
    with pytest.raises((VaultError, BadRequest)):
        opened(json.dumps(values), Secret("p"))


@pytest.mark.usefixtures("cheap")
def test_another_passphrase_is_told() -> None:
    with pytest.raises(VaultError, match="does not open this file"):
        opened(packed([TYPED], Secret("p")), Secret("q"))


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": "something else"}, "no exported vault"),
        ({"version": 2}, "newer"),
        ({"kdf": "argon2"}, "newer"),
        ({"n": 2**30}, "newer"),
        ({"n": 3}, "newer"),
        ({"n": 0}, "newer"),
        ({"n": -2}, "newer"),
        ({"r": 2**20}, "newer"),
        ({"p": 2**20}, "newer"),
        ({"salt": "§"}, "no exported vault"),
        ({"nonce": ""}, "does not open"),
    ],
)
def test_what_is_no_export_of_ours_is_told_before_it_costs_anything(changes: dict[str, object], says: str) -> None:
    values = json.loads(packed([TYPED], Secret("p"))) | changes
    with pytest.raises((VaultError, BadRequest), match=says):
        opened(json.dumps(values), Secret("p"))


@pytest.mark.parametrize("text", ["", "{}", "[]", "hello", '{"format": 1}', "[" * 9000])
def test_what_is_no_file_of_ours_is_told(text: str) -> None:
    with pytest.raises(BadRequest, match="no exported vault"):
        opened(text, Secret("p"))


@pytest.mark.usefixtures("cheap")
def test_the_contents_of_a_newer_one_are_told() -> None:
    salt = b"s" * 16
    neither = b'[{"id":"1","provider":"","origin":"","label":"","added_at":"","version":1,"holds":{}}]'
    for content in (b"{}", b"[1]", neither):
        box = seal.key_of_passphrase(Secret("p"), salt).seal(content, (portable.FORMAT, portable.VERSION))
        values = json.loads(packed([], Secret("p")))
        values |= {"salt": _base64(salt), "nonce": _base64(box.nonce), "box": _base64(box.content)}
        with pytest.raises(BadRequest, match="newer"):
            opened(json.dumps(values), Secret("p"))


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
