"""The envelope of JSON-RPC 2.0: what arrives in it, and what goes out. Must never know a method.

Source: https://www.jsonrpc.org/specification, and the error codes of LSP 3.17.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from pointsman.core.catalogue import nearest
from pointsman.core.errors import UNREADABLE, ErrorData, PointsmanError
from pointsman.core.receipt import ChatResult, chat_failure
from pointsman.core.secret import hide

Id = int | str | float | None
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32601, -32602, -32603
NOT_INITIALIZED, REQUEST_CANCELLED, REQUEST_FAILED = -32002, -32800, -32803


class Envelope(Struct):
    """A message whose parameters are not read yet."""

    jsonrpc: Literal["2.0"]
    method: str | UnsetType = UNSET
    id: Id | UnsetType = UNSET
    params: Raw = Raw(b"")
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


class Problem(Struct):
    """An error as JSON-RPC carries it: `data` says it in full, `message` in short."""

    code: int
    message: str
    data: ErrorData


class Refused(Exception):
    """A request that can't be carried out as it was put; `problem` is its answer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _Result(Struct):
    id: Id
    result: Any
    jsonrpc: str = "2.0"


class _Error(Struct):
    id: Id
    error: Problem
    jsonrpc: str = "2.0"


class _Notification(Struct):
    method: str
    params: Any
    jsonrpc: str = "2.0"


class _CancelParams(Struct):
    id: Id


ENVELOPE = msgspec.json.Decoder(Envelope)
_encode = msgspec.json.Encoder().encode


def result(id: Id, value: Any) -> bytes:
    """The body of a reply."""
    return _encode(_Result(id, value))


def error(id: Id, problem: Problem) -> bytes:
    """The body of a reply that is an error."""
    return _encode(_Error(id, problem))


def notification(method: str, params: Any) -> bytes:
    """The body of a notification."""
    return _encode(_Notification(method, params))


def cancelled_id(params: bytes) -> Id:
    """Which request `$/cancelRequest` means; None when it does not say so in a way that could be one."""
    try:
        return msgspec.json.decode(params, type=_CancelParams).id
    except UNREADABLE:
        return None


def salvage(body: bytes, error: Exception) -> tuple[Id, Problem]:
    """The id, where one can be made out, and the problem of a body that is no envelope."""
    try:
        message = msgspec.json.decode(body)
    except UNREADABLE:
        text = f"The message is not JSON: {error}."
        return None, _problem(PARSE_ERROR, "ParseError", text, "Send one JSON-RPC message in UTF-8 a frame.")
    id = message.get("id") if isinstance(message, dict) else None
    reason = str(error) if isinstance(message, dict) else "batches are not part of LSP"
    known = id if isinstance(id, int | str | float) and not isinstance(id, bool) else None
    return known, invalid_request(f"It is no JSON-RPC 2.0 message: {reason}.")


def problem_of(failure: PointsmanError) -> Problem:
    """An error of ours as JSON-RPC carries it."""
    data = failure.data()
    return Problem(REQUEST_FAILED, data.message, data)


def problem_of_chat(failure: PointsmanError, seen: ChatResult) -> Problem:
    """The same for a chat that nobody answered."""
    data = chat_failure(failure.data(), seen)
    return Problem(REQUEST_FAILED, data.message, data)


def invalid_request(reason: str) -> Problem:
    """A message that can't be a request, at least not now."""
    return _problem(INVALID_REQUEST, "InvalidRequest", reason, "See docs/protocol.md for the order of a connection.")


def invalid_params(reason: str) -> Problem:
    """Parameters that do not fit; the reason names the place in them."""
    place = reason.rpartition(" - at `$.")[2].rstrip("`") if " - at `$." in reason else ""
    correct = f"Correct `{place}`" if place else "Correct the parameters"
    return _problem(INVALID_PARAMS, "InvalidParams", reason, f"{correct}: docs/protocol.md says what each may be.")


def unknown_method(name: str, known: Iterable[str]) -> Problem:
    """A request for what is not there."""
    near = nearest(name, known)
    advice = f"Did you mean {', '.join(near)}?" if near else "docs/protocol.md lists the methods."
    return _problem(METHOD_NOT_FOUND, "MethodNotFound", f"There is no method {hide(name)[:100]!r}.", advice)


def not_greeted() -> Problem:
    """A client that came straight to the socket."""
    advice = "Run `pointsman connect` and speak LSP on its standard input and output."
    return _problem(NOT_INITIALIZED, "NotGreeted", "This connection did not begin with `pointsman/hello`.", advice)


def not_initialized() -> Problem:
    """A request before `initialize`."""
    return _problem(
        NOT_INITIALIZED, "NotInitialized", "The first request must be `initialize`.", "Send it, then this one again."
    )


def too_large(size: int) -> Problem:
    """A frame that was skipped."""
    text = f"A message of {size} bytes was skipped: 64 MiB is the most."
    return _problem(INVALID_REQUEST, "MessageTooLarge", text, "Send less in one message; images can be scaled down.")


def cancelled() -> Problem:
    """The answer to a request that was cancelled and has no result for that."""
    return _problem(REQUEST_CANCELLED, "RequestCancelled", "The request was cancelled.", "Nothing more is to be done.")


def internal() -> Problem:
    """A mistake of ours. What went wrong is in the log, and nowhere else."""
    text = "Something went wrong inside Pointsman."
    return _problem(
        INTERNAL_ERROR, "InternalError", text, "Its log says what; `pointsman doctor` says where the log is."
    )


def _problem(number: int, code: str, message: str, advice: str) -> Problem:
    message = hide(message)  # it may quote what the client sent
    return Problem(number, message, ErrorData(code=code, message=message, advice=hide(advice), retryable=False))
