"""Keys as an editor sees them: stored after a trial, listed from every source, moved out of the file, taken away."""

from __future__ import annotations

import asyncio
import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.counterparts import scripts
from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, Refused
from tests.living import Home, provider

ONE, TWO, THREE = "canary-key-one-31f7", "canary-key-two-82c9", "canary-key-three-5d1e"
BEARER = ('auth = { scheme = "bearer", env = "CORP_LLM_KEY" }', "max_retries = 0")
SET, LIST, REMOVE, ADOPT = (f"pointsman/{name}" for name in ("setKey", "listKeys", "removeKey", "adoptKey"))


async def listed(editor: Editor, provider: str = "corp") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await editor.call(LIST, {"provider": provider}))["keys"]
    return found


async def refused(editor: Editor, method: str, **params: object) -> Refused:
    with pytest.raises(Refused) as caught:
        await editor.call(method, params)
    return caught.value


async def sent(editor: Editor, upstream: Upstream, count: int = 1) -> list[str | None]:
    """The keys that so many chats come with."""
    before = len(upstream.requests)
    for _ in range(count):
        await editor.chat("corp:count:1").answer()
    return [request.header("authorization") for request in upstream.requests[before:]]


def bearers(*keys: str) -> list[str]:
    return [f"Bearer {key}" for key in keys]


async def shows_nothing(home: Home, *editors: Editor) -> None:
    """Nobody was told a key, and none lies in a file of the daemon's."""
    shown = json.dumps([editor.heard for editor in editors]) + json.dumps(await home.whole_log())
    for key in (ONE, TWO, THREE):
        assert key not in shown
        for file in home.data.rglob("*"):
            assert not file.is_file() or file == home.file or key.encode() not in file.read_bytes(), file


# Stored


async def test_a_key_is_tried_stored_and_used_by_every_editor(home: Home, upstream: Upstream) -> None:
    home.configure(provider("corp", upstream.base_url, *BEARER))
    one, two = await home.connect(), await home.connect()
    with pytest.raises(Refused):
        await one.chat("corp:count:1").answer()
    result = await one.call(SET, {"provider": "corp", "key": f" {ONE}\n"})
    assert [request.target for request in upstream.requests] == ["/v1/models"]
    assert result["trial"]["ok"]
    origin = upstream.base_url.removesuffix("/v1")
    wanted = {"provider": "corp", "source": "stored", "stored": True, "usable": True, "name": "key"}
    assert result["key"] == wanted | {"account": "canary-k…", "origin": origin, "addedAt": result["key"]["addedAt"]}
    await two.told("pointsman/providersChanged", lambda told: told["changed"] == ["corp"])
    assert await listed(two) == [result["key"]]
    assert await sent(two, upstream) == bearers(ONE)
    await home.end()
    again = await home.connect()
    assert await sent(again, upstream) == bearers(ONE)
    await again.call(SET, {"provider": "corp", "key": TWO, "label": "at home"})
    assert await sent(again, upstream, 4) in (bearers(TWO, ONE) * 2, bearers(ONE, TWO) * 2)
    await again.call(SET, {"provider": "corp", "key": THREE, "label": "at home"})
    assert [key["name"] for key in await listed(again)] == ["key", "at home"]
    assert set(await sent(again, upstream, 2)) == set(bearers(ONE, THREE))
    several = await refused(again, REMOVE, provider="corp")
    assert "'key', 'at home'" in several.data["advice"]
    assert (await again.call(REMOVE, {"provider": "corp", "label": "key"}))["key"]["account"] == "canary-k…"
    assert await sent(again, upstream, 2) == bearers(THREE, THREE)
    await again.call(REMOVE, {"provider": "corp"})
    assert (await refused(again, REMOVE, provider="corp")).code == "UnknownCredential"
    assert (await refused(again, REMOVE, provider="corp", label="x")).code == "UnknownCredential"
    noted = (await again.call("pointsman/audit", {}))["events"]
    told = [(event["event"], event["account"]) for event in reversed(noted)]
    assert told[:3] == [("added", "key"), ("usedFirst", "key"), ("added", "at home")]
    assert told.count(("usedFirst", "key")) == 1, "a new daemon does not forget that it was used"
    assert told[-2:] == [("removed", "key"), ("removed", "at home")]
    await shows_nothing(home, one, two, again)


async def test_a_wrong_key_is_not_stored_unless_wanted(home: Home, upstream: Upstream) -> None:
    home.configure(provider("corp", upstream.base_url, *BEARER))
    upstream.script("/v1/models", scripts.error(401, f"Incorrect API key provided: {ONE}"))
    editor = await home.connect()
    wrong = await refused(editor, SET, provider="corp", key=ONE)
    assert wrong.code == "InvalidKey"
    assert "was not stored" in wrong.message
    assert "`test: false`" in wrong.data["advice"]
    assert await listed(editor) == []
    result = await editor.call(SET, {"provider": "corp", "key": ONE, "test": False})
    assert "trial" not in result
    upstream.script("/v1/chat/completions", scripts.error(401, f"Incorrect API key provided: {ONE}"))
    for _ in range(2):
        with pytest.raises(Refused, match="InvalidKey"):
            await editor.chat("corp:count:1").answer()
    noted = (await editor.call("pointsman/audit", {}))["events"]
    assert [event["event"] for event in noted] == ["refused", "usedFirst", "added"]
    tried = (await editor.call(LIST, {"provider": "corp", "test": True}))["keys"]
    assert (tried[0]["trial"]["ok"], tried[0]["trial"]["error"]["code"]) == (False, "InvalidKey")
    await shows_nothing(home, editor)


async def test_a_key_that_is_too_long_is_told_its_length(home: Home, upstream: Upstream) -> None:
    home.configure(provider("corp", upstream.base_url, *BEARER))
    editor = await home.connect()
    wrong = await refused(editor, SET, provider="corp", key="k" * 30_000)
    assert (wrong.code, "it has 30,000 characters, and a key has 16,384 at most" in wrong.message) == (
        "CredentialError",
        True,
    )
    wrong = await refused(editor, SET, provider="corp", key=f"{ONE}\n{TWO}")
    assert "a single line" in wrong.message
    assert upstream.requests == []


NO_KEYS = {
    "none": "takes no key",
    "passthrough": "with the key that comes with each chat",
    "aws": "AWS credentials",
    "gcp": "Google's credentials",
}


async def test_what_takes_no_key_gets_none(home: Home, upstream: Upstream) -> None:
    region = 'parameters.region = { default = "eu-1" }'
    lines = [provider(f"p-{name}", upstream.base_url, f'auth.scheme = "{name}"', region) for name in NO_KEYS]
    home.configure("\n".join([*lines, provider("corp", upstream.base_url, *BEARER)]))
    editor = await home.connect(variables={"CORP_LLM_KEY": ONE})
    for name, words in NO_KEYS.items():
        error = await refused(editor, SET, provider=f"p-{name}", key=TWO)
        assert (error.code, words in error.message) == ("CredentialError", True)
    for key in ("two words\nof it", "env:CORP_LLM_KEY", "!OAUTH", "file:/x", "  ", "schlüssel"):
        error = await refused(editor, SET, provider="corp", key=key)
        assert (error.code, "no key" in error.message, key.strip() in error.message) == (
            "CredentialError",
            True,
            not key.strip(),
        )
    assert (await refused(editor, SET, provider="corb", key=TWO)).data["advice"] == "Did you mean corp?"
    assert (await refused(editor, LIST, provider="corb")).code == "UnknownProvider"
    result = await editor.call(SET, {"provider": "corp", "key": TWO})
    assert result["variables"] == ["CORP_LLM_KEY"]
    assert upstream.requests[-1].header("authorization") == f"Bearer {TWO}", "the new one was tried, not the other"


async def test_a_key_that_comes_with_each_chat_is_marked_and_a_left_over_one_never_used(
    home: Home, upstream: Upstream
) -> None:
    home.configure(provider("corp", upstream.base_url, *BEARER))
    editor = await home.connect()
    await editor.call(SET, {"provider": "corp", "key": ONE})
    home.configure(provider("corp", upstream.base_url, 'auth = { scheme = "passthrough" }'))
    await editor.call("pointsman/reloadConfig")
    left, chat = await listed(editor)
    assert (left["source"], left["usable"]) == ("stored", False)
    assert "never used" in left["note"]
    assert (chat["source"], chat["stored"], chat["usable"]) == ("chat", False, True)
    with pytest.raises(Refused, match="MissingKey"):
        await editor.chat("corp:count:1").answer()
    await editor.chat("corp:count:1", credentials={"corp": TWO}).answer()
    assert upstream.requests[-1].header("authorization") == f"Bearer {TWO}"
    home.configure(provider("corp", upstream.base_url, 'auth = { scheme = "passthrough" }', f'keys = ["{THREE}"]'))
    await editor.call("pointsman/reloadConfig")
    told = await editor.told("pointsman/configProblem", lambda params: "can't stand beside it" in params["message"])
    assert "`keys`" in told["message"]
    home.configure("")
    await editor.call("pointsman/reloadConfig")
    (gone,) = await listed(editor)
    assert (gone["usable"], gone["note"]) == (False, "No provider of this name is configured here.")
    await editor.call(REMOVE, {"provider": "corp"})
    assert (await refused(editor, LIST, provider="corp")).code == "UnknownProvider"
    assert ONE not in str(upstream.requests[1:])


# From files and programs


async def test_a_key_that_is_rotated_is_picked_up(home: Home, upstream: Upstream) -> None:
    file, program = home.folder / "key", home.folder / "give-key"
    command = '{ command = ["~/give-key", "corp"] }'
    home.configure(provider("corp", upstream.base_url, *BEARER, f'keys = ["file:~/key", {command}]'))
    file.write_text(ONE)
    file.chmod(0o640)
    program.write_text(f"#!/bin/sh\nread nothing\necho {TWO}; echo $1 $CORP_TEAM >> runs\n")
    program.chmod(0o700)
    editor = await home.connect(variables={"CORP_TEAM": "blue"})
    before = await listed(editor)
    assert [(key["source"], key["name"]) for key in before] == [("file", "~/key"), ("command", "~/give-key")]
    assert "account" not in before[1], "nothing was run to list it"
    assert f"chmod 600 {file}" in before[0]["note"]
    assert await sent(editor, upstream, 4) == bearers(ONE, TWO) * 2
    assert (home.folder / "runs").read_text() == "corp blue\n", "it was run once"
    new = file.with_name("new")
    new.write_text(THREE)
    new.rename(file)
    assert await sent(editor, upstream, 2) == bearers(THREE, TWO)
    assert [key["account"] for key in await listed(editor)] == ["canary-k…", "canary-k…"]
    file.unlink()
    program.write_text("#!/bin/sh\necho 'the vault is locked' >&2; exit 2\n")
    other = await home.connect()
    with pytest.raises(Refused) as caught:
        await other.chat("corp:count:1").answer()
    assert caught.value.code in {"NoTargetLeft", "KeyUnreadable"}
    assert "the vault is locked" in str(other.heard)
    assert "No such file" in str(other.heard), "each was tried, and each is told"
    assert "No such file" in (await listed(other))[0]["note"]
    await shows_nothing(home, editor, other)


async def test_a_program_is_run_anew_when_its_key_is_refused(home: Home, upstream: Upstream) -> None:
    program = home.folder / "give-key"
    program.write_text(f"#!/bin/sh\necho {ONE}\n")
    program.chmod(0o700)
    home.configure(provider("corp", upstream.base_url, *BEARER, 'api_key = { command = ["~/give-key"] }'))
    await home.serve("pointsman.edge.sources.JUST_NOW = 0.0")
    editor = await home.connect()
    assert await sent(editor, upstream) == bearers(ONE)
    program.write_text(f"#!/bin/sh\necho {TWO}\n")
    upstream.script("/v1/chat/completions", scripts.error(401, "no"), Reply(DONE, headers=STREAM))
    assert await sent(editor, upstream) == bearers(ONE, TWO)


STREAM = {"content-type": "text/event-stream"}
DONE = b'data: {"choices":[{"delta":{"content":"yes"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


async def test_a_slow_program_keeps_nobody_else_waiting(home: Home, upstream: Upstream) -> None:
    os.mkfifo(home.folder / "gate")
    home.configure(
        provider("corp", upstream.base_url, *BEARER, 'api_key = { command = ["cat", "gate"] }')
        + provider("free", upstream.base_url)
    )
    editor = await home.connect()
    waiting = editor.chat("corp:count:1")
    await editor.call("pointsman/listProviders", within=3)
    await editor.call("pointsman/explainRoute", {"model": "corp:count:1"}, within=3)
    await editor.chat("free:count:1").answer()
    assert upstream.requests[-1].header("authorization") is None
    await asyncio.to_thread((home.folder / "gate").write_text, f"{ONE}\n")
    await waiting.answer()
    assert upstream.requests[-1].header("authorization") == f"Bearer {ONE}"


# Out of the file

FILE = """\
# Mine. Hands off!
[providers.corp]   # ask Ann
base_url = "{url}"
auth = {{ scheme = "bearer" }}
api_key = "{three}"
keys = [
    # the old one
    "{one}",  # mine
    "env:CORP_LLM_KEY",  # Ann's
    "{two}",
    {{ command = ["true"] }},  # for fun
]
max_retries = 0
"""


async def test_keys_are_moved_out_of_the_file(home: Home, upstream: Upstream) -> None:
    home.configure(FILE.format(url=upstream.base_url, one=ONE, two=TWO, three=THREE))
    editor = await home.connect(variables={"CORP_BASE_URL": "http://127.0.0.1:9/v1"})
    shown = await editor.call("pointsman/getProvider", {"provider": "corp"})
    assert shown["values"]["keys"] == ["canary-k…", "env:CORP_LLM_KEY", "canary-k…", {"command": ["true"]}]
    result = await editor.call(ADOPT, {"provider": "corp"})
    assert [key["name"] for key in result["keys"]] == ["key", "key 2", "key 3"]
    assert {key["origin"] for key in result["keys"]} == {upstream.base_url.removesuffix("/v1")}, "what the file says"
    assert result["file"] == str(home.file)
    text = home.file.read_text()
    for kept in ("# Mine. Hands off!", "# ask Ann", "# Ann's", "# for fun", "max_retries = 0"):
        assert kept in text
    table = tomllib.loads(text)["providers"]["corp"]
    assert table["keys"] == ["env:CORP_LLM_KEY", {"command": ["true"]}]
    assert "api_key" not in table
    other = await home.connect()
    assert [key["source"] for key in await listed(other)] == ["command", "stored", "stored", "stored"]
    again = await refused(editor, ADOPT, provider="corp")
    assert again.code == "UnknownCredential"
    await shows_nothing(home, editor, other)
    for key in (ONE, TWO, THREE):
        assert key not in text


@pytest.mark.parametrize("where", ["nowhere", "folder"])
async def test_there_is_nothing_to_move(home: Home, upstream: Upstream, where: str) -> None:
    text = "\n".join([f'base_url = "{upstream.base_url}"', *BEARER, f'keys = ["{ONE}"]'])
    home.configure("")
    if where == "folder":
        (home.file.parent / "providers").mkdir()
        (home.file.parent / "providers" / "corp.toml").write_text(text)
    editor = await home.connect()
    error = await refused(editor, ADOPT, provider="corp")
    assert error.code == "UnknownCredential"
    assert ("corp.toml" in error.message) == (where == "folder")
    assert await listed(editor, "openai") == []


async def test_nothing_leaves_the_file_that_could_not_be_stored(home: Home, upstream: Upstream) -> None:
    before = FILE.format(url=upstream.base_url, one=ONE, two=TWO, three=THREE)
    home.configure(before)
    editor = await home.connect()
    await editor.call(SET, {"provider": "corp", "key": "canary-other-key", "test": False})
    await home.end()
    (key,) = [path for path in Path(home.data).iterdir() if "key" in path.name]
    key.write_bytes(key.read_bytes()[::-1])
    home.may_complain = True
    other = await home.connect()
    error = await refused(other, ADOPT, provider="corp")
    assert error.code in {"WrongVaultKey", "VaultLocked", "VaultError"}
    assert home.file.read_text() == before
    told = await other.call(LIST, {"provider": "corp"})
    assert told["error"]["code"] == error.code
    assert set(await sent(other, upstream, 2)) <= set(bearers(ONE, TWO, THREE)), "what is in the file still works"


async def test_many_at_once_have_each_a_label_of_its_own(home: Home, upstream: Upstream) -> None:
    home.configure(provider("corp", upstream.base_url, *BEARER))
    one, two = await home.connect(), await home.connect()
    keys = [f"canary-key-{number:04}" for number in range(4)] * 2
    asked = [
        editor.begin(SET, {"provider": "corp", "key": key, "test": False}) for key in keys for editor in (one, two)
    ]
    for request in asked:
        await request.answer()
    assert [key["name"] for key in await listed(one)] == ["key", "key 2", "key 3", "key 4"]


@pytest.mark.parametrize("label", ["work\n", "\x1b[2J", "a\u202eb"])
async def test_a_label_can_be_read(home: Home, upstream: Upstream, label: str) -> None:
    home.configure(provider("corp", upstream.base_url, *BEARER))
    editor = await home.connect()
    error = await refused(editor, SET, provider="corp", key=ONE, label=label, test=False)
    assert (error.code, await listed(editor)) == ("BadRequest", [])
