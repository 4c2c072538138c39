"""A secret shows itself nowhere, however it is printed, encoded or copied; an environment gives secrets alone."""

from __future__ import annotations

import copy
import json
import pickle
import re
import traceback
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote, unquote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.environment import Environment
from pointsman.core.secret import (
    SHORTEST,
    SHOWN,
    STANDARD,
    Secret,
    _Read,
    alive,
    hide,
    hide_key_like,
    hide_whole_or_cut,
    hide_within,
    standing_in,
)
from tests.each import each

VALUE = "sk-proj-0123456789abcdef"
SECRET = Secret(VALUE)

HELD = {"_value", "_forms"}
"""Where it is, and what it reads as when it is encoded: its own, and known to no other file."""

SHOWS: dict[str, Callable[[Any], str]] = {
    "repr": repr,
    "str": str,
    "format": lambda secret: f"{secret}",
    "format with conversion": lambda secret: f"{secret!r:>40}",
    "percent": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - logging formats so
    "in a list": lambda secret: str([secret]),
    "in a dict": lambda secret: repr({"key": secret, secret: 1}),
    "of an error": lambda secret: "".join(traceback.format_exception_only(ValueError(secret))),
    "dir": lambda secret: str({name: getattr(secret, name) for name in dir(secret) if name not in HELD}),
}

REFUSES: dict[str, Callable[[Any], object]] = {
    "format with a width": lambda secret: f"{secret:>40}",
    "json": json.dumps,
    "json of a dict": lambda secret: json.dumps({"a": [secret]}),
    "msgspec to JSON": msgspec.json.encode,
    "msgspec to MessagePack": msgspec.msgpack.encode,
    "msgspec to builtins": msgspec.to_builtins,
    "msgspec conversion": lambda secret: msgspec.convert(secret, str),
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deep copy": lambda secret: copy.deepcopy([secret]),
    "bytes": bytes,
    "iteration": list,
    "joining": lambda secret: "".join([secret]),
    "vars": vars,
}


@each("way", SHOWS)
def test_a_secret_does_not_show_itself(way: str) -> None:
    assert "0123" not in SHOWS[way](SECRET)
    assert VALUE[:4] not in SHOWS[way](SECRET)


@each("way", REFUSES)
def test_a_secret_is_not_carried_away(way: str) -> None:
    with pytest.raises((TypeError, msgspec.ValidationError)) as refused:
        REFUSES[way](SECRET)
    assert "0123" not in str(refused.value)


@each(
    ("value", "mask"),
    [("", "…"), ("a", "…"), ("ab", "a…"), ("abcdefg", "abc…"), (VALUE, "sk-proj-…"), ("é" * 100, "é" * 8 + "…")],
)
def test_a_mask(value: str, mask: str) -> None:
    assert Secret(value).mask() == mask


@given(st.text())
def test_a_mask_shows_eight_characters_at_most_and_never_more_than_half(value: str) -> None:
    shown = Secret(value).mask().removesuffix("…")
    assert value.startswith(shown)
    assert len(shown) <= min(SHOWN, len(value) / 2)


def test_a_secret_is_a_value() -> None:
    assert SECRET.reveal() == VALUE
    assert {SECRET, Secret(VALUE)} == {Secret(VALUE)}
    assert Secret("other") not in {SECRET}
    assert VALUE not in {SECRET}
    assert SECRET
    assert not Secret("")


# The environment


@each(
    ("variables", "expected"),
    [
        ({}, []),
        ({"K": "a"}, ["a"]),
        ({"K": ""}, []),
        ({"K_1": "a", "K_2": "b"}, ["a", "b"]),
        ({"K": "x", "K_1": "a", "K_2": "b"}, ["x", "a", "b"]),
        ({"K": "a", "K_1": "a", "K_2": "b"}, ["a", "a", "b"]),
        ({"K_1": "a", "K_3": "c"}, ["a"]),
        ({"K_1": "a", "K_2": "", "K_3": "c"}, ["a"]),
        ({"K_0": "z", "K_2": "b"}, []),
        ({f"K_{n}": f"v{n}" for n in range(1, 12)}, [f"v{n}" for n in range(1, 12)]),
        ({"OTHER": "a", "k": "b", "K_X": "c"}, []),
    ],
)
def test_a_variable_and_its_numbered_kin(variables: dict[str, str], expected: list[str]) -> None:
    environment = Environment(variables)
    for _ in range(2):
        assert [secret.reveal() for _, secret in environment.numbered("K")] == expected


def test_an_environment_gives_secrets_and_shows_none() -> None:
    environment = Environment({"K": VALUE, "EMPTY": ""})
    assert environment.secret("K") == SECRET
    assert environment.secret("EMPTY") is None
    assert environment.secret("ABSENT") is None
    assert repr(environment) == str(environment) == "Environment(2 variables)"
    assert Environment().secret("K") is None


def test_an_environment_does_not_change_with_what_it_was_made_of() -> None:
    variables = {"K": "a"}
    environment = Environment(variables)
    variables["K"] = "b"
    assert environment.secret("K") == Secret("a")


# Taking them out of what is said


def test_one_that_somebody_holds_is_hidden_wherever_it_stands() -> None:
    held = Secret("a-key-that-is-held")
    assert hide(f"<{held.reveal()}> {held.reveal()}x") == "<a-key-th…> a-key-th…x"
    assert held in alive()


def test_one_that_nobody_holds_is_forgotten() -> None:
    value = "a-key-for-a-moment"
    Secret(value)
    assert value not in [secret.reveal() for secret in alive()]
    assert hide(value) == value


def test_equal_ones_are_one() -> None:
    first, second = Secret("equal-ones"), Secret("equal-ones")
    assert first is second
    del first
    assert hide("equal-ones") == "equal…", "the other still holds it"
    assert second


@each(("length", "hidden"), [(SHORTEST - 1, False), (SHORTEST, True)])
def test_a_short_one_is_left_alone(length: int, hidden: bool) -> None:
    held = Secret("zyxwvutsrq"[:length])
    assert (held.reveal() not in hide(f"- {held.reveal()} -")) is hidden


def test_of_one_within_another_nothing_is_left() -> None:
    outer, inner = Secret("outer-inner-secret-outer"), Secret("inner-secret")
    assert hide("outer-inner-secret-outer inner-secret") == "outer-in… inner-…"
    assert outer
    assert inner


def test_those_that_are_given_are_hidden_alone() -> None:
    held, other = Secret("one-that-is-held"), Secret("one-that-is-given")
    assert hide(f"{held.reveal()} {other.reveal()}", [other]) == "one-that-is-held one-that…"


ODD = "k+y/w1th=signs+of/base64=="
"""A key of which each encoding makes something else."""


def basic(text: str) -> str:
    return b64encode(text.encode()).decode()


@each(
    "quoted",
    [
        quote(ODD),
        quote(ODD, safe=""),
        quote(ODD, safe="+="),
        quote(ODD, safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
        quote(quote(ODD, safe=""), safe=""),
        "".join(f"%{ord(letter):02x}" for letter in ODD),
        basic(ODD),
        basic(ODD).rstrip("="),
        urlsafe_b64encode(ODD.encode()).decode(),
        quote(basic(ODD), safe=""),
        *(basic(f"{user}:{ODD}") for user in ("", "u", "us", "usr", "a name")),
        basic(f"{ODD}:"),
    ],
)
@each("around", ["{}", "no such place: /v1/{}/models (é, 100 %) {} x", "Basic {}"])
def test_one_is_hidden_however_it_is_encoded(quoted: str, around: str) -> None:
    held = Secret(ODD)
    shown = hide(around.format(quoted, quoted))
    for form in (ODD, quoted, quoted.rstrip("="), quote(ODD), *held.forms()[1]):
        assert form not in shown
    assert shown.count(held.mask()) == around.count("{}")
    before, _, behind = around.partition("{}")
    assert shown.startswith(before)
    assert shown.endswith(behind.rpartition("}")[2])
    assert hide_whole_or_cut(around.format(quoted, quoted), held) == shown


def test_what_stands_around_an_encoded_one_stays_as_it_was() -> None:
    held = Secret("a+key/of=signs")
    assert hide("%41é%C3%A9 <a%2Bkey%2Fof%3dsigns> 100 % %zz%2") == f"%41é%C3%A9 <{held.mask()}> 100 % %zz%2"


def test_one_that_is_written_with_percent_signs_is_hidden_as_it_is() -> None:
    held = Secret("http://me:pass%2Fword@proxy.example")
    assert hide(f"at {held.reveal()}") == f"at {held.mask()}"
    assert hide(f"at {quote(held.reveal(), safe='')}") == f"at {held.mask()}"


@each("value", ["sëcret-of-ümlauts", "lone-\udcff-surrogate"])
def test_one_beyond_ascii_does_no_harm(value: str) -> None:
    held = Secret(value)
    assert hide(f"{value} and %41") == f"{held.mask()} and %41"


def test_a_short_one_is_not_looked_for_in_base64() -> None:
    assert Secret("abc").forms() == ("abc", ())
    assert hide_whole_or_cut("abc, YWJj and %61bc", Secret("abc")) == "a…, YWJj and a…"
    assert hide_whole_or_cut("abc", Secret("")) == "abc"


@each("quoted", [ODD, quote(ODD, safe="")])
def test_one_that_is_cut_off_at_the_end_is_hidden(quoted: str) -> None:
    held = Secret(ODD)
    assert hide_whole_or_cut(f"you sent {quoted[:-3]}", held) == f"you sent {held.mask()}"
    assert hide_whole_or_cut(f"you sent {quoted[:2]}", held) == f"you sent {quoted[:2]}"


@each("form", [basic(f"me:{ODD}"), basic(ODD), basic(f"a:{ODD}"), urlsafe_b64encode(ODD.encode()).decode()])
@each("encoded", [str, partial(quote, safe="")])
def test_one_is_hidden_that_is_cut_off_at_the_end_of_its_base64(form: str, encoded: Callable[[str], str]) -> None:
    held, whole = Secret(ODD), encoded(form)
    for size in range(len(whole)):
        shown = hide_whole_or_cut(f"Basic {whole[:size]}", held)
        clear = re.sub("[^A-Za-z0-9+/].*", "", unquote(shown.removeprefix("Basic ")).translate(STANDARD))
        said = b64decode(clear[: len(clear) // 4 * 4]).decode("utf-8", "replace")
        assert ODD[: SHOWN + 1] not in said


@each("times", [1, 2, 3])
def test_one_is_hidden_that_is_cut_off_within_an_encoded_byte(times: int) -> None:
    held, whole = Secret("token-12345678:9"), "token-12345678:9"
    for _ in range(times):
        whole = quote(whole, safe="")
    for size in range(len("token-12"), len(whole)):
        plain = whole[:size].split("%")[0]
        shown = held.mask() if len(plain) > SHOWN else plain
        assert hide_whole_or_cut(f"cut {whole[:size]}", held) == f"cut {shown}", whole[:size]
    assert hide_whole_or_cut("100%", held) == "100%"
    assert hide_whole_or_cut("%", held) == "%"


def test_one_that_is_short_once_decoded_is_looked_for_as_it_is_alone() -> None:
    held = Secret("%41%41%41%41x")
    assert hide("AAAAx, at%20%41%41%41%41x: AAAAx", [held]) == f"AAAAx, at%20{held.mask()}: AAAAx"
    assert hide_whole_or_cut("AAAAx%20", held) == "AAAAx%20"
    assert hide_whole_or_cut("cut %41%41%41", held) == f"cut {held.mask()}"
    assert standing_in("AAAAx%20", [held]) == []
    long = Secret("%41%41%41%41wxyz")
    assert hide("AAAAwxyz%20", [long]) == f"{long.mask()}%20"
    assert hide("AAAAwxyz", [long]) == long.mask()


def test_of_two_that_overlap_nothing_is_left() -> None:
    first, second = Secret("begins-here-and"), Secret("here-and-ends")
    assert hide("<begins-here-and-ends>", [second, first]) == f"<{first.mask()}>"
    assert hide("<here-and-ends>", [second, first]) == f"<{second.mask()}>"


def test_a_long_text_with_many_in_it_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    held, reads = [Secret(f"a-key/of-many-{n:03}") for n in range(300)], list[str]()

    class Counted(_Read):
        def __init__(self, text: str) -> None:
            reads.append(text)
            super().__init__(text)

    monkeypatch.setattr("pointsman.core.secret._Read", Counted)
    forms = (str, partial(quote, safe=""), basic)
    text = " ".join(forms[n % 3](each.reveal()) + " x%20" * 1000 for n, each in enumerate(held[:20]))
    shown = hide(text, held)
    assert shown.count("a-key/of…") == 20
    assert reads == [text]


def test_what_looks_like_a_key_is_hidden_whosever_it_is() -> None:
    assert hide_key_like("sk-nobodys-own-key", []) == "sk-n…"
    assert hide("sk-nobodys-own-key", []) == "sk-nobodys-own-key"


def test_an_environment_keeps_its_secrets_alive() -> None:
    environment = Environment(
        {"A_KEY": "value-of-a-key", "B_TOKEN_2": "value-of-b", "PATH": "value-of-path", "C": "value-of-c"}
    )
    found = [secret.reveal() for secret in alive()]
    assert {"value-of-a-key", "value-of-b"} <= set(found), "by their names"
    assert not {"value-of-path", "value-of-c"} & set(found)
    assert environment.secret("C") is environment.secret("C")
    assert "value-of-c" in [secret.reveal() for secret in alive()]


def test_a_secret_is_taken_out_of_plain_values_wherever_it_stands() -> None:
    held = Secret("a-key-that-is-held")
    shown = {"a": ["a-key-th…", {"of a-key-th…": 1, "none": None}], "x": ["a-key-th…"], "y": True}
    key = held.reveal()
    assert hide_within({"a": [key, {f"of {key}": 1, "none": None}], "x": (key,), "y": True}) == shown
