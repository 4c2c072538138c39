"""The dialect of a program: what it prints, and how it fails.

Lines are as version 2.1.197 printed them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Cost,
    ErrorSeen,
    Reading,
    ReasoningDelta,
    StopSeen,
    TextDelta,
    Usage,
    UsageReport,
    WindowsSeen,
    coalesce,
)
from pointsman.core.errors import BadReply, PointsmanError, SignInNeeded
from pointsman.core.http import Head
from pointsman.core.program import Run
from pointsman.wire import Checking, anthropic_messages, claude_program
from tests.each import each
from tests.wire.expected import RECORDED

QUIRKS = {"login": ["claude login", "claude auth login"], "install": "Install it.", "environment": {"MINE": "env:MINE"}}
ACME = Provider(id="acme", name="Acme", wire="claude-program", base_url="program://claude", quirks=QUIRKS)
BARE = Provider(id="acme", name="Acme", wire="claude-program", base_url="program:///opt/claude", quirks={"status": []})


def line(kind: str, **fields: Any) -> bytes:
    return json.dumps({"type": kind, **fields}).encode() + b"\n"


def event(kind: str, **fields: Any) -> bytes:
    return line("stream_event", event={"type": kind, **fields}, parent_tool_use_id=None)


def piece(text: str, kind: str = "text") -> bytes:
    return event("content_block_delta", index=0, delta={"type": f"{kind}_delta", kind: text})


def init(source: str = "none") -> bytes:
    return line("system", subtype="init", apiKeySource=source, tools=[])


def result(text: str = "Hello", **fields: Any) -> bytes:
    usage = {"input_tokens": 9, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2, "output_tokens": 3}
    return line("result", **{"subtype": "success", "is_error": False, "result": text, "usage": usage, **fields})


def failed(text: str, word: str | None = None, **fields: Any) -> list[bytes]:
    """How it ends with an error: a message that it makes up, and a result."""
    nothing = {"input_tokens": 0, "output_tokens": 0}
    return [
        *([line("assistant", message={"content": []}, error=word)] if word else []),
        result(text, is_error=True, usage=nothing, **fields),
    ]


def refused(status: int, word: str, text: str) -> list[bytes]:
    return failed(text, word, api_error_status=status)


START = event("message_start", message={"usage": {"input_tokens": 9, "output_tokens": 1}})
STOP = [event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 3}), event("message_stop")]
USED = Usage(15, 3, True, 4, 2)


def read(*chunks: bytes, provider: Provider = ACME) -> list[Reading]:
    reader = claude_program.reader(provider)
    return [reading for chunk in chunks for reading in reader.feed(chunk)] + reader.close()


def error_of(*chunks: bytes, provider: Provider = ACME) -> PointsmanError:
    (found,) = [reading.error for reading in read(*chunks, provider=provider) if isinstance(reading, ErrorSeen)]
    assert found.provider == "acme"
    return found


ANSWER = [init(), line("system", subtype="status"), START, piece("Hm.", "thinking"), piece("Hel"), piece("lo"), *STOP]


def test_an_answer() -> None:
    readings = read(*ANSWER, result(total_cost_usd=0.5))
    cost = Cost(0.5, False, "Acme, by the prices of the API")
    assert [reading for reading in readings if not isinstance(reading, UsageReport)] == [
        ReasoningDelta("Hm."),
        TextDelta("Hel"),
        TextDelta("lo"),
        StopSeen("end"),
    ]
    assert [reading for reading in readings if isinstance(reading, UsageReport)][-1] == UsageReport(USED, cost)


def test_it_is_over_with_its_result_and_not_before() -> None:
    reader = claude_program.reader(ACME)
    assert reader.feed(b"".join(ANSWER))
    before = reader.linger
    assert StopSeen("end") in reader.feed(result())
    assert (before, reader.linger) == (None, claude_program.AFTER_RESULT)
    assert reader.feed(piece("more") + b"rubbish\n") == []
    assert reader.close() == []


@pytest.mark.parametrize("name", RECORDED["anthropic-messages"])
def test_it_reads_what_the_api_s_own_reader_reads(name: str, transcripts: Path) -> None:
    stream = (transcripts / name).read_bytes()
    own = anthropic_messages.reader(ACME)
    expected = [*own.feed(stream), *own.close()]
    payloads = [row.removeprefix(b"data: ") for row in stream.splitlines() if row.startswith(b"data: ")]
    printed = b"".join(b'{"type":"stream_event","event":%b}\n' % payload for payload in payloads)
    last = line("result", subtype="success", result="")
    assert coalesce(read(printed + last)) == coalesce(expected)
    for at in range(0, len(printed), 211):
        assert coalesce(read(printed[:at], printed[at:] + last)) == coalesce(expected)


def test_an_answer_of_two_messages_is_one() -> None:
    more = [event("message_delta", delta={"stop_reason": "max_tokens"}), event("message_stop")]
    readings = read(START, piece("a"), *STOP, START, piece("b"), *more, result())
    assert [r.text for r in readings if isinstance(r, TextDelta)] == ["a", "b"]
    assert readings[-1] == StopSeen("length")


def test_what_did_not_come_in_pieces_comes_whole() -> None:
    assert read(init(), result("All at once")) == [UsageReport(USED), TextDelta("All at once"), StopSeen("end")]
    assert read(init(), line("result", subtype="success", result="")) == [StopSeen("end")]


def test_what_another_agent_says_is_no_answer() -> None:
    other = line("stream_event", event={"type": "content_block_delta"}, parent_tool_use_id="t1")
    assert read(other, result("x"))[1:] == [TextDelta("x"), StopSeen("end")]


def test_the_last_line_may_lack_its_end() -> None:
    assert read(result("x").rstrip())[-1] == StopSeen("end")


@each("chunks", [[], [init()], [START, piece("a")], [*ANSWER]])
def test_an_answer_without_its_result_broke_off(chunks: list[bytes]) -> None:
    assert error_of(*chunks).code == "Interrupted"


@each(
    "rubbish",
    [b"Segmentation fault\n", b"[1]\n", b'{"type":"result","is_error":"no"}\n', b"\xff\xfe\n", b'{"type":1}\n'],
)
def test_rubbish_is_told(rubbish: bytes) -> None:
    reading = read(init(), rubbish)[0]
    assert isinstance(reading, ErrorSeen)
    assert isinstance(reading.error, BadReply)
    assert reading.error.message.startswith("Acme printed a line that can't be read")


@each("odd", [b'{"type":"tool_progress","event":3,"error":{}}\n', b'{"subtype":7}\n'])
def test_what_is_not_known_yet_is_passed_over(odd: bytes) -> None:
    assert read(odd, result("x"))[-1] == StopSeen("end")


@each("flood", [b"x" * 2**10, line("system", subtype="noise", text="x" * 2**10)])
def test_a_flood_without_an_answer_is_given_up(flood: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claude_program, "LONGEST_SILENCE", 16 * 2**10)
    reader = claude_program.reader(ACME)
    found = [reading for _ in range(18) for reading in reader.feed(flood)]
    assert found
    assert isinstance(found[0], ErrorSeen)
    assert "prints on and on" in found[0].error.message


# How much of the plan is used


def limit(**fields: Any) -> bytes:
    return line("rate_limit_event", rate_limit_info=fields)


@each(
    ("told", "expected"),
    [
        ({"status": "allowed"}, None),
        ({"status": "allowed", "rateLimitType": "five_hour", "resetsAt": 1800000000}, None),
        (
            {"rateLimitType": "five_hour", "utilization": 0.25, "resetsAt": 1800000000},
            [("5 hours", 25.0, "2027-01-15T08:00:00Z")],
        ),
        ({"rateLimitType": "seven_day", "utilization": 82}, [("7 days", 82.0, None)]),
        ({"rateLimitType": "overage", "utilization": 0.5}, None),
        (
            {"unifiedWindows": {"five_hour": {"utilization": 0.75}, "seven_day": {"utilization": 0.07}, "odd": {}}},
            [("5 hours", 75.0, None), ("7 days", 7.0, None)],
        ),
        ({"unifiedWindows": {"five_hour": {}}}, None),
    ],
)
def test_what_it_says_of_its_windows(
    told: dict[str, Any], expected: list[tuple[str, float, str | None]] | None
) -> None:
    seen = [reading for reading in read(limit(**told), result("x")) if isinstance(reading, WindowsSeen)]
    found = [[(window.name, window.used_percent, window.resets_at) for window in each.windows] for each in seen]
    assert found == ([] if expected is None else [expected])


def test_an_event_without_a_word_of_limits() -> None:
    assert read(line("rate_limit_event"), result("x"))[-1] == StopSeen("end")


# What goes wrong


def test_not_signed_in() -> None:
    error = error_of(init(), *failed("Not logged in · Please run /login", "authentication_failed"))
    assert isinstance(error, SignInNeeded)
    assert error.message == "Acme is not signed in. It says: Not logged in · Please run /login"
    assert error.advice == (
        "Run `claude login` in a terminal (or, in other versions of the program, `claude auth login`)"
        " and sign in, then ask again."
    )


@each(
    ("login", "advice"),
    [([], SignInNeeded.default_advice), (["x y"], "Run `x y` in a terminal and sign in, then ask again.")],
)
def test_how_to_sign_in_is_said_by_the_definition(login: list[str], advice: str) -> None:
    provider = msgspec.structs.replace(ACME, quirks={"login": login})
    assert error_of(init(), *failed("no", "authentication_failed"), provider=provider).advice == advice


@each(
    ("printed", "code", "status"),
    [
        ([init("ANTHROPIC_API_KEY"), *refused(401, "authentication_failed", "Invalid API key")], "InvalidKey", 401),
        (refused(429, "rate_limit", "Request rejected (429) · no"), "RateLimited", 429),
        (refused(529, "server_error", "529 Overloaded."), "Overloaded", 529),
        (refused(404, "model_not_found", "There's an issue with the selected model"), "ModelNotFound", 404),
        (refused(400, "invalid_request", "Prompt is too long · the request is"), "ContextTooLong", 400),
        (refused(400, "billing_error", "Credit balance is too low"), "QuotaExhausted", 400),
        (refused(400, "invalid_request", "messages: no"), "BadRequest", 400),
        (failed("You've hit your session limit · resets 3pm", "rate_limit"), "QuotaExhausted", 429),
        (failed("Claude AI usage limit reached|1800000000"), "QuotaExhausted", 429),
        ([line("result", subtype="error_during_execution")], "Overloaded", 500),
    ],
)
def test_what_a_result_means_that_is_an_error(printed: list[bytes], code: str, status: int) -> None:
    error = error_of(*printed)
    assert (error.code, error.status_code) == (code, status)


def test_a_plan_that_is_used_up_says_when_it_comes_back() -> None:
    rejected = limit(status="rejected", rateLimitType="five_hour", resetsAt=1800000000)
    error = error_of(init(), rejected, *failed("No more today", "rate_limit", api_error_status=429))
    assert (error.code, error.resets_at) == ("QuotaExhausted", "2027-01-15T08:00:00Z")
    never = limit(status="rejected")
    assert error_of(never, *failed("No more", "rate_limit")).resets_at is None


def test_an_error_in_the_middle_of_a_stream_is_told() -> None:
    broken = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    first = next(reading for reading in read(START, piece("a"), broken) if isinstance(reading, ErrorSeen))
    assert first.error.code == "Overloaded"


def test_what_it_took_until_then_is_told_too() -> None:
    readings = read(init(), result("no", is_error=True))
    assert [type(reading) for reading in readings] == [UsageReport, ErrorSeen]


@each(
    ("body", "code", "words"),
    [
        (b"error: unknown option '--x'\n", "BadReply", "Acme ended without an answer: error: unknown option '--x'"),
        (b"", "BadReply", "Acme ended without an answer and did not say why."),
        (b'{"loggedIn": false}', "SignInNeeded", "Acme is not signed in"),
        (b'{"loggedIn": true}', "BadReply", 'Acme ended without an answer: {"loggedIn": true}'),
        (b"[]", "BadReply", "Acme ended without an answer: []"),
    ],
)
def test_one_that_ends_without_an_answer(body: bytes, code: str, words: str) -> None:
    error = claude_program.error(ACME, Head(500), body)
    assert (error.code, error.status_code) == (code, 500)
    assert error.message.startswith(words)


# Trying it


def test_it_is_tried_without_asking_anybody() -> None:
    assert isinstance(claude_program, Checking)
    reach, authenticate = claude_program.checks(ACME)
    runs = [msgspec.json.decode(check.request.body, type=Run) for check in (reach, authenticate)]
    assert [(run.arguments, run.whole) for run in runs] == [(("--version",), True), (("auth", "status"), True)]
    assert (reach.step, authenticate.step) == ("reach", "authenticate")
    assert reach.detail(b"2.1.197 (Claude Code)\nmore\n") == "2.1.197 (Claude Code)"
    assert reach.detail(b"") == ""
    assert [check.step for check in claude_program.checks(BARE)] == ["reach"]


@each(
    ("body", "words"),
    [
        (
            b'{"loggedIn":true,"authMethod":"claude.ai","subscriptionType":"max","email":"me@x.example"}',
            "claude.ai, max",
        ),
        (b'{"loggedIn":true,"authMethod":null}', ""),
        (b"[]", ""),
        (b"Logged in!", ""),
    ],
)
def test_how_it_is_signed_in_is_told_but_not_as_whom(body: bytes, words: str) -> None:
    _, authenticate = claude_program.checks(ACME)
    assert authenticate.detail(body) == (f"signed in: {words}" if words else "signed in")


def test_it_has_no_list_of_models() -> None:
    assert claude_program.models_request(ACME) is None
    assert claude_program.models(ACME, b"").models == ()
