"""The offline dialect: the request is the answer, so what was asked comes back, however it is cut."""

from __future__ import annotations

import json

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Conversation,
    ErrorSeen,
    FilePart,
    ImagePart,
    Message,
    Options,
    Reading,
    StopSeen,
    TextDelta,
    TextPart,
    Tool,
    ToolCallPart,
    UsageReport,
)
from pointsman.core.errors import BadReply, Interrupted
from pointsman.core.http import Head
from pointsman.wire import echo
from tests.each import each

ECHO = Provider(id="echo", wire="echo", base_url="echo://localhost")


def answer(conversation: Conversation, size: int | None = None) -> list[Reading]:
    body = echo.request(ECHO, "echo", conversation)[0].body
    reader, size = echo.reader(ECHO), size or len(body)
    return [r for at in range(0, len(body), size) for r in reader.feed(body[at : at + size])] + reader.close()


def user(*said: str | TextPart | ImagePart | FilePart) -> Message:
    return Message("user", tuple(TextPart(part) if isinstance(part, str) else part for part in said))


@each(
    ("messages", "text"),
    [
        ((user("Hello,  you!"),), "This is Pointsman's offline model. You said: Hello,  you!"),
        ((user("one"), Message("assistant", "no"), user("two", "three")), "… You said: two three"),
        ((user("é\n\n\u2028😀 x"),), "… You said: é\n\n\u2028😀 x"),
        ((user("one"), Message("assistant", "no")), "… You said: one"),
        ((user("  "),), "… Say something!"),
        ((Message("assistant", "no"),), "… Say something!"),
        ((), "… Say something!"),
    ],
)
def test_the_last_words_come_back(messages: tuple[Message, ...], text: str) -> None:
    conversation = Conversation(messages)
    readings = answer(conversation)
    said = "".join(reading.text for reading in readings if isinstance(reading, TextDelta))
    assert said == text.replace("…", "This is Pointsman's offline model.")
    assert readings[-1] == StopSeen("end")
    for size in (1, 7, 64):
        assert answer(conversation, size) == readings


def test_words_come_one_by_one_and_are_counted() -> None:
    *words, usage, stop = answer(Conversation((Message("assistant", "a b"), user("c d e"))))
    assert [w.text for w in words if isinstance(w, TextDelta)][-3:] == ["c ", "d ", "e"]
    assert isinstance(usage, UsageReport)
    assert (usage.usage.input_tokens, usage.usage.output_tokens, usage.usage.exact) == (5, len(words), True)
    assert stop == StopSeen("end")


@each(("limit", "words", "reason"), [(3, 3, "length"), (8, 8, "end"), (99, 8, "end")])
def test_an_answer_has_no_more_words_than_asked_for(limit: int, words: int, reason: str) -> None:
    readings = answer(Conversation((user("hello"),), options=Options(max_output_tokens=limit)))
    assert sum(isinstance(reading, TextDelta) for reading in readings) == words
    assert isinstance(readings[-1], StopSeen)
    assert readings[-1].reason == reason


@each(
    ("conversation", "about"),
    [
        (Conversation((user("a"),)), []),
        (Conversation((user("a", ImagePart(url="u"), FilePart(url="u"), ImagePart(url="v")),)), ["file", "image"]),
        (Conversation((user("a"), Message("assistant", (ToolCallPart("i", "n", {}),)))), ["toolCall"]),
        (Conversation((user("a"), Message("assistant", "b"), user("c"))), ["text"]),
        (Conversation((Message("user", "a", cache=True),)), ["cache"]),
        (
            Conversation(
                (user("a"),),
                "system",
                (Tool("t", {}),),
                "auto",
                Options(temperature=0.5, max_output_tokens=5, seed=1),
            ),
            ["tools", "system", "temperature", "seed", "toolChoice"],
        ),
    ],
)
def test_what_it_can_not_use_is_told(conversation: Conversation, about: list[str]) -> None:
    _, notices = echo.request(ECHO, "echo", conversation)
    assert [notice.about for notice in notices] == about
    assert all("left out" in notice.text for notice in notices)


@each(
    ("model", "quirks", "pace"),
    [
        ("echo", {}, 0.02),
        ("slow", {}, 0.25),
        ("any", {}, 0.0),
        ("slow", {"pace": 0}, 0.0),
        ("echo", {"pace": 1.5}, 1.5),
    ],
)
def test_the_pace(model: str, quirks: dict[str, float], pace: float) -> None:
    provider = Provider(id="echo", wire="echo", base_url="echo://localhost", quirks=quirks)
    request, _ = echo.request(provider, model, Conversation((user("a"),)))
    assert float(request.headers["pace"]) == pace
    assert request.url == f"echo://localhost/{model}"


def test_every_line_is_json() -> None:
    body = echo.request(ECHO, "echo", Conversation((user("a\nb"),)))[0].body
    assert body.endswith(b"\n")
    for line in body.splitlines():
        json.loads(line)


@each("rest", [b"", b"\n", b'{"text":"a"}\n', b'{"text":"a"'])
def test_an_answer_that_breaks_off(rest: bytes) -> None:
    reader = echo.reader(ECHO)
    reader.feed(rest)
    (last,) = reader.close()
    assert isinstance(last, ErrorSeen)
    assert isinstance(last.error, Interrupted)


@each("line", [b"x\n", b'{"stop":"odd"}\n', b"\xff\n", b"[" * 9999 + b"\n"])
def test_a_line_that_is_none_of_its_own(line: bytes) -> None:
    (reading,) = echo.reader(ECHO).feed(line)
    assert isinstance(reading, ErrorSeen)
    assert isinstance(reading.error, BadReply)


def test_nothing_follows_the_end() -> None:
    body = echo.request(ECHO, "echo", Conversation((user("a"),)))[0].body
    reader = echo.reader(ECHO)
    reader.feed(body[:-2])
    assert reader.linger is None
    reader.feed(body[-2:])
    assert reader.linger == 0.0


def test_there_is_no_list_of_models_and_no_refusal() -> None:
    assert echo.models_request(ECHO) is None
    assert list(echo.models(ECHO, b"").models) == []
    assert isinstance(echo.error(ECHO, Head(500), b""), BadReply)
