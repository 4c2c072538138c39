"""What every dialect owes: it fits the protocol, is pure, and no bytes whatever make it raise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation, ErrorSeen, Message, Options, Reading, StopSeen, Visible
from pointsman.core.errors import BadRequest, PointsmanError
from pointsman.core.http import Head
from pointsman.wire import QUIRKS, WIRES, Wire
from tests.each import each
from tests.wire import leaves

EACH = pytest.mark.parametrize("name", WIRES)
ASKED = Conversation((Message("user", "Hello!"),), system="Be brief.")


def provider(name: str) -> Provider:
    return Provider(id="acme", name="Acme", wire=name, base_url="https://acme.example/v1", headers={"X-Team": "blue"})


def read(name: str, chunks: Sequence[bytes]) -> list[Reading]:
    reader = WIRES[name].reader(provider(name))
    return [reading for chunk in chunks for reading in reader.feed(chunk)] + reader.close()


@EACH
def test_a_dialect_has_all_that_the_protocol_asks_for(name: str) -> None:
    for member in vars(Wire):
        if not member.startswith("_"):
            assert hasattr(WIRES[name], member), member
            if callable(own := getattr(WIRES[name], member)) and member != "Quirks":
                wanted = list(signature(getattr(Wire, member)).parameters)[1:]
                assert list(signature(own).parameters) == wanted


@EACH
def test_quirks_have_defaults_and_unknown_ones_are_refused(name: str) -> None:
    assert QUIRKS[name] is WIRES[name].Quirks
    assert msgspec.convert({}, QUIRKS[name]) == QUIRKS[name]()
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"no-such-quirk": 1}, QUIRKS[name])


LISTS = {
    "anthropic-messages": {"data": ["odd", {"id": "big"}, {"display_name": "No id"}]},
    "gemini-generate": {
        "models": [3, {"name": "models/big", "supportedGenerationMethods": ["generateContent"]}, {"name": None}]
    },
    "ollama-chat": {"models": [None, {"name": "big"}, {"name": 3}]},
    "openai-chat": {"data": [["odd"], {"id": "big"}]},
    "openai-responses": {"data": [True, {"id": "big"}]},
}


@each("name", LISTS)
def test_an_entry_that_is_no_model_costs_no_other(name: str) -> None:
    page = WIRES[name].models(provider(name), json.dumps(LISTS[name]).encode())
    assert [model.id for model in page.models] == ["big"]


@each("name", ["openai-chat", "openai-responses", "anthropic-messages", "gemini-generate"])
@each("size", [1, 7, 10**6])
def test_an_error_in_json_with_a_status_of_200_is_heard(name: str, size: int) -> None:
    said = {"error": {"message": "Slow down, please.", "type": "rate_limit_error", "code": 429}}
    body = json.dumps(said, indent=1).encode()
    (seen,) = read(name, [body[at : at + size] for at in range(0, len(body), size)])
    assert isinstance(seen, ErrorSeen)
    assert (seen.error.code, seen.error.message) == ("RateLimited", "Acme says: Slow down, please.")


@EACH
def test_a_request_goes_to_the_provider_and_is_always_the_same(name: str) -> None:
    request, notices = WIRES[name].request(provider(name), "big", ASKED)
    assert request.method == "POST"
    assert request.url.startswith("https://acme.example/v1/")
    assert "Hello!" in request.body.decode()
    assert WIRES[name].request(provider(name), "big", ASKED) == (request, notices)
    assert not {"authorization", "x-api-key"} & {header.lower() for header in request.headers}


@EACH
def test_models_are_asked_for_at_the_same_host(name: str) -> None:
    request = WIRES[name].models_request(provider(name))
    if request is not None:
        assert (request.method, request.body) == ("GET", b"")
        assert urlsplit(request.url).netloc == "acme.example"
        assert request.headers["X-Team"] == "blue"


@EACH
def test_an_answer_that_goes_on_is_worth_waiting_for(name: str) -> None:
    assert WIRES[name].reader(provider(name)).linger is None


@EACH
def test_a_body_without_a_word_is_an_answer_that_broke_off(name: str) -> None:
    (reading,) = read(name, [])
    assert isinstance(reading, ErrorSeen)
    assert reading.error.code == "Interrupted"


@EACH
def test_a_refusal_is_an_error_of_ours(name: str) -> None:
    error = WIRES[name].error(provider(name), Head(418), b"I'm a teapot.")
    assert isinstance(error, PointsmanError)
    assert (error.provider, error.status_code) == ("acme", 418)


OBEYED = Options(max_output_tokens=1).given
"""What the offline dialect does by itself, and has no need to send."""


@EACH
@given(leaves.handed_on)
def test_nothing_is_lost_in_silence_and_no_seal_goes_to_another(name: str, conversation: Conversation) -> None:
    try:
        request, notices = WIRES[name].request(provider(name), "big", conversation)
    except BadRequest:
        assume(False)
        raise
    said = leaves.said_by(name, request.body)
    assert [leaf for leaf in leaves.lost(conversation, said, notices) if name != "echo" or leaf[1] not in OBEYED] == []
    assert [word for word in leaves.secrets(conversation, "other") if word in said] == []
    assert len(notices) == len(set(notices))


def ends(readings: Sequence[Reading]) -> bool:
    return any(isinstance(reading, StopSeen | ErrorSeen) for reading in readings)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=3,
)


def often(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects that are nearly right: each field is what it should be, or anything, or absent."""
    return st.fixed_dictionaries({}, optional={name: value | value | value | JSON for name, value in fields.items()})


CALL = often(
    index=st.integers(0, 2),
    id=st.text(max_size=2),
    function=often(name=st.text(max_size=2), arguments=st.text(max_size=3)),
)
BLOCK = often(type=st.just("thinking"), text=st.text(max_size=2), thinking=st.lists(often(text=st.text(max_size=2))))
DELTA = often(
    content=st.text(max_size=3) | st.lists(BLOCK, max_size=2),
    reasoning=st.text(max_size=3),
    reasoning_content=st.text(max_size=3),
    reasoning_details=st.lists(
        often(type=st.just("reasoning.text"), index=st.integers(0, 1), text=st.text(max_size=2), data=JSON), max_size=2
    ),
    refusal=st.text(max_size=3),
    tool_calls=st.lists(CALL, max_size=2),
)
CHOICE = often(delta=DELTA, finish_reason=st.sampled_from(["stop", "length", "odd", ""]), index=st.integers(0, 1))
USAGE = often(
    prompt_tokens=st.integers(0, 9),
    completion_tokens=st.integers(0, 9),
    total_tokens=st.integers(0, 18),
    completion_tokens_details=often(reasoning_tokens=st.integers(0, 9)),
    prompt_tokens_details=often(cached_tokens=st.integers(0, 9)),
    cost=st.floats(0, 1),
)
CHUNK = often(choices=st.lists(CHOICE, max_size=2), usage=USAGE, error=JSON)
THOUGHT = often(
    type=st.sampled_from(["text", "thinking", "redacted_thinking", "tool_use"]),
    text=st.text(max_size=2),
    thinking=st.text(max_size=2),
    signature=st.text(max_size=2),
    input=JSON,
)
PIECE = often(
    type=st.sampled_from(["text_delta", "thinking_delta", "signature_delta", "input_json_delta"]),
    text=st.text(max_size=2),
    signature=st.text(max_size=2),
    partial_json=st.text(max_size=2),
    stop_reason=st.sampled_from(["end_turn", "tool_use", "odd"]),
)
TOLD = often(
    type=st.sampled_from(["message_start", "content_block_start", "content_block_delta", "content_block_stop"])
    | st.sampled_from(["message_delta", "message_stop", "ping", "odd"]),
    index=st.integers(0, 2),
    content_block=THOUGHT,
    delta=PIECE,
    usage=often(input_tokens=st.integers(0, 9), output_tokens=st.integers(0, 9)),
    error=JSON,
)
ITEM = often(
    type=st.sampled_from(["message", "reasoning", "function_call", "odd"]),
    call_id=st.text(max_size=2),
    name=st.text(max_size=2),
    arguments=st.text(max_size=2),
    content=st.lists(often(text=st.text(max_size=2)), max_size=2),
)
RESPONDED = often(
    type=st.sampled_from(["output_text.delta", "reasoning_text.delta", "function_call_arguments.delta"]).map(
        "response.{}".format
    )
    | st.sampled_from(["output_item.added", "output_item.done", "completed", "incomplete", "failed"]).map(
        "response.{}".format
    )
    | st.sampled_from(["output_text.done", "refusal.done", "reasoning_text.done"]).map("response.{}".format)
    | st.just("error"),
    output_index=st.integers(0, 2),
    content_index=st.integers(0, 2),
    text=st.text(max_size=2),
    refusal=st.text(max_size=2),
    delta=st.text(max_size=2),
    item=ITEM,
    response=often(usage=JSON, error=JSON, incomplete_details=JSON, output=st.lists(ITEM, max_size=3)),
    error=JSON,
)
PRINTED = often(
    type=st.sampled_from(["stream_event", "stream_event", "assistant", "result", "rate_limit_event", "system", "odd"]),
    subtype=st.sampled_from(["init", "success", "error_during_execution"]),
    event=TOLD,
    error=st.sampled_from(["authentication_failed", "rate_limit", "odd"]),
    is_error=st.booleans(),
    api_error_status=st.integers(399, 530),
    result=st.text(max_size=3),
    usage=often(input_tokens=st.integers(0, 9), output_tokens=st.integers(0, 9)),
    total_cost_usd=st.floats(0, 1),
    rate_limit_info=often(
        status=st.sampled_from(["allowed", "rejected"]),
        resetsAt=JSON,
        rateLimitType=st.just("five_hour"),
        utilization=st.floats(allow_nan=False, allow_infinity=False),
        unifiedWindows=often(five_hour=often(utilization=st.floats(0, 2), resetsAt=st.integers(0))),
    ),
)
LINE = often(text=st.text(max_size=3), stop=st.just("end"), usage=JSON)
EVENTS = st.builds(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n", CHUNK | RESPONDED | TOLD | JSON)
LINES = st.builds(lambda value: json.dumps(value).encode() + b"\n", LINE | PRINTED | JSON)


@EACH
@settings(deadline=None)
@given(st.lists(EVENTS | LINES | st.sampled_from([b"data: [DONE]\n\n", b"\n", b"data:", b": c\n"]) | st.binary()))
def test_no_bytes_whatever_are_too_odd(name: str, chunks: list[bytes]) -> None:
    readings = read(name, chunks)
    assert ends(readings)
    whole = read(name, [b"".join(chunks)])
    assert [r for r in whole if isinstance(r, Visible)] == [r for r in readings if isinstance(r, Visible)]
    assert [type(r) for r in whole] == [type(r) for r in readings]


@EACH
def test_a_stream_of_another_dialect_ends_with_an_error_or_a_stop(name: str, transcripts: Path) -> None:
    streams = [file for file in transcripts.iterdir() if file.suffix in {".sse", ".ndjson", ".eventstream"}]
    assert streams
    for file in streams:
        assert ends(read(name, [file.read_bytes()])), file.name


BODIES = [b"", b"null", b"[]", b"{}", b"[[]]", b'"x"', b"\xff", b"<html>", b"[" * 9999, b'{"data": [{"id": 3}]}']


@EACH
@settings(deadline=None)
@given(
    st.integers(100, 999),
    st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date", "content-type"]), st.text(max_size=5)),
    st.binary(max_size=40) | st.builds(lambda value: json.dumps(value).encode(), JSON | st.builds(dict, error=JSON)),
)
def test_no_response_is_too_odd(name: str, status: int, headers: dict[str, str], body: bytes) -> None:
    error = WIRES[name].error(provider(name), Head(status, headers), body)
    assert isinstance(error, PointsmanError)
    assert (error.provider, error.status_code) == ("acme", status)
    assert error.message.startswith("Acme ")
    assert error.advice


@EACH
@each("body", BODIES)
def test_a_list_of_models_is_a_list_or_an_error_of_ours(name: str, body: bytes) -> None:
    try:
        models = WIRES[name].models(provider(name), body).models
    except PointsmanError as error:
        assert (error.code, error.provider) == ("BadReply", "acme")
    else:
        assert list(models) == []
