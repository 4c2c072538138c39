"""Changes of a person's file by `setProvider` and its kin: tried first, saved at once, only where it was asked for."""

from __future__ import annotations

import asyncio
import difflib
import resource
import signal
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, Refused, text_of
from tests.daemon.saving import in_place
from tests.living import Home, provider

CHANGED = "pointsman/providersChanged"
KEY = "canary-key-93aa"

FILE = """\
# Mine. Hands off!
default = "up:count:1"   # until spring

[aliases]
best = 'up:count:3'
# the next one is Ann's

# The gateway at work
[providers.up]  # ask Ann for a key
base_url = '{url}'   # not the old one
auth = {{ scheme = "none" }}
    max_retries = 0
models = [
    "count:1",  # short
]

# The one at home
[providers.home]
base_url = "http://127.0.0.1:9/v1"
"""


async def set_provider(editor: Editor, id: str, values: dict[str, Any], **more: object) -> str:
    answer = await editor.call("pointsman/setProvider", {"provider": id, "values": values, **more})
    revision: str = answer["revision"]
    return revision


def different(before: str, after: str) -> list[str]:
    """The lines that differ."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[:3] not in {"---", "+++"} and not line.startswith("@@")]


@pytest.fixture
async def editor(home: Home, upstream: Upstream) -> Editor:
    """An editor in a home with a file that somebody wrote."""
    home.configure(FILE.format(url=upstream.base_url))
    return await home.connect()


# What is saved


async def test_only_what_was_asked_for_differs(home: Home, editor: Editor) -> None:
    other = await home.connect()
    before = home.file.read_text()
    await set_provider(editor, "up", {"max_retries": 3, "name": "Corp", "timeout": {"first_event": 9}})
    after = home.file.read_text()
    assert different(before, after) == [
        "-    max_retries = 0",
        "+    max_retries = 3",
        '+name = "Corp"',
        "+timeout = { first_event = 9 }",
    ]
    found = await editor.call("pointsman/getProvider", {"provider": "up"})
    assert (found["values"]["max_retries"], found["values"]["timeout"]["first_event"]) == (3, 9)
    assert found["origins"]["name"] == str(home.file)
    assert (await other.told(CHANGED))["changed"] == ["up"]
    await set_provider(editor, "up", {"max_retries": 0, "name": None, "timeout": None})
    assert home.file.read_text() == before
    assert len(editor.notifications(CHANGED)) == 2, "each change is told once"


async def test_it_is_in_force_when_it_is_answered(home: Home, upstream: Upstream, editor: Editor) -> None:
    for number in range(5):
        await set_provider(editor, f"new-{number}", {"base_url": upstream.base_url, "auth": {"scheme": "none"}})
        assert text_of(await editor.chat(f"new-{number}:count:2").answer()) == "0 1 "
        await editor.call("pointsman/removeProvider", {"provider": f"new-{number}"})
        with pytest.raises(Refused):
            await editor.chat(f"new-{number}:count:2").answer()
    assert home.file.read_text().rstrip() == FILE.format(url=upstream.base_url).rstrip()


async def test_a_first_file_is_made(home: Home, upstream: Upstream) -> None:
    editor = await home.connect()
    await set_provider(editor, "up", {"base_url": upstream.base_url, "auth": {"scheme": "none"}})
    assert home.file.stat().st_mode & 0o777 == 0o600
    await editor.call("pointsman/setDefault", {"model": "up:count:2"})
    await editor.call("pointsman/setAlias", {"alias": "my best", "model": "up:count:3"})
    assert tomllib.loads(home.file.read_text()) == {
        "default": "up:count:2",
        "aliases": {"my best": "up:count:3"},
        "providers": {"up": {"base_url": upstream.base_url, "auth": {"scheme": "none"}}},
    }
    assert text_of(await editor.chat(None).answer()) == "0 1 "
    assert text_of(await editor.chat("my best").answer()) == "0 1 2 "


async def test_what_comes_with_pointsman_is_then_as_it_came(home: Home, editor: Editor) -> None:
    before = home.file.read_text()
    shipped = await editor.call("pointsman/getProvider", {"provider": "openai"})
    await set_provider(editor, "openai", {"max_retries": 7}, test=False)
    assert (await editor.call("pointsman/getProvider", {"provider": "openai"}))["values"]["max_retries"] == 7
    await editor.call("pointsman/removeProvider", {"provider": "openai"})
    again = await editor.call("pointsman/getProvider", {"provider": "openai"})
    assert (again["values"], again["origins"]) == (shipped["values"], shipped["origins"])
    assert home.file.read_text().rstrip() == before.rstrip()


async def test_an_alias_that_would_go_in_a_circle_is_not_saved(editor: Editor) -> None:
    await editor.call("pointsman/setAlias", {"alias": "one", "model": "echo"})
    await editor.call("pointsman/setAlias", {"alias": "two", "model": "one"})
    with pytest.raises(Refused, match="circle"):
        await editor.call("pointsman/setAlias", {"alias": "one", "model": "two"})


async def test_aliases_and_the_default(home: Home, editor: Editor) -> None:
    before = home.file.read_text()
    await editor.call("pointsman/setAlias", {"alias": "quick", "model": "up:count:2"})
    await editor.call("pointsman/setDefault", {"model": "best"})
    assert different(before, home.file.read_text()) == [
        '-default = "up:count:1"   # until spring',
        '+default = "best"   # until spring',
        '+quick = "up:count:2"',
    ]
    assert text_of(await editor.chat(None).answer()) == "0 1 2 "
    for method, params, code in (
        ("setAlias", {"alias": "odd", "model": "nobody:nothing"}, "UnknownModel"),
        ("setAlias", {"alias": "odd\n", "model": "up:count:2"}, "ConfigError"),
        ("setAlias", {"alias": "chain:odd", "model": "up:count:2"}, "ConfigError"),
        ("setDefault", {"model": "no-such-model"}, "UnknownModel"),
    ):
        with pytest.raises(Refused) as caught:
            await editor.call(f"pointsman/{method}", params)
        assert caught.value.code == code
    await editor.call("pointsman/setAlias", {"alias": "quick", "model": None})
    await editor.call("pointsman/setDefault", {"model": None})
    assert different(before, home.file.read_text()) == ['-default = "up:count:1"   # until spring']


# What is not saved


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"base_url": "http://127.0.0.1:9/v1"}, "refused"),
        ({"base_url": "{url}/nothing"}, "404"),
        ({"auth": {"scheme": "bearer", "env": "WRONG_KEY"}}, "Refused with 401"),
        ({"wire": "ollama-chat"}, "404"),
        ({"auth": {"scheme": "bearer", "env": "NOT_SET"}}, "no key"),
    ],
)
async def test_nothing_is_saved_that_does_not_work(
    home: Home, upstream: Upstream, values: dict[str, Any], code: str
) -> None:
    home.configure(FILE.format(url=upstream.base_url))
    editor = await home.connect(variables={"WRONG_KEY": KEY})
    before = home.file.read_bytes()
    upstream.script("/v1/nothing/models", Reply(b"<html>no</html>", status=404))
    if "401" in code:
        refusal = b'{"error": {"message": "Refused with 401: %b"}}' % KEY.encode()
        upstream.script("/v1/models", Reply(refusal, status=401))
    filled = {name: v.format(url=upstream.base_url) if isinstance(v, str) else v for name, v in values.items()}
    with pytest.raises(Refused) as caught:
        await set_provider(editor, "up", filled)
    assert caught.value.code == "ConfigError"
    assert "Nothing was saved" in caught.value.message
    assert code in caught.value.message
    assert "test: false" in caught.value.data["advice"]
    assert KEY not in str(caught.value.data)
    assert home.file.read_bytes() == before
    await set_provider(editor, "up", filled, test=False)
    assert home.file.read_bytes() != before


@pytest.mark.parametrize(
    "values",
    [
        {"base_ulr": "http://h"},
        {"base_url": None},
        {"base_url": "no address"},
        {"max_retries": 99},
        {"timeout": {"conect": 1}},
        {"wire": "morse"},
        {"quirks": {"odd": 1}},
        {"headers": {"X": 1}},
    ],
)
@pytest.mark.parametrize("test", [True, False])
async def test_nothing_is_saved_that_would_not_be_read(home: Home, editor: Editor, values: Any, test: bool) -> None:
    before = home.file.read_bytes()
    with pytest.raises(Refused) as caught:
        await set_provider(editor, "up", values, test=test)
    assert caught.value.code == "ConfigError"
    assert caught.value.data["advice"]
    assert home.file.read_bytes() == before


@pytest.mark.parametrize("id", ["", "a:b", "A", "a b", "../up", "x" * 65])
async def test_a_name_that_is_none(editor: Editor, id: str) -> None:
    with pytest.raises(Refused) as caught:
        await set_provider(editor, id, {"base_url": "http://h"}, test=False)
    assert caught.value.number == -32602


async def test_a_broken_file_is_left_alone(home: Home, editor: Editor) -> None:
    broken = home.file.read_text() + "\n[providers.up\n"
    await in_place(home.file, broken)
    await editor.told("pointsman/configProblem")
    with pytest.raises(Refused) as caught:
        await set_provider(editor, "up", {"max_retries": 3}, test=False)
    assert "not valid TOML" in caught.value.message
    assert home.file.read_text() == broken


async def test_what_somebody_else_wrote_is_not_overwritten(home: Home, editor: Editor) -> None:
    other = await home.connect()
    seen = (await editor.call("pointsman/getProvider", {"provider": "up"}))["revision"]
    now = await set_provider(other, "up", {"max_retries": 1}, ifRevision=seen)
    for method, params in (
        ("setProvider", {"provider": "up", "values": {"max_retries": 2}}),
        ("removeProvider", {"provider": "up"}),
        ("setAlias", {"alias": "x", "model": "up:count:1"}),
        ("setDefault", {"model": None}),
    ):
        with pytest.raises(Refused) as caught:
            await editor.call(f"pointsman/{method}", {**params, "ifRevision": seen})
        assert caught.value.code == "ConfigConflict"
    assert "max_retries = 1" in home.file.read_text()
    await in_place(home.file, home.file.read_text() + "# by hand\n")
    with pytest.raises(Refused, match="changed"):
        await set_provider(editor, "up", {"max_retries": 2}, ifRevision=now)
    seen = (await editor.call("pointsman/getProvider", {"provider": "up"}))["revision"]
    await set_provider(editor, "up", {"max_retries": 2}, ifRevision=seen)
    assert home.file.read_text().endswith("# by hand\n")


async def test_of_two_at_once_one_wins_and_none_is_lost(home: Home, editor: Editor) -> None:
    other = await home.connect()
    seen = (await editor.call("pointsman/getProvider", {"provider": "up"}))["revision"]

    async def one(editor: Editor, number: int, **more: object) -> str | None:
        try:
            return await set_provider(editor, "up", {"max_retries": number}, **more)
        except Refused as refused:
            return refused.code

    answers = await asyncio.gather(one(editor, 1, ifRevision=seen), one(other, 2, ifRevision=seen))
    assert sorted(answer == "ConfigConflict" for answer in answers) == [False, True]
    calls = [
        set_provider((editor, other)[n % 2], f"new-{n}", {"base_url": "http://127.0.0.1:9/v1"}, test=False)
        for n in range(10)
    ]
    await asyncio.gather(*calls)
    assert set(tomllib.loads(home.file.read_text())["providers"]) == {"up", "home", *(f"new-{n}" for n in range(10))}


# Where it is saved


async def test_a_daemon_that_is_killed_leaves_the_old_file_or_the_new_one(home: Home, editor: Editor) -> None:
    home.may_complain = True
    texts = {home.file.read_text()}
    for number in range(40):
        editor.begin("pointsman/setProvider", {"provider": "up", "values": {"name": f"{number}" * 1000}, "test": False})
    await editor.told(CHANGED)
    await home.end(signal.SIGKILL)
    text = home.file.read_text()
    found = tomllib.loads(text)
    assert found["providers"]["up"]["name"] in {f"{number}" * 1000 for number in range(40)}
    assert different(next(iter(texts)), text) == [f'+name = "{found["providers"]["up"]["name"]}"']
    again = await home.connect()
    assert (await again.call("pointsman/getProvider", {"provider": "up"}))["values"]["name"]


async def test_a_link_stays_a_link(home: Home, tmp_path: Path, upstream: Upstream) -> None:
    target = tmp_path / "dotfiles" / "pointsman.toml"
    target.parent.mkdir()
    target.write_text(FILE.format(url=upstream.base_url))
    target.chmod(0o644)
    home.file.parent.mkdir(mode=0o700, parents=True)
    home.file.symlink_to(target)
    editor = await home.connect()
    await set_provider(editor, "up", {"max_retries": 3})
    assert home.file.readlink() == target
    assert "max_retries = 3" in target.read_text()
    assert (target.stat().st_mode & 0o777, target.is_symlink()) == (0o644, False)


async def test_a_folder_that_takes_nothing(home: Home, upstream: Upstream) -> None:
    home.file.parent.mkdir(mode=0o700, parents=True)
    home.file.symlink_to("/proc/pointsman.toml")  # nobody can make a file there, root included
    editor = await home.connect()
    values = {"base_url": upstream.base_url, "auth": {"scheme": "none"}}
    with pytest.raises(Refused) as caught:
        await set_provider(editor, "up", values)
    assert caught.value.code == "StorageError"
    assert "/proc/pointsman.toml could not be written" in caught.value.message
    assert "permissions" in caught.value.data["advice"]
    assert home.file.is_symlink()


async def test_a_full_disk_changes_nothing(home: Home, editor: Editor) -> None:
    before = home.file.read_bytes()
    _, most = resource.prlimit(home.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(home.pid, resource.RLIMIT_FSIZE, (0, most))  # not a byte can be added to any file
    with pytest.raises(Refused) as caught:
        await set_provider(editor, "up", {"max_retries": 3})
    assert caught.value.code == "StorageError"
    assert "disk" in caught.value.data["advice"]
    resource.prlimit(home.pid, resource.RLIMIT_FSIZE, (most, most))
    assert home.file.read_bytes() == before
    assert [file.name for file in home.data.iterdir() if "toml" in file.name] == ["pointsman.toml"]
    await set_provider(editor, "up", {"max_retries": 3})


async def test_a_file_full_of_provider(home: Home, upstream: Upstream) -> None:
    """Its size is no reason to make the others wait."""
    many = "".join(provider(f"p-{n}", "http://127.0.0.1:9/v1") for n in range(300))
    home.configure(many + provider("up", upstream.base_url))
    editor = await home.connect()
    await set_provider(editor, "p-150", {"max_retries": 5}, test=False)
    assert different(many, home.file.read_text())[0] == "-max_retries = 0"
