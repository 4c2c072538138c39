"""An answer that grows from events: nothing is lost, and what was said together stays together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.answer import Answer, together
from pointsman.core.chat import (
    Conversation,
    Cost,
    Event,
    Finished,
    Message,
    Notice,
    Part,
    ReasoningDelta,
    ReasoningPart,
    Seal,
    Started,
    TextDelta,
    TextPart,
    Tool,
    ToolCallDelta,
    ToolCallPart,
    Usage,
    UsageReport,
    Waiting,
)
from tests.each import each

T, R, C = TextDelta, ReasoningDelta, ToolCallDelta
ASKED = Conversation((Message("user", "Hello, you!"),))

CASES: dict[str, tuple[list[Event | Seal], list[Part]]] = {
    "nothing": ([], []),
    "what is no answer": ([Started("m", "p"), Waiting(1), Notice("a", "t"), Finished("end")], []),
    "text": ([T("a"), T("b")], [TextPart("ab")]),
    "empty text": ([T("")], [TextPart("")]),
    "thought, then text": ([R("a"), R("b"), T("c")], [ReasoningPart("ab"), TextPart("c")]),
    "thought in between": ([T("a"), R("b"), T("c")], [TextPart("a"), ReasoningPart("b"), TextPart("c")]),
    "notices do not part a text": ([T("a"), Notice("n", "t"), T("b")], [TextPart("ab")]),
    "a call": (
        [C(0, "", "i", "n"), C(0, '{"a"'), C(0, ":1}"), T("t")],
        [ToolCallPart("i", "n", {"a": 1}), TextPart("t")],
    ),
    "calls in turns": (
        [C(1, '{"b":', "i1", "n1"), C(0, '{"a":', "i0", "n0"), T("t"), C(1, "2}"), C(0, "1}")],
        [ToolCallPart("i1", "n1", {"b": 2}), ToolCallPart("i0", "n0", {"a": 1}), TextPart("t")],
    ),
    "a call without arguments": ([C(0, "", "i", "n")], [ToolCallPart("i", "n", {})]),
    "a later id does not replace the first": ([C(0, "", "i", "n"), C(0, "{}", "", "m")], [ToolCallPart("i", "n", {})]),
    "a name that comes late": ([C(0, "{"), C(0, "}", "i", "n")], [ToolCallPart("i", "n", {})]),
    "a call without a name": ([C(0, "{}")], [ToolCallPart("", "", {})]),
    "arguments that broke off": ([C(0, '{"a":', "i", "n")], [ToolCallPart("i", "n", {}, '{"a":')]),
    "arguments that are no object": ([C(0, "[1]", "i", "n")], [ToolCallPart("i", "n", {}, "[1]")]),
    "a thought with its seal": (
        [R("a"), R("b"), Seal("s", {"x": 1}), T("c")],
        [ReasoningPart("ab", "s", {"x": 1}), TextPart("c")],
    ),
    "a sealed thought is over": ([R("a"), Seal("s"), R("b")], [ReasoningPart("a", "s"), ReasoningPart("b")]),
    "a seal of a thought that is kept back": ([T("a"), Seal("s")], [TextPart("a"), ReasoningPart("", "s")]),
    "a seal alone": ([Seal(opaque=["x"])], [ReasoningPart("", None, ["x"])]),
    "two seals": ([R("a"), Seal("s"), Seal("t")], [ReasoningPart("a", "s"), ReasoningPart("", "t")]),
    "the seal of a call": (
        [C(0, "{}", "i", "n"), C(1, "{}", "j", "m"), Seal("s", index=0)],
        [ToolCallPart("i", "n", {}, signature="s"), ToolCallPart("j", "m", {})],
    ),
    "a sealed call that broke off": (
        [Seal("s", index=0), C(0, "[", "i", "n")],
        [ToolCallPart("i", "n", {}, "[", "s")],
    ),
    "arguments too deep": ([C(0, '{"a":' * 9999, "i", "n")], [ToolCallPart("i", "n", {}, '{"a":' * 9999)]),
}


def gather(events: Sequence[Event | Seal]) -> Answer:
    answer = Answer()
    for event in events:
        answer.add(event)
    return answer


@each("case", CASES)
def test_the_message_that_events_make(case: str) -> None:
    events, parts = CASES[case]
    assert gather(events).message() == Message("assistant", tuple(parts))


@settings(deadline=None)
@given(st.lists(st.builds(TextDelta, st.text(max_size=4)) | st.builds(ReasoningDelta, st.text(max_size=4))))
def test_every_letter_is_in_the_message(events: list[Event]) -> None:
    parts = gather(events).message().parts
    for delta, part in ((TextDelta, TextPart), (ReasoningDelta, ReasoningPart)):
        said = "".join(event.text for event in events if isinstance(event, delta))
        assert "".join(p.text for p in parts if isinstance(p, part)) == said
    assert all(type(one) is not type(next) for one, next in pairwise(parts))


def test_a_long_answer_is_kept_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.core.answer.COMPACT_AFTER", 10)
    words = [f"{n} " for n in range(35)]
    assert gather([T(word) for word in words]).message().parts == (TextPart("".join(words)),)


@each(
    ("asked", "events", "expected"),
    [
        ("nothing said", [], 0),
        ("letters", [T("abcde")], 2),
        ("bytes count, not letters", [T("é" * 4)], 2),
        ("thought counts", [R("abcd"), T("abcd")], 2),
        ("arguments count", [C(0, "abcd"), T("abcd")], 2),
    ],
)
def test_tokens_are_estimated_until_they_are_known(asked: str, events: list[Event], expected: int) -> None:
    usage = gather(events).usage(ASKED)
    assert (usage.output_tokens, usage.exact) == (expected, False)


def test_input_that_nobody_counted_is_estimated() -> None:
    estimate = Answer().usage(ASKED).input_tokens
    assert gather([UsageReport(Usage(0, 9, exact=False))]).usage(ASKED) == Usage(estimate, 9, exact=False)
    assert gather([UsageReport(Usage(0, 9, exact=True))]).usage(ASKED) == Usage(0, 9, exact=True)
    assert gather([UsageReport(Usage(7, 9, exact=False))]).usage(ASKED) == Usage(7, 9, exact=False)


def test_the_estimate_of_the_input_counts_all_that_was_asked() -> None:
    longer = [
        ASKED,
        Conversation((Message("user", "Hello, you! " * 20),)),
        Conversation((Message("user", "Hello, you! " * 20),), system="Be brief. " * 20),
        Conversation((Message("user", "Hello, you! " * 20),), "Be brief. " * 20, (Tool("t", {"x": "y" * 99}),)),
    ]
    estimates = [Answer().usage(conversation).input_tokens for conversation in longer]
    assert estimates == sorted(set(estimates))
    assert estimates[0] > 0


def test_what_the_provider_says_last_holds() -> None:
    cost = Cost(0.5, exact=True, source="p")
    answer = gather([UsageReport(Usage(1, 1, exact=True), cost), UsageReport(Usage(1, 9, exact=True))])
    assert answer.usage(ASKED) == Usage(1, 9, exact=True)
    assert answer.cost == cost
    assert Answer().cost is None


def test_what_an_attempt_reported_that_came_to_nothing_is_no_part_of_the_answer() -> None:
    answer, told = Answer(), (Usage(100, 0, True), Cost(0.25, True, "p"))
    assert answer.take_report() is None
    answer.add(UsageReport(*told))
    assert answer.take_report() == told
    assert (answer.take_report(), answer.cost, answer.usage(ASKED).exact) == (None, None, False)


def test_an_answer_of_two_parts_has_the_words_of_both_and_the_report_of_each() -> None:
    answer, asked = Answer(), Conversation((Message("user", "Hello!"),))
    for event in (ReasoningDelta("hm"), TextDelta("The sky "), UsageReport(Usage(3, 4, exact=True))):
        answer.add(event)
    first = answer.usage(asked)
    answer.next_part()
    assert answer.usage(asked).output_tokens == 0
    answer.add(TextDelta("is blue."))
    assert answer.text == "The sky is blue."
    assert (answer.usage(asked).output_tokens, answer.usage(asked).exact) == (2, False)
    assert together(first, answer.usage(asked)).output_tokens == 6
    assert not answer.calls
    answer.add(ToolCallDelta(0, "{}", "i", "n"))
    assert answer.calls


def test_tokens_of_two_parts_are_added_up() -> None:
    one = Usage(1, 2, exact=True, cached_input_tokens=3, reasoning_tokens=4)
    other = Usage(10, 20, exact=False, cached_input_tokens=30, cache_write_tokens=5)
    both = Usage(11, 22, exact=False, cached_input_tokens=33, cache_write_tokens=5, reasoning_tokens=4)
    assert together(one, other) == together(other, one) == both
    assert together(Usage(1, 2, exact=True), Usage(3, 4, exact=True)) == Usage(4, 6, exact=True)
