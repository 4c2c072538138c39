"""One connection and all that can be wrong on it: each request gets one reply, and a rude client costs only itself."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from pointsman.rpc.methods import METHODS
from tests.daemon.client import Editor, Refused, frame, request
from tests.living import Home, resident

MEBIBYTE = 2**20
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
NOT_INITIALIZED = -32002
ASK = {"jsonrpc": "2.0", "id": "sentinel", "method": "pointsman/status"}


@pytest.fixture
async def editor(lasting_home: Home) -> Editor:
    """A connection straight to the socket, introduced."""
    editor = await lasting_home.knock()
    await editor.initialize()
    return editor


async def error_of(editor: Editor, id: object) -> dict[str, Any]:
    """The one reply with that id, which is an error, with what each error has to say."""
    (reply,) = await editor.until(lambda: editor.replies.get(id))
    error: dict[str, Any] = reply["error"]
    assert error["message"]
    assert error["data"].keys() >= {"code", "message", "advice", "retryable"}
    assert error["data"]["advice"]
    assert "Traceback" not in json.dumps(error)
    return error


async def check_it_lives(editor: Editor) -> None:
    """The connection still answers, and has answered nothing twice."""
    editor.begin("pointsman/status", id="sentinel")
    await editor.until(lambda: editor.replies.get("sentinel"))
    assert all(len(replies) == 1 for replies in editor.replies.values())


# Bodies that are no request


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", PARSE_ERROR),
        (b"{]", PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,', PARSE_ERROR),
        (b"\xff\xfe", PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"pointsman/status\xff"}', PARSE_ERROR),
        (b"[" * 100_000, PARSE_ERROR),
        (b'{"a":' * 100_000, PARSE_ERROR),
        (b'{"jsonrpc":"2.0","method":"pointsman/status","params":' + b"[" * 5000 + b"]" * 5000 + b"}", PARSE_ERROR),
        (b"null", INVALID_REQUEST),
        (b"17", INVALID_REQUEST),
        (b'"text"', INVALID_REQUEST),
        (b"[]", INVALID_REQUEST),
        (json.dumps([ASK, ASK]).encode(), INVALID_REQUEST),
        (b"{}", INVALID_REQUEST),
        (b'{"jsonrpc":"2.0"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":{},"method":"pointsman/status"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":[1],"method":"pointsman/status"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":true,"method":"pointsman/status"}', INVALID_REQUEST),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else None,
)
async def test_what_is_no_message_is_answered_without_an_id(editor: Editor, body: bytes, code: int) -> None:
    editor.send(frame(body))
    assert (await error_of(editor, None))["code"] == code
    await check_it_lives(editor)


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "1.0", "id": 7, "method": "pointsman/status"},
        {"id": 7, "method": "pointsman/status"},
        {"jsonrpc": "2.0", "id": 7, "method": 3},
        {"jsonrpc": "2.0", "id": 7},
    ],
    ids=str,
)
async def test_what_is_no_request_is_answered_with_its_id(editor: Editor, message: dict[str, object]) -> None:
    editor.send(frame(json.dumps(message).encode()))
    assert (await error_of(editor, 7))["code"] == INVALID_REQUEST
    await check_it_lives(editor)


# Frames


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n",
        b"Content-Length: %d\r\nX-More: 1\r\n\r\n",
        b"Content-Length: %d\r\nHost: localhost\r\n\r\n",
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: 0x10\r\n\r\n",
        b"Content-Length: many\r\n\r\n",
        b"Content-Length:\r\n\r\n",
        b"Content-Length: %d\r\nContent-Length: %d\r\n\r\n",
        b"Content-Length: 99999999999999999999999999\r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n",
        b"\r\n\r\n",
        b"Content-Length: " + b"1" * 5000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_another_framing_ends_the_connection_and_runs_nothing(lasting_home: Home, head: bytes) -> None:
    editor, watching = await lasting_home.knock(), await lasting_home.connect()
    await editor.initialize()
    heard = len(editor.heard)
    body = json.dumps(ASK | {"method": "pointsman/switchModel", "params": {"model": "echo:hijacked"}}).encode()
    editor.send(head.replace(b"%d", str(len(body)).encode()) + body)
    await editor.hung_up()
    assert editor.heard[heard:] == []
    assert (await watching.call("pointsman/currentModel"))["model"] != "echo:hijacked"


async def test_an_http_request_behind_connect_ends_it(lasting_home: Home) -> None:
    editor = await lasting_home.connect(hello=False)
    editor.send(b"POST /pointsman HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}")
    await editor.hung_up()
    assert editor.heard == []
    assert editor.process
    assert await editor.process.wait() in {0, 1}


async def test_frames_may_come_in_any_pieces(editor: Editor) -> None:
    message = request("piecemeal", "pointsman/status") + request("next", "pointsman/status")
    for byte in message.replace(b"Content-Length:", b"content-LENGTH :  ", 1):
        editor.send(bytes([byte]))
        await asyncio.sleep(0)
    await editor.until(lambda: editor.replies.keys() >= {"piecemeal", "next"})
    typed = b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n" + request("typed", "pointsman/status")
    editor.send(typed + typed.replace(b'"typed"', b'"again"'))
    await editor.until(lambda: editor.replies.keys() >= {"typed", "again"})
    await check_it_lives(editor)


@pytest.mark.parametrize("count", [1, 10, 20, 60])
async def test_half_a_frame_harms_nobody(lasting_home: Home, editor: Editor, count: int) -> None:
    leaving = await lasting_home.knock()
    await leaving.initialize()
    leaving.send(request("half", "pointsman/status")[:count])
    await leaving.kill()
    await check_it_lives(editor)


@pytest.mark.parametrize("size", [64 * MEBIBYTE + 1, 200 * MEBIBYTE])
async def test_a_frame_that_is_too_large_is_skipped(lasting_home: Home, size: int) -> None:
    editor = await lasting_home.connect()
    before = largest = resident(lasting_home.pid)
    editor.send(b"Content-Length: %d\r\n\r\n" % size)
    piece = b"x" * MEBIBYTE
    for start in range(0, size, MEBIBYTE):
        editor.send(piece[: size - start])
        await editor.drained()
        largest = max(largest, resident(lasting_home.pid))
    error = await error_of(editor, None)
    assert error["data"]["code"] == "MessageTooLarge"
    assert "64 MiB" in error["message"]
    await check_it_lives(editor)
    assert largest - before < 8 * MEBIBYTE


async def test_a_large_frame_is_not_too_large(editor: Editor) -> None:
    editor.begin("pointsman/status", {"padding": "x" * 20 * MEBIBYTE}, id="large")
    await editor.until(lambda: editor.replies.get("large"))
    await check_it_lives(editor)


# Requests


def wrong_params() -> list[tuple[str, object]]:
    """For each method, parameters that can't be its own."""
    return [(name, wrong) for name in METHODS for wrong in (17, "text", [1, 2], True)] + [
        ("pointsman/chat", {}),
        ("pointsman/chat", {"messages": []}),
        ("pointsman/chat", {"messages": "hello"}),
        ("pointsman/chat", {"messages": [{"role": "nobody", "content": "x"}]}),
        ("pointsman/chat", {"messages": [{"role": "user", "content": [{"type": "smell"}]}]}),
        ("pointsman/chat", {"messages": [{"role": "user", "content": "x"}], "detach": -1}),
        ("pointsman/chat", {"messages": [{"role": "user", "content": "x"}], "chatId": ""}),
        ("pointsman/attachChat", {"chatId": "x", "after": -2}),
        ("pointsman/attachChat", {"chatId": "x", "after": "0"}),
        ("pointsman/switchModel", {}),
        ("pointsman/switchModel", {"model": 3}),
        ("pointsman/switchModel", {"model": "echo", "scope": "galaxy"}),
        ("pointsman/switchModel", {"model": "echo", "ifRevision": 1.5}),
        ("workspace/executeCommand", {}),
        ("workspace/executeCommand", {"command": "pointsman.unheardOf"}),
        ("workspace/executeCommand", {"command": "pointsman.switchModel", "arguments": [1, 2, 3, 4]}),
        ("workspace/executeCommand", {"command": "pointsman.switchModel", "arguments": [{"model": 3}]}),
    ]


@pytest.mark.parametrize(("method", "params"), wrong_params(), ids=str)
async def test_wrong_parameters_are_answered(editor: Editor, method: str, params: object) -> None:
    editor.begin(method, params, id="wrong")
    error = await error_of(editor, "wrong")
    assert (error["code"], error["data"]["code"]) == (INVALID_PARAMS, "InvalidParams")
    await check_it_lives(editor)


@pytest.mark.parametrize(
    ("method", "near"),
    [("pointsman/swichModel", "pointsman/switchModel"), ("textDocument/hover", ""), ("", ""), ("x" * 100_000, "")],
    ids=["near", "of LSP", "empty", "long"],
)
async def test_an_unknown_method_is_answered(editor: Editor, method: str, near: str) -> None:
    editor.begin(method, {"textDocument": 3}, id="unknown")
    error = await error_of(editor, "unknown")
    assert error["code"] == METHOD_NOT_FOUND
    assert near in error["data"]["advice"]
    assert len(json.dumps(error)) < 2000
    await check_it_lives(editor)


@pytest.mark.parametrize("more", [{}, {"result": {}}, {"error": None}], ids=str)
@pytest.mark.parametrize(
    "method", ["initialized", "exit", "$/setTrace", "$/cancelRequest", "textDocument/didOpen", "shutdown", "initialize"]
)
async def test_a_notification_with_an_id_is_a_request(editor: Editor, method: str, more: dict[str, object]) -> None:
    message = {"jsonrpc": "2.0", "id": "odd", "method": method, "params": {}, **more}
    editor.send(frame(json.dumps(message).encode()))
    (reply,) = await editor.until(lambda: editor.replies.get("odd"))
    assert ("error" in reply) == (method != "shutdown")
    await check_it_lives(editor)


@pytest.mark.parametrize("id", [0, -1, 2**53, 1.5, "", "text", "ü\u2028", None], ids=repr)
async def test_an_id_comes_back_as_it_was(editor: Editor, id: object) -> None:
    editor.send(request(id, "pointsman/currentModel"))
    (reply,) = await editor.until(lambda: editor.replies.get(id))
    assert reply["result"]["state"]
    await check_it_lives(editor)


async def test_requests_of_one_id_are_each_answered(editor: Editor) -> None:
    for _ in range(5):
        editor.begin("pointsman/status", id="same")
    editor.begin("no/such", id="same")
    editor.begin("pointsman/chat", {"messages": []}, id="same")
    await editor.until(lambda: len(editor.replies["same"]) >= 7)
    await editor.call("pointsman/status")
    assert len(editor.replies["same"]) == 7


async def test_what_needs_no_answer_gets_none(editor: Editor) -> None:
    before = len(editor.heard)
    odd: list[object] = [None, {}, {"id": "unknown"}, {"id": None}, {"id": []}, [1], 3]
    for params in odd:
        editor.notify("$/cancelRequest", params)
        editor.notify("$/setTrace", params)
        editor.notify("no/suchNotification", params)
        editor.notify("textDocument/didOpen", params)
        editor.notify("workspace/didChangeConfiguration", params)
        editor.notify("pointsman/switchModel", {"model": "echo:by-notification"})
    editor.answer("never asked", {"jsonrpc": "2.0"})
    editor.answer(None, None)
    editor.send(frame(b'{"jsonrpc":"2.0","id":5,"error":{"code":1,"message":"x"}}'))
    editor.send(frame(b'{"jsonrpc":"2.0","id":5,"error":"odd"}'))
    selection = await editor.call("pointsman/currentModel")
    assert len(editor.heard) == before + 1
    assert selection["model"] != "echo:by-notification"


async def test_a_payload_may_look_like_a_message(editor: Editor) -> None:
    inner = {"jsonrpc": "2.0", "id": 1, "method": "shutdown", "params": {}}
    tool = {"name": "mcp", "parameters": {"jsonrpc": "2.0", "default": inner}}
    chat = editor.chat("echo:fast", json.dumps(inner), tools=[tool], jsonrpc="2.0")
    assert (await chat.answer())["stopReason"] == "end"
    assert json.dumps(inner) in chat.text
    await check_it_lives(editor)


async def test_a_connection_may_ask_much_but_not_without_end(lasting_home: Home, editor: Editor) -> None:
    for _ in range(1000):
        editor.chat("echo:slow", "word " * 100, stream=False)
    with pytest.raises(Refused) as caught:
        await editor.chat("echo:slow").answer()
    assert caught.value.code == "TooManyRequests"
    other = await lasting_home.knock()
    await other.initialize()
    await check_it_lives(other)
    await editor.kill()
    await other.status(lambda status: not status["runningChats"])


async def test_a_connection_follows_a_chat_once(editor: Editor) -> None:
    chat = editor.chat("echo:slow", "word " * 100)
    await chat.seen("text")
    with pytest.raises(Refused) as caught:
        await editor.attach(chat.chat_id).answer()
    assert caught.value.code == "ChatInUse"
    chat.cancel()
    assert (await chat.answer())["stopReason"] == "cancelled"
    assert (await editor.attach(chat.chat_id).answer())["stopReason"] == "cancelled"
    assert chat.numbers == [*range(len(chat.numbers) // 2)] * 2


async def test_the_events_of_a_chat_are_sent_once_to_a_connection(editor: Editor) -> None:
    running = editor.chat("echo:slow", "word " * 20)
    await running.seen("started")
    with pytest.raises(Refused) as caught:
        await editor.attach(running.chat_id).answer()
    assert caught.value.code == "ChatInUse"
    running.cancel()
    assert (await running.answer())["stopReason"] == "cancelled"
    assert running.numbers == list(range(len(running.numbers)))


async def test_a_request_that_is_cancelled_before_it_begins_has_a_result(editor: Editor) -> None:
    running = editor.chat("echo:slow", "word " * 20)
    running.cancel()
    assert (await running.answer())["stopReason"] == "cancelled"


# The order of a connection


async def test_nothing_is_said_to_who_does_not_greet(lasting_home: Home) -> None:
    for method in ("pointsman/status", "initialize", "shutdown", "no/such"):
        editor = await lasting_home.knock(greet=False)
        editor.begin(method, {}, id=1)
        error = await error_of(editor, 1)
        assert (error["code"], error["data"]["code"]) == (NOT_INITIALIZED, "NotGreeted")
        assert "pointsman connect" in error["data"]["advice"]
        await editor.hung_up()
        assert len(editor.heard) == 1


async def test_who_says_nothing_is_not_waited_for(home: Home) -> None:
    await home.serve("pointsman.rpc.session.GREETING = 0.3")
    silent, speaking = await home.knock(greet=False), await home.knock()
    silent.send(b"Content-Le")
    await silent.hung_up(within=5)
    await speaking.initialize()


@pytest.mark.parametrize("params", [None, {}, {"version": 1}, {"version": "1", "cwd": "/", "environment": {"A": 1}}])
async def test_a_greeting_that_is_none_ends_the_connection(lasting_home: Home, params: object) -> None:
    editor = await lasting_home.knock(greet=False)
    editor.begin("pointsman/hello", params, id=1)
    assert (await error_of(editor, 1))["code"] == INVALID_PARAMS
    await editor.hung_up()


async def test_a_connection_has_an_order(lasting_home: Home) -> None:
    editor = await lasting_home.connect(hello=False)
    for number, method in enumerate(("pointsman/status", "shutdown", "workspace/executeCommand", "no/such")):
        editor.begin(method, {}, id=f"early {number}")
        assert (await error_of(editor, f"early {number}"))["code"] == NOT_INITIALIZED
    editor.notify("initialized", {})
    editor.begin("initialize", {"capabilities": 3}, id="odd")
    assert (await error_of(editor, "odd"))["code"] == INVALID_PARAMS
    await editor.initialize()
    for method in ("initialize", "pointsman/hello"):
        editor.begin(method, {"capabilities": {}, "processId": None, "rootUri": None}, id=method)
        assert (await error_of(editor, method))["code"] == INVALID_REQUEST
    assert await editor.call("shutdown") is None
    for number, method in enumerate(("pointsman/status", "shutdown", "initialize", "no/such", "pointsman/hello")):
        editor.begin(method, {}, id=f"late {number}")
        assert (await error_of(editor, f"late {number}"))["code"] == INVALID_REQUEST
    editor.notify("exit")
    await editor.hung_up()
    assert all(len(replies) == 1 for replies in editor.replies.values())


async def test_nothing_is_told_before_the_introduction_is_over(lasting_home: Home) -> None:
    early, other = await lasting_home.connect(hello=False), await lasting_home.connect()
    await other.call("pointsman/switchModel", {"model": "echo:early", "scope": "global"})
    await early.initialize()
    assert "id" in early.heard[0]


@pytest.mark.parametrize(
    "params",
    [
        {
            "capabilities": {},
            "processId": None,
            "rootUri": None,
            "initializationOptions": {"pointsman": {"windowId": 5}},
        },
        {"capabilities": {}, "processId": None, "rootUri": None, "initializationOptions": {"pointsman": None}},
        {"capabilities": {}, "processId": None, "rootUri": None, "initializationOptions": ["pointsman"]},
        {"capabilities": {}, "processId": None, "rootUri": "untitled:x", "initializationOptions": {"pointsman": {}}},
        {"capabilities": {}, "processId": 1, "rootUri": None, "workspaceFolders": [{"uri": "file:///%00", "name": ""}]},
        {
            "capabilities": {"experimental": {"x": 1}, "future": True},
            "processId": 1,
            "rootUri": None,
            "clientInfo": None,
        },
    ],
    ids=str,
)
async def test_an_odd_introduction_is_taken(lasting_home: Home, params: dict[str, object]) -> None:
    editor = await lasting_home.knock()
    said = await editor.call("initialize", params)
    assert said["capabilities"]["experimental"]["pointsman"]["windowId"]
    await check_it_lives(editor)


async def test_who_says_no_more_still_hears_the_answers(lasting_home: Home) -> None:
    editor = await lasting_home.knock()
    await editor.initialize()
    asked = editor.begin("pointsman/status")
    editor.say_no_more()
    assert (await asked.answer())["pid"] == lasting_home.pid
    await editor.hung_up()


async def test_a_long_or_odd_name_is_shown_as_people_can_read_it(lasting_home: Home) -> None:
    editor = await lasting_home.knock()
    name = "\x1b[2Jmine " + "x" * 100_000
    await editor.call("initialize", {"capabilities": {}, "processId": 1, "rootUri": None, "clientInfo": {"name": name}})
    clients = (await editor.call("pointsman/status"))["clients"]
    names = [client["client"] for client in clients]
    assert ("[2Jmine " + "x" * 91) in names
