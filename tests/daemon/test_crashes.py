"""An editor that dies in the middle of an answer, with its `pointsman connect` or without, and what comes after."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import IO

import pytest

from tests.counterparts.upstream import Upstream
from tests.daemon.client import WITHIN, text_of
from tests.living import POINTSMAN, Home, ended, provider

PIECES = 100

EDITOR = """if True:
    import json, subprocess, sys
    connect = subprocess.Popen([sys.argv[1], "connect"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(**message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        connect.stdin.write(b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
        connect.stdin.flush()

    def hear():
        length = int(connect.stdout.readline().split(b":")[1])
        connect.stdout.readline()
        return json.loads(connect.stdout.read(length))

    options = {"pointsman": {"client": "mortal", "windowId": "its-window"}}
    send(id=1, method="initialize", params={"processId": None, "rootUri": None, "capabilities": {},
         "initializationOptions": options})
    while hear().get("id") != 1:
        pass
    send(method="initialized", params={})
    messages = [{"role": "user", "content": "count"}]
    send(id=2, method="pointsman/chat", params={"messages": messages, "model": sys.argv[2], "chatId": "the-chat"})
    print(connect.pid, flush=True)
    while True:
        message = hear()
        if message.get("method") == "pointsman/chatEvents":
            for number, event in enumerate(message["params"]["events"], message["params"]["from"]):
                print(json.dumps([number, event.get("text", "")]), flush=True)
"""
"""A whole editor in a process of its own. It prints the process id of its `pointsman connect`, then each event."""


async def line_of(output: IO[bytes]) -> str:
    """The next line that the editor prints."""
    return (await asyncio.wait_for(asyncio.to_thread(output.readline), WITHIN)).decode()


def number_and_text(line: str) -> tuple[int, str]:
    """An event as the editor has printed it."""
    number, text = json.loads(line)
    return number, text


@pytest.mark.parametrize("with_connect", [True, False], ids=["both", "the editor alone"])
async def test_nothing_is_lost_when_an_editor_is_killed(home: Home, upstream: Upstream, with_connect: bool) -> None:
    home.configure(provider("up", upstream.base_url))
    mortal = home.program(sys.executable, "-c", EDITOR, str(POINTSMAN), f"up:drip:{PIECES}:0.02")
    assert mortal.stdout
    connect = int(await line_of(mortal.stdout))
    seen = [await line_of(mortal.stdout) for _ in range(12)]
    if with_connect:
        mortal.send_signal(signal.SIGSTOP)  # so that neither sees the other die
        os.kill(connect, signal.SIGKILL)
    mortal.kill()
    await ended(mortal.pid)
    seen += (await asyncio.to_thread(mortal.stdout.read)).decode().splitlines()
    await ended(connect)
    events = [number_and_text(line) for line in seen]
    successor = await home.connect(window="its-window")
    assert successor.window == "its-window"
    rest = successor.attach("the-chat", events[-1][0])
    result = await rest.answer()
    assert [number for number, _ in events] + rest.numbers == list(range(rest.numbers[-1] + 1))
    assert "".join(text for _, text in events) + rest.text == text_of(result)
    assert text_of(result) == "".join(f"{n} " for n in range(PIECES))
    assert len(upstream.requests) == 1
