"""Tool calls and their results in the order that every provider wants."""

from __future__ import annotations

from pointsman.core.chat import Conversation, ImagePart, Message, Notice, Part, TextPart, ToolCallPart, ToolResultPart
from pointsman.core.turns import GO_ON, LOOSE, MISSING, MOVED, NO_RESULT, going_on, settled
from tests.each import each

ASK = Message("user", "go")
ON = Message("user", "go on")
HEAD = "The result of a tool call (z) that is not part of this conversation"
PICTURE = ImagePart(media_type="image/png", data="AAAA")


def calls(*ids: str) -> Message:
    return Message("assistant", tuple(ToolCallPart(id, "f", {}) for id in ids))


def results(*ids: str, role: str = "tool", also: tuple[Part, ...] = ()) -> Message:
    parts = (*(ToolResultPart(id, f"of {id}") for id in ids), *also)
    return Message("user", parts) if role == "user" else Message("tool", parts)


def made(*ids: str) -> Message:
    return Message("tool", tuple(ToolResultPart(id, NO_RESULT, True) for id in ids))


def words(*ids: str) -> Message:
    return Message("user", tuple(TextPart(f"{HEAD.replace('(z)', f'({id})')}:\nof {id}") for id in ids))


FINE = {
    "no tools": (ASK, Message("assistant", "x"), ON),
    "answered": (ASK, calls("a"), results("a"), ON),
    "one by one": (ASK, calls("a", "b"), results("b"), results("a"), ON),
    "with words behind": (ASK, calls("a", "b"), results("a", "b", role="user", also=(TextPart("so"),))),
    "an id that comes again": (ASK, calls("a"), results("a"), calls("a"), results("a")),
    "nothing said": (ASK, Message("assistant", ()), ON),
}


@each("case", FINE)
def test_what_is_in_order_stays_as_it_is(case: str) -> None:
    conversation = Conversation(FINE[case])
    assert settled(conversation) == (conversation, [])


MENDED: dict[str, tuple[tuple[Message, ...], tuple[Message, ...], list[Notice]]] = {
    "too late": ((ASK, calls("a"), ON, results("a")), (ASK, calls("a"), results("a"), ON), [MOVED]),
    "one of two": (
        (ASK, calls("a", "b"), results("b"), ON, results("a", "c")),
        (ASK, calls("a", "b"), results("a"), results("b"), ON, words("c")),
        [MOVED, LOOSE],
    ),
    "never": ((ASK, calls("a"), ON), (ASK, calls("a"), made("a"), ON), [MISSING]),
    "at the end": ((ASK, calls("a")), (ASK, calls("a"), made("a")), [MISSING]),
    "the later one is not the earlier one's": (
        (ASK, calls("a"), ON, calls("a"), results("a")),
        (ASK, calls("a"), made("a"), ON, calls("a"), results("a")),
        [MISSING],
    ),
    "both": (
        (ASK, calls("a", "b"), ON, results("b")),
        (ASK, calls("a", "b"), Message("tool", (*made("a").parts, *results("b").parts)), ON),
        [MISSING, MOVED],
    ),
    "an answer to nothing": ((results("z"), ON), (words("z"), ON), [LOOSE]),
    "nothing but an answer to nothing": ((results("z"),), (words("z"),), [LOOSE]),
    "two answers to one call": (
        (ASK, calls("a"), results("a"), results("a"), ON),
        (ASK, calls("a"), results("a"), words("a"), ON),
        [LOOSE],
    ),
    "beside one that answers": (
        (ASK, calls("a", "b"), results("z", "a"), results("b")),
        (ASK, calls("a", "b"), results("a"), results("b"), words("z")),
        [LOOSE],
    ),
    "beside one that answers, with more to come": (
        (ASK, calls("a"), results("z", "a"), ON),
        (ASK, calls("a"), results("a"), words("z"), ON),
        [LOOSE],
    ),
    "before those that are still to come": (
        (ASK, calls("a", "b"), results("z"), results("a"), results("y", "b"), ON),
        (ASK, calls("a", "b"), results("a"), results("b"), Message("user", (*words("z").parts, *words("y").parts)), ON),
        [LOOSE],
    ),
    "with words behind": (
        (ASK, results("z", role="user", also=(TextPart("so"),))),
        (ASK, Message("user", (*words("z").parts, TextPart("so")))),
        [LOOSE],
    ),
    "a picture, and an error": (
        (ASK, Message("tool", (ToolResultPart("z", (PICTURE,), True),))),
        (ASK, Message("user", (TextPart(f"{HEAD}, an error:"), PICTURE))),
        [LOOSE],
    ),
}


@each("case", MENDED)
def test_what_is_not_is_mended_and_told(case: str) -> None:
    given, wanted, told = MENDED[case]
    mended, notices = settled(Conversation(given))
    assert (mended.messages, notices) == (wanted, told)
    assert settled(mended) == (mended, [])


def test_who_goes_on_is_given_the_text_so_far_and_asked_to() -> None:
    asked = Conversation((ASK,), system="s")
    assert going_on(asked, "The sky ") == Conversation(
        (ASK, Message("assistant", (TextPart("The sky "),)), Message("user", (TextPart(GO_ON),))), system="s"
    )
    assert going_on(asked, " \n") is asked, "only thoughts were seen: it is asked anew"
