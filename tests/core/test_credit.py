"""What is left at a provider, read from answers of every shape."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.credit import Amount, Credit, amounts
from tests.each import each

URL = "https://api.example.com/v1/credits"
BALANCES = Credit("balance", ("total",), each=("infos",), currency=("currency",))


@each(
    ("credit", "answer", "found"),
    [
        (Credit("key", ("data", "left")), {"data": {"left": 74.5}}, [(74.5, "USD")]),
        (Credit("key", ("data", "left")), {"data": {"left": None}}, []),
        (Credit("key", ("data", "left")), {"data": []}, []),
        (Credit("key", ("data", "left")), {"data": {"left": True}}, []),
        (Credit("key", ("data", "left")), {"data": {"left": "none"}}, []),
        (Credit("key", ("data", "left")), {"data": {"left": "1e999"}}, []),
        (Credit("key", ("data", "left")), {"data": {"left": 10**400}}, []),
        (Credit("c", ("bought",), ("spent",)), {"bought": 100.5, "spent": 25.75}, [(74.75, "USD")]),
        (Credit("c", ("bought",), ("spent",)), {"bought": 100.5}, []),
        (Credit("c", ("bought",), also=("given",)), {"bought": 25, "given": 72.5}, [(97.5, "USD")]),
        (Credit("c", ("bought",), also=("given",)), {"bought": 25}, [(25.0, "USD")]),
        (BALANCES, {"infos": [{"currency": "cny", "total": "110.00"}]}, [(110.0, "CNY")]),
        (BALANCES, {"infos": [{"currency": "CNY", "total": "1"}, {"currency": "USD"}]}, [(1.0, "CNY")]),
        (BALANCES, {"infos": [{"total": 3}]}, [(3.0, "")]),
        (BALANCES, {"infos": [{"currency": "x" * 9, "total": 3}]}, [(3.0, "")]),
        (BALANCES, {"infos": {"total": 3}}, [(3.0, "")]),
        (BALANCES, {"infos": [{"total": n} for n in range(20)]}, [(float(n), "") for n in range(8)]),
        (Credit("b", ("all", 1)), {"all": [1, 2]}, [(2.0, "USD")]),
        (Credit("b", ("all", 2)), {"all": [1, 2]}, []),
        (Credit("b", ("all", "1")), {"all": [1, 2]}, []),
        (Credit("b", ("left",), currency={"api.example.com": "EUR"}), {"left": -2}, [(-2.0, "EUR")]),
        (Credit("b", ("left",), currency={"api.example.org": "EUR"}), {"left": 0}, [(0.0, "")]),
    ],
)
def test_what_is_left(credit: Credit, answer: Any, found: list[tuple[float, str]]) -> None:
    assert amounts(credit, URL, json.dumps(answer).encode()) == tuple(Amount(*each) for each in found)


@each("body", [b"", b"<html>", b"\xff", b"[" * 5000, b"null", b"1"])
def test_what_is_no_answer_says_nothing(body: bytes) -> None:
    assert amounts(BALANCES, URL, body) == ()


def test_no_host_has_no_currency() -> None:
    assert amounts(Credit("b", ("a",), currency={"": "EUR"}), "x:", b'{"a": 1}') == (Amount(1.0, "EUR"),)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["infos", "total", "currency", "x"]), inner),
)


@given(JSON)
def test_whatever_comes_is_read(answer: Any) -> None:
    for amount in amounts(BALANCES, URL, json.dumps(answer).encode()):
        assert amount.amount == amount.amount
        assert amount.currency == amount.currency.upper()
