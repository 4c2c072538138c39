"""How much of a plan is used, as the command line shows it."""

from __future__ import annotations

import json

from tests.cli.shell import Shell
from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.living import provider

CHUNK = {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}
TOLD = {"X-Acme-Primary-Used-Percent": "31.5", "X-Acme-Primary-Window-Minutes": "10080"}
LIMITS = 'limits = { rolling = 3, headers = "x-acme" }'


def test_what_was_counted_and_what_was_told(shell: Shell, upstream: Upstream) -> None:
    body = f"data: {json.dumps(CHUNK)}\n\ndata: [DONE]\n\n".encode()
    upstream.script("/v1/chat/completions", Reply(body, 200, {"content-type": "text/event-stream"} | TOLD))
    shell.configure(provider("up", upstream.base_url, 'name = "Acme plan"', 'auth = { scheme = "none" }', LIMITS))
    assert "Acme plan:" not in shell.run("status").stdout
    assert shell.run("chat", "--model", "up:any", "Hello").stdout == "Hi\n"
    words = "Plan       Acme plan: 1 of 3 requests in 5 hours, 31.5 % of 7 days"
    assert words in shell.run("status").stdout
    (plan,) = [each for each in shell.json("status")["plans"] if each["provider"] == "up"]
    assert (plan["remaining"], [window["name"] for window in plan["windows"]]) == (2, ["5 hours", "7 days"])
    assert "Acme plan:" not in shell.run("providers").stdout, "a pipe gets the table alone"
    with_terminal = shell.terminal("providers", columns=160)
    with_terminal.shows("Acme plan: 1 of 3 requests in 5 hours")
    with_terminal.ends()
