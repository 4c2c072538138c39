"""Ids of tool calls where a provider is choosy: fitting, each there once, and the same for a call and its result."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pointsman.wire.call_ids import CallIds, HashedCallIds


def test_what_fits_stays_as_it_is() -> None:
    ids = CallIds("[^a-z0-9]", 5)
    assert (ids.of_call("a1"), ids.of_result("a1"), ids.changed) == ("a1", "a1", {})


def test_what_does_not_fit_is_changed_alike_for_call_and_result() -> None:
    ids = CallIds("[^a-z0-9]", 5)
    assert [ids.of_call("a|b"), ids.of_call(""), ids.of_call("abcdefgh")] == ["a_b", "call", "abcde"]
    assert [ids.of_result("abcdefgh"), ids.of_result("a|b"), ids.of_result("")] == ["abcde", "a_b", "call"]
    assert ids.changed == {"a|b": "a_b", "": "call", "abcdefgh": "abcde"}


def test_an_id_that_comes_again_is_another_one() -> None:
    ids = CallIds("[^a-z0-9]", 5)
    assert [ids.of_call("call"), ids.of_call("call"), ids.of_call("call")] == ["call", "cal_2", "cal_3"]
    assert [ids.of_result("call"), ids.of_result("call"), ids.of_result("call")] == ["call", "cal_2", "cal_3"]


def test_a_result_of_no_call_keeps_its_id() -> None:
    assert CallIds("[^a-z0-9]", 5).of_result("lost!") == "lost_"


@given(st.lists(st.text(max_size=9), max_size=20))
def test_each_call_finds_its_result(wanted: list[str]) -> None:
    ids = CallIds("[^a-zA-Z0-9]", 6)
    sent = [ids.of_call(id) for id in wanted]
    assert len(set(sent)) == len(sent)
    assert all(0 < len(id) <= 6 for id in sent)
    assert sorted(ids.of_result(id) for id in wanted) == sorted(sent)


def test_an_id_of_the_right_form_stays_and_others_are_hashed_alike() -> None:
    ids, again = HashedCallIds(9), HashedCallIds(9)
    assert (ids.of_call("abcDEF123"), ids.of_result("abcDEF123"), ids.changed) == ("abcDEF123", "abcDEF123", {})
    for odd in ("call_123", "abcDEF-23", "abcDEF1234", "", "é" * 9):
        sent = ids.of_call(odd)
        assert ids.of_result(odd) == sent == again.of_call(odd)
        assert ids.changed[odd] == sent


@given(st.lists(st.text(max_size=9) | st.sampled_from(["abcDEF123", "a"]), max_size=20))
def test_each_hashed_one_fits_and_finds_its_result(wanted: list[str]) -> None:
    ids = HashedCallIds(9)
    sent = [ids.of_call(id) for id in wanted]
    assert len(set(sent)) == len(sent)
    assert all(len(id) == 9 and id.isascii() and id.isalnum() for id in sent)
    assert sorted(ids.of_result(id) for id in wanted) == sorted(sent)
