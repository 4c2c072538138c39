"""JSON-RPC's envelope: what is read from it, what is salvaged of a broken one, and each answer in its form."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Raw, Struct

from pointsman.core.errors import UNREADABLE, RateLimited
from pointsman.rpc import replies
from pointsman.rpc.replies import ENVELOPE, Problem


def body(**fields: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **fields}).encode()


@pytest.mark.parametrize("id", [0, -1, 7, 2**53, "", "a", 1.5, None])
def test_a_request(id: replies.Id) -> None:
    message = ENVELOPE.decode(body(id=id, method="m", params={"a": [1]}))
    assert (message.id, message.method, json.loads(bytes(message.params))) == (id, "m", {"a": [1]})
    assert message.result is UNSET
    assert message.error is UNSET


def test_a_notification_and_an_answer() -> None:
    message = ENVELOPE.decode(body(method="m"))
    assert (message.id, message.method, bytes(message.params)) == (UNSET, "m", b"")
    message = ENVELOPE.decode(body(id=1, result=None))
    assert (message.method, message.result) == (UNSET, Raw(b"null"))
    assert ENVELOPE.decode(body(id=1, error={})).error == Raw(b"{}")


def test_parameters_are_not_looked_into() -> None:
    odd = b'{"jsonrpc":"1.0","max-tokens":3,"x":1e999}'
    assert bytes(ENVELOPE.decode(b'{"jsonrpc":"2.0","id":1,"method":"m","params":%b}' % odd).params) == odd


BROKEN: list[tuple[bytes, replies.Id, int, str]] = [
    (b"", None, replies.PARSE_ERROR, "not JSON"),
    (b"{", None, replies.PARSE_ERROR, "not JSON"),
    (b"\xff", None, replies.PARSE_ERROR, "not JSON"),
    (b"[" * 9999, None, replies.PARSE_ERROR, "not JSON"),
    (b'{"jsonrpc":"2.0","id":1,', None, replies.PARSE_ERROR, "not JSON"),
    (b"[]", None, replies.INVALID_REQUEST, "batches"),
    (b'[{"jsonrpc":"2.0","id":1,"method":"m"}]', None, replies.INVALID_REQUEST, "batches"),
    (b"3", None, replies.INVALID_REQUEST, "no JSON-RPC 2.0 message"),
    (b"{}", None, replies.INVALID_REQUEST, "jsonrpc"),
    (b'{"id":7,"method":"m"}', 7, replies.INVALID_REQUEST, "jsonrpc"),
    (b'{"jsonrpc":"1.0","id":"a","method":"m"}', "a", replies.INVALID_REQUEST, "1.0"),
    (b'{"jsonrpc":"2.0","id":1.5,"method":3}', 1.5, replies.INVALID_REQUEST, "method"),
    (b'{"jsonrpc":"2.0","id":true,"method":"m"}', None, replies.INVALID_REQUEST, "id"),
    (b'{"jsonrpc":"2.0","id":{},"method":"m"}', None, replies.INVALID_REQUEST, "id"),
]


@pytest.mark.parametrize(("data", "id", "code", "words"), BROKEN)
def test_what_is_no_envelope_is_answered(data: bytes, id: replies.Id, code: int, words: str) -> None:
    with pytest.raises(UNREADABLE) as broken:
        ENVELOPE.decode(data)
    found, problem = replies.salvage(data, broken.value)
    assert (found, problem.code) == (id, code)
    assert type(found) is type(id)
    assert words in problem.message


@settings(deadline=None)
@given(st.binary() | st.builds(lambda fields: json.dumps(fields).encode(), st.dictionaries(st.text(), st.integers())))
def test_no_bytes_are_too_odd(data: bytes) -> None:
    try:
        ENVELOPE.decode(data)
    except UNREADABLE as error:
        id, problem = replies.salvage(data, error)
        assert replies.error(id, problem)
    assert replies.cancelled_id(data) is None or b"id" in data


@pytest.mark.parametrize(
    ("params", "id"),
    [
        (b'{"id":1}', 1),
        (b'{"id":"a","more":2}', "a"),
        (b'{"id":null}', None),
        (b'{"id":true}', None),
        (b'{"id":[]}', None),
        (b"{}", None),
        (b"[]", None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_which_request_is_cancelled(params: bytes, id: replies.Id) -> None:
    assert replies.cancelled_id(params) == id


# What goes out


class Point(Struct, rename="camel"):
    """Some value."""

    the_x: int


def test_a_result_a_notification_and_an_error() -> None:
    assert json.loads(replies.result(1, Point(2))) == {"jsonrpc": "2.0", "id": 1, "result": {"theX": 2}}
    assert json.loads(replies.result(None, None)) == {"jsonrpc": "2.0", "id": None, "result": None}
    sent = json.loads(replies.notification("m", Point(2)))
    assert sent == {"jsonrpc": "2.0", "method": "m", "params": {"theX": 2}}
    failure = RateLimited("Too fast.", "Wait.", retry_after=2.0, provider="p", status_code=429)
    assert json.loads(replies.error("a", replies.problem_of(failure))) == {
        "jsonrpc": "2.0",
        "id": "a",
        "error": {
            "code": -32803,
            "message": "Too fast.",
            "data": {
                "code": "RateLimited",
                "message": "Too fast.",
                "advice": "Wait.",
                "retryable": True,
                "retryAfter": 2.0,
                "provider": "p",
                "statusCode": 429,
            },
        },
    }


PROBLEMS: list[tuple[Problem, int, str]] = [
    (replies.invalid_request("r"), -32600, "InvalidRequest"),
    (replies.invalid_params("r"), -32602, "InvalidParams"),
    (replies.invalid_params("Expected `float` >= 0.02 - at `$.minutes`"), -32602, "InvalidParams"),
    (replies.unknown_method("x", []), -32601, "MethodNotFound"),
    (replies.not_greeted(), -32002, "NotGreeted"),
    (replies.not_initialized(), -32002, "NotInitialized"),
    (replies.too_large(5), -32600, "MessageTooLarge"),
    (replies.cancelled(), -32800, "RequestCancelled"),
    (replies.internal(), -32603, "InternalError"),
]


@pytest.mark.parametrize(("problem", "number", "code"), PROBLEMS, ids=lambda value: getattr(value, "message", None))
def test_every_problem_says_what_to_do(problem: Problem, number: int, code: str) -> None:
    assert (problem.code, problem.data.code) == (number, code)
    assert problem.message == problem.data.message
    assert problem.data.advice.endswith(".")
    assert not problem.data.retryable
    assert msgspec.json.decode(replies.error(1, problem))["error"]["data"]["advice"] == problem.data.advice


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("pointsman/chta", "Did you mean pointsman/chat, pointsman/status?"),
        ("zzz", "docs/protocol.md lists the methods."),
        ("x" * 10**6, "docs/protocol.md lists the methods."),
    ],
)
def test_an_unknown_method_names_the_nearest(name: str, advice: str) -> None:
    problem = replies.unknown_method(name, ["pointsman/chat", "pointsman/status", "initialize"])
    assert problem.data.advice == advice
    assert len(problem.message) < 200
