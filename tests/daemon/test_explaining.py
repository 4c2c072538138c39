"""`explainRoute`: what a chat would do, seen from an editor, and that it sends nothing to anybody."""

from __future__ import annotations

from typing import Any

import pytest

from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, Refused
from tests.living import Home, provider

CHAIN = '[chains]\nall = ["locked:m", "up:count:2", "echo:echo"]\n'
LOCKED = (
    '[providers.locked]\nbase_url = "https://locked.example/v1"\nauth = { scheme = "bearer", env = "LOCKED_KEY" }\n'
)
ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello!"}], "options": {"seed": 7}}

TOOL: dict[str, Any] = {"name": "look", "parameters": {"type": "object"}}


async def explained(editor: Editor, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await editor.call("pointsman/explainRoute", params)
    return answer


async def test_the_plan_is_the_one_that_a_chat_follows(home: Home, upstream: Upstream) -> None:
    home.configure(CHAIN + LOCKED + provider("up", upstream.base_url))
    editor, other = await home.connect(), await home.connect(variables={"LOCKED_KEY": "not-a-real-key"})
    plan = await explained(editor, model="chain:all", **ASKED)
    assert (plan["spec"], plan["rule"]) == ("chain:all", "chain all")
    ways = [(target["provider"], target["model"]) for target in plan["targets"]]
    assert ways == [("up", "count:2"), ("echo", "echo")]
    assert [notice["about"] for target in plan["targets"] for notice in target["notices"]] == ["seed"]
    (skipped,) = plan["skipped"]
    assert (skipped["provider"], "no key" in skipped["reason"]) == ("locked", True)
    assert upstream.requests == [], "nothing is sent anywhere"
    assert (await editor.call("pointsman/listChats"))["chats"] == []
    result = await editor.chat("chain:all").answer()
    attempts = [(attempt["provider"], attempt["model"]) for attempt in result["attempts"]]
    assert attempts == [("locked", "m"), ways[0]]
    with_a_key = await explained(other, model="chain:all")
    assert [target["provider"] for target in with_a_key["targets"]] == ["locked", "up", "echo"], "each has its own keys"
    assert with_a_key["skipped"] == []


async def test_without_a_name_it_is_the_selection(lasting_home: Home) -> None:
    editor = await lasting_home.connect(window="w")
    await editor.call("pointsman/switchModel", {"model": "echo:slow", "scope": "window"})
    plan = await explained(editor)
    assert (plan["spec"], plan["targets"]) == ("echo:slow", [{"model": "slow", "provider": "echo", "notices": []}])


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"model": "ecko"}, "UnknownModel"),
        ({"model": "chain:none"}, "UnknownChain"),
        ({"model": "echo:echo", "messages": [{"role": "tool", "content": "x"}]}, "BadRequest"),
        ({"model": "echo:echo", **ASKED, "tools": [TOOL], "toolChoice": {"name": "other"}}, "BadRequest"),
        ({"model": "echo:echo", **ASKED, "tools": [TOOL, TOOL]}, "BadRequest"),
    ],
)
async def test_what_a_chat_would_refuse_is_refused(lasting_home: Home, params: dict[str, Any], code: str) -> None:
    editor = await lasting_home.connect()
    with pytest.raises(Refused) as caught:
        await explained(editor, **params)
    assert caught.value.code == code


async def test_nobody_left_is_no_error(lasting_home: Home) -> None:
    plan = await explained(await lasting_home.connect(), model="openai:gpt-4", **ASKED)
    assert (plan["targets"], [way["provider"] for way in plan["skipped"]]) == ([], ["openai"])


async def test_it_is_a_command_as_well(lasting_home: Home) -> None:
    editor = await lasting_home.connect()
    plan = await editor.call(
        "workspace/executeCommand", {"command": "pointsman.explainRoute", "arguments": ["echo:echo"]}
    )
    assert plan["spec"] == "echo:echo"
