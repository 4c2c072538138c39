"""How a chat looks as it comes, without a daemon: which stream gets what, and where lines end."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.cli import answer
from pointsman.cli.answer import AnswerPrinter, ordinal, receipt

STARTED = {"type": "started", "provider": "up", "model": "m", "account": "sk-…1234"}
NOTICE = {"type": "notice", "about": "x", "text": "By the way."}
FAILED = {"type": "attemptFailed", "model": "up:m", "error": {"message": "It broke."}}
AGAIN = FAILED | {"next": "up:m"}
UNENDED = FAILED | {"error": {"message": "model: x"}, "next": "b:n"}
TOOL = {"type": "toolCall", "index": 0, "arguments": "{", "name": "look"}
RESULT: dict[str, Any] = {
    "provider": "up",
    "model": "m",
    "message": {"role": "assistant", "content": "all of it"},
    "stopReason": "end",
    "usage": {"inputTokens": 1, "outputTokens": 2, "exact": True},
    "timing": {"firstTokenMs": 12, "totalMs": 3456},
    "attempts": [{"outcome": "answered"}],
}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def thought(words: str) -> dict[str, Any]:
    return {"type": "reasoning", "text": words}


def silent(seconds: float) -> dict[str, Any]:
    return {"type": "waiting", "seconds": seconds}


def queued(place: int, seconds: float, **more: str) -> dict[str, Any]:
    return silent(seconds) | {"place": place} | more


def heard(capsys: pytest.CaptureFixture[str], *events: dict[str, Any]) -> tuple[str, str]:
    """What these events print, on both streams."""
    printer = AnswerPrinter()
    for event in events:
        printer.hear("pointsman/chatEvents", {"events": [event]})
    printer.close()
    printed = capsys.readouterr()
    return printed.out, printed.err


@pytest.mark.parametrize(
    ("events", "out", "err"),
    [
        ([], "", ""),
        ([STARTED, text("a"), text("b")], "ab\n", "→ up:m (sk-…1234)\n"),
        ([text("a\n")], "a\n", ""),
        ([text(""), text("a")], "a\n", ""),
        ([thought("hm"), thought("m"), text("a")], "a\n", "hmm\n"),
        ([thought("hm"), NOTICE], "", "hm\nBy the way.\n"),
        ([text("a"), NOTICE, text("b")], "ab\n", "By the way.\n"),
        ([FAILED], "", ""),  # the chat's own error says it
        ([AGAIN], "", "up:m failed: It broke. Trying again.\n"),
        ([AGAIN, AGAIN, FAILED], "", "up:m failed: It broke. Trying again.\nup:m failed 3 times.\n"),
        (
            [AGAIN, AGAIN, STARTED],
            "",
            "up:m failed: It broke. Trying again.\nup:m failed 2 times.\n→ up:m (sk-…1234)\n",
        ),
        (
            [AGAIN, AGAIN | {"next": "b:n"}, FAILED | {"model": "b:n"}],
            "",
            "up:m failed: It broke. Trying again.\nup:m failed 2 times. Trying b:n.\n",
        ),
        ([FAILED | {"next": "b:n"}], "", "up:m failed: It broke. Trying b:n.\n"),
        ([UNENDED], "", "up:m failed: model: x. Trying b:n.\n"),
        ([TOOL, TOOL | {"name": None}], "", "The model asks for the tool look.\n"),
        ([{"type": "usage"}, {"type": "of a newer daemon"}], "", ""),
        (
            [silent(2), silent(3), silent(4), silent(6), silent(8)],
            "",
            "".join(f"… silent for {n} s\n" for n in (2, 4, 8)),
        ),
        ([silent(2) | {"left": 17.6}], "", "… asks again in 18 s\n"),
        ([silent(2), text("a"), silent(2)], "a\n", "… silent for 2 s\n" * 2),
        (
            [queued(3, 0, queue="Acme"), queued(2, 2, queue="Acme"), queued(1, 3), queued(1, 4), silent(2)],
            "",
            "… 3rd in the queue of Acme\n… 2nd in the queue of Acme, for 2 s\n"
            "… next in the queue, for 4 s\n… silent for 2 s\n",
        ),
    ],
)
def test_pipes(capsys: pytest.CaptureFixture[str], events: list[dict[str, Any]], out: str, err: str) -> None:
    assert heard(capsys, *events) == (out, err)


WIPED = f"\r{' ' * len('… silent for 2 s')}\r"


@pytest.mark.parametrize(
    ("events", "out", "err"),
    [
        ([text("a"), NOTICE, text("b")], "ab\n", "\nBy the way.\n"),
        ([text("a\n"), NOTICE, text("b")], "a\nb\n", "By the way.\n"),
        ([silent(2), silent(4), text("a")], "a\n", f"… silent for 2 s{WIPED}… silent for 4 s{WIPED}"),
        ([silent(2)], "", f"… silent for 2 s{WIPED}"),
        ([text("a"), silent(2), text("b")], "ab\n", ""),
    ],
)
def test_a_terminal_shows_both_streams_in_one_place(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    events: list[dict[str, Any]],
    out: str,
    err: str,
) -> None:
    monkeypatch.setattr(answer, "is_terminal", lambda stream: True)
    assert heard(capsys, *events) == (out, err)


def test_places() -> None:
    said = [ordinal(number) for number in (1, 2, 3, 4, 10, 11, 12, 13, 21, 101, 111, 1002)]
    assert " ".join(said) == "1st 2nd 3rd 4th 10th 11th 12th 13th 21st 101st 111th 1002nd"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "— up:m · 1 token in, 2 out · first after 12 ms · 3.5 s in all"),
        ({"cost": {"usd": 0.01234, "exact": True, "source": "x"}}, "2 out · $0.0123 · first"),
        ({"cost": {"usd": 0.5, "exact": False, "source": "x"}}, "2 out · about $0.5000 · first"),
        ({"usage": {"inputTokens": 7, "outputTokens": 2, "exact": False}}, "· about 7 tokens in, 2 out ·"),
        ({"timing": {"firstTokenMs": None, "totalMs": 9}}, "2 out · 9 ms in all"),
        ({"provider": None, "model": None}, "— nobody answered · "),
        ({"attempts": [{"outcome": "failed"}, {"outcome": "answered"}]}, "in all · 1 failed attempt"),
        ({"attempts": [{"outcome": "failed"}] * 2}, "in all · 2 failed attempts"),
        ({"stopReason": "length"}, "in all · cut off at the output limit"),
    ],
)
def test_the_receipt(changes: dict[str, Any], line: str) -> None:
    assert line in receipt(RESULT | changes)


def test_what_was_not_streamed_is_printed_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    error = {"code": "Interrupted", "message": "It broke.", "advice": "See `pointsman/listModels`."}
    result = RESULT | {"stopReason": "interrupted", "error": error, "resume": ["a:b", "c:d"]}
    assert AnswerPrinter().finish(result, streamed=False) == 1
    printed = capsys.readouterr()
    assert printed.out == "all of it\n"
    assert printed.err.splitlines()[1:] == [
        "pointsman: It broke. See `pointsman models`. [Interrupted]",
        "Go on with: --model a:b, --model c:d",
    ]
