"""How a chat looks as it comes: the answer on standard output, all else on standard error.

Must never ask the daemon. A terminal shows both streams in one place, so a line that one of them has begun is ended
before the other goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from pointsman.cli.client import in_words
from pointsman.cli.failures import CANCELLED, FAILED, translated
from pointsman.cli.terminal import is_terminal, note, styled, visible

ENDINGS = {
    "length": "cut off at the output limit",
    "toolCalls": "the model asks for tools, and the command line has none",
    "contentFilter": "stopped by the provider's content filter",
    "cancelled": "cancelled",
    "interrupted": "broken off",
}
STATUS = {"cancelled": CANCELLED, "interrupted": FAILED}
"""The exit status by stop reason; 0 for the others."""


class AnswerPrinter:
    """Prints the events of one chat; `hear` takes the daemon's notifications."""

    def __init__(self) -> None:
        self._to_terminal = is_terminal(sys.stdout)
        self._notes_to_terminal = is_terminal(sys.stderr)
        self._open: str | None = None
        self._text_ends = "\n"
        self._silence_told = 0.0
        self._waiting_width = 0
        self._failed: tuple[str, str] | None = None
        self._times = 0

    def hear(self, method: str, params: Any) -> None:
        """Prints what a notification brings, if it is about the chat."""
        if method == "pointsman/chatEvents":
            for event in params["events"]:
                if show := _EVENTS.get(event["type"]):
                    show(self, event)

    def finish(self, result: Mapping[str, Any], *, streamed: bool = True) -> int:
        """Prints what has not been printed yet, and the receipt; gives the exit status."""
        if not streamed:
            for part in parts_of(result["message"]):
                if part["type"] == "text":
                    self._text(part)
        self.close()
        note(receipt(result), dim=True)
        if error := result.get("error"):
            note(f"pointsman: {' '.join(translated(in_words(error)).split())} [{error['code']}]")
        if resume := result.get("resume"):
            note(f"Go on with: {', '.join(f'--model {name}' for name in resume)}")
        return STATUS.get(result["stopReason"], 0)

    def close(self) -> None:
        """Ends the line that is open, so that another can follow; the answer's last line is ended in a pipe, too."""
        self._tell_how_often()
        if self._open == "waiting":
            self._wipe()
        elif self._open == "reasoning":
            click.echo(err=True)
        if self._text_ends != "\n":
            click.echo()
            self._text_ends = "\n"
        self._open = None

    def _text(self, event: Mapping[str, Any]) -> None:
        if not event["text"]:
            return
        if self._open in {"waiting", "reasoning"}:
            self._leave_line()
        self._open, self._silence_told = "text", 0.0
        self._text_ends = event["text"][-1]
        click.echo(visible(event["text"]) if self._to_terminal else event["text"], nl=False, color=True)

    def _reasoning(self, event: Mapping[str, Any]) -> None:
        if self._open != "reasoning":
            self._leave_line()
        self._open = "reasoning"
        click.echo(styled(visible(event["text"]), dim=True), nl=False, err=True)

    def _started(self, event: Mapping[str, Any]) -> None:
        self._tell_how_often()
        account = f" ({event['account']})" if event.get("account") else ""
        self._note(f"→ {event['provider']}:{event['model']}{account}", dim=True)

    def _attempt_failed(self, event: Mapping[str, Any]) -> None:
        """What fails with the same words once more is counted; the last failure of all is told by the chat's error."""
        said = (event["model"], event["error"]["message"])
        if said == self._failed:
            self._times += 1
        else:
            self._tell_how_often()
            self._failed, self._times = said, 1
        if then := event.get("next"):
            if self._times == 1:
                trying = "again" if then == event["model"] else then
                self._note(in_words({"message": " failed: ".join(said), "advice": f"Trying {trying}."}), fg="yellow")
            elif then != event["model"]:
                self._tell_how_often(f" Trying {then}.")

    def _tell_how_often(self, then: str = "") -> None:
        if self._failed and self._times > 1:
            self._note(f"{self._failed[0]} failed {self._times} times.{then}", fg="yellow")
        self._failed, self._times = None, 0

    def _notice(self, event: Mapping[str, Any]) -> None:
        self._note(event["text"], fg="yellow")

    def _tool_call(self, event: Mapping[str, Any]) -> None:
        if event.get("name"):
            self._note(f"The model asks for the tool {event['name']}.", fg="yellow")

    def _waiting(self, event: Mapping[str, Any]) -> None:
        """One line that counts, on a terminal; elsewhere a line now and then."""
        words = f"… {_waits(event)}"
        if not self._notes_to_terminal:
            if event["seconds"] < self._silence_told:
                self._silence_told = 0.0
            if event["seconds"] >= 2 * self._silence_told:
                self._silence_told = event["seconds"]
                note(words)
        elif self._open in {None, "waiting"}:
            self._leave_line()
            click.echo(styled(words, dim=True), nl=False, err=True)
            self._open, self._waiting_width = "waiting", len(words)

    def _note(self, text: str, **style: Any) -> None:
        self._leave_line()
        note(text, **style)

    def _leave_line(self) -> None:
        """Ends an open line where the next one would be seen to run into it."""
        if self._open == "waiting":
            self._wipe()
        elif self._open == "reasoning" or (
            self._open == "text" and self._text_ends != "\n" and self._to_terminal and self._notes_to_terminal
        ):
            click.echo(err=True)
        self._open = None

    def _wipe(self) -> None:
        click.echo(f"\r{' ' * self._waiting_width}\r", nl=False, err=True)


_EVENTS: Mapping[str, Callable[[AnswerPrinter, Mapping[str, Any]], None]] = {
    "started": AnswerPrinter._started,
    "text": AnswerPrinter._text,
    "reasoning": AnswerPrinter._reasoning,
    "toolCall": AnswerPrinter._tool_call,
    "attemptFailed": AnswerPrinter._attempt_failed,
    "notice": AnswerPrinter._notice,
    "waiting": AnswerPrinter._waiting,
}
"""By event; what is not here is in the receipt."""


def receipt(result: Mapping[str, Any]) -> str:
    """One line: who answered, what it took and cost, how it ended. What is estimated says *about*."""
    who = f"{result['provider']}:{result['model']}" if result.get("provider") else "nobody answered"
    usage, timing = result["usage"], result["timing"]
    about = "" if usage["exact"] else "about "
    facts = [who, f"{about}{_tokens(usage['inputTokens'])} in, {usage['outputTokens']} out"]
    if cost := result.get("cost"):
        facts.append(f"{'' if cost['exact'] else 'about '}${cost['usd']:.4f}")
    if timing["firstTokenMs"] is not None:
        facts.append(f"first after {_time(timing['firstTokenMs'])}")
    facts.append(f"{_time(timing['totalMs'])} in all")
    if failed := sum(attempt["outcome"] == "failed" for attempt in result["attempts"]):
        facts.append(f"{failed} failed {'attempt' if failed == 1 else 'attempts'}")
    if ending := ENDINGS.get(result["stopReason"]):
        facts.append(ending)
    return f"— {' · '.join(facts)}"


def parts_of(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The content of a message as parts, whichever way it came."""
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _waits(event: Mapping[str, Any]) -> str:
    """What a chat waits for: its turn, the time at which somebody may be asked again, or the model."""
    seconds = f"{event['seconds']:.0f} s"
    if place := event.get("place"):
        queue = f" of {visible(event['queue'])}" if event.get("queue") else ""
        since = f", for {seconds}" if event["seconds"] >= 1 else ""
        return f"{'next' if place == 1 else ordinal(place)} in the queue{queue}{since}"
    if left := event.get("left"):
        return f"asks again in {left:.0f} s"
    return f"silent for {seconds}"


def ordinal(number: int) -> str:
    """A number as a place: 1st, 2nd, 3rd, 11th."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in {11, 12, 13} else "th"
    return f"{number}{ending}"


def _tokens(count: int) -> str:
    return "1 token" if count == 1 else f"{count} tokens"


def _time(milliseconds: int) -> str:
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
