"""Temporary sessions: a key in front of all others for a while, that ends to the second and leaves no trace."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.counterparts.upstream import Upstream, serving
from tests.daemon.client import Editor, Refused, text_of
from tests.living import Home, ended, provider

USUAL, TRIED, OTHER = "usual-key-0123456789", "tried-key-0123456789-not-real", "other-key-0123456789-not-real"
AUTH = 'auth = { scheme = "bearer", env = "CORP_KEY" }'
USUALLY = {"CORP_KEY": USUAL}
SHORT = 0.025
"""Minutes: one and a half seconds."""
ON_TIME = 1.0
"""Seconds that an end may be late: it is promised to the second."""


@pytest.fixture
async def corp(home: Home, upstream: Upstream) -> AsyncIterator[Home]:
    """A provider `corp` with a key in the environment, and a log that tells everything."""
    home.environment["POINTSMAN_LOG_LEVEL"] = "DEBUG"
    home.configure(provider("corp", upstream.base_url, AUTH, "max_retries = 0", 'default_model = "count:2"'))
    yield home


async def begin(editor: Editor, key: str = TRIED, minutes: float = 10, **more: Any) -> dict[str, Any]:
    params = {"provider": "corp", "credentials": key, "minutes": minutes, **more}
    created: dict[str, Any] = await editor.call("pointsman/createSession", params)
    return created


async def put(editor: Editor, created: dict[str, Any], scope: str | None = None) -> dict[str, Any]:
    params = {"token": created["token"]} | ({"scope": scope} if scope else {})
    active: dict[str, Any] = await editor.call("pointsman/activateSession", params)
    return active


async def asked_with(editor: Editor, upstream: Upstream, **more: Any) -> str | None:
    """The key that a chat of this editor is asked with."""
    count = len(upstream.requests)
    await editor.chat("corp:count:1", **more).answer()
    return (upstream.request(count).header("authorization") or "").removeprefix("Bearer ") or None


async def test_it_goes_before_the_usual_key_and_reads_as_temporary(corp: Home, upstream: Upstream) -> None:
    editor = await corp.connect(window="w-1", variables=USUALLY)
    assert await asked_with(editor, upstream) == USUAL
    created = await begin(editor)
    assert (created["provider"], created["account"]) == ("corp", "tried-ke…")
    assert await asked_with(editor, upstream) == USUAL, "it does nothing yet"
    active = await put(editor, created)
    assert (active["scope"], active["windowId"], active["inEffect"]) == ("window", "w-1", True)
    chat = editor.chat("corp:count:1")
    result = await chat.answer()
    assert upstream.request(2).header("authorization") == f"Bearer {TRIED}"
    assert result["account"] == (await chat.seen("started"))["account"] == "temporary tried-ke…"
    assert result["attempts"][0]["account"] == "temporary tried-ke…"


async def test_it_is_seen_wherever_the_provider_is(corp: Home, upstream: Upstream) -> None:
    editor = await corp.connect(window="w-1")
    await editor.call("pointsman/switchModel", {"model": "corp:count:1", "scope": "global"})
    assert (await editor.call("pointsman/currentModel"))["state"] == "unconfigured"
    editor.forget()
    created = await begin(editor)
    await put(editor, created, "global")
    await editor.told("pointsman/providersChanged", lambda told: told["changed"] == ["corp"])
    told = await editor.told("pointsman/selectionChanged")
    current = await editor.call("pointsman/currentModel")
    assert current == told["effective"]
    assert current["state"] == "available"
    until = f"until {created['expiresAt']}."
    assert current["why"].endswith(f"corp is asked with a temporary key (tried-ke…) {until}")
    listed = (await editor.call("pointsman/listProviders"))["providers"]
    (corp_now,) = [each for each in listed if each["id"] == "corp"]
    assert corp_now["auth"] == {"scheme": "bearer", "state": "ready", "oauth": False, "keys": 1}
    assert corp_now["state"] == "active"
    assert corp_now["temporary"]["id"] == created["id"]
    assert 590 <= corp_now["temporary"]["secondsLeft"] <= 600
    assert all("temporary" not in each for each in listed if each["id"] != "corp")
    (target,) = (await editor.call("pointsman/explainRoute", {}))["targets"]
    assert target["temporary"] == {
        "session": created["id"],
        "account": "tried-ke…",
        "expiresAt": created["expiresAt"],
    }
    assert (await editor.call("pointsman/testProvider", {"provider": "corp"}))["ok"]
    await editor.call("pointsman/listModels", {"provider": "corp", "refresh": True})
    assert [request.path for request in upstream.requests] == ["/v1/models"] * 2
    assert {request.header("authorization") for request in upstream.requests} == {f"Bearer {TRIED}"}
    about = await editor.call("pointsman/getProvider", {"provider": "corp"})
    assert "temporary" not in about["values"], "it is configured as it was"


async def test_it_ends_on_time_under_a_running_chat_and_both_editors_hear_of_it(corp: Home, upstream: Upstream) -> None:
    first = await corp.connect(window="w-1", variables=USUALLY)
    second = await corp.connect(client="a-stock-editor", stock=True, variables=USUALLY)
    created = await begin(first, minutes=SHORT)
    begun = time.monotonic()
    await put(first, created, "global")
    chat = first.chat("corp:drip:100:0.03")
    await chat.seen("text")
    for editor in (first, second):
        told = await editor.told("pointsman/sessionsChanged", lambda told: "ended" in told)
        late = editor.times[-1] - begun - SHORT * 60
        assert -0.1 < late < ON_TIME, late
        assert told["sessions"] == []
        assert (told["ended"]["id"], told["ended"]["reason"]) == (created["id"], "expired")
        text = "The temporary key for corp has ended after 1.5 seconds; the usual key is used again."
        assert told["ended"]["message"] == text
        assert await editor.told("window/showMessage") == {"type": 3, "message": text}
    assert not chat.all("finished"), "it runs on"
    assert await asked_with(first, upstream) == USUAL
    result = await chat.answer()
    assert (result["stopReason"], text_of(result)) == ("end", "".join(f"{n} " for n in range(100)))
    assert result["account"] == "temporary tried-ke…"
    keys = [request.header("authorization") for request in upstream.requests]
    assert keys == [f"Bearer {TRIED}", f"Bearer {USUAL}"]
    with pytest.raises(Refused, match="its time was over") as gone:
        await put(first, created)
    assert gone.value.code == "SessionExpired"
    await no_trace(corp, [*first.heard, *second.heard])


async def no_trace(home: Home, heard: list[Any], *tokens: str) -> None:
    """Looks for the key, and for its token, in every file and in all that was said."""
    for look in range(2):  # as it runs, with what SQLite has not yet put into its place; and after its end
        files = [file for file in home.folder.rglob("*") if file.is_file()]
        assert any(file.name == "state.db-wal" for file in files) or look, files
        for file in files:
            kept = file.read_bytes()
            for word in (TRIED, OTHER, TRIED[:12], *tokens):
                assert word.encode() not in kept, file
        if not look:
            await home.end()
    assert TRIED not in str(heard)


async def test_an_editor_that_reloads_keeps_it(corp: Home, upstream: Upstream) -> None:
    before = await corp.connect(window="w-1", variables=USUALLY)
    await put(before, await begin(before), "window")
    other = await corp.connect(window="w-2", variables=USUALLY)
    await before.kill()
    await other.status(lambda status: len(status["clients"]) == 1)
    after = await corp.connect(window="w-1", variables=USUALLY)
    assert await asked_with(after, upstream) == TRIED
    assert await asked_with(other, upstream) == USUAL


async def test_it_does_not_outlive_the_daemon(corp: Home, upstream: Upstream) -> None:
    editor = await corp.connect(variables=USUALLY)
    created = await begin(editor)
    await put(editor, created, "global")
    await no_trace(corp, editor.heard, created["token"][:12])
    after = await corp.connect(variables=USUALLY)
    assert (await after.call("pointsman/listSessions"))["sessions"] == []
    with pytest.raises(Refused, match="none outlives the daemon") as gone:
        await put(after, created)
    assert gone.value.code == "UnknownSession"
    assert await asked_with(after, upstream) == USUAL


async def test_the_narrowest_scope_wins(corp: Home, upstream: Upstream) -> None:
    editor = await corp.connect(window="w-1", variables=USUALLY)
    elsewhere = await corp.connect(window="w-2", variables=USUALLY, workspace=corp.folder)
    created = {}
    for scope in ("global", "workspace", "window"):
        created[scope] = await begin(editor, f"key-for-{scope}-0123456789")
        await put(editor, created[scope], scope)
        assert await asked_with(editor, upstream) == f"key-for-{scope}-0123456789"
        assert await asked_with(elsewhere, upstream) == "key-for-global-0123456789"
    seen = {each["id"]: each for each in (await editor.call("pointsman/listSessions"))["sessions"]}
    assert [seen[created[scope]["id"]]["inEffect"] for scope in created] == [False, False, True]
    assert seen[created["workspace"]["id"]]["workspace"] == str(corp.workspace)
    for scope, below in (("window", "workspace"), ("workspace", "global")):
        await editor.call("pointsman/clearSession", {"provider": "corp", "scope": scope})
        assert await asked_with(editor, upstream) == f"key-for-{below}-0123456789"
    await editor.call("pointsman/clearSession", {"provider": "corp"})
    assert await asked_with(editor, upstream) == USUAL


async def test_another_in_the_same_place_takes_it(corp: Home, upstream: Upstream) -> None:
    editor = await corp.connect(variables=USUALLY)
    first, second = await begin(editor), await begin(editor, OTHER)
    await put(editor, first)
    await put(editor, second)
    assert await asked_with(editor, upstream) == OTHER
    (rests,) = [each for each in (await editor.call("pointsman/listSessions"))["sessions"] if "scope" not in each]
    assert rests["id"] == first["id"]
    assert await asked_with(editor, upstream, session=first["token"]) == TRIED, "for one chat alone"
    await put(editor, first)
    assert await asked_with(editor, upstream) == TRIED


async def test_ten_at_once(corp: Home, upstream: Upstream) -> None:
    editor = await corp.connect(window="w", variables=USUALLY)
    created = [await begin(editor, f"key-number-{n}-0123456789", SHORT if n % 2 else 10) for n in range(10)]
    answers = [editor.chat("corp:drip:3:0.01", session=each["token"]) for each in created]
    for chat in answers:
        await chat.answer()
    keys = {request.header("authorization") for request in upstream.requests}
    assert keys == {f"Bearer key-number-{n}-0123456789" for n in range(10)}
    await editor.told("pointsman/sessionsChanged", lambda told: len(told["sessions"]) == 5 and "ended" in told)
    ended = [told["ended"]["id"] for told in editor.notifications("pointsman/sessionsChanged") if "ended" in told]
    assert sorted(ended) == sorted(created[n]["id"] for n in range(1, 10, 2))
    left = (await editor.call("pointsman/listSessions"))["sessions"]
    assert [each["id"] for each in left] == [created[n]["id"] for n in range(0, 10, 2)], "the first to end first"


async def test_ended_by_hand_it_is_over_for_all(corp: Home, upstream: Upstream) -> None:
    first = await corp.connect(client="one", window="w-1", variables=USUALLY)
    second = await corp.connect(client="two", window="w-2")
    created = await begin(first)
    await put(first, created, "global")
    (seen,) = (await second.call("pointsman/listSessions"))["sessions"]
    assert seen["inEffect"]
    assert "token" not in seen
    assert created["token"] not in str(second.heard)
    await second.call("pointsman/clearSession", {"id": seen["id"]})
    told = await first.told("pointsman/sessionsChanged", lambda told: "ended" in told)
    words = "The temporary key for corp was ended by two; the usual key is used again."
    assert (told["ended"]["reason"], told["ended"]["message"]) == ("cleared", words)
    told = await second.told("pointsman/sessionsChanged", lambda told: "ended" in told)
    assert told["ended"]["message"].endswith("ended by you; there is no other key for it here.")
    for named in ({"id": created["id"]}, {"token": created["token"]}):
        with pytest.raises(Refused, match="was ended by two") as twice:
            await first.call("pointsman/clearSession", named)
        assert twice.value.code == "UnknownSession"
    assert await asked_with(first, upstream) == USUAL
    with pytest.raises(Refused) as keyless:
        await second.chat("corp:count:1").answer()
    assert keyless.value.code == "MissingKey"


@pytest.mark.parametrize(
    ("method", "params", "code", "words"),
    [
        ("createSession", {"provider": "opnai", "credentials": TRIED}, "UnknownProvider", "openai"),
        ("createSession", {"provider": "echo", "credentials": TRIED}, "CredentialError", "takes no key"),
        ("createSession", {"provider": "openai", "credentials": " "}, "MissingKey", "No key came"),
        ("createSession", {"provider": "openai", "credentials": {}}, "MissingKey", "No key came"),
        ("createSession", {"provider": "openai", "credentials": f"{TRIED}\n{TRIED}"}, "CredentialError", "is no key"),
        ("createSession", {"provider": "openai", "credentials": {"openai": "a", "up": "b"}}, "CredentialError", "'up'"),
        ("createSession", {"provider": "openai", "credentials": "a", "baseUrl": "here"}, "ConfigError", "https://"),
        ("createSession", {"provider": "openai", "credentials": "a", "baseUrl": "javascript:1"}, "ConfigError", "http"),
        ("createSession", {"provider": "openai", "credentials": "a", "baseUrl": "program:///x"}, "ConfigError", "http"),
        ("createSession", {"provider": "openai", "credentials": "a", "baseUrl": "https://"}, "ConfigError", "absolute"),
        ("createSession", {"provider": "openai", "credentials": "a" * 20_000}, "CredentialError", "16,384"),
        ("createSession", {"provider": "openai", "credentials": "a b"}, "CredentialError", "a space in it"),
        ("createSession", {"provider": "openai", "credentials": "a", "minutes": 1441}, "InvalidParams", "1440"),
        ("createSession", {"provider": "openai", "credentials": "a", "minutes": 0}, "InvalidParams", "0.02"),
        ("activateSession", {"token": "none"}, "UnknownSession", "createSession"),
        ("clearSession", {"id": "none"}, "UnknownSession", "createSession"),
        ("clearSession", {"provider": "openai"}, "UnknownSession", "is active here"),
        ("clearSession", {"provider": "openai", "scope": "global"}, "UnknownSession", "is active globally"),
        ("clearSession", {"provider": "openai", "scope": "window"}, "UnknownSession", "for this window"),
        ("clearSession", {}, "BadRequest", "Say which"),
        (
            "chat",
            {"model": "openai:x", "messages": [{"role": "user", "content": "x"}], "session": "none"},
            "UnknownSession",
            "createSession",
        ),
    ],
)
async def test_what_can_not_be_says_why(
    lasting_home: Home, method: str, params: dict[str, Any], code: str, words: str
) -> None:
    editor = await lasting_home.connect(window="w")
    with pytest.raises(Refused) as refused:
        await editor.call(f"pointsman/{method}", params)
    assert refused.value.code == code
    assert words in str(refused.value)
    assert TRIED not in str(refused.value)


async def test_a_session_of_another_provider_is_no_use(corp: Home) -> None:
    editor = await corp.connect()
    created = await begin(editor)
    with pytest.raises(Refused, match="does not lead there") as refused:
        await editor.chat("echo:echo", session=created["token"]).answer()
    assert refused.value.code == "BadRequest"


# Where its key goes, and no other


@pytest.fixture
def elsewhere() -> Any:
    """A server at another origin, that remembers what it is sent."""
    with serving() as server:
        yield server


async def test_another_base_url_gets_its_key_alone(corp: Home, upstream: Upstream, elsewhere: Upstream) -> None:
    lines = (AUTH, f'keys = ["env:CORP_KEY", "{OTHER}"]', 'headers = { X-Team = "blue-secret" }', "max_retries = 0")
    corp.configure(provider("corp", upstream.base_url, *lines))
    editor = await corp.connect(window="w", variables=USUALLY)
    created = await begin(editor, minutes=SHORT, baseUrl=elsewhere.base_url)
    active = await put(editor, created, "global")
    assert active["baseUrl"] == elsewhere.base_url
    given: dict[str, Any] = {"credentials": {"corp": "key-of-the-chat-0123"}}
    await editor.chat("corp:count:1", **given).answer()
    await editor.call("pointsman/testProvider", {"provider": "corp", "say": True, "model": "count:1"})
    await editor.call("pointsman/listModels", {"provider": "corp", "refresh": True})
    assert upstream.requests == []
    while not editor.notifications("pointsman/sessionsChanged")[-1].get("ended"):  # to the end, and over it
        with_key = await editor.chat("corp:count:1", **given).answer()
        assert with_key["stopReason"] == "end"
    await editor.chat("corp:count:1").answer()
    await editor.call("pointsman/testProvider", {"provider": "corp", "baseUrl": elsewhere.base_url})
    assert upstream.requests, "it is asked as usual again"
    assert len(elsewhere.requests) > 4
    for request in elsewhere.requests:
        said = request.header("authorization")
        assert said == f"Bearer {TRIED}" or (said is None and request is elsewhere.requests[-1])
        assert request.header("x-team") is None
    for file in [each for each in corp.data.iterdir() if each.is_file()]:
        assert elsewhere.base_url.encode() not in file.read_bytes(), "nor is written down where it was asked"
    for request in upstream.requests:
        assert TRIED not in str(request.headers)
        assert request.header("x-team") == "blue-secret"


async def test_a_second_one_is_for_the_provider_itself(corp: Home, upstream: Upstream, elsewhere: Upstream) -> None:
    editor = await corp.connect(window="w")
    await put(editor, await begin(editor, baseUrl=elsewhere.base_url), "global")
    await put(editor, await begin(editor, OTHER), "window")
    await editor.chat("corp:count:1").answer()
    assert elsewhere.requests == []
    assert upstream.request(0).header("authorization") == f"Bearer {OTHER}"


async def test_a_base_url_that_changes_later_does_not_get_it(
    corp: Home, upstream: Upstream, elsewhere: Upstream
) -> None:
    editor = await corp.connect(window="w", variables=USUALLY)
    created = await begin(editor)
    await put(editor, created, "global")
    assert await asked_with(editor, upstream) == TRIED
    editor.forget()
    corp.configure(provider("corp", elsewhere.base_url, AUTH, "max_retries = 0"))
    await editor.told("pointsman/providersChanged")
    assert await asked_with(editor, elsewhere) == USUAL, "what the environment holds goes where the files lead"
    (seen,) = (await editor.call("pointsman/listSessions"))["sessions"]
    assert (seen["inEffect"], seen["scope"]) == (False, "global")
    for method, params in (
        ("activateSession", {"token": created["token"]}),
        ("activateSession", {"token": created["token"], "baseUrl": elsewhere.base_url}),
    ):
        with pytest.raises(Refused) as refused:
            await editor.call(f"pointsman/{method}", params)
        assert refused.value.code == "WrongOrigin"
    with pytest.raises(Refused) as refused:
        await editor.chat("corp:count:1", session=created["token"]).answer()
    assert refused.value.code == "WrongOrigin"
    assert all(TRIED not in str(request.headers) for request in elsewhere.requests)


# Editors without a plugin


async def test_a_stock_editor_lists_and_ends_them_by_commands(corp: Home) -> None:
    ours, stock = await corp.connect(window="w"), await corp.connect(stock=True)
    created = await begin(ours)
    await put(ours, created, "global")
    await stock.call("workspace/executeCommand", {"command": "pointsman.listSessions"})
    shown = await stock.told("window/showMessage", lambda told: created["id"] in told["message"])
    assert shown["message"].startswith(f"{created['id']}: corp, tried-ke…, in use here, ")
    await stock.call("workspace/executeCommand", {"command": "pointsman.clearSession"})
    asked = await stock.asked("window/showMessageRequest")
    (choice,) = asked["params"]["actions"]
    stock.answer(asked["id"], choice)
    await ours.told("pointsman/sessionsChanged", lambda told: "ended" in told)
    await stock.told(
        "window/showMessage", lambda told: told["message"] == "The temporary key tried-ke… for corp has ended."
    )


async def test_the_daemon_waits_for_it(corp: Home) -> None:
    """What was promised until a time is not lost because nobody is connected meanwhile."""
    corp.configure(corp.file.read_text() + "\n[daemon]\nidle_exit = 0.5\n")
    editor = await corp.connect(window="w")
    await put(editor, await begin(editor, minutes=SHORT), "global")
    pid = corp.pid
    await editor.kill()
    with pytest.raises(TimeoutError):
        await ended(pid, SHORT * 60 - 0.5)
    await ended(pid)


async def test_an_address_that_is_none_is_refused_when_it_is_put_in_front(corp: Home) -> None:
    editor = await corp.connect(window="w")
    created = await editor.call("pointsman/createSession", {"provider": "corp", "credentials": TRIED})
    for url in ("https://127.0.0.1:99999/v1", "https://[::1/v1", "here"):
        with pytest.raises(Refused) as refused:
            await editor.call("pointsman/activateSession", {"token": created["token"], "baseUrl": url})
        assert refused.value.code == "ConfigError"
