"""What every test with an official SDK asks: one fixed conversation, and how a request of ours is really sent.

Must never know an SDK, nor how a dialect writes any of this.
"""

from __future__ import annotations

import base64
import urllib.error
import urllib.request
from typing import Any, Literal

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Conversation,
    ImagePart,
    Message,
    Options,
    Part,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from pointsman.core.http import Head, Request
from pointsman.wire import WIRES
from tests.counterparts.aimock import AImock

NO_KEY = "not-a-key"
PIXEL = b"\x89PNG\r\n\x1a\n" + bytes(range(250, 256))
PNG = base64.b64encode(PIXEL).decode()
QUESTION = "What is the weather in the picture?"
TERSE = "You are terse."
RESULT = "18 C"
CITY = {"city": "Paris"}
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def conversation(
    options: Options,
    *answer: Part,
    detail: Literal["auto", "low", "high"] | None = None,
    strict: bool | None = None,
    tool_choice: Any = None,
    failed: bool = False,
    cache: bool = False,
) -> Conversation:
    """A picture is asked about, `answer` ends in a call of the weather, and its result is there."""
    call = answer[-1]
    assert isinstance(call, ToolCallPart)
    return Conversation(
        (
            Message("user", (TextPart(QUESTION), ImagePart("image/png", PNG, detail=detail))),
            Message("assistant", answer),
            Message("tool", (ToolResultPart(call.id, RESULT, is_error=failed),), cache=cache),
        ),
        TERSE,
        (Tool("get_weather", WEATHER, "d", strict),),
        tool_choice,
        options,
    )


def origin(base_url: str) -> str:
    """Where a server of the tests starts, whichever API it plays."""
    return base_url.removesuffix("/v1")


def started_at(wire: str, aimock: AImock) -> str:
    """Where aimock has the API of a dialect."""
    return aimock.origin + {"openai-chat": "/v1", "openai-responses": "/v1", "gemini-generate": "/v1beta"}.get(wire, "")


def refused_or_answered(wire: str, aimock: AImock, words: str) -> tuple[Head, bytes]:
    """What aimock answers to a request that a dialect makes of a few words."""
    provider = Provider(id="acme", name="Acme", wire=wire, base_url=started_at(wire, aimock))
    tools = (Tool("get_weather", {}), Tool("get_time", {}))
    ours, _ = WIRES[wire].request(provider, "some-model", Conversation((Message("user", words),), tools=tools))
    return sent(ours)


def sent(ours: Request) -> tuple[Head, bytes]:
    """The whole answer to a request of ours."""
    headers = {**ours.headers, **dict.fromkeys(["x-api-key", "x-goog-api-key"], NO_KEY)}
    request = urllib.request.Request(ours.url, ours.body or None, headers, method=ours.method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return Head(answer.status, dict(answer.headers)), answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return Head(refused.code, {k.lower(): v for k, v in refused.headers.items()}), refused.read()
