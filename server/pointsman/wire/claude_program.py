"""The `claude-program` dialect: Anthropic's own program `claude`, run without a terminal; what it prints is read.

Must never know how it is started, nor see the sign-in of a plan, which is the program's own. What it prints as the
events of a stream are those of the Messages API, and its reader reads them.

Source: https://code.claude.com/docs/en/headless, /cli-reference and /env-vars there, and version 2.1.197 run against a
server of our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Conversation,
    Cost,
    Notice,
    Reading,
    StopSeen,
    TextDelta,
    UsageReport,
    WindowsSeen,
)
from pointsman.core.errors import UNREADABLE, BadReply, Interrupted, PointsmanError, SignInNeeded
from pointsman.core.http import Head, Request
from pointsman.core.models import ModelPage
from pointsman.core.program import Run, program_of
from pointsman.core.stream import LineSplitter
from pointsman.core.trial import Check
from pointsman.core.windows import HOUR, WEEK, Window, of_provider
from pointsman.wire import anthropic_messages, error_bodies, loose
from pointsman.wire.carrying import once, options_left_out
from pointsman.wire.claude_prompt import folded
from pointsman.wire.event_reader import AnswerReader

ARGUMENTS = (
    *("-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages"),
    *("--tools", "", "--setting-sources", "", "--strict-mcp-config", "--no-session-persistence"),
)
"""It answers, and does nothing else: without tools, settings, servers of tools, or a session that it would keep."""
SYSTEM = "system"
NO_SYSTEM = "Answer the user."
"""What it is told instead of its own long words about working on code, where the conversation has none."""
ENVIRONMENT = {
    # Without this, `@/a/path` in what anybody has said makes it read that file and send it along.
    "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",
    "CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1",
    # Without this, it asks a model for a title, too: a second request for each chat.
    "CLAUDE_CODE_DISABLE_TERMINAL_TITLE": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    # What is tried again, and whom to ask instead, is decided here; asked anew, it would say everything twice.
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    "CLAUDE_CODE_MAX_RETRIES": "0",
}
EFFORTS = {"minimal": "low"} | {word: word for word in ("low", "medium", "high", "xhigh", "max")}
WINDOWS = {"five_hour": 5 * HOUR, "seven_day": WEEK}
AFTER_RESULT = 2.0
"""Seconds that the end of the program is worth waiting for, once it has told its result."""
LONGEST_SILENCE = 16 * 2**20
"""Bytes without anything to read after which the program is given up."""
WORDS = {
    "authentication_failed": "authentication_error",
    "rate_limit": "rate_limit_error",
    "invalid_request": "invalid_request_error",
    "model_not_found": "not_found_error",
}
"""What the program calls errors, in the words of the API; others it calls as the API does."""
SPENT = ("hit your", "usage limit reached", "out of extra usage")
"""In lower case, how it says that nothing is left of the plan, whatever else it says."""
LONGEST_QUOTE = 500


class Quirks(Struct, frozen=True, forbid_unknown_fields=True):
    """`environment`: variables for the program besides the few that it gets anyway; `env:NAME` is the one of that name
    of whoever asks. `login`: commands that sign in, the usual one first. `install`: what to do where it is not there.
    `status`: arguments with which it says whether it is signed in, and asks nobody; none where it can't.
    """

    environment: dict[str, str] = {}
    login: tuple[str, ...] = ()
    install: str = ""
    status: tuple[str, ...] = ("auth", "status")


def request(provider: Provider, model: str, conversation: Conversation) -> tuple[Request, Sequence[Notice]]:
    """A run of the program that streams an answer. Raises BadRequest where there is nothing to answer.

    A model is one word with its option, so that no name can be another option.
    """
    system, prompt, notices = folded(provider, conversation)
    arguments: tuple[str, ...] = (*ARGUMENTS, f"--model={model}", "--system-prompt-file", f"{{{SYSTEM}}}")
    options = conversation.options
    effort = EFFORTS.get(str(options.reasoning_effort))
    if effort is not None:
        arguments += (f"--effort={effort}",)
    if effort is not None and effort != options.reasoning_effort:
        text = f"{provider.title} knows no effort `{options.reasoning_effort}`; `{effort}` was taken."
        notices.append(Notice("reasoningEffort", text))
    if conversation.tools:
        notices.append(Notice("tools", f"{provider.title} is run without tools; their definitions were left out."))
    if conversation.tool_choice is not None:
        notices.append(Notice("toolChoice", f"{provider.title} is run without tools; the choice was left out."))
    notices += options_left_out(conversation, {"reasoningEffort"} if effort else set(), provider.title)
    run = _run(provider, arguments, prompt, {SYSTEM: system or NO_SYSTEM})
    return Request("POST", provider.url("run"), body=msgspec.json.encode(run)), once(notices)


def checks(provider: Provider) -> Sequence[Check]:
    """Runs that cost nothing: which version it is, and whether it is signed in."""
    quirks = msgspec.convert(provider.quirks, Quirks)
    found = [Check("reach", _whole(provider, ("--version",)), _first_line)]
    if quirks.status:
        found.append(Check("authenticate", _whole(provider, quirks.status), _signed_in))
    return found


def reader(provider: Provider) -> Reader:
    """A reader for one answer."""
    return Reader(provider)


class _RateLimit(Struct, rename="camel"):
    status: str = ""
    resets_at: float | None = None
    rate_limit_type: str = ""
    utilization: float | None = None
    unified_windows: dict[str, _Share] | None = None


class _Share(Struct, rename="camel"):
    utilization: float | None = None
    resets_at: float | None = None


class _Line(Struct):
    type: str = ""
    subtype: str = ""
    event: Raw = Raw()
    parent_tool_use_id: str | None = None
    error: str | None = None
    is_error: bool = False
    api_error_status: int | None = None
    result: str | None = None
    usage: Raw = Raw()
    total_cost_usd: Raw = Raw()
    rate_limit_info: _RateLimit | None = None
    api_key_source: str | None = msgspec.field(default=None, name="apiKeySource")


class _Kind(Struct):
    type: str = ""


_LINE = msgspec.json.Decoder(_Line)
_KIND = msgspec.json.Decoder(_Kind)
NEEDED = {"stream_event", "result"}
"""The kinds of lines that an answer is made of; others that can't be read are passed over, known or not."""


class Reader(AnswerReader):
    """Lines of JSON in, readings out. An answer is complete at the line `result`, and not before."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._lines = LineSplitter()
        self._unread = 0
        self._messages = anthropic_messages.reader(provider)
        self._stop: StopSeen | None = None
        self._said = False
        self._error_word: str | None = None
        self._key_in_use = False
        self._limit = _RateLimit()

    def feed(self, chunk: bytes) -> list[Reading]:
        """What this chunk completes."""
        readings: list[Reading] = []
        self._unread += len(chunk)
        for line in self._lines.feed(chunk):
            self._read(line, readings)
        if readings:
            self._unread = 0
        elif self._unread > LONGEST_SILENCE:
            self.fail(self._bad("prints on and on, and nothing of it is an answer"), readings)
        self.listen(readings)
        return readings

    @property
    def linger(self) -> float | None:
        """The program ends soon after its result."""
        return AFTER_RESULT if self.stopped else None

    def close(self) -> list[Reading]:
        """What the end of its output completes."""
        readings: list[Reading] = []
        for line in self._lines.close():
            self._read(line, readings)
        self.end(readings)
        return readings

    def broken_off(self) -> PointsmanError:
        """The error for a program that ends before the answer does."""
        return Interrupted(f"{self.provider.title} ended before the answer was complete.", provider=self.provider.id)

    def _read(self, encoded: bytes, readings: list[Reading]) -> None:
        if self.stopped:
            return
        try:
            line = _LINE.decode(encoded)
            self._take(line, readings)
        except UNREADABLE as error:
            if not _is_passed_over(encoded):
                self.fail(self._bad(f"printed a line that can't be read ({error})"), readings)

    def _take(self, line: _Line, readings: list[Reading]) -> None:
        match line.type:
            case "stream_event" if line.parent_tool_use_id is None:
                self._event(bytes(line.event), readings)
            case "system" if line.subtype == "init":
                self._key_in_use = line.api_key_source not in {None, "none"}
            case "assistant":
                self._error_word = line.error or self._error_word
            case "rate_limit_event" if line.rate_limit_info is not None:
                self._limit = line.rate_limit_info
                if windows := _windows(line.rate_limit_info):
                    readings.append(WindowsSeen(windows))
            case "result":
                self._end(line, readings)
                self.stopped = True
            case _:
                pass

    def _event(self, event: bytes, readings: list[Reading]) -> None:
        """One event of the Messages API; an answer may take several messages, of which the last says why it ended."""
        if self._stop is not None:
            self._messages, self._stop = anthropic_messages.reader(self.provider), None
        found: list[Reading] = []
        self._messages.read(event, found)
        for reading in found:
            if isinstance(reading, StopSeen):
                self._stop = reading
            else:
                self._said = self._said or isinstance(reading, TextDelta)
                readings.append(reading)

    def _end(self, line: _Line, readings: list[Reading]) -> None:
        report, cost = anthropic_messages.reported(loose.value(line.usage)), None
        if usd := loose.dollars(loose.value(line.total_cost_usd)):
            cost = Cost(usd, False, f"{self.provider.title}, by the prices of the API")
        if report is not None and report.usage.output_tokens:
            readings.append(UsageReport(report.usage, cost))
        if line.is_error or line.subtype.startswith("error"):
            self.fail(self._error(line), readings)
            return
        if line.result and not self._said:  # nothing came piece by piece
            readings.append(TextDelta(line.result))
        readings.append(self._stop or StopSeen("end"))

    def _error(self, line: _Line) -> PointsmanError:
        """What a result means that is an error: by the program's own word for it, its status, and what it says."""
        provider, text = self.provider, (line.result or line.subtype)[:LONGEST_QUOTE]
        word = self._error_word or ""
        if word == "authentication_failed" and not self._key_in_use:
            return _sign_in(provider, text, line.api_error_status)
        detail: dict[str, Any] = {"message": text, "type": WORDS.get(word, word)}
        if line.api_error_status:
            detail["status_code"] = line.api_error_status
        rejected = self._limit.status == "rejected"
        if rejected or any(phrase in text.lower() for phrase in SPENT):
            detail |= {"type": "usage_limit_reached", "status_code": 429}
            if rejected and self._limit.resets_at is not None:
                detail["resets_at"] = self._limit.resets_at
        return error_bodies.in_stream(provider, detail)

    def _bad(self, what: str) -> PointsmanError:
        return BadReply(f"{self.provider.title} {what}.", provider=self.provider.id)


def error(provider: Provider, head: Head, body: bytes) -> PointsmanError:
    """What it means that the program ended without an answer: `body` is what it had to say."""
    try:
        told = msgspec.json.decode(body)
    except UNREADABLE:
        told = None
    if isinstance(told, dict) and told.get("loggedIn") is False:
        return _sign_in(provider, "not logged in", head.status)
    text = " ".join(body.decode("utf-8", "replace").split())[-LONGEST_QUOTE:]
    said = f": {text}" if text else " and did not say why."
    advice = "Update the program, and look whether it works in a terminal; then ask again."
    return BadReply(
        f"{provider.title} ended without an answer{said}", advice, provider=provider.id, status_code=head.status
    )


def models_request(provider: Provider, page: str | None = None) -> Request | None:
    """None: the program has no list of models; those of the definition are all that is known."""
    return None


def models(provider: Provider, body: bytes) -> ModelPage:
    """Nothing: there is no list to read."""
    return ModelPage(())


def _run(provider: Provider, arguments: tuple[str, ...], prompt: str = "", files: dict[str, str] | None = None) -> Run:
    quirks = msgspec.convert(provider.quirks, Quirks)
    return Run(
        program_of(provider.base_url),
        arguments,
        prompt,
        files or {},
        ENVIRONMENT | quirks.environment,
        install=quirks.install,
    )


def _whole(provider: Provider, arguments: tuple[str, ...]) -> Request:
    run = msgspec.structs.replace(_run(provider, arguments), whole=True)
    return Request("POST", provider.url("run"), body=msgspec.json.encode(run))


def _first_line(body: bytes) -> str:
    return next(iter(body.decode("utf-8", "replace").splitlines()), "")[:LONGEST_QUOTE]


def _signed_in(body: bytes) -> str:
    """How it is signed in; not as whom."""
    try:
        told = msgspec.json.decode(body)
    except UNREADABLE:
        return "signed in"
    named = [told.get(name) for name in ("authMethod", "subscriptionType")] if isinstance(told, dict) else []
    how = ", ".join(str(each)[:50] for each in named if each)
    return f"signed in: {how}" if how else "signed in"


def _sign_in(provider: Provider, text: str, status: int | None) -> SignInNeeded:
    first, *others = msgspec.convert(provider.quirks, Quirks).login or ("",)
    advice = None
    if first:
        other = f" (or, in other versions of the program, `{'` or `'.join(others)}`)" if others else ""
        advice = f"Run `{first}` in a terminal{other} and sign in, then ask again."
    said = f"{provider.title} is not signed in. It says: {text}"
    return SignInNeeded(said, advice, provider=provider.id, status_code=status)


def _windows(limit: _RateLimit) -> tuple[Window, ...]:
    """The windows of which it says how much is used: in a share of 1, by some versions in percent."""
    shares = {limit.rate_limit_type: _Share(limit.utilization, limit.resets_at)} | (limit.unified_windows or {})
    return tuple(
        of_provider(seconds, share.utilization * 100 if share.utilization <= 1 else share.utilization, share.resets_at)
        for name, seconds in WINDOWS.items()
        if (share := shares.get(name)) is not None and share.utilization is not None
    )


def _is_passed_over(line: bytes) -> bool:
    """Whether a line is of a kind that is no part of an answer, whatever its shape."""
    try:
        return _KIND.decode(line).type not in NEEDED
    except UNREADABLE:
        return False
