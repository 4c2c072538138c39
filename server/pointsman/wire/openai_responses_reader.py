"""Reads the streams of the `openai-responses` dialect: events of a response in, readings out.

Must never know which provider it reads: what differs is read from the bytes themselves.
Source: https://platform.openai.com/docs/api-reference/responses-streaming, and recorded streams of two servers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Cost,
    Reading,
    ReasoningDelta,
    Seal,
    StopReason,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from pointsman.wire import error_bodies, loose
from pointsman.wire.event_reader import EventReader

AFTER_END = 0.2
"""Seconds that the end of the body is worth waiting for after the last event."""

INCOMPLETE: dict[str, StopReason] = {"": "length", "max_output_tokens": "length", "content_filter": "contentFilter"}
"""What ends an answer before its time; servers that give no reason (aimock, local ones) mean the length."""
OUR_FAULT = ("invalid_", "unsupported_", "image_", "empty_", "failed_to_download_")
"""How the codes begin of errors that are in the request, and not the server's trouble."""


class _Event(Struct):
    type: str = ""
    output_index: int = 0
    content_index: Any = None
    summary_index: Any = None
    delta: Raw = Raw()
    text: Raw = Raw()
    refusal: Raw = Raw()
    arguments: Raw = Raw()
    item: Raw = Raw()
    response: Raw = Raw()
    error: Any = None
    code: Any = None
    message: Any = None


class _Block(Struct):
    text: str = ""
    refusal: str = ""


class _Item(Struct):
    type: str = ""
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    content: list[_Block] | None = None
    summary: list[_Block] | None = None


class _Response(Struct):
    status: Any = None
    output: Raw = Raw()
    usage: Raw = Raw()
    error: Any = None
    incomplete_details: Any = None


_EVENT = msgspec.json.Decoder(_Event)
_ITEM = msgspec.json.Decoder(_Item)
_RESPONSE = msgspec.json.Decoder(_Response)
_TEXT = msgspec.json.Decoder(str)

Kind = type[TextDelta | ReasoningDelta]
Place = tuple[Kind, int]
"""What is said, and in which item."""
Part = tuple[str, str, str]
"""Which part of an item an event is about, by all that it says of it."""
SAID_IN: dict[str, Kind] = {"message": TextDelta, "reasoning": ReasoningDelta}


class _Call:
    """A tool call on its way: which of them it is, and what of it was told already."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.id: str | None = None
        self.name: str | None = None
        self.arguments: list[str] = []


SAMENESS: tuple[Callable[[_Call, _Item], bool], ...] = (
    lambda call, item: call.id == item.call_id,
    lambda call, item: call.name in {None, item.name} and "".join(call.arguments) == (item.arguments or ""),
    lambda call, item: call.name in {None, item.name},
    lambda call, item: True,
)
"""By what a call of the end is one that was told, the surest first: vLLM draws another id for it each time. What is
known by nothing counts at least: there are no more calls than the end has, or than were told."""


class Reader(EventReader):
    """Server-sent events in, readings out. What comes piece by piece and then as a whole is told once."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._calls: dict[int, _Call] = {}
        self._said: dict[Place, list[str]] = {}
        """What was told so far."""
        self._parts: dict[Place, dict[Part, str]] = {}
        """What came in parts that are whole."""
        self._pieced: set[Kind] = set()
        """What came in pieces: then the pieces are right, whatever is whole."""
        self._sealed = False

    @property
    def linger(self) -> float | None:
        """Nothing follows the last event but the end of the body."""
        return AFTER_END if self.stopped else None

    def read(self, event: bytes, readings: list[Reading]) -> None:
        """Adds what one event says; those of unknown types say nothing."""
        if self.stopped or event == b"[DONE]":
            return
        decoded = _EVENT.decode(event)
        if decoded.type == "error" or (not decoded.type and decoded.error is not None):
            self._fail(decoded.error or {"code": decoded.code, "message": decoded.message}, readings)
        elif handler := HANDLERS.get(decoded.type):
            handler(self, decoded, readings)

    def ended(self, readings: list[Reading]) -> None:
        """An answer without its last event broke off."""
        self.end(readings)

    def say(self, event: _Event, readings: list[Reading]) -> None:
        """A piece of the answer, or of a refusal."""
        self._piece(TextDelta, event, readings)

    def think(self, event: _Event, readings: list[Reading]) -> None:
        """A piece of a thought, or of its summary."""
        self._piece(ReasoningDelta, event, readings)

    def said(self, event: _Event, readings: list[Reading]) -> None:
        """A part of the answer, or of a refusal, as a whole."""
        self._part(TextDelta, event, readings)

    def thought(self, event: _Event, readings: list[Reading]) -> None:
        """A part of a thought, or of its summary, as a whole."""
        self._part(ReasoningDelta, event, readings)

    def argue(self, event: _Event, readings: list[Reading]) -> None:
        """A piece of a call's arguments."""
        call = self._call(event)
        if text := _TEXT.decode(event.delta):
            call.arguments.append(text)
            readings.append(ToolCallDelta(call.index, text))

    def argued(self, event: _Event, readings: list[Reading]) -> None:
        """All of a call's arguments."""
        self._argue_whole(self._call(event), _TEXT.decode(event.arguments), readings)

    def begin(self, event: _Event, readings: list[Reading]) -> None:
        """An item begins: of a call, the name comes first."""
        item = _ITEM.decode(event.item)
        if item.type == "function_call":
            self._name(self._call(event), item, readings)

    def finish(self, event: _Event, readings: list[Reading]) -> None:
        """An item is whole: what did not come in pieces is told now."""
        item = _ITEM.decode(event.item)
        match item.type:
            case "function_call":
                self._whole_call(self._known(event, item), item, readings)
            case "reasoning":
                self._rest(ReasoningDelta, event.output_index, _words(item), readings)
                self._seal(msgspec.json.decode(event.item), readings)
            case "message":
                self._rest(TextDelta, event.output_index, _words(item), readings)

    def complete(self, event: _Event, readings: list[Reading]) -> None:
        """The answer is over: as its status says, complete, or complete but for the calls that it asks for."""
        response = _RESPONSE.decode(event.response)
        if how := ENDS.get(str(response.status)):
            how(self, event, readings)
        else:
            self._catch_up(loose.value(response.output), readings)
            self._stop(response, "toolCalls" if self._calls else "end", readings)

    def cut_short(self, event: _Event, readings: list[Reading]) -> None:
        """The answer ends before it is complete, and says why."""
        response = _RESPONSE.decode(event.response)
        self._catch_up(loose.value(response.output), readings)
        details = response.incomplete_details
        reason = (details.get("reason") if isinstance(details, dict) else None) or ""
        self._stop(response, INCOMPLETE.get(str(reason), "interrupted"), readings)

    def failed(self, event: _Event, readings: list[Reading]) -> None:
        """The answer ends with an error."""
        response = _RESPONSE.decode(event.response)
        self._report(response, readings)
        self._fail(response.error or {}, readings)

    def _fail(self, detail: Any, readings: list[Reading]) -> None:
        if isinstance(detail, dict) and str(detail.get("code")).startswith(OUR_FAULT):
            detail = {"status_code": 400, **detail}
        self.fail(error_bodies.in_stream(self.provider, detail), readings)
        self.stopped = True

    def _stop(self, response: _Response, reason: StopReason, readings: list[Reading]) -> None:
        self._report(response, readings)
        self.stop(reason, readings)

    def _report(self, response: _Response, readings: list[Reading]) -> None:
        if report := _usage(loose.value(response.usage), self.provider):
            readings.append(report)

    def _catch_up(self, output: Any, readings: list[Reading]) -> None:
        """The answer as a whole, at its end: what no event before has brought is told now.

        Where an item stands is no help: not all count them alike. A seal is told only where nothing was that would then
        stand before it.
        """
        unsealed = not (self._sealed or self._calls or self._told(TextDelta))
        whole: dict[Kind, str] = {TextDelta: "", ReasoningDelta: ""}
        items = [(said, _item(said)) for said in (output if isinstance(output, list) else ())]
        calls = self._paired({item.call_id: item for _, item in items if _is_call(item)})
        for said, item in items:
            kind = SAID_IN.get(item.type)
            if call := calls.get(item.call_id) if _is_call(item) else None:
                self._whole_call(call, item, readings)
            elif kind is TextDelta or (kind is ReasoningDelta and unsealed):
                whole[kind] += _words(item)
                self._rest(kind, None, whole[kind], readings)
                if kind is ReasoningDelta:
                    self._seal(said, readings)

    def _paired(self, items: dict[str | None, _Item]) -> dict[str | None, _Call]:
        """The call that each of the end is, by its id there: one that was told, or another one."""
        free = list(self._calls.values())
        paired: dict[str | None, _Call] = {}
        for same in SAMENESS:
            for id, item in items.items():
                call = None if id in paired else next((call for call in free if same(call, item)), None)
                if call is not None:
                    free.remove(call)
                    paired[id] = call
        for id in items:
            if id not in paired:
                paired[id] = self._calls.setdefault(~len(self._calls), _Call(len(self._calls)))
        return paired

    def _piece(self, kind: Kind, event: _Event, readings: list[Reading]) -> None:
        if text := _TEXT.decode(event.delta):
            self._pieced.add(kind)
            self._tell(kind, event.output_index, text, readings)

    def _tell(self, kind: Kind, index: int, text: str, readings: list[Reading]) -> None:
        if text:
            if pieces := self._said.get((kind, index)):
                pieces.append(text)
            else:
                self._said[kind, index] = [text]
            readings.append(kind(text))

    def _part(self, kind: Kind, event: _Event, readings: list[Reading]) -> None:
        """A part as a whole. Its words are in the event, or there is nothing to do.

        Words that come twice are one part, and words of another item are no part of this one: were they, then the item
        or the end would say so.
        """
        index, words = event.output_index, loose.value(event.text) or loose.value(event.refusal)
        known = kind in self._pieced or (kind, index) in self._said
        if not isinstance(words, str) or (known and any(words in told for told in self._each(kind, index))):
            return
        parts = self._parts.setdefault((kind, index), {})
        parts[event.type, str(event.content_index), str(event.summary_index)] = words
        self._rest(kind, index, "".join(dict.fromkeys(parts.values())), readings)

    def _rest(self, kind: Kind, index: int | None, whole: str, readings: list[Reading]) -> None:
        """What is whole now, of an item or of all, but for what of it was told already.

        Not all count an item alike each time: it may be that it was told as another. Then it has its words, or begins
        with all of them; and where no words come in pieces, one that does neither is told for the first time.
        """
        if index is not None and whole in self._each(kind):
            return
        told = self._told(kind, index) or self._told(kind)
        if whole.startswith(told):
            self._tell(kind, -1 if index is None else index, whole[len(told) :], readings)
        elif index is not None and kind not in self._pieced and (kind, index) not in self._said:
            self._tell(kind, index, whole, readings)

    def _each(self, kind: Kind, but: int | None = None) -> list[str]:
        """What was told of each item, but of one."""
        return ["".join(pieces) for (said, index), pieces in self._said.items() if said is kind and index != but]

    def _told(self, kind: Kind, index: int | None = None) -> str:
        return "".join(self._each(kind) if index is None else self._said.get((kind, index), ()))

    def _call(self, event: _Event) -> _Call:
        return self._calls.setdefault(event.output_index, _Call(len(self._calls)))

    def _known(self, event: _Event, item: _Item) -> _Call:
        """The call of an item, also where it is counted differently once it is whole."""
        if event.output_index not in self._calls:
            for call in self._calls.values():
                if call.id == item.call_id and (not call.arguments or "".join(call.arguments) == item.arguments):
                    return call
        return self._call(event)

    def _name(self, call: _Call, item: _Item, readings: list[Reading]) -> None:
        if call.name is None and _is_call(item):
            call.name, call.id = item.name, item.call_id
            readings.append(ToolCallDelta(call.index, "", item.call_id, item.name))

    def _whole_call(self, call: _Call, item: _Item, readings: list[Reading]) -> None:
        self._name(call, item, readings)
        self._argue_whole(call, item.arguments or "", readings)

    def _seal(self, item: Any, readings: list[Reading]) -> None:
        self._sealed = True
        readings.append(Seal(opaque=item))

    def _argue_whole(self, call: _Call, arguments: str, readings: list[Reading]) -> None:
        if arguments and not call.arguments:
            call.arguments.append(arguments)
            readings.append(ToolCallDelta(call.index, arguments))


ENDS: dict[str, Callable[[Reader, _Event, list[Reading]], None]] = {
    "incomplete": Reader.cut_short,
    "failed": Reader.failed,
    "cancelled": Reader.failed,
}
"""What a status means that contradicts an event that says `completed`; the official SDK believes the status, too."""

HANDLERS: dict[str, Callable[[Reader, _Event, list[Reading]], None]] = {
    "response.output_text.delta": Reader.say,
    "response.refusal.delta": Reader.say,
    "response.output_text.done": Reader.said,
    "response.refusal.done": Reader.said,
    "response.reasoning_summary_text.delta": Reader.think,
    "response.reasoning_text.delta": Reader.think,
    "response.reasoning_summary_text.done": Reader.thought,
    "response.reasoning_text.done": Reader.thought,
    "response.function_call_arguments.delta": Reader.argue,
    "response.function_call_arguments.done": Reader.argued,
    "response.output_item.added": Reader.begin,
    "response.output_item.done": Reader.finish,
    "response.completed": Reader.complete,
    "response.incomplete": Reader.cut_short,
    "response.failed": Reader.failed,
}


def _item(said: Any) -> _Item:
    """One item of the whole; one that can't be read says nothing."""
    try:
        return msgspec.convert(said, _Item)
    except msgspec.ValidationError:
        return _Item()


def _is_call(item: _Item) -> bool:
    """Whether an item is a call with all that one needs."""
    return bool(item.type == "function_call" and item.call_id and item.name)


def _words(item: _Item) -> str:
    """All that an item says."""
    return "".join(block.text or block.refusal for block in [*(item.summary or ()), *(item.content or ())])


def _usage(said: Any, provider: Provider) -> UsageReport | None:
    """Usage in our terms. Should reasoning be counted beside the output, not in it, then the total gives that away."""
    asked, output = loose.count(said, "input_tokens"), loose.count(said, "output_tokens")
    if asked is None or output is None:
        return None
    reasoning = loose.count(said, "output_tokens_details", "reasoning_tokens")
    if reasoning and loose.count(said, "total_tokens") == asked + output + reasoning:
        output += reasoning
    usd = loose.dollars(said, "cost")
    return UsageReport(
        Usage(
            input_tokens=asked,
            output_tokens=output,
            exact=True,
            cached_input_tokens=loose.count(said, "input_tokens_details", "cached_tokens"),
            cache_write_tokens=loose.count(said, "input_tokens_details", "cache_write_tokens"),
            reasoning_tokens=reasoning,
        ),
        None if usd is None else Cost(usd=usd, exact=True, source=provider.id),
    )
