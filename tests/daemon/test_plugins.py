"""Plugins of a package that is really installed, in a daemon that really runs; the broken ones harm nobody."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, Refused
from tests.living import Home

SAMPLE = Path(__file__).parent.parent / "plugins" / "sample_plugin"
CANARY = "canary-words-5521"
KEY = "canary-stamp-key-77ab"
LINES = b"HELLO\nYOU\n.\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the sample package is installed in, without a network."""
    folder = tmp_path_factory.mktemp("installed")
    words = "install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --target"
    command = [sys.executable, "-m", "pip", *words.split(), str(folder), str(SAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return folder


async def begun(home: Home, installed: Path, upstream: Upstream) -> None:
    """A daemon with the sample package, and providers that use it."""
    place = upstream.base_url
    home.configure(f"""
[providers.loud]
wire = "shout"
base_url = "{place}"
auth = {{ scheme = "none" }}
max_retries = 0
quirks = {{ mark = "?!" }}
[providers.stamped]
wire = "shout"
base_url = "{place}"
auth = {{ scheme = "stamp", env = "STAMP_KEY" }}
max_retries = 0
[providers.torn]
base_url = "{place}"
auth = {{ scheme = "tearing" }}
[providers.crumbling]
wire = "crumbling"
base_url = "{place}"
auth = {{ scheme = "none" }}
max_retries = 0
[chains]
safe = ["crumbling:raises", "torn:m", "crumbling:reads", "loud:voice"]
""")
    upstream.script("/v1/shout/voice", Reply(LINES, chunk=3))
    upstream.script("/v1/shout/reads", Reply(LINES))
    upstream.script("/v1/voices", Reply(b"voice\nwhisper\n"))
    await home.serve(f"sys.path[:0] = [{str(installed)!r}]")


def diary(home: Home) -> list[dict[str, str]]:
    """What the middleware of the sample has written."""
    return [json.loads(line) for line in (home.data / "diary.jsonl").read_text().splitlines()]


async def refused(editor: Editor, model: str) -> dict[str, Any]:
    """The error that a chat ends with."""
    with pytest.raises(Refused) as caught:
        await editor.chat(model, CANARY).answer()
    data: dict[str, Any] = caught.value.data
    return data


async def test_a_dialect_of_a_plugin_is_one_like_ours(home: Home, installed: Path, upstream: Upstream) -> None:
    await begun(home, installed, upstream)
    editor = await home.connect()
    chat = editor.chat("loud:voice", "hello you")
    result = await chat.answer()
    assert (chat.text, result["stopReason"], result["provider"]) == ("HELLOYOU", "end", "loud")
    assert upstream.request(0).body == b"hello you?!\n"
    listed = await editor.call("pointsman/listModels", {"provider": "loud"})
    assert [model["id"] for model in listed["models"]] == ["voice", "whisper"]
    tested = await editor.call("pointsman/testProvider", {"provider": "loud"})
    assert (tested["ok"], tested["models"]) == (True, 2)
    with pytest.raises(Refused) as caught:
        await editor.call(
            "pointsman/setProvider", {"provider": "loud", "values": {"quirks": {"mrak": "."}}, "test": False}
        )
    assert "mrak" in caught.value.message
    added = {"base_url": upstream.base_url, "wire": "shout", "auth": {"scheme": "stamp", "env": "STAMP_KEY"}}
    await editor.call("pointsman/setProvider", {"provider": "new", "values": added, "test": False})
    assert (await editor.call("pointsman/explainRoute", {"model": "loud:voice"}))["targets"][0]["provider"] == "loud"


async def test_a_way_to_authenticate_sees_its_own_variables_alone(
    home: Home, installed: Path, upstream: Upstream
) -> None:
    await begun(home, installed, upstream)
    editor = await home.connect(variables={"STAMP_KEY": KEY, "OTHER_KEY": "canary-other-key"})
    result = await editor.chat("stamped:voice", "hi").answer()
    request = upstream.request(0)
    assert request.header("x-stamp") == hashlib.sha256(KEY.encode() + request.body).hexdigest()
    assert request.header("authorization") is None, "no key is put on a request besides"
    assert result["account"] == "canary-s…"
    nobody = await home.connect()
    assert (await refused(nobody, "stamped:voice"))["code"] == "MissingKey"
    listed = (await nobody.call("pointsman/listProviders"))["providers"]
    states = {provider["id"]: (provider["auth"]["scheme"], provider["state"]) for provider in listed}
    assert states["stamped"] == ("stamp", "unconfigured")
    assert not any(KEY in json.dumps(each) for each in [*editor.heard, *await home.whole_log()])


async def test_a_middleware_goes_along_with_each_chat(home: Home, installed: Path, upstream: Upstream) -> None:
    await begun(home, installed, upstream)
    editor = await home.connect()
    chat = editor.chat("loud:voice", "hello")
    await chat.answer()
    assert upstream.request(0).header("x-chat") == chat.chat_id
    assert "system" in [notice["about"] for notice in chat.all("notice")], "it has asked for brevity"
    failed = editor.chat("crumbling:raises")
    with pytest.raises(Refused):
        await failed.answer()
    await home.end()
    lines = diary(home)
    assert [lines[0]["hook"], lines[-1]["hook"]] == ["on_start", "on_stop"]
    first = [line for line in lines if line.get("chat") == chat.chat_id]
    assert first[0] == {"hook": "before_request", "chat": chat.chat_id, "to": "loud:voice"}
    events = [line["event"] for line in first if line["hook"] == "on_event"]
    assert list(dict.fromkeys(events)) == ["Notice", "Started", "TextDelta", "Finished"]
    assert first[-1] == {"hook": "after_chat", "chat": chat.chat_id, "reason": "end"}
    assert lines[-2] == {"hook": "after_chat", "chat": failed.chat_id, "reason": "error"}


async def test_what_is_broken_breaks_nothing_else(home: Home, installed: Path, upstream: Upstream) -> None:
    await begun(home, installed, upstream)
    editor = await home.connect()
    for model in ("raises", "exits", "nonsense", "reads"):
        assert (await refused(editor, f"crumbling:{model}"))["code"] == "PluginFailed", model
    assert (await refused(editor, "torn:m"))["code"] == "PluginFailed"
    chat = editor.chat("chain:safe", CANARY)
    assert (await chat.answer())["provider"] == "loud", "a chain goes on to one that works"
    assert [failure["error"]["code"] for failure in chat.all("attemptFailed")] == ["PluginFailed"] * 3
    listed = await editor.call("pointsman/listModels", {"provider": "crumbling", "refresh": True})
    assert [failure["code"] for failure in listed["failures"]] == ["PluginFailed"]
    assert not any(CANARY in json.dumps(line) for line in await home.whole_log()), "the log says where, and not what"


async def test_what_is_broken_is_told_once(home: Home, installed: Path, upstream: Upstream) -> None:
    await begun(home, installed, upstream)
    editor = await home.connect()
    await refused(editor, "crumbling:raises")
    await editor.chat("loud:voice").answer()
    status = await editor.call("pointsman/status")
    plugins = {plugin["name"]: plugin for plugin in status["plugins"]}
    left_out = {"half", "openai-chat", "missing"}
    assert {name for name, plugin in plugins.items() if plugin["state"] == "off"} == left_out
    well = {name for name, plugin in plugins.items() if "problem" not in plugin}
    assert well == {"shout", "stamp", "tearing", "diary"}
    assert plugins["shout"]["package"] == "pointsman-sample"
    assert "`reader`" in plugins["half"]["problem"]
    assert "nobody may stand in for it" in plugins["openai-chat"]["problem"]
    assert "no_such_module" in plugins["missing"]["problem"]
    assert "`raises`" not in plugins["crumbling"]["problem"]
    assert "broken.py" in plugins["crumbling"]["problem"]
    late = await home.connect()
    await late.told("pointsman/configProblem", lambda problem: problem["file"] == "plugin crumbling")
    await refused(editor, "crumbling:raises")
    told = sorted(problem["file"] for problem in editor.notifications("pointsman/configProblem"))
    assert told == sorted(f"plugin {name}" for name in ("crumbling", *left_out, "stumbling")), "each of them once"
    status = await editor.call("pointsman/status")
    (stumbling,) = [plugin for plugin in status["plugins"] if plugin["name"] == "stumbling"]
    assert (stumbling["state"], "It is off until" in stumbling["problem"]) == ("off", True), "after three chats"


def test_the_command_line_knows_them_too(home: Home, installed: Path) -> None:
    home.configure('[providers.loud]\nwire = "shout"\nbase_url = "http://127.0.0.1:9"\nauth = { scheme = "stamp" }\n')
    found = json.loads(home.run("doctor", "--json", PYTHONPATH=str(installed)).stdout)
    plugins = [each for each in found if each["subject"] == "plugin"]
    assert len(plugins) == 9
    assert sum(each["ok"] for each in plugins) == 6
    assert [each["ok"] for each in found if each["subject"] == "configuration"] == [True]
    without = json.loads(home.run("doctor", "--json").stdout)
    assert [each["ok"] for each in without if each["subject"] == "configuration"] == [False]
