"""A key goes where it was entered for, and nowhere else, whichever way somebody tries to lead it away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.counterparts.scripts import Reply, error
from tests.counterparts.upstream import Upstream, serving
from tests.daemon.client import Editor, Refused
from tests.daemon.saving import in_place
from tests.living import Home, provider

STORED, PLAIN, IN_FILE = "canary-stored-key-31f7", "canary-plain-key-82c9", "canary-key-in-a-file-5d1e"
PRINTED, OF_THE_EDITOR, IN_HEADER = "canary-printed-key-90ab", "canary-key-of-editor-17cc", "canary-header-4f4f"
BEARER = ('auth = { scheme = "bearer", env = "CORP_LLM_KEY" }', "max_retries = 0")
WRITTEN = (
    f'keys = ["{PLAIN}", "file:~/corp.key", {{ command = ["echo", "{PRINTED}"] }}, "env:CORP_LLM_KEY"]',
    f'headers = {{ X-Team = "blue", X-Api-Token = "{IN_HEADER}" }}',
)


@pytest.fixture
def elsewhere() -> Iterator[Upstream]:
    """A server that records what it is sent: nobody has entered a key for it."""
    with serving() as server:
        yield server


@pytest.fixture
async def editor(home: Home, upstream: Upstream) -> AsyncIterator[Editor]:
    """An editor with a key that was stored for `upstream`."""
    home.configure(provider("corp", upstream.base_url, *BEARER))
    editor = await home.connect()
    await editor.call("pointsman/setKey", {"provider": "corp", "key": STORED})
    assert upstream.requests[-1].header("authorization") == f"Bearer {STORED}", "it was tried there"
    yield editor


def seen(server: Upstream, *keys: str) -> list[str]:
    """The keys that a server has been shown, in whatever way."""
    return [key for key in keys or (STORED,) if key in str(server.requests)]


async def try_all(editor: Editor) -> list[str]:
    """Does all that could send a key; gives the codes of what was refused."""
    codes = []
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: editor.chat("corp:count:1").answer(),
        lambda: editor.call("pointsman/listModels", {"provider": "corp", "refresh": True}),
        lambda: editor.call("pointsman/testProvider", {"provider": "corp", "say": True, "model": "count:1"}),
        lambda: editor.call("pointsman/listKeys", {"provider": "corp", "test": True}),
        lambda: editor.call("pointsman/explainRoute", {"model": "corp:count:1"}),
    ]
    for call in calls:
        try:
            result = await call()
            codes += [failure["code"] for failure in result.get("failures", [])]
            codes += [result["error"]["code"]] if "error" in result else []
        except Refused as refused:
            codes.append(str(refused.code))
    return codes


async def by_the_users_file(home: Home, editor: Editor, url: str) -> Editor:
    await in_place(home.file, provider("corp", url, *BEARER))
    await editor.call("pointsman/reloadConfig")
    return editor


async def by_the_environment(home: Home, editor: Editor, url: str) -> Editor:
    return await home.connect(variables={"CORP_BASE_URL": url})


async def by_set_provider(home: Home, editor: Editor, url: str) -> Editor:
    params = {"provider": "corp", "values": {"base_url": url}}
    await editor.call("pointsman/setProvider", params)  # the server lets anybody in, so the trial succeeds
    return editor


async def test_an_address_that_is_corrected_is_tried_with_its_own_key(
    home: Home, editor: Editor, upstream: Upstream, elsewhere: Upstream
) -> None:
    await by_set_provider_untried(home, editor, elsewhere.base_url)
    number = len(upstream.requests)
    upstream.script("/v1/models", error(401, "Who are you?"), error(401, "Who are you?"))
    with pytest.raises(Refused):
        await by_set_provider(home, editor, upstream.base_url)
    assert upstream.request(number).header("authorization") == f"Bearer {STORED}"
    assert seen(elsewhere) == []


async def by_set_provider_untried(home: Home, editor: Editor, url: str) -> Editor:
    await editor.call("pointsman/setProvider", {"provider": "corp", "values": {"base_url": url}, "test": False})
    return editor


async def by_the_folder(home: Home, editor: Editor, url: str) -> Editor:
    await in_place(home.file, "# nothing\n")
    folder = home.file.parent / "providers"
    folder.mkdir()
    (folder / "corp.toml").write_text("\n".join([f'base_url = "{url}"', *BEARER]))
    await editor.call("pointsman/reloadConfig")
    return editor


Way = Callable[[Home, Editor, str], Awaitable[Editor]]
WAYS: list[Way] = [by_the_users_file, by_the_environment, by_set_provider, by_set_provider_untried, by_the_folder]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_stored_key_is_not_led_away(
    home: Home, editor: Editor, upstream: Upstream, elsewhere: Upstream, way: Way
) -> None:
    there = await way(home, editor, elsewhere.base_url)
    listed = (await there.call("pointsman/listProviders"))["providers"]
    (corp,) = [each for each in listed if each["id"] == "corp"]
    assert (corp["baseUrl"], corp["state"], corp["auth"]["keys"]) == (elsewhere.base_url, "unconfigured", 0)
    assert set(await try_all(there)) == {"WrongOrigin"}
    assert seen(elsewhere) == []
    (key,) = (await there.call("pointsman/listKeys", {"provider": "corp"}))["keys"]
    assert (key["usable"], key["stored"], key["account"]) == (False, True, "canary-s…")
    assert "goes nowhere else" in key["note"]
    await in_place(home.file, provider("corp", upstream.base_url, *BEARER))
    await editor.call("pointsman/reloadConfig")
    number = len(upstream.requests)
    await editor.chat("corp:count:1").answer()
    assert upstream.request(number).header("authorization") == f"Bearer {STORED}", "it is there again with its address"


async def test_a_key_entered_anew_goes_to_the_new_place_alone(
    home: Home, editor: Editor, upstream: Upstream, elsewhere: Upstream
) -> None:
    await by_the_users_file(home, editor, elsewhere.base_url)
    other = "canary-new-key-77aa"
    result = await editor.call("pointsman/setKey", {"provider": "corp", "key": other})
    assert (result["key"]["name"], result["key"]["origin"]) == ("key 2", elsewhere.base_url.removesuffix("/v1"))
    before = len(upstream.requests)
    await editor.chat("corp:count:1").answer()
    assert elsewhere.requests[-1].header("authorization") == f"Bearer {other}"
    assert len(upstream.requests) == before
    assert seen(elsewhere) == []


async def test_a_test_at_another_address(editor: Editor, upstream: Upstream, elsewhere: Upstream) -> None:
    for more in ({}, {"say": True, "model": "count:1"}):
        params = {"provider": "corp", "baseUrl": elsewhere.base_url, **more}
        await editor.call("pointsman/testProvider", params)
    assert len(elsewhere.requests) >= 3
    assert seen(elsewhere) == []
    await editor.call("pointsman/testProvider", {"provider": "corp", "baseUrl": f"{upstream.base_url}/"})
    assert upstream.requests[-1].header("authorization") == f"Bearer {STORED}", "the same place, written otherwise"


async def test_a_redirect_is_not_followed(editor: Editor, upstream: Upstream, elsewhere: Upstream) -> None:
    for status in (301, 302, 303, 307, 308):
        for path in ("chat/completions", "models"):
            headers = {"location": f"{elsewhere.base_url}/{path}"}
            upstream.script(f"/v1/{path}", Reply(b"", status=status, headers=headers))
        codes = await try_all(editor)
        assert len(codes) >= 3
        assert "WrongOrigin" not in codes
        assert elsewhere.requests == []
    assert seen(upstream) == [STORED]


async def test_a_project_can_not_lead_it_away(
    home: Home, editor: Editor, upstream: Upstream, elsewhere: Upstream
) -> None:
    text = f'{provider("corp", elsewhere.base_url, *BEARER)}\n[providers.evil]\nbase_url = "{elsewhere.base_url}"\n'
    (home.workspace / ".pointsman.toml").write_text(text)
    await editor.call("pointsman/trustWorkspace", {"folder": str(home.workspace)})
    told = await editor.told("pointsman/configProblem", lambda params: "can't be set by a project" in params["message"])
    assert "`providers`" in told["message"]
    await try_all(editor)
    assert elsewhere.requests == []
    assert seen(upstream) == [STORED]


# What is written in the user's files


@pytest.fixture
def written(home: Home, upstream: Upstream) -> Path:
    """A file whose provider has keys of every kind, and a header that carries a secret."""
    file = home.folder / "corp.key"
    file.write_text(IN_FILE)
    home.configure(provider("corp", upstream.base_url, *BEARER, *WRITTEN))
    return file


ALL = (STORED, PLAIN, IN_FILE, PRINTED, IN_HEADER)


async def test_what_is_written_goes_where_the_files_say(home: Home, written: Path, upstream: Upstream) -> None:
    editor = await home.connect(variables={"CORP_LLM_KEY": OF_THE_EDITOR})
    for _ in range(4):
        await editor.chat("corp:count:1").answer()
    sent = [request.header("authorization") for request in upstream.requests]
    assert sent == [f"Bearer {key}" for key in (PLAIN, IN_FILE, PRINTED, OF_THE_EDITOR)]
    assert {request.header("x-api-token") for request in upstream.requests} == {IN_HEADER}


async def test_an_environment_that_leads_elsewhere_takes_only_its_own_key(
    home: Home, written: Path, elsewhere: Upstream
) -> None:
    nobody = await home.connect(variables={"CORP_BASE_URL": elsewhere.base_url})
    told = await nobody.told("pointsman/configProblem", lambda params: "X-Api-Token" in params["message"])
    assert told["file"] == "environment"
    assert set(await try_all(nobody)) == {"WrongOrigin"}
    editor = await home.connect(variables={"CORP_BASE_URL": elsewhere.base_url, "CORP_LLM_KEY": OF_THE_EDITOR})
    assert await try_all(editor) == []
    assert {request.header("authorization") for request in elsewhere.requests} == {f"Bearer {OF_THE_EDITOR}"}
    assert {request.header("x-team") for request in elsewhere.requests} == {"blue"}
    assert seen(elsewhere, *ALL) == []


async def test_a_test_of_a_provider_that_was_led_elsewhere(
    home: Home, written: Path, upstream: Upstream, elsewhere: Upstream
) -> None:
    editor = await home.connect(variables={"CORP_BASE_URL": elsewhere.base_url})
    with serving() as third:
        for url in (elsewhere.base_url, third.base_url):
            await editor.call("pointsman/testProvider", {"provider": "corp", "baseUrl": url})
        with pytest.raises(Refused, match="Nothing was saved"):
            await editor.call("pointsman/setProvider", {"provider": "corp", "values": {"name": "Corp"}})
        assert seen(third, *ALL) == []
    assert seen(elsewhere, *ALL) == []
    home_again = await editor.call("pointsman/testProvider", {"provider": "corp", "baseUrl": upstream.base_url})
    assert home_again["ok"], "where the files say, what they say may go"
