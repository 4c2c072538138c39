"""What a conversation needs, and who has it: what nobody says is no reason against a model."""

from __future__ import annotations

from pointsman.core.chat import (
    Conversation,
    FilePart,
    ImagePart,
    Message,
    Part,
    TextPart,
    Tool,
    ToolResultPart,
)
from pointsman.core.fitness import TOKENS_OF_AN_IMAGE, Needs, needs, unfit
from tests.each import each

PICTURE = ImagePart("image/png", "aGk=" * 1000)
FILE = FilePart("application/pdf", "aGk=" * 1000)


def talk(*parts: Part, tools: tuple[Tool, ...] = ()) -> Conversation:
    return Conversation((Message("user", tuple(parts)),), tools=tools)


@each(
    ("conversation", "features"),
    [
        (talk(TextPart("hi")), set()),
        (talk(TextPart("hi"), PICTURE), {"images"}),
        (talk(FILE), {"files"}),
        (talk(ToolResultPart("1", "text")), set()),
        (talk(ToolResultPart("1", (TextPart("look"), PICTURE))), {"images"}),
        (talk(TextPart("hi"), tools=(Tool("t", {}),)), {"tools"}),
    ],
)
def test_a_conversation_needs_what_is_in_it(conversation: Conversation, features: set[str]) -> None:
    assert needs(conversation).features == features


def test_tokens_are_those_of_words_and_pictures_count_as_pictures() -> None:
    words = needs(talk(TextPart("word " * 4000))).tokens
    assert 4500 < words < 6000
    assert TOKENS_OF_AN_IMAGE <= needs(talk(PICTURE)).tokens < TOKENS_OF_AN_IMAGE + 100
    assert needs(talk(FILE)).tokens < 100
    assert 900 < needs(talk(ToolResultPart("1", "word" * 1000))).tokens < 1300


@each(
    ("need", "capabilities", "lacks", "features", "window", "reason"),
    [
        (Needs(frozenset(), 10), (), (), (), None, None),
        (Needs(frozenset({"images"}), 10), (), (), (), None, None),
        (Needs(frozenset({"images"}), 10), ("tools",), (), ("images",), None, "it cannot carry images"),
        (Needs(frozenset({"images", "files"}), 10), (), (), ("tools",), None, "it cannot carry files and images"),
        (Needs(frozenset({"images"}), 10), ("images",), (), (), None, None),
        (Needs(frozenset({"images"}), 10), (), ("files", "images"), (), None, "it cannot carry images"),
        (
            Needs(frozenset({"images", "tools"}), 10),
            (),
            ("images",),
            ("images",),
            None,
            "it cannot carry images and tools",
        ),
        (Needs(frozenset({"tools"}), 10), (), ("images",), (), None, None),
        (Needs(frozenset(), 10), (), ("images",), (), None, None),
        (Needs(frozenset(), 1400), (), (), (), 1000, None),
        (Needs(frozenset(), 1501), (), (), (), 1000, "about 1,501 tokens do not fit into its context window of 1,000"),
    ],
)
def test_a_model_is_left_out_for_what_is_known_against_it(
    need: Needs,
    capabilities: tuple[str, ...],
    lacks: tuple[str, ...],
    features: tuple[str, ...],
    window: int | None,
    reason: str | None,
) -> None:
    assert unfit(need, capabilities, lacks, features, window) == reason
